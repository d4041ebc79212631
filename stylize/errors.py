"""Errors that the user can fix. Each message is one line: what was expected, what was received, what to do."""

from __future__ import annotations

from stylize.text import without_users

__all__ = ["ImageError", "OptionError", "StylizeError", "WeightsError"]


class StylizeError(Exception):
    """Any failure that the user can fix; the command line prints the one line and exits with 1."""

    def __str__(self) -> str:
        # A message may be logged: no user and password of a URL stand in it.
        return without_users(super().__str__())


class ImageError(StylizeError):
    """A picture cannot be read or cannot be written."""


class WeightsError(StylizeError):
    """The weights of a network are missing, damaged or unreachable."""


class OptionError(StylizeError, ValueError):
    """An option has an invalid value, or contradicts another option; the command line exits with 2."""

"""What can go wrong in a way that a user can mend. Each message is one line: expected, received, what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = ["ImageError", "OptionError", "StylizeError", "WeightsError", "writing"]


class StylizeError(Exception):
    """Any failure that the user can mend; the command line prints its one line and exits 1."""


class ImageError(StylizeError):
    """A picture can't be read, or can't be written."""


class WeightsError(StylizeError):
    """A network's weights are missing, damaged or unreachable."""


class OptionError(StylizeError, ValueError):
    """An option has no meaning, or none together with another; the command line exits 2."""


@contextlib.contextmanager
def writing(name: object, kind: type[StylizeError] = StylizeError) -> Iterator[None]:
    """Turn what the system refuses (a full disk) into one line of that kind, which calls the file by `name`."""
    try:
        yield
    except OSError as error:
        raise kind(f"{name}: could not be written: {error.strerror or error}") from error

"""Text: durations, messages on one line, file names with weights."""

from __future__ import annotations

import re
from os.path import splitdrive

__all__ = ["duration", "one_line", "rough_duration", "split_weight", "without_users"]

# The beginning of a URL. In the schemes that are left out, a container, a repository or a name stands before `@`.
_WITH_USERS = r"\b(?!(?:abfss?|wasbs?|github|zip|tar|libarchive|file)://)[a-z][a-z0-9+.-]*://"


def duration(seconds: float) -> str:
    """Return a measured time: `4.2 s`, `42 s`, `3 min 20 s`, `1 h 40 min`."""
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 100:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def rough_duration(seconds: float) -> str:
    """Return an estimated time: `42 s`, `3 min`, `1.7 h`; at least one second."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def one_line(text: object) -> str:
    """Return the text with its line breaks replaced by spaces."""
    return " ".join(str(text).splitlines())


def without_users(text: str, *, is_url: bool = False) -> str:
    """Return the text, where no URL names its user and password.

    Args:
        text: a message, or a URL.
        is_url: whether the text is a single URL, in which a space is part of a password.
    """
    ends = "/?#" if is_url else r"/?#\s"
    return re.sub(rf"({_WITH_USERS})[^{ends}]*@", r"\1", text, flags=re.IGNORECASE)


def split_weight(text: str) -> tuple[str, float | None]:
    """Split FILE:WEIGHT at the last colon; the weight is None where no number follows.

    The colon after the letter of a drive of Windows is part of the path.
    """
    drive, rest = splitdrive(text)
    path, _, number = rest.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        return text, None
    return (drive + path, weight) if path else (text, None)

"""Lines for people: printed on every terminal and into every pipe, whatever characters a file's name has."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TextIO

__all__ = ["open_missing_streams", "print_line", "printable"]

# Control characters (an escape sequence could change the terminal), line ends, marks that turn the direction of the
# text, and bytes that are no text, which Python holds as surrogates.
_NOT_PRINTED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, stream: TextIO | None = None) -> str:
    r"""Return the text on one line, with escapes such as `\x1b` for what is no text.

    Args:
        text: a message, or the name of a file.
        stream: where the text goes; characters that its encoding does not have are escaped, too.
    """
    text = _NOT_PRINTED.sub(_escaped, text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_line(text: str, *, error: bool = False) -> None:
    """Print a line to standard output or standard error; nothing if the stream is closed.

    Raises:
        OSError: standard output cannot be written. Standard error may fail: no picture is lost for a message.
    """
    stream = sys.stderr if error else sys.stdout
    if stream is not None:
        with contextlib.suppress(OSError) if error else contextlib.nullcontext():
            stream.write(f"{printable(text, stream)}\n")
            stream.flush()


def open_missing_streams() -> None:
    """Open the null device in place of standard streams that are closed.

    Otherwise the next file, such as a picture, would get a stream's number, and libraries would print into the file.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"  # the byte itself
    return repr(match[0])[1:-1]

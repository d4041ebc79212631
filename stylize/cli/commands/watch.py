"""`--watch`: make files again whenever their inputs change.

The files' times are asked for several times a second. Unlike the notifications of the system, this works on every file
system, and for editors that write a file as well as for those that rename another file to its place.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import click

from stylize.cli.flags import error_text
from stylize.cli.printing import print_line
from stylize.errors import StylizeError

__all__ = ["FileState", "file_state", "watch_files"]

#: What changes with a file: time, size, inode; None for a missing file.
FileState: TypeAlias = "tuple[int, ...] | None"

_POLL_S = 0.1
# A file that cannot be read gets this long to be written to its end.
_PATIENCE_S = 1.0


def file_state(path: Path) -> FileState:
    """Return the state of a file. The state also changes if another file is renamed to the path."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def watch_files(inputs: Sequence[Sequence[Path]], seen: list[list[FileState]], paint: Callable[[int], None]) -> None:
    """Call `paint` with an index whenever the inputs of that index have changed, until Ctrl-C.

    Args:
        inputs: for each output the files that it is made of.
        seen: the states of these files when the output was last made.
        paint: makes the output of an index again; a StylizeError is printed.
    """
    changed: dict[int, float] = {}
    while True:
        time.sleep(_POLL_S)
        for index, paths in enumerate(inputs):
            states = [file_state(path) for path in paths]
            if states != seen[index]:
                # Painted once the files stay the same.
                seen[index], changed[index] = states, time.monotonic()
            elif index in changed and None not in states:
                since = changed.pop(index)
                try:
                    paint(index)
                except StylizeError as error:
                    # Perhaps the file is not written to its end yet.
                    if time.monotonic() - since < _PATIENCE_S:
                        changed[index] = since
                    else:
                        print_line(f"stylize: {error_text(error, click.get_current_context().command)}", error=True)

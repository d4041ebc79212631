"""Silence for what native libraries print."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

__all__ = ["native_stderr_silenced"]

# Standard error belongs to the whole process: the first thread turns it away, the last thread turns it back.
_lock = threading.Lock()
_inside = 0
_saved: int | None = None


@contextlib.contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Discard everything that is written to file descriptor 2.

    TensorFlow and LiteRT print start-up lines from C++, libtiff prints what is wrong with a file. No logging setting
    turns these lines off.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _saved
    with _lock:
        _inside += 1
        if _inside > 1:
            return
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            _saved = os.dup(2)
        except OSError:  # The process has no standard error, for example under pythonw.
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)


def _leave() -> None:
    global _inside, _saved
    with _lock:
        _inside -= 1
        if _inside == 0 and _saved is not None:
            os.dup2(_saved, 2)
            os.close(_saved)
            _saved = None

"""SIGTERM and SIGHUP (a cluster's notice, a closed terminal) end a command in the way of Ctrl-C.

The exit code is that of shells: 128 and the signal's number.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator

__all__ = ["ENDING", "Ended", "end", "handled", "leave_closed_terminal"]

#: The signals that ask a program to end, beside Ctrl-C. Windows has no SIGHUP.
ENDING = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Ended(SystemExit):
    """Raised where the program is when a signal ends it, so that temporary files are removed on the way."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.name = signal.Signals(number).name


def end(number: int, frame: object) -> None:
    """Handle a signal: raise `Ended`, once: a closed terminal and `timeout` send their signals twice."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    leave_closed_terminal()
    raise Ended(number)


@contextlib.contextmanager
def handled(numbers: tuple[signal.Signals, ...], handler: Callable[[int, object], None]) -> Iterator[None]:
    """Let `handler` handle signals inside the block. A signal that is ignored, as under nohup, stays ignored."""
    if threading.current_thread() is not threading.main_thread():  # no other thread receives signals
        yield
        return
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: was for number, was in before.items() if was not in (signal.SIG_IGN, None)}
    try:
        for number in before:
            signal.signal(number, handler)
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def leave_closed_terminal() -> None:
    """Turn standard output and error to the null device if they were a terminal that is gone: printing would fail."""
    for number in (1, 2):
        with contextlib.suppress(OSError):
            if stat.S_ISCHR(os.fstat(number).st_mode) and not os.isatty(number):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, number)
                os.close(null)

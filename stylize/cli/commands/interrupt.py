"""Ctrl-C, SIGTERM and SIGHUP during an optimisation."""

from __future__ import annotations

import contextlib
import signal

from stylize.cli.console import Run
from stylize.cli.signals import ENDING, end, handled, leave_closed_terminal

__all__ = ["Interrupt"]


class Interrupt(contextlib.ExitStack):
    """Handles signals inside a `with` block: the first ends the run after the current step, another Ctrl-C aborts.

    Before the first step there is no picture to keep, so the first signal aborts.

    Attributes:
        started: whether the first step is done.
    """

    def __init__(self, run: Run) -> None:
        super().__init__()
        self._run = run
        self.started = False

    def __enter__(self) -> Interrupt:
        self.enter_context(handled((signal.SIGINT, *ENDING), self._handle))
        return self

    def asked(self) -> bool:
        """Return whether the run is to end."""
        return self._run.ended_by is not None

    def _handle(self, number: int, frame: object) -> None:
        if number == signal.SIGINT and (self.asked() or not self.started):
            raise KeyboardInterrupt
        if not self.started:
            end(number, frame)
        # A closed terminal and `timeout` send their signals twice.
        if not self.asked():
            self._run.ended_by = number
            leave_closed_terminal()
            again = "again " if number == signal.SIGINT else ""
            self._run.say_at_once(f"stopping after this step; Ctrl-C {again}aborts")

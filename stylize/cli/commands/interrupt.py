"""Ctrl-C during an optimisation."""

from __future__ import annotations

import signal

from stylize.cli.console import Run

__all__ = ["Interrupt"]


class Interrupt:
    """Handles Ctrl-C inside a `with` block: the first ends the run after the current step, the second aborts.

    Before the first step there is no picture to keep, so the first Ctrl-C aborts.

    Attributes:
        started: whether the first step is done.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.started = False
        self._asked = False

    def __enter__(self) -> Interrupt:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def asked(self) -> bool:
        """Return whether the run is to end."""
        return self._asked

    def _handle(self, *signal_and_frame: object) -> None:
        if self._asked or not self.started:
            raise KeyboardInterrupt
        self._asked = True
        self._run.say_at_once("stopping after this step; Ctrl-C again aborts")

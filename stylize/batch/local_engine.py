"""The engine of this machine: spawned processes, each with a pipe of its own.

We do not use a ready-made executor, because a batch must survive the death of a worker, as when memory runs out:

- concurrent.futures, loky and joblib fail all pending work when one process dies.
- pebble's workers share locks. A worker that dies while it holds a lock blocks the others.

A pipe between the driver and one worker shares nothing with the other workers.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, cast

from stylize.batch.engines import Attempts, Item, Lost, Result, Work
from stylize.errors import StylizeError

__all__ = ["MOST_WORKERS", "LocalEngine"]

#: The most workers: on Windows a process can wait for 63 pipes at a time.
MOST_WORKERS = 60 if os.name == "nt" else sys.maxsize

# How often we ask whether workers are alive. On Windows a pipe does not tell that its worker died before it opened it.
_CHECK_S = 1.0

# The lowest exit code of a process that Windows ends for an error, such as 0xC0000005 for a wrong address.
_WINDOWS_ERROR = 0xC0000000

_INTERRUPTS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)  # not all on Windows
]


class LocalEngine:
    """Worker processes of this machine."""

    nodes = 1

    def __init__(self, workers: int, threads: int = 1) -> None:
        """Start no process yet: each starts with its first batch.

        Args:
            workers: the number of processes.
            threads: the number of threads that each process may use.
        """
        self.workers = workers
        self.threads = threads
        self._started: list[_Process] = []
        self._idle: list[_Process] = []
        self._busy: dict[Connection, tuple[_Process, Any, int]] = {}

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        # An interrupt may have come while a process was neither idle nor busy.
        for process in self._started:
            process.kill()
        self._started.clear()
        self._idle.clear()
        self._busy.clear()

    def map(
        self, work: Work[Item, Result], batches: Iterator[Sequence[Item]]
    ) -> Iterator[tuple[Item, Result] | Lost[Item]]:
        """Yield every item with its result, or as lost, in the order in which workers finish.

        Raises:
            StylizeError: a worker ends by itself before any worker has finished a batch; then no worker can start.
        """
        attempts, any_finished = Attempts(batches), False
        while True:
            while len(self._busy) < self.workers and (attempt := attempts.next()) is not None:
                process = self._idle.pop() if self._idle else self._new_process()
                if process.is_open:
                    process.give(work, attempt[0])
                self._busy[process.pipe] = (process, *attempt)
            if not self._busy:
                return
            ready = cast("list[Connection]", wait(list(self._busy), _CHECK_S))
            dead = [pipe for pipe, (process, *_) in self._busy.items() if not process.is_open and process.has_ended]
            for pipe in dict.fromkeys([*ready, *dead]):
                process, batch, cost = self._busy.pop(pipe)
                try:
                    results = process.take()
                except (EOFError, OSError):
                    reason = process.end()
                    if not any_finished and not process.was_killed:
                        raise StylizeError(f"a worker could not start ({reason}): see above") from None
                    yield from attempts.failed(batch, cost, f"its worker died {cost + 1} times ({reason})")
                    continue
                if not process.is_open:
                    process.is_open = True
                    process.give(work, batch)
                    self._busy[pipe] = (process, batch, cost)
                    continue
                any_finished = True
                self._idle.append(process)
                yield from zip(batch, results, strict=True)

    def _new_process(self) -> _Process:
        process = _Process(self.threads)
        # First the list: an interrupt that came during the start is raised at its end.
        self._started.append(process)
        process.start()
        return process


class _Process:
    """A worker process, and the driver's end of its pipe."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, self._theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(self._theirs, threads), daemon=True)
        self.is_open = False
        """Whether the process has opened its end of the pipe. Until then, on Windows, sending a long message to a dead
        process never ends."""

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.exitcode is not None

    @property
    def was_killed(self) -> bool:
        """Whether a signal or an error of Windows ended the process; known after `end`."""
        code = self._process.exitcode or 0
        return code < 0 or code >= _WINDOWS_ERROR

    def start(self) -> None:
        """Start the process."""
        with _interrupts_blocked():
            self._process.start()
            self._theirs.close()

    def give(self, work: Any, batch: Any) -> None:
        """Start on a batch. If the process is dead already, `take` raises the error."""
        with contextlib.suppress(OSError):
            self.pipe.send((work, batch))

    def take(self) -> Any:
        """Return what a process that is ready has sent. Raises EOFError or OSError if it has died."""
        if not self.pipe.poll():
            raise EOFError
        return self.pipe.recv()

    def end(self) -> str:
        """Wait for a process that has died; return how it ended."""
        self.pipe.close()
        self._process.join()
        code = self._process.exitcode or 0
        if code >= 0:
            return f"exit code {code:#x}" if code >= _WINDOWS_ERROR else f"exit code {code}"
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            return f"{name}, as when memory runs out" if name == "SIGKILL" else name
        return f"signal {-code}"

    def kill(self) -> None:
        """End the process at once, if it was started."""
        if self._process.pid is not None:
            self._process.kill()
            self.end()


@contextlib.contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Let a process that starts here ignore interrupts from its first moment.

    A terminal sends Ctrl-C and SIGHUP to all processes, a cluster SIGTERM. The driver alone decides what follows.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Otherwise the first process starts the tracker, and the tracker unblocks interrupts.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, threads: int) -> None:
    """Run in the worker: take batches and send results until the driver ends."""
    for number in _INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before any framework is imported
    threading.Thread(target=_end_with_driver, daemon=True).start()
    with contextlib.suppress(OSError):  # the driver has ended
        pipe.send(None)  # the pipe is open
    while True:
        try:
            work, batch = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(work(batch))


def _end_with_driver() -> None:
    """End this worker when the driver ends, even if the driver was killed and could not tell."""
    driver = multiprocessing.parent_process()
    assert driver is not None
    driver.join()
    os._exit(1)

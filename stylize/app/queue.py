"""A bounded queue for the refinements of many visitors: one each, a few at a time. Knows no pictures and no page."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from stylize.errors import StylizeError

__all__ = ["Queue", "QueuedRun"]

_LOG = logging.getLogger(__name__)


class QueuedRun:
    """One visitor's work from its place in the queue to its end; made by `Queue.submit`.

    Attributes:
        visitor: the visitor's name.
        state: waiting; running; done, with a `result`; failed, with an `error`; dropped, because it was stopped before
            it began or because the visitor left.
        result: what the work returned.
        error: one line.
        progress: what the work last stored here.
    """

    def __init__(self, visitor: str, work: Callable[[QueuedRun], Any], check_visitors: Callable[[], None]) -> None:
        self.visitor = visitor
        self.state: Literal["waiting", "running", "done", "failed", "dropped"] = "waiting"
        self.result: Any = None
        self.error: str | None = None
        self.progress: Any = None
        self._work: Callable[[QueuedRun], Any] | None = work
        self._check_visitors = check_visitors
        self._absent_since: float | None = None
        self._stop_requested = False
        self._abandoned = False

    @property
    def active(self) -> bool:
        """Whether the run waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to stop."""
        return self._stop_requested

    def should_stop(self) -> bool:
        """Return whether the work must return what it has; the work calls this often.

        Each call also checks which visitors have left.
        """
        self._check_visitors()
        return self._stop_requested


class Queue:
    """Executes runs in its own threads, first come, first served. Safe to use from several threads.

    The queue checks which visitors are connected whenever a run is submitted or begins, when `position` is called, and
    at each `QueuedRun.should_stop`.

    Args:
        workers: the number of runs at a time.
        max_waiting: the number of runs that may wait.
        is_connected: whether a visitor is connected now.
        grace_s: a visitor who is absent for longer has left. A waiting run is dropped; a run that has begun is
            stopped, and its result is discarded.
        clock: returns seconds.
    """

    def __init__(
        self,
        workers: int,
        max_waiting: int,
        *,
        is_connected: Callable[[str], bool] = lambda visitor: True,
        grace_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._capacity = workers + max_waiting
        self._is_connected = is_connected
        self._grace_s = grace_s
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._waiting: deque[QueuedRun] = deque()
        self._running: list[QueuedRun] = []
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, name="stylize-run", daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, visitor: str, work: Callable[[QueuedRun], Any]) -> QueuedRun:
        """Put work in the queue.

        Raises:
            StylizeError: the queue is full or closed, or the visitor has a run already.
        """
        with self._changed:
            self._check_visitors()
            if self._closed:
                raise StylizeError("the server is closing")
            # A run that was asked to stop counts until it ends: otherwise one visitor could keep two workers busy.
            if any(run.visitor == visitor for run in (*self._running, *self._waiting)):
                raise StylizeError("one refinement at a time: wait for yours, or stop it")
            if len(self._running) + len(self._waiting) >= self._capacity:
                raise StylizeError(
                    f"the queue is full ({len(self._running)} at work, {len(self._waiting)} waiting): try again in a "
                    "few minutes; the preview works meanwhile"
                )
            run = QueuedRun(visitor, work, self._check_visitors)
            self._waiting.append(run)
            self._changed.notify()
            return run

    def position(self, run: QueuedRun) -> int:
        """Return the run's position in the queue: 1 is next, 0 is not waiting."""
        with self._changed:
            self._check_visitors()
            return self._waiting.index(run) + 1 if run in self._waiting else 0

    def stop(self, run: QueuedRun) -> None:
        """Remove a waiting run from the queue; ask a run that has begun to return what it has."""
        with self._changed:
            run._stop_requested = True
            if run in self._waiting:
                self._waiting.remove(run)
                self._end(run, "dropped")

    def run_next(self, *, wait: bool = False) -> bool:
        """Execute the next run in this thread; return False if there is none.

        Args:
            wait: whether to wait for a run until the queue is closed.
        """
        with self._changed:
            self._check_visitors()
            while not self._waiting:
                if not wait or self._closed:
                    return False
                self._changed.wait()
                self._check_visitors()
            run = self._waiting.popleft()
            run.state = "running"
            self._running.append(run)
        state: Literal["done", "failed"] = "failed"
        try:
            assert run._work is not None
            run.result = run._work(run)
            state = "done"
        except StylizeError as error:
            run.error = str(error)
        except Exception:  # any error: the runs of other visitors continue
            _LOG.exception("a refinement failed")
            run.error = "something went wrong on the server; its log says what"
        finally:
            with self._changed:
                self._running.remove(run)
                self._end(run, "dropped" if run._abandoned else state)
        return True

    def close(self, timeout_s: float = 10.0) -> None:
        """Drop the waiting runs, stop the others, and wait for the threads to end."""
        with self._changed:
            self._closed = True
            for run in (*self._waiting, *self._running):
                self.stop(run)
            self._changed.notify_all()
        ends = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _serve(self) -> None:
        while self.run_next(wait=True):
            pass

    def _check_visitors(self) -> None:
        """Stop the runs of visitors who have been absent for longer than `grace_s`."""
        with self._changed:
            now = self._clock()
            for run in (*self._waiting, *self._running):
                # The absence begins when it is first noticed: the last check may be long ago.
                if self._is_connected(run.visitor):
                    run._absent_since = None
                elif run._absent_since is None:
                    run._absent_since = now
                elif now - run._absent_since > self._grace_s and not run._abandoned:
                    run._abandoned = True
                    self.stop(run)

    @staticmethod
    def _end(run: QueuedRun, state: Literal["done", "failed", "dropped"]) -> None:
        # The work holds pictures in memory.
        run._work = None
        if state == "dropped":
            run.result = run.progress = None
        run.state = state

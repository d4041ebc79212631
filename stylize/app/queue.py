"""The jobs of many visitors: one a visitor, a few at a time, a bounded line. Knows neither pictures nor pages."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from stylize.errors import StylizeError

__all__ = ["Job", "Queue"]

_LOG = logging.getLogger(__name__)


class Job:
    """One visitor's work, from the line to its end; made by `Queue.submit`.

    Attributes:
        state: waiting; running; done, with a `result`; failed, with an `error`; dropped, before it began or because
            its visitor left.
        result: what the work returned.
        error: one line.
        progress: whatever the work last put there.
    """

    def __init__(self, visitor: str, work: Callable[[Job], Any]) -> None:
        self.visitor = visitor
        self.state: Literal["waiting", "running", "done", "failed", "dropped"] = "waiting"
        self.result: Any = None
        self.error: str | None = None
        self.progress: Any = None
        self._work: Callable[[Job], Any] | None = work
        self._missed_since: float | None = None
        self._stop_asked = False
        self._abandoned = False
        self._look_around: Callable[[], None] = lambda: None

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("waiting", "running")

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop_asked

    def should_stop(self) -> bool:
        """Return whether the work is to return what it has; the work asks often. Also looks who has left."""
        self._look_around()
        return self._stop_asked


class Queue:
    """Runs jobs in threads of its own, first come, first served. May be used from several threads.

    Whether visitors are still there is asked at every turn: when a job comes or begins, when one asks for its place,
    and at each `Job.should_stop`.

    Args:
        workers: jobs that run at a time.
        places: jobs that may wait beyond those.
        present: whether a visitor is there now.
        grace_s: a visitor away for longer has left: its job is dropped, or stopped and its result forgotten.
        clock: seconds.
    """

    def __init__(
        self,
        workers: int,
        places: int,
        *,
        present: Callable[[str], bool] = lambda visitor: True,
        grace_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = workers
        self._places = places
        self._present = present
        self._grace_s = grace_s
        self._clock = clock
        self._changed = threading.Condition(threading.RLock())
        self._waiting: deque[Job] = deque()
        self._running: list[Job] = []
        self._closed = False
        self._threads = [threading.Thread(target=self._serve, name="stylize-job", daemon=True) for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def submit(self, visitor: str, work: Callable[[Job], Any]) -> Job:
        """Put work in line. Raises StylizeError if all places are taken, or the visitor has a job already."""
        with self._changed:
            self._look_around()
            if self._closed:
                raise StylizeError("the server is closing")
            # A job that was asked to stop keeps its visitor busy until it has: two at a time would be unfair.
            if any(job.visitor == visitor for job in (*self._running, *self._waiting)):
                raise StylizeError("one refinement at a time: wait for yours, or stop it")
            if len(self._running) + len(self._waiting) >= self._workers + self._places:
                raise StylizeError(
                    f"the queue is full ({len(self._running)} at work, {len(self._waiting)} waiting): try again in a "
                    "few minutes; the preview works meanwhile"
                )
            job = Job(visitor, work)
            job._look_around = self._look_around
            self._waiting.append(job)
            self._changed.notify()
            return job

    def place(self, job: Job) -> int:
        """Return how many are to begin before this one, and itself: 1 is next; 0 if it is not waiting."""
        with self._changed:
            self._look_around()
            return self._waiting.index(job) + 1 if job in self._waiting else 0

    def stop(self, job: Job) -> None:
        """Take a job out of the line, or ask it to return what it has."""
        with self._changed:
            job._stop_asked = True
            if job in self._waiting:
                self._waiting.remove(job)
                self._end(job, "dropped")

    def run_next(self, *, wait: bool = False) -> bool:
        """Run the next job in this thread, as each worker does over and over; False if there is none."""
        with self._changed:
            self._look_around()
            while not self._waiting:
                if not wait or self._closed:
                    return False
                self._changed.wait()
                self._look_around()
            job = self._waiting.popleft()
            job.state = "running"
            self._running.append(job)
        state: Literal["done", "failed"] = "failed"
        try:
            assert job._work is not None
            job.result = job._work(job)
            state = "done"
        except StylizeError as error:
            job.error = str(error)
        except Exception:  # whatever it is, the others' jobs go on
            _LOG.exception("a refinement failed")
            job.error = "something went wrong on the server; its log says what"
        finally:
            with self._changed:
                self._running.remove(job)
                self._end(job, "dropped" if job._abandoned else state)
        return True

    def close(self, timeout_s: float = 10.0) -> None:
        """Drop those who wait, stop those at work, and wait for them."""
        with self._changed:
            self._closed = True
            for job in (*self._waiting, *self._running):
                self.stop(job)
            self._changed.notify_all()
        ends = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _serve(self) -> None:
        while self.run_next(wait=True):
            pass

    def _look_around(self) -> None:
        with self._changed:
            now = self._clock()
            for job in (*self._waiting, *self._running):
                # Counted from when the visitor was first missed: nobody may have looked for a while before.
                if self._present(job.visitor):
                    job._missed_since = None
                elif job._missed_since is None:
                    job._missed_since = now
                elif now - job._missed_since > self._grace_s and not job._abandoned:
                    job._abandoned = True
                    self.stop(job)

    @staticmethod
    def _end(job: Job, state: Literal["done", "failed", "dropped"]) -> None:
        # The pictures that the work holds are needed no more.
        job._work = None
        if state == "dropped":
            job.result = job.progress = None
        job.state = state

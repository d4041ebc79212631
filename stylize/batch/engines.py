"""Work on many processes, of this machine or of a Ray cluster: batches in, results out as they come.

An engine takes batches from an iterator only as workers come free, so that any number of them takes no memory. A batch
whose worker was killed is tried again, its items one by one; an item that has cost `RETRIES` more workers is given up.
"""

from __future__ import annotations

import collections
import contextlib
import multiprocessing
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Protocol, TypeVar, cast

from stylize.errors import StylizeError

__all__ = ["RETRIES", "Engine", "LocalEngine", "Lost", "RayEngine"]

Item = TypeVar("Item")
Result = TypeVar("Result")
#: What workers run: a batch to a result for each of its items. It is pickled; what it keeps loaded is its module's.
Work = Callable[[Sequence[Item]], Sequence[Result]]

#: How often an item is tried again whose worker was killed.
RETRIES = 2


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """An item that no worker survived, and what is known of it."""

    item: Item
    reason: str


class Engine(Protocol):
    """Workers, once entered."""

    nodes: int
    """Machines."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exception: object) -> None: ...

    def map(
        self, work: Work[Item, Result], batches: Iterator[Sequence[Item]]
    ) -> Iterator[tuple[Item, Result] | Lost[Item]]:
        """Yield every item with its result, or as lost, in the order in which they are done."""
        ...


class _Attempts(Generic[Item]):
    """The batches, and those to be tried again before."""

    def __init__(self, batches: Iterator[Sequence[Item]]) -> None:
        self._batches = batches
        self._again: collections.deque[tuple[Sequence[Item], int]] = collections.deque()

    def next(self) -> tuple[Sequence[Item], int] | None:
        """Return a batch and how many workers it has cost."""
        if self._again:
            return self._again.popleft()
        batch = next(self._batches, None)
        return None if batch is None else (batch, 0)

    def failed(self, batch: Sequence[Item], cost: int, reason: str, retries: int) -> Iterator[Lost[Item]]:
        """Try again what may be, yield what is lost. Of many items any may be the culprit: each for itself, then."""
        if len(batch) > 1:
            self._again.extend(([item], 0) for item in batch)
        elif cost < retries:
            self._again.append((batch, cost + 1))
        else:
            yield Lost(batch[0], reason)


# --------------------------------------------------------------------------------------------------------------------
# This machine


class LocalEngine:
    """Spawned processes of this machine, each with one pipe of its own, and with `threads` cores to use.

    The executors that are at hand fail all work when one process dies (concurrent.futures, loky, joblib), or share
    locks with which a process may die (pebble); a pipe shares nothing.
    """

    nodes = 1

    def __init__(self, workers: int, threads: int = 1) -> None:
        self.workers = workers
        self.threads = threads
        self._idle: list[_Process] = []
        self._busy: dict[Connection, tuple[_Process, Any, int]] = {}

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        for process in (*self._idle, *(process for process, _, _ in self._busy.values())):
            process.kill()
        self._idle.clear()
        self._busy.clear()

    def map(
        self, work: Work[Item, Result], batches: Iterator[Sequence[Item]]
    ) -> Iterator[tuple[Item, Result] | Lost[Item]]:
        """Yield every item with its result, or as lost, in the order in which they are done."""
        attempts, proven = _Attempts(batches), False
        while True:
            while len(self._busy) < self.workers and (attempt := attempts.next()) is not None:
                process = self._idle.pop() if self._idle else _Process(self.threads)
                process.give(work, attempt[0])
                self._busy[process.pipe] = (process, *attempt)
            if not self._busy:
                return
            for pipe in cast("list[Connection]", wait(list(self._busy))):
                process, batch, cost = self._busy.pop(pipe)
                try:
                    results = process.take()
                except (EOFError, OSError):
                    reason = process.end()
                    if not proven and not process.was_killed:
                        raise StylizeError(f"a worker could not start ({reason}): see above") from None
                    yield from attempts.failed(batch, cost, f"its worker died {cost + 1} times ({reason})", RETRIES)
                    continue
                proven = True
                self._idle.append(process)
                yield from zip(batch, results, strict=True)


class _Process:
    """One worker and the driver's end of its pipe."""

    def __init__(self, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, threads), daemon=True)
        with _interrupts_held_back():
            self._process.start()
        theirs.close()

    @property
    def was_killed(self) -> bool:
        """Whether a signal ended it, once it has ended."""
        return (self._process.exitcode or 0) < 0

    def give(self, work: Any, batch: Any) -> None:
        """Start on a batch; a worker that is dead already shows it in `take`."""
        with contextlib.suppress(OSError):
            self.pipe.send((work, batch))

    def take(self) -> Any:
        """Return the results. Raises EOFError or OSError if the process has died."""
        return self.pipe.recv()

    def end(self) -> str:
        """Wait for a process that has died; return of what."""
        self.pipe.close()
        self._process.join()
        code = self._process.exitcode or 0
        if code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):
            name = signal.Signals(-code).name
            return f"{name}, as when memory runs out" if name == "SIGKILL" else name
        return f"signal {-code}"

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self._process.kill()
        self.end()


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """A process started here is deaf to Ctrl-C, which goes to all in the terminal, until it says otherwise."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # started by the first process otherwise, which lets interrupts in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: Connection, threads: int) -> None:
    """A worker's life: batches in, results out, until the driver is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(threads)  # before any framework is imported
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            work, batch = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(work(batch))


def _end_with_parent() -> None:
    """A driver that was killed leaves no worker behind that paints on."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


# --------------------------------------------------------------------------------------------------------------------
# Ray


class RayEngine:
    """Tasks on a Ray cluster, or on one that is started on this machine for the run if there is no address.

    Ray places the tasks, keeps its processes (and what they have loaded) between them, and tries again those whose
    process or machine has died; here we only keep the number in flight small.
    """

    nodes = 1

    def __init__(self, address: str | None = None, *, most: int | None = None, memory_bytes: int = 0) -> None:
        """`most` tasks at once (None: as many as the cluster has cores), each asking for a core and `memory_bytes`."""
        self._address = address
        self._most = most
        self._memory_bytes = memory_bytes
        self._ray: Any = None

    def __enter__(self) -> RayEngine:
        address = self._address or os.environ.get("RAY_ADDRESS")
        # Both are read when Ray is imported. No reports to its makers:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if not address:
            # What Ray has for laptops, on Linux, too: nobody else is to reach the processes of a cluster of our own.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        try:
            import ray
        except ImportError as error:
            raise StylizeError('--engine ray: Ray is not installed: pip install "stylize[ray]"') from error
        self._ray = ray
        quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if ray.is_initialized():
            self._mine = False
        else:
            self._mine = True
            if address:
                try:
                    _check_there(address)
                    ray.init(address, **quietly)
                except (OSError, ValueError, RuntimeError) as error:
                    reason = str(error).splitlines()[0]
                    raise StylizeError(f"--engine ray: no cluster at {address} ({reason})") from error
            else:
                ray.init("local", include_dashboard=False, **quietly)
        self.nodes = sum(node["Alive"] for node in ray.nodes())
        return self

    def __exit__(self, *exception: object) -> None:
        if self._ray is not None and self._mine:
            self._ray.shutdown()

    def map(
        self, work: Work[Item, Result], batches: Iterator[Sequence[Item]]
    ) -> Iterator[tuple[Item, Result] | Lost[Item]]:
        """Yield every item with its result, or as lost, in the order in which they are done."""
        ray = self._ray
        # More than the largest machine has would wait for ever.
        largest = max((node["Resources"].get("memory", 0) for node in ray.nodes() if node["Alive"]), default=0)
        task = ray.remote(_run_task).options(
            num_cpus=1,
            memory=int(min(self._memory_bytes, largest)) or None,
            max_retries=RETRIES,
            scheduling_strategy="SPREAD",
        )
        kept = ray.put(work)
        attempts = _Attempts(batches)
        flying: dict[Any, tuple[Sequence[Item], int]] = {}
        while True:
            # Twice what runs, so that no worker waits for us; asked anew, as machines come and go.
            room = self._most or 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while len(flying) < room and (attempt := attempts.next()) is not None:
                flying[task.remote(kept, attempt[0])] = attempt
            if not flying:
                return
            first, others = ray.wait(list(flying), num_returns=1)
            more = ray.wait(others, num_returns=len(others), timeout=0)[0] if others else []
            for reference in (*first, *more):
                batch, cost = flying.pop(reference)
                try:
                    results = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    # Not the cluster's fault, and not one item's, which `work` tells of itself.
                    reason = str(error).strip().splitlines()[-1]
                    raise StylizeError(
                        f"--engine ray: a worker failed ({reason}); every machine needs the same Python environment"
                    ) from error
                except ray.exceptions.RayError as error:
                    # Ray has tried again already.
                    reason = f"its worker died {RETRIES + 1} times ({str(error).splitlines()[0]})"
                    yield from attempts.failed(batch, cost, reason, 0)
                    continue
                yield from zip(batch, results, strict=True)


def _check_there(address: str) -> None:
    """Raise OSError unless somebody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _run_task(work: Any, batch: Any) -> Any:
    return work(batch)

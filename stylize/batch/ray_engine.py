"""The engine of a Ray cluster: each batch is a Ray task.

Ray places the tasks, keeps the processes and what they have loaded, and repeats tasks whose process or machine died.
The engine only limits the number of tasks at a time.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from stylize.batch.engines import RETRIES, Attempts, Item, Lost, Result, Work
from stylize.errors import StylizeError

__all__ = ["RayEngine", "check_installed"]


def check_installed() -> None:
    """Raise StylizeError where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise StylizeError('engine: Ray is not installed: pip install "stylize-art[ray]"')


class RayEngine:
    """Tasks on a Ray cluster. Without an address, the engine starts a cluster on this machine for the run."""

    nodes = 1

    def __init__(
        self, address: str | None = None, *, max_tasks: int | None = None, memory_bytes: int = 0, gpus: bool = False
    ) -> None:
        """Connect to no cluster yet.

        Args:
            address: the cluster, such as `auto` or `ray://head:10001`; None: the variable RAY_ADDRESS, if it is set.
            max_tasks: the number of tasks at a time; None: two for each core of the cluster.
            memory_bytes: the memory that each task asks for, beside one core.
            gpus: whether each task also asks for a GPU, where the cluster has GPUs.
        """
        self._address = address
        self._max_tasks = max_tasks
        self._memory_bytes = memory_bytes
        self._gpus = gpus
        self._ray: Any = None
        self._connected_here = False

    def __enter__(self) -> RayEngine:
        address = self._address or os.environ.get("RAY_ADDRESS")
        # Ray reads both variables when it is imported. The first switches reports to Ray's makers off.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        if not address:
            # On Windows and macOS Ray listens on the local address alone. This value does the same on Linux, so that no
            # other machine can reach the processes.
            os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        try:
            import ray
        except ImportError as error:
            raise StylizeError(f'engine: Ray cannot be imported ({error}): pip install "stylize-art[ray]"') from error
        self._ray = ray
        if not ray.is_initialized():
            self._connected_here = True
            handler = signal.getsignal(signal.SIGTERM)
            self._connect(address)
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray has set its own, which ends with another exit code
        self.nodes = sum(node["Alive"] for node in ray.nodes())
        return self

    def __exit__(self, *exception: object) -> None:
        if self._connected_here:
            self._ray.shutdown()

    def map(
        self, work: Work[Item, Result], batches: Iterator[Sequence[Item]]
    ) -> Iterator[tuple[Item, Result] | Lost[Item]]:
        """Yield every item with its result, or as lost, in the order in which tasks finish.

        Raises:
            StylizeError: the work cannot run on a machine of the cluster.
        """
        ray, task, kept = self._ray, self._task(), self._ray.put(work)
        attempts = Attempts(batches)
        running: dict[Any, tuple[Sequence[Item], int]] = {}
        while True:
            while len(running) < self._room() and (attempt := attempts.next()) is not None:
                running[task.remote(kept, attempt[0])] = attempt
            if not running:
                return
            first, others = ray.wait(list(running), num_returns=1)
            more = ray.wait(others, num_returns=len(others), timeout=0)[0] if others else []
            for reference in (*first, *more):
                batch, cost = running.pop(reference)
                try:
                    results = self._results(reference)
                except ray.exceptions.RayError as error:
                    reason = f"its worker died {RETRIES + 1} times ({str(error).splitlines()[0]})"
                    yield from attempts.failed(batch, cost, reason, retries=0)  # Ray has tried again already
                    continue
                yield from zip(batch, results, strict=True)

    def _connect(self, address: str | None) -> None:
        """Connect to the cluster at an address, or start one on this machine."""
        quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if not address:
            self._ray.init("local", include_dashboard=False, **quietly)
            return
        try:
            _check_listening(address)
            self._ray.init(address, **quietly)
        except (OSError, ValueError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise StylizeError(f"engine: no Ray cluster at {address} ({reason})") from error

    def _task(self) -> Any:
        """Return the remote function that runs a batch."""
        # A task that asks for more memory than the largest machine has would wait for ever.
        largest = max((node["Resources"].get("memory", 0) for node in self._ray.nodes() if node["Alive"]), default=0)
        return self._ray.remote(_run_task).options(
            num_cpus=1,
            num_gpus=1 if self._uses_gpus() else 0,
            memory=int(min(self._memory_bytes, largest)) or None,
            max_retries=RETRIES,
            scheduling_strategy="SPREAD",
        )

    def _room(self) -> int:
        """Return the number of tasks at a time. Two for each core or GPU, so that no worker waits for the driver."""
        # Asked each time, because machines may join and leave.
        resource = "GPU" if self._uses_gpus() else "CPU"
        return self._max_tasks or 2 * max(1, int(self._ray.cluster_resources().get(resource, 1)))

    def _uses_gpus(self) -> bool:
        return self._gpus and bool(self._ray.cluster_resources().get("GPU", 0) >= 1)

    def _results(self, reference: Any) -> Any:
        """Return a task's results. Raises Ray's RayError if its worker died, StylizeError if the work itself failed."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            # The work handles failures of single items, so that this failure concerns every item.
            reason = str(error).strip().splitlines()[-1]
            raise StylizeError(
                f"engine: a Ray worker failed ({reason}); every machine needs the same Python environment"
            ) from error


def _check_listening(address: str) -> None:
    """Raise OSError unless a server listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def _run_task(work: Any, batch: Any) -> Any:
    return work(batch)

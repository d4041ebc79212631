"""What worker processes of the tests run. Processes import the functions by name, so that they stand in a module."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stylize.batch.jobs import Job, Task
from stylize.batch.local_engine import LocalEngine
from stylize.batch.manifest import Record, record_of
from stylize.batch.run import BatchOutcome, run_batch
from stylize.config import FastConfig


def doubled(batch: Sequence[int]) -> list[int]:
    return [2 * item for item in batch]


def deadly(batch: Sequence[Any]) -> list[Any]:
    """Kill the worker at 13 always, and at (number, file) unless the file is there; make the file before."""
    for item in batch:
        if item == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        if isinstance(item, tuple) and not Path(item[1]).exists():
            Path(item[1]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return [item[0] if isinstance(item, tuple) else item for item in batch]


def process_and_threads(batch: Sequence[Any]) -> list[tuple[int, str]]:
    return [(os.getpid(), os.environ["OMP_NUM_THREADS"]) for _ in batch]


def ends(batch: Sequence[Any]) -> list[Any]:
    os._exit(3)


def dies_at_its_start(pipe: Any, threads: int) -> None:
    os._exit(3)


def fails(batch: Sequence[Any]) -> list[Any]:
    raise ModuleNotFoundError("No module named 'stylize'")


def ray_node_unless_victim(batch: Sequence[tuple[int, str, str]]) -> list[str]:
    """Return the Ray node for each (number, victim, folder), once the node `victim` is at work; there, never return.

    The victim tells of its work by the file `at-work` in the folder.
    """
    import ray

    node = ray.get_runtime_context().get_node_id()
    for _, victim, folder in batch:
        at_work = Path(folder, "at-work")
        if node == victim:
            at_work.touch()
            signal.pause()
        while not at_work.exists():
            time.sleep(0.01)
    return [node for _ in batch]


def painted_at_once(tasks: Sequence[Task]) -> list[Record]:
    """Return the records of a painter that paints nothing."""
    return [{**record_of(task), "status": "done", "picture": {}, "seconds": 0.0} for task in tasks]


def run_without_painting(output: str, count: int) -> BatchOutcome:
    """Run a batch of `count` jobs whose painter paints nothing."""
    found = (
        Job(f"photos/{number // 10}.png", ((f"s/{number % 10}.png", 1.0),), f"{number}.png") for number in range(count)
    )
    config = FastConfig(network="mini")
    return run_batch(found, output, lambda cells: config, lambda plan: LocalEngine(2), work=painted_at_once)

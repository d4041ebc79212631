"""Engines run work in worker processes: batches go in, results come out when they are ready.

An engine takes a batch from the iterator only when a worker is free. Batches therefore take no memory, however many
there are. If a worker is killed, the engine tries the items of its batch again one by one; an item that costs `RETRIES`
further workers is lost.

There are two engines: `LocalEngine` (local_engine.py) for this machine, `RayEngine` (ray_engine.py) for a Ray cluster.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

__all__ = ["RETRIES", "Attempts", "Engine", "Item", "Lost", "Result", "Work"]

Item = TypeVar("Item")
Result = TypeVar("Result")

#: What workers run: a function from a batch to one result for each item. It is pickled and sent to the workers.
Work = Callable[[Sequence[Item]], Sequence[Result]]

#: How often an item is tried again after its worker was killed.
RETRIES = 2


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """An item whose workers were all killed."""

    item: Item
    reason: str


class Engine(Protocol):
    """A context manager that owns workers."""

    nodes: int
    """Number of machines; known inside the context."""

    def __enter__(self) -> Engine: ...

    def __exit__(self, *exception: object) -> None: ...

    def map(
        self, work: Work[Item, Result], batches: Iterator[Sequence[Item]]
    ) -> Iterator[tuple[Item, Result] | Lost[Item]]:
        """Yield every item with its result, or as lost, in the order in which workers finish."""
        ...


class Attempts(Generic[Item]):
    """The batches that wait for a worker: first those to be tried again, then new ones."""

    def __init__(self, batches: Iterator[Sequence[Item]]) -> None:
        self._batches = batches
        self._again: collections.deque[tuple[Sequence[Item], int]] = collections.deque()

    def next(self) -> tuple[Sequence[Item], int] | None:
        """Return a batch and the number of workers that it has cost; None if no batch is left."""
        if self._again:
            return self._again.popleft()
        batch = next(self._batches, None)
        return None if batch is None else (batch, 0)

    def failed(self, batch: Sequence[Item], cost: int, reason: str, retries: int = RETRIES) -> Iterator[Lost[Item]]:
        """Queue a batch again after its worker was killed, or yield its item as lost.

        Args:
            batch: the batch. Any of several items may be the cause, so that each is tried again alone.
            cost: the number of workers that the batch had cost before this one.
            reason: how the last worker ended.
            retries: how often a single item is tried again.
        """
        if len(batch) > 1:
            self._again.extend(([item], 0) for item in batch)
        elif cost < retries:
            self._again.append((batch, cost + 1))
        else:
            yield Lost(batch[0], reason)

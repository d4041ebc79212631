"""What a run tells of itself: losses, history, iterates, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Checkpoint", "HistoryEntry", "Iterate", "LossTerms"]


@dataclass(frozen=True)
class LossTerms:
    """One evaluation of the loss. `total` is weighted, palette and frame in it; the others are the plain terms."""

    total: float
    content: float
    style: float
    total_variation: float
    content_per_layer: Mapping[str, float]
    style_per_layer: Mapping[str, float]


@dataclass(frozen=True)
class HistoryEntry:
    """What stays of an iterate: level and step (both from 1), seconds since the start, and its losses."""

    level: int
    step: int
    elapsed_s: float
    losses: LossTerms


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that a run needs to go on: where it was, its pixels, its optimiser's state."""

    context: Mapping[str, Any]
    """JSON-serialisable: what the caller needs to know the run again."""
    level: int
    elapsed_s: float
    pixels: np.ndarray
    state: Mapping[str, np.ndarray]
    """Of the optimiser. Out of a file, arrays are read as they are asked for: at 12 megapixels they are 2 GB."""
    history: tuple[HistoryEntry, ...]


@dataclass(frozen=True, eq=False)
class Iterate:
    """One step of the optimisation, as handed to the callback: the only channel of progress."""

    level: int
    levels: int
    size: tuple[int, int]
    step: int
    steps: int | None
    """Of all levels; None under a time budget, whose plan changes with the machine's speed."""
    losses: LossTerms
    elapsed_s: float
    remaining_s: float
    """An estimate; under a time budget, what is left of it."""
    pixels: np.ndarray
    """Float32 (H, W, 3), the best picture of this level so far; a view: copy it to keep it."""
    checkpoint: Callable[[], Checkpoint]

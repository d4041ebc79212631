"""What a run reports about itself: losses, history and iterates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from stylize.optimize.checkpoint import Checkpoint

__all__ = ["HistoryEntry", "Iterate", "LossTerms"]


@dataclass(frozen=True)
class LossTerms:
    """One evaluation of the loss.

    `total` is the weighted sum of all terms, palette and frame included. `content` and `style` are sums over layers,
    with the weights of the layers alone. The other fields are terms without weights.
    """

    total: float
    content: float
    style: float
    total_variation: float
    content_per_layer: Mapping[str, float]
    style_per_layer: Mapping[str, float]


@dataclass(frozen=True)
class HistoryEntry:
    """The record of one step: its level and its number (both from 1), seconds since the start, and its losses."""

    level: int
    step: int
    elapsed_s: float
    losses: LossTerms


@dataclass(frozen=True, eq=False)
class Iterate:
    """One step of the optimisation. The callback gets all progress of a run in this form."""

    level: int
    """The pyramid level, from 1."""
    levels: int
    """The number of pyramid levels."""
    size: tuple[int, int]
    """The (height, width) of the level in px."""
    step: int
    """The number of the step, from 1, counted over all levels."""
    steps: int | None
    """The number of steps of all levels; None under a time budget, because its plan changes with the speed."""
    losses: LossTerms
    elapsed_s: float
    remaining_s: float
    """An estimate; under a time budget, the rest of the budget."""
    pixels: NDArray[np.float32]
    """The best picture of this level so far, (H, W, 3) in [0, 1]. A view: copy the array to keep it."""
    checkpoint: Callable[[], Checkpoint]
    """Returns a checkpoint of the run after this step."""

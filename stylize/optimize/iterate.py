"""What a callback sees of each step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.optimize.checkpoint import Checkpoint
from stylize.optimize.history import LossTerms

__all__ = ["Iterate"]


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
    read_pixels: Callable[[], NDArray[np.float32]]
    """Reads `pixels` from the device."""
    checkpoint: Callable[[], Checkpoint]
    """Returns a checkpoint of the run after this step. Raises StylizeError once the next step was taken."""

    @functools.cached_property
    def pixels(self) -> NDArray[np.float32]:
        """The best picture of this level so far, (H, W, 3) in [0, 1]. May be a view: copy the array to change it."""
        return self.read_pixels()

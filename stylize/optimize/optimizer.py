"""The protocol of an optimiser: ask for a point, tell its loss and gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

__all__ = ["Optimizer"]

State = dict[str, np.ndarray]


class Optimizer(Protocol):
    """Ask for a point, tell its loss and gradient; all state is in plain arrays, so a run can be taken up again."""

    @property
    def best(self) -> np.ndarray:
        """The point of the lowest loss so far: what is kept if the run is broken off."""

    @property
    def result(self) -> np.ndarray:
        """The point to return when all steps are taken."""

    def ask(self) -> np.ndarray:
        """Return the next point to evaluate."""

    def tell(self, loss: float, gradient: np.ndarray) -> bool:
        """Take the loss and gradient of the point asked for; False if it was not finite and the step was taken back."""

    def state(self) -> State:
        """Return all state as arrays."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take up the state of another run."""

"""The protocol of an optimiser: ask for a point, tell its loss and gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Optimizer", "State"]

#: An array of an optimiser's state: pictures are float32 (H, W, 3), scalars are float64 (n,).
Array = NDArray[np.floating[Any]]

#: All state of an optimiser, by name.
State = dict[str, Array]


class Optimizer(Protocol):
    """An optimiser that the caller drives: ask for a point, evaluate the loss there, tell loss and gradient.

    All state is in plain arrays, so that a run can stop and go on later. All points are float32 (H, W, 3) in [0, 1].
    """

    @property
    def best(self) -> NDArray[np.float32]:
        """The point of the lowest loss so far. A run that is stopped keeps this point."""

    @property
    def result(self) -> NDArray[np.float32]:
        """The point to return when all steps are taken."""

    def ask(self) -> NDArray[np.float32]:
        """Return the next point to evaluate."""

    def tell(self, loss: float, gradient: NDArray[np.float32]) -> bool:
        """Take the loss and the gradient of the point from `ask`.

        Returns:
            False if the loss or the gradient was not finite. The step is then taken back.
        """

    def state(self) -> State:
        """Return all state."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from the state of another run."""

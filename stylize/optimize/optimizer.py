"""The protocol of an optimiser: ask for a point, tell its loss and gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stylize.networks.backend import Array

__all__ = ["Optimizer", "State"]

#: All state of an optimiser on the host, by name: pictures are float32 (H, W, 3), scalars are float64 (n,).
State = dict[str, NDArray[np.floating[Any]]]


class Optimizer(Protocol):
    """An optimiser that the caller drives: ask for a point, evaluate the loss there, tell loss and gradient.

    Points and gradients lie on the device; points are float32 (H, W, 3) in [0, 1]. `state` gives plain arrays, with
    which a run can go on later, also on another device.
    """

    @property
    def best(self) -> Array:
        """The point of the lowest loss so far. A run that is stopped keeps this point."""

    @property
    def result(self) -> Array:
        """The point to return when all steps are taken."""

    def ask(self) -> Array:
        """Return the next point to evaluate."""

    def tell(self, loss: float, gradient: Array) -> bool:
        """Take the loss and the gradient of the point from `ask`.

        Returns:
            False if the loss or the gradient was not finite. The step is then taken back.
        """

    def state(self) -> State:
        """Return all state."""

    def restore(self, state: Mapping[str, NDArray[np.floating[Any]]]) -> None:
        """Continue from the state of another run."""

"""Adam for pictures (Kingma and Ba 2014, arXiv 1412.6980)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stylize.config import OptimizationConfig
from stylize.optimize.optimizer import Array, State

__all__ = ["Adam"]


class Adam:
    """Adam on pixels, clipped to [0, 1] after every step.

    With the gradient g at step t, the rate a, and the moments m and v, which start at 0:

        m = b1 m + (1 - b1) g
        v = b2 v + (1 - b2) g²
        x = clip(x - a √(1 - b2^t) / (1 - b1^t) · m / (√v + e))

    As in Keras, e is added to √v before the correction of its bias: the paper's "epsilon hat".
    """

    def __init__(self, start: NDArray[np.float32], config: OptimizationConfig) -> None:
        """Begin at `start`, (H, W, 3)."""
        self._config = config
        self._rate = config.learning_rate
        self._x = np.clip(start, 0, 1).astype(np.float32)
        self._safe = self._x
        self._best, self._best_loss = self._x, math.inf
        self._m = np.zeros_like(self._x)
        self._v = np.zeros_like(self._x)
        self._count = 0

    @property
    def best(self) -> NDArray[np.float32]:
        """The iterate of the lowest loss. The newest iterate does not count, because its loss is not known yet."""
        return self._best

    @property
    def result(self) -> NDArray[np.float32]:
        """The last iterate, or with `keep_best` the best."""
        return self._best if self._config.keep_best else self._x

    def ask(self) -> NDArray[np.float32]:
        """Return the current iterate."""
        return self._x

    def tell(self, loss: float, gradient: NDArray[np.float32]) -> bool:
        """Take a step. If a number is not finite, return to the last good iterate with half the learning rate."""
        if not (math.isfinite(loss) and bool(np.isfinite(gradient).all())):
            self._x = self._safe
            self._m, self._v, self._count = np.zeros_like(self._m), np.zeros_like(self._v), 0
            self._rate /= 2
            return False
        if loss < self._best_loss:
            self._best, self._best_loss = self._x, loss
        self._safe = self._x
        c = self._config
        self._count += 1
        self._m = self._m + np.float32(1 - c.beta_1) * (gradient - self._m)
        self._v = self._v + np.float32(1 - c.beta_2) * (gradient * gradient - self._v)
        rate = self._rate * math.sqrt(1 - c.beta_2**self._count) / (1 - c.beta_1**self._count)
        step = np.float32(rate) * self._m / (np.sqrt(self._v) + np.float32(c.epsilon))
        self._x = np.clip(self._x - step, 0, 1)
        return True

    def state(self) -> State:
        """Return iterates, moments and scalars."""
        return {
            "x": self._x,
            "safe": self._safe,
            "best": self._best,
            "m": self._m,
            "v": self._v,
            "scalars": np.array([self._best_loss, self._rate, self._count], np.float64),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from the state of another run."""
        self._x, self._safe, self._best, self._m, self._v = (
            state[name].astype(np.float32, copy=False) for name in ("x", "safe", "best", "m", "v")
        )
        self._best_loss, self._rate = (float(v) for v in state["scalars"][:2])
        self._count = int(state["scalars"][2])

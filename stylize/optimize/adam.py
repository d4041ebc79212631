"""Adam on pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from stylize.config import OptimizationConfig
from stylize.optimize.optimizer import State

__all__ = ["Adam"]


class Adam:
    """Adam (Kingma and Ba, arXiv 1412.6980, with Keras' epsilon), the iterate clipped to [0, 1] after every step."""

    def __init__(self, start: np.ndarray, config: OptimizationConfig) -> None:
        self._config = config
        self._rate = config.learning_rate
        self._x = np.clip(start, 0, 1).astype(np.float32)
        self._safe = self._x
        self._best, self._best_loss = self._x, math.inf
        self._m = np.zeros_like(self._x)
        self._v = np.zeros_like(self._x)
        self._count = 0

    @property
    def best(self) -> np.ndarray:
        """The iterate of the lowest loss; the newest, whose loss is not known yet, does not count."""
        return self._best

    @property
    def result(self) -> np.ndarray:
        """The last iterate, or with `keep_best` the best."""
        return self._best if self._config.keep_best else self._x

    def ask(self) -> np.ndarray:
        """Return the current iterate."""
        return self._x

    def tell(self, loss: float, gradient: np.ndarray) -> bool:
        """Step; after a loss that is not finite, go back to the last good iterate with half the learning rate."""
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
        """Return iterate, moments and counters."""
        return {
            "x": self._x,
            "safe": self._safe,
            "best": self._best,
            "m": self._m,
            "v": self._v,
            "scalars": np.array([self._best_loss, self._rate, self._count], np.float64),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take up what `state` returned."""
        self._x, self._safe, self._best = state["x"], state["safe"], state["best"]
        self._m, self._v = state["m"], state["v"]
        self._best_loss, self._rate = (float(v) for v in state["scalars"][:2])
        self._count = int(state["scalars"][2])

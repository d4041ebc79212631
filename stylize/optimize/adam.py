"""Adam for pictures (Kingma and Ba 2014, arXiv 1412.6980)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.config import OptimizationConfig
from stylize.networks.backend import Array, array_of, framework, numpy_of, ops, spec
from stylize.optimize.optimizer import State

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
        self._x = ops.clip(array_of(start), 0, 1)
        self._safe = self._x
        self._best, self._best_loss = self._x, math.inf
        self._m = ops.zeros_like(self._x)
        self._v = ops.zeros_like(self._x)
        self._count = 0

    @property
    def best(self) -> Array:
        """The iterate of the lowest loss. The newest iterate does not count, because its loss is not known yet."""
        return self._best

    @property
    def result(self) -> Array:
        """The last iterate, or with `keep_best` the best."""
        return self._best if self._config.keep_best else self._x

    def ask(self) -> Array:
        """Return the current iterate."""
        return self._x

    def tell(self, loss: float, gradient: Array) -> bool:
        """Take a step. If a number is not finite, return to the last good iterate with half the learning rate."""
        gradient = array_of(gradient)
        if not (math.isfinite(loss) and bool(ops.all(ops.isfinite(gradient)))):
            self._x = self._safe
            self._m, self._v, self._count = ops.zeros_like(self._m), ops.zeros_like(self._v), 0
            self._rate /= 2
            return False
        if loss < self._best_loss:
            self._best, self._best_loss = self._x, loss
        self._safe = self._x
        c = self._config
        self._count += 1
        rate = self._rate * math.sqrt(1 - c.beta_2**self._count) / (1 - c.beta_1**self._count)
        numbers = array_of((rate, c.beta_1, c.beta_2, c.epsilon))
        self._x, self._m, self._v = _compiled_step()(self._x, self._m, self._v, gradient, numbers)
        return True

    def state(self) -> State:
        """Return iterates, moments and scalars."""
        return {
            **{name: numpy_of(getattr(self, f"_{name}")) for name in _PICTURES},
            "scalars": np.array([self._best_loss, self._rate, self._count], np.float64),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from the state of another run."""
        self._x, self._safe, self._best, self._m, self._v = (array_of(state[name]) for name in _PICTURES)
        self._best_loss, self._rate = (float(v) for v in state["scalars"][:2])
        self._count = int(state["scalars"][2])


# The pictures of the state.
_PICTURES = ("x", "safe", "best", "m", "v")


@functools.lru_cache(maxsize=1)
def _compiled_step() -> Any:
    def step(x: Array, m: Array, v: Array, gradient: Array, numbers: Array) -> tuple[Array, Array, Array]:
        rate, beta_1, beta_2, epsilon = (numbers[index] for index in range(4))
        m = m + (1 - beta_1) * (gradient - m)
        v = v + (1 - beta_2) * (gradient * gradient - v)
        return ops.clip(x - rate * m / (ops.sqrt(v) + epsilon), 0, 1), m, v

    return framework.compiled(step, [spec(None, None, 3)] * 4 + [spec(4)])

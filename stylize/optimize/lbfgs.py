"""L-BFGS for pictures: limited-memory BFGS on the box [0, 1].

L-BFGS (Nocedal 1980) minimises a loss f over pixels x with gradients g. After each step it remembers a pair

    s_k = x_(k+1) - x_k,    y_k = g_(k+1) - g_k

and drops the oldest pair. From the pairs and a first guess H_0 of the inverse Hessian, two loops over the history
compute the direction d = -H g, without any matrix in memory (Nocedal and Wright, algorithm 7.4).

Why our own, and not SciPy's L-BFGS-B:

- SciPy keeps its history to itself, so an interrupted run could not go on. All our state is in plain arrays.
- Here every evaluation of the loss is one step, which the caller takes. A run can count steps, plan a time budget,
  show progress and stop between any two evaluations. We do not search along a line for more than a decrease: an
  evaluation costs a pass through VGG-19, and is better spent on a new direction.
- The box is kept by projection (Bertsekas 1982), which costs little. Pixels at a bound which descent would push
  outwards are held: they take no part in the direction. All other pixels move, and are clipped to [0, 1]. The more
  costly subspace minimisation of L-BFGS-B was no better (benchmarks/notes/042).
- The first guess H_0 scales frequency bands and blocks of the picture apart (see `scaling.py`). One scale for all
  variables needs up to twice as many steps (benchmarks/notes/041).
- The loss may be noisy, as with convolutions in bfloat16. A strict test of decrease would refuse all points at the
  end of long runs. We accept a loss that is higher by less than the noise (Shi, Xie, Byrd, Nocedal 2022, arXiv
  2010.04352).

A point x_t = clip(x + t d) is accepted if it satisfies the Armijo condition, relaxed by the noise e:

    f(x_t) <= f(x) + c g·(x_t - x) + e |f(x)|

Otherwise t is cut to the minimum of the parabola through f(x), the slope g·(x_t - x) and f(x_t).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.config import OptimizationConfig
from stylize.optimize.optimizer import Array, State
from stylize.optimize.scaling import Energies, FirstGuess

__all__ = ["LBFGS", "LOSS_NOISE", "Pair", "bytes_per_pixel", "times_inverse_hessian"]

#: The noise e of the loss, as a share of the loss: how much the rounding of bfloat16 alone may change.
LOSS_NOISE = 3e-4

# The constant c of the Armijo condition, as Nocedal and Wright recommend: almost any decrease suffices.
_ARMIJO = 1e-4

# A step that was cut to this share found no decrease along its direction: the history must be wrong.
_LEAST_LENGTH = 1e-4

# A pair is used if s·y > _LEAST_CURVATURE y·y. Pairs without positive curvature would make H indefinite.
_LEAST_CURVATURE = 1e-10


@dataclass(frozen=True, eq=False)
class Pair:
    """A step, the change of the gradient along the step, and the products that every new direction needs."""

    step: NDArray[np.float32]
    """s, (H, W, 3)."""
    change: NDArray[np.float32]
    """y, (H, W, 3)."""
    curvature: float
    """s·y."""
    change_squared: float
    """y·y."""
    energies: Energies

    @classmethod
    def of(cls, step: NDArray[np.float32], change: NDArray[np.float32], first_guess: FirstGuess) -> Pair:
        """Return the pair of a step and a change."""
        energies = first_guess.energies(step, _change_of_moved(step, change))
        return cls(step, change, _dot(step, change), _dot(change, change), energies)


class LBFGS:
    """Limited-memory BFGS on the box [0, 1]: see the module's docstring."""

    def __init__(
        self, start: NDArray[np.float32], config: OptimizationConfig, *, loss_noise: float = LOSS_NOISE
    ) -> None:
        """Begin at `start`, (H, W, 3), whose first step moves the mean pixel by the config's `learning_rate`."""
        height, width = start.shape[:2]
        self._first_step = config.learning_rate
        self._loss_noise = loss_noise
        self._history_size = _history_size(height * width)
        self._first_guess = FirstGuess(height, width)
        self._x = np.clip(start, 0, 1).astype(np.float32)
        self._trial = self._x
        self._loss = math.nan
        self._gradient = np.zeros_like(self._x)
        self._direction = np.zeros_like(self._x)
        self._length = 1.0
        self._pairs: list[Pair] = []

    @property
    def best(self) -> NDArray[np.float32]:
        """The last accepted point: its loss is the lowest, up to the noise."""
        return self._x

    @property
    def result(self) -> NDArray[np.float32]:
        """The same as `best`."""
        return self._x

    @property
    def pairs(self) -> Sequence[Pair]:
        """The history, oldest pair first."""
        return tuple(self._pairs)

    def ask(self) -> NDArray[np.float32]:
        """Return the next point to evaluate, inside the box."""
        return self._trial

    def tell(self, loss: float, gradient: NDArray[np.float32]) -> bool:
        """Accept the point and choose a new direction, or shorten the step. Return False if a number is not finite."""
        finite = math.isfinite(loss) and bool(np.isfinite(gradient).all())
        if math.isnan(self._loss):
            if finite:
                self._loss, self._gradient = loss, gradient
                self._choose_direction()
            return finite
        moved = self._trial - self._x
        slope = _dot(self._gradient, moved)
        if finite and loss <= self._loss + _ARMIJO * slope + self._loss_noise * abs(self._loss):
            self._accept(loss, gradient, moved)
            return True
        if finite:
            curvature = 2 * (loss - self._loss - slope)
            self._length *= min(0.5, max(0.1, -slope / curvature)) if curvature > 0 else 0.5
        else:
            self._length *= 0.1
        if self._length < _LEAST_LENGTH:
            # Forget the history, and go down the gradient.
            self._pairs = []
            self._choose_direction()
        else:
            self._trial = np.clip(self._x + self._length * self._direction, 0, 1)
        return finite

    def state(self) -> State:
        """Return the point, the point to evaluate, gradient, direction, scalars and the pairs of the history."""
        # Each vector is an array of its own: stacked vectors would be copies, and no old pair could be freed alone.
        return {
            "x": self._x,
            "trial": self._trial,
            "gradient": self._gradient,
            "direction": self._direction,
            "scalars": np.array([self._loss, self._length], np.float64),
            **{f"s{i}": pair.step for i, pair in enumerate(self._pairs)},
            **{f"y{i}": pair.change for i, pair in enumerate(self._pairs)},
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Continue from the state of another run."""
        self._x, self._trial = _float32(state["x"]), _float32(state["trial"])
        self._gradient, self._direction = _float32(state["gradient"]), _float32(state["direction"])
        self._loss, self._length = (float(v) for v in state["scalars"])
        self._pairs = []
        for pair in range(sum(name[1:].isdigit() for name in state) // 2):
            self._remember(_float32(state[f"s{pair}"]), _float32(state[f"y{pair}"]))

    def _accept(self, loss: float, gradient: NDArray[np.float32], moved: NDArray[np.float32]) -> None:
        # Free the old direction, which takes 150 MB at 12 megapixels.
        self._direction = self._trial
        change = gradient - self._gradient
        if _dot(moved, change) > _LEAST_CURVATURE * _dot(change, change):
            self._remember(moved, change)
        self._x, self._loss, self._gradient = self._trial, loss, gradient
        self._choose_direction()

    def _remember(self, step: NDArray[np.float32], change: NDArray[np.float32]) -> None:
        self._pairs = [*self._pairs, Pair.of(step, change, self._first_guess)][-self._history_size :]

    def _choose_direction(self) -> None:
        # All in place, because each copy takes 150 MB at 12 megapixels.
        outwards = ((self._x <= 0) & (self._gradient > 0)) | ((self._x >= 1) & (self._gradient < 0))
        held, q = np.flatnonzero(outwards), self._gradient.copy()
        np.put(q, held, 0)
        if self._pairs:
            q = times_inverse_hessian(q, held, self._pairs, self._times_first_guess)
        else:
            # Steepest descent, scaled so that the mean pixel moves by a given amount.
            q *= np.float32(self._first_step / (np.abs(q).mean() + 1e-30))
        self._direction = np.negative(q, out=q)
        self._length = 1.0
        self._trial = np.clip(self._x + self._direction, 0, 1)
        if _dot(self._gradient, self._trial - self._x) >= 0 and self._pairs:
            # Clipping can turn a direction of descent around: then go down the gradient.
            self._pairs = []
            self._choose_direction()

    def _times_first_guess(self, q: NDArray[np.float32]) -> NDArray[np.float32]:
        newest = self._pairs[-1]
        curvatures = np.array([pair.curvature for pair in self._pairs])
        change = _change_of_moved(newest.step, newest.change)
        return self._first_guess.times(q, [pair.energies for pair in self._pairs], curvatures, change)


def times_inverse_hessian(
    q: NDArray[np.float32],
    held: NDArray[np.intp],
    pairs: Sequence[Pair],
    times_first_guess: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return H q by the two loops of L-BFGS (Nocedal and Wright, algorithm 7.4), among the variables that are free.

    Args:
        q: the vector to multiply, (H, W, 3), 0 for the variables that are held; overwritten.
        held: flat indices of the variables that are held at a bound. The result is 0 there.
        pairs: the history, oldest first.
        times_first_guess: multiplies a vector by H_0, and may overwrite the vector.
    """
    used, product = [], np.empty_like(q)
    for pair in pairs:
        # The curvature among the free variables is the rest without the held ones.
        s, y = pair.step.take(held), pair.change.take(held)
        curvature = pair.curvature - _dot(s, y)
        if curvature > _LEAST_CURVATURE * (pair.change_squared - _dot(y, y)):
            used.append((pair, 1 / curvature))
    alphas = []
    for pair, rho in reversed(used):
        alphas.append(rho * _dot(pair.step, q))
        q -= np.multiply(pair.change, np.float32(alphas[-1]), out=product)
        np.put(q, held, 0)
    q = times_first_guess(q)
    np.put(q, held, 0)
    for (pair, rho), alpha in zip(used, reversed(alphas), strict=True):
        q += np.multiply(pair.step, np.float32(alpha - rho * _dot(pair.change, q)), out=product)
        np.put(q, held, 0)
    return q


def _change_of_moved(step: NDArray[np.float32], change: NDArray[np.float32]) -> NDArray[np.float32]:
    # Where a pixel does not move, the change of its gradient comes from its neighbours and tells nothing of curvature.
    moved: NDArray[np.float32] = change * (step != 0)
    return moved


# The number of pairs. Large pictures keep fewer pairs, so that these stay within 1.5 GB of a laptop's memory.
_MOST_PAIRS, _FEWEST_PAIRS, _PAIRS_BYTES = 20, 5, 1_500_000_000

# Three colours in float32.
_PICTURE_BYTES = 3 * 4

# The number of pictures in memory beside the pairs: the optimiser's point, gradient, direction or moments, and its
# intermediate results such as bands and blocks; the inputs; the gradient's octaves.
_PICTURES_AT_WORK = 15


def bytes_per_pixel(pixels: int, optimizer: str) -> int:
    """Return the memory of a refinement without its loss, in bytes a pixel, for an output of `pixels` pixels."""
    pairs = _history_size(pixels) if optimizer == "lbfgs" else 0
    return _PICTURE_BYTES * (2 * pairs + _PICTURES_AT_WORK)


def _history_size(pixels: int) -> int:
    return max(_FEWEST_PAIRS, min(_MOST_PAIRS, _PAIRS_BYTES // (2 * _PICTURE_BYTES * pixels)))


def _float32(array: Array) -> NDArray[np.float32]:
    return array.astype(np.float32, copy=False)


def _dot(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.dot(a.ravel(), b.ravel()))

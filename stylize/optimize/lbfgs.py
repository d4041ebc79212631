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
  outwards are held: the direction is 0 there, and their gradient does not count. All other pixels move, and are
  clipped to [0, 1]. Held pixels stay in the products of the history, which need not be made anew for each direction
  then (benchmarks/notes/052). The more costly subspace minimisation of L-BFGS-B was no better (benchmarks/notes/042).
- The first guess H_0 scales frequency bands and blocks of the picture apart (see `scaling.py`). One scale for all
  variables needs up to twice as many steps (benchmarks/notes/041).
- The loss may be noisy, as with convolutions in bfloat16. A strict test of decrease would refuse all points at the
  end of long runs. We accept a loss that is higher by less than the noise (Shi, Xie, Byrd, Nocedal 2022, arXiv
  2010.04352).

A point x_t = clip(x + t d) is accepted if it satisfies the Armijo condition, relaxed by the noise e:

    f(x_t) <= f(x) + c g·(x_t - x) + e |f(x)|

Otherwise t is cut to the minimum of the parabola through f(x), the slope g·(x_t - x) and f(x_t), but to no less than a
tenth of t and no more than a half.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylize.config import OptimizationConfig
from stylize.networks.backend import Array, array_of, framework, is_out_of_memory, numpy_of, ops, spec
from stylize.optimize.optimizer import State
from stylize.optimize.scaling import BANDS, Energies, FirstGuess

__all__ = ["LBFGS", "LOSS_NOISE", "bytes_per_pixel"]

#: The noise e of the loss, as a share of the loss: how much the rounding of bfloat16 alone may change.
LOSS_NOISE = 3e-4

# The constant c of the Armijo condition, as Nocedal and Wright recommend: almost any decrease suffices.
_ARMIJO = 1e-4

# A step that was cut to this share found no decrease along its direction: the history must be wrong.
_LEAST_LENGTH = 1e-4

# A pair is used if s·y > _LEAST_CURVATURE y·y. Pairs without positive curvature would make H indefinite.
_LEAST_CURVATURE = 1e-10


class LBFGS:
    """Limited-memory BFGS on the box [0, 1]: see the module's docstring."""

    def __init__(
        self, start: NDArray[np.float32], config: OptimizationConfig, *, loss_noise: float = LOSS_NOISE
    ) -> None:
        """Begin at `start`, (H, W, 3), whose first step moves the mean pixel by the config's `learning_rate`."""
        height, width = start.shape[:2]
        self._first_step = config.learning_rate
        self._loss_noise = loss_noise
        self._history = _History(height, width)
        self._x = ops.clip(array_of(start), 0, 1)
        self._trial = self._x
        self._loss = math.nan
        self._gradient = ops.zeros_like(self._x)
        self._direction = ops.zeros_like(self._x)
        self._length = 1.0

    @property
    def best(self) -> Array:
        """The last accepted point: its loss is the lowest, up to the noise."""
        return self._x

    @property
    def result(self) -> Array:
        """The same as `best`."""
        return self._x

    @property
    def pairs(self) -> int:
        """The number of pairs in the history."""
        return len(self._history)

    def ask(self) -> Array:
        """Return the next point to evaluate, inside the box."""
        return self._trial

    def tell(self, loss: float, gradient: Array) -> bool:
        """Accept the point and choose a new direction, or shorten the step. Return False if a number is not finite."""
        gradient = array_of(gradient)
        pair = self._history.pair((self._x, self._trial), (self._gradient, gradient))
        finite = pair.is_finite and math.isfinite(loss)
        if math.isnan(self._loss):
            if finite:
                self._loss, self._gradient = loss, gradient
                self._choose_direction()
            return finite
        if finite and loss <= self._loss + _ARMIJO * pair.slope + self._loss_noise * abs(self._loss):
            self._direction = None  # Free the old direction, which takes 150 MB at 12 megapixels.
            self._history.remember(pair)
            self._x, self._loss, self._gradient = self._trial, loss, gradient
            self._choose_direction()
            return True
        if finite:
            curvature = 2 * (loss - self._loss - pair.slope)
            self._length *= min(0.5, max(0.1, -pair.slope / curvature)) if curvature > 0 else 0.5
        else:
            self._length *= 0.1
        if self._length < _LEAST_LENGTH:
            # Forget the history, and go down the gradient.
            self._history.forget()
            self._choose_direction()
        else:
            self._trial = ops.clip(self._x + self._length * self._direction, 0, 1)
        return finite

    def state(self) -> State:
        """Return the point, the point to evaluate, gradient, direction, scalars and the pairs of the history."""
        return {
            "x": numpy_of(self._x),
            "trial": numpy_of(self._trial),
            "gradient": numpy_of(self._gradient),
            "direction": numpy_of(self._direction),
            "scalars": np.array([self._loss, self._length], np.float64),
            **self._history.state(),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from the state of another run."""
        self._x, self._trial = array_of(state["x"]), array_of(state["trial"])
        self._gradient, self._direction = array_of(state["gradient"]), array_of(state["direction"])
        self._loss, self._length = (float(v) for v in state["scalars"])
        self._history.restore(state)

    def _choose_direction(self) -> None:
        self._length = 1.0
        if len(self._history):
            self._direction, self._trial, slope = self._history.direction(self._x, self._gradient)
            if float(slope) < 0:
                return
            # Clipping can turn a direction of descent around: then go down the gradient.
            self._history.forget()
        self._direction, self._trial = _compiled_steepest()(self._x, self._gradient, self._first_step)


class _Pair(NamedTuple):
    """The pair between two points, and what the decision about the second point needs."""

    rows: Sequence[Array]
    """s, y, and their energies in bands and blocks: a row of each array of the history, (1, ...)."""
    is_finite: bool
    """Whether the second gradient is finite."""
    slope: float
    """The first gradient times s."""
    curvature: float
    """s·y."""
    change_squared: float
    """y·y."""
    products: Sequence[float]
    """S y: y times each step of the history."""


class _History:
    """The pairs (s, y) of the last steps, and the products with the inverse Hessian that they describe.

    The two loops of L-BFGS in closed form (Byrd, Nocedal and Schnabel 1994, "Representations of quasi-Newton
    matrices"). With the pairs as the rows of S and Y, oldest first, U the upper triangle of S Y', and D its diagonal:

        a = U^-1 S g,    r = H_0 (g - Y' a),    H g = r + S' U'^-1 (D a - Y r)

    Each product passes over the history once. A new pair adds one column to U, which is S y.
    """

    def __init__(self, height: int, width: int) -> None:
        self._shape = height, width, 3
        self._size = _history_size(height * width)
        self._first_guess = FirstGuess.of(height, width)
        self.forget()

    def __len__(self) -> int:
        return len(self._slots)

    def forget(self) -> None:
        """Drop all pairs."""
        # The rows where pairs lie, oldest pair first.
        self._slots: list[int] = []
        # s_i·y_j of the pairs in the rows i and j.
        self._products = np.zeros((self._size, self._size))
        self._rows: Any = None

    def pair(self, points: tuple[Array, Array], gradients: tuple[Array, Array]) -> _Pair:
        """Return the pair between two points, the first of them accepted."""
        if self._rows is None:
            self._rows = self._empty_rows()
        steps = framework.used_rows(self._rows[0], max(1, len(self)))
        *rows, numbers = _compiled_pair()(points, gradients, steps, self._first_guess)
        is_finite, slope, curvature, change_squared, *products = numpy_of(numbers).tolist()
        return _Pair(rows, is_finite == 1, slope, curvature, change_squared, products)

    def _empty_rows(self) -> list[Array]:
        """Return room for all pairs, or for fewer of them where the device refuses the memory."""
        blocks = self._first_guess.blocks
        grid = blocks.row_members.shape[0], blocks.column_members.shape[0]
        shapes = (math.prod(self._shape),), (math.prod(self._shape),), (2, 2, BANDS), (2, *grid)
        while True:
            try:
                return [ops.zeros((self._size, *shape), "float32") for shape in shapes]
            except Exception as error:
                if not is_out_of_memory(error) or self._size <= _FEWEST_PAIRS:
                    raise
                self._size = max(_FEWEST_PAIRS, self._size // 2)
                self.forget()

    def remember(self, pair: _Pair) -> None:
        """Add a pair, if the loss curves upwards along its step, and drop the oldest where there is no room."""
        if not pair.curvature > _LEAST_CURVATURE * pair.change_squared:
            return
        slot = self._slots.pop(0) if len(self) == self._size else len(self)
        self._slots.append(slot)
        written = zip(self._rows, pair.rows, strict=True)
        self._rows = [framework.set_row(all_rows, slot, row) for all_rows, row in written]
        self._products[: len(pair.products), slot] = pair.products
        self._products[slot, slot] = pair.curvature

    def direction(self, x: Array, gradient: Array) -> tuple[Array, Array, Array]:
        """Return -H g among the variables that are free, the point that this leads to, and g·(the way there)."""
        steps, changes, bands, blocks = (framework.used_rows(rows, len(self)) for rows in self._rows)
        order, count = np.array(self._slots), steps.shape[0]
        curvatures = np.zeros(count)
        curvatures[order] = self._products[order, order]
        # In double precision, on the host: the triangle has 20 rows.
        inverse = np.zeros((count, count))
        inverse[np.ix_(order, order)] = np.linalg.inv(np.triu(self._products[np.ix_(order, order)]))
        weights = np.divide(curvatures[order[-1]], curvatures, out=np.zeros(count), where=curvatures > 0)
        newest = self._slots[-1]
        pairs = _Pairs(steps, changes, Energies(bands, blocks), self._rows[0][newest], self._rows[1][newest])
        numbers = _Numbers(*map(array_of, (inverse, curvatures, weights)))
        result: tuple[Array, Array, Array] = _compiled_direction()(x, gradient, pairs, numbers, self._first_guess)
        return result

    def state(self) -> State:
        """Return the pairs, oldest first, as s0, y0, s1, y1, ..."""
        # Each vector is an array of its own: a checkpoint reads them one at a time.
        return {
            f"{name}{index}": numpy_of(rows[slot]).reshape(self._shape)
            for index, slot in enumerate(self._slots)
            for name, rows in zip("sy", self._rows, strict=False)
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take the pairs of `state`."""
        self.forget()
        for index in range(sum(name[1:].isdigit() for name in state) // 2):
            step, change = array_of(state[f"s{index}"]), array_of(state[f"y{index}"])
            nothing = ops.zeros_like(step)
            self.remember(self.pair((nothing, step), (nothing, change)))


# --------------------------------------------------------------------------------------------------------------------
# On the device

_PICTURE, _ROWS = spec(None, None, 3), spec(None, None)


class _Pairs(NamedTuple):
    """The history, a row for each pair."""

    steps: Array
    """S, (K, n)."""
    changes: Array
    """Y, (K, n)."""
    energies: Energies
    newest_step: Array
    newest_change: Array


class _Numbers(NamedTuple):
    """What the host knows of the pairs; 0 for rows that are not used."""

    inverse: Array
    """U^-1, (K, K)."""
    curvatures: Array
    """The diagonal D, (K,)."""
    weights: Array
    """1 / curvatures, up to a common factor."""


@functools.lru_cache(maxsize=1)
def _compiled_pair() -> Any:
    def pair(
        points: tuple[Array, Array], gradients: tuple[Array, Array], steps: Array, first_guess: FirstGuess
    ) -> tuple[Array, ...]:
        """Return the rows of the pair between two points, and numbers: see `_Pair`."""
        step, change = points[1] - points[0], gradients[1] - gradients[0]
        energies = first_guess.energies(step, _of_moved(step, change))
        s, y = ops.reshape(step, (1, -1)), ops.reshape(change, (1, -1))
        is_finite = ops.cast(ops.all(ops.isfinite(gradients[1])), "float32")
        numbers = ops.stack([is_finite, _dot(gradients[0], step), _dot(s, y), _dot(y, y)])
        return s, y, *energies, ops.concatenate([numbers, _times(steps, y[0])], 0)

    two = _PICTURE, _PICTURE
    return framework.compiled(pair, [two, two, _ROWS, FirstGuess.signature()])


@functools.lru_cache(maxsize=1)
def _compiled_direction() -> Any:
    def direction(
        x: Array, gradient: Array, pairs: _Pairs, numbers: _Numbers, first_guess: FirstGuess
    ) -> tuple[Array, Array, Array]:
        free, shape = _free(x, gradient), ops.shape(x)
        q = ops.reshape(gradient * free, (-1,))
        a = _times(numbers.inverse, _times(pairs.steps, q))
        q = q - _times(ops.transpose(pairs.changes), a)
        newest = _of_moved(pairs.newest_step, pairs.newest_change)
        curvature = _dot(pairs.newest_step, pairs.newest_change)
        r = first_guess.times(
            ops.reshape(q, shape), pairs.energies, numbers.weights, curvature, ops.reshape(newest, shape)
        )
        r = ops.reshape(r, (-1,))
        b = _times(ops.transpose(numbers.inverse), numbers.curvatures * a - _times(pairs.changes, r))
        towards = -free * ops.reshape(r + _times(ops.transpose(pairs.steps), b), shape)
        trial = ops.clip(x + towards, 0, 1)
        return towards, trial, _dot(gradient, trial - x)

    energies = Energies(spec(None, 2, 2, BANDS), spec(None, 2, None, None))
    pairs, numbers = _Pairs(_ROWS, _ROWS, energies, spec(None), spec(None)), _Numbers(_ROWS, spec(None), spec(None))
    return framework.compiled(direction, [_PICTURE, _PICTURE, pairs, numbers, FirstGuess.signature()])


@functools.lru_cache(maxsize=1)
def _compiled_steepest() -> Any:
    def steepest(x: Array, gradient: Array, first_step: Array) -> tuple[Array, Array]:
        """Return a step down the gradient that moves the mean pixel by a given amount, and where it leads."""
        q = gradient * _free(x, gradient)
        towards = -q * first_step / (ops.mean(ops.abs(q)) + 1e-30)
        return towards, ops.clip(x + towards, 0, 1)

    return framework.compiled(steepest, [_PICTURE, _PICTURE, spec()])


def _free(x: Array, gradient: Array) -> Array:
    """Return 0 for pixels at a bound which descent would push outwards, 1 for the others."""
    outwards = ops.logical_or(ops.logical_and(x <= 0, gradient > 0), ops.logical_and(x >= 1, gradient < 0))
    return 1 - ops.cast(outwards, "float32")


def _of_moved(step: Array, change: Array) -> Array:
    # Where a pixel does not move, the change of its gradient comes from its neighbours and tells nothing of curvature.
    return change * ops.cast(step != 0, "float32")


def _times(matrix: Array, vector: Array) -> Array:
    return ops.matmul(matrix, vector[:, None])[:, 0]


def _dot(a: Array, b: Array) -> Array:
    return ops.sum(a * b)


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

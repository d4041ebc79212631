"""Pixels under a loss: bounded L-BFGS and Adam as ask-and-tell optimisers, one level, then the pyramid of levels."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stylize.config import SMALLEST_PX, OptimizationConfig, PyramidConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.images import resized, size_for_long_side

__all__ = [
    "LBFGS",
    "Adam",
    "Checkpoint",
    "HistoryEntry",
    "Iterate",
    "LossTerms",
    "Optimizer",
    "PyramidLevel",
    "bytes_per_pixel",
    "optimize",
    "pyramid_levels",
]

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class LossTerms:
    """One evaluation of the loss. `total` is weighted, the frame loss in it; the others are the plain terms."""

    total: float
    content: float
    style: float
    total_variation: float
    content_per_layer: Mapping[str, float]
    style_per_layer: Mapping[str, float]


@dataclass(frozen=True)
class HistoryEntry:
    """What stays of an iterate: level and step (both from 1), seconds since the start, and its losses."""

    level: int
    step: int
    elapsed_s: float
    losses: LossTerms


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that a run needs to go on: where it was, its pixels, its optimiser's state."""

    context: Mapping[str, Any]
    """JSON-serialisable: what the caller needs to know the run again."""
    level: int
    elapsed_s: float
    pixels: np.ndarray
    state: Mapping[str, np.ndarray]
    history: tuple[HistoryEntry, ...]


@dataclass(frozen=True, eq=False)
class Iterate:
    """One step of the optimisation, as handed to the callback: the only channel of progress."""

    level: int
    levels: int
    size: tuple[int, int]
    step: int
    steps: int | None
    """Of all levels; None under a time budget, where nobody knows."""
    losses: LossTerms
    elapsed_s: float
    remaining_s: float
    """An estimate."""
    pixels: np.ndarray
    """Float32 (H, W, 3), the best picture of this level so far; a view: copy it to keep it."""
    checkpoint: Callable[[], Checkpoint]


# --------------------------------------------------------------------------------------------------------------------
# Optimisers


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


class LBFGS:
    """Limited-memory BFGS (Nocedal 1980) on the box [0, 1], by projection onto it (Bertsekas 1982).

    Every evaluation is one step: a trial point is kept if it satisfies the Armijo condition, else the step is cut by
    quadratic interpolation. Variables that press against a bound leave the subspace of the step. Line searches that
    ask for more than decrease spend evaluations which, at the price of a pass through VGG-19, are better spent on the
    next direction.
    """

    _armijo = 1e-4

    def __init__(self, start: np.ndarray, config: OptimizationConfig) -> None:
        self._first_step = config.learning_rate
        self._history_size = _history_size(start.shape[0] * start.shape[1])
        self._x = np.clip(start, 0, 1).astype(np.float32)
        self._trial = self._x
        self._loss = math.nan
        self._gradient = np.zeros_like(self._x)
        self._direction = np.zeros_like(self._x)
        self._length = 1.0
        self._s: list[np.ndarray] = []
        self._y: list[np.ndarray] = []

    @property
    def best(self) -> np.ndarray:
        """The last accepted point: no worse one is accepted."""
        return self._x

    @property
    def result(self) -> np.ndarray:
        """The best."""
        return self._x

    def ask(self) -> np.ndarray:
        """Return the trial point, inside the box."""
        return self._trial

    def tell(self, loss: float, gradient: np.ndarray) -> bool:
        """Accept the trial point and turn to a new direction, or shorten the step."""
        finite = math.isfinite(loss) and bool(np.isfinite(gradient).all())
        if math.isnan(self._loss):
            if finite:
                self._loss, self._gradient = loss, gradient
                self._turn()
            return finite
        moved = self._trial - self._x
        slope = _dot(self._gradient, moved)
        if finite and loss <= self._loss + self._armijo * slope:
            change = gradient - self._gradient
            if _dot(moved, change) > 1e-10 * _dot(change, change):
                self._s = [*self._s, moved][-self._history_size :]
                self._y = [*self._y, change][-self._history_size :]
            self._x, self._loss, self._gradient = self._trial, loss, gradient
            self._turn()
            return True
        if finite:
            curvature = 2 * (loss - self._loss - slope)
            self._length *= min(0.5, max(0.1, -slope / curvature)) if curvature > 0 else 0.5
        else:
            self._length *= 0.1
        if self._length < 1e-4:
            # No decrease along this direction: the history lies. Forget it, go down the gradient.
            self._s, self._y = [], []
            self._turn()
        else:
            self._trial = np.clip(self._x + self._length * self._direction, 0, 1)
        return finite

    def _turn(self) -> None:
        free = ~(((self._x <= 0) & (self._gradient > 0)) | ((self._x >= 1) & (self._gradient < 0)))
        q = np.where(free, self._gradient, 0).astype(np.float32)
        if not self._s:
            # Steepest descent, scaled so that the typical pixel moves by a given amount.
            self._direction = -q * (self._first_step / (np.abs(q).mean() + 1e-30))
        else:
            products = [1 / _dot(s, y) for s, y in zip(self._s, self._y, strict=True)]
            alphas = []
            for s, y, rho in zip(reversed(self._s), reversed(self._y), reversed(products), strict=True):
                alpha = rho * _dot(s, q)
                q = q - np.float32(alpha) * y
                alphas.append(alpha)
            q *= np.float32(_dot(self._s[-1], self._y[-1]) / _dot(self._y[-1], self._y[-1]))
            for s, y, rho, alpha in zip(self._s, self._y, products, reversed(alphas), strict=True):
                q = q + np.float32(alpha - rho * _dot(y, q)) * s
            self._direction = -np.where(free, q, 0)
        self._length = 1.0
        self._trial = np.clip(self._x + self._direction, 0, 1)
        if _dot(self._gradient, self._trial - self._x) >= 0 and self._s:
            self._s, self._y = [], []
            self._turn()

    def state(self) -> State:
        """Return point, trial, gradient, direction and the pairs of the history."""
        empty = np.zeros((0, *self._x.shape), np.float32)
        return {
            "x": self._x,
            "trial": self._trial,
            "gradient": self._gradient,
            "direction": self._direction,
            "scalars": np.array([self._loss, self._length], np.float64),
            "s": np.stack(self._s) if self._s else empty,
            "y": np.stack(self._y) if self._y else empty,
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take up what `state` returned."""
        self._x, self._trial = state["x"], state["trial"]
        self._gradient, self._direction = state["gradient"], state["direction"]
        self._loss, self._length = (float(v) for v in state["scalars"])
        self._s, self._y = list(state["s"]), list(state["y"])


# Pairs of steps and changes of the gradient; fewer where the pairs alone would fill a laptop's memory.
_MOST_PAIRS, _FEWEST_PAIRS, _PAIRS_BYTES = 20, 5, 1_500_000_000
_PICTURE_BYTES = 3 * 4
# L-BFGS' point, trial, gradient, direction and what it makes on the way; the inputs; the gradient's octaves.
_PICTURES_AT_WORK = 14


def _history_size(pixels: int) -> int:
    return max(_FEWEST_PAIRS, min(_MOST_PAIRS, _PAIRS_BYTES // (2 * _PICTURE_BYTES * pixels)))


def bytes_per_pixel(pixels: int) -> int:
    """What the pixels of a refinement take, beside the loss: bytes a pixel, for an output of so many."""
    return _PICTURE_BYTES * (2 * _history_size(pixels) + _PICTURES_AT_WORK)


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


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.dot(a.ravel(), b.ravel()))


_OPTIMIZERS: Mapping[str, Callable[[np.ndarray, OptimizationConfig], Optimizer]] = {
    "lbfgs": LBFGS,
    "adam": Adam,
}


# --------------------------------------------------------------------------------------------------------------------
# Levels


@dataclass(frozen=True)
class PyramidLevel:
    """One size of the pyramid and the evaluations that it may spend."""

    long_side_px: int
    max_steps: int


def pyramid_levels(long_side_px: int, steps: int, config: PyramidConfig) -> tuple[PyramidLevel, ...]:
    """Divide `steps` over sizes from `coarsest_px` to `long_side_px`, each `ratio` larger with `share` of the steps.

    Every level gets at least one step; a picture smaller than the coarsest level, or fewer steps than levels, leaves
    out the coarsest ones.
    """
    sizes = [long_side_px]
    if config.coarsest_px is not None:
        while sizes[0] / config.ratio > config.coarsest_px * 0.99:
            sizes.insert(0, round(sizes[0] / config.ratio))
    sizes = sizes[-steps:]
    weights = [config.share**i for i in range(len(sizes))]
    # One step each, the rest in proportion; what rounding leaves over goes to the coarsest, where a step is cheapest.
    spare = steps - len(sizes)
    counts = [1 + math.floor(spare * weight / sum(weights)) for weight in weights]
    counts[0] += steps - sum(counts)
    return tuple(PyramidLevel(size, count) for size, count in zip(sizes, counts, strict=True))


class LevelLoss(Protocol):
    """The loss at one level, targets inside: pixels (H, W, 3) to losses and the gradient of the total."""

    def __call__(self, pixels: np.ndarray) -> tuple[LossTerms, np.ndarray]: ...


def optimize(
    start: np.ndarray,
    size: tuple[int, int],
    levels: Sequence[PyramidLevel],
    loss_at: Callable[[int, int], LevelLoss],
    config: RefineConfig,
    *,
    context: Mapping[str, Any] | None = None,
    resume_from: Checkpoint | None = None,
    on_iterate: Callable[[Iterate], None] | None = None,
    on_message: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    started_at: float | None = None,
) -> tuple[np.ndarray, tuple[HistoryEntry, ...], Checkpoint | None]:
    """Run the pyramid from `start`, float32 (h, w, 3) of any size, to an output of `size` (height, width).

    `loss_at(height, width)` gives the loss at one size. Returns the pixels at the output's size, the history, and a
    checkpoint if `should_stop` ended the run early. `started_at` (of `time.perf_counter`) is where a time budget
    starts to count. Raises StylizeError if no finite loss can be had.
    """
    run = _Run(levels, config, context or {}, resume_from, on_iterate, on_message, started_at)
    pixels = start if resume_from is None else resume_from.pixels
    first_level = 0 if resume_from is None else resume_from.level - 1
    for index, level in enumerate(levels[first_level:], start=first_level):
        height, width = (max(SMALLEST_PX, side) for side in size_for_long_side(*size, level.long_side_px))
        optimizer = _OPTIMIZERS[config.optimization.optimizer](resized(pixels, height, width), config.optimization)
        if resume_from is not None and index == first_level:
            optimizer.restore(resume_from.state)
        loss = loss_at(height, width)
        for _ in run.steps(index):
            if should_stop is not None and should_stop():
                return resized(optimizer.best, *size), tuple(run.history), run.checkpoint(index, optimizer)
            run.take_step(index, optimizer, loss)
        pixels = optimizer.result
    return resized(pixels, *size), tuple(run.history), None


class _Run:
    """The bookkeeping of one run: its clock, its history, and what it tells."""

    def __init__(
        self,
        levels: Sequence[PyramidLevel],
        config: RefineConfig,
        context: Mapping[str, Any],
        resume_from: Checkpoint | None,
        on_iterate: Callable[[Iterate], None] | None,
        on_message: Callable[[str], None] | None,
        started_at: float | None,
    ) -> None:
        self.history = [] if resume_from is None else list(resume_from.history)
        self._levels = levels
        self._context = context
        self._on_iterate = on_iterate
        self._on_message = on_message
        self._began = time.perf_counter() if started_at is None else started_at
        if resume_from is not None:
            self._began -= resume_from.elapsed_s
        self._ends = None if config.time_budget is None else self._began + config.time_budget
        # A level's share of the time, under a budget; an estimate of the time to come, without.
        self._work = [level.max_steps * level.long_side_px**2 for level in levels]
        self._seconds_per_step = 0.0
        self._failures = 0

    def steps(self, index: int) -> Iterator[int]:
        """Count a level's steps: as many as it may spend, or under a time budget until its share of the time is out."""
        taken_before = self._taken(index)
        if self._ends is None:
            share_ends, steps = math.inf, iter(range(taken_before, self._levels[index].max_steps))
        else:
            now = time.perf_counter()
            share_ends = now + (self._ends - now) * self._work[index] / sum(self._work[index:])
            steps = itertools.count(taken_before)
        level_began = time.perf_counter()
        for step in steps:
            now = time.perf_counter()
            if step > taken_before:
                self._seconds_per_step = (now - level_began) / (step - taken_before)
                # Stop where one more step would miss the end by more than stopping here does.
                if now + self._seconds_per_step / 2 > share_ends:
                    return
            yield step

    def take_step(self, index: int, optimizer: Optimizer, loss: LevelLoss) -> None:
        """Evaluate the loss once, hand it to the optimiser, and tell what came of it."""
        began = time.perf_counter()
        terms, gradient = loss(optimizer.ask())
        self._count_failure(finite=optimizer.tell(terms.total, gradient))
        now = time.perf_counter()
        self.history.append(HistoryEntry(index + 1, len(self.history) + 1, now - self._began, terms))
        if self._on_iterate is None:
            return
        self._on_iterate(
            Iterate(
                level=index + 1,
                levels=len(self._levels),
                size=(optimizer.best.shape[0], optimizer.best.shape[1]),
                step=len(self.history),
                steps=sum(level.max_steps for level in self._levels) if self._ends is None else None,
                losses=terms,
                elapsed_s=now - self._began,
                remaining_s=self._remaining_s(index, self._seconds_per_step or now - began, now),
                pixels=optimizer.best,
                checkpoint=lambda: self.checkpoint(index, optimizer),
            )
        )

    def checkpoint(self, index: int, optimizer: Optimizer) -> Checkpoint:
        """Return where the run is."""
        return Checkpoint(
            context=self._context,
            level=index + 1,
            elapsed_s=time.perf_counter() - self._began,
            pixels=optimizer.best,
            state=optimizer.state(),
            history=tuple(self.history),
        )

    def _taken(self, index: int) -> int:
        return sum(entry.level == index + 1 for entry in self.history)

    def _remaining_s(self, index: int, seconds_per_step: float, now: float) -> float:
        if self._ends is not None:
            return max(0.0, self._ends - now)
        pixels_per_step = self._levels[index].long_side_px ** 2
        to_come = sum(self._work[index:]) - self._taken(index) * pixels_per_step
        return seconds_per_step / pixels_per_step * to_come

    def _count_failure(self, *, finite: bool) -> None:
        self._failures = 0 if finite else self._failures + 1
        if self._failures == 1 and self._on_message is not None:
            self._on_message("the loss was not finite: back to the last good picture, with a smaller step")
        if self._failures >= _MAX_FAILURES:
            raise StylizeError(
                f"expected a finite loss, received none in {self._failures} tries: use --precision float32, smaller "
                "weights, or a smaller --learning-rate"
            )


_MAX_FAILURES = 10

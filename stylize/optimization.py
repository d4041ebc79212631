"""Pixels under a loss: bounded L-BFGS and Adam as ask-and-tell optimisers, one level, then the pyramid of levels."""

from __future__ import annotations

import dataclasses
import functools
import math
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from stylize.config import SMALLEST_PX, OptimizationConfig, PyramidConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.images import resized, size_for_long_side, with_change_of

__all__ = [
    "LBFGS",
    "TARGETS_STEPS",
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
    "step_costs",
]

State = dict[str, np.ndarray]


@dataclass(frozen=True)
class LossTerms:
    """One evaluation of the loss. `total` is weighted, palette and frame in it; the others are the plain terms."""

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
    """Of the optimiser. Out of a file, arrays are read as they are asked for: at 12 megapixels they are 2 GB."""
    history: tuple[HistoryEntry, ...]


@dataclass(frozen=True, eq=False)
class Iterate:
    """One step of the optimisation, as handed to the callback: the only channel of progress."""

    level: int
    levels: int
    size: tuple[int, int]
    step: int
    steps: int | None
    """Of all levels; None under a time budget, whose plan changes with the machine's speed."""
    losses: LossTerms
    elapsed_s: float
    remaining_s: float
    """An estimate; under a time budget, what is left of it."""
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

    Every evaluation is one step: a trial point is kept if it satisfies the Armijo condition, relaxed by the loss' noise
    (Shi, Xie, Byrd, Nocedal 2022, arXiv 2010.04352), else the step is cut by quadratic interpolation. The first guess
    of the inverse Hessian scales frequencies and places apart, as the pairs of the history say. Variables that press
    against a bound leave the subspace of the step. Line searches that ask for more than decrease spend evaluations
    which, at the price of a pass through VGG-19, are better spent on the next direction.
    """

    _armijo = 1e-4
    # Of the loss, what bfloat16 alone may change: at the end of long runs, such noise had all trial points refused.
    _noise = 3e-4

    def __init__(self, start: np.ndarray, config: OptimizationConfig) -> None:
        self._first_step = config.learning_rate
        self._history_size = _history_size(start.shape[0] * start.shape[1])
        self._bands = _Bands(start.shape[0], start.shape[1])
        self._blocks = _Blocks(start.shape[0], start.shape[1])
        self._x = np.clip(start, 0, 1).astype(np.float32)
        self._trial = self._x
        self._loss = math.nan
        self._gradient = np.zeros_like(self._x)
        self._direction = np.zeros_like(self._x)
        self._length = 1.0
        self._pairs: list[_Pair] = []

    @property
    def best(self) -> np.ndarray:
        """The last accepted point: none is accepted that is worse by more than noise."""
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
        if finite and loss <= self._loss + self._armijo * slope + self._noise * abs(self._loss):
            self._direction = self._trial  # the old one is not needed, and its memory is
            change = gradient - self._gradient
            if _dot(moved, change) > _LEAST_CURVATURE * _dot(change, change):
                self._remember(moved, change)
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
            self._pairs = []
            self._turn()
        else:
            self._trial = np.clip(self._x + self._length * self._direction, 0, 1)
        return finite

    def _remember(self, moved: np.ndarray, change: np.ndarray) -> None:
        # Where pixels moved: what presses against a bound would only seem to curve.
        counted = moved, change * (moved != 0)
        of_bands, of_blocks = (np.stack([*map(parts.energies, counted)]) for parts in (self._bands, self._blocks))
        newest = _Pair(moved, change, _dot(moved, change), _dot(change, change), of_bands, of_blocks)
        self._pairs = [*self._pairs, newest][-self._history_size :]

    def _turn(self) -> None:
        # In place: at 12 megapixels each copy is 150 MB.
        pressed = ((self._x <= 0) & (self._gradient > 0)) | ((self._x >= 1) & (self._gradient < 0))
        held, q = np.flatnonzero(pressed), self._gradient.copy()
        np.put(q, held, 0)
        if not self._pairs:
            # Steepest descent, scaled so that the typical pixel moves by a given amount.
            q *= np.float32(self._first_step / (np.abs(q).mean() + 1e-30))
        else:
            q = self._times_inverse_hessian(q, held)
        self._direction = np.negative(q, out=q)
        self._length = 1.0
        self._trial = np.clip(self._x + self._direction, 0, 1)
        if _dot(self._gradient, self._trial - self._x) >= 0 and self._pairs:
            self._pairs = []
            self._turn()

    def _times_inverse_hessian(self, q: np.ndarray, held: np.ndarray) -> np.ndarray:
        """Return the product by L-BFGS' two loops but for what is `held` at a bound; `q`, 0 there, is overwritten."""
        pairs, part = [], np.empty_like(q)
        for pair in self._pairs:
            s, y = pair.step.take(held), pair.change.take(held)
            curvature = pair.curvature - _dot(s, y)
            if curvature > _LEAST_CURVATURE * (pair.change_squared - _dot(y, y)):
                pairs.append((pair, 1 / curvature))
        alphas = []
        for pair, rho in reversed(pairs):
            alphas.append(rho * _dot(pair.step, q))
            q -= np.multiply(pair.change, np.float32(alphas[-1]), out=part)
            np.put(q, held, 0)
        q = self._times_first_guess(q)
        np.put(q, held, 0)
        for (pair, rho), alpha in zip(pairs, reversed(alphas), strict=True):
            q += np.multiply(pair.step, np.float32(alpha - rho * _dot(pair.change, q)), out=part)
            np.put(q, held, 0)
        return q

    def _times_first_guess(self, q: np.ndarray) -> np.ndarray:
        """Return `q`, overwritten, scaled by block and by band as the history says, and in all by its newest pair."""
        curvatures, newest = np.array([pair.curvature for pair in self._pairs]), self._pairs[-1]
        # By half before the bands, by half after them: so the guess is symmetric.
        by_block = self._blocks.spread(np.sqrt(_scales([pair.of_blocks for pair in self._pairs], curvatures)))
        by_band = _scales([pair.of_bands for pair in self._pairs], curvatures)
        change = newest.change * (newest.step != 0)
        change *= by_block
        by_band *= newest.curvature / (by_band * self._bands.energies(change)).sum()
        q *= by_block
        q = self._bands.scaled(q, by_band)
        q *= by_block
        return q

    def state(self) -> State:
        """Return point, trial, gradient, direction and the pairs of the history."""
        # One array a vector: stacked, they would be copies, and old pairs could not be let go one by one.
        return {
            "x": self._x,
            "trial": self._trial,
            "gradient": self._gradient,
            "direction": self._direction,
            "scalars": np.array([self._loss, self._length], np.float64),
            **{f"s{i}": pair.step for i, pair in enumerate(self._pairs)},
            **{f"y{i}": pair.change for i, pair in enumerate(self._pairs)},
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take up what `state` returned."""
        self._x, self._trial = state["x"], state["trial"]
        self._gradient, self._direction = state["gradient"], state["direction"]
        self._loss, self._length = (float(v) for v in state["scalars"])
        self._pairs = []
        for pair in range(sum(name[1:].isdigit() for name in state) // 2):
            self._remember(state[f"s{pair}"], state[f"y{pair}"])


@dataclass(frozen=True, eq=False)
class _Pair:
    """A step of L-BFGS, the change of the gradient along it, and what is asked of both at every turn."""

    step: np.ndarray
    change: np.ndarray
    curvature: float
    """Their product."""
    change_squared: float
    of_bands: np.ndarray
    """The energies of step and change in each band, (2, ...), and so of blocks."""
    of_blocks: np.ndarray


class _Bands:
    """Frequencies of a picture by their size, apart for light (the mean of R, G, B) and for colour.

    Losses under VGG curve up to a hundred times less along some than along others: coarse light, finest colour.
    """

    # The cosine transform, which knows no seam at the border, gained nothing more (benchmarks/README.md).
    _count, _per_octave = 8, 1.5

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        of_nyquist = 2 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
        below = self._per_octave * np.log2(of_nyquist.clip(1e-9))
        self._band = np.clip(np.rint(below) + self._count - 1, 0, self._count - 1).astype(np.uint8)

    def energies(self, picture: np.ndarray) -> np.ndarray:
        """Return about the squared length of each band's part of (H, W, 3): (2, 8), light and colour."""
        light, color = self._split(picture)
        squares = (3 * _squared(light), _squared(color).sum(axis=0))
        return np.stack([np.bincount(self._band.ravel(), each.ravel(), self._count) for each in squares])

    def scaled(self, picture: np.ndarray, by: np.ndarray) -> np.ndarray:
        """Return (H, W, 3) with each band's part multiplied by its number of `by` (2, 8)."""
        light, color = self._split(picture)
        of_light, of_color = by.astype(np.float32)[:, self._band]
        color *= of_color
        color += of_light * light
        planes = np.fft.irfft2(color, self._size, norm="ortho")
        return np.ascontiguousarray(planes.transpose(1, 2, 0), np.float32)

    @staticmethod
    def _split(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # "ortho" keeps numpy from working in float64, eight times as long.
        color = np.fft.rfft2(np.ascontiguousarray(picture.transpose(2, 0, 1)), norm="ortho")
        light = color.mean(axis=0)
        color -= light
        return light, color


def _squared(values: np.ndarray) -> np.ndarray:
    return np.square(values.real) + np.square(values.imag)


class _Blocks:
    """Parts of a picture, about 8 px a side: losses curve less in a flat sky than where there is much to see."""

    _side_px = 8

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        counts = (max(1, side // self._side_px) for side in self._size)
        self._firsts = [np.arange(count) * side // count for count, side in zip(counts, self._size, strict=True)]

    def energies(self, picture: np.ndarray) -> np.ndarray:
        """Return the squared length of each block of (H, W, 3): (rows, columns)."""
        # Rows first: over three colours alone, sums are slow.
        rows = np.add.reduceat(np.square(picture), self._firsts[0], axis=0)
        return np.add.reduceat(rows, self._firsts[1], axis=1).sum(axis=2)

    def spread(self, by: np.ndarray) -> np.ndarray:
        """Return a number a block as smoothly changing numbers a pixel, (H, W, 1), in all to a factor."""
        return resized(by / by.max(), *self._size)[..., None].clip(_LEAST_SCALE)


def _scales(energies: Sequence[np.ndarray], curvatures: np.ndarray) -> np.ndarray:
    """Return what takes the gradient to a step in each part, to a factor: by the lengths of all pairs, (2, ...) each.

    By the products of steps and changes instead of their lengths it is worse (benchmarks/README.md).
    """
    moved, changed = np.tensordot(1 / curvatures, energies, 1)
    scales: np.ndarray = np.sqrt((moved + _TINY * moved.mean()) / (changed + _TINY * changed.mean()))
    return scales


# Pairs that curve less than this, or the other way, say nothing of the Hessian.
_LEAST_CURVATURE = 1e-10
# Of the mean energy of all parts, none is taken to have less: what is not moved does not change, and would never move.
_TINY = 1e-3
# Of the largest block's: resampling may overshoot to nothing, and what is scaled by nothing would never move.
_LEAST_SCALE = 0.01


# Pairs of steps and changes of the gradient; fewer where the pairs alone would fill a laptop's memory.
_MOST_PAIRS, _FEWEST_PAIRS, _PAIRS_BYTES = 20, 5, 1_500_000_000
_PICTURE_BYTES = 3 * 4
# An optimiser's point, gradient, moments or direction and what it makes on the way, bands and blocks among it; inputs;
# the gradient's octaves.
_PICTURES_AT_WORK = 15


def _history_size(pixels: int) -> int:
    return max(_FEWEST_PAIRS, min(_MOST_PAIRS, _PAIRS_BYTES // (2 * _PICTURE_BYTES * pixels)))


def bytes_per_pixel(pixels: int, optimizer: str) -> int:
    """What the pixels of a refinement take, beside the loss: bytes a pixel, for an output of so many."""
    pairs = _history_size(pixels) if optimizer == "lbfgs" else 0
    return _PICTURE_BYTES * (2 * pairs + _PICTURES_AT_WORK)


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


def pyramid_levels(
    long_side_px: int, steps: int, config: PyramidConfig, painted_px: int = 0
) -> tuple[PyramidLevel, ...]:
    """Divide `steps` evenly over sizes from `coarsest_px` to `long_side_px`, each `ratio` larger than the one before.

    Every level gets at least one step; a picture smaller than the coarsest level, or fewer steps than levels, leaves
    out the coarsest ones. So does a start that is painted already, at `painted_px`: sizes up to about that one, nearer
    to it than to the next, would undo it.
    """
    sizes = [long_side_px]
    if config.coarsest_px is not None:
        while sizes[0] / config.ratio > config.coarsest_px * 0.99:
            sizes.insert(0, round(sizes[0] / config.ratio))
    sizes = [size for size in sizes[-steps:] if size > painted_px * config.ratio**0.5] or sizes[-1:]
    each, left = divmod(steps, len(sizes))
    # What is left over goes to the coarsest, where a step is cheapest.
    return tuple(PyramidLevel(size, each if index else each + left) for index, size in enumerate(sizes))


class LevelLoss(Protocol):
    """The loss at one level, targets inside: pixels (H, W, 3) to losses and the gradient of the total."""

    def __call__(self, pixels: np.ndarray) -> tuple[LossTerms, np.ndarray]: ...


def optimize(
    start: np.ndarray,
    content: np.ndarray,
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
    """Run the pyramid from `start`, float32 (h, w, 3) of any size, to an output of the size of `content` (H, W, 3).

    `loss_at(height, width)` gives the loss at one size. Returns the pixels at the output's size, the history, and a
    checkpoint if `should_stop` ended the run early. `started_at` (of `time.perf_counter`) is where a time budget
    starts to count; the finest levels that it can't pay for are left out, which `on_message` is told. Raises
    StylizeError if no finite loss can be had.
    """
    run = _Run(levels, config, context or {}, resume_from, on_iterate, on_message, started_at)
    pixels = start if resume_from is None else resume_from.pixels
    size: tuple[int, int] = content.shape[:2]
    # A texture, which no content is asked of, is to have nothing of it.
    enlarge = functools.partial(_with_detail_of, content) if config.loss.content_weight else resized

    def sized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
        return (enlarge if max(pixels.shape[:2]) < max(height, width) else resized)(pixels, height, width)

    first_level = 0 if resume_from is None else resume_from.level - 1
    for index, level in enumerate(levels[first_level:], start=first_level):
        height, width = (max(SMALLEST_PX, side) for side in size_for_long_side(*size, level.long_side_px))
        settings = config.optimization if index == 0 else _at_finer_level(config.optimization)
        optimizer = _OPTIMIZERS[settings.optimizer](sized(pixels, height, width), settings)
        if resume_from is not None and index == first_level:
            optimizer.restore(resume_from.state)
        loss = loss_at(height, width)
        while run.goes_on(index):
            if should_stop is not None and should_stop():
                return sized(optimizer.best, *size), tuple(run.history), run.checkpoint(index, optimizer)
            run.take_step(index, optimizer, loss)
        pixels = optimizer.result
        if index >= run.last:
            break
    return sized(pixels, *size), tuple(run.history), None


def _with_detail_of(content: np.ndarray, pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The detail that a smaller picture can't have is the content's: sharp, and nearer to the scene from the start."""
    return with_change_of(resized(content, height, width), resized(content, *pixels.shape[:2]), pixels)


# The share of L-BFGS' first step at levels that begin with the picture of the level before: it needs detail alone.
# In full, the first step was too long from 512 px on, and of the few steps that large pictures get one was lost.
_FINER_FIRST_STEP = 0.3


def _at_finer_level(settings: OptimizationConfig) -> OptimizationConfig:
    if settings.optimizer != "lbfgs":
        return settings
    return dataclasses.replace(settings, learning_rate=_FINER_FIRST_STEP * settings.learning_rate)


# Fewer are not worth a level's targets. At five and its targets, half a step is within a tenth of the budget.
_FEWEST_STEPS = 5
# As the machine is now, not as it was.
_NEWEST_STEPS = 20
# Until two levels are measured: the pixels that cost as much as what a step costs at any size, on two cores.
_STEP_PX = 10_000
#: Until two levels are measured: the steps that cost as much as the making of a level's targets.
TARGETS_STEPS = 2.0


class _Pace:
    """What a step takes at each level, by the steps so far: a fixed cost, and one for every pixel.

    A level's first step is no measure: its time also holds the making of targets, and in a run's first levels the
    tracing of graphs.
    """

    def __init__(self, levels: Sequence[PyramidLevel], history: Sequence[HistoryEntry]) -> None:
        self.known = False
        """Whether a step was measured; until then, nothing must be asked for."""
        self._pixels = [level.long_side_px**2 for level in levels]
        self._steps_s: dict[int, deque[float]] = {}
        self._first_steps_s: dict[int, float] = {}
        self._fixed_s = self._pixel_s = 0.0
        self._targets_steps = TARGETS_STEPS
        self._newest: HistoryEntry | None = None
        for entry in history:
            self.add(entry)
        # What lies between these and the next one was no step.
        self._newest = None

    def add(self, entry: HistoryEntry) -> None:
        """Take note of a step."""
        before, self._newest = self._newest, entry
        if before is None:
            return
        index, seconds = entry.level - 1, entry.elapsed_s - before.elapsed_s
        if before.level != entry.level:
            self._first_steps_s[index] = seconds
            return
        self._steps_s.setdefault(index, deque(maxlen=_NEWEST_STEPS)).append(seconds)
        self.known = True
        typical_s = {level: statistics.median(steps_s) for level, steps_s in self._steps_s.items()}
        self._draw_line(typical_s)
        measured = [first_s / typical_s[at] - 1 for at, first_s in self._first_steps_s.items() if at in typical_s]
        if len(measured) > 1:
            # The lesser of the last two, since one of them may have traced a graph.
            self._targets_steps = min(measured[-2:])

    def step_s(self, index: int) -> float:
        """Return the seconds of a step."""
        return self._fixed_s + self._pixel_s * self._pixels[index]

    def targets_s(self, index: int) -> float:
        """Return the seconds that the making of a level's targets takes."""
        return self._targets_steps * self.step_s(index)

    def _draw_line(self, typical_s: Mapping[int, float]) -> None:
        """Through the coarsest and the newest level that were measured: far apart, and as the machine is now."""
        coarsest, newest = min(typical_s), max(typical_s)
        seconds, pixels = typical_s[newest], self._pixels[newest]
        if coarsest == newest:
            slope = seconds / (pixels + _STEP_PX)
        else:
            slope = (seconds - typical_s[coarsest]) / (pixels - self._pixels[coarsest])
        self._fixed_s, self._pixel_s = step_costs(slope, pixels, seconds)


def step_costs(slope: float, pixels: int, seconds: float) -> tuple[float, float]:
    """Return what a step costs at any size, and what a pixel does, of a step that was measured and a slope: seconds.

    Other programs come and go, but neither a pixel nor a step as such costs less than nothing.
    """
    pixel_s = min(max(slope, 0.0), seconds / pixels)
    return seconds - pixel_s * pixels, pixel_s


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
        self._config = config
        self._context = context
        self._on_iterate = on_iterate
        self._on_message = on_message
        self._began = time.perf_counter() if started_at is None else started_at
        if resume_from is not None:
            self._began -= resume_from.elapsed_s
        self._ends = None if config.time_budget is None else self._began + config.time_budget
        self._taken = Counter(entry.level - 1 for entry in self.history)
        self._pace = _Pace(levels, self.history)
        self._first_step_s = 0.0
        """Most of it went into tracing the graph, anew where a run is taken up."""
        self._failures = 0
        self.last = len(levels) - 1
        """The level to end at; a coarser one than the finest where a time budget can't pay for that."""

    def goes_on(self, index: int) -> bool:
        """Say whether to take one more step at a level."""
        if self._ends is None:
            return self._taken[index] < self._levels[index].max_steps
        if not self.history:
            return True
        left_s = self._ends - time.perf_counter()
        # Stop where one more step would miss the end by more than stopping here does.
        if left_s <= (self._pace.step_s(index) / 2 if self._pace.known else 0.0):
            self._end_at(self.history[-1].level - 1)
            return False
        if index == self.last or not self._pace.known:
            return True
        finest, steps = self._plan(index, left_s)
        if finest == index and self._taken[index] >= _FEWEST_STEPS:
            self._end_at(index)
        return self._taken[index] < steps

    def take_step(self, index: int, optimizer: Optimizer, loss: LevelLoss) -> None:
        """Evaluate the loss once, hand it to the optimiser, and tell what came of it."""
        began = time.perf_counter()
        terms, gradient = loss(optimizer.ask())
        self._count_failure(finite=optimizer.tell(terms.total, gradient))
        now = time.perf_counter()
        self._first_step_s = self._first_step_s or now - began
        self.history.append(HistoryEntry(index + 1, len(self.history) + 1, now - self._began, terms))
        self._taken[index] += 1
        self._pace.add(self.history[-1])
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
                remaining_s=self._remaining_s(index, now),
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

    def _plan(self, index: int, left_s: float) -> tuple[int, float]:
        """Return the finest level that the time left pays for, and how many steps each level gets then."""
        step_s = self._pace.step_s
        if index == 0:
            # The second level may have a graph of its own to trace: the smallest pictures have fewer octaves.
            left_s -= self._first_step_s
        for finest in range(len(self._levels) - 1, index, -1):
            finer = range(index + 1, finest + 1)
            for_steps = left_s - sum(map(self._pace.targets_s, finer))
            finer_s = sum(map(step_s, finer))
            # What is taken is paid for. Where it is more than its part, the finer levels have the less.
            steps = (for_steps + self._taken[index] * step_s(index)) / (step_s(index) + finer_s)
            if min(steps, for_steps / finer_s) >= _FEWEST_STEPS:
                return finest, steps
        return index, math.inf

    def _end_at(self, index: int) -> None:
        if index >= self.last:
            return
        self.last, finest = index, len(self._levels) - 1
        if self._on_message is not None:
            there = f", where a step takes about {self._pace.step_s(finest):.1f} s" if self._pace.known else ""
            self._on_message(
                f"time budget: {self._config.time_budget:g} s end at {self._levels[index].long_side_px} px, "
                f"enlarged to {self._levels[finest].long_side_px}{there}"
            )

    def _remaining_s(self, index: int, now: float) -> float:
        if self._ends is not None:
            return max(0.0, self._ends - now)
        if not self._pace.known:
            # Of the first steps' mean time, as if the finer levels' steps took no longer.
            to_come = sum(level.max_steps for level in self._levels) - len(self.history)
            return to_come * (now - self._began) / len(self.history)
        to_come_s = [
            self._pace.step_s(level) * (self._levels[level].max_steps - self._taken[level])
            for level in range(index, len(self._levels))
        ]
        return sum(to_come_s) + sum(map(self._pace.targets_s, range(index + 1, len(self._levels))))

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

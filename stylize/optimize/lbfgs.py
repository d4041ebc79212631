"""Bounded L-BFGS on pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stylize.config import OptimizationConfig
from stylize.images.resizing import resized
from stylize.optimize.optimizer import State

__all__ = ["LBFGS", "bytes_per_pixel"]


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


def _dot(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.dot(a.ravel(), b.ravel()))

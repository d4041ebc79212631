"""Losses of pixels alone: palette, frame, total variation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

__all__ = ["frame_loss", "palette", "palette_loss", "total_variation"]

# Speckle in colour is what the style loss likes and the eye does not: painters' strokes differ in light and dark, and
# colour changes slowly. Squared differences of chroma weigh this much more than those of luma.
_CHROMA_ROUGHNESS = 16.0

_RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))

_OPPONENT_ENERGY = np.array(_RGB_TO_YIQ).T * (1.0, _CHROMA_ROUGHNESS, _CHROMA_ROUGHNESS) @ np.array(_RGB_TO_YIQ)

_BAND_PX = 256


def total_variation(image: np.ndarray, normalization: str) -> tuple[float, np.ndarray]:
    """Roughness of (1, H, W, 3): differences of vertical and horizontal neighbours; and its gradient, float32.

    `relative`: their squares in opponent colours, chroma weighing more, over the number of pixels; otherwise the sum
    of their absolute values (Rudin, Osher, Fatemi 1992, anisotropic, as in `tf.image.total_variation`).
    """
    slope, total = np.zeros_like(image, np.float32), 0.0
    relative = normalization == "relative"
    energy = (_OPPONENT_ENERGY / (image.size / 3)).astype(np.float32)
    for axis in (0, 1):
        pixels, to = (np.moveaxis(each[0], axis, 0) for each in (image, slope))
        # In bands, as copies of a large picture would take more memory than the rest.
        for start in range(0, len(pixels) - 1, _BAND_PX):
            band = slice(start, min(start + _BAND_PX + 1, len(pixels)))
            differences = np.diff(pixels[band], axis=0)
            along = differences @ energy if relative else np.sign(differences)
            total += float(np.vdot(differences, along))
            along *= 1 + relative
            to[band][1:] += along
            to[band][:-1] -= along
    return total, slope


def frame_loss(image: np.ndarray) -> tuple[float, np.ndarray]:
    """How far the border's colours stand out from those beside it, and the gradient, float32 of the image's shape.

    The outermost 1, 2 and 4 px of (1, H, W, 3), at least 12 px a side, are compared with twice as many inside of
    them, in stretches as long as they are wide: the squares of their mean colours' differences, a mean over each side,
    summed over sides and widths.
    """
    slope, total = np.zeros_like(image, np.float32), 0.0
    for axis, direction, width in itertools.product((0, 1), (1, -1), _FRAME_WIDTHS_PX):
        # From this border inwards: rows (or columns), along the border, colours.
        pixels, to = (np.moveaxis(each[0], axis, 0)[::direction] for each in (image, slope))
        stretches = pixels.shape[1] // width
        along, outer, beside = slice(stretches * width), slice(width), slice(width, 3 * width)
        means = [pixels[rows, along].reshape(-1, stretches, width, 3).mean((0, 2)) for rows in (outer, beside)]
        difference = means[0] - means[1]
        total += float(np.square(difference).mean())
        spread = np.repeat(2 * difference / difference.size, width, axis=0) / width
        to[outer, along] += spread / width
        to[beside, along] -= spread / (2 * width)
    return total, slope


_FRAME_WIDTHS_PX = (1, 2, 4)


def palette(image: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The colours of (1, H, W, 3) as quantiles along six axes of RGB, float32 (6, 256).

    With `weights` (H, W), of pixels. Weighted means of palettes are palettes between them: Wasserstein barycentres.
    """
    ranks = _ranks(image.reshape(-1, 3), weights)
    axes = zip(ranks, _BIN_COLORS, strict=True)
    return np.stack([np.interp(_QUANTILES, *axis) for axis in axes]).astype(np.float32)


def palette_loss(image: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, np.ndarray]:
    """How far the colours of (1, H, W, 3) are from a `palette`, and the gradient, float32 of the image's shape.

    The sliced Wasserstein-2 distance, squared (Rabin et al. 2011; Bonneel et al. 2015), a mean over axes, relative to
    the palette's own variance. Means and covariances would leave a palette's shape open: few bright yellows among
    many blues, or an even mixture of both.
    """
    pixels, slope, total = image.reshape(-1, 3), np.zeros((image.size // 3, 3), np.float32), 0.0
    ranks = _ranks(pixels, weights)
    # Where each bin's colours are to go: to those of the same rank.
    wanted = np.stack([np.interp(*axis) for axis in zip(ranks, [_QUANTILES] * len(ranks), target, strict=True)])
    wanted = wanted.astype(np.float32).ravel()
    for some, along, bins in _along_axes(pixels):
        away = along - wanted[bins]
        counted = away if weights is None else away * weights.reshape(-1, 1)[some]
        total += float((counted * away).sum())
        slope[some] = counted @ _AXES.T
    count = len(pixels) if weights is None else float(weights.sum())
    scale = 1 / (count * len(target) * (float(target.var(axis=1).mean()) + _LEAST_VARIANCE))
    slope *= np.float32(2 * scale)
    return scale * total, slope.reshape(image.shape)


def _ranks(pixels: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Return each bin's rank among pixels (N, 3), in [0, 1], for each axis."""
    counts = np.zeros(_BIN_COLORS.size)
    for some, _, bins in _along_axes(pixels):
        by = None if weights is None else np.repeat(weights.ravel()[some], len(_BIN_COLORS))
        counts += np.bincount(bins.ravel(), by, counts.size)
    counts = counts.reshape(_BIN_COLORS.shape)
    below = counts.cumsum(axis=1)
    ranks: np.ndarray = (below - counts / 2) / below[:, -1:]
    return ranks


def _along_axes(pixels: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Yield some pixels at a time, where they lie along the axes, (n, 6), and in which of all axes' bins."""
    for first in range(0, len(pixels), _PIXELS_AT_ONCE):
        some = slice(first, first + _PIXELS_AT_ONCE)
        along = pixels[some] @ _AXES
        bins = ((along - _BIN_COLORS[:, 0]) / (_BIN_COLORS[:, 1] - _BIN_COLORS[:, 0]) + 0.5).astype(np.int32)
        yield some, along, bins.clip(0, _BIN_COLORS.shape[1] - 1) + _BIN_OFFSETS


def _spread_axes(count: int) -> np.ndarray:
    """Return unit vectors (3, count) spread evenly over directions: a Fibonacci lattice on the half sphere."""
    height = 1 - (np.arange(count) + 0.5) / count
    turn = math.pi * (1 + math.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height]).astype(np.float32)


_AXES = _spread_axes(6)

# The middle of each axis' bins, across the RGB cube.
_BIN_COLORS = np.linspace(np.minimum(_AXES, 0).sum(axis=0), np.maximum(_AXES, 0).sum(axis=0), 512).T.astype(np.float32)

_BIN_OFFSETS = np.arange(len(_BIN_COLORS), dtype=np.int32) * _BIN_COLORS.shape[1]

_QUANTILES = (np.arange(256) + 0.5) / 256

# A palette of one colour has none to be relative to.
_LEAST_VARIANCE = 1e-3

_PIXELS_AT_ONCE = 1 << 16

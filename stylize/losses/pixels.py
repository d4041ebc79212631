"""Losses of pixels alone: total variation, frame, palette. Each returns its value and its gradient.

They are written in NumPy and need no feature network. They see the whole picture, also where the network works in
tiles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from stylize.images.color import LUMA

__all__ = ["LEAST_VARIANCE", "PALETTE_AXES", "frame_loss", "palette", "palette_loss", "total_variation"]

FloatArray = NDArray[np.float32]

# --------------------------------------------------------------------------------------------------------------------
# Total variation

# How much more squared differences of chroma weigh than those of luma. The style loss favours coloured speckle, which
# looks wrong: strokes of painters differ in light and dark, while colour changes slowly.
_CHROMA_WEIGHT = 16.0
_RGB_TO_YIQ = (LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
# The quadratic form of a colour difference: luma^2 + 16 chroma^2.
_COLOR_DISTANCE = np.array(_RGB_TO_YIQ).T * (1.0, _CHROMA_WEIGHT, _CHROMA_WEIGHT) @ np.array(_RGB_TO_YIQ)
# Rows that are computed at once: temporary copies of a large picture would take more memory than the result.
_BAND_ROWS = 256


def total_variation(image: FloatArray, normalization: str, *, band_rows: int = _BAND_ROWS) -> tuple[float, FloatArray]:
    """Measure how much vertical and horizontal neighbours differ.

    Args:
        image: (1, H, W, 3), sRGB in [0, 1].
        normalization: `relative` takes the squares of the differences in YIQ, chroma weighing more, over the number
            of pixels. Anything else takes the sum of absolute differences (Rudin, Osher, Fatemi 1992, anisotropic,
            as `tf.image.total_variation`).
        band_rows: rows that are computed at once; the result does not depend on the number.

    Returns:
        The value, and the gradient, float32 (1, H, W, 3).
    """
    gradient, total = np.zeros_like(image, np.float32), 0.0
    relative = normalization == "relative"
    distance = (_COLOR_DISTANCE / (image.size / 3)).astype(np.float32)
    for axis in (0, 1):
        pixels, to = (np.moveaxis(each[0], axis, 0) for each in (image, gradient))
        for start in range(0, len(pixels) - 1, band_rows):
            band = slice(start, min(start + band_rows + 1, len(pixels)))
            differences = np.diff(pixels[band], axis=0)
            slope = differences @ distance if relative else np.sign(differences)
            total += float(np.vdot(differences, slope))
            slope *= 1 + relative
            to[band][1:] += slope
            to[band][:-1] -= slope
    return total, gradient


# --------------------------------------------------------------------------------------------------------------------
# Frame

# The stray frames that were seen were one to six pixels wide.
_FRAME_WIDTHS_PX = (1, 2, 4)


def frame_loss(image: FloatArray) -> tuple[float, FloatArray]:
    """Measure how far the colours of the border differ from those beside the border.

    The network sees border pixels from one side only. Without this loss they take stray colours that the style loss
    asks for somewhere. The outermost 1, 2 and 4 px are compared with the next 2, 4 and 8 px, in pieces 1, 2 and
    4 px long: the squared difference of mean colours, averaged over a side, summed over sides and widths.

    Args:
        image: (1, H, W, 3), sRGB in [0, 1], at least 12 px a side.

    Returns:
        The value, and the gradient, float32 (1, H, W, 3).
    """
    gradient, total = np.zeros_like(image, np.float32), 0.0
    for axis, direction, width in itertools.product((0, 1), (1, -1), _FRAME_WIDTHS_PX):
        # From this border inwards: (rows or columns, positions along the border, colours).
        pixels, to = (np.moveaxis(each[0], axis, 0)[::direction] for each in (image, gradient))
        stretches = pixels.shape[1] // width
        along, outer, inner = slice(stretches * width), slice(width), slice(width, 3 * width)
        means = [pixels[rows, along].reshape(-1, stretches, width, 3).mean((0, 2)) for rows in (outer, inner)]
        difference = means[0] - means[1]
        total += float(np.square(difference).mean())
        slope = np.repeat(2 * difference / difference.size, width, axis=0) / width
        to[outer, along] += slope / width
        to[inner, along] -= slope / (2 * width)
    return total, gradient


# --------------------------------------------------------------------------------------------------------------------
# Palette


def _spread_axes(count: int) -> FloatArray:
    """Return unit vectors (3, count) spread evenly over directions: a Fibonacci lattice on the half sphere."""
    height = 1 - (np.arange(count) + 0.5) / count
    turn = math.pi * (1 + math.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), height]).astype(np.float32)


# Directions in RGB along which colours are compared.
PALETTE_AXES = _spread_axes(6)
# The middle of each axis' 512 bins, across the RGB cube, (6, 512).
_BIN_COLORS = np.linspace(
    np.minimum(PALETTE_AXES, 0).sum(axis=0), np.maximum(PALETTE_AXES, 0).sum(axis=0), 512
).T.astype(np.float32)
_BIN_OFFSETS = np.arange(len(_BIN_COLORS), dtype=np.int32) * _BIN_COLORS.shape[1]
_QUANTILES = (np.arange(256) + 0.5) / 256
# Added to a palette's variance, which is 0 where the style has one colour.
LEAST_VARIANCE = 1e-3
# Pixels that are computed at once, for the sake of memory.
_PIXELS_AT_ONCE = 1 << 16


def palette(image: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Return the colours of a picture as quantiles along six axes of RGB.

    A weighted mean of palettes is their Wasserstein barycentre along each axis: a palette between them.

    Args:
        image: (1, H, W, 3), sRGB in [0, 1].
        weights: weights of pixels, (H, W), or None.

    Returns:
        (6, 256), float32.
    """
    ranks = _ranks(image.reshape(-1, 3), weights)
    axes = zip(ranks, _BIN_COLORS, strict=True)
    return np.stack([np.interp(_QUANTILES, *axis) for axis in axes]).astype(np.float32)


def palette_loss(image: FloatArray, target: FloatArray, weights: FloatArray | None = None) -> tuple[float, FloatArray]:
    """Measure how far the colours of a picture are from a palette.

    The squared sliced Wasserstein-2 distance (Rabin et al. 2011; Bonneel et al. 2015), averaged over axes, divided by
    the variance of the palette. Means and covariances do not determine a palette: a few bright yellows among many
    blues and an even mixture of both may have the same.

    Args:
        image: (1, H, W, 3), sRGB in [0, 1].
        target: a `palette`, (6, 256).
        weights: weights of pixels, (H, W), or None.

    Returns:
        The value, and the gradient, float32 (1, H, W, 3).
    """
    pixels, gradient, total = image.reshape(-1, 3), np.zeros((image.size // 3, 3), np.float32), 0.0
    ranks = _ranks(pixels, weights)
    # Optimal transport in one dimension: each bin goes to the target's colour of the same rank.
    wanted = np.stack([np.interp(*axis) for axis in zip(ranks, [_QUANTILES] * len(ranks), target, strict=True)])
    wanted = wanted.astype(np.float32).ravel()
    for some, projected, bins in _along_axes(pixels):
        away = projected - wanted[bins]
        weighted = away if weights is None else away * weights.reshape(-1, 1)[some]
        total += float((weighted * away).sum())
        gradient[some] = weighted @ PALETTE_AXES.T
    count = len(pixels) if weights is None else float(weights.sum())
    scale = 1 / (count * len(target) * (float(target.var(axis=1).mean()) + LEAST_VARIANCE))
    gradient *= np.float32(2 * scale)
    return scale * total, gradient.reshape(image.shape)


def _ranks(pixels: FloatArray, weights: FloatArray | None) -> NDArray[np.float64]:
    """Return the rank of each bin among pixels (N, 3), in [0, 1], along each axis: (6, 512)."""
    counts = np.zeros(_BIN_COLORS.size)
    for some, _, bins in _along_axes(pixels):
        by = None if weights is None else np.repeat(weights.ravel()[some], len(_BIN_COLORS))
        counts += np.bincount(bins.ravel(), by, counts.size)
    counts = counts.reshape(_BIN_COLORS.shape)
    below = counts.cumsum(axis=1)
    ranks: NDArray[np.float64] = (below - counts / 2) / below[:, -1:]
    return ranks


def _along_axes(pixels: FloatArray) -> Iterator[tuple[slice, FloatArray, NDArray[np.int32]]]:
    """Yield some pixels at a time: their slice, their positions along the axes (n, 6), and their bins (n, 6)."""
    for first in range(0, len(pixels), _PIXELS_AT_ONCE):
        some = slice(first, first + _PIXELS_AT_ONCE)
        projected = pixels[some] @ PALETTE_AXES
        bins = ((projected - _BIN_COLORS[:, 0]) / (_BIN_COLORS[:, 1] - _BIN_COLORS[:, 0]) + 0.5).astype(np.int32)
        yield some, projected, bins.clip(0, _BIN_COLORS.shape[1] - 1) + _BIN_OFFSETS

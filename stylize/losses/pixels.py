"""Losses of pixels alone: total variation, frame, palette. They need no feature network.

Each is a sum over positions, or made of such sums: `stylize.losses.tiled_pixels` adds them up band by band for pictures
that are computed in tiles.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.images.color import LUMA
from stylize.networks.backend import Array, array_of, numpy_of, ops

__all__ = [
    "COUNTS_SHAPE",
    "FRAME_PX",
    "LEAST_VARIANCE",
    "PALETTE_AXES",
    "PALETTE_SHAPE",
    "border",
    "color_counts",
    "frame_loss",
    "palette",
    "palette_loss",
    "palette_scale",
    "palette_sum",
    "total_variation",
    "transport",
    "variation_scale",
    "variation_sum",
]

# --------------------------------------------------------------------------------------------------------------------
# Total variation

# How much more squared differences of chroma weigh than those of luma. The style loss favours coloured speckle, which
# looks wrong: strokes of painters differ in light and dark, while colour changes slowly.
_CHROMA_WEIGHT = 16.0
_RGB_TO_YIQ = (LUMA, (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))
# A root of the quadratic form of a colour difference, luma^2 + 16 chroma^2.
_TO_DISTANCE = (np.array(_RGB_TO_YIQ).T * np.sqrt((1.0, _CHROMA_WEIGHT, _CHROMA_WEIGHT))).astype(np.float32)


def total_variation(image: Array, normalization: str) -> Array:
    """Measure how much vertical and horizontal neighbours differ.

    Args:
        image: (1, H, W, 3), sRGB in [0, 1].
        normalization: `relative` takes the squares of the differences in YIQ, chroma weighing more, over the number
            of pixels. Anything else takes the sum of absolute differences (Rudin, Osher, Fatemi 1992, anisotropic,
            as `tf.image.total_variation`).

    Returns:
        A scalar.
    """
    size = ops.cast(ops.shape(image)[1] * ops.shape(image)[2], "float32")
    return _variation_within(image, normalization) * variation_scale(size, normalization)


def variation_sum(image: Array, below: Array, normalization: str) -> Array:
    """Sum the differences of neighbours over some rows of a picture, (1, h, W, 3), and the row below (or none)."""
    across = _variation_colors(below - image[:, -1:], normalization)
    return _variation_within(image, normalization) + _variation_size(across, normalization)


def _variation_within(image: Array, normalization: str) -> Array:
    _, height, width, colors = ops.shape(image)
    rows = ops.reshape(_variation_colors(image, normalization), (height, width * colors))
    total = 0.0
    for axis, shift in ((0, 1), (1, colors)):
        # Rolled, because slices have a slow gradient; the first row and column have no neighbour before them.
        has_neighbour = ops.cast(ops.arange(ops.shape(rows)[axis]) >= shift, "float32")
        differences = (rows - ops.roll(rows, shift, axis)) * ops.expand_dims(has_neighbour, 1 - axis)
        total = total + _variation_size(differences, normalization)
    return total


def _variation_colors(image: Array, normalization: str) -> Array:
    """Return the colours whose differences count, (n, 3)."""
    flat = ops.reshape(image, (-1, 3))
    return ops.matmul(flat, _TO_DISTANCE) if normalization == "relative" else flat


def _variation_size(differences: Array, normalization: str) -> Array:
    return ops.sum(ops.square(differences) if normalization == "relative" else ops.abs(differences))


def variation_scale(pixels: Any, normalization: str) -> Any:
    """Return the factor that makes `variation_sum` of a whole picture its `total_variation`."""
    return 1 / pixels if normalization == "relative" else 1.0


# --------------------------------------------------------------------------------------------------------------------
# Frame

_FRAME_WIDTHS_PX = (1, 2, 4)
#: How far from the border `frame_loss` looks, in px.
FRAME_PX = 3 * max(_FRAME_WIDTHS_PX)


def _outer_less_inner(width: int) -> NDArray[np.float32]:
    """Return weights (12, 1, 1) of lines from the border inwards: mean of `width`, less that of twice as many."""
    weights = np.zeros((FRAME_PX, 1, 1), np.float32)
    weights[:width], weights[width : 3 * width] = 1 / width, -1 / (2 * width)
    return weights


_FRAME_PIECES = {width: _outer_less_inner(width) for width in _FRAME_WIDTHS_PX}


def frame_loss(top: Array, bottom: Array, left: Array, right: Array) -> Array:
    """Measure how much the border's colours differ from those beside the border.

    The network sees border pixels from one side only. Without this loss they take stray colours that the style loss
    asks for somewhere. The outermost 1, 2 and 4 px are compared with the next 2, 4 and 8 px, in pieces 1, 2 and
    4 px long: the squared difference of mean colours, averaged over a side, summed over sides and widths.

    Args:
        top: the uppermost `FRAME_PX` rows of a picture, (1, 12, W, 3), sRGB in [0, 1].
        bottom: the lowest ones.
        left: the leftmost columns, (1, H, 12, 3).
        right: the rightmost ones.

    Returns:
        A scalar.
    """
    # From the border inwards: (sides, rows or columns, positions along the border, colours).
    rows = ops.concatenate([top, ops.flip(bottom, 1)], 0)
    columns = ops.transpose(ops.concatenate([left, ops.flip(right, 2)], 0), (0, 2, 1, 3))
    total = 0.0
    for sides in (rows, columns):
        for width, inwards in _FRAME_PIECES.items():
            # Pieces along the border, of the differences across it.
            differences = ops.sum(ops.multiply(sides, inwards), 1)
            means = ops.average_pool(differences, width, width, "valid", data_format="channels_last")
            total = total + 2 * ops.mean(ops.square(means))
    return total


def border(image: Array) -> tuple[Array, Array, Array, Array]:
    """Return what `frame_loss` compares of a picture (1, H, W, 3), at least 12 px a side."""
    return image[:, :FRAME_PX], image[:, -FRAME_PX:], image[:, :, :FRAME_PX], image[:, :, -FRAME_PX:]


# --------------------------------------------------------------------------------------------------------------------
# Palette


def _spread_axes(count: int) -> NDArray[np.float32]:
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
_AXES, _BINS = _BIN_COLORS.shape
_FIRST_BIN_COLORS, _BIN_WIDTHS = _BIN_COLORS[:, 0], _BIN_COLORS[:, 1] - _BIN_COLORS[:, 0]
_FIRST_BINS = np.arange(_AXES, dtype=np.int32) * _BINS
_QUANTILE_COUNT = 256
#: The shape of a palette: axes and quantiles.
PALETTE_SHAPE = _AXES, _QUANTILE_COUNT
#: The shape of `color_counts`: axes and bins.
COUNTS_SHAPE = _AXES, _BINS
_QUANTILES = (np.arange(_QUANTILE_COUNT) + 0.5) / _QUANTILE_COUNT
# Added to a palette's variance, which is 0 where the style has one colour.
LEAST_VARIANCE = 1e-3


def palette(image: Array, weights: Array | None = None) -> NDArray[np.float32]:
    """Return the colours of a picture as quantiles along six axes of RGB.

    A weighted mean of palettes is their Wasserstein barycentre along each axis: a palette between them.

    Args:
        image: (1, H, W, 3), sRGB in [0, 1].
        weights: weights of pixels, (H, W), or None.

    Returns:
        (6, 256), float32.
    """
    ranks = _ranks(numpy_of(color_counts(array_of(image), None if weights is None else array_of(weights))))
    return np.stack([np.interp(_QUANTILES, *axis) for axis in zip(ranks, _BIN_COLORS, strict=True)]).astype(np.float32)


def palette_loss(image: Array, target: Array, weights: Array | None = None) -> Array:
    """Measure how far the colours of a picture are from a palette.

    The squared sliced Wasserstein-2 distance (Rabin et al. 2011; Bonneel et al. 2015), averaged over axes, divided by
    the variance of the palette. Means and covariances do not determine a palette: a few bright yellows among many
    blues and an even mixture of both may have the same.

    Args:
        image: (1, H, W, 3), sRGB in [0, 1].
        target: a `palette`, (6, 256).
        weights: weights of pixels, (H, W), or None.

    Returns:
        A scalar.
    """
    counts = color_counts(ops.stop_gradient(image), weights)
    return palette_sum(image, transport(counts, target), weights) * palette_scale(counts, target)


def color_counts(image: Array, weights: Array | None = None) -> Array:
    """Return how many pixels of a picture (1, H, W, 3) have each colour along each axis, (6, 512)."""
    _, bins = _along_axes(image)
    each = ops.ones_like(bins, "float32")
    if weights is not None:
        each = each * ops.reshape(weights, (-1, 1))
    counts = ops.segment_sum(ops.reshape(each, (-1,)), ops.reshape(bins, (-1,)), math.prod(COUNTS_SHAPE))
    return ops.reshape(counts, COUNTS_SHAPE)


def transport(counts: Array, target: Array) -> Array:
    """Return the colour of a palette (6, 256) that each bin of `color_counts` goes to, (6, 512).

    Optimal transport in one dimension: each bin goes to the target's colour of the same rank.
    """
    place = ops.clip(_ranks(counts) * _QUANTILE_COUNT - 0.5, 0, _QUANTILE_COUNT - 1)
    below = ops.minimum(ops.cast(place, "int32"), _QUANTILE_COUNT - 2)
    share = place - ops.cast(below, "float32")
    lower, upper = (ops.take_along_axis(target, each, 1) for each in (below, below + 1))
    return lower + share * (upper - lower)


def palette_sum(image: Array, wanted: Array, weights: Array | None = None) -> Array:
    """Sum over pixels and axes the squared distance to the colours of `transport`."""
    projected, bins = _along_axes(image)
    squares = ops.square(projected - ops.take(ops.reshape(wanted, (-1,)), bins))
    return ops.sum(squares if weights is None else squares * ops.reshape(weights, (-1, 1)))


def palette_scale(counts: Array, target: Array) -> Array:
    """Return the factor that makes `palette_sum` the loss."""
    variance = ops.mean(ops.var(target, 1)) + LEAST_VARIANCE
    # Every axis counts all pixels.
    return 1 / (ops.sum(counts) * variance)


def _ranks(counts: Any) -> Any:
    """Return the rank of each bin among the pixels, in [0, 1], along each axis."""
    below = ops.cumsum(counts, 1) if not isinstance(counts, np.ndarray) else counts.cumsum(1, dtype=np.float64)
    return (below - counts / 2) / below[:, -1:]


def _along_axes(image: Array) -> tuple[Array, Array]:
    """Return the positions of pixels along the axes, (n, 6), and their bins, (n, 6)."""
    projected = ops.matmul(ops.reshape(image, (-1, 3)), PALETTE_AXES)
    # Functions, because PyTorch's operators leave a NumPy operand to NumPy, which knows no GPU.
    distances = ops.subtract(ops.stop_gradient(projected), _FIRST_BIN_COLORS)
    places = ops.multiply(distances, 1 / _BIN_WIDTHS) + 0.5
    return projected, ops.add(ops.cast(ops.clip(places, 0, _BINS - 1), "int32"), _FIRST_BINS)

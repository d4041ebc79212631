"""Losses of activations: content, Gram matrices, means and covariances.

Symbols, for one layer with C channels and N = h w positions:

    F, F*   activations of the picture and of the target, (1, h, w, C)
    G       Gram matrix, sum over positions of f f' / N, (C, C)
    m, S    mean (C,) and covariance (C, C) of the activations over positions

Gram matrices, means and covariances are made of sums over positions. Sums of tiles add up to the sum of the whole
picture, and pictures of different sizes compare once the sums are divided by N.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from stylize.networks.backend import array_of, ops

__all__ = [
    "TINY",
    "GramMatrices",
    "Moments",
    "StyleStatistics",
    "content_scale",
    "gram_loss",
    "gram_sum",
    "moment_loss",
    "moment_sum",
    "squared_distance",
]

# Keeps divisions by the energy of an all-black target finite.
TINY = 1e-8


# --------------------------------------------------------------------------------------------------------------------
# Content


def squared_distance(activation: Any, target: Any, saliency: Any) -> Any:
    """Return the sum of s |F - F*|^2 over all positions, a scalar.

    With s = 1, this is the content loss of Gatys et al. 2015 (arXiv 1508.06576), equation 1, times two.

    Args:
        activation: F, (1, h, w, C).
        target: F*, the same shape.
        saliency: s, (1, h, w, 1), or 1.0 where all positions count alike.
    """
    squares = ops.square(ops.cast(activation, "float32") - target)
    return ops.sum(ops.sum(squares, axis=-1, keepdims=True) * saliency)


def content_scale(target: Any, normalization: str) -> Any:
    """Return the factor that turns |F - F*|^2 into the content loss of a layer.

    Args:
        target: activations F*, (1, h, w, C); an array where they were put together from tiles.
        normalization: `sum` gives 1 (Gatys et al. 2015), `mean` one over the number of activations (TensorFlow's
            tutorial), and `relative` 1 / |F*|^2: the same weight then means the same for every picture and layer.
    """
    if normalization == "sum":
        return array_of(1.0)
    if normalization == "mean":
        return array_of(1 / math.prod(target.shape))
    if isinstance(target, np.ndarray):  # Row by row: a float32 copy of the whole array would be large.
        energy = sum(float(np.square(row, dtype=np.float32).sum()) for row in target[0])
        return array_of(1 / (energy + TINY))
    return 1 / (ops.sum(ops.square(target)) + TINY)


# --------------------------------------------------------------------------------------------------------------------
# Style


class StyleStatistics(Protocol):
    """A statistic of activations that stands for style, and the distance of two such statistics."""

    extra_channels: int
    """Rows and columns of the statistic beyond the C channels."""

    def sums(self, features: Any, weights: Any = None) -> Any:
        """Return the sums over positions of activations (1, h, w, C), or with `weights` (h, w) the weighted sums."""

    def loss(self, statistics: Any, target: Any, normalization: str) -> Any:
        """Return the squared distance of statistics (..., n, n) from a target of the same shape: (...)."""

    def covariance(self, statistics: Any) -> Any:
        """Return the part of the statistics that tells how widely activations vary, (..., C, C)."""


class GramMatrices:
    """Style as Gram matrices (Gatys et al. 2015, arXiv 1508.06576)."""

    extra_channels = 0

    def sums(self, features: Any, weights: Any = None) -> Any:
        """See `gram_sum`."""
        return gram_sum(features, weights)

    def loss(self, statistics: Any, target: Any, normalization: str) -> Any:
        """See `gram_loss`."""
        return gram_loss(statistics, target, normalization)

    def covariance(self, statistics: Any) -> Any:
        """Return the Gram matrices."""
        return statistics


class Moments:
    """Style as means and covariances, of which `moment_loss` gives the reason."""

    extra_channels = 1

    def sums(self, features: Any, weights: Any = None) -> Any:
        """See `moment_sum`."""
        return moment_sum(features, weights)

    def loss(self, statistics: Any, target: Any, normalization: str) -> Any:
        """See `moment_loss`."""
        return moment_loss(statistics, target, normalization)

    def covariance(self, statistics: Any) -> Any:
        """Return the covariances."""
        return _mean_and_covariance(statistics)[1]


def gram_sum(features: Any, weights: Any = None) -> Any:
    """Sum f f' over positions; divided by N, the sum is the Gram matrix.

    Gatys et al. 2015 (arXiv 1508.06576), equation 3. There the sum is not divided by N. With weights, the guided
    Gram matrix of Gatys et al. 2017 (arXiv 1611.07865), equation 4, whose guidance channel is the root of the weights.

    Args:
        features: activations (1, h, w, C), float32 or bfloat16.
        weights: weights of positions (h, w) that sum to 1, or None.

    Returns:
        (C, C), float32.
    """
    return _second_moments(features, weights, with_sums=False)


def moment_sum(features: Any, weights: Any = None) -> Any:
    """Sum f f' over positions, for activations with one more channel of ones: (C + 1, C + 1), float32.

    The last row and column hold the sums of the activations, the last entry the number of positions. Arguments as of
    `gram_sum`.
    """
    return _second_moments(features, weights, with_sums=True)


def gram_loss(gram: Any, target: Any, normalization: str) -> Any:
    """Return the squared distance of Gram matrices, |G - G*|^2 / |G*|^2 or a mean over entries.

    The paper's E = |G - G*|^2 / (4 C^2 N^2), of Gram matrices that are not divided by N, is a quarter of the mean.

    Args:
        gram: Gram matrices (..., C, C).
        target: Gram matrices of the same shape.
        normalization: `relative` divides by |G*|^2, anything else by the number of entries.

    Returns:
        (...), float32.
    """
    squares = ops.square(gram - target)
    if normalization == "relative":
        return ops.sum(squares, (-2, -1)) / (ops.sum(ops.square(target), (-2, -1)) + TINY)
    return ops.mean(squares, (-2, -1))


# The covariance of a style that hardly varies (one position, a flat picture) is no measure of its own distance: its
# energy is taken to be at least this part of |m*|^4.
_FLATNESS = 0.01


def moment_loss(moments: Any, target: Any, normalization: str) -> Any:
    """Return the squared distance of means and covariances.

    |m - m*|^2 / |m*|^2 + |S - S*|^2 / (|S*|^2 + 0.01 |m*|^4)

    This departs from the paper. The direction of the mean holds most of a Gram matrix, and a Gram loss is small once
    the mean is right. With the mean taken out, the covariance gets a weight of its own: colours, and strokes that
    belong together.

    Args:
        moments: second moments (..., C + 1, C + 1): sums of `moment_sum` over N.
        target: second moments of the same shape.
        normalization: `relative`: the formula above; anything else divides by the number of entries instead.

    Returns:
        (...), float32.
    """
    mean_target, covariance_target = _mean_and_covariance(target)
    if normalization == "relative":
        energy = ops.sum(ops.square(mean_target), -1)
        spread = ops.sum(ops.square(covariance_target), (-2, -1)) + _FLATNESS * ops.square(energy)
        mean_scale, covariance_scale = 1 / (energy + TINY), 1 / (spread + TINY)
    else:
        channels = float(mean_target.shape[-1])
        mean_scale, covariance_scale = 1 / channels, 1 / channels**2

    # An own gradient: automatic differentiation passes over the large matrices several times more.
    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def loss(moments: Any) -> Any:
        mean, covariance = _mean_and_covariance(moments)
        mean_off, covariance_off = mean - mean_target, covariance - covariance_target
        squares = ops.sum(ops.square(mean_off), -1), ops.sum(ops.square(covariance_off), (-2, -1))

        def gradient(*given: Any, upstream: Any = None) -> Any:
            upstream = given[0] if upstream is None else upstream
            by_covariance = (2 * upstream * covariance_scale)[..., None, None] * covariance_off
            # S = (second moments) - m m': the covariance depends on the mean, too.
            by_mean = (2 * upstream * mean_scale)[..., None] * mean_off - 2 * ops.matmul(
                by_covariance, mean[..., None]
            )[..., 0]
            columns = ops.concatenate([by_covariance, by_mean[..., None]], -1)
            return ops.concatenate([columns, ops.zeros_like(columns[..., :1, :])], -2)

        return mean_scale * squares[0] + covariance_scale * squares[1], gradient

    return loss(moments)


def _mean_and_covariance(moments: Any) -> tuple[Any, Any]:
    """Split second moments (..., C + 1, C + 1) into means (..., C) and covariances (..., C, C)."""
    mean = moments[..., :-1, -1]
    return mean, moments[..., :-1, :-1] - mean[..., :, None] * mean[..., None, :]


def _second_moments(features: Any, weights: Any, with_sums: bool) -> Any:
    """Return F' diag(weights) F for features (1, h, w, C), with `with_sums` bordered by the sums over positions.

    The gradient is written by hand. By symmetry it is one matrix product with the features, where automatic
    differentiation takes two. The product runs in the features' precision; the statistics are always float32.
    """

    @ops.custom_gradient  # type: ignore[untyped-decorator]
    def moments(features: Any) -> Any:
        channels = features.shape[-1]
        exact = ops.cast(features, "float32")
        weighted = exact if weights is None else exact * weights[None, :, :, None]
        flat, exact_flat, weighted_flat = (ops.reshape(each, (-1, channels)) for each in (features, exact, weighted))
        second = ops.matmul(ops.transpose(weighted_flat), exact_flat)
        if with_sums:
            # Row by row: one long float32 sum loses digits, and covariances are small differences of such sums.
            sums = ops.sum(ops.sum(weighted, 2), (0, 1))
            count = ops.cast(ops.shape(flat)[0], "float32") if weights is None else ops.sum(weights)
            column = ops.concatenate([sums, ops.reshape(count, (1,))], 0)
            second = ops.concatenate([ops.concatenate([second, sums[None]], 0), column[:, None]], 1)

        def gradient(*given: Any, upstream: Any = None) -> Any:
            upstream = given[0] if upstream is None else upstream
            both = ops.cast(upstream + ops.transpose(upstream), features.dtype)
            slope = ops.matmul(flat, both[:channels, :channels])
            if with_sums:
                slope = slope + both[:channels, channels]
            slope = ops.reshape(slope, ops.shape(features))
            return slope if weights is None else slope * ops.cast(weights, slope.dtype)[None, :, :, None]

        return second, gradient

    return moments(features)

"""Losses of activations: content, Gram matrices, moments."""

from __future__ import annotations

from typing import Any

import numpy as np

from stylize.networks.backend import tf

__all__ = [
    "TINY",
    "content_scale",
    "gram_sum",
    "mean_and_covariance",
    "moment_loss",
    "moment_sum",
    "squared_distance",
    "style_loss",
]


def gram_sum(features: Any, guide: Any = None) -> Any:
    """Sum over positions of f f', of activations f (1, H, W, C): (C, C), float32.

    Over H W it is the Gram matrix of Gatys et al. 2015 (arXiv 1508.06576), equation 3, such that pictures of different
    sizes compare; sums of tiles add up. With a `guide`, weights of positions (H, W) that sum to 1, it is the guided
    Gram matrix of Gatys et al. 2017 (arXiv 1611.07865), equation 4, of a channel that is the root of these weights.
    """
    return _second_moments(features, guide, with_sums=False)


def content_scale(target: Any, normalization: str) -> Any:
    """What makes a sum of squared differences from an activation `target` the content loss.

    1 for the `sum` itself, one over their number for the `mean`, and one over |target|^2 for `relative`.
    """
    if normalization == "sum":
        return tf.constant(1.0)
    if normalization == "mean":
        return 1 / tf.cast(tf.size(target), tf.float32)
    if isinstance(target, np.ndarray):  # put together from tiles: row by row, as it is large
        energy = sum(float(np.square(row, dtype=np.float32).sum()) for row in target[0])
        return tf.constant(1 / (energy + TINY), tf.float32)
    return 1 / (tf.reduce_sum(tf.square(target)) + TINY)


def style_loss(gram: Any, target: Any, normalization: str) -> Any:
    """Squared distance of two Gram matrices (..., C, C): the mean over entries, or `relative` to |target|^2.

    With Gram matrices that are divided by their number of positions, the paper's E = 1/(4 C^2 M^2) |G - A|^2 is a
    quarter of the mean.
    """
    squares = tf.math.squared_difference(gram, target)
    if normalization == "relative":
        return tf.reduce_sum(squares, [-2, -1]) / (tf.reduce_sum(tf.square(target), [-2, -1]) + TINY)
    return tf.reduce_mean(squares, [-2, -1])


def moment_loss(moments: Any, target: Any, normalization: str) -> Any:
    """Squared distance of two activations' means and covariances, both out of second moments (..., C + 1, C + 1).

    Second moments are the Gram matrix of an activation with a channel of ones: they hold the mean, too. `relative`:
    |m - m*|^2 / |m*|^2 + |S - S*|^2 / |S*|^2; otherwise means over entries. One direction, the mean's, holds most of
    a plain Gram matrix, and is soon met; apart, the covariance gets its due: colours, and strokes that hang together.
    """
    mean_target, covariance_target = mean_and_covariance(target)
    if normalization == "relative":
        energy = tf.reduce_sum(tf.square(mean_target), -1)
        # Where a style hardly varies (one position, a flat picture), there is no covariance to be relative to.
        spread = tf.reduce_sum(tf.square(covariance_target), [-2, -1]) + _FLATNESS * tf.square(energy)
        of_mean, of_covariance = 1 / (energy + TINY), 1 / (spread + TINY)
    else:
        channels = tf.cast(tf.shape(mean_target)[-1], tf.float32)
        of_mean, of_covariance = 1 / channels, 1 / channels**2

    # With its own gradient: the matrices are large, and differentiation by parts goes over them again and again.
    @tf.custom_gradient
    def loss(moments: Any) -> Any:
        mean, covariance = mean_and_covariance(moments)
        mean_off, covariance_off = mean - mean_target, covariance - covariance_target
        squares = tf.reduce_sum(tf.square(mean_off), -1), tf.reduce_sum(tf.square(covariance_off), [-2, -1])

        def gradient(upstream: Any) -> Any:
            by_covariance = (2 * upstream * of_covariance)[..., None, None] * covariance_off
            # A covariance is the second moments less the mean's product with itself.
            by_mean = (2 * upstream * of_mean)[..., None] * mean_off - 2 * tf.linalg.matvec(by_covariance, mean)
            columns = tf.concat([by_covariance, by_mean[..., None]], -1)
            return tf.concat([columns, tf.zeros_like(columns[..., :1, :])], -2)

        return of_mean * squares[0] + of_covariance * squares[1], gradient

    return loss(moments)


def mean_and_covariance(moments: Any) -> tuple[Any, Any]:
    mean = moments[..., :-1, -1]
    return mean, moments[..., :-1, :-1] - mean[..., :, None] * mean[..., None, :]


_FLATNESS = 0.01

# An all-black target has no energy to be relative to.
TINY = 1e-8


def squared_distance(activation: Any, target: Any) -> Any:
    return tf.reduce_sum(tf.math.squared_difference(tf.cast(activation, tf.float32), target))


def moment_sum(features: Any, guide: Any = None) -> Any:
    """As `gram_sum` of the features with a channel of ones, without copying them."""
    return _second_moments(features, guide, with_sums=True)


def _second_moments(features: Any, guide: Any, with_sums: bool) -> Any:
    """Return F' diag(guide) F for features F (H W, C); `with_sums` bordered by its sums over positions, (C + 1, C + 1).

    With its own gradient: by symmetry one product with the features, where differentiation by parts takes two; in the
    features' precision, as it is a gradient of theirs, while statistics are always float32.
    """

    @tf.custom_gradient
    def moments(features: Any) -> Any:
        channels = features.shape[-1]
        flat = tf.reshape(features, [-1, channels])
        exact = tf.cast(flat, tf.float32)
        weights = None if guide is None else tf.reshape(guide, [-1, 1])
        weighted = exact if weights is None else exact * weights
        second = tf.matmul(weighted, exact, transpose_a=True)
        if with_sums:
            # Row by row: one long float32 sum loses the digits that covariances, differences, are made of.
            sums = tf.reduce_sum(tf.reduce_sum(tf.reshape(weighted, tf.shape(features)[1:]), 1), 0)
            count = tf.cast(tf.shape(flat)[0], tf.float32) if weights is None else tf.reduce_sum(weights)
            column = tf.concat([sums, [count]], 0)
            second = tf.concat([tf.concat([second, sums[None]], 0), column[:, None]], 1)

        def gradient(upstream: Any) -> Any:
            both = tf.cast(upstream + tf.transpose(upstream), features.dtype)
            slope = tf.matmul(flat, both[:channels, :channels])
            if with_sums:
                slope = tf.nn.bias_add(slope, both[:channels, channels])
            if weights is not None:
                slope *= tf.cast(weights, slope.dtype)
            return tf.reshape(slope, tf.shape(features))

        return second, gradient

    return moments(features)

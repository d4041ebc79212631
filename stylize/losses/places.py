"""The places loss: every place of the picture is to look like some place of the style.

This loss is made of distances between places: the relaxed earth mover's distance of Kolkin et al. 2019 (arXiv
1904.12785), as in the last pass of Kolkin et al. 2022 (arXiv 2203.13215).

Symbols, for one layer:

    f_p   activation of the picture at position p, less mu
    s_j   J activations of the style, evenly spread, less mu, at unit length
    mu    mean of the style's activations
    c_j   price of s_j
    g_p   weight of position p, with a sum of 1

    places(x) = sum_p  g_p  min_j ( 1 - cos(f_p, s_j) + c_j )

Without prices, a dark photo would be painted with the style's few dark places alone. With the prices of an optimal
transport from the places of the picture to those of the style, all places of the style are asked for about equally
often. Prices come from the picture at the start of a level and stay, so that the loss remains a sum over positions: the
semi-dual of Genevay et al. 2016 (arXiv 1605.08527).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylize.losses.features import TINY
from stylize.networks.backend import Array, array_of, framework, ops

__all__ = ["PRICED_PLACES", "STYLE_PLACES", "StylePlaces", "evenly_spread", "joined_places", "places_sum", "prices"]

#: The most places that are taken of a style.
STYLE_PLACES = 1024
#: The most places of the picture that prices come from. From a quarter of them, prices kept a dark river less well.
PRICED_PLACES = 4096
# Places of a block, whose distances from all places of the style take 16 MB in float32. TensorFlow may have ten blocks
# at work at the same time.
_SEARCHED = 4096


class StylePlaces(NamedTuple):
    """What the loss compares one region of a picture with, at one layer.

    Attributes:
        directions: s, (J, C).
        mean: mu, (C,).
        prices: c, (J,), with a mean of 0.
    """

    directions: Array
    mean: Array
    prices: Array


def evenly_spread(height: int, width: int, most: int) -> tuple[slice, slice]:
    """Return rows and columns of at most `most` places of an activation of (height, width), evenly spread."""
    step = 1
    while -(-height // step) * -(-width // step) > most:
        step += 1
    return slice(step // 2 if step <= height else 0, height, step), slice(
        step // 2 if step <= width else 0, width, step
    )


def joined_places(styles: Sequence[tuple[NDArray[np.float32], float]]) -> StylePlaces:
    """Return the places of several styles together: of each style as many as its weight says.

    Args:
        styles: activations (J, C) and a weight for each style, not all 0. A style of weight 0 gives no place.
    """
    styles = [(each, weight) for each, weight in styles if weight > 0]
    total = sum(weight for _, weight in styles)
    most = max(len(each) for each, _ in styles)
    parts = []
    for each, weight in styles:
        count = min(len(each), max(1, round(most * weight / total)))
        parts.append(each[np.linspace(0, len(each) - 1, count).round().astype(int)])
    mean = sum(weight / total * each.mean(0) for each, weight in styles)
    centered = np.concatenate(parts) - mean
    directions = centered / (np.linalg.norm(centered, axis=1, keepdims=True) + TINY)
    return StylePlaces(array_of(directions), array_of(mean), array_of(np.zeros(len(directions))))


def places_sum(features: Array, style: StylePlaces, weights: Array | None = None) -> Array:
    """Sum the loss over positions.

    Args:
        features: activations (1, h, w, C), float32 or bfloat16; the search for the nearest place runs in this
            precision.
        style: the places to look like.
        weights: g, (h, w), or None for 1 everywhere.

    Returns:
        A scalar, float32.
    """
    directions = _directions(ops.reshape(features, (-1, features.shape[-1])), style.mean)
    near = _nearest(ops.stop_gradient(directions), style, features.dtype)
    alike = ops.sum(directions * ops.take(style.directions, near, axis=0), 1)
    distances = 1 - alike + ops.take(style.prices, near)
    return ops.sum(distances if weights is None else distances * ops.reshape(weights, (-1,)))


def _directions(activations: Array, mean: Array) -> Array:
    """Return activations (n, C) less the mean, at unit length, float32."""
    centered = ops.cast(activations, "float32") - mean
    return centered * ops.rsqrt(ops.sum(ops.square(centered), 1, keepdims=True) + TINY)


def _nearest(directions: Array, style: StylePlaces, dtype: Any) -> Array:
    """Return for each place the index of the style's place with the smallest distance plus price, (n,)."""
    # The price is one more coordinate: a subtraction from the products would copy the largest array of the step.
    ours = ops.concatenate([directions, ops.ones_like(directions[:, :1])], 1)
    theirs = ops.transpose(ops.cast(ops.concatenate([style.directions, -style.prices[:, None]], 1), dtype))
    count = ops.shape(ours)[0]
    blocks = (count + _SEARCHED - 1) // _SEARCHED
    rows = (count + blocks - 1) // blocks
    ours = ops.pad(ops.cast(ours, dtype), ((0, blocks * rows - count), (0, 0)))
    near = ops.map(
        lambda block: framework.argmax(ops.matmul(block, theirs)), ops.reshape(ours, (blocks, rows, ours.shape[-1]))
    )
    return ops.reshape(near, (-1,))[:count]


# The entropies of the transport, as distances, and the rounds at each. A large entropy finds large prices in few
# rounds, a small one makes the shares equal.
_ENTROPIES = (0.2, 0.1, 0.05, 0.02)
_ROUNDS = 10
# Keeps divisions finite where nothing goes to a place. Far below any sum of the plan's kernel.
_LEAST = 1e-30


def prices(activations: Array, weights: Array, style: StylePlaces) -> Array:
    """Return the prices at which places of a picture go equally often to all places of the style.

    Sinkhorn's iteration for the optimal transport with entropy (Cuturi 2013, arXiv 1306.0895).

    Args:
        activations: of the picture's places, (n, C).
        weights: of the picture's places, (n,).
        style: the places of the style; their prices are not used.

    Returns:
        (J,), with a mean of 0.
    """
    distances = 1 - ops.matmul(_directions(activations, style.mean), ops.transpose(style.directions))
    ours, count = weights[:, None], ops.cast(ops.shape(style.prices)[0], "float32")
    found = ops.zeros_like(style.prices)
    for entropy in _ENTROPIES:
        # Each row is scaled by its smallest cost; the scale has no influence on the prices.
        costs = distances + found
        kernel = ops.exp((ops.min(costs, 1, keepdims=True) - costs) / entropy)
        back, scale = ops.transpose(kernel), ops.ones_like(found)[:, None]
        for _ in range(_ROUNDS):
            rows = ours / (ops.matmul(kernel, scale) + _LEAST)
            scale = 1 / (count * ops.matmul(back, rows) + _LEAST)
        found = found - entropy * ops.log(scale[:, 0])
        found = found - ops.mean(found)
    return found

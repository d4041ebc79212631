"""Where the style loss looks: regions that masks make, and octaves (the picture at full, half, quarter size, ...)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.config import SMALLEST_PX
from stylize.losses.features import TINY
from stylize.networks.backend import array_of, numpy_of, ops

__all__ = ["Regions", "count_octaves", "masked_regions", "octave_pyramid", "region_count", "whole_picture"]

# Each octave weighs half as much as the next larger one. With equal weights, fine strokes and content are lost
# (benchmarks/notes/021).
_OCTAVE_DECAY = 0.5
# Regions that cover fewer positions of a layer, and less than half of all positions, are left out there: so few
# activations do not determine a Gram matrix.
_FEWEST_POSITIONS = 4


@dataclass(frozen=True, eq=False)
class Regions:
    """The R regions of a picture in which style is compared; without masks one region, the whole picture.

    Attributes:
        position_weights: for each octave, by layer, (R, h, w): weights of positions, of which each region's sum is 1.
            Empty mappings for the whole picture, whose positions all count alike.
        shares: for each octave, by layer, (R,): how much each region's loss counts. Shares are q in the equation of
            `stylize.losses.objective`; 0 where a region has too few positions.
        masks: each region's pixels, (H, W) in [0, 1]; empty for the whole picture.
        areas: how much each region's palette counts, a in the equation, (R,).
    """

    position_weights: Sequence[Mapping[str, Any]]
    shares: Sequence[Mapping[str, Any]]
    masks: Sequence[Any]
    areas: Any

    @property
    def octaves(self) -> int:
        """How many octaves are computed."""
        return len(self.position_weights)


def whole_picture(layers: Sequence[str], octaves: int, compared: int) -> Regions:
    """Return the one region of a picture without masks.

    Args:
        layers: the style layers.
        octaves: how many octaves are computed.
        compared: how many of these count, the largest ones.
    """
    counts = _octave_counts(octaves, compared)
    shares = [array_of([count / sum(counts)]) for count in counts]
    return Regions([{}] * octaves, [dict.fromkeys(layers, share) for share in shares], [], array_of([1.0]))


def masked_regions(masks: NDArray[np.float32], octaves: int, strides: Mapping[str, int], compared: int) -> Regions:
    """Return the regions that masks make.

    A region counts by its part of the painted area, and all regions together by the painted part of the picture. The
    content loss and the total variation are of the whole picture: they keep their balance with the style.

    Args:
        masks: (R, H, W) in [0, 1], none of them 0 everywhere.
        octaves: how many octaves are computed.
        strides: the style layers, and for each its pixels between two positions.
        compared: how many of these octaves count, the largest ones.
    """
    of_octaves = _octave_counts(octaves, compared)
    areas = masks.sum(axis=(1, 2)) / masks.sum() * masks.any(axis=0).mean()
    weights: list[dict[str, Any]] = []
    counts: list[dict[str, NDArray[np.float64]]] = []
    for octave, plane in enumerate(octave_pyramid(array_of(masks[..., None]), octaves)):
        weights.append({})
        counts.append({})
        for name, stride in strides.items():
            guides = numpy_of(block_means(plane, stride)[..., 0])
            sums, positions = guides.sum(axis=(1, 2)), math.prod(guides.shape[1:])
            fewest = masks.max(axis=(1, 2)) * min(_FEWEST_POSITIONS, positions / 2)
            counted = (sums > 0) & (sums >= fewest)
            scale = counted / np.where(counted, sums, 1)
            weights[-1][name] = array_of(guides * scale[:, None, None])
            counts[-1][name] = counted * of_octaves[octave]
    totals = {name: np.sum([each[name] for each in counts], axis=0) for name in strides}
    shares = [
        {name: array_of(areas * each[name] / np.maximum(totals[name], TINY)) for name in totals} for each in counts
    ]
    return Regions(weights, shares, [array_of(mask) for mask in masks], array_of(areas))


def _octave_counts(octaves: int, compared: int) -> list[float]:
    """Return how much each octave counts relative to the first."""
    return [_OCTAVE_DECAY**octave if octave < compared else 0.0 for octave in range(octaves)]


def octave_pyramid(image: Any, count: int) -> Iterator[Any]:
    """Yield `image` (N, H, W, C) at full, half, quarter size and so on, `count` sizes; each is a 2 x 2 mean.

    Where this would be too small for the network, the size before is repeated.
    """
    for octave in range(count):
        if octave:
            image = _halved(image)
        yield image


def _halved(image: Any) -> Any:
    height, width = ops.shape(image)[1:3]
    if isinstance(height, int) and isinstance(width, int):
        return block_means(image, 2) if min(height, width) // 2 >= SMALLEST_PX else image
    # In a graph of TensorFlow for any size.
    large_enough = ops.minimum(height, width) // 2 >= SMALLEST_PX
    return ops.cond(large_enough, lambda: block_means(image, 2), lambda: image)


def block_means(image: Any, side: int) -> Any:
    """Return the means of squares of side x side px, (N, H // side, W // side, C), of pictures (N, H, W, C)."""
    return ops.average_pool(image, side, side, "valid", data_format="channels_last")


def count_octaves(most: int, *pictures: Any) -> int:
    """Return how many octaves, `most` at most, leave all of `pictures` (1, H, W, 3) large enough for the network."""
    smallest: int = min(min(picture.shape[1:3]) for picture in pictures)
    return 1 + sum(smallest >> octave >= SMALLEST_PX for octave in range(1, most))


def region_count(position_weights: Mapping[str, Any]) -> int | None:
    """Return how many masked regions an octave's weights are of; None for the whole picture."""
    return len(next(iter(position_weights.values()))) if position_weights else None

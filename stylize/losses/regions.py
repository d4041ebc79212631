"""Where the style loss looks: regions and octaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylize.networks.backend import tf

__all__ = ["FEWEST_POSITIONS", "OCTAVE_SHARE", "Guidance", "octave_pyramid"]

# Of fewer positions, and less than half of all there are, a Gram matrix tells nothing of a region.
FEWEST_POSITIONS = 4

# Alike, octaves take the finest strokes and the scene; a half leaves long strokes enough (benchmarks/README.md).
OCTAVE_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Guidance:
    """Where the style loss looks: the R regions of a picture, or all of it as one; by layer name, for each octave."""

    weights: Sequence[Mapping[str, Any]]
    """Of positions, (R, h, w), each region's sum to 1; nothing by name where all positions count alike."""
    shares: Sequence[Mapping[str, Any]]
    """(R,), how much each region's loss counts: 0 where it has too few positions to tell."""
    masks: Sequence[np.ndarray | None] = (None,)
    """Each region's pixels, (H, W); None where all count alike."""
    areas: Sequence[float] = (1.0,)
    """How much each region's palette counts."""


def octave_pyramid(image: Any, count: int) -> Iterator[Any]:
    """Yield the picture at full, half, quarter size..."""
    for octave in range(count):
        if octave:
            image = tf.nn.avg_pool2d(image, 2, 2, "VALID")
        yield image

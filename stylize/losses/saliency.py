"""Where a viewer looks first: there the content loss counts more.

A feature network's deepest layers react to heads, faces, the tower above the roofs and other things that stand out.
Let e(p) be the energy |F(p)|^2 of the deepest layer that the loss looks at, for the content at 256 px. Then each
position of a content layer counts

    s(p) = 1 + saliency * min(4, max(0, e(p) / mean(e) - 1))

times. Between the positions of the deepest layer, s is interpolated linearly. Without it, a face in strokes has creases
around the mouth, or a ring around an eye: to the content loss a face is no more than as many positions of a wall.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.images.resizing import resampled
from stylize.losses.features import TINY
from stylize.networks.backend import array_of

__all__ = ["saliency_of", "small_version"]

# Without a bound, the largest face alone would make most of the content loss.
_MOST = 4.0
# Long side of the small version. Larger, the network would see parts of a face where it sees the face.
_SMALL_PX = 256
# Pixels between two positions of the deepest layer, at most: on this grid, its positions cover the whole version.
_GRID_PX = 16


def small_version(content: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return a picture (1, H, W, 3) at 256 px, enlarged if it is smaller: (1, h, w, 3), h and w multiples of 16."""
    scale = _SMALL_PX / max(content.shape[1:3]) / _GRID_PX
    height, width = (max(1, round(side * scale)) * _GRID_PX for side in content.shape[1:3])
    return resampled(content[0], height, width, Image.Resampling.BILINEAR)[None]


def saliency_of(energies: NDArray[np.float32], strength: float, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return how much the positions of each content layer count.

    Args:
        energies: e, (n, m).
        strength: `saliency` of the formula, 0 or more.
        sizes: by content layer, height and width of its activation.

    Returns:
        By layer, s (1, height, width, 1), at least 1.
    """
    saliency = 1 + strength * np.clip(energies / (energies.mean() + TINY) - 1, 0, _MOST)
    return {
        name: array_of(resampled(saliency, height, width, Image.Resampling.BILINEAR)[None, ..., None])
        for name, (height, width) in sizes.items()
    }

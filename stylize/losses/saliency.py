"""Where a viewer looks first: there the content loss counts more.

A feature network's deepest layers react to heads, faces, the tower above the roofs and other things that stand out.
Let e(p) be the energy |F(p)|^2 of the deepest layer that the loss looks at, for the content at 256 px, and

    r(p) = 1 + saliency * min(4, max(0, e(p) / mean(e) - 1)).

Then that part of the picture counts s(p) = r(p) / mean(r) times in the content loss. The mean of s is 1: what
counts more on a face counts less elsewhere. Between the positions of the deepest layer, s is interpolated linearly.

Without saliency, a face in strokes has creases around the mouth, or a ring around an eye: to the content loss a face is
no more than as many positions of a wall.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.images.resizing import resampled
from stylize.losses.features import TINY

__all__ = ["at_size", "saliency_of", "small_version"]

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


def saliency_of(energies: NDArray[np.float32], strength: float) -> NDArray[np.float32]:
    """Return s, (n, m), of energies e (n, m); `strength` is `saliency` of the formula, 0 or more."""
    raised = 1 + strength * np.clip(energies / (energies.mean() + TINY) - 1, 0, _MOST)
    saliency: NDArray[np.float32] = raised / raised.mean()
    return saliency


def at_size(saliency: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Return s (n, m) for each pixel of a picture, (height, width)."""
    return resampled(saliency, height, width, Image.Resampling.BILINEAR)

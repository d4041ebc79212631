"""Where a viewer looks first: there the content loss counts more.

A feature network's deepest layers react to heads, faces, the tower above the roofs and other things that stand out.
Let e(p) be the energy |F(p)|^2 of the deepest layer that the loss looks at, for the content halved to less than 512 px.
Then each position of a content layer counts

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
from stylize.losses.regions import count_octaves, octave_pyramid
from stylize.networks.backend import array_of

__all__ = ["saliency_of", "small_version"]

# Without a bound, the largest face alone would make most of the content loss.
_MOST = 4.0
# Larger, the network sees parts of a face where it saw the face.
_LARGE_PX = 512


def small_version(content: Any) -> Any:
    """Halve a picture (1, H, W, 3) until the long side is below 512 px, or the short side would be below 16 px."""
    halvings = (max(content.shape[1:3]) // _LARGE_PX).bit_length()
    *_, small = octave_pyramid(content, count_octaves(1 + halvings, content))
    return small


def saliency_of(energies: NDArray[np.float32], strength: float, sizes: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return how much the positions of each content layer count.

    Args:
        energies: e, (n, m).
        strength: `saliency` in the formula, 0 or more.
        sizes: by content layer, height and width of its activation.

    Returns:
        By layer, s (1, height, width, 1), at least 1.
    """
    saliency = 1 + strength * np.clip(energies / (energies.mean() + TINY) - 1, 0, _MOST)
    return {
        name: array_of(resampled(saliency, height, width, Image.Resampling.BILINEAR)[None, ..., None])
        for name, (height, width) in sizes.items()
    }

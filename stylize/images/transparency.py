"""Colours for transparent pixels, taken from the nearest visible pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.images.resizing import resampled

__all__ = ["fill_hidden_colors"]

# Pixels with less alpha than 1 / _FADE are nearly invisible, and 8-bit files often round their colours away:
# below this limit the own colour fades into the colour of the neighbours.
_FADE = 16


def fill_hidden_colors(pixels: NDArray[np.float32], alpha: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give transparent pixels the colours of the nearest visible pixels.

    Without this step, hidden colours would leak into the visible part as a halo when the picture is resized.

    Args:
        pixels: float32 (H, W, 3), [0, 1].
        alpha: float32 (H, W), [0, 1], not 0 everywhere.

    Returns:
        float32 (H, W, 3), [0, 1]. Pixels with an alpha of 1/16 or more keep their colours.
    """
    fade = np.clip(alpha * _FADE, 0, 1)
    return _pull_push(pixels, fade * fade * (3 - 2 * fade))


def _pull_push(pixels: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spread the colours of weight 1 smoothly into the pixels of weight 0; near colours count most.

    Pull-push algorithm (Gortler et al. 1996, "The Lumigraph"): compute weighted averages over larger and larger
    squares. Each pixel takes the average of the smallest square that contains a visible pixel.

    Args:
        pixels: float32 (H, W, 3).
        weight: float32 (H, W), [0, 1], not 0 everywhere.
    """
    height, width = weight.shape
    if weight.min() >= 1 or height * width == 1:
        return pixels
    premultiplied = np.dstack([pixels * weight[..., None], weight])
    even = np.pad(premultiplied, ((0, height % 2), (0, width % 2), (0, 0)))
    squares = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    total = squares[..., 3]
    colors = squares[..., :3] / np.maximum(total, np.finfo(np.float32).tiny)[..., None]
    coarse = _pull_push(colors, np.minimum(total, 1))
    fill = resampled(coarse, even.shape[0], even.shape[1], Image.Resampling.BILINEAR)[:height, :width]
    filled: NDArray[np.float32] = fill + (pixels - fill) * weight[..., None]
    return filled

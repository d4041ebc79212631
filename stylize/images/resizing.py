"""Sizes of pictures: resampling, and detail that a smaller version lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np
from PIL import Image

from stylize.errors import OptionError
from stylize.images.picture import Picture

__all__ = ["resampled", "resized", "size_for_long_side", "with_change_of"]

_PictureOrArray = TypeVar("_PictureOrArray", Picture, np.ndarray)


def resized(picture: _PictureOrArray, height: int, width: int) -> _PictureOrArray:
    """Resample to `height` x `width` px with an antialiased Lanczos filter, on floats, clipped to [0, 1].

    A `Picture` keeps its transparency without a halo, as its hidden colours are filled.

    Args:
        picture: a `Picture`, or float (H, W) or (H, W, C) in [0, 1]; the same kind is returned.
        height: in px, at least 1.
        width: in px, at least 1.

    Raises:
        OptionError: the size is below 1 px.
    """
    if height < 1 or width < 1:
        raise OptionError(f"expected a size of at least 1 x 1 px, received {width} x {height}")
    if isinstance(picture, Picture):
        alpha = None if picture.alpha is None else resized(picture.alpha, height, width)
        return replace(picture, pixels=resized(picture.pixels, height, width), alpha=alpha)
    sampled = resampled(picture, height, width, Image.Resampling.LANCZOS)
    return np.clip(sampled, 0, 1, out=sampled)


def resampled(array: np.ndarray, height: int, width: int, kernel: Image.Resampling) -> np.ndarray:
    """float32 (H, W) or (H, W, C) to (height, width[, C])."""
    if array.shape[:2] == (height, width):
        return array.astype(np.float32)
    if array.ndim == 3:
        sampled = np.empty((height, width, array.shape[2]), np.float32)
        for c in range(array.shape[2]):
            sampled[..., c] = resampled(array[..., c], height, width, kernel)
        return sampled
    plane = Image.fromarray(np.ascontiguousarray(array, np.float32))
    return np.array(plane.resize((width, height), kernel))


def size_for_long_side(height: int, width: int, long_side_px: int) -> tuple[int, int]:
    """The (height, width) in px whose longer side is `long_side_px`, aspect kept, at least 1 px a side.

    Raises:
        OptionError: a size is below 1 px.
    """
    if min(height, width, long_side_px) < 1:
        raise OptionError(
            f"expected sizes of at least 1 px, received {width} x {height} for a long side of {long_side_px}"
        )
    scale = long_side_px / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def with_change_of(content: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The content with what a smaller version of it went through, enlarged linearly: sharp, at little memory.

    Args:
        content: float32 (H, W, 3) in [0, 1].
        before: the content at a smaller size, float32 (h, w, 3) in [0, 1].
        after: what became of that, shape and range alike; returned as it is where it is no smaller.

    Returns:
        float32 (H, W, 3) in [0, 1].
    """
    if after.shape == content.shape:
        return after
    height, width = content.shape[:2]
    changed = resampled(after - before, height, width, Image.Resampling.BILINEAR)
    changed += content
    return np.clip(changed, 0, 1, out=changed)

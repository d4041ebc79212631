"""Sizes of pictures: resampling, margins, and changes of a small version laid over the large picture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.errors import ImageError, OptionError
from stylize.images.picture import Picture
from stylize.output import LARGEST_PX, relative_size

__all__ = [
    "long_side_of",
    "resampled",
    "resized",
    "size_for_long_side",
    "with_change_of",
    "with_margin",
    "without_margin",
]

_PictureOrArray = TypeVar("_PictureOrArray", Picture, NDArray[np.float32])


def resized(picture: _PictureOrArray, height: int, width: int) -> _PictureOrArray:
    """Resample a picture with an antialiased Lanczos filter, on floats, clipped to [0, 1].

    A `Picture` keeps its transparency. Its hidden colours are filled already, so no halo appears.

    Args:
        picture: A `Picture`, or float (H, W) or (H, W, C) in [0, 1].
        height: In px, at least 1.
        width: In px, at least 1.

    Returns:
        The same kind as `picture`; arrays are float32 copies, (height, width) or (height, width, C).

    Raises:
        OptionError: The size is below 1 px.
    """
    if height < 1 or width < 1:
        raise OptionError(f"expected a size of at least 1 x 1 px, received {width} x {height}")
    if isinstance(picture, Picture):
        alpha = None if picture.alpha is None else resized(picture.alpha, height, width)
        return replace(picture, pixels=resized(picture.pixels, height, width), alpha=alpha)
    sampled = resampled(picture, height, width, Image.Resampling.LANCZOS)
    return np.clip(sampled, 0, 1, out=sampled)


def resampled(
    array: NDArray[np.floating[Any]], height: int, width: int, kernel: Image.Resampling
) -> NDArray[np.float32]:
    """Resample an array without clipping the result.

    Args:
        array: float (H, W) or (H, W, C).
        height: In px, at least 1.
        width: In px, at least 1.
        kernel: Pillow's filter.

    Returns:
        float32 (height, width) or (height, width, C), always a copy.
    """
    if array.shape[:2] == (height, width):
        return array.astype(np.float32)
    if array.ndim == 3:
        sampled = np.empty((height, width, array.shape[2]), np.float32)
        for c in range(array.shape[2]):
            sampled[..., c] = resampled(array[..., c], height, width, kernel)
        return sampled
    plane = Image.fromarray(np.ascontiguousarray(array, np.float32))
    return np.array(plane.resize((width, height), kernel))


def long_side_of(size: int | str, full_px: int) -> int:
    """Compute the long side of an output.

    Args:
        size: A long side in px, `original`, or percent such as `200%`; see `FastConfig`.
        full_px: The long side of the content in px.

    Returns:
        The long side in px, at least 1.

    Raises:
        ImageError: The content is too large for percent of it.
    """
    relative = relative_size(size)
    if relative is None:
        return int(size)
    long_side_px = max(1, round(full_px * relative))
    if long_side_px > LARGEST_PX:
        raise ImageError(
            f"size: expected a long side of up to {LARGEST_PX} px, received {size} of {full_px} px, "
            f"{long_side_px} px; choose a smaller size"
        )
    return long_side_px


def size_for_long_side(height: int, width: int, long_side_px: int) -> tuple[int, int]:
    """Compute the size with a given longer side and the same aspect ratio.

    Args:
        height: In px, at least 1.
        width: In px, at least 1.
        long_side_px: The longer side of the result in px, at least 1.

    Returns:
        Height and width in px, each at least 1.

    Raises:
        OptionError: A size is below 1 px.
    """
    if min(height, width, long_side_px) < 1:
        raise OptionError(
            f"expected sizes of at least 1 px, received {width} x {height} for a long side of {long_side_px}"
        )
    scale = long_side_px / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def with_change_of(
    content: NDArray[np.float32], before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Apply to a large picture the change that a small version of it went through.

    The change is enlarged linearly and added. The result keeps the fine detail of the large picture.

    Args:
        content: The large picture, float32 (H, W, 3) in [0, 1].
        before: The small version before the change, float32 (h, w, 3) in [0, 1].
        after: The small version after the change, float32 (h, w, 3) in [0, 1].

    Returns:
        float32 (H, W, 3) in [0, 1]; `after` itself if it has the size of `content`.
    """
    if after.shape == content.shape:
        return after
    height, width = content.shape[:2]
    changed = resampled(after - before, height, width, Image.Resampling.BILINEAR)
    changed += content
    return np.clip(changed, 0, 1, out=changed)


def with_margin(array: NDArray[np.float32], margin_px: int, axis: int = 0) -> NDArray[np.float32]:
    """Continue a picture beyond its borders, mirrored.

    Args:
        array: float32 (..., H, W, ...).
        margin_px: Width of the margin at each border, in px.
        axis: Axis of H; W follows.

    Returns:
        `array` with 2 * `margin_px` more rows and columns; `array` itself where there is no margin.
    """
    if not margin_px:
        return array
    widths = [(margin_px, margin_px) if each in (axis, axis + 1) else (0, 0) for each in range(array.ndim)]
    return np.pad(array, widths, mode="symmetric")


def without_margin(pixels: NDArray[np.float32], margin_px: int) -> NDArray[np.float32]:
    """Cut the margin of `with_margin` off a picture (H, W, 3). Returns a view."""
    return pixels[margin_px : pixels.shape[0] - margin_px, margin_px : pixels.shape[1] - margin_px]

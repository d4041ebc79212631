"""Where to paint: pictures to masks, and paintings through masks into one picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from stylize.config import check_mask_count
from stylize.errors import ImageError, OptionError
from stylize.images.picture import ImageSource, Picture
from stylize.images.reading import read_image
from stylize.images.resizing import size_for_long_side

__all__ = ["MaskSource", "Masks"]

MaskSource = ImageSource | Sequence[ImageSource]

# How much longer or shorter a side may be than the content's shape asks for.
_TOLERANCE = 0.02
# What has to be left of a mask's white at the output's size: of less, an eye sees nothing.
_LEAST = 0.1


@dataclass(frozen=True, eq=False)
class Masks:
    """One mask for all styles, or one for each: white is painted, black stays the photograph, grey blends."""

    pictures: tuple[Picture, ...]
    """As they were read, of any size."""
    planes: np.ndarray
    """The masks at the output's size, float32 (masks, H, W) in [0, 1]."""
    weights: tuple[float, ...]
    """By which styles are blended where their masks overlap."""

    @staticmethod
    def read(
        source: MaskSource,
        style_weights: Sequence[float],
        content_size: tuple[int, int],
        size: tuple[int, int],
    ) -> Masks | None:
        """Read the masks of a content of `content_size` for an output of `size` (height, width); None without any.

        A mask is a picture's transparency where it has some, else its luminance.
        Raises ImageError for a mask that is unreadable, black (at the output's size, too), or of another shape,
        OptionError as `check_mask_count`.
        """
        sources: Sequence[Any] = source if isinstance(source, (list, tuple)) else [source]
        check_mask_count(len(sources), len(style_weights))
        if not sources:
            return None
        if len(sources) > 1 and min(style_weights) == 0:
            raise OptionError("style weights: expected more than 0 of styles with masks of their own")
        pictures = tuple(read_image(each, name="mask", long_side_px=max(size)) for each in sources)
        for picture in pictures:
            _check(picture, content_size)
        drawn = [_plane(picture) for picture in pictures]
        planes = _resized(drawn, *size)
        for picture, before, plane in zip(pictures, drawn, planes, strict=True):
            if plane.max() < _LEAST * before.max():
                raise ImageError(
                    f"{_label(picture)}: nothing of its white is left at {size[1]} x {size[0]} px: "
                    "choose a larger --size, or paint more of it white"
                )
        return Masks(pictures, planes, tuple(style_weights) if len(pictures) > 1 else (1.0,))

    def at(self, height: int, width: int, *, grey: bool = True) -> np.ndarray:
        """How much each mask's styles are painted, float32 (masks, height, width) in [0, 1]; sums are 1 at most.

        Without `grey`, sums are 0 or 1: what is painted at all is painted in full.
        """
        masks = _resized(self.planes, height, width)
        parts = masks * np.array(self.weights, np.float32)[:, None, None]
        total = parts.sum(axis=0)
        shares: np.ndarray = parts / np.where(total > 0, total, 1)
        return shares * np.minimum(masks.sum(axis=0), 1) if grey else shares

    def composite(self, photo: np.ndarray, paintings: Sequence[np.ndarray], *, grey: bool = True) -> np.ndarray:
        """Lay paintings, one a mask or one for all, over the photo through the masks; all are float32 (H, W, 3)."""
        masks = self.at(*photo.shape[:2], grey=grey)[..., None]
        if len(paintings) == 1:
            masks = masks.sum(axis=0, keepdims=True)
        whole = (1 - masks.sum(axis=0)) * photo
        for mask, painting in zip(masks, paintings, strict=True):
            whole += mask * painting
        return np.clip(whole, 0, 1)


def _plane(picture: Picture) -> np.ndarray:
    """The mask that a picture is, float32 (H, W)."""
    if picture.alpha is not None:
        return picture.alpha
    red, green, blue = np.moveaxis(picture.pixels, 2, 0)
    # Luma of ITU-R BT.601, written so that greys come out as they are.
    return np.ascontiguousarray(red + 0.587 * (green - red) + 0.114 * (blue - red), np.float32)


def _resized(planes: Iterable[np.ndarray], height: int, width: int) -> np.ndarray:
    # Unlike Lanczos', this filter does not ring: what is black stays black.
    images = [Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR) for plane in planes]
    return np.clip(np.stack([np.asarray(image) for image in images]), 0, 1)


def _label(mask: Picture) -> str:
    return "mask" if mask.path is None else f"mask {mask.path}"


def _check(mask: Picture, content_size: tuple[int, int]) -> None:
    label = _label(mask)
    height, width = mask.full_size or (mask.height, mask.width)
    long_side = max(height, width)
    expected = size_for_long_side(*content_size, long_side)
    if max(abs(expected[0] - height), abs(expected[1] - width)) > max(1, _TOLERANCE * long_side):
        raise ImageError(
            f"{label}: expected about {content_size[1]}:{content_size[0]}, the content's shape, "
            f"received {width} x {height} px; draw it over the content"
        )
    if not _plane(mask).any():
        raise ImageError(f"{label}: expected white where to paint, received a picture that is black throughout")

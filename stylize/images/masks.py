"""Masks: which part of the content each style paints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.config import check_mask_count
from stylize.errors import ImageError, OptionError
from stylize.images.color import LUMA
from stylize.images.picture import ImageSource, Picture
from stylize.images.reading import read_image
from stylize.images.resizing import size_for_long_side
from stylize.text import one_line

__all__ = ["MaskSource", "Masks"]

#: One mask for all styles, or one mask for each style.
MaskSource = ImageSource | Sequence[ImageSource]

# How far a side of a mask may differ from the side that the content's shape gives: masks drawn in another program may
# be rounded. A share of the longer side.
_SHAPE_TOLERANCE = 0.02

# The share of a mask's brightest value that must remain at the output's size. Less is invisible in the picture.
_MIN_REMAINING = 0.1


@dataclass(frozen=True, eq=False)
class Masks:
    """One mask for all styles, or one mask for each style.

    White is painted, black stays the photograph, and grey blends the two.

    Attributes:
        pictures: The masks as read, of any size.
        planes: The masks at the output's size, float32 (masks, H, W) in [0, 1].
        weights: The weight of each mask's style where masks overlap.
    """

    pictures: tuple[Picture, ...]
    planes: NDArray[np.float32]
    weights: tuple[float, ...]

    @staticmethod
    def read(
        source: MaskSource,
        style_weights: Sequence[float],
        content_size: tuple[int, int],
        size: tuple[int, int],
    ) -> Masks | None:
        """Read masks. A mask is the alpha channel of a picture that has one, else the luma.

        Args:
            source: One picture or several; an empty sequence for no mask.
            style_weights: The weights of the styles, one for each style.
            content_size: Height and width of the content in px.
            size: Height and width of the output in px.

        Returns:
            The masks, or None for an empty sequence.

        Raises:
            ImageError: A mask is unreadable, black or transparent (also at the output's size), or of another shape.
            OptionError: The number of masks fits neither one nor the number of styles, or a style with its own mask
                has the weight 0.
        """
        sources: Sequence[Any] = source if isinstance(source, (list, tuple)) else [source]
        check_mask_count(len(sources), len(style_weights))
        if not sources:
            return None
        if len(sources) > 1 and min(style_weights) == 0:
            raise OptionError("style: expected weights over 0 for styles with their own masks")
        pictures = tuple(read_image(each, name="mask", long_side_px=max(size)) for each in sources)
        for picture in pictures:
            _check(picture, content_size)
        full_planes = [_plane(picture) for picture in pictures]
        planes = _resized(full_planes, *size)
        for picture, full_plane, plane in zip(pictures, full_planes, planes, strict=True):
            if plane.max() < _MIN_REMAINING * full_plane.max():
                raise ImageError(
                    f"{_label(picture)}: nothing of its white is left at {size[1]} x {size[0]} px: "
                    "choose a larger size, or paint more of it white"
                )
        return Masks(pictures, planes, tuple(style_weights) if len(pictures) > 1 else (1.0,))

    def at(self, height: int, width: int, *, grey: bool = True) -> NDArray[np.float32]:
        """Compute how much each mask's styles are painted.

        Args:
            height: In px.
            width: In px.
            grey: Whether grey parts are painted in part. If false, everything that is not black is painted in full.

        Returns:
            float32 (masks, height, width) in [0, 1]. The sum over the masks is at most 1; without `grey` 0 or 1.
        """
        masks = _resized(self.planes, height, width)
        parts = masks * np.array(self.weights, np.float32)[:, None, None]
        total = parts.sum(axis=0)
        shares: NDArray[np.float32] = parts / np.where(total > 0, total, np.float32(1))
        return shares * np.minimum(masks.sum(axis=0), np.float32(1)) if grey else shares

    def composite(
        self, photo: NDArray[np.float32], paintings: Sequence[NDArray[np.float32]], *, grey: bool = True
    ) -> NDArray[np.float32]:
        """Lay paintings over the photograph through the masks.

        Args:
            photo: float32 (H, W, 3) in [0, 1].
            paintings: One painting for each mask or one for all masks, each float32 (H, W, 3) in [0, 1].
            grey: As `at`.

        Returns:
            float32 (H, W, 3) in [0, 1].
        """
        masks = self.at(*photo.shape[:2], grey=grey)[..., None]
        if len(paintings) == 1:
            masks = masks.sum(axis=0, keepdims=True)
        whole: NDArray[np.float32] = (1 - masks.sum(axis=0)) * photo
        for mask, painting in zip(masks, paintings, strict=True):
            whole += mask * painting
        return np.clip(whole, 0, 1, out=whole)


def _plane(picture: Picture) -> NDArray[np.float32]:
    """The mask in a picture, float32 (H, W) in [0, 1]: its alpha channel if it has one, else its luma."""
    if picture.alpha is not None:
        return picture.alpha
    red, green, blue = np.moveaxis(picture.pixels, 2, 0)
    _, green_weight, blue_weight = LUMA
    # The weights sum to 1. In this form the luma of a grey is exactly the grey, without rounding errors.
    luma = red + green_weight * (green - red) + blue_weight * (blue - red)
    return np.ascontiguousarray(luma, np.float32)


def _resized(planes: Iterable[NDArray[np.float32]], height: int, width: int) -> NDArray[np.float32]:
    # The bilinear filter does not ring, unlike Lanczos: black stays black.
    images = [Image.fromarray(plane).resize((width, height), Image.Resampling.BILINEAR) for plane in planes]
    stacked: NDArray[np.float32] = np.stack([np.asarray(image) for image in images])
    return np.clip(stacked, 0, 1, out=stacked)


def _label(mask: Picture) -> str:
    return "mask" if mask.path is None else one_line(f"mask {mask.path}")


def _check(mask: Picture, content_size: tuple[int, int]) -> None:
    """Refuse a mask that has another shape than the content, or that is black or transparent."""
    label = _label(mask)
    height, width = mask.full_size or (mask.height, mask.width)
    long_side = max(height, width)
    expected = size_for_long_side(*content_size, long_side)
    if max(abs(expected[0] - height), abs(expected[1] - width)) > max(1, _SHAPE_TOLERANCE * long_side):
        raise ImageError(
            f"{label}: expected about {content_size[1]}:{content_size[0]}, the content's shape, "
            f"received {width} x {height} px; draw it over the content"
        )
    if not _plane(mask).any():
        nothing = "black" if mask.alpha is None else "transparent"
        raise ImageError(f"{label}: expected white where to paint, received a picture that is {nothing} throughout")

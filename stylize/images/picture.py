"""The type in which pictures travel."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ["ImageSource", "Picture"]


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture: the one form in which pixels travel.

    Attributes:
        pixels: float32 (H, W, 3), sRGB, [0, 1]. Under transparency the colours are those of the nearest
            visible pixels, so that neither a network nor a resampling filter ever sees a hidden colour.
        alpha: float32 (H, W), [0, 1]; None where the picture is opaque.
        path: the file's path as given, or None.
        sha256: hash of the file's bytes; of the sample bytes for an array or a PIL image.
        notes: what the user should know, each one line ("animated: the first of 24 frames is used").
        full_size: height and width in px of the file, where it was decoded at a reduced size.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    path: str | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    full_size: tuple[int, int] | None = None

    @property
    def height(self) -> int:
        """Height in px."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in px."""
        return int(self.pixels.shape[1])


#: A string may be a path or a URL.
ImageSource = str | os.PathLike[str] | bytes | Image.Image | np.ndarray | Picture

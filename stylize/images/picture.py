"""`Picture`: decoded pixels with transparency, and the values that pixels may have."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.errors import ImageError
from stylize.images.metadata import NO_METADATA, Metadata

__all__ = ["ImageSource", "Picture", "checked_samples"]

# Rounding errors of float computations leave [0, 1] by less than this.
_ROUNDING = 1e-4


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: float32 (H, W, 3), sRGB, [0, 1]. Transparent pixels have the colours of the nearest visible pixels.
            Networks and resampling filters therefore never see a hidden colour.
        alpha: Opacity, float32 (H, W), [0, 1]; None for an opaque picture.
        path: The path of the file as given, the name of one of the project's own styles such as `@swirls`, or None.
        sha256: Hash of the bytes of the file; of the sample bytes for an array or a PIL image. None where it is not
            known yet: `read_image` fills it in. A copy with other pixels needs None, too.
        notes: What the user should know, one line each, such as "animated: the first of 24 frames is used".
        frames: How many frames the file has if the file is an animation; the pixels are those of the first.
        full_size: Height and width of the file in px if the picture was decoded at a reduced size.
        metadata: What the file says beside the pixels: author, copyright, dates, resolution.
    """

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None = None
    path: str | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    full_size: tuple[int, int] | None = None
    metadata: Metadata = NO_METADATA
    frames: int = 1

    @property
    def height(self) -> int:
        """Height in px."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in px."""
        return int(self.pixels.shape[1])


#: What `read_image` accepts. A string is a path or a URL; bytes are the content of a file.
ImageSource = str | os.PathLike[str] | bytes | Image.Image | NDArray[Any] | Picture


def checked_samples(array: NDArray[Any], name: str) -> NDArray[np.float32]:
    """Copy float samples as float32 in [0, 1].

    Args:
        array: float, any shape. Values may leave [0, 1] by rounding errors, which are clipped.
        name: What error messages call the array, such as "content".

    Raises:
        ImageError: A value is not finite or not in [0, 1].
    """
    low, high = float(array.min()), float(array.max())  # both are NaN if any value is NaN
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(f"{name}: expected finite values in [0, 1], received NaN or infinity")
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ImageError(
            f"{name}: expected float values in [0, 1], received {low:.4g} to {high:.4g}; divide by the full scale"
        )
    return np.clip(array.astype(np.float32), 0, 1)

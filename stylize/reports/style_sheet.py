"""The project's own styles on one sheet, to choose from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stylize.reports.sheet import INK, PlacedPicture, PlacedText, Sheet, fitted

__all__ = ["square", "style_sheet"]

_COLUMNS = 4
_TEXT_PX = 16


def square(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Return the middle of a picture, (side, side, 3)."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return fitted(pixels[top : top + short, left : left + short], side, side)


def style_sheet(styles: Sequence[tuple[str, NDArray[np.float32]]], side: int = 240) -> NDArray[np.float32]:
    """Return a sheet of styles in rows, each with its name.

    Args:
        styles: names and pictures, float32 (H, W, 3) in [0, 1].
        side: of each picture on the sheet, in px.

    Returns:
        float32 (height, width, 3) in [0, 1].
    """
    gap, line = side // 15, 2 * _TEXT_PX
    pictures, texts = [], []
    for index, (name, pixels) in enumerate(styles):
        row, column = divmod(index, _COLUMNS)
        left, top = gap + column * (side + gap), gap + row * (side + line + gap)
        pictures.append(PlacedPicture(square(pixels, side), left, top))
        baseline = top + side + round(1.4 * _TEXT_PX)
        texts.append(PlacedText.shortened(name, left, baseline, _TEXT_PX, INK, max_width=side))
    rows = -(-len(styles) // _COLUMNS)
    width = gap + min(len(styles), _COLUMNS) * (side + gap)
    return Sheet(width, gap + rows * (side + line + gap), tuple(pictures), tuple(texts)).draw()

"""A table of previews on one sheet: contents in rows, styles or strengths in columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stylize.reports.sheet import GREY, INK, PlacedPicture, PlacedText, Sheet, fitted

__all__ = ["layout_previews", "preview_sheet"]

#: Columns are at least this wide, px, so that their labels can be read.
_MIN_COLUMN_PX = 120

_Row = tuple[str, Sequence[NDArray[np.float32]]]
_Column = tuple[str, NDArray[np.float32] | None]


def preview_sheet(rows: Sequence[_Row], columns: Sequence[_Column]) -> NDArray[np.float32]:
    """Return a labelled table of pictures.

    Args:
        rows: a label, and one picture per column, float32 (H, W, 3) in [0, 1]; the pictures of a row have one size.
        columns: a label, and the picture to show above the column or None.

    Returns:
        float32 (height, width, 3) in [0, 1].
    """
    return layout_previews(rows, columns).draw()


def layout_previews(rows: Sequence[_Row], columns: Sequence[_Column]) -> Sheet:
    """Return where the pictures and labels of `preview_sheet` lie; arguments are the same."""
    width = max(_MIN_COLUMN_PX, *(pictures[0].shape[1] for _, pictures in rows))
    size = min(max(round(width / 18), 13), 34)
    line, gap, margin = round(size * 1.5), round(size * 0.7), size * 2
    lefts = [margin + index * (width + gap) for index in range(len(columns))]
    placed: list[PlacedPicture] = []
    texts: list[PlacedText] = []

    tallest = max(pictures[0].shape[0] for _, pictures in rows)
    heads = [None if picture is None else fitted(picture, tallest, width) for _, picture in columns]
    top = margin + max((head.shape[0] for head in heads if head is not None), default=0)
    for left, (label, _), head in zip(lefts, columns, heads, strict=True):
        if head is not None:
            placed.append(PlacedPicture(head, left, top - head.shape[0]))
        texts.append(PlacedText.shortened(label, left, top + size, size, INK, max_width=width))
    top += line
    for label, pictures in rows:
        placed += [PlacedPicture(picture, left, top) for left, picture in zip(lefts, pictures, strict=True)]
        top += pictures[0].shape[0]
        texts.append(PlacedText.shortened(label, margin, top + size, size, GREY, max_width=width))
        top += line + gap
    return Sheet(lefts[-1] + width + margin, top - gap + margin, tuple(placed), tuple(texts))

"""The table of previews: every picture untouched, every label beside its picture, at every shape and size."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from samples import painting
from stylize.reports.preview_sheet import layout_previews, preview_sheet


@pytest.mark.parametrize("shapes", [[(64, 96)], [(64, 96), (96, 64), (40, 300)], [(1, 1)], [(300, 8)]])
@pytest.mark.parametrize("headed", [True, False])
def test_every_picture_and_label_stands_apart(shapes: list[tuple[int, int]], headed: bool) -> None:
    rows = [
        (f"content {row} with a long name", [painting(*shape, 10 * row + column) for column in range(3)])
        for row, shape in enumerate(shapes)
    ]
    columns = [("", None)] + [
        (f"style {index}", painting(50 + 90 * index, 70, 99) if headed else None) for index in (0, 1)
    ]
    layout = layout_previews(rows, columns)
    assert sum(bool(text.text) for text in layout.texts) == len(rows) + 2
    assert len(layout.pictures) == 3 * len(rows) + 2 * headed
    boxes = [text.box for text in layout.texts if text.text] + [picture.box for picture in layout.pictures]
    for one, other in itertools.combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], (one, other)
    assert all(left >= 0 and top >= 0 and right <= layout.width and bottom <= layout.height
               for left, top, right, bottom in boxes)  # fmt: skip

    sheet = preview_sheet(rows, columns)
    assert sheet.shape == (layout.height, layout.width, 3)
    for picture in layout.pictures:
        left, top, right, bottom = picture.box
        np.testing.assert_array_equal(sheet[top:bottom, left:right], picture.pixels)
    shown = [picture.pixels for picture in layout.pictures]
    for _, pictures in rows:
        assert all(any(picture is each for each in shown) for picture in pictures)

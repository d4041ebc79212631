"""The contact sheet of a comparison: content, styles and every scored picture on one labelled page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stylize.reports.sheet import GREY, INK, PlacedPicture, PlacedText, Sheet, fitted, over_paper, text_width
from stylize.text import duration

if TYPE_CHECKING:
    from stylize.transfer.results import Comparison, Scored

__all__ = ["contact_sheet", "layout_comparison"]

#: The number of columns is chosen so that width / height of the sheet comes near this ratio.
_SHEET_ASPECT = 1.5
#: The distance between style pictures that share one panel, px.
_MOSAIC_GAP = 6
#: Panels are at least this wide, px, so that their captions can be read.
_MIN_PANEL_PX = 240


@dataclass(frozen=True, eq=False)
class _Panel:
    """A picture, or the pictures of several styles in one, and the text below."""

    pixels: NDArray[np.float32]  # (H, W, 3) in [0, 1]
    title: str
    note: str
    numbers: tuple[tuple[str, str], ...] = ()


def contact_sheet(comparison: Comparison) -> NDArray[np.float32]:
    """Return one labelled page with the content, the styles and every scored picture.

    The content and the scored pictures are copied pixel for pixel. Styles are resized to fit a panel as large as the
    content. The caption of a scored picture tells its style loss, its content loss and its SSIM to the content, and
    where they are known the network and the seconds. Transparent parts show the paper.

    Returns:
        float32 (height, width, 3) in [0, 1].
    """
    return layout_comparison(comparison).draw()


def layout_comparison(comparison: Comparison) -> Sheet:
    """Return where the pictures and the texts of `contact_sheet` lie."""
    panels = _panels(comparison)
    height = max(panel.pixels.shape[0] for panel in panels)
    width = max(panel.pixels.shape[1] for panel in panels)
    grid = _Grid.of(width, height, [bool(panel.numbers) for panel in panels])
    pictures: list[PlacedPicture] = []
    texts: list[PlacedText] = []
    for index, panel in enumerate(panels):
        left, top = grid.corner(index)
        # Align the lower edges: a picture that is lower than its panel stays next to its caption.
        pictures.append(PlacedPicture(panel.pixels, left, top + height - panel.pixels.shape[0]))
        texts += _caption(panel, left, top + height + grid.size // 2, grid)
    page_width, page_height = grid.page
    texts.append(_footer(comparison, grid))
    return Sheet(page_width, page_height, tuple(pictures), tuple(texts))


# --------------------------------------------------------------------------------------------------------------------
# Panels


def _panels(comparison: Comparison) -> list[_Panel]:
    content = comparison.content
    height, width = content.pixels.shape[:2]
    return [
        _Panel(over_paper(content.pixels, content.alpha), "content", f"{width} x {height} px"),
        _style_panel(comparison, height, width),
        *(_output_panel(score, over_paper(score.image, content.alpha)) for score in comparison.scores),
    ]


def _output_panel(score: Scored, pixels: NDArray[np.float32]) -> _Panel:
    notes = [" + ".join(network.name for network in score.networks)]
    if score.seconds is not None:
        notes.append(duration(score.seconds))
    numbers = (
        ("style loss", f"{score.style_loss:.3g}"),
        ("content loss", f"{score.content_loss:.3g}"),
        ("SSIM", f"{score.ssim:.3f}"),
    )
    return _Panel(pixels, score.label, " · ".join(filter(None, notes)), numbers)


def _style_panel(comparison: Comparison, height: int, width: int) -> _Panel:
    """Return the style pictures in one panel of at most `height` x `width` px."""
    pictures = [over_paper(picture.pixels, picture.alpha) for picture, _ in comparison.styles]
    weights = [weight for _, weight in comparison.styles]
    if len(pictures) == 1:
        name = PurePath(comparison.styles[0][0].path or "").name
        return _Panel(fitted(pictures[0], height, width), "style", name)
    total = sum(weights)
    note = " + ".join(f"{weight / total:.0%}" for weight in weights)
    return _Panel(_mosaic(pictures, height, width), "styles", note)


def _mosaic(pictures: Sequence[NDArray[np.float32]], height: int, width: int) -> NDArray[np.float32]:
    """Return the pictures in a grid of at most `height` x `width` px that shows them as large as possible."""
    best: list[PlacedPicture] = []
    best_area = -1
    for columns in range(1, len(pictures) + 1):
        rows = math.ceil(len(pictures) / columns)
        cell_height = max((height - _MOSAIC_GAP * (rows - 1)) // rows, 1)
        cell_width = max((width - _MOSAIC_GAP * (columns - 1)) // columns, 1)
        placed = [
            PlacedPicture(
                fitted(picture, cell_height, cell_width),
                left=index % columns * (cell_width + _MOSAIC_GAP),
                top=index // columns * (cell_height + _MOSAIC_GAP),
            )
            for index, picture in enumerate(pictures)
        ]
        area = sum(each.pixels.shape[0] * each.pixels.shape[1] for each in placed)
        if area > best_area:
            best, best_area = placed, area
    _, _, rights, bottoms = zip(*(each.box for each in best), strict=True)
    return Sheet(max(rights), max(bottoms), tuple(best), ()).draw()


# --------------------------------------------------------------------------------------------------------------------
# Places on the page


@dataclass(frozen=True)
class _Grid:
    """Where panels lie, in px. The font size grows with the panels, so that a sheet looks alike at every size."""

    width: int
    """Of a panel; at least that of its picture."""
    picture_height: int
    numbered: tuple[bool, ...]
    """Per panel, whether its caption has numbers."""
    columns: int
    size: int
    """Of the font of the numbers; all other lengths follow from this one."""

    @classmethod
    def of(cls, width: int, height: int, numbered: Sequence[bool]) -> _Grid:
        """Return the grid for pictures of `width` x `height` px that comes nearest to the sheet's aspect ratio."""
        width = max(width, _MIN_PANEL_PX)
        size = min(max(round(width / 22), 14), 34)
        grids = [cls(width, height, tuple(numbered), columns, size) for columns in range(1, len(numbered) + 1)]

        def misfit(grid: _Grid) -> float:
            page_width, page_height = grid.page
            empty_cells = -len(numbered) % grid.columns
            return abs(math.log(page_width / page_height / _SHEET_ASPECT)) + empty_cells

        return min(grids, key=misfit)

    @property
    def gap(self) -> int:
        """The distance between panels."""
        return round(self.size * 1.6)

    @property
    def margin(self) -> int:
        """The distance from the panels to the edge of the page."""
        return self.size * 2

    @property
    def note_size(self) -> int:
        """The font size of notes."""
        return round(self.size * 0.82)

    @property
    def page(self) -> tuple[int, int]:
        """Width and height, with two lines for the footer."""
        width = 2 * self.margin + self.columns * self.width + (self.columns - 1) * self.gap
        height = 2 * self.margin + sum(self._row_heights()) - self.gap
        return width, height + 2 * self.size

    def corner(self, index: int) -> tuple[int, int]:
        """Return left and top of a panel."""
        row, column = divmod(index, self.columns)
        return (
            self.margin + column * (self.width + self.gap),
            self.margin + sum(self._row_heights()[:row]),
        )

    def _row_heights(self) -> list[int]:
        """Return the height of each row with its captions and the gap below."""
        rows = [self.numbered[at : at + self.columns] for at in range(0, len(self.numbered), self.columns)]
        lines = [5.2 if any(row) else 2.2 for row in rows]
        return [self.picture_height + round(self.size * count) + self.gap for count in lines]


def _caption(panel: _Panel, left: int, top: int, grid: _Grid) -> list[PlacedText]:
    """Return the title on the left, the note on the right, and the numbers in three columns below."""
    width, size, small = grid.width, grid.size, grid.note_size
    title_size = round(size * 1.2)
    baseline = top + title_size
    shortened = PlacedText.shortened(panel.note, 0, 0, small, GREY, max_width=round(width * 0.6)).text
    note = PlacedText(shortened, left + width, baseline, small, GREY, from_right=True)
    room = width - (text_width(note.text, small) + size if note.text else 0)
    texts = [PlacedText.shortened(panel.title, left, baseline, title_size, INK, max_width=room), note]
    for column, (name, value) in enumerate(panel.numbers):
        x = left + round(width * column * 0.36)
        texts.append(PlacedText(name, x, baseline + round(size * 1.6), small, GREY))
        texts.append(PlacedText(value, x, baseline + round(size * 2.8), size, INK))
    return texts


def _footer(comparison: Comparison, grid: _Grid) -> PlacedText:
    note = f"Losses under {comparison.features.name}: lower is closer. SSIM to the content: 1 is alike."
    width, height = grid.page
    max_width = width - 2 * grid.margin
    return PlacedText.shortened(note, grid.margin, height - grid.margin, grid.note_size, GREY, max_width=max_width)

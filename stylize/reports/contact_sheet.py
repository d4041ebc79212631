"""Results in, pages out: the contact sheet that `compare` makes, and sheets of previews. Nothing here writes a file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from stylize.transfer.results import Comparison, Scored

__all__ = ["contact_sheet", "over_paper", "preview_sheet"]

_PAPER = (250, 249, 247)
_INK = (28, 28, 30)
_GREY = (128, 126, 122)
#: Width / height that a sheet aims at: the columns are chosen for it.
_SHEET_ASPECT = 1.5
#: Style pictures that share one panel stand this far apart, px.
_MOSAIC_GAP = 6
_NARROWEST_CAPTION_PX = 240

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class _Panel:
    """A picture, or the pictures of several styles set together, with what is written under it."""

    pixels: np.ndarray  # float32 (H, W, 3) in [0, 1]
    title: str
    note: str
    numbers: tuple[tuple[str, str], ...] = ()


def contact_sheet(comparison: Comparison) -> np.ndarray:
    """Return one labelled page, float32 (H, W, 3) in [0, 1]: content, style(s) and every scored picture.

    Pictures keep their own pixels and aspect ratios; only styles are resized, to fit a panel as large as the
    content. Under each scored picture stand its style loss, content loss and SSIM to the content, and, where
    known, the network and the seconds. Transparent parts show the paper.
    """
    panels = _panels(comparison)
    height = max(panel.pixels.shape[0] for panel in panels)
    width = max(panel.pixels.shape[1] for panel in panels)
    layout = _Layout.of(width, height, [bool(panel.numbers) for panel in panels])

    page = Image.new("RGB", layout.page, _PAPER)
    draw = ImageDraw.Draw(page)
    places = []
    for index, panel in enumerate(panels):
        left, top = layout.corner(index)
        rows, columns = panel.pixels.shape[:2]
        # Pictures lower than their panel stand on their caption.
        places.append((top + height - rows, left, rows, columns))
        _caption(draw, panel, left, top + height + layout.text // 2, layout)
    _footer(draw, comparison, layout)

    sheet = np.asarray(page, np.float32) / 255
    for (top, left, rows, columns), panel in zip(places, panels, strict=True):
        # Set as numbers, after the text: the sheet shows exactly the pixels that were scored.
        sheet[top : top + rows, left : left + columns] = panel.pixels
    return sheet


def over_paper(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Return the picture over the paper where `alpha`, of the same size, has transparency."""
    if alpha is None or alpha.shape[:2] != pixels.shape[:2]:
        return pixels
    opacity = np.asarray(alpha, np.float32).reshape(*pixels.shape[:2], 1)
    return pixels * opacity + np.array(_PAPER, np.float32) / 255 * (1 - opacity)


def preview_sheet(
    rows: Sequence[tuple[str, Sequence[np.ndarray]]], columns: Sequence[tuple[str, np.ndarray | None]]
) -> np.ndarray:
    """Return a labelled table of pictures, float32 (H, W, 3) in [0, 1].

    Args:
        rows: a label and one picture for each column; those of a row have one size.
        columns: a label, and where there is one the picture that the column is about, shown above it.
    """
    width = max(_NARROWEST_CAPTION_PX // 2, *(pictures[0].shape[1] for _, pictures in rows))
    text = min(max(round(width / 18), 13), 34)
    line, gap, margin = round(text * 1.5), round(text * 0.7), text * 2
    tallest = max(pictures[0].shape[0] for _, pictures in rows)
    heads = [None if picture is None else _fitted(picture, tallest, width) for _, picture in columns]
    head_height = max((head.shape[0] for head in heads if head is not None), default=0)
    row_heights = [pictures[0].shape[0] for _, pictures in rows]
    page_width = 2 * margin + len(columns) * width + (len(columns) - 1) * gap
    page_height = 2 * margin + head_height + line + sum(row_heights) + len(rows) * (line + gap) - gap
    page = Image.new("RGB", (page_width, page_height), _PAPER)
    draw = ImageDraw.Draw(page)
    lefts = [margin + index * (width + gap) for index in range(len(columns))]
    places: list[tuple[int, int, np.ndarray]] = []
    for left, (label, _), head in zip(lefts, columns, heads, strict=True):
        if head is not None:
            places.append((margin + head_height - head.shape[0], left, head))
        _write(draw, (left, margin + head_height + text), _shortened(label, text, width), text, _INK)
    top = margin + head_height + line
    for (label, pictures), height in zip(rows, row_heights, strict=True):
        places += [(top, left, picture) for left, picture in zip(lefts, pictures, strict=True)]
        _write(draw, (margin, top + height + text), _shortened(label, text, width), text, _GREY)
        top += height + line + gap
    sheet = np.asarray(page, np.float32) / 255
    for top, left, picture in places:
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet


def _panels(comparison: Comparison) -> list[_Panel]:
    content = comparison.content
    height, width = content.pixels.shape[:2]
    alpha = content.alpha

    def seen(pixels: np.ndarray) -> np.ndarray:
        return over_paper(pixels, alpha)

    return [
        _Panel(seen(content.pixels), "content", f"{width} x {height} px"),
        _style_panel(comparison, height, width),
        *(_output_panel(score, seen(score.image)) for score in comparison.scores),
    ]


def _output_panel(score: Scored, pixels: np.ndarray) -> _Panel:
    notes = [" + ".join(network.name for network in score.networks)]
    if score.seconds is not None:
        notes.append(_duration(score.seconds))
    numbers = (
        ("style loss", _short(score.style_loss)),
        ("content loss", _short(score.content_loss)),
        ("SSIM", f"{score.ssim:.3f}"),
    )
    return _Panel(pixels, score.label, " · ".join(filter(None, notes)), numbers)


def _style_panel(comparison: Comparison, height: int, width: int) -> _Panel:
    """Return the style pictures together in a panel no larger than `height` x `width`."""
    pictures = [picture.pixels for picture, _ in comparison.styles]
    weights = [weight for _, weight in comparison.styles]
    if len(pictures) == 1:
        name = PurePath(comparison.styles[0][0].path or "").name
        return _Panel(_fitted(pictures[0], height, width), "style", name)
    total = sum(weights)
    note = " + ".join(f"{weight / total:.0%}" for weight in weights)
    return _Panel(_mosaic(pictures, height, width), "styles", note)


def _mosaic(pictures: Sequence[np.ndarray], height: int, width: int) -> np.ndarray:
    """Return the pictures in the grid that shows the most of them, on paper, at most `height` x `width`."""
    best: list[tuple[int, int, np.ndarray]] = []
    best_area = -1
    for columns in range(1, len(pictures) + 1):
        rows = math.ceil(len(pictures) / columns)
        cell_height = max((height - _MOSAIC_GAP * (rows - 1)) // rows, 1)
        cell_width = max((width - _MOSAIC_GAP * (columns - 1)) // columns, 1)
        placed = [
            (
                index // columns * (cell_height + _MOSAIC_GAP),
                index % columns * (cell_width + _MOSAIC_GAP),
                _fitted(picture, cell_height, cell_width),
            )
            for index, picture in enumerate(pictures)
        ]
        area = sum(pixels.shape[0] * pixels.shape[1] for _, _, pixels in placed)
        if area > best_area:
            best, best_area = placed, area
    bottom = max(top + pixels.shape[0] for top, _, pixels in best)
    right = max(left + pixels.shape[1] for _, left, pixels in best)
    panel = np.empty((bottom, right, 3), np.float32)
    panel[:] = np.array(_PAPER, np.float32) / 255
    for top, left, pixels in best:
        panel[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return panel


def _fitted(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the picture at the largest size that fits `height` x `width`, aspect ratio kept."""
    rows, columns = pixels.shape[:2]
    scale = min(height / rows, width / columns)
    size = max(round(columns * scale), 1), max(round(rows * scale), 1)
    if size == (columns, rows):
        return pixels
    image = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32) / 255


@dataclass(frozen=True)
class _Layout:
    """Where panels stand, in px. Text grows with the panels, so that a sheet reads the same at every size."""

    width: int
    """Of a panel's caption, at least that of its picture."""
    picture_height: int
    numbered: tuple[bool, ...]
    """Per panel, whether numbers stand under its title."""
    columns: int
    text: int
    """Size of the numbers; all other lengths follow from it."""

    @classmethod
    def of(cls, width: int, height: int, numbered: Sequence[bool]) -> _Layout:
        """Return the layout of panels of `width` x `height` that is nearest to the sheet's aspect ratio."""
        caption_width = max(width, _NARROWEST_CAPTION_PX)
        text = min(max(round(caption_width / 22), 14), 34)
        layouts = [
            cls(caption_width, height, tuple(numbered), columns, text) for columns in range(1, len(numbered) + 1)
        ]

        def misfit(layout: _Layout) -> float:
            page_width, page_height = layout.page
            empty = -len(numbered) % layout.columns
            return abs(math.log(page_width / page_height / _SHEET_ASPECT)) + empty

        return min(layouts, key=misfit)

    @property
    def gap(self) -> int:
        """Between panels."""
        return round(self.text * 1.6)

    @property
    def margin(self) -> int:
        """Around all panels."""
        return self.text * 2

    @property
    def page(self) -> tuple[int, int]:
        """Width and height, with two lines for the footer."""
        width = 2 * self.margin + self.columns * self.width + (self.columns - 1) * self.gap
        height = 2 * self.margin + sum(self._row_heights()) - self.gap
        return width, height + 2 * self.text

    def corner(self, index: int) -> tuple[int, int]:
        """Return left and top of a panel."""
        row, column = divmod(index, self.columns)
        return (
            self.margin + column * (self.width + self.gap),
            self.margin + sum(self._row_heights()[:row]),
        )

    def _row_heights(self) -> list[int]:
        """Return the height of each row, with its captions and the gap below."""
        rows = [self.numbered[at : at + self.columns] for at in range(0, len(self.numbered), self.columns)]
        lines = [5.2 if any(row) else 2.2 for row in rows]
        return [self.picture_height + round(self.text * count) + self.gap for count in lines]


def _caption(draw: ImageDraw.ImageDraw, panel: _Panel, left: int, top: int, layout: _Layout) -> None:
    """Write the title, the note against the right edge, and the numbers in three columns below."""
    width, text = layout.width, layout.text
    small = round(text * 0.82)
    title_size = round(text * 1.2)
    baseline = top + title_size
    note = _shortened(panel.note, small, round(width * 0.6))
    room = width - (_length(note, small) + text if note else 0)
    _write(draw, (left, baseline), _shortened(panel.title, title_size, room), title_size, _INK)
    _write(draw, (left + width, baseline), note, small, _GREY, anchor="rs")
    for column, (name, value) in enumerate(panel.numbers):
        x = left + round(width * column * 0.36)
        _write(draw, (x, baseline + round(text * 1.6)), name, small, _GREY)
        _write(draw, (x, baseline + round(text * 2.8)), value, text, _INK)


def _footer(draw: ImageDraw.ImageDraw, comparison: Comparison, layout: _Layout) -> None:
    note = f"Losses under {comparison.features.name}: lower is closer. SSIM to the content: 1 is alike."
    size = round(layout.text * 0.82)
    width, height = layout.page
    note = _shortened(note, size, width - 2 * layout.margin)
    _write(draw, (layout.margin, height - layout.margin), note, size, _GREY)


def _write(
    draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, colour: Colour, anchor: str = "ls"
) -> None:
    draw.text(at, text, fill=colour, font=ImageFont.load_default(size), anchor=anchor)


def _length(text: str, size: int) -> int:
    return math.ceil(ImageFont.load_default(size).getlength(text))


def _shortened(text: str, size: int, width: int) -> str:
    """Return the text, its end cut and marked when it is wider than `width` px."""
    if _length(text, size) <= width:
        return text
    while text and _length(text + "…", size) > width:
        text = text[:-1]
    return text + "…"


def _short(number: float) -> str:
    return f"{number:.3g}"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"

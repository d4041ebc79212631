"""The layout of a sheet: pictures and lines of text on a page of paper, as data that can be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["GREY", "INK", "PAPER", "PlacedPicture", "PlacedText", "Sheet", "fitted", "over_paper", "text_width"]

Color = tuple[int, int, int]
Pixels = NDArray[np.float32]

PAPER: Color = (250, 249, 247)
INK: Color = (28, 28, 30)
GREY: Color = (128, 126, 122)


@dataclass(frozen=True, eq=False)
class PlacedPicture:
    """A picture and where its top left corner lies on the page.

    Attributes:
        pixels: float32 (H, W, 3) in [0, 1].
        left: in px.
        top: in px.
    """

    pixels: Pixels
    left: int
    top: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom in px; right and bottom are outside the picture."""
        height, width = self.pixels.shape[:2]
        return self.left, self.top, self.left + width, self.top + height


@dataclass(frozen=True)
class PlacedText:
    """A line of text on the page.

    Attributes:
        text: may be empty.
        x: the left edge in px; the right edge if `from_right`.
        baseline: in px.
        size: of the font, in px.
        color: red, green and blue, 0 to 255.
        from_right: whether the text ends at `x`.
    """

    text: str
    x: int
    baseline: int
    size: int
    color: Color
    from_right: bool = False

    @classmethod
    def shortened(cls, text: str, x: int, baseline: int, size: int, color: Color, *, max_width: int) -> PlacedText:
        """Return the text; if it is wider than `max_width` px, its end is replaced by an ellipsis."""
        if text_width(text, size) > max_width:
            while text and text_width(text + "…", size) > max_width:
                text = text[:-1]
            text += "…"
        return cls(text, x, baseline, size, color)

    @property
    def anchor(self) -> str:
        """Pillow's name for the point of the text that lies at (`x`, `baseline`)."""
        return "rs" if self.from_right else "ls"

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the ink in px."""
        left, top, right, bottom = ImageFont.load_default(self.size).getbbox(self.text, anchor=self.anchor)
        return self.x + left, self.baseline + top, self.x + right, self.baseline + bottom


@dataclass(frozen=True, eq=False)
class Sheet:
    """A page with pictures and text; `width` and `height` are in px."""

    width: int
    height: int
    pictures: tuple[PlacedPicture, ...]
    texts: tuple[PlacedText, ...]

    def draw(self) -> Pixels:
        """Return the page, float32 (height, width, 3) in [0, 1]."""
        page = Image.new("RGB", (self.width, self.height), PAPER)
        draw = ImageDraw.Draw(page)
        for text in self.texts:
            font = ImageFont.load_default(text.size)
            draw.text((text.x, text.baseline), text.text, fill=text.color, font=font, anchor=text.anchor)
        sheet: Pixels = np.asarray(page, np.float32) / np.float32(255)
        # Copy the floats after the text is drawn: 8 bits would round the pixels that were scored.
        for picture in self.pictures:
            left, top, right, bottom = picture.box
            sheet[top:bottom, left:right] = picture.pixels
        return sheet


def text_width(text: str, size: int) -> int:
    """Return the width in px of a line of text in a font of `size` px."""
    return math.ceil(ImageFont.load_default(size).getlength(text))


def over_paper(pixels: Pixels, alpha: Pixels | None) -> Pixels:
    """Return the picture with the paper's colour behind its transparent parts.

    Args:
        pixels: float32 (H, W, 3) in [0, 1].
        alpha: float32 (H, W) in [0, 1]; None, or an array of another size, leaves the picture unchanged.

    Returns:
        float32 (H, W, 3) in [0, 1].
    """
    if alpha is None or alpha.shape[:2] != pixels.shape[:2]:
        return pixels
    opacity = np.asarray(alpha, np.float32).reshape(*pixels.shape[:2], 1)
    paper = np.array(PAPER, np.float32) / np.float32(255)
    shown: Pixels = pixels * opacity + paper * (np.float32(1) - opacity)
    return shown


def fitted(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return the picture at the largest size that fits `height` x `width` px; its aspect ratio is kept."""
    rows, columns = pixels.shape[:2]
    scale = min(height / rows, width / columns)
    size = max(round(columns * scale), 1), max(round(rows * scale), 1)
    if size == (columns, rows):
        return pixels
    image = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    resized: Pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32) / np.float32(255)
    return resized

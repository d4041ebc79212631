"""The layout of a sheet: pictures and lines of text on a page of paper, as data that can be drawn."""

from __future__ import annotations

import functools
import math
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stylize.text import one_line

__all__ = ["GREY", "INK", "PAPER", "PlacedPicture", "PlacedText", "Sheet", "fitted", "over_paper", "text_width"]

Color = tuple[int, int, int]
Pixels = NDArray[np.float32]

PAPER: Color = (250, 249, 247)
INK: Color = (28, 28, 30)
#: With a contrast of 4.8 to the paper; WCAG asks for 4.5.
GREY: Color = (112, 110, 106)

# Pillow's own font, which has the letters of English alone; and fonts of Linux, macOS and Windows that have more.
_FONTS = (
    "", "DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc", "Arial Unicode.ttf", "arial.ttf",
    "segoeui.ttf", "msyh.ttc",
)  # fmt: skip

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


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
        text, font = _drawable(self.text, self.size)
        left, top, right, bottom = font.getbbox(text, anchor=self.anchor)
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
        for each in self.texts:
            text, font = _drawable(each.text, each.size)
            draw.text((each.x, each.baseline), text, fill=each.color, font=font, anchor=each.anchor)
        sheet: Pixels = np.asarray(page, np.float32) / np.float32(255)
        # Copy the floats after the text is drawn: 8 bits would round the pixels that were scored.
        for picture in self.pictures:
            left, top, right, bottom = picture.box
            sheet[top:bottom, left:right] = picture.pixels
        return sheet


def text_width(text: str, size: int) -> int:
    """Return the width in px of a line of text in a font of `size` px."""
    drawn, font = _drawable(text, size)
    return math.ceil(font.getlength(drawn))


def _drawable(text: str, size: int) -> tuple[str, _Font]:
    """Return a text as one line that can be drawn, and its font.

    The font is the first that lacks no character. Where there is none, letters lose their accents if that helps.
    """
    text, name = unicodedata.normalize("NFC", one_line(text)), _FONTS[0]
    if any(_lacks(name, each) for each in text):
        plain = "".join(each for each in unicodedata.normalize("NFKD", text) if not unicodedata.combining(each))
        choices = [*((text, font) for font in _FONTS), (plain, name)]
        text, name = min(choices, key=lambda choice: sum(_lacks(choice[1], each) for each in choice[0]))
    font = _font(name, size)
    assert font is not None
    return text, font


@functools.lru_cache(maxsize=4096)
def _lacks(name: str, character: str) -> bool:
    """Return whether a font is missing, or draws a character as it draws one that no font has."""
    font = _font(name, 20)
    return font is None or bytes(font.getmask(character)) == bytes(font.getmask("\U0010ffff"))


@functools.lru_cache(maxsize=64)
def _font(name: str, size: int) -> _Font | None:
    """Return the font of that name, or None if this machine has none; no name is Pillow's own font."""
    try:
        return ImageFont.truetype(name, size) if name else ImageFont.load_default(size)
    except OSError:
        return None


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

"""Pictures in a terminal: half blocks in the colours that it can show, or real pixels through a graphics protocol.

A half block shows two pixels, one above the other. Half blocks need no answer from the terminal and work everywhere,
over ssh too. With `pip install "stylize-art[terminal]"`, terminals that know Sixel or Kitty's protocol show real
pixels.

Colours do not go through rich. Its 256-colour palette maps faint colours to grey, which doubles the error of a
photograph, and it takes several true-colour terminals for 16 colours when COLORTERM is missing, as over ssh.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TextIO

import numpy as np
from numpy.typing import NDArray

from stylize.images.color import LUMA
from stylize.images.resizing import resized

__all__ = ["ColorSupport", "can_draw", "color_support", "draw", "draw_named", "half_blocks"]

#: All 24-bit colours, the 256 of xterm, or no colours.
ColorSupport = Literal["true", "256", "none"]

_GAP_COLUMNS = 2  # between pictures
_MIN_COLUMNS = 24  # for several pictures; a narrower terminal shows the last one only
_NAMED_COLUMNS = 16  # for a picture above its name
_RESERVED_LINES = 3  # for the command's own lines and the prompt
_CHARACTERS = " .:-=+*#%@"  # dark to light, on a dark background
_LUMA = np.array(LUMA)
#: Parts of TERM that name terminals with all colours; ssh passes TERM on, but not COLORTERM.
_TRUE_COLOR_TERMS = ("direct", "truecolor", "kitty", "ghostty", "alacritty", "wezterm", "foot", "iterm")

_Pixels = NDArray[np.float32]


def can_draw(stream: TextIO | None) -> bool:
    """Return whether `stream` is a terminal."""
    return stream is not None and stream.isatty()


def draw(pictures: Sequence[_Pixels], stream: TextIO) -> None:
    """Draw pictures beside each other, as large as the terminal has room for.

    Args:
        pictures: float32 (H, W, 3) in [0, 1] each.
        stream: a terminal.
    """
    columns, lines = _room(stream)
    library_image = _library_image()
    if library_image is not None:
        from rich.console import Console

        height = max(picture.shape[0] for picture in pictures)
        row = _beside(pictures, height, height * 10_000, gap=max(1, height // 40))
        Console(file=stream).print(library_image(row, *_cells(row, columns, lines)))
        return
    if columns < _MIN_COLUMNS:
        pictures = pictures[-1:]
    row = _beside(pictures, 2 * lines, columns, gap=_GAP_COLUMNS)
    stream.write(half_blocks(row, color_support(os.environ, stream.encoding)) + "\n")
    stream.flush()


def draw_named(pictures: Sequence[tuple[str, _Pixels]], stream: TextIO) -> None:
    """Draw pictures of one shape in rows, each above its name.

    Args:
        pictures: names of up to 15 characters, and float32 (H, W, 3) in [0, 1].
        stream: a terminal.
    """
    columns, _ = _room(stream)
    in_row = min(max(1, columns // _NAMED_COLUMNS), len(pictures))
    for first in range(0, len(pictures), in_row):
        row = pictures[first : first + in_row]
        # The last row may be shorter: nothing is drawn beside its pictures.
        blank = [np.zeros_like(row[0][1])] * (in_row - len(row))
        draw([*(pixels for _, pixels in row), *blank], stream)
        stream.write("".join(f"{name:<{(columns + _GAP_COLUMNS) // in_row}}" for name, _ in row).rstrip() + "\n")
    stream.flush()


def _room(stream: TextIO) -> tuple[int, int]:
    """Return the columns and lines that pictures may take."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except OSError:
        columns, lines = 0, 0
    # Some terminals report a size of 0 when they have just started.
    return columns or 80, max(1, (lines or 24) - _RESERVED_LINES)


# --------------------------------------------------------------------------------------------------------------------
# Half blocks


def color_support(environment: Mapping[str, str], encoding: str | None) -> ColorSupport:
    """Return which colours a terminal can show.

    Args:
        environment: its variables TERM, COLORTERM, WT_SESSION and NO_COLOR (https://no-color.org) are read.
        encoding: of the terminal; without half blocks there are no colours.
    """
    term = environment.get("TERM", "").lower()
    try:
        "▀".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "none"
    if environment.get("NO_COLOR") or term == "dumb":
        return "none"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or "WT_SESSION" in environment:
        return "true"
    return "true" if any(name in term for name in _TRUE_COLOR_TERMS) else "256"


def half_blocks(pixels: _Pixels, colors: ColorSupport) -> str:
    """Return a picture as lines of W characters; each character shows two pixels.

    Args:
        pixels: float32 (H, W, 3) in [0, 1]; an odd height gets a black line.
        colors: `true`, `256` (xterm's 6 x 6 x 6 colours and 24 greys), or `none` (characters from dark to light).
    """
    samples = np.rint(np.clip(pixels, 0, 1) * 255).astype(int)
    samples = np.pad(samples, ((0, samples.shape[0] % 2), (0, 0), (0, 0)))
    upper, lower = samples[::2], samples[1::2]
    if colors == "none":
        luma = (upper + lower) @ _LUMA / 2
        steps = np.minimum((luma / 256 * len(_CHARACTERS)).astype(int), len(_CHARACTERS) - 1)
        return "\n".join("".join(_CHARACTERS[step] for step in line).rstrip() for line in steps)
    codes = _true_color_codes if colors == "true" else _palette_codes
    lines = []
    for front, back in zip(codes(upper), codes(lower), strict=True):
        line, last = [], ("", "")
        for pair in zip(front, back, strict=True):
            if pair != last:
                line.append(f"\x1b[38;{pair[0]};48;{pair[1]}m")
                last = pair
            line.append("▀")
        lines.append("".join(line) + "\x1b[0m")
    return "\n".join(lines)


def _true_color_codes(samples: NDArray[np.int_]) -> list[list[str]]:
    """Return per pixel what follows 38; or 48; in an escape sequence.

    Args:
        samples: (H, W, 3), 0 to 255.
    """
    return [[f"2;{red};{green};{blue}" for red, green, blue in line] for line in samples.tolist()]


def _palette_codes(samples: NDArray[np.int_]) -> list[list[str]]:
    """Return the same as `_true_color_codes` with the nearest of xterm's 6 x 6 x 6 colours and 24 greys."""
    levels = np.array([0, 95, 135, 175, 215, 255])
    nearest = np.abs(samples[..., None] - levels).argmin(-1)
    grey = np.clip((samples.mean(-1) - 3) // 10, 0, 23).astype(int)
    cube_error = np.square(samples - levels[nearest]).sum(-1)
    grey_error = np.square(samples - (8 + 10 * grey)[..., None]).sum(-1)
    cube = 16 + nearest @ np.array([36, 6, 1])
    index = np.where(grey_error < cube_error, 232 + grey, cube)
    return [[f"5;{number}" for number in line] for line in index.tolist()]


# --------------------------------------------------------------------------------------------------------------------
# Layout


def _beside(pictures: Sequence[_Pixels], height: int, width: int, gap: int) -> _Pixels:
    """Return the pictures in a row on black, each as large as fits its share of `height` x `width` px."""
    share = max(1, (width - gap * (len(pictures) - 1)) // len(pictures))
    fitted = []
    for picture in pictures:
        scale = min(height / picture.shape[0], share / picture.shape[1])
        fitted.append(resized(picture, *(max(1, int(side * scale)) for side in picture.shape[:2])))
    tallest = max(picture.shape[0] for picture in fitted)
    padded = [
        np.pad(picture, ((0, tallest - picture.shape[0]), (0, gap if number < len(fitted) else 0), (0, 0)))
        for number, picture in enumerate(fitted, start=1)
    ]
    return np.concatenate(padded, axis=1)


def _cells(row: _Pixels, columns: int, lines: int) -> tuple[int, int]:
    """Return the columns and lines that show a picture undistorted; a cell is twice as high as wide."""
    height, width = row.shape[:2]
    scale = min(2 * lines / height, columns / width)
    return max(1, int(width * scale)), max(1, int(height * scale / 2))


# --------------------------------------------------------------------------------------------------------------------
# Graphics protocols


def _library_image() -> Callable[[_Pixels, int, int], Any] | None:
    """Return a function that makes a renderable for rich from pixels, columns and lines.

    Returns None where textual-image is not installed or the terminal knows neither Sixel nor Kitty's protocol. The
    library asks the terminal, so that input and output both have to be terminals.
    """
    if os.environ.get("NO_COLOR") or not (can_draw(sys.__stdin__) and can_draw(sys.__stdout__)):
        return None
    try:
        from textual_image.renderable import Image, SixelImage, TGPImage
    except ImportError:
        return None
    if Image not in (SixelImage, TGPImage):
        return None

    from PIL import Image as PilImage

    def image(row: _Pixels, columns: int, lines: int) -> Any:
        return Image(PilImage.fromarray(np.rint(row * 255).astype(np.uint8)), columns, lines)

    return image

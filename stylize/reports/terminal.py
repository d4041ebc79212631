"""Pictures in a terminal: half blocks in as many colours as it has, or a graphics protocol that a library speaks.

A half block shows two pixels, one above the other; nothing is asked of the terminal, so that it works everywhere,
over ssh too. With `pip install "stylize[terminal]"`, terminals that know Sixel or Kitty's protocol show real pixels.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from stylize.images.resizing import resized

__all__ = ["can_draw", "colors", "draw", "half_blocks"]

_GAP = 2  # columns between pictures
_NARROW = 24  # columns, under which only the last picture is drawn
_SPARE_LINES = 3  # for the command's own lines and the prompt
_RAMP = " .:-=+*#%@"  # dark to light, on a dark background
_TRUE_COLOR_TERMS = ("direct", "truecolor", "kitty", "ghostty", "alacritty", "wezterm", "foot", "iterm")


def can_draw(stream: TextIO | None) -> bool:
    """Return whether `stream` is a terminal."""
    return stream is not None and stream.isatty()


def draw(pictures: Sequence[np.ndarray], stream: TextIO) -> None:
    """Draw pictures, float32 (H, W, 3) in [0, 1], beside each other, as large as the terminal `stream` has room."""
    columns, lines = _window(stream)
    library = _library_image()
    if library is not None:
        from rich.console import Console

        height = max(picture.shape[0] for picture in pictures)
        row = _beside(pictures, height, height * 10_000, gap=max(1, height // 40))
        Console(file=stream).print(library(row, *_cells(row, columns, lines)))
        return
    if columns < _NARROW:
        pictures = pictures[-1:]
    row = _beside(pictures, 2 * lines, columns, gap=_GAP)
    stream.write(half_blocks(row, colors(os.environ, stream.encoding)) + "\n")
    stream.flush()


def _window(stream: TextIO) -> tuple[int, int]:
    """Return columns and lines that a picture may take."""
    try:
        columns, lines = os.get_terminal_size(stream.fileno())
    except OSError:
        columns, lines = 0, 0
    # Some terminals, at first, say that they have no size.
    return columns or 80, max(1, (lines or 24) - _SPARE_LINES)


def colors(environment: Mapping[str, str], encoding: str | None) -> str:
    """Return what a terminal can show: `true` colours, `256`, or `none` (https://no-color.org is honoured)."""
    term = environment.get("TERM", "").lower()
    try:
        "▀".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "none"
    if environment.get("NO_COLOR") or term == "dumb":
        return "none"
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit") or "WT_SESSION" in environment:
        return "true"
    # ssh hands on TERM, but not COLORTERM.
    return "true" if any(name in term for name in _TRUE_COLOR_TERMS) else "256"


def half_blocks(pixels: np.ndarray, colors: str) -> str:
    """Return a picture, float32 (H, W, 3) in [0, 1], as lines of W characters, each for two pixels.

    Args:
        pixels: an odd height gets a black line.
        colors: `true`, `256` (the xterm palette's cube and greys), or `none` (characters from dark to light).
    """
    samples = np.rint(np.clip(pixels, 0, 1) * 255).astype(int)
    samples = np.pad(samples, ((0, samples.shape[0] % 2), (0, 0), (0, 0)))
    upper, lower = samples[::2], samples[1::2]
    if colors == "none":
        luma = (upper + lower) @ np.array([0.299, 0.587, 0.114]) / 2
        steps = np.minimum((luma / 256 * len(_RAMP)).astype(int), len(_RAMP) - 1)
        return "\n".join("".join(_RAMP[step] for step in line).rstrip() for line in steps)
    code: Callable[[np.ndarray], np.ndarray] = _true_color if colors == "true" else _palette_color
    lines = []
    for front, back in zip(code(upper), code(lower), strict=True):
        line, last = [], ("", "")
        for pair in zip(front.tolist(), back.tolist(), strict=True):
            if pair != last:
                line.append(f"\x1b[38;{pair[0]};48;{pair[1]}m")
                last = pair
            line.append("▀")
        lines.append("".join(line) + "\x1b[0m")
    return "\n".join(lines)


def _true_color(samples: np.ndarray) -> np.ndarray:
    """(H, W, 3) in 0 to 255 to (H, W) of what follows 38; or 48; in an escape sequence."""
    return np.array([[f"2;{r};{g};{b}" for r, g, b in line] for line in samples.tolist()])


def _palette_color(samples: np.ndarray) -> np.ndarray:
    """As `_true_color`, with the nearest of xterm's 6 x 6 x 6 colours and 24 greys."""
    levels = np.array([0, 95, 135, 175, 215, 255])
    nearest = np.abs(samples[..., None] - levels).argmin(-1)
    grey = np.clip((samples.mean(-1) - 3) // 10, 0, 23).astype(int)
    to_cube = np.square(samples - levels[nearest]).sum(-1)
    to_grey = np.square(samples - (8 + 10 * grey)[..., None]).sum(-1)
    cube = 16 + nearest @ np.array([36, 6, 1])
    index = np.where(to_grey < to_cube, 232 + grey, cube)
    return np.array([[f"5;{number}" for number in line] for line in index.tolist()])


def _beside(pictures: Sequence[np.ndarray], height: int, width: int, gap: int) -> np.ndarray:
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


def _cells(row: np.ndarray, columns: int, lines: int) -> tuple[int, int]:
    """Return the columns and lines that show a picture undistorted, in cells twice as high as wide."""
    height, width = row.shape[:2]
    scale = min(2 * lines / height, columns / width)
    return max(1, int(width * scale)), max(1, int(height * scale / 2))


def _library_image() -> Callable[[np.ndarray, int, int], Any] | None:
    """Return what makes a picture for rich in Sixel or Kitty's protocol, where a library and the terminal know them.

    The library asks the terminal, so that both ways have to be free.
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

    def image(row: np.ndarray, columns: int, lines: int) -> Any:
        return Image(PilImage.fromarray(np.rint(row * 255).astype(np.uint8)), columns, lines)

    return image

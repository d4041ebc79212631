"""Pictures in a terminal: what is written says which pixels are seen."""

from __future__ import annotations

import io
import os
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from samples import painting
from stylize.reports.terminal import color_support, draw, half_blocks

CELL = re.compile(r"(?:\x1b\[38;(2;\d+;\d+;\d+|5;\d+);48;(2;\d+;\d+;\d+|5;\d+)m)?▀")


def seen(text: str) -> NDArray[np.int_]:
    """The pixels that a terminal would show, (2 * lines, columns, 3) in 0 to 255."""

    def color(code: str) -> list[int]:
        kind, *numbers = map(int, code.split(";"))
        if kind == 2:
            return numbers
        (index,) = numbers
        if index >= 232:
            return [8 + 10 * (index - 232)] * 3
        levels = [0, 95, 135, 175, 215, 255]
        return [levels[(index - 16) // step % 6] for step in (36, 6, 1)]

    pixels = []
    for line in text.split("\n"):
        upper, lower = [], []
        for match in CELL.finditer(line):
            if match[1]:
                front, back = color(match[1]), color(match[2])
            upper.append(front)
            lower.append(back)
        pixels += [upper, lower]
    return np.array(pixels)


def test_true_colours_are_the_pixels():
    picture = painting(12, 17, 0)
    np.testing.assert_array_equal(seen(half_blocks(picture, "true")), np.rint(picture * 255))


def test_an_odd_height_gets_a_black_line():
    shown = seen(half_blocks(painting(5, 4, 0), "true"))
    assert shown.shape == (6, 4, 3)
    assert not shown[-1].any()


def test_256_colours_are_near():
    picture = painting(40, 40, 1)
    assert np.abs(seen(half_blocks(picture, "256")) - picture * 255).mean() < 20
    greys = np.repeat(np.linspace(0, 1, 40, dtype=np.float32)[None, :, None], 3, axis=2).repeat(2, axis=0)
    assert np.abs(seen(half_blocks(greys, "256")) - greys * 255).max() < 12


def test_without_colours_light_is_dense():
    ramp = np.repeat(np.linspace(0, 1, 10, dtype=np.float32)[None, :, None], 3, axis=2).repeat(2, axis=0)
    assert half_blocks(ramp, "none") == " .:-=+*#%@"


@pytest.mark.parametrize(
    ("environment", "encoding", "expected"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "utf-8", "true"),
        ({"TERM": "xterm-256color"}, "utf-8", "256"),  # over ssh
        ({"TERM": "xterm-kitty"}, "utf-8", "true"),
        ({"TERM": "xterm", "COLORTERM": "24bit", "NO_COLOR": "1"}, "utf-8", "none"),
        ({"TERM": "xterm-256color", "NO_COLOR": ""}, "utf-8", "256"),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, "utf-8", "none"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "ascii", "none"),
        ({"WT_SESSION": "x"}, "utf-8", "true"),
    ],
)
def test_what_a_terminal_can_show(environment, encoding, expected):
    assert color_support(environment, encoding) == expected


class Window(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")

    def fileno(self) -> int:
        return 2

    def text(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode()


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 20), (30, 60), (10, 10), (1, 1), (0, 0)])
def test_pictures_fit_the_window(columns, lines, monkeypatch):
    monkeypatch.setattr(os, "get_terminal_size", lambda descriptor: os.terminal_size((columns, lines)))
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    window = Window()
    draw([painting(48, 64, 0), painting(48, 64, 1)], window)
    shown = seen(window.text().rstrip("\n"))
    room = columns or 80, max(1, (lines or 24) - 3)
    assert shown.shape[1] <= room[0]
    assert shown.shape[0] <= 2 * room[1]
    # As large as fits, one way or the other.
    assert shown.shape[1] >= room[0] - 3 or shown.shape[0] >= 2 * room[1] - 1 or room[0] < 24


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals of this kind")
def test_a_library_draws_where_the_terminal_knows_sixel(tmp_path):
    """A pseudo-terminal that answers as one with Sixel does."""
    pytest.importorskip("textual_image", reason='pip install "stylize-art[terminal]" draws real pixels')
    import fcntl
    import pty
    import struct
    import subprocess
    import sys
    import termios

    code = (
        "import numpy as np, sys; from stylize.reports.terminal import draw;"
        "draw([np.full((40, 60, 3), 0.5, np.float32)] * 2, sys.stderr)"
    )
    terminal_end, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 800, 480))
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=end, stdout=end, stderr=end, env={**environment, "TERM": "xterm"}
    )
    os.close(end)
    drawn, answered = b"", False
    while True:
        try:
            part = os.read(terminal_end, 65536)
        except OSError:
            break
        if not part:
            break
        drawn += part
        if not answered and b"\x1b[c" in drawn:
            os.write(terminal_end, b"\x1b[?62;4;22c")
            answered = True
    os.close(terminal_end)
    assert process.wait(timeout=60) == 0
    assert b"\x1bP" in drawn, drawn[:300]
    assert "▀".encode() not in drawn

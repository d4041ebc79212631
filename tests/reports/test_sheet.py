"""The text of a sheet: every name can be read, in every script that the machine has letters for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ImageFont

from stylize.reports import sheet
from stylize.reports.sheet import GREY, INK, PAPER, PlacedText, Sheet, text_width


def drawn(text: str, size: int = 20) -> NDArray[np.float32]:
    return Sheet(400, 60, (), (PlacedText(text, 10, 40, size, INK),)).draw()


def has_font(name: str) -> bool:
    try:
        ImageFont.truetype(name, 20)
    except OSError:
        return False
    return True


def assert_told_apart(letters: str) -> None:
    """A character without a glyph is drawn as a box, the same for all."""
    for one, other in itertools.combinations(letters, 2):
        assert not np.array_equal(drawn(f"A {one}"), drawn(f"A {other}")), (one, other)


def test_letters_with_accents_are_drawn() -> None:
    assert_told_apart("éüñçÅ")


@pytest.mark.skipif(not any(map(has_font, sheet._FONTS[1:3])), reason="no font with these letters is installed")
def test_letters_of_other_scripts_are_drawn() -> None:
    assert_told_apart("ЖДΩλ×–éø")
    assert_told_apart("éЖ\u65e5")  # the last one is in no such font, the others are drawn even so


def test_without_such_a_font_letters_lose_their_accents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "_FONTS", ("", "no-such-font.ttf"))
    np.testing.assert_array_equal(drawn("Caf\u00e9 Zu\u0308rich"), drawn("Cafe Zurich"))
    assert text_width("Caf\u00e9", 20) == text_width("Cafe", 20)
    # What has no base letter costs no sheet, and neither do bytes that are no text.
    assert_told_apart("a\u65e5")
    assert_told_apart("a\udcff")


def test_a_plain_name_is_drawn_as_before() -> None:
    """In Pillow's own font, whatever other fonts there are."""
    assert text_width("harbour.jpg", 20) == np.ceil(ImageFont.load_default(20).getlength("harbour.jpg"))


@pytest.mark.parametrize("text", ["two\nlines", "two\r\nlines", "two\u2028lines"])
def test_a_line_break_in_a_name_makes_no_second_line(text: str) -> None:
    np.testing.assert_array_equal(drawn(text), drawn("two lines"))
    placed = PlacedText.shortened(text, 0, 20, 20, INK, max_width=text_width("two lin…", 20))
    assert placed.box[3] - placed.box[1] < 25


def test_grey_text_can_be_read_on_paper() -> None:
    """Contrast as of WCAG 2.2, which asks for 4.5."""

    def luminance(color: tuple[int, int, int]) -> float:
        parts = [value / 255 for value in color]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot([0.2126, 0.7152, 0.0722], linear))

    assert (luminance(PAPER) + 0.05) / (luminance(GREY) + 0.05) >= 4.5

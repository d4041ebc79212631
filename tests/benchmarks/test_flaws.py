"""The figures of flaws see the flaws, and see none in the photograph itself."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import stylize
from samples import EXAMPLES, REPOSITORY
from stylize.images.resizing import resized

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
import flaws


@pytest.fixture(scope="module")
def photo() -> flaws.Pixels:
    return resized(stylize.read_image(EXAMPLES / "scene_lake.jpg").pixels, 200, 300)


@pytest.fixture(scope="module")
def style() -> flaws.Pixels:
    return stylize.read_image(EXAMPLES / "style_woodcut.jpg").pixels


def test_a_line_along_one_border_is_a_frame(photo: flaws.Pixels) -> None:
    plain = flaws.frame(photo)
    for side in (np.s_[:6], np.s_[-6:], np.s_[:, :6], np.s_[:, -6:]):
        framed = photo.copy()
        framed[side] = 1 - framed[side]
        assert flaws.frame(framed) > 1.5 * plain


def test_stripes_that_lead_to_a_border_are_fray(photo: flaws.Pixels) -> None:
    stripes = 0.2 * np.cos(2 * np.pi * np.arange(300) / 5).astype(np.float32)[None, :, None]
    frayed, everywhere = photo.copy(), photo + stripes
    frayed[:8] += stripes
    frayed[-8:] += stripes
    assert 0.5 < flaws.fray(photo) < 1.5
    assert flaws.fray(frayed) > 1.5 * flaws.fray(photo)
    assert flaws.fray(everywhere) < flaws.fray(frayed)


@pytest.mark.parametrize("period_px", [2, 3])
def test_a_pattern_of_two_or_three_pixels_is_weave(photo: flaws.Pixels, period_px: int) -> None:
    pattern = 0.1 * np.cos(2 * np.pi * np.arange(300) / period_px).astype(np.float32)
    woven = photo + pattern[None, :, None]
    strokes = photo + 0.1 * np.cos(2 * np.pi * np.arange(300) / 8).astype(np.float32)[None, :, None]
    assert flaws.weave(woven, photo) > 10 * flaws.weave(photo, photo)
    assert flaws.weave(strokes, photo) < flaws.weave(photo, photo)


def test_the_objects_of_the_style_are_a_ghost_wherever_they_stand(photo: flaws.Pixels, style: flaws.Pixels) -> None:
    laid = resized(style, 200, 300)
    plain, there, moved = (
        flaws.ghost(photo + 0.5 * each, photo, style) for each in (0 * laid, laid, np.roll(laid, (30, 40), (0, 1)))
    )
    assert there > 0.8
    assert plain < 0.5 < moved

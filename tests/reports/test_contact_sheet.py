"""The contact sheet: every picture unsquashed and untouched, its text beside it, at every shape and size."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from stylize.images.picture import Picture
from stylize.reports.contact_sheet import contact_sheet, layout_comparison
from stylize.reports.sheet import PAPER
from stylize.transfer.results import Comparison, NetworkUse, Scored

FEATURES = NetworkUse("vgg19-slim", "embedded", {"vgg19_slim.safetensors": "0" * 64})


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """A picture that is nowhere the colour of paper or ink."""
    return np.random.default_rng(seed).uniform(0.3, 0.7, (height, width, 3)).astype(np.float32)


def comparison(
    height: int,
    width: int,
    *,
    styles: Sequence[tuple[int, int]] = ((40, 50),),
    labels: Sequence[str] = ("fast", "refined"),
    alpha: NDArray[np.float32] | None = None,
    networks: tuple[NetworkUse, ...] = (FEATURES,),
) -> Comparison:
    return Comparison(
        content=Picture(noise(height, width), alpha=alpha),
        styles=tuple((Picture(noise(*size, seed=9)), 1 / len(styles)) for size in styles),
        features=FEATURES,
        scores=tuple(
            Scored(
                label=label,
                image=noise(height, width, seed),
                content_loss=0.5,
                style_loss=0.25,
                style_loss_per_layer={"relu1_1": 0.25},
                ssim=0.75,
                seconds=1.5 if networks else None,
                networks=networks,
            )
            for seed, label in enumerate(labels, start=1)
        ),
    )


def find(sheet: NDArray[np.float32], picture: NDArray[np.float32]) -> tuple[int, int]:
    """Where on the sheet all of `picture` stands, pixel for pixel: (top, left)."""
    height, width = picture.shape[:2]
    for top, left in np.argwhere((sheet == picture[0, 0]).all(axis=-1)):
        if np.array_equal(sheet[top : top + height, left : left + width], picture):
            return top, left
    raise AssertionError("the picture is not on the sheet, or not as it was")


@pytest.mark.parametrize(
    ("height", "width"), [(96, 160), (160, 96), (256, 256), (600, 900), (1, 1), (1, 300), (300, 1)]
)
def test_pictures_stand_on_the_sheet_pixel_for_pixel(height, width):
    compared = comparison(height, width)
    sheet = contact_sheet(compared)
    assert sheet.dtype == np.float32
    assert sheet.min() >= 0
    assert sheet.max() <= 1
    places = [find(sheet, compared.content.pixels), *(find(sheet, score.image) for score in compared.scores)]
    assert len(set(places)) == 3
    for top, left in places:
        assert top > 0
        assert left > 0
        assert top + height < sheet.shape[0]
        assert left + width < sheet.shape[1]


@pytest.mark.parametrize(("height", "width"), [(100, 100), (100, 300), (300, 100)])
def test_a_style_keeps_its_aspect_ratio(height, width):
    compared = comparison(height, width, styles=((80, 160),))
    paper = contact_sheet(comparison(height, width, styles=((80, 160),)))[0, 0]
    sheet = contact_sheet(compared)
    for picture in (compared.content.pixels, *(score.image for score in compared.scores)):
        top, left = find(sheet, picture)
        sheet[top : top + height, left : left + width] = paper
    # Text is near black, near white or grey: what is coloured now is the style.
    coloured = np.argwhere(np.ptp(sheet, axis=-1) > 0.1)
    seen_height, seen_width = np.ptp(coloured, axis=0) + 1
    assert seen_width / seen_height == pytest.approx(2, rel=0.1)
    assert seen_width <= width
    assert seen_height <= height
    assert seen_width >= width - 6 or seen_height >= height - 6


@pytest.mark.parametrize(("height", "width"), [(96, 160), (1, 1), (1024, 700)])
@pytest.mark.parametrize("labels", [("fast", "refined"), ("an endless name " * 9, "b.png", "c.png")])
def test_text_stands_free_of_pictures_and_of_other_text(height, width, labels):
    sheet = layout_comparison(comparison(height, width, labels=labels))
    assert [text.text for text in sheet.texts if text.text == "SSIM"] == ["SSIM"] * len(labels)
    boxes = [text.box for text in sheet.texts if text.text] + [picture.box for picture in sheet.pictures]
    for one, other in itertools.combinations(boxes, 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, f"{one} and {other} overlap"
    assert all(left >= 0 and top >= 0 and right <= sheet.width and bottom <= sheet.height
               for left, top, right, bottom in boxes)  # fmt: skip


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_several_styles_share_one_panel(count):
    one = contact_sheet(comparison(128, 192)).shape
    several = comparison(128, 192, styles=tuple((30 + 10 * index, 60) for index in range(count)))
    sheet = contact_sheet(several)
    assert sheet.shape == one
    find(sheet, several.content.pixels)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_any_number_of_scored_pictures_with_long_names(count):
    labels = [f"{number} {'long name ' * 20}.png" for number in range(count)]
    compared = comparison(64, 96, labels=labels, networks=())
    sheet = contact_sheet(compared)
    for score in compared.scores:
        find(sheet, score.image)


def test_a_landscape_is_shown_two_by_two_and_a_portrait_in_a_row():
    height, width = contact_sheet(comparison(360, 640)).shape[:2]
    assert height > 2 * 360
    assert width < 3 * 640
    height, width = contact_sheet(comparison(640, 360)).shape[:2]
    assert height < 2 * 640
    assert width > 4 * 360


def test_transparent_parts_show_the_paper():
    alpha = np.ones((50, 300), np.float32)
    alpha[:, 150:] = 0
    compared = comparison(50, 300, alpha=alpha)
    sheet = contact_sheet(compared)
    top, left = find(sheet, compared.scores[0].image[:, :150])
    hidden = sheet[top : top + 50, left + 150 : left + 300]
    np.testing.assert_allclose(hidden, np.broadcast_to(sheet[0, 0], hidden.shape))


@pytest.mark.parametrize("count", [1, 2])
def test_transparent_parts_of_a_style_show_the_paper_too(count):
    compared = comparison(60, 90, styles=[(40, 40)] * count)
    hidden = dataclasses.replace(compared.styles[0][0], alpha=np.zeros((40, 40), np.float32))
    compared = dataclasses.replace(compared, styles=((hidden, 1.0), *compared.styles[1:]))
    sheet = layout_comparison(compared)
    panel = sheet.pictures[1].pixels
    paper = np.array(PAPER, np.float32) / 255
    left = panel[:, : panel.shape[1] // count - 3]
    np.testing.assert_allclose(left, np.broadcast_to(paper, left.shape), atol=1 / 255)


def test_the_sheet_is_the_same_every_time():
    np.testing.assert_array_equal(contact_sheet(comparison(64, 64)), contact_sheet(comparison(64, 64)))

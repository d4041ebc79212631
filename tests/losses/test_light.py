"""The light loss: where light and dark lie, whatever their strength."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samples import painting
from stylize.config import PerceptualLossConfig
from stylize.losses.light import light_loss, lights_of
from stylize.networks.backend import array_of

_SIZES = [(96, 144), (144, 96), (97, 31), (16, 16), (5, 3), (1, 40)]


# Means of cells alone, and the default's share of details.
with_details = pytest.mark.parametrize("detail", [0.0, PerceptualLossConfig().light_detail])


def _loss(picture: NDArray[np.float32], content: NDArray[np.float32], detail: float) -> float:
    """Return the mean over the sizes of cells: 0 for the same light, about 1 for any other, 2 for the negative."""
    return float(np.mean(_losses(picture, content, detail)))


def _losses(picture: NDArray[np.float32], content: NDArray[np.float32], detail: float) -> list[float]:
    lights = lights_of(array_of(content[None]), detail)
    return [float(light_loss(array_of(picture[None]), light)) for light in lights]


@with_details
@pytest.mark.parametrize("size", _SIZES)
def test_a_picture_has_its_own_light(size: tuple[int, int], detail: float) -> None:
    content = painting(*size, 0)
    assert _loss(content, content, detail) == pytest.approx(0, abs=1e-2)


@with_details
@pytest.mark.parametrize("size", _SIZES)
def test_brightness_contrast_and_color_are_free(size: tuple[int, int], detail: float) -> None:
    content = painting(*size, 0)
    luma = content @ np.array([0.299, 0.587, 0.114], np.float32)
    gray = (0.4 + 0.5 * luma[..., None] * np.ones(3, np.float32)).astype(np.float32)
    assert _loss(gray, content, detail) == pytest.approx(_loss(content, content, detail), abs=1e-2)


@with_details
def test_the_negative_is_the_farthest(detail: float) -> None:
    content = painting(96, 144, 0)
    assert _loss(1 - content, content, detail) == pytest.approx(2, abs=1e-2)
    assert _loss(painting(96, 144, 1), content, detail) > 0.2


@with_details
def test_fine_strokes_cost_nearly_nothing(detail: float) -> None:
    content = painting(256, 256, 0)
    strokes = np.where(np.indices((256, 256)).sum(0) // 4 % 2, 0.2, -0.2).astype(np.float32)[..., None]
    assert _loss(content + strokes, content, detail) < 0.01
    broad = np.where(np.indices((256, 256))[1] // 64 % 2, 0.2, -0.2).astype(np.float32)[..., None]
    # Edges are a part of the light, and broad strokes leave the edges.
    assert _loss(content + broad, content, detail) > (0.05 if detail else 0.1)


def test_details_tell_a_dark_roof_from_a_dark_cloud() -> None:
    rows, columns = np.indices((192, 192))
    roof = np.repeat(np.where(rows > np.abs(columns - 96), 0.2, 0.9)[..., None], 3, 2).astype(np.float32)
    cloud = np.mean([np.roll(roof, (y, x), (0, 1)) for y in range(-8, 9, 4) for x in range(-8, 9, 4)], 0)
    cloud = cloud.astype(np.float32)
    assert _loss(cloud, roof, 0.0) < 0.01
    assert _losses(cloud, roof, PerceptualLossConfig().light_detail)[0] > 5 * _loss(cloud, roof, 0.0)


def test_small_cells_see_what_large_ones_average() -> None:
    content = np.random.default_rng(0).uniform(0, 1, (192, 192, 3)).astype(np.float32)
    rows, columns = np.indices((192, 192)) // 8
    # Small cells have much of the content's detail or little, in turn; all large ones have half of it.
    half = (0.5 + (content - 0.5) * ((rows + columns) % 2)[..., None]).astype(np.float32)
    large, small = _losses(half, content, PerceptualLossConfig().light_detail)
    assert small > 4 * large


def test_there_are_small_cells_from_two_pixels_on() -> None:
    sizes = {side: len(_losses(painting(side, 20, 0), painting(side, 20, 1), 2.0)) for side in (47, 48)}
    assert sizes == {47: 1, 48: 2}


@with_details
@pytest.mark.parametrize("size", _SIZES)
def test_a_flat_content_asks_for_nothing(size: tuple[int, int], detail: float) -> None:
    flat = np.full((*size, 3), 0.3, np.float32)
    assert _loss(painting(*size, 0), flat, detail) == pytest.approx(1, abs=1e-2)
    assert np.isfinite(_loss(flat, painting(*size, 0), detail))


@with_details
def test_the_same_picture_has_the_same_light_at_every_size(detail: float) -> None:
    content, picture = painting(128, 192, 0), painting(128, 192, 1)
    double = [np.repeat(np.repeat(each, 2, 0), 2, 1) for each in (picture, content)]
    assert _loss(*double, detail) == pytest.approx(_loss(picture, content, detail), abs=5e-3)

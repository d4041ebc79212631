"""The light loss: where light and dark lie, whatever their strength."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samples import painting
from stylize.losses.light import light_loss, light_of
from stylize.networks.backend import array_of

_SIZES = [(96, 144), (144, 96), (97, 31), (16, 16), (5, 3), (1, 40)]


def _loss(picture: NDArray[np.float32], content: NDArray[np.float32]) -> float:
    return float(light_loss(array_of(picture[None]), light_of(array_of(content[None]))))


@pytest.mark.parametrize("size", _SIZES)
def test_a_picture_has_its_own_light(size: tuple[int, int]) -> None:
    content = painting(*size, 0)
    assert _loss(content, content) == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("size", _SIZES)
def test_brightness_contrast_and_color_are_free(size: tuple[int, int]) -> None:
    content = painting(*size, 0)
    luma = content @ np.array([0.299, 0.587, 0.114], np.float32)
    gray = (0.4 + 0.5 * luma[..., None] * np.ones(3, np.float32)).astype(np.float32)
    assert _loss(gray, content) == pytest.approx(_loss(content, content), abs=1e-2)


def test_the_negative_is_the_farthest() -> None:
    content = painting(96, 144, 0)
    assert _loss(1 - content, content) == pytest.approx(2, abs=1e-2)
    assert _loss(painting(96, 144, 1), content) > 0.2


def test_fine_strokes_cost_nearly_nothing() -> None:
    content = painting(256, 256, 0)
    strokes = np.where(np.indices((256, 256)).sum(0) // 4 % 2, 0.2, -0.2).astype(np.float32)[..., None]
    assert _loss(content + strokes, content) < 0.01
    broad = np.where(np.indices((256, 256))[1] // 64 % 2, 0.2, -0.2).astype(np.float32)[..., None]
    assert _loss(content + broad, content) > 0.1


@pytest.mark.parametrize("size", _SIZES)
def test_a_flat_content_asks_for_nothing(size: tuple[int, int]) -> None:
    flat = np.full((*size, 3), 0.3, np.float32)
    assert _loss(painting(*size, 0), flat) == pytest.approx(1, abs=1e-2)
    assert np.isfinite(_loss(flat, painting(*size, 0)))


def test_the_same_picture_has_the_same_light_at_every_size() -> None:
    content, picture = painting(128, 192, 0), painting(128, 192, 1)
    double = [np.repeat(np.repeat(each, 2, 0), 2, 1) for each in (picture, content)]
    assert _loss(*double) == pytest.approx(_loss(picture, content), abs=5e-3)

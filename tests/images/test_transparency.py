"""Transparent pixels take the colours of visible neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from picture_files import scene
from stylize.images.reading import read_image
from stylize.images.resizing import resized
from stylize.images.transparency import fill_hidden_colors

rng = np.random.default_rng(7)


def disc(size: int = 64) -> np.ndarray:
    """A hard red disc; its transparent surroundings hide green."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    inside = np.hypot(x, y) < size * 0.3
    rgba = np.where(inside[..., None], [255, 0, 0, 255], [0, 255, 0, 0])
    return rgba.astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", None])
@pytest.mark.parametrize("size", [16, 23, 64, 150])
def test_no_halo(tmp_path: Path, suffix: str | None, size: int) -> None:
    source: np.ndarray | Path = disc()
    if suffix:
        source = tmp_path / f"in.{suffix}"
        Image.fromarray(disc()).save(source, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    picture = read_image(source)
    np.testing.assert_allclose(picture.pixels, np.broadcast_to([1, 0, 0], (64, 64, 3)), atol=1e-5)
    small = resized(picture, size, size)
    assert small.alpha is not None
    assert small.alpha.shape == (size, size)
    assert small.pixels[..., 1].max() < 1e-5
    assert small.alpha.min() == 0
    assert small.alpha.max() == 1


def test_fill_takes_the_nearest_colors_and_keeps_the_visible() -> None:
    rgba = np.zeros((41, 61, 4))
    rgba[:, :20] = [1, 0, 0, 1]
    rgba[:, -20:] = [0, 0, 1, 1]
    picture = read_image(rgba)
    np.testing.assert_array_equal(picture.pixels[:, :20], rgba[:, :20, :3])
    assert picture.pixels[:, 21, 0].min() > 0.8  # beside red
    assert picture.pixels[:, 39, 2].min() > 0.8  # beside blue
    np.testing.assert_allclose(picture.pixels.sum(axis=2), 1, atol=1e-4)  # nothing of the hidden black
    assert np.abs(np.diff(picture.pixels[20, :, 0])).max() < 0.2  # smooth


def test_soft_alpha_keeps_its_colors() -> None:
    rgba = rng.random((16, 16, 4))
    rgba[..., 3] = rng.uniform(0.1, 0.9, (16, 16))
    np.testing.assert_allclose(read_image(rgba).pixels, rgba[..., :3], atol=1e-6)


@pytest.mark.parametrize(
    ("alpha", "own"), [(0, 0.0), (1 / 64, 5 / 32), (1 / 32, 1 / 2), (3 / 64, 27 / 32), (1 / 16, 1.0)]
)
def test_nearly_invisible_pixels_fade_smoothly_into_their_neighbours(alpha: float, own: float) -> None:
    """A white pixel beside a black one: both have the mean of the two, and the white one has its own share again."""
    pixels = np.repeat(np.float32([[1, 0]])[..., None], 3, axis=2)
    filled = fill_hidden_colors(pixels, np.float32([[alpha, 1]]))
    mean = own / (1 + own)
    np.testing.assert_allclose(filled[0, 0], mean + (1 - mean) * own, rtol=1e-6)
    np.testing.assert_array_equal(filled[0, 1], 0)


def test_wholly_transparent_shows_nothing_hidden() -> None:
    picture = read_image(np.zeros((3, 5, 4), np.uint8))
    assert "wholly transparent" in picture.notes[0]
    assert (picture.pixels == 0.5).all()


def test_opaque_alpha_is_none(tmp_path: Path) -> None:
    Image.fromarray(scene()).convert("RGBA").save(tmp_path / "in.png")
    assert read_image(tmp_path / "in.png").alpha is None


@settings(max_examples=30)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(4))),
)
def test_fill_stays_within_the_visible_colors(rgba: np.ndarray) -> None:
    picture = read_image(rgba)
    assert np.isfinite(picture.pixels).all()
    visible = rgba[rgba[..., 3] > 0][:, :3] / 255
    if len(visible):
        assert (picture.pixels <= visible.max(axis=0) + 1e-4).all()
        assert (picture.pixels >= visible.min(axis=0) - 1e-4).all()

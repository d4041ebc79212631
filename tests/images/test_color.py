"""Luma and chroma, palettes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stylize.errors import ImageError
from stylize.images.color import with_colors_of, with_palette_of

rng = np.random.default_rng(7)


unit_pixels = hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(0, 1, width=32))


@given(unit_pixels, unit_pixels)
def test_with_colors_of(stylized: np.ndarray, content: np.ndarray) -> None:
    out = with_colors_of(stylized, content)
    weights = np.array([0.299, 0.587, 0.114])
    assert out.min() >= 0
    assert out.max() <= 1
    np.testing.assert_allclose(out @ weights, stylized @ weights, atol=1e-5)
    chroma, wanted = out - (out @ weights)[..., None], content - (content @ weights)[..., None]
    # The chroma is the content's, or less of it, in the same direction: no hue shift.
    np.testing.assert_allclose(np.cross(chroma, wanted), 0, atol=1e-5)
    assert ((chroma * wanted).sum(axis=2) >= -1e-6).all()
    assert (np.linalg.norm(chroma, axis=2) <= np.linalg.norm(wanted, axis=2) + 1e-5).all()


def test_with_colors_of_itself_and_of_another_shape() -> None:
    pixels = rng.random((5, 6, 3), dtype=np.float32)
    np.testing.assert_allclose(with_colors_of(pixels, pixels), pixels, atol=1e-6)
    with pytest.raises(ImageError, match=r"expected two pictures .* alike"):
        with_colors_of(pixels, pixels[:4])


def test_with_palette_of_takes_over_mean_and_covariance():
    random = np.random.default_rng(0)
    mix = np.array([[0.05, 0.02, 0.0], [0.0, 0.04, 0.01], [0.01, 0.0, 0.06]])
    content = (0.4 + random.normal(size=(40, 50, 3)) @ mix).clip(0, 1).astype(np.float32)
    styles = [
        ((0.6 + random.normal(size=(30, 30, 3)) @ mix.T[::-1]).clip(0, 1).astype(np.float32), w) for w in (0.3, 0.7)
    ]
    moved = with_palette_of(content, styles).reshape(-1, 3)
    flat = [style.reshape(-1, 3) for style, _ in styles]
    np.testing.assert_allclose(moved.mean(0), 0.3 * flat[0].mean(0) + 0.7 * flat[1].mean(0), atol=2e-3)
    covariance = 0.3 * np.cov(flat[0].T) + 0.7 * np.cov(flat[1].T)
    np.testing.assert_allclose(np.cov(moved.T), covariance, atol=1e-4)
    assert moved.dtype == np.float32


def test_with_palette_of_survives_pictures_of_one_colour():
    grey, red = np.full((4, 5, 3), 0.5, np.float32), np.zeros((3, 3, 3), np.float32)
    red[..., 0] = 1
    np.testing.assert_allclose(with_palette_of(grey, [(red, 1.0)]), np.broadcast_to([1.0, 0, 0], (4, 5, 3)), atol=1e-5)


def test_with_palette_of_itself_changes_nothing():
    picture = np.random.default_rng(1).random((12, 9, 3)).astype(np.float32)
    np.testing.assert_allclose(with_palette_of(picture, [(picture, 1.0)]), picture, atol=1e-5)

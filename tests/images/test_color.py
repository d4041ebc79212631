"""Luma and chroma, palettes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from samples import painting
from stylize.errors import ImageError
from stylize.images.color import LUMA, with_colors_of, with_contrast_of, with_palette_of

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


def test_with_colors_of_a_large_picture_is_that_of_its_parts() -> None:
    stylized, content = rng.random((2, 600, 4, 3), dtype=np.float32)
    whole = with_colors_of(stylized, content)
    for rows in (slice(0, 300), slice(300, 600)):
        np.testing.assert_allclose(whole[rows], with_colors_of(stylized[rows], content[rows]), atol=1e-6)


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


def test_with_palette_of_gives_the_content_the_weight_that_styles_leave():
    content, style = 0.3 + 0.2 * painting(40, 50, 0), 0.4 + 0.3 * painting(30, 30, 1)
    moved, own, other = (each.reshape(-1, 3) for each in (with_palette_of(content, [(style, 0.25)]), content, style))
    np.testing.assert_allclose(moved.mean(0), 0.75 * own.mean(0) + 0.25 * other.mean(0), atol=1e-3)
    np.testing.assert_allclose(np.cov(moved.T), 0.75 * np.cov(own.T) + 0.25 * np.cov(other.T), atol=1e-4)


def test_with_palette_of_measures_within_the_mask():
    content, style = 0.3 + 0.2 * painting(40, 50, 0), 0.4 + 0.3 * painting(30, 30, 1)
    content[:, 25:] *= 0.4
    left = np.zeros((40, 50), np.float32)
    left[:, :25] = 0.5
    moved = with_palette_of(content, [(style, 1.0)], left)[:, :25]
    np.testing.assert_allclose(moved.mean((0, 1)), style.mean((0, 1)), atol=2e-3)
    np.testing.assert_allclose(np.cov(moved.reshape(-1, 3).T), np.cov(style.reshape(-1, 3).T), atol=2e-4)


def test_with_palette_of_does_not_make_rounding_errors_visible():
    content = (0.5 + 1e-4 * np.random.default_rng(0).normal(size=(40, 50, 3))).astype(np.float32)
    assert with_palette_of(content, [(painting(30, 30, 1), 1.0)]).std(axis=(0, 1)).max() < 0.02


def test_with_palette_of_survives_pictures_of_one_colour():
    grey, red = np.full((4, 5, 3), 0.5, np.float32), np.zeros((3, 3, 3), np.float32)
    red[..., 0] = 1
    np.testing.assert_allclose(with_palette_of(grey, [(red, 1.0)]), np.broadcast_to([1.0, 0, 0], (4, 5, 3)), atol=1e-5)


def test_with_palette_of_itself_changes_nothing():
    picture = np.random.default_rng(1).random((12, 9, 3)).astype(np.float32)
    np.testing.assert_allclose(with_palette_of(picture, [(picture, 1.0)]), picture, atol=1e-5)


def contrast(picture: np.ndarray) -> float:
    return float(np.sqrt(picture.reshape(-1, 3).astype(np.float64).var(axis=0).sum()))


@pytest.mark.parametrize(("strength", "limit"), [(1.0, 1.0), (1.0, 1.75), (0.5, 1.0)])
def test_with_contrast_of_lowers_contrast_to_the_limit(strength, limit):
    content, style = painting(40, 50, 0), 0.4 + 0.2 * painting(30, 30, 1)
    ours = with_contrast_of(content, [(style, strength)], limit)
    kept = 1 - strength * (1 - limit * contrast(style) / contrast(content))
    assert contrast(ours) == pytest.approx(kept * contrast(content), rel=1e-4)
    np.testing.assert_allclose(ours, kept * content + (1 - kept) * style.mean((0, 1)), atol=1e-5)
    assert with_contrast_of(content, [(style, 0.0)], limit) is content


def test_with_contrast_of_luma_alone():
    """Where only luma is painted, colours say nothing."""
    content, grey = painting(40, 50, 0), np.repeat(painting(40, 50, 1)[..., :1], 3, axis=2)
    flat = content - (content @ np.float32(LUMA) - 0.5)[..., None]
    assert with_contrast_of(flat, [(grey, 1.0)], 1.0, luma=True) is flat
    assert with_contrast_of(grey, [(flat, 1.0)], 1.0) is not grey
    lowered = with_contrast_of(grey, [(flat, 1.0)], 1.0, luma=True)
    assert contrast(lowered) == pytest.approx(contrast(grey) / 8, rel=1e-3)


def test_with_contrast_of_many_styles_of_one_colour():
    """Nine ninths are a little more than one."""
    content = painting(40, 50, 0)
    swatches = [(np.full((8, 8, 3), shade / 10, np.float32), 1 / 9) for shade in range(9)]
    assert np.isfinite(with_contrast_of(content, swatches, 1.75)).all()


def test_with_contrast_of_keeps_a_content_within_the_limit():
    content = painting(40, 50, 0)
    assert with_contrast_of(content, [(painting(30, 30, 1), 1.0)], 2.0) is content
    fainter = 0.5 + (content - 0.5) / 1.5
    assert with_contrast_of(content, [(fainter, 1.0)], 1.75) is content
    assert with_contrast_of(content, [(fainter, 1.0)], 1.4) is not content
    flat = np.full((8, 8, 3), 0.5, np.float32)
    assert with_contrast_of(flat, [(flat, 1.0)], 1.0) is flat


def test_with_contrast_of_keeps_an_eighth_beside_a_style_of_one_colour():
    content = painting(40, 50, 0)
    ours = with_contrast_of(content, [(np.full((8, 8, 3), 0.5, np.float32), 1.0)], 1.75)
    assert contrast(ours) == pytest.approx(contrast(content) / 8, rel=1e-4)


def test_with_contrast_of_measures_within_the_mask():
    content, style = painting(40, 50, 0), 0.4 + 0.2 * painting(30, 30, 1)
    content[:, 25:] = 0.5
    left = np.zeros((40, 50), np.float32)
    left[:, :25] = 1
    ours = with_contrast_of(content, [(style, 1.0)], 1.0, within=left)
    assert contrast(ours[:, :25]) == pytest.approx(contrast(style), rel=1e-4)

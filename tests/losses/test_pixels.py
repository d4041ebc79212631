"""Total variation, frame and palette losses against values worked out by hand and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from samples import painting
from stylize.losses.pixels import LEAST_VARIANCE, PALETTE_AXES, frame_loss, palette, palette_loss, total_variation
from stylize.networks.backend import tf


def test_total_variation_by_hand() -> None:
    image = np.zeros((1, 2, 2, 3), np.float32)
    image[0, 0, 0, 0] = 0.5  # one channel of one pixel: one vertical and one horizontal difference of .5
    assert total_variation(image, "mean")[0] == float(tf.image.total_variation(tf.constant(image))[0]) == 1.0
    # Of red .5: luma .299 / 2, chroma .596 / 2 and .211 / 2, weighing 16; two differences over four pixels.
    energy = 0.25 * (0.299**2 + 16 * (0.596**2 + 0.211**2))
    assert total_variation(image, "relative")[0] == pytest.approx(2 * energy / 4)


@pytest.mark.parametrize("normalization", ["relative", "mean"])
def test_total_variation_gradient_agrees_with_finite_differences_for_any_band(normalization: str) -> None:
    image = painting(23, 31, 0)[None].astype(np.float64)
    value, gradient = total_variation(image, normalization)
    direction = np.random.default_rng(0).normal(size=image.shape)
    ends = (total_variation(image + sign * 1e-5 * direction, normalization)[0] for sign in (1, -1))
    assert (next(ends) - next(ends)) / 2e-5 == pytest.approx(float((gradient * direction).sum()), rel=1e-3)
    in_bands = total_variation(image, normalization, band_rows=5)
    assert in_bands[0] == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(in_bands[1], gradient, atol=1e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_band_along_a_border_has_a_frame_loss(side: str) -> None:
    """A band along a border has a much larger loss than one across the middle; a gradient step makes it weaker."""
    flat = np.full((1, 32, 40, 3), 0.5, np.float32)
    framed, crossed = flat.copy(), flat.copy()
    turned = {"top": framed, "bottom": framed[:, ::-1], "left": framed.swapaxes(1, 2)}
    turned["right"] = framed[:, :, ::-1].swapaxes(1, 2)
    turned[side][:, :3] = 1.0
    crossed[:, 14:17] = 1.0
    assert frame_loss(flat)[0] == 0
    assert frame_loss(framed)[0] > 10 * frame_loss(crossed)[0]
    loss, gradient = frame_loss(framed)
    assert frame_loss(framed - 0.5 * gradient)[0] < loss
    assert (gradient * (framed - flat)).sum() > 0


def test_dots_along_a_border_have_a_frame_loss() -> None:
    """Also dots whose mean colour is that of the picture."""
    dotted, crossed = (np.full((1, 32, 40, 3), 0.5, np.float32) for _ in range(2))
    dotted[:, 0, ::2], dotted[:, 0, 1::2] = 0.3, 0.7
    crossed[:, 16, ::2], crossed[:, 16, 1::2] = 0.3, 0.7
    loss, gradient = frame_loss(dotted)
    assert loss > 10 * frame_loss(crossed)[0]
    assert (gradient * (dotted - 0.5)).sum() > 0


def test_frame_gradient_agrees_with_finite_differences() -> None:
    image = painting(29, 38, 4)[None].astype(np.float64)  # no multiple of the stretches
    direction = np.random.default_rng(0).normal(size=image.shape)
    ahead, behind = (frame_loss(image + step * direction)[0] for step in (1e-5, -1e-5))
    assert (ahead - behind) / 2e-5 == pytest.approx(float((frame_loss(image)[1] * direction).sum()), rel=1e-4)


def test_palette_loss_is_the_sliced_wasserstein_distance() -> None:
    """For pictures of equally many pixels: sort the colours along each axis, and average the squared differences."""
    image, style = painting(40, 50, 0)[None], 0.2 + 0.5 * painting(50, 40, 1)[None] ** 2
    ours, theirs = (np.sort(picture.reshape(-1, 3) @ PALETTE_AXES, axis=0) for picture in (image, style))
    expected = np.square(ours - theirs).mean() / (theirs.var(axis=0).mean() + LEAST_VARIANCE)
    assert palette_loss(image, palette(style))[0] == pytest.approx(expected, rel=0.02)
    np.testing.assert_allclose(PALETTE_AXES.T @ PALETTE_AXES, np.eye(6), atol=0.85)  # no two axes are nearly parallel


def test_a_palette_does_not_depend_on_positions() -> None:
    picture = painting(40, 50, 0)[None]
    elsewhere = np.random.default_rng(0).permutation(picture.reshape(-1, 3)).reshape(picture.shape)
    assert palette_loss(elsewhere, palette(picture))[0] < 5e-4
    one_colour = np.full_like(picture, 0.3)
    assert palette_loss(one_colour, palette(one_colour))[0] < 1e-2
    assert palette_loss(picture, palette(one_colour))[0] > 1


def test_gradient_descent_on_the_palette_loss_reaches_the_colors() -> None:
    """The picture gets few yellow and many blue pixels, like the style, and not a mixture of both."""
    rng = np.random.default_rng(0)
    style = np.where(rng.random((1, 40, 40, 1)) < 0.1, [0.9, 0.8, 0.2], [0.1, 0.2, 0.6]).astype(np.float32)
    image = rng.random((1, 40, 40, 3), np.float32)
    target = palette(style)
    first, _ = palette_loss(image, target)
    for _ in range(60):
        loss, gradient = palette_loss(image, target)
        image = image - 40 * gradient
    assert loss < 0.1 * first
    assert np.mean(image[..., 0] > 0.7) == pytest.approx(np.mean(style[..., 0] > 0.7), abs=0.04)
    assert np.mean(image[..., 0] < 0.2) == pytest.approx(np.mean(style[..., 0] < 0.2), abs=0.1)


def test_palette_gradient_agrees_with_finite_differences() -> None:
    image, target = painting(29, 38, 4)[None].astype(np.float64), palette(painting(30, 30, 1)[None])
    gradient = palette_loss(image, target)[1]
    step = 1e-7  # within the bins
    ahead, behind = (palette_loss(image + sign * step * gradient / abs(gradient).max(), target)[0] for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(
        float(np.square(gradient).sum() / abs(gradient).max()), rel=0.01
    )


def test_a_palette_of_weighted_pixels_ignores_the_others() -> None:
    image, style = painting(40, 50, 0)[None], painting(40, 50, 1)[None]
    mask = np.zeros((40, 50), np.float32)
    mask[:, :20] = 0.5
    np.testing.assert_allclose(palette(image, mask), palette(np.ascontiguousarray(image[:, :, :20])), atol=1e-6)
    loss, gradient = palette_loss(image, palette(style), mask)
    inside, inner = palette_loss(np.ascontiguousarray(image[:, :, :20]), palette(style))
    assert loss == pytest.approx(inside, rel=1e-5)
    np.testing.assert_allclose(gradient[:, :, :20], inner, rtol=1e-3, atol=1e-9)
    assert not gradient[:, :, 20:].any()


def test_a_weighted_mean_of_palettes_lies_between_them() -> None:
    dark, bright = (np.full((1, 8, 8, 3), value, np.float32) for value in (0.2, 0.8))
    between = 0.75 * palette(dark) + 0.25 * palette(bright)
    np.testing.assert_allclose(between, palette(np.full((1, 8, 8, 3), 0.35, np.float32)), atol=5e-3)

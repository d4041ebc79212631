"""Total variation, frame and palette losses against values worked out by hand and finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from samples import painting, value_and_gradient
from stylize.losses.pixels import (
    LEAST_VARIANCE,
    PALETTE_AXES,
    border,
    frame_loss,
    palette,
    palette_loss,
    total_variation,
    variation_scale,
    variation_sum,
)
from stylize.networks.backend import Array, array_of

_Image = NDArray[np.float32]


def _total_variation(image: _Image, normalization: str) -> tuple[float, _Image]:
    return value_and_gradient(lambda there: total_variation(there, normalization), image)


def _frame_loss(image: _Image) -> tuple[float, _Image]:
    return value_and_gradient(lambda there: frame_loss(*border(there)), image)


def _palette_loss(image: _Image, target: _Image, mask: _Image | None = None) -> tuple[float, _Image]:
    arrays = [array_of(each) for each in (target, mask) if each is not None]
    return value_and_gradient(lambda there: palette_loss(there, *arrays), image)


def test_total_variation_by_hand() -> None:
    image = np.zeros((1, 2, 2, 3), np.float32)
    image[0, 0, 0, 0] = 0.5  # one channel of one pixel: one vertical and one horizontal difference of .5
    assert _total_variation(image, "mean")[0] == 1.0
    # Of red .5: luma .299 / 2, chroma .596 / 2 and .211 / 2, weighing 16; two differences over four pixels.
    energy = 0.25 * (0.299**2 + 16 * (0.596**2 + 0.211**2))
    assert _total_variation(image, "relative")[0] == pytest.approx(2 * energy / 4)


def test_total_variation_is_that_of_tensorflow(tensorflow: Any) -> None:
    image = painting(23, 31, 0)[None]
    expected = float(tensorflow.image.total_variation(tensorflow.constant(image))[0])
    assert _total_variation(image, "mean")[0] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("normalization", ["relative", "mean"])
def test_total_variation_gradient_agrees_with_finite_differences_for_any_band(normalization: str) -> None:
    random = np.random.default_rng(0)
    # Neighbours differ by more than the step: a sum of absolute differences has a kink where they are equal.
    checkered = 0.5 * (np.indices((23, 31)).sum(axis=0) % 2)[None, ..., None]
    image = (checkered + random.uniform(0, 0.3, (1, 23, 31, 3))).astype(np.float32)
    value, gradient = _total_variation(image, normalization)
    direction = random.uniform(-1, 1, image.shape).astype(np.float32)
    ends = (_total_variation(image + sign * 0.05 * direction, normalization)[0] for sign in (1, -1))
    assert (next(ends) - next(ends)) / 0.1 == pytest.approx(float((gradient * direction).sum()), rel=1e-3)

    def in_bands(image: Array) -> Array:
        bands = [(image[:, top : top + 5], image[:, top + 5 : top + 6]) for top in range(0, 23, 5)]
        total = sum(variation_sum(*band, normalization) for band in bands)
        return total * variation_scale(23 * 31, normalization)

    banded, of_bands = value_and_gradient(in_bands, image)
    assert banded == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(of_bands, gradient, atol=1e-6 * np.abs(gradient).max())


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_band_along_a_border_has_a_frame_loss(side: str) -> None:
    """A band along a border has a much larger loss than one across the middle; a gradient step makes it weaker."""
    flat = np.full((1, 32, 40, 3), 0.5, np.float32)
    framed, crossed = flat.copy(), flat.copy()
    turned = {"top": framed, "bottom": framed[:, ::-1], "left": framed.swapaxes(1, 2)}
    turned["right"] = framed[:, :, ::-1].swapaxes(1, 2)
    turned[side][:, :3] = 1.0
    crossed[:, 14:17] = 1.0
    assert _frame_loss(flat)[0] == 0
    assert _frame_loss(framed)[0] > 10 * _frame_loss(crossed)[0]
    loss, gradient = _frame_loss(framed)
    assert _frame_loss(framed - 0.5 * gradient)[0] < loss
    assert (gradient * (framed - flat)).sum() > 0


def test_dots_along_a_border_have_a_frame_loss() -> None:
    """Also dots whose mean colour is that of the picture."""
    dotted, crossed = (np.full((1, 32, 40, 3), 0.5, np.float32) for _ in range(2))
    dotted[:, 0, ::2], dotted[:, 0, 1::2] = 0.3, 0.7
    crossed[:, 16, ::2], crossed[:, 16, 1::2] = 0.3, 0.7
    loss, gradient = _frame_loss(dotted)
    assert loss > 10 * _frame_loss(crossed)[0]
    assert (gradient * (dotted - 0.5)).sum() > 0


def test_frame_gradient_agrees_with_finite_differences() -> None:
    image = painting(29, 38, 4)[None]  # no multiple of the stretches
    direction = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)
    # The loss is a parabola: the step may be wide.
    ahead, behind = (_frame_loss(image + step * direction)[0] for step in (0.1, -0.1))
    assert (ahead - behind) / 0.2 == pytest.approx(float((_frame_loss(image)[1] * direction).sum()), rel=1e-4)


def test_palette_loss_is_the_sliced_wasserstein_distance() -> None:
    """For pictures of equally many pixels: sort the colours along each axis, and average the squared differences."""
    image, style = painting(40, 50, 0)[None], 0.2 + 0.5 * painting(50, 40, 1)[None] ** 2
    ours, theirs = (np.sort(picture.reshape(-1, 3) @ PALETTE_AXES, axis=0) for picture in (image, style))
    expected = np.square(ours - theirs).mean() / (theirs.var(axis=0).mean() + LEAST_VARIANCE)
    assert _palette_loss(image, palette(style))[0] == pytest.approx(expected, rel=0.02)
    np.testing.assert_allclose(PALETTE_AXES.T @ PALETTE_AXES, np.eye(6), atol=0.85)  # no two axes are nearly parallel


def test_a_palette_does_not_depend_on_positions() -> None:
    picture = painting(40, 50, 0)[None]
    elsewhere = np.random.default_rng(0).permutation(picture.reshape(-1, 3)).reshape(picture.shape)
    assert _palette_loss(elsewhere, palette(picture))[0] < 5e-4
    one_colour = np.full_like(picture, 0.3)
    assert _palette_loss(one_colour, palette(one_colour))[0] < 1e-2
    assert _palette_loss(picture, palette(one_colour))[0] > 1


def test_gradient_descent_on_the_palette_loss_reaches_the_colors() -> None:
    """The picture gets few yellow and many blue pixels, like the style, and not a mixture of both."""
    rng = np.random.default_rng(0)
    style = np.where(rng.random((1, 40, 40, 1)) < 0.1, [0.9, 0.8, 0.2], [0.1, 0.2, 0.6]).astype(np.float32)
    image = rng.random((1, 40, 40, 3), np.float32)
    target = palette(style)
    first, _ = _palette_loss(image, target)
    for _ in range(60):
        loss, gradient = _palette_loss(image, target)
        image = image - 40 * gradient
    assert loss < 0.1 * first
    assert np.mean(image[..., 0] > 0.7) == pytest.approx(np.mean(style[..., 0] > 0.7), abs=0.04)
    assert np.mean(image[..., 0] < 0.2) == pytest.approx(np.mean(style[..., 0] < 0.2), abs=0.1)


def test_palette_gradient_agrees_with_finite_differences() -> None:
    # Evenly spread colours, and a step across several bins: the loss is smooth but for the width of its bins.
    image = np.random.default_rng(4).random((1, 58, 76, 3), np.float32)
    target = palette(painting(30, 30, 1)[None])
    gradient, step = _palette_loss(image, target)[1], 1e-2
    ahead, behind = (_palette_loss(image + sign * step * gradient / abs(gradient).max(), target)[0] for sign in (1, -1))
    assert (ahead - behind) / (2 * step) == pytest.approx(
        float(np.square(gradient).sum() / abs(gradient).max()), rel=0.002
    )


def test_a_palette_of_weighted_pixels_ignores_the_others() -> None:
    image, style = painting(40, 50, 0)[None], painting(40, 50, 1)[None]
    mask = np.zeros((40, 50), np.float32)
    mask[:, :20] = 0.5
    np.testing.assert_allclose(palette(image, mask), palette(np.ascontiguousarray(image[:, :, :20])), atol=1e-6)
    loss, gradient = _palette_loss(image, palette(style), mask)
    inside, inner = _palette_loss(np.ascontiguousarray(image[:, :, :20]), palette(style))
    assert loss == pytest.approx(inside, rel=1e-5)
    np.testing.assert_allclose(gradient[:, :, :20], inner, rtol=1e-3, atol=1e-9)
    assert not gradient[:, :, 20:].any()


def test_a_weighted_mean_of_palettes_lies_between_them() -> None:
    dark, bright = (np.full((1, 8, 8, 3), value, np.float32) for value in (0.2, 0.8))
    between = 0.75 * palette(dark) + 0.25 * palette(bright)
    np.testing.assert_allclose(between, palette(np.full((1, 8, 8, 3), 0.35, np.float32)), atol=5e-3)

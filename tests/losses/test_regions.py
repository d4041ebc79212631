"""Guided Gram matrices: the style loss within masks."""

from __future__ import annotations

import numpy as np
import pytest

from samples import left_half, painting, tiny_loss
from stylize.images.resizing import resized
from stylize.losses.features import gram_sum
from stylize.losses.objective import Objective
from stylize.networks.backend import tf


def test_guided_gram_matrix_by_hand():
    # f1 = (1, 2), f2 = (3, 4), weighing 3/4 and 1/4: 3/4 [1 2; 2 4] + 1/4 [9 12; 12 16]
    features = tf.constant([[[[1.0, 2.0], [3.0, 4.0]]]])
    np.testing.assert_allclose(gram_sum(features, tf.constant([[0.75, 0.25]])), [[3, 4.5], [4.5, 7]])


@pytest.fixture(scope="module")
def loss() -> Objective:
    return tiny_loss(octaves=3)


@pytest.mark.parametrize(("statistics", "exactness"), [("gram", 1e-4), ("moments", 1e-3)])
def test_a_mask_of_ones_changes_no_loss(statistics, exactness):
    loss = tiny_loss(octaves=3, statistics=statistics)
    image, content, style = (painting(90, 100, seed)[None] for seed in range(3))
    plain = loss.value(image, loss.targets.encode(content, [(style, 1.0)]))
    for mask in (1.0, 0.5):
        masks = np.full((1, 90, 100), mask, np.float32)
        masked = loss.value(image, loss.targets.encode(content, [(style, 1.0)], masks=masks))
        assert masked["total"] == pytest.approx(plain["total"], rel=exactness)
        assert masked["style_per_layer"] == pytest.approx(plain["style_per_layer"], rel=exactness)


def test_two_halves_of_one_style_are_no_different_in_either_order(loss):
    image, content, *styles = (painting(96, 128, seed)[None] for seed in range(4))
    masks = np.stack([left_half(96, 128), 1 - left_half(96, 128)])
    one = loss.value(image, loss.targets.encode(content, [(style, 0.5) for style in styles], masks=masks))
    other = loss.value(image, loss.targets.encode(content, [(style, 0.5) for style in styles[::-1]], masks=masks[::-1]))
    crossed = loss.value(image, loss.targets.encode(content, [(style, 0.5) for style in styles], masks=masks[::-1]))
    assert one["style_per_layer"] == pytest.approx(other["style_per_layer"], rel=1e-4)
    assert one["style"] != pytest.approx(crossed["style"], rel=1e-2)


def test_a_region_sees_nothing_of_what_lies_far_outside(loss):
    image, content, style = (painting(128, 192, seed)[None] for seed in range(3))
    changed = image.copy()
    changed[:, :, 184:] = 0.3
    masks = left_half(128, 192)[None]
    masks[:, :, 40:] = 0
    terms = [
        loss.value(each, loss.targets.encode(content, [(style, 1.0)], masks=masks))["style_per_layer"]["relu2_1"]
        for each in (image, changed)
    ]
    assert terms[0] == pytest.approx(terms[1], rel=1e-5)


@pytest.mark.parametrize("normalization", ["relative", "mean"])
@pytest.mark.parametrize("regions", [1, 2])
def test_tiles_change_neither_loss_nor_gradient_within_masks(normalization, regions):
    loss = tiny_loss(octaves=3, normalization=normalization)
    image, content, *styles = (painting(150, 190, seed)[None] for seed in range(4))
    soft = resized(left_half(30, 38), 150, 190)
    masks = np.stack([soft, 1 - soft][:regions])
    whole, gradient = loss.value_and_gradient(
        image, loss.targets.encode(content, [(s, 0.5) for s in styles], None, masks)
    )
    targets = loss.targets.encode(content, [(s, 0.5) for s in styles], 48, masks)
    tiled, of_tiles = loss.value_and_gradient(image, targets, 48)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-3)
    assert tiled["style_per_layer"] == pytest.approx(whole["style_per_layer"], rel=1e-3)
    assert np.linalg.norm(of_tiles - gradient) < 1e-3 * np.linalg.norm(gradient)
    own = [loss.targets.of_regions(image, loss.targets.regions(3, masks), tile_px) for tile_px in (None, 48)]
    for plain, tiled in zip(*own, strict=True):
        np.testing.assert_allclose(plain[0]["relu3_1"], tiled[0]["relu3_1"], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("side", [1, 5, 20])
def test_a_region_of_a_few_pixels_stays_finite(loss, side):
    """The deepest layers are left out if the region covers none of their positions."""
    image, content, *styles = (painting(64, 80, seed)[None] for seed in range(4))
    small = np.zeros((64, 80), np.float32)
    small[:side, :side] = 1
    targets = loss.targets.encode(content, [(s, 0.5) for s in styles], masks=np.stack([small, 1 - small]))
    terms, gradient = loss.value_and_gradient(image, targets)
    assert np.isfinite(terms["total"])
    assert np.isfinite(gradient).all()
    guidance = loss.targets.regions(len(targets.style), np.stack([small, 1 - small]))
    shares = {name: sum(octave[name].numpy() for octave in guidance.shares) for name in ("relu1_1", "relu5_1")}
    area = side**2 / (64 * 80)
    np.testing.assert_allclose(shares["relu5_1"], [0, 1 - area], atol=1e-6)
    if side > 1:
        np.testing.assert_allclose(shares["relu1_1"], [area, 1 - area], atol=1e-6)

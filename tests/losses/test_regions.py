"""The style loss within masks."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest

from samples import left_half, painting, tiny_objective
from stylize.config import PerceptualLossConfig
from stylize.losses.objective import Objective
from stylize.losses.regions import count_octaves, masked_regions, octave_pyramid
from stylize.networks.backend import array_of, numpy_of


@pytest.fixture(scope="module")
def loss() -> Objective:
    return tiny_objective(PerceptualLossConfig(octaves=3), padding="edge")


@pytest.mark.parametrize(("statistics", "exactness"), [("gram", 1e-4), ("moments", 1e-3)])
def test_a_mask_of_ones_changes_no_loss(statistics: Literal["gram", "moments"], exactness: float) -> None:
    loss = tiny_objective(PerceptualLossConfig(octaves=3, statistics=statistics), padding="edge")
    image, content, style = (painting(90, 100, seed)[None] for seed in range(3))
    plain = loss.value(image, loss.targets.encode(content, [(style, 1.0)]))
    for mask in (1.0, 0.5):
        masks = np.full((1, 90, 100), mask, np.float32)
        masked = loss.value(image, loss.targets.encode(content, [(style, 1.0)], masks=masks))
        assert masked["total"] == pytest.approx(plain["total"], rel=exactness)
        assert masked["style_per_layer"] == pytest.approx(plain["style_per_layer"], rel=exactness)


def test_two_halves_of_one_style_are_no_different_in_either_order(loss: Objective) -> None:
    image, content, *styles = (painting(96, 128, seed)[None] for seed in range(4))
    styles[1] = 0.2 + 0.3 * styles[1] ** 2  # varies less than the other
    masks = np.stack([left_half(96, 128), 1 - left_half(96, 128)])
    one = loss.value(image, loss.targets.encode(content, [(style, 0.5) for style in styles], masks=masks))
    other = loss.value(image, loss.targets.encode(content, [(style, 0.5) for style in styles[::-1]], masks=masks[::-1]))
    crossed = loss.value(image, loss.targets.encode(content, [(style, 0.5) for style in styles], masks=masks[::-1]))
    assert one["style_per_layer"] == pytest.approx(other["style_per_layer"], rel=1e-4)
    assert one["style"] != pytest.approx(crossed["style"], rel=1e-2)


def test_a_region_sees_nothing_of_what_lies_far_outside(loss: Objective) -> None:
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


@pytest.mark.parametrize("side", [1, 5, 20])
def test_a_region_of_a_few_pixels_stays_finite(loss: Objective, side: int) -> None:
    """The deepest layers are left out if the region covers none of their positions."""
    image, content, *styles = (painting(64, 80, seed)[None] for seed in range(4))
    small = np.zeros((64, 80), np.float32)
    small[:side, :side] = 1
    targets = loss.targets.encode(content, [(s, 0.5) for s in styles], masks=np.stack([small, 1 - small]))
    terms, gradient = loss.value_and_gradient(image, targets)
    assert np.isfinite(terms["total"])
    assert np.isfinite(numpy_of(gradient)).all()
    guidance = loss.targets.regions([content], np.stack([small, 1 - small]))
    shares = {name: sum(numpy_of(octave[name]) for octave in guidance.shares) for name in ("relu1_1", "relu5_1")}
    area = side**2 / (64 * 80)
    np.testing.assert_allclose(shares["relu5_1"], [0, 1 - area], atol=1e-6)
    if side > 1:
        np.testing.assert_allclose(shares["relu1_1"], [area, 1 - area], atol=1e-6)


@pytest.mark.parametrize("white", [1.0, 0.5])
@pytest.mark.parametrize(("columns", "counts"), [(32, True), (31, False)])
def test_a_region_counts_where_it_covers_four_positions(white: float, columns: int, counts: bool) -> None:
    """A grey mask covers as many positions as a white one. The deep layer has 4 x 4 positions, the shallow 64 x 64."""
    mask = np.zeros((1, 64, 64), np.float32)
    mask[:, :32, :columns] = white
    regions = masked_regions(mask, 1, {"shallow": 1, "deep": 16}, 1)
    area = 32 * columns / 64**2
    np.testing.assert_allclose(regions.areas, [area], rtol=1e-6)
    for name, expected in {"shallow": area, "deep": area * counts}.items():
        np.testing.assert_allclose(regions.shares[0][name], [expected], rtol=1e-6)
        assert numpy_of(regions.position_weights[0][name]).sum() == pytest.approx(float(expected > 0))


def test_octaves_end_at_sixteen_pixels() -> None:
    assert [count_octaves(5, np.empty((1, side, 80, 3))) for side in (16, 31, 32, 63, 64)] == [1, 1, 2, 2, 3]
    for side, sides in ((64, [64, 32, 16, 16]), (63, [63, 31, 31, 31])):
        pictures = octave_pyramid(array_of(np.zeros((1, side, 80, 3), np.float32)), 4)
        assert [picture.shape[1] for picture in pictures] == sides

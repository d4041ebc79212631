"""The places loss: distances to the nearest places of a style, their prices, and which places are taken."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samples import left_half, painting, tiny_objective, value_and_gradient
from stylize.config import PerceptualLossConfig
from stylize.losses import places
from stylize.losses.places import StylePlaces, evenly_spread, joined_places, places_sum, prices
from stylize.networks.backend import array_of, numpy_of


def _activations(seed: int, count: int, channels: int = 5) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((count, channels), np.float32)


def test_each_place_pays_the_distance_and_price_of_the_cheapest_place_of_the_style() -> None:
    style = joined_places([(_activations(0, 40), 1.0)])
    style = style._replace(prices=array_of(np.linspace(-0.5, 0.5, 40)))
    ours, weights = _activations(1, 12), _activations(2, 12, 1)[:, 0]
    directions, mean, costs = (numpy_of(each).astype(np.float64) for each in style)
    f = ours - mean
    expected = (1 - (f / np.linalg.norm(f, axis=1, keepdims=True)) @ directions.T + costs).min(1)
    total = places_sum(array_of(ours.reshape(1, 3, 4, 5)), style)
    weighted = places_sum(array_of(ours.reshape(1, 3, 4, 5)), style, array_of(weights.reshape(3, 4)))
    assert float(total) == pytest.approx(expected.sum(), rel=1e-5)
    assert float(weighted) == pytest.approx((expected * weights).sum(), rel=1e-5)


def test_the_style_itself_pays_nothing_and_has_no_gradient() -> None:
    picture = _activations(3, 30)
    style = joined_places([(picture, 1.0)])
    value, gradient = value_and_gradient(lambda x: places_sum(x, style), picture.reshape(1, 5, 6, 5))
    assert value == pytest.approx(0, abs=1e-4)
    assert np.abs(gradient).max() < 1e-3


def test_the_gradient_agrees_with_finite_differences() -> None:
    style, ours = joined_places([(_activations(8, 25), 1.0)]), _activations(9, 12).reshape(1, 3, 4, 5)
    _, gradient = value_and_gradient(lambda x: places_sum(x, style), ours)
    step = 1e-3 * gradient / np.abs(gradient).max()
    ahead, behind = (float(places_sum(array_of(ours + sign * step), style)) for sign in (1, -1))
    assert (ahead - behind) / 2 == pytest.approx(float((gradient * step).sum()), rel=0.02)


def test_an_activation_equal_to_the_mean_has_a_finite_gradient() -> None:
    style = joined_places([(_activations(4, 20), 1.0)])
    flat = np.broadcast_to(numpy_of(style.mean), (1, 2, 2, 5)).copy()
    value, gradient = value_and_gradient(lambda x: places_sum(x, style), flat)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@settings(max_examples=50)
@given(height=st.integers(1, 700), width=st.integers(1, 700), most=st.sampled_from([1, 64, 1024]))
def test_places_are_spread_evenly_and_bounded(height: int, width: int, most: int) -> None:
    rows, columns = (
        range(side)[each] for each, side in zip(evenly_spread(height, width, most), (height, width), strict=True)
    )
    assert 1 <= len(rows) * len(columns) <= most
    for chosen, side in ((rows, height), (columns, width)):
        # No position is farther than a step from a chosen one.
        assert chosen[0] <= chosen.step
        assert side - 1 - chosen[-1] <= chosen.step


def test_of_several_styles_each_gives_as_many_places_as_its_weight_says() -> None:
    few, many = np.full((30, 3), 0.2, np.float32), np.full((100, 3), 0.8, np.float32)
    together = joined_places([(few, 0.25), (many, 0.75)])
    none = joined_places([(few, 0.0), (many, 0.75)])
    assert len(none.directions) == len(many)
    np.testing.assert_allclose(together.mean, np.full(3, 0.65), rtol=1e-6)
    darker = numpy_of(together.directions)[:, 0] < 0
    assert (darker.sum(), (~darker).sum()) == (25, 75)


def test_each_style_gives_at_least_one_place() -> None:
    styles = [(np.full((1, 3), shade, np.float32), 1 / 3) for shade in (0.1, 0.5, 0.9)]
    assert len(joined_places(styles).directions) == 3


def test_a_style_of_one_colour_has_finite_places() -> None:
    style = joined_places([(np.full((4, 3), 0.5, np.float32), 1.0)])
    assert all(np.isfinite(each).all() for each in map(numpy_of, style))


def test_a_style_gives_all_its_places_up_to_1024() -> None:
    encoder = tiny_objective(PerceptualLossConfig()).targets
    # relu2_1 has a position for each 2 x 2 px. Of 32 x 33 positions, every second row and column is taken.
    counts = [len(encoder.of_style(painting(64, width, 0)[None]).places["relu2_1"]) for width in (64, 66)]
    assert counts == [32 * 32, 16 * 16]


def test_prices_share_the_places_of_the_style_among_those_of_the_picture() -> None:
    """Of four directions, most of the picture is near the first one: it becomes dear."""
    angles = np.deg2rad([0, 25, 50, 75])
    style = StylePlaces(array_of(np.stack([np.cos(angles), np.sin(angles)], 1)), array_of([0, 0]), array_of([0] * 4))
    turned = np.deg2rad(np.random.default_rng(5).normal(5, 25, 2000))
    ours = np.stack([np.cos(turned), np.sin(turned)], 1)
    found = numpy_of(prices(array_of(ours), array_of(np.ones(2000)), style))
    assert found.mean() == pytest.approx(0, abs=1e-6)
    distances = 1 - ours @ numpy_of(style.directions).T
    before, after = (np.bincount(each.argmin(1), minlength=4) for each in (distances, distances + found))
    assert before.max() > 1000
    assert before.min() < 100
    np.testing.assert_allclose(after, 500, atol=50)
    assert found.argmax() == before.argmax()


def test_positions_without_weight_do_not_count_in_prices() -> None:
    style = joined_places([(_activations(6, 16), 1.0)])
    ours, weights = _activations(7, 60), np.repeat([1.0, 0.0], 30)
    masked = prices(array_of(ours), array_of(weights), style)
    alone = prices(array_of(ours[:30]), array_of(np.ones(30)), style)
    np.testing.assert_allclose(masked, alone, atol=1e-5)
    nothing = numpy_of(prices(array_of(ours), array_of(np.zeros(60)), style))
    np.testing.assert_allclose(nothing, 0, atol=1e-6)


@pytest.mark.parametrize("count", [1, 4, 5, 6, 12, 23])
def test_the_search_in_blocks_finds_the_same_places(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_SEARCHED", 5)
    style = joined_places([(_activations(6, 16), 1.0)])._replace(prices=array_of(0.1 * _activations(8, 16)[:, 0]))
    ours = _activations(7, count)
    directions = ours / np.linalg.norm(ours, axis=1, keepdims=True)
    distances = 1 - directions @ numpy_of(style.directions).T + numpy_of(style.prices)
    found = numpy_of(places._nearest(array_of(directions), style, "float32"))
    np.testing.assert_array_equal(found, distances.argmin(1))


@pytest.mark.parametrize("masked", [pytest.param(False, marks=pytest.mark.slow), True])
def test_tiles_change_neither_places_nor_prices(masked: bool) -> None:
    objective = tiny_objective(PerceptualLossConfig(), padding="edge")
    image, content, *styles = (painting(150, 190, seed)[None] for seed in range(4))
    masks = np.stack([left_half(150, 190), 1 - left_half(150, 190)]) if masked else None
    encoded = [objective.targets.encode(content, [(s, 0.5) for s in styles], tile_px, masks) for tile_px in (None, 48)]
    whole = objective.targets.prices(encoded[0], image)
    tiled = objective.targets.prices(encoded[1], image, 48)
    assert sorted(whole) == sorted(
        f"{name}.{r}" for name in ("relu2_1", "relu3_1", "relu4_1") for r in range(1 + masked)
    )
    for name, expected in whole.items():
        np.testing.assert_allclose(tiled[name], expected, atol=1e-4)
    terms, gradient = objective.value_and_gradient(image, encoded[0].with_prices(whole))
    of_tiles, tiled_gradient = objective.value_and_gradient(image, encoded[1].with_prices(whole), 48)
    assert of_tiles["total"] == pytest.approx(terms["total"], rel=1e-3)
    assert np.linalg.norm(numpy_of(tiled_gradient) - numpy_of(gradient)) < 1e-3 * np.linalg.norm(numpy_of(gradient))


def test_prices_of_other_places_are_refused() -> None:
    objective = tiny_objective(PerceptualLossConfig())
    content, style = (painting(48, 48, seed)[None] for seed in range(2))
    targets = objective.targets.encode(content, [(style, 1.0)])
    found = objective.targets.prices(targets, content)
    for wrong in ({}, {**found, "relu2_1.0": found["relu2_1.0"][:-1]}, {**found, "relu2_1.1": found["relu2_1.0"]}):
        with pytest.raises(ValueError, match="expected one for each place"):
            targets.with_prices(wrong)


def test_without_places_the_loss_is_that_of_a_weight_of_zero() -> None:
    content, style, image = (painting(48, 64, seed)[None] for seed in range(3))
    totals = []
    for config in (PerceptualLossConfig(), PerceptualLossConfig(places_weight=0.0)):
        objective = tiny_objective(config)
        targets = objective.targets.encode(content, [(style, 1.0)])
        totals.append(objective.value(image, targets.without_places())["total"])
    assert totals[0] == pytest.approx(totals[1], rel=1e-6)

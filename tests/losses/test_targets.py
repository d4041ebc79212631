"""What contents and styles ask for: scales, shares, blends and octaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samples import left_half, painting, tiny_encoder, tiny_objective
from stylize.config import PerceptualLossConfig
from stylize.losses.pixels import palette
from stylize.losses.statistics import StatisticsEncoder
from stylize.losses.targets import TargetEncoder, Targets
from stylize.networks.backend import numpy_of


def test_content_weighs_less_beside_styles_of_more_contrast() -> None:
    """The content scale falls with the spread of the style, unless `relative_to_content` is off."""
    content, faint = painting(48, 48, 0)[None], 0.5 + 0.2 * (painting(48, 48, 1)[None] - 0.5)
    bold = 0.5 + 4 * (faint - 0.5)

    def scales(**options: Any) -> list[float]:
        loss = tiny_objective(PerceptualLossConfig(**options))
        return [float(loss.targets.encode(content, [(style, 1.0)]).content_scale["relu4_2"]) for style in (faint, bold)]

    ours, plain = scales(), scales(relative_to_content=False)
    assert ours[1] < ours[0]
    assert plain[0] == plain[1]


def test_style_loss_is_relative_to_that_of_the_content() -> None:
    """At the content, the style loss of a layer is near 1 if content and style differ much; at the style it is 0."""
    content, style = painting(64, 72, 0)[None], painting(64, 72, 1)[None] ** 2
    plain, ours = (
        tiny_objective(PerceptualLossConfig(octaves=1, relative_to_content=flag, enough_positions=0))
        for flag in (False, True)
    )
    far, shares = (
        loss.value(content, loss.targets.encode(content, [(style, 1.0)]))["style_per_layer"] for loss in (plain, ours)
    )
    assert shares == pytest.approx({name: loss / (0.1 + loss) for name, loss in far.items()}, rel=1e-3)
    assert ours.value(style, ours.targets.encode(content, [(style, 1.0)]))["style"] == pytest.approx(0, abs=1e-3)


def test_the_style_loss_of_the_content_counts_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a style of low contrast it has no bound: then the style would hardly count."""
    content, style = painting(64, 72, 0)[None], painting(64, 72, 1)[None] ** 2

    def divisor(**options: Any) -> float:
        shares = [
            tiny_objective(PerceptualLossConfig(octaves=1, enough_positions=0, **changed))
            .targets.encode(content, [(style, 1.0)])
            .regions.shares[0]["relu2_1"]
            for changed in ({"relative_to_content": False}, options)
        ]
        return (numpy_of(shares[0]) / numpy_of(shares[1])).item()

    own_loss = divisor(contrast_limit=0.0) - 0.1
    assert divisor() == pytest.approx(0.1 + own_loss)
    monkeypatch.setattr("stylize.losses.targets._LARGEST_OWN_LOSS", own_loss / 2)
    assert divisor() == pytest.approx(0.1 + own_loss / 2)
    assert divisor(contrast_limit=0.0) == pytest.approx(0.1 + own_loss)
    # Losses that are not relative have another scale, and no bound.
    monkeypatch.setattr("stylize.losses.targets._LARGEST_OWN_LOSS", 0.0)
    assert divisor(normalization="mean") > 0.101


@pytest.mark.parametrize("masked", [False, True])
def test_layers_of_few_positions_count_less(masked: bool) -> None:
    """64 x 80 px are 64 * 80 positions of relu1_1 and 4 * 5 of relu5_1, a quarter of them at half the size."""
    content, style = painting(64, 80, 0)[None], painting(64, 72, 1)[None]
    masks = left_half(64, 80)[None] if masked else None
    ours, plain = (
        tiny_objective(PerceptualLossConfig(octaves=2, enough_positions=enough))
        .targets.encode(content, [(style, 1.0)], masks=masks)
        .regions.shares
        for enough in (40, 0)
    )
    part = 0.5 if masked else 1.0
    for name, octave, positions in [("relu1_1", 0, 5120), ("relu5_1", 0, 20), ("relu4_1", 1, 20), ("relu5_1", 1, 4)]:
        ratio = numpy_of(ours[octave][name]) / numpy_of(plain[octave][name])
        assert ratio == pytest.approx(min(1.0, part * positions / 40)), (name, octave)


def test_blended_targets_are_weighted_means() -> None:
    loss = tiny_objective(PerceptualLossConfig())
    content, one, two = (painting(48, 48, i)[None] for i in range(3))
    blend = loss.targets.encode(content, [(one, 0.25), (two, 0.75)]).style[0]["relu3_1"]
    alone = [loss.targets.encode(content, [(style, 1.0)]).style[0]["relu3_1"] for style in (one, two)]
    np.testing.assert_allclose(numpy_of(blend), numpy_of(0.25 * alone[0] + 0.75 * alone[1]), rtol=1e-5)


def test_a_flat_style_raises_the_content_scale_up_to_a_bound() -> None:
    """The style's spread is 0 beside that of the content. A tenth is the least ratio that counts."""
    content, flat = painting(48, 48, 0)[None], np.full((1, 48, 48, 3), 0.5, np.float32)
    ours, plain = (
        tiny_objective(PerceptualLossConfig(relative_to_content=flag), padding="edge")
        .targets.encode(content, [(flat, 1.0)])
        .content_scale["relu4_2"]
        for flag in (True, False)
    )
    assert float(ours) == pytest.approx(10**0.5 * float(plain), rel=1e-4)


def test_what_a_region_of_the_content_asks_for() -> None:
    """Its palette is that of the region. It asks for no places: these count as much as the styles beside it."""
    encoder = tiny_objective(PerceptualLossConfig()).targets
    content, style, masks = painting(48, 64, 0)[None], painting(48, 48, 1)[None], left_half(48, 64)[None]
    regions = encoder.regions([content, style], masks)
    (own,) = encoder.of_regions(content, regions)
    np.testing.assert_array_equal(own.palette, palette(content, masks[0]))
    joined = encoder.join(content, [[(encoder.of_style(style), 0.75), (own, 0.25)]], regions, np.ones((48, 64)))
    np.testing.assert_allclose(joined.places_areas, [0.75 * 0.5], rtol=1e-6)


def test_targets_of_a_style_are_kept_for_the_options_that_they_depend_on() -> None:
    config = PerceptualLossConfig()
    network = tiny_encoder(config)

    def key(**options: Any) -> Any:
        changed = PerceptualLossConfig(**options)
        return TargetEncoder(StatisticsEncoder(network, changed), changed).style_key

    keys = [key(), key(octaves=1), key(statistics="gram"), key(palette_weight=0.0), key(places_weight=0.0)]
    keys.append(key(style_layers=config.style_layers[:2]))
    assert len(set(keys)) == 6
    assert key(content_weight=1.0, palette_weight=9.0, style_weight=2.0, saliency=0.0) == key()


def test_the_size_of_kept_targets_is_that_of_their_arrays() -> None:
    style = tiny_objective(PerceptualLossConfig()).targets.of_style(painting(48, 48, 0)[None])
    arrays = [*style.places.values(), *(numpy_of(each) for octave in style.statistics for each in octave.values())]
    assert style.size_bytes == sum(array.nbytes for array in arrays)


def _shares(targets: Targets) -> list[float]:
    return [float(octave["relu1_1"][0]) for octave in targets.regions.shares]


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("side", "style_side", "counted"), [(40, 90, 2), (40, 16, 1), (16, 90, 1), (72, 32, 2)])
def test_octaves_for_which_a_picture_is_too_small_count_nothing(
    side: int, style_side: int, counted: int, masked: bool
) -> None:
    """All sizes compute three octaves, so that one graph serves them; the loss is that of fewer octaves."""
    image, content = (painting(side, side + 8, seed)[None] for seed in (2, 0))
    style = [(painting(style_side, 96, 1)[None], 1.0)]
    masks = left_half(side, side + 8)[None] if masked else None
    found = []
    for octaves in (3, counted):
        loss = tiny_objective(PerceptualLossConfig(octaves=octaves))
        targets = loss.targets.encode(content, style, masks=masks)
        assert len(targets.style) == octaves
        assert sum(share > 0 for share in _shares(targets)) == counted
        found.append(loss.value_and_gradient(image, targets))
        tiled, gradient = loss.value_and_gradient(image, loss.targets.encode(content, style, 32, masks), 32)
        assert tiled["total"] == pytest.approx(found[-1][0]["total"], rel=1e-4)
        np.testing.assert_allclose(numpy_of(gradient), numpy_of(found[-1][1]), rtol=1e-2, atol=1e-6)
    (terms, gradient), (alone, of_fewer) = found
    assert terms["total"] == pytest.approx(alone["total"], rel=1e-5)
    np.testing.assert_allclose(numpy_of(gradient), numpy_of(of_fewer), rtol=1e-3, atol=1e-8)

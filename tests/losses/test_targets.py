"""What contents and styles ask for: scales, shares, blends and octaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samples import left_half, painting, tiny_objective
from stylize.config import PerceptualLossConfig
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


def test_octaves_that_would_vanish_are_left_out() -> None:
    loss = tiny_objective(PerceptualLossConfig(octaves=3))
    content = painting(40, 40, 0)[None]
    assert len(loss.targets.encode(content, [(painting(200, 200, 1)[None], 1.0)]).style) == 2
    # A small style has one octave. As many as of the content are computed, which is cheap; the others count nothing.
    image, small = painting(40, 40, 2)[None], [(painting(16, 200, 1)[None], 1.0)]
    targets = loss.targets.encode(content, small)
    assert [float(octave["relu1_1"][0]) > 0 for octave in targets.regions.shares] == [True, False]
    single = tiny_objective(PerceptualLossConfig(octaves=1))
    terms, gradient = loss.value_and_gradient(image, targets)
    alone, of_one = single.value_and_gradient(image, single.targets.encode(content, small))
    assert terms["total"] == pytest.approx(alone["total"], rel=1e-6)
    np.testing.assert_allclose(numpy_of(gradient), numpy_of(of_one), rtol=1e-4, atol=1e-9)

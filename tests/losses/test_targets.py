"""What contents and styles ask for: scales, shares, blends and octaves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samples import painting, tiny_objective
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
    plain, ours = (tiny_objective(PerceptualLossConfig(octaves=1, relative_to_content=flag)) for flag in (False, True))
    far, shares = (
        loss.value(content, loss.targets.encode(content, [(style, 1.0)]))["style_per_layer"] for loss in (plain, ours)
    )
    assert shares == pytest.approx({name: loss / (0.1 + loss) for name, loss in far.items()}, rel=1e-3)
    assert ours.value(style, ours.targets.encode(content, [(style, 1.0)]))["style"] == pytest.approx(0, abs=1e-3)


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
    assert len(loss.targets.encode(content, [(painting(16, 200, 1)[None], 1.0)]).style) == 1

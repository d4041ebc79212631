"""The pictures of a run: weights, regions and their colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from samples import left_half, painting
from stylize.transfer.inputs import Inputs


def _inputs(style: Any, mask: Any = (), size: int = 64) -> Inputs:
    return Inputs.read(painting(48, 64, 0), style, mask, size, on_message=print)


def test_weights_of_styles_sum_to_one() -> None:
    styles = [(painting(20, 30, seed), weight) for seed, weight in ((1, 1.0), (2, 3.0))]
    assert [weight for _, weight in _inputs(styles).styles] == [0.25, 0.75]


def test_a_region_of_its_own_has_its_style_in_full() -> None:
    styles = [(painting(20, 30, seed), weight) for seed, weight in ((1, 1.0), (2, 3.0))]
    masks = [left_half(48, 64), 1 - left_half(48, 64)]
    for keep_colors in (False, "histogram"):
        regions = _inputs(styles, masks).region_styles(keep_colors, 512)
        assert [[weight for _, weight in region] for region in regions] == [[1.0], [1.0]]
    assert [[weight for _, weight in region] for region in _inputs(styles, masks[0]).region_styles(False, 512)] == [
        [0.25, 0.75]
    ]


@pytest.mark.parametrize("white", [1.0, 0.3])
def test_the_colours_of_a_region_are_those_where_its_mask_is_bright(white: float) -> None:
    inputs = _inputs(painting(20, 30, 1), white * left_half(48, 64))
    (((recolored, _),),) = inputs.region_styles("histogram", 512)
    left: NDArray[np.float32] = inputs.content_pixels[:, :32]
    np.testing.assert_allclose(recolored.pixels.mean((0, 1)), left.mean((0, 1)), atol=0.02)
    assert recolored.pixels.shape == (20, 30, 3), "never enlarged"
    (((small, _),),) = inputs.region_styles("histogram", 15)
    assert small.pixels.shape == (10, 15, 3)


def test_large_styles_are_decoded_smaller_but_not_under_512_px(tmp_path: Path) -> None:
    Image.fromarray((painting(1400, 2100, 1) * 255).astype(np.uint8)).save(tmp_path / "style.jpg")
    sides = [
        max(Inputs.read(painting(48, 64, 0), tmp_path / "style.jpg", (), 64, reduced=reduced, on_message=print)
            .styles[0][0].pixels.shape)
        for reduced in (False, True)
    ]  # fmt: skip
    assert sides[0] == 2100
    assert 512 <= sides[1] < 1100

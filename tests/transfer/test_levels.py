"""The pictures at every level, and the targets of styles that are kept between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylize
from samples import painting
from stylize.config import RefineConfig
from stylize.losses.targets import TargetEncoder
from stylize.optimize.pyramid import level_size
from stylize.transfer.inputs import Inputs
from stylize.transfer.levels import picture_pyramid


@pytest.mark.parametrize(("scale", "shape"), [(0.5, (32, 21)), (1.0, (64, 43)), (2.0, (128, 85)), (4.0, (150, 100))])
def test_style_scale_is_of_the_style_beside_the_output(scale: float, shape: tuple[int, int]) -> None:
    """Larger strokes are those of a larger style picture; beyond its own size it would only be blurred."""
    inputs = Inputs.read(painting(40, 64, 0), painting(150, 100, 1), (), 64, on_message=print)
    config = RefineConfig(size=64, style_scale=scale)
    (level,) = picture_pyramid(inputs, config, [level_size(inputs.size, 64)])
    assert level.styles[0][0].pixels.shape == (1, *shape, 3)


def test_a_style_is_encoded_once_a_size(
    tiny_networks: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[tuple[int, ...]] = []
    plain = TargetEncoder.of_style

    def counted(self: TargetEncoder, style: Any, *others: Any) -> Any:
        if max(style.shape) <= 48:  # not those that tell the time of a run
            encoded.append(style.shape)
        return plain(self, style, *others)

    monkeypatch.setattr(TargetEncoder, "of_style", counted)
    content, style = pictures
    networks = stylize.LoadedNetworks()
    alone = stylize.refine(content, style, size=48, steps=6, loaded=networks)
    sizes = len(encoded)
    again = stylize.refine(style, [(style, 1.0), (content, 0.5)], size=48, steps=6, loaded=networks)
    assert len(encoded) == 2 * sizes
    assert np.array_equal(stylize.refine(content, style, size=48, steps=6, loaded=networks).image, alone.image)
    assert len(encoded) == 2 * sizes
    assert again.history[0].losses.total != alone.history[0].losses.total


def test_kept_targets_have_a_bound(tiny_networks: Path, pictures: tuple[Path, Path]) -> None:
    networks = stylize.LoadedNetworks(style_targets_bytes=1)
    stylize.refine(*pictures, size=48, steps=6, coarsest_px=32, loaded=networks)
    assert len(networks.style_targets) == 1

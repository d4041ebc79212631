"""The pictures at every level, and the targets of styles that are kept between runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylize
from samples import painting
from stylize.config import RefineConfig
from stylize.errors import ImageError
from stylize.losses.targets import TargetEncoder, Targets
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
    traced_networks: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
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


@pytest.mark.slow
def test_places_count_from_512_px_and_at_the_last_level(
    traced_networks: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[int] = []
    plain = Targets.without_places
    monkeypatch.setattr(Targets, "without_places", lambda self: dropped.append(0) or plain(self))
    small = stylize.refine(*pictures, size=48, steps=4, coarsest_px=24)
    assert (len(small.levels), len(dropped)) == (3, 2)
    dropped.clear()
    large = stylize.refine(*pictures, size=880, steps=3, coarsest_px=300, ratio=1.7)
    assert ([level.long_side_px for level in large.levels], len(dropped)) == ([305, 518, 880], 1)
    dropped.clear()
    stylize.refine(*pictures, size=48, steps=4, coarsest_px=24, style_layers=())
    assert not dropped, "places alone count at every level"
    without = stylize.refine(*pictures, size=48, steps=4, coarsest_px=24, places_weight=0.0)
    assert np.array_equal(
        [entry.losses.total for entry in small.history if entry.level < 3],
        [entry.losses.total for entry in without.history if entry.level < 3],
    )
    assert small.history[-1].losses.total > without.history[-1].losses.total


def test_prices_of_another_level_are_refused(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    seen: list[Any] = []
    stopped = stylize.refine(*pictures, size=48, steps=4, on_iterate=seen.append, should_stop=lambda: len(seen) >= 3)
    assert stopped.checkpoint is not None
    assert stopped.checkpoint.loss_state
    bad = dataclasses.replace(stopped.checkpoint, loss_state={"relu2_1.0": np.zeros(3, np.float32)})
    with pytest.raises(ImageError, match=r"the checkpoint contradicts itself .*: start a new run"):
        stylize.refine(*pictures, size=48, steps=4, resume_from=bad)


def test_kept_targets_have_a_bound(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    networks = stylize.LoadedNetworks(style_targets_bytes=1)
    stylize.refine(*pictures, size=48, steps=6, coarsest_px=32, loaded=networks)
    assert len(networks.style_targets) == 1

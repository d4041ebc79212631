"""What a refinement starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylize
from stylize.config import FastConfig, RefineConfig
from stylize.errors import WeightsError
from stylize.images.picture import Picture
from stylize.images.resizing import resized
from stylize.networks.local import LocalWeights
from stylize.transfer.inputs import Inputs
from stylize.transfer.results import TransferResult
from stylize.transfer.session import Session
from stylize.transfer.start import InitPicture, starting_point

QUICK: dict[str, Any] = {"size": 48, "steps": 12}


@pytest.mark.parametrize("init", ["preview+content", "content", "noise", "content+noise", "file"])
def test_every_start(tiny_networks: Path, pictures: tuple[Path, Path], init: str) -> None:
    result = stylize.refine(*pictures, **QUICK, init=str(pictures[1]) if init == "file" else init)
    assert np.isfinite(result.image).all()
    assert ("init" in result.provenance) == (init == "file")


def test_a_start_of_preview_and_content_has_colours_of_one_and_detail_of_the_other() -> None:
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, (2, 96, 128, 3)).astype(np.float32)
    # Light from left to right in the preview alone.
    content, preview = 0.5 + noise[0], np.linspace(0.3, 0.7, 128, dtype=np.float32)[:, None] + noise[1]
    inputs = Inputs(Picture(content), (), (96, 128), content, None, None)
    painted = TransferResult("fast", preview, None, FastConfig(), (), 0.0, {})
    features = LocalWeights("vgg19-slim", Path(), (), {}, "embedded", published=True)
    start = starting_point(
        inputs, RefineConfig(init="preview+content"), Session(), features,
        init=InitPicture(), levels=(), preview=painted,
    ).pixels  # fmt: skip
    np.testing.assert_allclose(resized(start, 3, 4), resized(preview, 3, 4), atol=0.03)
    np.testing.assert_allclose(np.diff(start, axis=1), np.diff(content, axis=1), atol=0.05)


def test_seed_decides_the_noise(tiny_networks: Path, pictures: tuple[Path, Path]) -> None:
    one, same, other = (stylize.refine(*pictures, **QUICK, init="noise", seed=seed).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


def test_a_small_result_goes_on_to_a_large_one_of_its_look(
    tiny_networks: Path, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    small, path = stylize.refine(*pictures, size=40, steps=24, coarsest_px=16), tmp_path / "small.png"
    small.save(path)
    options: dict[str, Any] = {"size": 80, "steps": 16, "coarsest_px": 16}
    large, other = stylize.refine(*pictures, **options, init=str(path)), stylize.refine(*pictures, **options)
    assert [level.long_side_px for level in large.levels] == [57, 80]
    assert large.provenance["init"]["long_side_px"] == 40
    off, without = (np.abs(resized(each.image, *small.image.shape[:2]) - small.image).mean() for each in (large, other))
    assert off < 0.7 * without
    # Taken up again, of the same sizes, even if the file is gone by now.
    stopped = stylize.refine(*pictures, **options, init=str(path), should_stop=iter([False] * 5 + [True]).__next__)
    path.unlink()
    resumed = stylize.refine(*pictures, **options, init=str(path), resume_from=stopped.checkpoint)
    np.testing.assert_array_equal(resumed.image, large.image)
    assert resumed.provenance == large.provenance


def test_refine_without_any_stylizer_starts_from_the_content(tiny_networks: Path, pictures: tuple[Path, Path]) -> None:
    for part in tiny_networks.glob("mini*"):
        part.unlink()
    messages: list[str] = []
    result = stylize.refine(*pictures, **QUICK, on_message=messages.append)
    assert np.isfinite(result.image).all()
    assert any("starting from the content" in message for message in messages)
    with pytest.raises(WeightsError):
        stylize.fast(*pictures, size=32)

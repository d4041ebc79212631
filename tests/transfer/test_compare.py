"""`compare` end to end, on a tiny random feature network and on VGG-19."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylize
from stylize.images.resizing import resized

QUICK: dict[str, Any] = {"size": 48, "steps": 12}


@pytest.mark.parametrize("padding", ["mirror", "edge"])
def test_compare_scores_both_under_one_network(
    traced_networks: Path, pictures: tuple[Path, Path], padding: str
) -> None:
    config = stylize.RefineConfig().replace(**QUICK, padding=padding)
    comparison = stylize.compare(*pictures, config=config)
    assert [score.label for score in comparison.scores] == ["fast", "refined"]
    fast_score, refined = comparison.scores
    assert refined.style_loss < fast_score.style_loss
    json.dumps(comparison.metrics())
    # `losses` are those of the objective of the refinement, at the output's size: compare them with the history.
    assert refined.losses is not None
    assert fast_score.losses is not None
    assert refined.losses.total < fast_score.losses.total
    last = [entry.losses.total for entry in comparison.results[1].history[-3:]]
    assert refined.losses.total == pytest.approx(min(last), rel=0.05)
    # A picture against itself has no loss.
    own = stylize.compare(pictures[0], pictures[1], images=[pictures[0]], config=config).scores[0]
    assert own.losses is None
    assert own.content_loss == pytest.approx(0, abs=1e-4)  # but for the rounding to eight bits
    assert own.ssim == pytest.approx(1, abs=1e-3)


def test_the_losses_of_the_preview_are_those_that_the_refinement_began_with(
    traced_networks: Path, pictures: tuple[Path, Path]
) -> None:
    comparison = stylize.compare(*pictures, **QUICK, coarsest_px="none")
    first, losses = comparison.results[1].history[0].losses, comparison.scores[0].losses
    assert comparison.results[1].config.margin_px > 0
    assert losses is not None
    for name, value in dataclasses.asdict(losses).items():
        assert value == pytest.approx(getattr(first, name), rel=1e-4)


def test_without_strength_there_are_no_losses_to_lower(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    comparison = stylize.compare(*pictures, **QUICK, strength=0)
    assert [score.losses for score in comparison.scores] == [None, None]
    assert [score.ssim for score in comparison.scores] == pytest.approx([1, 1], abs=1e-3)


def test_what_compare_refines_is_what_refine_makes(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    options: dict[str, Any] = {**QUICK, "strength": 0.7, "keep_colors": True}
    preview, refined = stylize.compare(*pictures, **options).results
    np.testing.assert_array_equal(preview.image, stylize.fast(*pictures, config=refined.config.preview).image)
    np.testing.assert_array_equal(refined.image, stylize.refine(*pictures, **options).image)


@pytest.mark.real
def test_refine_under_vgg19_beats_the_preview_at_every_scale(real_networks: Path) -> None:
    """Refining brings the picture nearer to the style, at full and at half size."""
    bench = real_networks / "images" / "bench"
    content, style = bench / "c03_city_tubingen.jpg", bench / "s01_starry_night.jpg"
    config = stylize.RefineConfig().replace(size=128, steps=60, features="vgg19", network="magenta-int8")
    comparison = stylize.compare(content, style, config=config)
    preview, refined = comparison.scores
    assert refined.style_loss < 0.8 * preview.style_loss
    assert refined.content_loss < preview.content_loss
    # The large strokes: both pictures at half size.
    halves = [resized(result.image, 48, 64) for result in comparison.results]
    smaller = stylize.RefineConfig().replace(size=64, features="vgg19")
    half_preview, half_refined = stylize.compare(content, style, images=halves, config=smaller).scores
    assert half_refined.style_loss < 0.8 * half_preview.style_loss

"""`compare` end to end, on a tiny random feature network and on VGG-19."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

import stylize
from samples import painting
from stylize.images.picture import Picture
from stylize.images.resizing import resized
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.pyramid import PyramidLevel
from stylize.transfer.compare import _Candidate, _labels, _reached

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


@pytest.mark.slow
@pytest.mark.parametrize("init", ["preview", "FILE"])
def test_above_the_content_range_both_are_compared_with_the_photo(
    traced_networks: Path, pictures: tuple[Path, Path], init: str
) -> None:
    options = {**QUICK, "coarsest_px": 24, "init": str(pictures[1]) if init == "FILE" else init}
    within, above = (stylize.compare(*pictures, **options, content_range_px=(0, most)).scores for most in (65535, 20))
    for each in (*within, *above):
        assert each.losses is not None
        assert each.losses.content > 0
    assert above[0].losses.content == pytest.approx(within[0].losses.content, rel=1e-4)
    # The refinement of large levels ends farther from the photo, not at a tenth of the distance.
    assert above[1].losses.content > within[1].losses.content / 2


def test_pictures_are_scored_in_eight_bits_as_files_hold_them(
    traced_networks: Path, pictures: tuple[Path, Path]
) -> None:
    image = painting(32, 48, 3)
    rounded = (np.round(image * 255) / 255).astype(np.float32)
    assert np.abs(rounded - image).max() > 1e-3
    one, other = (stylize.compare(*pictures, images=[each], size=48).scores[0] for each in (image, rounded))
    assert (one.content_loss, one.style_loss, one.ssim) == (other.content_loss, other.style_loss, other.ssim)


def save(path: Path, height: int, width: int, **more: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray((painting(height, width, 1) * 255).round().astype(np.uint8)).save(path, **more)
    return path


def test_finished_pictures_have_names_of_their_own(
    traced_networks: Path, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    names = ["a/refined.png", "b/refined.png", "b/other.png"]
    images = [save(tmp_path / name, 32, 48) for name in names]
    comparison = stylize.compare(*pictures, images=[*images, images[0], painting(32, 48, 3)], size=48)
    labels = [score.label for score in comparison.scores]
    assert labels == ["a/refined.png", "b/refined.png", "other.png", "a/refined.png (2)", "image 5"]


@given(
    st.lists(
        st.none() | st.lists(st.sampled_from(["a", "b", "x.png", "x.png (2)", "image 1"]), min_size=1).map("/".join),
        min_size=1, max_size=6,
    )
)  # fmt: skip
@example(["/a/x.png", "a/x.png", "b/x.png", "x.png", None])
@example(["a/x.png", "a/x.png", "x.png (2)"])
def test_labels_are_unique_and_hold_the_names_of_the_files(paths: list[str | None]) -> None:
    labels = _labels([Picture(np.zeros((1, 1, 3), np.float32), path=path) for path in paths])
    assert len(set(labels)) == len(paths)
    names = [f"image {number}" if path is None else path.split("/")[-1] for number, path in enumerate(paths, 1)]
    for label, name in zip(labels, names, strict=True):
        assert name in label
        if names.count(name) == 1:
            assert label == name


def test_what_a_user_should_know_of_finished_pictures_is_said(
    traced_networks: Path, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    square = save(tmp_path / "square.png", 40, 40)
    frames = [Image.new("RGB", (96, 64), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    said: list[str] = []
    images = [square, tmp_path / "moving.gif", pictures[0]]
    stylize.compare(*pictures, images=images, size=48, on_message=said.append)
    assert [line for line in said if not line.startswith("using")] == [
        "square.png: 40 x 40 px, not the content's shape (48 x 32 px): the picture is stretched to this shape",
        "moving.gif: animated: the first of 2 frames is used",
    ]


@pytest.mark.parametrize(
    ("options", "total"),
    [({}, 3.0), ({"optimizer": "adam"}, 4.0), ({"optimizer": "adam", "keep_best": True}, 3.0)],
)
def test_the_losses_of_a_refined_picture_are_those_of_the_iterate_that_was_taken(
    options: dict[str, Any], total: float
) -> None:
    """L-BFGS ends with its best iterate, and Adam with the last one unless told otherwise."""
    history = tuple(
        HistoryEntry(level, step, 0.0, LossTerms(loss, 0.0, 0.0, 0.0, {}, {}))
        for step, (level, loss) in enumerate([(1, 0.1), (2, 5.0), (2, 3.0), (2, 4.0), (2, float("nan"))], start=1)
    )
    image, levels = np.zeros((2, 2, 3), np.float32), (PyramidLevel(1, 1), PyramidLevel(2, 4))
    result = stylize.TransferResult(
        "refine", image, None, stylize.RefineConfig().replace(**options), (), 0.0, {}, history=history, levels=levels
    )
    reached = _reached(_Candidate("refined", image, result))
    assert reached is not None
    assert reached.total == total


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

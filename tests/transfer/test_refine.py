"""`refine` end to end on a tiny random feature network: steps, callbacks, stopping and resuming."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import stylize
from samples import EXAMPLES, GOLDEN, painting
from stylize.errors import OptionError, StylizeError, WeightsError
from stylize.images.resizing import resized

QUICK: dict[str, Any] = {"size": 48, "steps": 12}


def test_refine_lowers_the_loss_and_repeats(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    seen: list[Any] = []
    result = stylize.refine(*pictures, **QUICK, on_iterate=seen.append)
    assert result.image.shape == (32, 48, 3)
    assert [iterate.step for iterate in seen] == list(range(1, 13))
    last_level = [entry.losses.total for entry in result.history if entry.level == result.history[-1].level]
    assert min(last_level) < last_level[0]
    again = stylize.refine(*pictures, **QUICK)
    np.testing.assert_array_equal(result.image, again.image)


def test_refine_repeats_the_golden_picture(shipped_networks: None) -> None:
    """Made by this very call with TensorFlow; eight bits, few steps, float32: machines and backends differ by rounding.

    The network that is shipped, because in the tiny random networks many places of a style are equally near.
    """
    options: dict[str, Any] = {"size": 64, "steps": 10, "init": "content", "precision": "float32"}
    result = stylize.refine(painting(48, 64, 1), painting(56, 56, 2), features="vgg19-slim", **options)
    golden = stylize.read_image(GOLDEN / "refine_slim.png").pixels
    assert np.abs(result.image - golden).mean() < 2 / 255


def test_callbacks_see_the_preview_first_and_pictures_as_the_result_will_be(
    traced_networks: Path, pictures: tuple[Path, Path]
) -> None:
    starts: list[NDArray[np.float32]] = []
    seen: list[NDArray[np.float32]] = []
    options: dict[str, Any] = {**QUICK, "keep_colors": True, "network": "mini"}
    result = stylize.refine(
        *pictures, **options, on_start=starts.append, on_iterate=lambda iterate: seen.append(iterate.pixels.copy())
    )
    (start,) = starts
    preview = stylize.fast(*pictures, size=48, network="mini", keep_colors=True)
    np.testing.assert_allclose(start, preview.image, atol=1e-5)
    np.testing.assert_allclose(seen[-1], result.image, atol=1e-5)
    assert [level.long_side_px for level in result.levels] == [48]


@pytest.mark.parametrize(
    "preset",
    [
        pytest.param(name, marks=pytest.mark.slow) if name in ("bold", "faithful") else name
        for name in sorted(set(stylize.PRESETS) - {"ml-art-combine", "tf-tutorial", "nst-notebook"})
    ],
)
def test_presets_run_on_the_embedded_network(traced_networks: Path, pictures: tuple[Path, Path], preset: str) -> None:
    result = stylize.refine(*pictures, preset=preset, **QUICK)
    assert np.isfinite(result.image).all()
    assert len(result.history) == 12


@pytest.mark.parametrize("preset", ["ml-art-combine", "tf-tutorial", "nst-notebook"])
def test_presets_that_need_the_whole_vgg19_say_so(
    traced_networks: Path, pictures: tuple[Path, Path], preset: str
) -> None:
    with pytest.raises(WeightsError, match="the feature network vgg19"):
        stylize.refine(*pictures, preset=preset, **QUICK)


@pytest.mark.real
@pytest.mark.parametrize("preset", ["gatys", "tf-tutorial", "ml-art-combine", "nst-notebook"])
def test_presets_of_others_go_down_on_vgg19(real_networks: Path, preset: str) -> None:
    bench = real_networks / "images" / "bench"
    result = stylize.refine(
        bench / "c11_still_coffee.png", bench / "s03_kandinsky_composition_vii.jpg", preset=preset, size=96, steps=12
    )
    totals = [entry.losses.total for entry in result.history]
    assert min(totals) < 0.7 * totals[0]


def test_a_resumed_run_starts_from_where_it_was(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    stopped = stylize.refine(*pictures, **QUICK, should_stop=iter([False] * 5 + [True]).__next__)
    starts: list[Any] = []
    stylize.refine(*pictures, **QUICK, resume_from=stopped.checkpoint, on_start=starts.append)
    assert stopped.checkpoint is not None
    margin_px = stylize.RefineConfig().margin_px
    assert margin_px > 0
    np.testing.assert_array_equal(starts[0], stopped.checkpoint.pixels[margin_px:-margin_px, margin_px:-margin_px])


def test_stop_and_resume_end_where_a_whole_run_does(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    whole = stylize.refine(*pictures, **QUICK)
    seen: list[Any] = []
    stopped = stylize.refine(*pictures, **QUICK, on_iterate=seen.append, should_stop=lambda: len(seen) >= 7)
    assert stopped.stopped == "interrupted"
    assert len(stopped.history) == 7
    assert stopped.image.shape == whole.image.shape
    resumed = stylize.refine(*pictures, **QUICK, resume_from=stopped.checkpoint)
    np.testing.assert_array_equal(resumed.image, whole.image)
    with pytest.raises(OptionError, match=r"resume_from: .* received different ones \(content_weight\): repeat"):
        stylize.refine(*pictures, **QUICK, content_weight=5.0, resume_from=stopped.checkpoint)
    for others, changed in (
        ((pictures[1], pictures[1]), "content"),
        ((pictures[0], [(pictures[1], 1), (pictures[0], 1)]), "styles"),
    ):
        with pytest.raises(OptionError, match=rf"received different ones \({changed}\): repeat"):
            stylize.refine(*others, **QUICK, resume_from=stopped.checkpoint)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_goes_on_in_the_precision_that_it_began_in(
    precision: str, tiny_networks: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {**QUICK, "preset": "gatys", "precision": "auto"}
    monkeypatch.setattr("stylize.networks.vgg.faster_precision", lambda device: precision)
    whole = stylize.refine(*pictures, **options)
    stopped = stylize.refine(*pictures, **options, should_stop=iter([False] * 5 + [True]).__next__)
    assert whole.provenance["precision_used"] == stopped.provenance["precision_used"] == precision
    monkeypatch.setattr("stylize.networks.vgg.faster_precision", lambda device: pytest.fail("nothing is left"))
    resumed = stylize.refine(*pictures, **options, resume_from=stopped.checkpoint)
    np.testing.assert_array_equal(resumed.image, whole.image)
    assert resumed.provenance == whole.provenance


def test_a_run_with_other_sizes_is_not_taken_up(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    few: dict[str, Any] = {**QUICK, "size": 64, "coarsest_px": 24, "steps": 4}
    seen: list[Any] = []
    stopped = stylize.refine(*pictures, **few, on_iterate=seen.append, should_stop=lambda: len(seen) >= 2)
    assert [level.long_side_px for level in stopped.levels] == [45, 64]
    with pytest.raises(OptionError, match=r"received different ones \(steps\): repeat"):
        stylize.refine(*pictures, **{**few, "steps": 12}, resume_from=stopped.checkpoint)


def test_a_time_budget_begins_at_the_coarsest_size_whatever_the_steps(
    traced_networks: Path, pictures: tuple[Path, Path]
) -> None:
    few: dict[str, Any] = {**QUICK, "size": 64, "coarsest_px": 24, "steps": 1}
    result = stylize.refine(*pictures, **few, time_budget=0.5)
    assert result.levels[0].long_side_px == 32


def test_no_strength_needs_no_word_on_what_it_takes(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    said: list[str] = []
    result = stylize.refine(*pictures, **QUICK, strength=0, on_message=said.append)
    assert not [message for message in said if "steps over" in message]
    assert "steps_taken" not in result.provenance


@pytest.mark.slow
def test_strength_of_refine_leads_from_the_content_to_the_style(shipped_networks: None) -> None:
    examples = EXAMPLES
    content = resized(stylize.read_image(examples / "scene_lake.jpg").pixels, 32, 48)
    style = resized(stylize.read_image(examples / "style_swirls.jpg").pixels, 48, 48)
    options: dict[str, Any] = {"size": 48, "steps": 24, "features": "vgg19-slim", "precision": "float32"}
    none, half, full = (stylize.refine(content, style, strength=s, **options).image for s in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(none, content)
    far = np.abs(full - content).mean()
    assert 0.2 * far < np.abs(half - content).mean() < 0.9 * far
    scores = stylize.compare(content, style, images=[none, half, full], size=48).scores
    assert scores[0].style_loss > scores[1].style_loss > scores[2].style_loss


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (90, 2), (17, 3), (33, 47)])
def test_awkward_shapes_go_through_both(traced_networks: Path, shape: tuple[int, int]) -> None:
    style = painting(50, 50, 1)
    content = painting(*shape, 0)
    expected = stylize.fast(content, style, size=48).image.shape
    assert max(expected[:2]) == 48
    assert stylize.refine(content, style, **QUICK).image.shape == expected
    assert stylize.fast(painting(40, 40, 0), content, size=32).image.shape == (32, 32, 3)


@pytest.mark.slow
def test_awkward_shapes_go_through_the_shipped_networks(shipped_networks: None) -> None:
    loaded = stylize.LoadedNetworks()
    for shape in [(1, 1), (1, 40), (17, 3)]:
        content, style = painting(*shape, 0), painting(50, 50, 1)
        long_side = max(shape)
        for result in (
            stylize.fast(content, style, size=long_side, loaded=loaded),
            stylize.refine(content, style, size=long_side, steps=4, loaded=loaded),
        ):
            assert result.image.shape == (*shape, 3)
            assert np.isfinite(result.image).all()


def test_black_pictures_stay_finite(traced_networks: Path) -> None:
    black = np.zeros((32, 32, 3), np.float32)
    for content, style in ((black, painting(32, 32, 0)), (painting(32, 32, 0), black), (black, black)):
        assert np.isfinite(stylize.refine(content, style, **QUICK).image).all()


_DIGESTS = """
import hashlib, sys
import stylize
preview = stylize.fast(*sys.argv[1:], size=96)
refined = stylize.refine(*sys.argv[1:], size=96, steps=12, precision="float32")
print([network.name for result in (preview, refined) for network in result.networks])
print([hashlib.sha256(result.image.tobytes()).hexdigest() for result in (preview, refined)])
"""


@pytest.mark.slow
def test_the_shipped_networks_paint_the_same_bytes_in_every_process(
    shipped_networks: None, pictures: tuple[Path, Path]
) -> None:
    command = [sys.executable, "-c", _DIGESTS, *map(str, pictures)]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert "['mini', 'vgg19-slim', 'mini']" in first
    assert second == first


@pytest.mark.parametrize(
    "options",
    [
        {"preset": "nothing"},
        {"features": "mini"},
        {"steps": 0},
        {"seed": -1},
        {"size": "a"},
        {"style_layers": (("relu9_9", 1.0),)},
        {"content_weight": 0.0, "style_weight": 0.0},
        {"content_weight": float("nan")},
    ],
)
def test_misuse_of_refine_is_one_line(
    traced_networks: Path, pictures: tuple[Path, Path], options: dict[str, Any]
) -> None:
    with pytest.raises(StylizeError) as caught:
        stylize.refine(*pictures, **options)
    assert "\n" not in str(caught.value)


def test_auto_says_what_it_takes(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    messages: list[str] = []
    stylize.refine(*pictures, **QUICK, on_message=messages.append)
    said = "\n".join(messages)
    assert "mini" in said
    assert "vgg19-slim" in said
    assert "stylize models pull" in said


def test_what_is_odd_about_an_input_is_said_once(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    blank = np.dstack([painting(40, 60, 0), np.zeros((40, 60), np.float32)])
    messages: list[str] = []
    stylize.refine(blank, pictures[1], **QUICK, on_message=messages.append)
    assert sum("content:" in message for message in messages) == 1

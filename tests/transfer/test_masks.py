"""fast, refine and compare within masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylize
from samples import EARLIER_RECIPE, EXAMPLES, assert_tiled_is_untiled, left_half, painting, tiny_objective
from stylize.config import PerceptualLossConfig
from stylize.errors import OptionError
from stylize.images.resizing import resized
from stylize.transfer.tiling import Tiling

QUICK: dict[str, Any] = {"size": 48, "steps": 8, "features": "vgg19-slim", "precision": "float32"}


def test_masks_take_memory() -> None:
    loss = tiny_objective(PerceptualLossConfig(octaves=3), padding="edge")
    peaks = [Tiling(loss, (512, 512), None, lambda message: None, regions=regions).peak_bytes for regions in range(3)]
    # The weighted copies of 4 to 8 channels, and their gradients.
    assert 8 * 4 * 512**2 < peaks[2] - peaks[1] == pytest.approx(peaks[1] - peaks[0], rel=0.2)


def test_a_mask_without_any_style_changes_nothing(traced_networks: Path) -> None:
    content, style, mask = painting(48, 48, 0), painting(50, 50, 1), left_half(48, 48)
    names = ("style", "places", "palette", "total_variation", "frame")
    options: dict[str, Any] = {"style_layers": [], **{f"{name}_weight": 0.0 for name in names}}
    refined = stylize.refine(content, style, mask=mask, **QUICK, **options, init="content")
    np.testing.assert_allclose(refined.image, content, atol=0.05)
    np.testing.assert_array_equal(refined.image[:, 24:], content[:, 24:])


@pytest.mark.parametrize("how", ["fast", "refine"])
@pytest.mark.parametrize("keep_colors", [False, "luminance", "histogram"])
def test_outside_all_masks_the_photograph_is_untouched(traced_networks: Path, how: str, keep_colors: Any) -> None:
    # Other colours and contrasts than the content's: a good painter changes little where styles are alike.
    content, styles = painting(64, 96, 0), [painting(50, 50, seed) ** power for seed, power in ((1, 3), (2, 0.3))]
    mask = left_half(64, 96)
    top, bottom = mask.copy(), mask.copy()
    top[32:], bottom[:32] = 0, 0
    options: dict[str, Any] = {"size": 96, "keep_colors": keep_colors}
    options |= {"steps": 8, "precision": "float32"} if how == "refine" else {}
    for masks in (mask, [top, bottom]):
        seen = []
        more = {"on_start": seen.append} if how == "refine" else {}
        result = getattr(stylize, how)(content, styles, mask=masks, **options, **more)
        np.testing.assert_array_equal(result.image[:, 48:], content[:, 48:])
        assert np.abs(result.image[:, :48] - content[:, :48]).mean() > 0.02
        for pixels in seen:
            here = resized(content, *pixels.shape[:2])
            start = pixels.shape[1] // 2 + 2
            np.testing.assert_array_equal(pixels[:, start:], here[:, start:])


def test_grey_blends(traced_networks: Path) -> None:
    content, style = painting(64, 96, 0), painting(50, 50, 1)
    grey = np.full((64, 96), 0.25, np.float32)
    for paint, options in ((stylize.fast, {"size": 96}), (stylize.refine, {**QUICK, "size": 96, "init": "content"})):
        whole = paint(content, style, **options).image
        blended = paint(content, style, mask=grey, **options).image
        np.testing.assert_allclose(blended, 0.75 * content + 0.25 * whole, atol=0.01)


@pytest.mark.parametrize(
    ("paint", "options"),
    # Few steps: the order of the sums changes their rounding, and L-BFGS amplifies the rounding errors. With a margin,
    # the pictures differ by 2e-5 after 3 steps, and by 2e-2 after 6 steps; without, by 2e-5 after 4 steps.
    [
        (stylize.fast, {"size": 48}),
        (stylize.refine, {**QUICK, "steps": 3}),
        (stylize.refine, {**QUICK, "steps": 4, "padding": "edge"}),
    ],
    ids=["fast", "refine", "refine without a margin"],
)
def test_styles_and_masks_may_change_places_together(
    traced_networks: Path, paint: Any, options: dict[str, Any]
) -> None:
    content, styles = painting(64, 96, 0), [painting(50, 50, seed) for seed in (1, 2)]
    masks = [left_half(64, 96), 1 - left_half(64, 96)]
    one = paint(content, styles, mask=masks, **options).image
    other = paint(content, styles[::-1], mask=masks[::-1], **options).image
    crossed = paint(content, styles, mask=masks[::-1], **options).image
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert np.abs(one - crossed).mean() > 0.02


def test_fast_paints_each_style_whole_and_cuts_it_out(traced_networks: Path) -> None:
    content, styles = painting(64, 96, 0), [painting(50, 50, seed) for seed in (1, 2)]
    alone = [stylize.fast(content, style, size=96).image for style in styles]
    both = stylize.fast(content, styles, size=96, mask=[left_half(64, 96), 1 - left_half(64, 96)]).image
    np.testing.assert_array_equal(both[:, :48], alone[0][:, :48])
    np.testing.assert_array_equal(both[:, 48:], alone[1][:, 48:])


@pytest.mark.slow
def test_less_strength_within_masks_is_nearer_to_the_photograph(shipped_networks: None) -> None:
    examples = EXAMPLES
    content = resized(stylize.read_image(examples / "scene_lake.jpg").pixels, 64, 96)
    style = resized(stylize.read_image(examples / "style_swirls.jpg").pixels, 50, 50)
    none, half, full = (
        stylize.refine(content, style, mask=left_half(64, 96), strength=strength, **QUICK).image
        for strength in (0, 0.5, 1)
    )
    np.testing.assert_array_equal(none, resized(content, *none.shape[:2]))
    assert 0 < np.abs(half - none).mean() < np.abs(full - none).mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "networks"),
    # In the tiny random network, places of the style are equally near, and few steps make much of it.
    [({**EARLIER_RECIPE, "steps": 6}, "traced_networks"), ({"steps": 4}, "shipped_networks")],
    ids=["earlier", "default"],
)
def test_tiled_is_untiled_within_masks(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, recipe: dict[str, Any], networks: str
) -> None:
    request.getfixturevalue(networks)
    # On contents of the seeds 0, 3 and 7 of 0 to 7, rounding makes a jump that grows in six steps, see the helper.
    content, styles = painting(300, 340, 4), [painting(120, 120, seed) for seed in (1, 2)]
    masks = [left_half(300, 340), 1 - left_half(300, 340)]
    options = {"size": 344, "precision": "float32", "coarsest_px": 220, "mask": masks, "strength": 0.8}
    assert_tiled_is_untiled(monkeypatch, content, styles, {**options, **recipe})


def test_a_masked_run_is_taken_up_only_with_its_masks(
    traced_networks: Path, pictures: tuple[Path, Path], masks: tuple[Path, Path]
) -> None:
    whole = stylize.refine(*pictures, mask=masks[0], **QUICK)
    seen: list[Any] = []
    stopped = stylize.refine(
        *pictures, mask=masks[0], **QUICK, on_iterate=seen.append, should_stop=lambda: len(seen) >= 5
    )
    resumed = stylize.refine(*pictures, mask=masks[0], **QUICK, resume_from=stopped.checkpoint)
    np.testing.assert_array_equal(resumed.image, whole.image)
    for mask in ((), masks[1]):
        with pytest.raises(OptionError, match="resume"):
            stylize.refine(*pictures, mask=mask, **QUICK, resume_from=stopped.checkpoint)


@pytest.mark.slow
def test_compare_scores_within_the_masks(shipped_networks: None) -> None:
    examples, mask = EXAMPLES, left_half(64, 96)
    photo, style = examples / "scene_lake.jpg", examples / "style_swirls.jpg"
    comparison = stylize.compare(photo, style, mask=mask, **QUICK)
    preview, refined = comparison.scores
    assert refined.style_loss < preview.style_loss
    assert refined.losses.total < preview.losses.total
    whole, left = (stylize.compare(photo, style, mask=each, images=[photo], **QUICK).scores[0] for each in ((), mask))
    assert left.style_loss != pytest.approx(whole.style_loss, rel=1e-2)


@pytest.mark.real
def test_each_region_is_nearer_to_its_own_style(real_networks: Path) -> None:
    """Cut out each region and score the cut-out as a picture of its own, without masks."""
    examples = EXAMPLES
    content = stylize.read_image(examples / "scene_lake.jpg")
    styles = [examples / "style_swirls.jpg", examples / "style_woodcut.jpg"]
    height, width = content.pixels.shape[:2]
    masks = [left_half(height, width), 1 - left_half(height, width)]
    options: dict[str, Any] = {"size": 128, "steps": 40, "features": "vgg19", "network": "magenta-int8"}
    result = stylize.refine(content, styles, mask=masks, **options)
    half = result.image.shape[1] // 2
    halves = [result.image[:, :half], result.image[:, half:]]
    scores = [
        [
            stylize.compare(each, style, images=[each], size=128, features="vgg19").scores[0].style_loss
            for style in styles
        ]
        for each in halves
    ]
    assert scores[0][0] < 0.7 * scores[0][1]
    assert scores[1][1] < 0.7 * scores[1][0]

"""fast, refine and compare end to end on tiny random feature networks and the embedded stylizer."""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import stylize
from samples import REPOSITORY, painting
from stylize.errors import OptionError, StylizeError, WeightsError
from stylize.images.picture import Picture
from stylize.images.provenance import read_provenance
from stylize.images.resizing import resized
from stylize.transfer import start as start_module

QUICK = {"size": 48, "steps": 12}


def test_fast_paints_at_the_size_asked_for(tiny_networks, pictures):
    content, style = pictures
    result = stylize.fast(content, style, size=75)
    assert result.image.shape == (50, 75, 3)
    assert result.image.dtype == np.float32
    assert 0 <= result.image.min() <= result.image.max() <= 1
    assert [network.name for network in result.networks] == ["mini"]


def test_paths_images_and_arrays_give_the_same(tiny_networks, pictures):
    from PIL import Image

    content, style = pictures
    by_path = stylize.fast(content, style, size=64).image
    by_image = stylize.fast(Image.open(content), Image.open(style), size=64).image
    by_array = stylize.fast(np.asarray(Image.open(content)), np.asarray(Image.open(style)), size=64).image
    np.testing.assert_array_equal(by_path, by_image)
    np.testing.assert_array_equal(by_path, by_array)


def test_blend_of_one_style_with_itself_is_that_style(tiny_networks, pictures):
    content, style = pictures
    alone = stylize.fast(content, style, size=64).image
    blend = stylize.fast(content, [(style, 3.0), (style, 1.0)], size=64).image
    np.testing.assert_allclose(blend, alone, atol=2e-3)


def test_refine_lowers_the_loss_and_repeats(tiny_networks, pictures):
    seen = []
    result = stylize.refine(*pictures, **QUICK, on_iterate=seen.append)
    assert result.image.shape == (32, 48, 3)
    assert [iterate.step for iterate in seen] == list(range(1, 13))
    last_level = [entry.losses.total for entry in result.history if entry.level == result.history[-1].level]
    assert min(last_level) < last_level[0]
    again = stylize.refine(*pictures, **QUICK)
    np.testing.assert_array_equal(result.image, again.image)


def test_callbacks_see_the_preview_first_and_pictures_as_the_result_will_be(tiny_networks, pictures):
    starts, seen = [], []
    options = {**QUICK, "keep_colors": True, "network": "mini"}
    result = stylize.refine(
        *pictures, **options, on_start=starts.append, on_iterate=lambda iterate: seen.append(iterate.pixels.copy())
    )
    (start,) = starts
    preview = stylize.fast(*pictures, size=48, network="mini", keep_colors=True)
    np.testing.assert_allclose(start, preview.image, atol=1e-5)
    np.testing.assert_allclose(seen[-1], result.image, atol=1e-5)
    assert [level.long_side_px for level in result.levels] == [48]


def test_a_resumed_run_starts_from_where_it_was(tiny_networks, pictures):
    stopped = stylize.refine(*pictures, **QUICK, should_stop=iter([False] * 5 + [True]).__next__)
    starts = []
    stylize.refine(*pictures, **QUICK, resume_from=stopped.checkpoint, on_start=starts.append)
    np.testing.assert_array_equal(starts[0], stopped.checkpoint.pixels)


@pytest.mark.parametrize("preset", sorted(set(stylize.PRESETS) - {"ml-art-combine", "tf-tutorial", "nst-notebook"}))
def test_presets_run_on_the_embedded_network(tiny_networks, pictures, preset):
    result = stylize.refine(*pictures, preset=preset, **QUICK)
    assert np.isfinite(result.image).all()
    assert len(result.history) == 12


@pytest.mark.parametrize("preset", ["ml-art-combine", "tf-tutorial", "nst-notebook"])
def test_presets_that_need_the_whole_vgg19_say_so(tiny_networks, pictures, preset):
    with pytest.raises(WeightsError, match="--features vgg19"):
        stylize.refine(*pictures, preset=preset, **QUICK)


@pytest.mark.parametrize("init", ["preview+content", "content", "noise", "content+noise", "file"])
def test_every_start(tiny_networks, pictures, init):
    result = stylize.refine(*pictures, **QUICK, init=str(pictures[1]) if init == "file" else init)
    assert np.isfinite(result.image).all()
    assert ("init" in result.provenance) == (init == "file")


def test_a_start_of_preview_and_content_has_colours_of_one_and_detail_of_the_other():
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, (2, 96, 128, 3)).astype(np.float32)
    # Light from left to right in the preview alone.
    content, preview = 0.5 + noise[0], np.linspace(0.3, 0.7, 128, dtype=np.float32)[:, None] + noise[1]
    start = start_module.with_large_shapes_of(preview, content)
    np.testing.assert_allclose(resized(start, 3, 4), resized(preview, 3, 4), atol=0.03)
    np.testing.assert_allclose(np.diff(start, axis=1), np.diff(content, axis=1), atol=0.05)


def test_a_small_result_goes_on_to_a_large_one_of_its_look(tiny_networks, pictures, tmp_path):
    small, path = stylize.refine(*pictures, size=40, steps=24, coarsest_px=16), tmp_path / "small.png"
    small.save(path)
    options = {"size": 80, "steps": 16, "coarsest_px": 16}
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


@pytest.mark.parametrize(("size", "sides", "about"), [(300, [96, 192], "about 2 s"), (1200, [192, 448], "about 29 s")])
def test_a_long_run_is_foretold_by_larger_probes(tiny_networks, pictures, monkeypatch, size, sides, about):
    seen, said = [], []

    def probe_s(loss, regions, side):
        seen.append(side)
        return 0.0, 1e-5 * side**2

    monkeypatch.setattr("stylize.transfer.estimate._probe_s", probe_s)
    with pytest.raises(KeyboardInterrupt):
        stylize.refine(*pictures, size=size, steps=1, on_message=said.append, on_start=_interrupt)
    assert seen == sides
    # A step and the targets, which count as two, of 3:2 pictures: 10 us a pixel.
    assert about in said[-1]


def _interrupt(start):
    raise KeyboardInterrupt


def test_seed_decides_the_noise(tiny_networks, pictures):
    one, same, other = (stylize.refine(*pictures, **QUICK, init="noise", seed=seed).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


def test_stop_and_resume_end_where_a_whole_run_does(tiny_networks, pictures):
    whole = stylize.refine(*pictures, **QUICK)
    seen = []
    stopped = stylize.refine(*pictures, **QUICK, on_iterate=seen.append, should_stop=lambda: len(seen) >= 7)
    assert stopped.stopped == "interrupted"
    assert len(stopped.history) == 7
    assert stopped.image.shape == whole.image.shape
    resumed = stylize.refine(*pictures, **QUICK, resume_from=stopped.checkpoint)
    np.testing.assert_array_equal(resumed.image, whole.image)
    with pytest.raises(OptionError, match=r"resume: .* received different ones \(content_weight\): repeat"):
        stylize.refine(*pictures, **QUICK, content_weight=5.0, resume_from=stopped.checkpoint)
    with pytest.raises(OptionError, match=r"received different ones: repeat"):
        stylize.refine(pictures[1], pictures[1], **QUICK, resume_from=stopped.checkpoint)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_goes_on_in_the_precision_that_it_began_in(precision, tiny_networks, pictures, monkeypatch):
    options = {**QUICK, "precision": "auto"}
    monkeypatch.setattr("stylize.networks.vgg.faster_precision", lambda: precision)
    whole = stylize.refine(*pictures, **options)
    stopped = stylize.refine(*pictures, **options, should_stop=iter([False] * 5 + [True]).__next__)
    assert whole.provenance["precision_used"] == stopped.provenance["precision_used"] == precision
    monkeypatch.setattr("stylize.networks.vgg.faster_precision", lambda: pytest.fail("nothing is left to choose"))
    resumed = stylize.refine(*pictures, **options, resume_from=stopped.checkpoint)
    np.testing.assert_array_equal(resumed.image, whole.image)
    assert resumed.provenance == whole.provenance


def test_a_run_with_other_sizes_is_not_taken_up(tiny_networks, pictures):
    few = {**QUICK, "size": 64, "coarsest_px": 16, "steps": 3}
    seen = []
    stopped = stylize.refine(*pictures, **few, on_iterate=seen.append, should_stop=lambda: len(seen) >= 2)
    assert [level.long_side_px for level in stopped.levels] == [32, 45, 64]
    with pytest.raises(OptionError, match="resume"):
        stylize.refine(*pictures, **{**few, "steps": 10}, resume_from=stopped.checkpoint)


def test_a_time_budget_begins_at_the_coarsest_size_whatever_the_steps(tiny_networks, pictures):
    few = {**QUICK, "size": 64, "coarsest_px": 16, "steps": 1}
    result = stylize.refine(*pictures, **few, time_budget=0.5)
    assert result.levels[0].long_side_px < 20


def test_no_strength_needs_no_word_on_what_it_takes(tiny_networks, pictures):
    said = []
    result = stylize.refine(*pictures, **QUICK, strength=0, on_message=said.append)
    assert not [message for message in said if "steps over" in message]
    assert "steps_taken" not in result.provenance


def test_transparency_travels_beside_the_colours(tiny_networks):
    pixels = np.dstack([painting(40, 60, 0), np.linspace(0, 1, 60, dtype=np.float32)[None].repeat(40, 0)])
    result = stylize.fast(pixels, painting(40, 40, 1), size=30)
    assert result.alpha.shape == (20, 30)
    np.testing.assert_allclose(result.alpha[5], np.linspace(0, 1, 30), atol=0.05)


def test_keep_colors_keeps_chroma(tiny_networks):
    content = painting(40, 60, 0) * 0.3 + 0.35
    result = stylize.fast(content, painting(40, 40, 1), size=60, keep_colors=True)
    for a, b in ((0, 1), (2, 1)):
        difference = (result.image[..., a] - result.image[..., b]) - (content[..., a] - content[..., b])
        assert np.abs(difference).mean() < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (90, 2), (17, 3), (33, 47)])
def test_awkward_shapes_go_through_both(tiny_networks, shape):
    style = painting(50, 50, 1)
    content = painting(*shape, 0)
    expected = stylize.fast(content, style, size=48).image.shape
    assert max(expected[:2]) == 48
    assert stylize.refine(content, style, **QUICK).image.shape == expected
    assert stylize.fast(painting(40, 40, 0), content, size=32).image.shape == (32, 32, 3)


@pytest.fixture
def shipped_networks(tmp_path, monkeypatch):
    """The networks that come with the project, and no others."""
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STYLIZE_OFFLINE", "1")


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (17, 3)])
def test_awkward_shapes_go_through_the_shipped_networks(shipped_networks, shape):
    content, style = painting(*shape, 0), painting(50, 50, 1)
    long_side = max(shape)
    for result in (
        stylize.fast(content, style, size=long_side),
        stylize.refine(content, style, size=long_side, steps=4),
    ):
        assert result.image.shape == (*shape, 3)
        assert np.isfinite(result.image).all()


_DIGESTS = """
import hashlib, sys
import stylize
preview = stylize.fast(*sys.argv[1:], size=96)
refined = stylize.refine(*sys.argv[1:], size=96, steps=12, precision="float32")
print([network.name for result in (preview, refined) for network in result.networks])
print([hashlib.sha256(result.image.tobytes()).hexdigest() for result in (preview, refined)])
"""


@pytest.mark.slow
def test_the_shipped_networks_paint_the_same_bytes_in_every_process(shipped_networks, pictures):
    command = [sys.executable, "-c", _DIGESTS, *map(str, pictures)]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert "['mini', 'vgg19-slim', 'mini']" in first
    assert second == first


def test_black_pictures_stay_finite(tiny_networks):
    black = np.zeros((32, 32, 3), np.float32)
    for content, style in ((black, painting(32, 32, 0)), (painting(32, 32, 0), black), (black, black)):
        assert np.isfinite(stylize.refine(content, style, **QUICK).image).all()


def test_provenance_inside_the_file_is_enough_to_repeat(tiny_networks, pictures, tmp_path):
    result = stylize.refine(*pictures, **QUICK)
    result.save(tmp_path / "out.png")
    provenance = read_provenance(tmp_path / "out.png")
    assert provenance == json.loads(json.dumps(result.provenance))
    assert provenance["command"] == "refine"
    assert provenance["version"] == stylize.__version__
    assert provenance["content"]["sha256"] == stylize.read_image(pictures[0]).sha256
    assert {network["name"] for network in provenance["networks"]} == {"mini", "vgg19-slim"}


def test_compare_scores_both_under_one_network(tiny_networks, pictures):
    config = stylize.refine_config(**QUICK)
    comparison = stylize.compare(*pictures, config=config)
    assert [score.label for score in comparison.scores] == ["fast", "refined"]
    fast_score, refined = comparison.scores
    assert refined.style_loss < fast_score.style_loss
    json.dumps(comparison.metrics())
    # A picture against itself: nothing is lost.
    # Both under the very loss that was minimised, at the output's size: they compare with the end of the history.
    assert refined.losses.total < fast_score.losses.total
    last = [entry.losses.total for entry in comparison.results[1].history[-3:]]
    assert refined.losses.total == pytest.approx(min(last), rel=0.05)
    own = stylize.compare(pictures[0], pictures[1], images=[pictures[0]], config=config).scores[0]
    assert own.losses is None
    assert own.content_loss == pytest.approx(0, abs=1e-4)  # but for the rounding to eight bits
    assert own.ssim == pytest.approx(1, abs=1e-3)


def test_what_compare_refines_is_what_refine_makes(tiny_networks, pictures):
    options = {**QUICK, "strength": 0.7, "keep_colors": True}
    preview, refined = stylize.compare(*pictures, **options).results
    np.testing.assert_array_equal(preview.image, stylize.fast(*pictures, config=refined.config.preview).image)
    np.testing.assert_array_equal(refined.image, stylize.refine(*pictures, **options).image)


def test_auto_says_what_it_takes(tiny_networks, pictures):
    messages = []
    stylize.refine(*pictures, **QUICK, on_message=messages.append)
    said = "\n".join(messages)
    assert "mini" in said
    assert "vgg19-slim" in said
    assert "stylize models pull" in said


def test_refine_without_any_stylizer_starts_from_the_content(tiny_networks, pictures):
    for part in tiny_networks.glob("mini*"):
        part.unlink()
    messages = []
    result = stylize.refine(*pictures, **QUICK, on_message=messages.append)
    assert np.isfinite(result.image).all()
    assert any("starting from the content" in message for message in messages)
    with pytest.raises(WeightsError):
        stylize.fast(*pictures, size=32)


@pytest.mark.parametrize(
    "options",
    [
        {"network": "vgg19"},
        {"network": "nothing"},
        {"size": 0},
        {"strength": 2.0},
    ],
)
def test_misuse_of_fast_is_one_line(tiny_networks, pictures, options):
    with pytest.raises(OptionError) as caught:
        stylize.fast(*pictures, **options)
    assert "\n" not in str(caught.value)


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
def test_misuse_of_refine_is_one_line(tiny_networks, pictures, options):
    with pytest.raises(StylizeError) as caught:
        stylize.refine(*pictures, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", [stylize.fast, stylize.refine, stylize.compare])
def test_a_misspelt_option_is_a_type_error(tiny_networks, pictures, function):
    with pytest.raises(TypeError, match="strenght"):
        function(*pictures, strenght=1.0)


def test_style_weights_must_make_sense(tiny_networks, pictures):
    for styles in ([], [(pictures[1], 0.0)], [(pictures[1], -1.0)], [(pictures[1], float("nan"))]):
        with pytest.raises(OptionError):
            stylize.fast(pictures[0], styles)


def test_pictures_pass_through_unread(tiny_networks):
    picture = Picture(painting(32, 32, 0))
    assert stylize.fast(picture, picture, size=32).provenance["content"]["path"] is None


GOLDEN = REPOSITORY / "tests" / "golden"


def test_refine_repeats_the_golden_picture(tiny_networks):
    """Made by this very call; eight bits, a few steps in float32: machines differ by rounding alone."""
    result = stylize.refine(
        painting(48, 64, 1), painting(56, 56, 2), size=64, steps=10, init="content", precision="float32"
    )
    golden = stylize.read_image(GOLDEN / "refine_tiny.png").pixels
    assert np.abs(result.image - golden).mean() < 2 / 255


@pytest.mark.real
def test_refine_under_vgg19_beats_the_preview_at_every_scale(real_networks):
    """The yardstick, written apart from this project, agrees that refining brings the picture nearer to the style."""
    from stylize.images.resizing import resized

    bench = real_networks / "images" / "bench"
    content, style = bench / "c03_city_tubingen.jpg", bench / "s01_starry_night.jpg"
    config = stylize.refine_config(size=160, steps=80, features="vgg19", network="magenta-int8")
    comparison = stylize.compare(content, style, config=config)
    preview, refined = comparison.scores
    assert refined.style_loss < 0.8 * preview.style_loss
    assert refined.content_loss < preview.content_loss
    # The large strokes: both pictures at half size.
    halves = [resized(result.image, 60, 80) for result in comparison.results]
    smaller = stylize.refine_config(size=80, features="vgg19")
    half_preview, half_refined = stylize.compare(content, style, images=halves, refine_config=smaller).scores
    assert half_refined.style_loss < 0.8 * half_preview.style_loss


@pytest.mark.real
@pytest.mark.parametrize("preset", ["gatys", "tf-tutorial", "ml-art-combine", "nst-notebook"])
def test_presets_of_others_go_down_on_vgg19(real_networks, preset):
    bench = real_networks / "images" / "bench"
    result = stylize.refine(
        bench / "c11_still_coffee.png", bench / "s03_kandinsky_composition_vii.jpg", preset=preset, size=96, steps=12
    )
    totals = [entry.losses.total for entry in result.history]
    assert min(totals) < 0.7 * totals[0]


def test_fast_repeats_the_golden_picture(tiny_networks):
    """The shipped stylizer on the project's own pictures; kernels of other CPUs differ by rounding."""
    examples = REPOSITORY / "examples"
    result = stylize.fast(examples / "scene_lake.jpg", examples / "style_swirls.jpg", size=128)
    golden = stylize.read_image(GOLDEN / "fast_mini.png").pixels
    assert np.abs(result.image - golden).mean() < 2 / 255


def test_what_is_odd_about_an_input_is_said_once(tiny_networks, pictures):
    blank = np.dstack([painting(40, 60, 0), np.zeros((40, 60), np.float32)])
    messages = []
    stylize.refine(blank, pictures[1], **QUICK, on_message=messages.append)
    assert sum("content:" in message for message in messages) == 1


def test_networks_load_once_for_many_runs(tiny_networks, monkeypatch):
    from stylize.networks.mini import MiniStylizer

    loads = []
    load = MiniStylizer.__init__
    monkeypatch.setattr(MiniStylizer, "__init__", lambda self, *files: loads.append("mini") or load(self, *files))
    networks = stylize.LoadedNetworks()
    content, style = painting(40, 48, 0), painting(48, 48, 1)
    first = stylize.fast(content, style, size=48, loaded=networks)
    again = stylize.fast(content, style, size=48, loaded=networks)
    refined = [stylize.refine(content, style, size=32, steps=4, loaded=networks).image for _ in range(2)]
    assert loads == ["mini"]
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(*refined)


def test_a_jpeg_decoded_at_reduced_size_gives_the_same_preview(tiny_networks, tmp_path):
    from PIL import Image

    big = (painting(1504, 2000, 3) * 255).round().astype(np.uint8)
    Image.fromarray(big).save(tmp_path / "big.jpg", quality=95)
    Image.fromarray(big).save(tmp_path / "style.jpg", quality=95)
    paths = [tmp_path / name for name in ("big.jpg", "style.jpg")]
    small = stylize.fast(*paths, size=100, network="mini")
    whole = stylize.fast(*(stylize.read_image(path) for path in paths), size=100, network="mini")
    assert small.image.shape == whole.image.shape
    assert np.abs(small.image - whole.image).mean() < 2 / 255
    assert small.provenance["content"] == whole.provenance["content"]


def test_a_style_is_encoded_once_a_size(tiny_networks, pictures, monkeypatch):
    from stylize.losses.targets import TargetEncoder

    encoded = []
    plain = TargetEncoder.of_style
    monkeypatch.setattr(TargetEncoder, "of_style", lambda self, *asked: encoded.append(0) or plain(self, *asked))
    content, style = pictures
    networks = stylize.LoadedNetworks()
    alone = stylize.refine(content, style, size=48, steps=6, loaded=networks)
    sizes = len(encoded)
    again = stylize.refine(style, [(style, 1.0), (content, 0.5)], size=48, steps=6, loaded=networks)
    assert len(encoded) == 2 * sizes
    assert np.array_equal(stylize.refine(content, style, size=48, steps=6, loaded=networks).image, alone.image)
    assert len(encoded) == 2 * sizes
    assert again.history[0].losses.total != alone.history[0].losses.total


def test_style_scale_is_of_the_style_beside_the_output(tiny_networks, monkeypatch):
    """Larger strokes are those of a larger style picture; beyond its own size it would only be blurred."""
    from stylize.losses.targets import TargetEncoder

    seen = []
    plain = TargetEncoder.of_style
    monkeypatch.setattr(
        TargetEncoder,
        "of_style",
        lambda self, style, *more: seen.append(style.shape) or plain(self, style, *more),
    )
    content, style = painting(40, 64, 0), painting(150, 100, 1)
    for scale, shape in ((0.5, (32, 21)), (1.0, (64, 43)), (2.0, (128, 85)), (4.0, (150, 100))):
        stylize.refine(content, style, size=64, steps=2, style_scale=scale)
        assert seen[-1] == (1, *shape, 3)


def test_kept_targets_have_a_bound(tiny_networks, pictures, monkeypatch):
    networks = stylize.LoadedNetworks(style_targets_bytes=1)
    stylize.refine(*pictures, size=48, steps=6, coarsest_px=32, loaded=networks)
    assert len(networks.style_targets) == 1


def test_strength_of_refine_leads_from_the_content_to_the_style(tiny_networks):
    content, style = painting(48, 40, 0), painting(48, 48, 1)
    options = {"size": 48, "steps": 24, "features": "vgg19-slim", "precision": "float32"}
    none, half, full = (stylize.refine(content, style, strength=s, **options).image for s in (0.0, 0.5, 1.0))
    np.testing.assert_array_equal(none, content)
    far = np.abs(full - content).mean()
    assert 0.2 * far < np.abs(half - content).mean() < 0.9 * far
    scores = stylize.compare(content, style, images=[none, half, full], size=48).scores
    assert scores[0].style_loss > scores[1].style_loss > scores[2].style_loss


def test_of_losses_that_differ_only_the_newest_stay_loaded():
    networks = stylize.LoadedNetworks()
    stylizer = networks.keep("stylizer", "mini", object)
    losses = [networks.keep("objective", number, object) for number in range(6)]
    for number in range(2, 6):
        assert networks.keep("objective", number, object) is losses[number]
    assert networks.keep("objective", 1, object) is not losses[1]
    assert networks.keep("objective", 0, object) is not losses[0]
    assert networks.keep("stylizer", "mini", object) is stylizer


@pytest.mark.parametrize("masked", [False, True])
def test_how_long_a_run_will_take_is_said_before_it_starts(tiny_networks, pictures, monkeypatch, masked):
    from stylize.losses.objective import Objective
    from stylize.optimize.pace import TARGETS_STEPS

    clock = [0.0]
    evaluate = Objective.value_and_gradient

    def slowly(self, image, *rest):
        clock[0] += 1e-4 * (image.shape[1] * image.shape[2] + 10_000)
        return evaluate(self, image, *rest)

    monkeypatch.setattr(Objective, "value_and_gradient", slowly)
    monkeypatch.setattr("stylize.transfer.estimate.time", SimpleNamespace(perf_counter=lambda: clock[0]))
    messages = []
    masks = [np.eye(32, 48, k, dtype=np.float32) for k in (0, 5)] if masked else []
    styles = [pictures[1]] * (2 if masked else 1)
    stylize.refine(pictures[0], styles, **QUICK, mask=masks, on_message=messages.append, on_iterate=lambda it: None)
    expected = (QUICK["steps"] + TARGETS_STEPS) * 1e-4 * (32 * 48 + 10_000)
    assert any(f" about {expected:.0f} s, up to " in message for message in messages), messages
    messages.clear()
    stylize.refine(pictures[0], styles, size=48, time_budget=0.1, mask=masks, on_message=messages.append)
    assert not any("about" in message for message in messages), "it was given"

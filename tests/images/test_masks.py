"""Masks: where to paint, from the file to the losses and back into the picture."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import stylize
from samples import REPOSITORY, painting, tiny_convolutions
from stylize.cli.main import main
from stylize.cli.options import cell
from stylize.config import PerceptualLossConfig
from stylize.errors import ImageError, OptionError
from stylize.images.masks import Masks
from stylize.images.resizing import resized
from stylize.losses.features import gram_sum
from stylize.losses.objective import PerceptualLoss
from stylize.networks.backend import tf
from stylize.networks.vgg import EncoderWeights, FeatureEncoder

QUICK = {"size": 48, "steps": 8, "features": "vgg19-slim", "precision": "float32"}


def one_pixel(height, width):
    mask = np.zeros((height, width), np.float32)
    mask[height // 2, width // 2] = 1
    return mask


def left_half(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), np.float32)
    mask[:, : width // 2] = 1
    return mask


@pytest.fixture
def masks(tmp_path):
    """Two mask files for a content of 96 x 64 px: its left half, and its right half."""
    paths = []
    for name, mask in (("left.png", left_half(64, 96)), ("right.png", 1 - left_half(64, 96))):
        Image.fromarray((mask * 255).astype(np.uint8)).save(tmp_path / name)
        paths.append(tmp_path / name)
    return tuple(paths)


def read(*sources, styles=1, size=(64, 96), weights=None):
    return Masks.read(list(sources), weights or [1 / styles] * styles, size, size)


# ----------------------------------------------------------------------------------------------------------
# Pictures to masks


def test_a_mask_is_luminance_or_transparency():
    ramp = np.linspace(0, 1, 96, dtype=np.float32)[None].repeat(64, 0)
    colours = painting(64, 96, 0)
    for mask in (ramp, np.dstack([ramp] * 3), np.dstack([colours, ramp])):
        np.testing.assert_allclose(read(mask).at(64, 96)[0], ramp, atol=1e-6)
    np.testing.assert_allclose(read(colours).at(64, 96)[0], colours @ [0.299, 0.587, 0.114], atol=1e-6)
    opaque = np.dstack([ramp, ramp, ramp, np.ones_like(ramp)])
    np.testing.assert_array_equal(read(opaque).at(64, 96)[0], ramp)


def test_a_mask_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = np.rot90((left_half(64, 96) * 255).astype(np.uint8))
    Image.fromarray(lying).save(tmp_path / "lying.png", exif=exif)
    np.testing.assert_array_equal(read(tmp_path / "lying.png").at(64, 96)[0], left_half(64, 96))


@pytest.mark.parametrize("size", [(16, 24), (31, 47), (64, 96), (200, 300)])
def test_masks_of_any_size_stay_black_and_white(size):
    mask = Masks.read(left_half(100, 150), [1.0], (64, 96), size).at(*size)[0]
    assert (mask[:, : size[1] // 2 - 2] == 1).all()
    assert (mask[:, size[1] // 2 + 2 :] == 0).all()


def test_where_masks_overlap_styles_share_by_their_weights():
    flat = [np.full((64, 96), value, np.float32) for value in (1.0, 1.0, 0.2)]
    both = read(*flat[:2], styles=2, weights=[0.75, 0.25]).at(64, 96)
    np.testing.assert_allclose(both[:, 0, 0], [0.75, 0.25])
    # Less than all is painted where the masks do not reach 1 together.
    faint = read(flat[2], flat[2], styles=2).at(64, 96)
    np.testing.assert_allclose(faint[:, 0, 0], [0.2, 0.2], rtol=1e-6)


@pytest.mark.parametrize(("masks", "styles"), [(2, 1), (2, 3), (3, 2)])
def test_the_count_of_masks_must_fit(masks, styles):
    with pytest.raises(OptionError, match=f"^mask: expected 1.*; received {masks}$"):
        read(*[left_half(64, 96)] * masks, styles=styles)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((64, 96), np.float32), "black throughout"),
        (np.dstack([painting(64, 96, 0), np.zeros((64, 96), np.float32)]), "black throughout"),
        (one_pixel(640, 960), "nothing of its white is left at 96 x 64 px: choose a larger --size"),
        (left_half(96, 64), "expected about 96:64, the content's shape, received 64 x 96 px"),
        (left_half(64, 64), "received 64 x 64 px"),
    ],
)
def test_a_mask_that_can_not_be_meant_is_one_line(mask, message):
    with pytest.raises(ImageError, match=message) as caught:
        read(mask)
    assert "\n" not in str(caught.value)


def test_a_faint_mask_is_meant():
    np.testing.assert_allclose(read(np.full((640, 960), 0.05, np.float32)).at(64, 96), 0.05, rtol=1e-5)


def test_a_masks_shape_may_be_rounded():
    for size in ((7, 10), (33, 50), (64, 95), (427, 640)):
        read(left_half(*size))


# ----------------------------------------------------------------------------------------------------------
# Guided Gram matrices


def test_guided_gram_matrix_by_hand():
    # f1 = (1, 2), f2 = (3, 4), weighing 3/4 and 1/4: 3/4 [1 2; 2 4] + 1/4 [9 12; 12 16]
    features = tf.constant([[[[1.0, 2.0], [3.0, 4.0]]]])
    np.testing.assert_allclose(gram_sum(features, tf.constant([[0.75, 0.25]])), [[3, 4.5], [4.5, 7]])


def _loss(**options) -> PerceptualLoss:
    config = PerceptualLossConfig(**options)
    layers = [name for name, _ in (*config.content_layers, *config.style_layers)]
    encoder = FeatureEncoder(EncoderWeights(tiny_convolutions()), layers, precision="float32", edge_padding=True)
    return PerceptualLoss(encoder, config)


@pytest.fixture(scope="module")
def loss() -> PerceptualLoss:
    return _loss(octaves=3)


@pytest.mark.parametrize(("statistics", "exactness"), [("gram", 1e-4), ("moments", 1e-3)])
def test_a_mask_of_ones_changes_no_loss(statistics, exactness):
    loss = _loss(octaves=3, statistics=statistics)
    image, content, style = (painting(90, 100, seed)[None] for seed in range(3))
    plain = loss.value(image, loss.targets(content, [(style, 1.0)]))
    for mask in (1.0, 0.5):
        masks = np.full((1, 90, 100), mask, np.float32)
        masked = loss.value(image, loss.targets(content, [(style, 1.0)], masks=masks))
        assert masked["total"] == pytest.approx(plain["total"], rel=exactness)
        assert masked["style_per_layer"] == pytest.approx(plain["style_per_layer"], rel=exactness)


def test_two_halves_of_one_style_are_no_different_in_either_order(loss):
    image, content, *styles = (painting(96, 128, seed)[None] for seed in range(4))
    masks = np.stack([left_half(96, 128), 1 - left_half(96, 128)])
    one = loss.value(image, loss.targets(content, [(style, 0.5) for style in styles], masks=masks))
    other = loss.value(image, loss.targets(content, [(style, 0.5) for style in styles[::-1]], masks=masks[::-1]))
    crossed = loss.value(image, loss.targets(content, [(style, 0.5) for style in styles], masks=masks[::-1]))
    assert one["style_per_layer"] == pytest.approx(other["style_per_layer"], rel=1e-4)
    assert one["style"] != pytest.approx(crossed["style"], rel=1e-2)


def test_a_region_sees_nothing_of_what_lies_far_outside(loss):
    image, content, style = (painting(128, 192, seed)[None] for seed in range(3))
    changed = image.copy()
    changed[:, :, 184:] = 0.3
    masks = left_half(128, 192)[None]
    masks[:, :, 40:] = 0
    terms = [
        loss.value(each, loss.targets(content, [(style, 1.0)], masks=masks))["style_per_layer"]["relu2_1"]
        for each in (image, changed)
    ]
    assert terms[0] == pytest.approx(terms[1], rel=1e-5)


@pytest.mark.parametrize("normalization", ["relative", "mean"])
@pytest.mark.parametrize("regions", [1, 2])
def test_tiles_change_neither_loss_nor_gradient_within_masks(normalization, regions):
    loss = _loss(octaves=3, normalization=normalization)
    image, content, *styles = (painting(150, 190, seed)[None] for seed in range(4))
    soft = resized(left_half(30, 38), 150, 190)
    masks = np.stack([soft, 1 - soft][:regions])
    whole, gradient = loss.value_and_gradient(image, loss.targets(content, [(s, 0.5) for s in styles], None, masks))
    targets = loss.targets(content, [(s, 0.5) for s in styles], 48, masks)
    tiled, of_tiles = loss.value_and_gradient(image, targets, 48)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-3)
    assert tiled["style_per_layer"] == pytest.approx(whole["style_per_layer"], rel=1e-3)
    assert np.linalg.norm(of_tiles - gradient) < 1e-3 * np.linalg.norm(gradient)
    own = [loss.guided_targets(image, loss.guidance(3, masks), tile_px) for tile_px in (None, 48)]
    for plain, tiled in zip(*own, strict=True):
        np.testing.assert_allclose(plain[0]["relu3_1"], tiled[0]["relu3_1"], rtol=1e-3, atol=1e-5)


def test_masks_take_memory(loss):
    from stylize.transfer.memory import Tiling

    peaks = [Tiling(loss, (512, 512), None, lambda message: None, regions).peak_bytes for regions in range(3)]
    # The weighted copies of 4 to 8 channels, and their gradients.
    assert 8 * 4 * 512**2 < peaks[2] - peaks[1] == pytest.approx(peaks[1] - peaks[0], rel=0.2)


@pytest.mark.parametrize("side", [1, 5, 20])
def test_a_region_of_a_few_pixels_stays_finite(loss, side):
    """Where the deepest layers have no position of it, they are left out."""
    image, content, *styles = (painting(64, 80, seed)[None] for seed in range(4))
    small = np.zeros((64, 80), np.float32)
    small[:side, :side] = 1
    targets = loss.targets(content, [(s, 0.5) for s in styles], masks=np.stack([small, 1 - small]))
    terms, gradient = loss.value_and_gradient(image, targets)
    assert np.isfinite(terms["total"])
    assert np.isfinite(gradient).all()
    guidance = loss.guidance(len(targets.style), np.stack([small, 1 - small]))
    shares = {name: sum(octave[name].numpy() for octave in guidance.shares) for name in ("relu1_1", "relu5_1")}
    area = side**2 / (64 * 80)
    np.testing.assert_allclose(shares["relu5_1"], [0, 1 - area], atol=1e-6)
    if side > 1:
        np.testing.assert_allclose(shares["relu1_1"], [area, 1 - area], atol=1e-6)


# ----------------------------------------------------------------------------------------------------------
# Pictures


@pytest.mark.parametrize("how", ["fast", "refine"])
@pytest.mark.parametrize("keep_colors", [False, "luminance", "histogram"])
def test_outside_all_masks_the_photograph_is_untouched(tiny_networks, how, keep_colors):
    # Other colours and contrasts than the content's: a good painter changes little where styles are alike.
    content, styles = painting(64, 96, 0), [painting(50, 50, seed) ** power for seed, power in ((1, 3), (2, 0.3))]
    mask = left_half(64, 96)
    top, bottom = mask.copy(), mask.copy()
    top[32:], bottom[:32] = 0, 0
    options = {"size": 96, "keep_colors": keep_colors}
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


def test_grey_blends(tiny_networks):
    content, style = painting(64, 96, 0), painting(50, 50, 1)
    grey = np.full((64, 96), 0.25, np.float32)
    for paint, options in ((stylize.fast, {"size": 96}), (stylize.refine, {**QUICK, "size": 96, "init": "content"})):
        whole = paint(content, style, **options).image
        blended = paint(content, style, mask=grey, **options).image
        np.testing.assert_allclose(blended, 0.75 * content + 0.25 * whole, atol=0.01)


@pytest.mark.parametrize("how", ["fast", "refine"])
def test_styles_and_masks_may_change_places_together(tiny_networks, how):
    content, styles = painting(64, 96, 0), [painting(50, 50, seed) for seed in (1, 2)]
    masks = [left_half(64, 96), 1 - left_half(64, 96)]
    options = QUICK if how == "refine" else {"size": 48}
    paint = getattr(stylize, how)
    one = paint(content, styles, mask=masks, **options).image
    other = paint(content, styles[::-1], mask=masks[::-1], **options).image
    crossed = paint(content, styles, mask=masks[::-1], **options).image
    np.testing.assert_allclose(one, other, atol=1e-3)
    assert np.abs(one - crossed).mean() > 0.02


def test_fast_paints_each_style_whole_and_cuts_it_out(tiny_networks):
    content, styles = painting(64, 96, 0), [painting(50, 50, seed) for seed in (1, 2)]
    alone = [stylize.fast(content, style, size=96).image for style in styles]
    both = stylize.fast(content, styles, size=96, mask=[left_half(64, 96), 1 - left_half(64, 96)]).image
    np.testing.assert_array_equal(both[:, :48], alone[0][:, :48])
    np.testing.assert_array_equal(both[:, 48:], alone[1][:, 48:])


def test_less_strength_within_masks_is_nearer_to_the_photograph(tiny_networks):
    content, style = painting(64, 96, 0), painting(50, 50, 1)
    none, half, full = (
        stylize.refine(content, style, mask=left_half(64, 96), strength=strength, **QUICK).image
        for strength in (0, 0.5, 1)
    )
    np.testing.assert_array_equal(none, resized(content, *none.shape[:2]))
    assert 0 < np.abs(half - none).mean() < np.abs(full - none).mean()


def test_tiled_is_untiled_within_masks(tiny_networks, monkeypatch):
    from stylize.transfer import memory

    content, styles = painting(300, 340, 0), [painting(120, 120, seed) for seed in (1, 2)]
    masks = [left_half(300, 340), 1 - left_half(300, 340)]
    options = {"size": 320, "steps": 6, "precision": "float32", "coarsest_px": 220, "mask": masks, "strength": 0.8}
    whole = stylize.refine(content, styles, **options).image
    for name, value in (("_LARGEST_TILE_PX", 64), ("SMALLEST_TILE_PX", 64), ("_SHARE", 1e-6)):
        monkeypatch.setattr(memory, name, value)
    messages = []
    tiled = stylize.refine(content, styles, **options, on_message=messages.append).image
    assert any("in tiles of 64 px" in message for message in messages)
    np.testing.assert_allclose(tiled, whole, atol=2e-3)


def test_a_masked_run_is_taken_up_only_with_its_masks(tiny_networks, pictures, masks):
    whole = stylize.refine(*pictures, mask=masks[0], **QUICK)
    seen = []
    stopped = stylize.refine(
        *pictures, mask=masks[0], **QUICK, on_iterate=seen.append, should_stop=lambda: len(seen) >= 5
    )
    resumed = stylize.refine(*pictures, mask=masks[0], **QUICK, resume_from=stopped.checkpoint)
    np.testing.assert_array_equal(resumed.image, whole.image)
    for mask in ((), masks[1]):
        with pytest.raises(OptionError, match="resume"):
            stylize.refine(*pictures, mask=mask, **QUICK, resume_from=stopped.checkpoint)


def test_compare_scores_within_the_masks(tiny_networks, pictures, masks):
    comparison = stylize.compare(*pictures, mask=masks[0], **QUICK)
    preview, refined = comparison.scores
    assert refined.style_loss < preview.style_loss
    assert refined.losses.total < preview.losses.total
    photo = stylize.read_image(pictures[0]).pixels
    whole, left = (stylize.compare(*pictures, mask=mask, images=[photo], **QUICK).scores[0] for mask in ((), masks[0]))
    assert left.style_loss != pytest.approx(whole.style_loss, rel=1e-2)


# ----------------------------------------------------------------------------------------------------------
# Colours


def _moments(pixels):
    flat = pixels.reshape(-1, 3).astype(float)
    return flat.mean(axis=0), np.cov(flat.T)


def test_histogram_paints_with_the_palette_of_the_photograph(tiny_networks, monkeypatch):
    """The stylizer is given the style in the photograph's colours, or within masks those of the region."""
    from stylize.networks.mini import MiniStylizer

    given = []
    stylize_ = MiniStylizer.stylize
    monkeypatch.setattr(
        MiniStylizer, "stylize", lambda self, c, s, strength: given.append(s) or stylize_(self, c, s, strength)
    )
    content, style = painting(64, 96, 0) * 0.2 + 0.4, painting(50, 50, 1)
    content[:, 48:] = content[:, 48:] * [1, 0.8, 0.6]
    masks = [left_half(64, 96), 1 - left_half(64, 96)]
    stylize.fast(content, style, size=96, keep_colors="histogram")
    stylize.fast(content, [style, style], size=96, mask=masks, keep_colors="histogram")
    (((whole, _),), ((left, _),), ((right, _),)) = given
    for colours, photo in ((whole, content), (left, content[:, :48]), (right, content[:, 48:])):
        for ours, theirs in zip(_moments(colours), _moments(photo), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-3)
        ranks = np.linspace(0.1, 0.9, 9)
        quantiles = [np.quantile(pixels.reshape(-1, 3), ranks, axis=0) for pixels in (colours, photo)]
        np.testing.assert_allclose(*quantiles, atol=0.06)  # the style's own are up to 0.4 away


def test_refine_keeps_the_palette(tiny_networks):
    content, style = painting(48, 48, 0) * [0.2, 0.3, 0.4] + [0.1, 0.3, 0.5], painting(48, 48, 1) * [0.5, 0.2, 0.1]
    far, near = (
        np.abs(_moments(stylize.refine(content, style, keep_colors=kept, **QUICK).image)[0] - _moments(content)[0])
        for kept in (False, "histogram")
    )
    assert near.max() < 0.3 * far.max()


def test_true_means_luminance(tiny_networks, pictures):
    """Provenances inside pictures say so that were made before there was a choice."""
    assert stylize.FastConfig(keep_colors=True) == stylize.FastConfig(keep_colors="luminance")
    assert stylize.RefineConfig(keep_colors=True).keep_colors == "luminance"
    with pytest.raises(OptionError, match="keep colors: expected luminance or histogram, received 'nothing'"):
        stylize.fast(*pictures, keep_colors="nothing")


# ----------------------------------------------------------------------------------------------------------
# Commands


def run(*arguments, exit_code=0):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


@pytest.mark.parametrize("command", ["fast", "refine"])
def test_rerun_repeats_a_masked_picture(tiny_networks, pictures, masks, tmp_path, command):
    photo, style = pictures
    options = ["--size", "48", *(["--steps", "6"] if command == "refine" else [])]
    out, again = tmp_path / "out.png", tmp_path / "again.png"
    inputs = ["-c", photo, "-s", style, "-s", photo, "--mask", masks[0], "--mask", masks[1]]
    run(command, *inputs, *options, "--keep-colors", "histogram", "-o", out)
    provenance = json.loads(run("info", out, "--json").stdout)
    assert [mask["path"] for mask in provenance["masks"]] == [str(mask) for mask in masks]
    run("rerun", out, "-o", again)
    np.testing.assert_array_equal(*(stylize.read_image(path).pixels for path in (out, again)))
    run("rerun", out, "-o", again, "--mask", masks[1], "--mask", masks[0], "--overwrite")
    assert np.abs(np.subtract(*(stylize.read_image(path).pixels for path in (out, again)))).mean() > 0.01
    Image.fromarray(np.full((64, 96), 255, np.uint8)).save(masks[0])
    message = run("rerun", out, "-o", again, "--overwrite", exit_code=1).stderr
    assert message == f"stylize: mask {masks[0]}: has changed since; --mask FILE takes another\n"


@pytest.mark.parametrize("command", ["fast", "refine", "compare"])
def test_commands_refuse_masks_that_do_not_fit(tiny_networks, pictures, masks, tmp_path, command):
    inputs = ["-c", pictures[0], "-s", pictures[1], "--size", "32"]
    message = run(command, *inputs, "--mask", masks[0], "--mask", masks[1], exit_code=2).stderr
    assert "mask: expected 1; received 2" in message
    message = run(command, *inputs, "-s", pictures[0], *["--mask", masks[0]] * 3, exit_code=2).stderr
    assert "mask: expected 1 or 2, one for each style; received 3" in message
    message = run(command, *inputs, "--mask", tmp_path / "absent.png", exit_code=1).stderr
    assert message == f"stylize: mask {tmp_path / 'absent.png'}: no such file\n"
    Image.new("L", (96, 64)).save(tmp_path / "black.png")
    message = run(command, *inputs, "--mask", tmp_path / "black.png", exit_code=1).stderr
    assert message.splitlines()[-1].startswith(f"stylize: mask {tmp_path / 'black.png'}: expected white where to paint")
    message = run(command, *inputs, "--mask", pictures[1], exit_code=1).stderr
    assert "expected about 96:64" in message


def test_the_report_names_the_masks(tiny_networks, pictures, masks, tmp_path):
    inputs = ["-c", pictures[0], "-s", pictures[1], "--mask", masks[0], "--size", "32", "--steps", "4"]
    run("compare", *inputs, "-o", tmp_path / "out")
    assert f"--mask {masks[0]}" in (tmp_path / "out" / "report.html").read_text()


def test_an_output_never_takes_the_place_of_a_mask(tiny_networks, pictures, masks):
    message = run(
        "fast", "-c", pictures[0], "-s", pictures[1], "--mask", masks[0], "-o", masks[0], "--overwrite", exit_code=2
    ).stderr
    assert "expected another file than the input" in message


def test_sheets_are_painted_within_a_mask(tiny_networks, pictures, masks, tmp_path):
    inputs = ["-c", pictures[0], "-s", pictures[1], "-s", pictures[0], "--size", "48"]
    run("fast", *inputs, "--mask", masks[0], "--grid", "-o", tmp_path / "grid.png")
    run(
        "fast",
        *inputs,
        "--mask",
        masks[0],
        "--mask",
        masks[1],
        "--strengths",
        "0.5,1",
        "-o",
        tmp_path / "strengths.png",
    )
    message = run("fast", *inputs, "--mask", masks[0], "--mask", masks[1], "--grid", exit_code=2).stderr
    assert "expected one mask for all" in message


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ([], False),
        (["--keep-colors"], "luminance"),
        (["--keep-colors", "luminance"], "luminance"),
        (["--keep-colors", "histogram"], "histogram"),
        (["--keep-colors", "histogram", "--no-keep-colors"], False),
        (["--no-keep-colors", "--keep-colors"], "luminance"),
    ],
)
def test_keep_colors_takes_a_word_or_none(tiny_networks, pictures, tmp_path, words, kept):
    for tail in ([*words, "--size", "16"], ["--size", "16", *words]):
        run("fast", "-c", pictures[0], "-s", pictures[1], "-o", tmp_path / "out.png", "--overwrite", *tail)
        provenance = json.loads(run("info", tmp_path / "out.png", "--json").stdout)
        assert provenance["options"]["keep_colors"] == kept


def test_a_tables_cell_keeps_colors_as_the_option_does():
    words = {"histogram": "histogram", "luminance": "luminance", "yes": "luminance", "True": "luminance", "no": False}
    assert {word: cell("keep_colors", word) for word in words} == words
    with pytest.raises(OptionError, match="keep-colors: expected luminance or histogram, received 'palette'"):
        cell("keep_colors", "palette")


def test_keep_colors_knows_its_words(pictures):
    inputs = ["-c", pictures[0], "-s", pictures[1]]
    message = run("fast", *inputs, "--keep-colors", "palette", exit_code=2).stderr
    assert "expected luminance or histogram, received 'palette'" in message
    assert "--keep-colors [luminance|histogram] / --no-keep-colors" in run("refine", "--help").stdout


# ----------------------------------------------------------------------------------------------------------
# Real weights and pictures


@pytest.mark.real
def test_each_region_is_nearer_to_its_own_style(real_networks):
    """The yardstick, on the regions cut out: a small picture each, which knows nothing of masks."""
    examples = REPOSITORY / "examples"
    content = stylize.read_image(examples / "scene_lake.jpg")
    styles = [examples / "style_swirls.jpg", examples / "style_woodcut.jpg"]
    height, width = content.pixels.shape[:2]
    masks = [left_half(height, width), 1 - left_half(height, width)]
    options = {"size": 192, "steps": 60, "features": "vgg19", "network": "magenta-int8"}
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

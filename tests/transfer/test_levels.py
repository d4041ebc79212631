"""The pictures at every level, and the targets of styles that are kept between runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import stylize
from samples import left_half, painting
from stylize.config import RefineConfig
from stylize.errors import ImageError
from stylize.images.color import with_palette_of
from stylize.images.resizing import resized, with_change_of, with_margin, without_margin
from stylize.losses.targets import TargetEncoder, Targets
from stylize.networks.backend import array_of, numpy_of
from stylize.networks.vgg import content_layers_under
from stylize.optimize.checkpoint import read_checkpoint, write_checkpoint
from stylize.optimize.pyramid import level_size
from stylize.optimize.run import LevelLoss
from stylize.transfer.inputs import Inputs
from stylize.transfer.levels import level_losses, make_objective, photo_to_paint, picture_pyramid, style_at
from stylize.transfer.session import Session
from stylize.transfer.tiling import Tiling


@pytest.mark.parametrize(("scale", "shape"), [(0.5, (32, 21)), (1.0, (64, 43)), (2.0, (128, 85)), (4.0, (150, 100))])
def test_style_scale_is_of_the_style_beside_the_output(scale: float, shape: tuple[int, int]) -> None:
    """Larger strokes are those of a larger style picture; beyond its own size it would only be blurred."""
    inputs = Inputs.read(painting(40, 64, 0), painting(150, 100, 1), (), 64, on_message=print)
    config = RefineConfig(size=64, style_scale=scale)
    (level,) = picture_pyramid(inputs, config, [level_size(inputs.size, 64)], inputs.content_pixels)
    assert level.styles[0][0].pixels.shape == (1, *shape, 3)


def faint(height: int, width: int) -> NDArray[np.float32]:
    """Return a grey wall of bricks, 8 x 16 px each, of low contrast."""
    rows, columns = np.indices((height, width))
    shifted = columns + rows // 8 % 2 * 8
    shades = np.random.default_rng(0).normal(0.5, 0.02, (height // 8 + 1, width // 16 + 2))[rows // 8, shifted // 16]
    joints = (rows % 8 == 0) | (shifted % 16 == 0)
    return np.repeat(np.where(joints, 0.44, shades)[..., None], 3, axis=2).astype(np.float32)


def page(height: int, width: int) -> NDArray[np.float32]:
    """Return lines of black words on white paper."""
    rows, columns = np.indices((height, width))
    words = (rows % 12 < 4) & (columns % 17 < 12) & (rows > height // 4) & (columns < 3 * width // 4)
    return np.repeat(np.where(words, 0.05, 0.97)[..., None], 3, axis=2).astype(np.float32)


def test_only_a_photo_of_far_more_contrast_than_its_styles_loses_contrast() -> None:
    like, wall = painting(40, 64, 1), faint(64, 96)
    for style, options in [(like, {}), (wall, {"contrast_limit": 0.0}), (wall, {"keep_colors": "histogram"})]:
        inputs = Inputs.read(painting(40, 64, 0), style, (), 64, on_message=print)
        assert photo_to_paint(inputs, RefineConfig().replace(**options)) is inputs.content_pixels
    inputs = Inputs.read(page(40, 64), wall, (), 64, on_message=print)
    assert photo_to_paint(inputs, RefineConfig(strength=0.0)) is inputs.content_pixels
    lowered = photo_to_paint(inputs, RefineConfig())
    assert 0 < lowered.std() <= 2 * wall.std()
    assert np.corrcoef(lowered.ravel(), inputs.content_pixels.ravel())[0, 1] > 0.999


def test_contrast_outside_the_masks_stays() -> None:
    inputs = Inputs.read(page(40, 64), faint(64, 96), [left_half(40, 64)], 64, on_message=print)
    lowered, photo = photo_to_paint(inputs, RefineConfig()), inputs.content_pixels
    np.testing.assert_array_equal(lowered[:, 33:], photo[:, 33:])
    assert lowered[:, :31].std() < photo[:, :31].std() / 4


def test_the_contrast_of_a_photo_is_measured_within_the_mask() -> None:
    """The page is on the right. The left half, which is painted, is as faint as the wall."""
    content = np.hstack([faint(40, 32), page(40, 32)])
    inputs = Inputs.read(content, faint(64, 96), [left_half(40, 64)], 64, on_message=print)
    assert photo_to_paint(inputs, RefineConfig()) is inputs.content_pixels


@pytest.mark.parametrize("white", [1.0, 0.3])
def test_a_recolored_content_has_the_colours_of_the_style_where_the_mask_is_not_black(white: float) -> None:
    """Also where the mask is grey: the finished picture is blended, and not what the content loss asks for."""
    mask = white * left_half(40, 64)
    inputs = Inputs.read(painting(40, 64, 0), 0.5 * painting(48, 48, 1), mask, 64, on_message=print)
    photo, style = inputs.content_pixels, inputs.styles[0][0].pixels

    def content(**options: Any) -> NDArray[np.float32]:
        return picture_pyramid(inputs, RefineConfig().replace(**options), [(40, 64)], photo)[0].content

    expected = with_palette_of(photo, [(style, 1.0)], left_half(40, 64))
    recolored = content(recolor=True)
    np.testing.assert_allclose(recolored[:, :30], expected[:, :30], atol=1e-5)
    np.testing.assert_array_equal(recolored[:, 34:], photo[:, 34:])
    for options in ({"recolor": False}, {"recolor": True, "keep_colors": "luminance"}):
        assert content(**options) is photo


def test_smoothing_falls_with_the_strength_and_fits_the_network(tiny_networks: Path) -> None:
    session, loss = Session(), RefineConfig().loss
    features = session.network("vgg19-slim", "features")
    for strength in (1.0, 0.25):
        objective = make_objective(RefineConfig(strength=strength, precision="float32"), features, session)
        encoder = session.loaded.encoder(features, loss.layers, precision="float32", padding="edge")
        assert encoder.grain != 1
        expected = loss.total_variation_weight * encoder.grain * strength
        assert objective._config.total_variation_weight == pytest.approx(expected)


def test_layers_stand_for_those_of_vgg19_where_losses_are_relative(tiny_networks: Path) -> None:
    session = Session()
    features = session.network("vgg19-slim", "features")
    layers = RefineConfig().loss.content_layers
    for normalization, expected in (("relative", content_layers_under("vgg19-slim", layers)), ("sum", layers)):
        config = RefineConfig().replace(normalization=normalization, precision="float32")
        assert make_objective(config, features, session)._config.content_layers == expected
    assert content_layers_under("vgg19-slim", layers) != layers


def _losses(inputs: Inputs, config: RefineConfig, *sides: int) -> list[LevelLoss]:
    """Return the losses of a run on square pictures, without a margin, which begin with the content."""
    session = Session()
    objective = make_objective(config, session.network(config.features, "features"), session)
    pyramid = picture_pyramid(inputs, config, [(side, side) for side in sides], photo_to_paint(inputs, config))
    tiling = Tiling.of_run(objective, inputs, session)
    loss_at = level_losses(pyramid, config, objective, tiling, session.loaded.style_targets)
    return [loss_at(index, pictures.photo, None) for index, pictures in enumerate(pyramid)]


def test_the_loss_sees_the_photo_outside_the_masks_and_moves_no_pixel_there(traced_networks: Path) -> None:
    config = RefineConfig().replace(size=48, precision="float32", padding="edge", features="vgg19-slim")
    inputs = Inputs.read(painting(48, 48, 0), painting(40, 40, 1), left_half(48, 48), 48, on_message=print)
    inside, outside = painting(48, 48, 2), painting(48, 48, 3)
    outside[:, :24] = inside[:, :24]
    (loss,) = _losses(inputs, config, 48)
    (terms, gradient), (others, _) = (loss.value_and_gradient(array_of(pixels)) for pixels in (inside, outside))
    assert terms.total == pytest.approx(others.total, rel=1e-6)
    assert np.abs(numpy_of(gradient)[:, :24]).max() > 0
    assert (numpy_of(gradient)[:, 24:] == 0).all()


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `TargetEncoder.join` is asked for: the encoder, and the arguments."""
    joined: list[Any] = []
    join = TargetEncoder.join

    def noted(self: TargetEncoder, *asked: Any, **options: Any) -> Targets:
        joined.append((self, asked))
        return join(self, *asked, **options)

    monkeypatch.setattr(TargetEncoder, "join", noted)
    return joined


def _assert_style_of(targets: Any, picture: NDArray[np.float32], encoder: TargetEncoder, regions: Any) -> None:
    (expected,) = encoder.of_regions(picture, regions)
    ours, theirs = (numpy_of(each.octave(0)["relu3_1"]) for each in (targets, expected))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_each_level_asks_for_the_style_at_its_size(traced_networks: Path, joined: list[Any]) -> None:
    config = RefineConfig().replace(size=48, precision="float32", padding="edge", features="vgg19-slim")
    inputs = Inputs.read(painting(48, 48, 0), painting(60, 60, 1), (), 48, on_message=print)
    _losses(inputs, config, 24, 48)
    for side, (encoder, (_, (((style, _),),), regions, *_)) in zip((24, 48), joined, strict=True):
        _assert_style_of(style, style_at(inputs.styles[0][0], side), encoder, regions)


def test_a_faint_style_is_blended_with_that_of_the_photo(traced_networks: Path, joined: list[Any]) -> None:
    # The content that is asked for has other colours than the photo.
    config = RefineConfig().replace(
        size=48, precision="float32", padding="edge", features="vgg19-slim", strength=0.25, recolor=True,
        contrast_limit=0.0,
    )  # fmt: skip
    inputs = Inputs.read(painting(48, 48, 0), painting(40, 40, 1), (), 48, on_message=print)
    _losses(inputs, config, 48)
    ((encoder, (_, (((style, strength), (own, rest)),), regions, *_)),) = joined
    assert (strength, rest) == (0.25, 0.75)
    _assert_style_of(style, inputs.styles[0][0].pixels[None], encoder, regions)
    _assert_style_of(own, inputs.content_pixels[None], encoder, regions)


@pytest.mark.slow
def test_a_page_of_text_gets_the_bricks_of_a_faint_wall(shipped_networks: Path) -> None:
    """Without the limit, the letters stay so dark that the bricks hardly count."""
    content, style = page(96, 128), faint(96, 128)
    options = {"size": 128, "steps": 60, "features": "vgg19-slim", "network": "mini", "precision": "float32"}
    images = [stylize.refine(content, style, **options, contrast_limit=limit).image for limit in (1.75, 0.0)]
    ours, plain = stylize.compare(content, style, images=images, features="vgg19-slim", size=128).scores
    assert ours.style_loss < plain.style_loss / 3
    # The words are still there: darker than the paper between them.
    words = content[..., 0] < 0.5
    assert ours.image[words].mean() < ours.image[~words].mean() - 0.02


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


def test_all_levels_have_one_map_of_saliency(
    traced_networks: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = np.ones((8, 8), np.float32)
    cells[2, 5] = 9  # the middle of this cell lies at 2.5 / 8 of the height and 5.5 / 8 of the width
    asked: list[tuple[int, ...]] = []
    targets: list[Targets] = []
    plain = TargetEncoder.join

    def saliency(self: TargetEncoder, content: Any) -> NDArray[np.float32]:
        asked.append(content.shape[1:3])
        return cells

    def join(self: TargetEncoder, *arguments: Any, **options: Any) -> Targets:
        targets.append(plain(self, *arguments, **options))
        return targets[-1]

    monkeypatch.setattr(TargetEncoder, "saliency", saliency)
    monkeypatch.setattr(TargetEncoder, "join", join)
    result = stylize.refine(*pictures, size=140, steps=6, coarsest_px=70, precision="float32", padding="mirror")
    margin_px = result.config.margin_px
    assert asked == [result.image.shape[:2]]
    assert len(targets) == len(result.levels) == 3
    for target, level in zip(targets, result.levels, strict=True):
        height, width = level_size(result.image.shape[:2], level.long_side_px)
        for name, stride in {"relu3_1": 4, "relu4_2": 8}.items():
            above = numpy_of(target.saliency[name])[0, ..., 0] - 1
            assert above.shape == ((height + 2 * margin_px) // stride, (width + 2 * margin_px) // stride)
            places = [(np.arange(count) + 0.5) * stride - margin_px for count in above.shape]
            middle = [(above.sum(1 - axis) * places[axis]).sum() / above.sum() for axis in (0, 1)]
            assert middle == pytest.approx([2.5 / 8 * height, 5.5 / 8 * width], abs=0.5)


@pytest.mark.slow
def test_places_count_from_512_px_and_at_the_last_level(
    traced_networks: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped: list[int] = []
    plain = Targets.without_places
    monkeypatch.setattr(Targets, "without_places", lambda self: dropped.append(0) or plain(self))
    # Not by a trial, which may choose another precision for each run.
    options: dict[str, Any] = {"steps": 6, "coarsest_px": 24, "size": 48, "precision": "float32"}
    small = stylize.refine(*pictures, **options)
    assert (len(small.levels), len(dropped)) == (3, 2)
    dropped.clear()
    large = stylize.refine(*pictures, size=880, steps=6, coarsest_px=300, ratio=1.7)
    assert ([level.long_side_px for level in large.levels], len(dropped)) == ([305, 518, 880], 1)
    dropped.clear()
    stylize.refine(*pictures, **options, style_layers=())
    stylize.refine(*pictures, **options, style_layers=(("relu1_1", 0.0),))
    assert not dropped, "places alone count at every level"
    without = stylize.refine(*pictures, **options, places_weight=0.0)
    # Two graphs may add in another order. With places, losses are larger by parts of a whole.
    np.testing.assert_allclose(
        [entry.losses.total for entry in small.history if entry.level < 3],
        [entry.losses.total for entry in without.history if entry.level < 3],
        rtol=1e-6,
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


@pytest.mark.parametrize("masked", [False, True])
def test_levels_above_the_range_compare_with_a_painting(
    traced_networks: Path, pictures: tuple[Path, Path], masks: tuple[Path, ...], tmp_path: Path, masked: bool
) -> None:
    options: dict[str, Any] = {"size": 64, "coarsest_px": 32, "steps": 9, "precision": "float32"}
    options |= {"mask": masks[0]} if masked else {}

    def at_the_start(**more: Any) -> list[float]:
        """Return the content loss with which each level begins."""
        result = stylize.refine(*pictures, **options, **more)
        return [entry.losses.content for entry in result.history if entry.step in (1, 4, 7)]

    plain, ours = at_the_start(content_range_px=(0, 65535)), at_the_start(content_range_px=(0, 45))
    assert ours[:2] == pytest.approx(plain[:2], rel=1e-6), "levels of 32 and 45 px compare with the photo"
    assert ours[2] < 1e-6 < plain[2]
    ours = at_the_start(content_range_px=(0, 20))
    assert ours[0] == pytest.approx(plain[0], rel=1e-6), "the first level may begin with noise"
    assert ours[1] < 1e-6 < ours[2], "the last level compares with the start of the level before, enlarged"
    painted = tmp_path / "painted.png"
    stylize.refine(*pictures, **options).save(painted)
    grown = stylize.refine(*pictures, **options, init=str(painted), content_range_px=(0, 20))
    assert grown.history[0].losses.content < 1e-6, "a painted picture has strokes, too"


@pytest.mark.parametrize("masked", [False, True])
def test_later_levels_compare_with_the_start_of_the_first_level_above_the_range(
    traced_networks: Path, pictures: tuple[Path, Path], masks: tuple[Path, ...], masked: bool
) -> None:
    options: dict[str, Any] = {"size": 64, "coarsest_px": 32, "steps": 9, "content_range_px": (0, 40)}
    options |= {"mask": masks[0]} if masked else {}

    def start_of(level: int, **more: Any) -> Any:
        seen: list[Any] = []
        ends = {"on_iterate": seen.append, "should_stop": lambda: bool(seen) and seen[-1].level == level}
        stopped = stylize.refine(*pictures, **options, **more, **ends)
        assert stopped.checkpoint is not None
        return stopped.checkpoint

    middle, last = start_of(2), start_of(3)
    photo = resized(stylize.read_image(pictures[0]).pixels, 43, 64)
    small, large = (resized(photo, *level_size((43, 64), px)) for px in (45, 64))
    enlarged = with_margin(with_change_of(large, small, without_margin(middle.loss_state["start"], 8)), 8)
    start = last.loss_state["start"]
    if masked:
        outside = np.all(start == with_margin(large, 8), axis=-1)
        assert 0.2 < outside.mean() < 0.8, "outside the masks stays the photo"
        np.testing.assert_allclose(start[~outside], enlarged[~outside], atol=1e-6)
    else:
        np.testing.assert_allclose(start, enlarged, atol=1e-6)
    resumed = start_of(3, resume_from=middle)
    np.testing.assert_array_equal(resumed.loss_state["start"], last.loss_state["start"])


def test_a_level_that_compares_with_its_start_goes_on_as_it_began(
    traced_networks: Path, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    options: dict[str, Any] = {"size": 64, "coarsest_px": 45, "steps": 12, "precision": "float32"}
    options["content_range_px"] = (0, 50)
    whole = stylize.refine(*pictures, **options)
    seen: list[Any] = []
    stopped = stylize.refine(*pictures, **options, on_iterate=seen.append, should_stop=lambda: len(seen) >= 9)
    assert stopped.checkpoint is not None
    write_checkpoint(tmp_path / "run.ckpt", stopped.checkpoint)
    checkpoint = read_checkpoint(tmp_path / "run.ckpt")
    resumed = stylize.refine(*pictures, **options, resume_from=checkpoint)
    np.testing.assert_array_equal(resumed.image, whole.image)
    prices = {name: each for name, each in checkpoint.loss_state.items() if name != "start"}
    for state in (prices, {**prices, "start": np.zeros((4, 4, 3), np.float32)}):
        with pytest.raises(ImageError, match=r"the checkpoint contradicts itself \(start: expected .*: start a new"):
            stylize.refine(*pictures, **options, resume_from=dataclasses.replace(checkpoint, loss_state=state))


def test_kept_targets_have_a_bound(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    networks = stylize.LoadedNetworks(style_targets_bytes=1)
    stylize.refine(*pictures, size=48, steps=6, coarsest_px=32, loaded=networks)
    assert len(networks.style_targets) == 1


def test_small_levels_before_the_last_hold_the_content_more(
    traced_networks: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"size": 64, "steps": 6, "precision": "float32"}

    def first(**more: Any) -> Any:
        return stylize.refine(*pictures, **options, **more).history[0].losses

    more, plain = first(coarsest_px=32, content_range_px=(128, 896)), first(coarsest_px=32, content_range_px=(0, 896))
    assert more.content == pytest.approx(128 / 32 * plain.content, rel=1e-5)
    assert more.style == pytest.approx(plain.style, rel=1e-5)
    assert first(coarsest_px=32, content_range_px=(32, 896)).total == pytest.approx(plain.total, rel=1e-6)
    alone, without = (first(coarsest_px="none", content_range_px=(px, 896)) for px in (128, 0))
    assert alone.total == pytest.approx(without.total, rel=1e-6)
    factors: list[float] = []
    times = Targets.with_content_times
    monkeypatch.setattr(Targets, "with_content_times", lambda self, by: factors.append(by) or times(self, by))
    stylize.refine(*pictures, **options, coarsest_px=32)
    assert factors == [512 / 32, 512 / 45], "the last of three levels, 64 px, has no factor"

"""What a refinement starts from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy
from numpy.typing import NDArray
from PIL import Image

import stylize
from bowls import CONFIG, optimize_picture
from samples import painting
from stylize.config import FastConfig, RefineConfig
from stylize.errors import StylizeError, WeightsError
from stylize.images.masks import Masks
from stylize.images.picture import Picture
from stylize.images.resizing import resized, with_change_of
from stylize.networks.local import LocalWeights
from stylize.optimize.checkpoint import Checkpoint, RunContext, read_checkpoint, write_checkpoint
from stylize.optimize.iterate import Iterate
from stylize.optimize.pyramid import pyramid_levels
from stylize.transfer.inputs import Inputs
from stylize.transfer.results import TransferResult
from stylize.transfer.session import Session
from stylize.transfer.start import (
    InitPicture,
    fingerprint,
    plan_levels,
    resumed,
    starting_point,
    with_large_shapes_of,
)

QUICK: dict[str, Any] = {"size": 48, "steps": 12}


@pytest.mark.parametrize("init", ["preview+content", "content", "noise", "content+noise", "file"])
def test_every_start(traced_networks: Path, pictures: tuple[Path, Path], init: str) -> None:
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


def _start(init: str, content: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = content.shape[:2]
    inputs = Inputs(Picture(content), (), (height, width), content, None, None)
    features = LocalWeights("vgg19-slim", Path(), (), {}, "embedded", published=True)
    levels = pyramid_levels(width, 30, RefineConfig().pyramid)
    return starting_point(
        inputs, RefineConfig(init=init), Session(), features, init=InitPicture(), levels=levels
    ).pixels  # fmt: skip


def test_noise_has_the_size_of_the_coarsest_level() -> None:
    """At the output's size it would average out to grey when it is shrunk."""
    noise = _start("noise", np.zeros((96, 128, 3), np.float32))
    assert noise.shape == (48, 64, 3)
    np.testing.assert_allclose([noise.min(), noise.mean(), noise.max()], [0, 0.5, 1], atol=0.02)


def test_noise_on_the_content_reaches_a_quarter_and_stays_in_the_range_of_colours() -> None:
    """It has the size of the coarsest level, too."""
    content = np.repeat(np.linspace(0, 1, 128, dtype=np.float32)[None, :, None], 96, 0).repeat(3, 2)
    start = _start("content+noise", content)
    assert start.shape == (48, 64, 3)
    assert start.min() == 0
    assert start.max() == 1
    assert np.abs(start - resized(content, 48, 64)).max() == pytest.approx(0.25, abs=0.01)


def test_sizes_at_which_a_panorama_is_too_narrow_are_left_out() -> None:
    def sizes(height: int, width: int, **options: Any) -> list[int]:
        content = np.zeros((height, width, 3), np.float32)
        inputs = Inputs(Picture(content), (), (height, width), content, None, None)
        levels = plan_levels(inputs, RefineConfig().replace(**options), InitPicture())
        return [level.long_side_px for level in levels]

    assert sizes(384, 512) == [64, 91, 128, 181, 256, 362, 512]
    assert sizes(51, 512) == sizes(512, 51) == [181, 256, 362, 512]
    assert sizes(8, 512) == [512], "a picture that is too narrow at every size is painted at its own"
    assert sizes(51, 512, coarsest_px=None) == [512]


def test_large_shapes_are_larger_than_16_px() -> None:
    content, preview = (np.random.default_rng(seed).random((96, 128, 3), np.float32) for seed in (0, 1))
    expected = with_change_of(content, resized(content, 6, 8), resized(preview, 6, 8))
    np.testing.assert_array_equal(with_large_shapes_of(preview, content), expected)


def test_a_run_is_known_by_all_that_makes_its_picture() -> None:
    content, style = (Picture(painting(48, 64, seed), sha256=str(seed)) for seed in (0, 1))
    features = LocalWeights("vgg19-slim", Path(), (), {"a.safetensors": "2"}, "embedded", published=True)
    masks = Masks((Picture(painting(48, 64, 2), sha256="3"),), np.ones((1, 48, 64), np.float32), (1.0,))
    inputs = Inputs(content, ((style, 1.0),), (48, 64), content.pixels, None, masks)
    levels, config = pyramid_levels(64, 30, CONFIG.pyramid), RefineConfig()
    other = dataclasses.replace(content, sha256="9")
    changed = [
        (inputs, config, features, levels),
        (dataclasses.replace(inputs, content=other), config, features, levels),
        (dataclasses.replace(inputs, styles=((other, 1.0),)), config, features, levels),
        (dataclasses.replace(inputs, styles=((style, 0.5), (style, 0.5))), config, features, levels),
        (dataclasses.replace(inputs, styles=((style, 0.4), (style, 0.6))), config, features, levels),
        (dataclasses.replace(inputs, masks=None), config, features, levels),
        (dataclasses.replace(inputs, masks=dataclasses.replace(masks, pictures=(other,))), config, features, levels),
        (inputs, config.replace(content_weight=3.0), features, levels),
        (inputs, config, dataclasses.replace(features, sha256={"a.safetensors": "9"}), levels),
        (inputs, config, features, levels[1:]),
    ]
    identities = [fingerprint(*each) for each in changed]
    assert len(set(identities)) == len(changed)
    # A longer run may resume a shorter one.
    for longer in (config.replace(steps=900), config.replace(time_budget=9.0)):
        assert fingerprint(inputs, longer, features, levels) == identities[0]


@pytest.mark.parametrize(("size", "told"), [((48, 64), False), ((49, 64), False), ((64, 64), True), ((96, 64), True)])
def test_an_init_picture_of_another_shape_is_told_of(size: tuple[int, int], told: bool) -> None:
    content, said = np.zeros((96, 128, 3), np.float32), []
    features = LocalWeights("vgg19-slim", Path(), (), {}, "embedded", published=True)
    start = starting_point(
        Inputs(Picture(content), (), (96, 128), content, None, None), RefineConfig(init="small.png"),
        Session(on_message=said.append), features,
        init=InitPicture(pixels=np.ones((*size, 3), np.float32)), levels=(),
    )  # fmt: skip
    assert start.pixels.shape == (*size, 3)
    assert [f"init: {size[1]} x {size[0]} px, not the content's shape (128 x 96 px)" in line for line in said] == [
        True
    ] * told


def test_what_a_user_should_know_of_an_init_picture_is_said(
    traced_networks: Path, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    frames, said = [Image.new("RGB", (96, 64), color) for color in ("red", "blue")], []
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    stylize.refine(*pictures, size=48, steps=1, init=str(tmp_path / "moving.gif"), on_message=said.append)
    assert "init: animated: the first of 2 frames is used" in said


def test_seed_decides_the_noise(traced_networks: Path, pictures: tuple[Path, Path]) -> None:
    one, same, other = (stylize.refine(*pictures, **QUICK, init="noise", seed=seed).image for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01


@pytest.mark.slow
def test_a_small_result_goes_on_to_a_large_one_of_its_look(
    traced_networks: Path, pictures: tuple[Path, Path], tmp_path: Path
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


def test_refine_without_any_stylizer_starts_from_the_content(
    traced_networks: Path, pictures: tuple[Path, Path]
) -> None:
    for part in traced_networks.glob("mini*"):
        part.unlink()
    messages: list[str] = []
    result = stylize.refine(*pictures, **QUICK, on_message=messages.append)
    assert np.isfinite(result.image).all()
    assert any("starting from the content" in message for message in messages)
    with pytest.raises(WeightsError):
        stylize.fast(*pictures, size=32)


IDENTITY = "0" * 64
PIXELS = np.zeros((24, 32, 3), np.float32)
INPUTS = Inputs(
    Picture(PIXELS, sha256="1" * 64), ((Picture(PIXELS, sha256="1" * 64), 1.0),), (24, 32), PIXELS, None, None
)
RUN = IDENTITY, CONFIG, INPUTS, pyramid_levels(32, CONFIG.steps, CONFIG.pyramid)
PICTURE_RECORD: dict[str, Any] = {"path": "a.png", "sha256": "1" * 64}
CONTEXT = RunContext(IDENTITY, (24, 32), {
    "command": "refine", "content": PICTURE_RECORD, "styles": [{**PICTURE_RECORD, "weight": 1.0}],
    "options": dataclasses.asdict(CONFIG), "networks": [], "precision_used": "float32",
})  # fmt: skip


@pytest.fixture(scope="module")
def interrupted() -> Checkpoint:
    """A checkpoint of a run, after 12 of its 30 steps."""
    seen: list[Iterate] = []
    checkpoint: Checkpoint = optimize_picture(
        context=CONTEXT, on_iterate=seen.append, should_stop=lambda: len(seen) >= 12
    )[2]
    return checkpoint


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"context": RunContext(IDENTITY, (24, 32), {})}, "the checkpoint of a refine, .*expected command"),
        ({"context": RunContext("1", (24, 32), CONTEXT.provenance)}, r"received different ones \(networks\): repeat"),
        ({"level": 99}, "picture of the size of its level, received 23 x 17 px at level 99 of 3"),
        ({"level": 3}, "picture of the size of its level, received 23 x 17 px at level 3 of 3"),
        ({"state": {}}, "expected the state of lbfgs, received that of no optimizer"),
        ({"state": dict.fromkeys(("x", "safe", "best", "m", "v", "scalars"))}, "received that of adam"),
    ],
)
def test_a_checkpoint_that_contradicts_the_run_is_refused(
    interrupted: Checkpoint, change: dict[str, Any], words: str
) -> None:
    assert resumed(interrupted, *RUN).precision == "float32"
    with pytest.raises(StylizeError, match=words) as caught:
        resumed(dataclasses.replace(interrupted, **change), *RUN)
    assert "\n" not in str(caught.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
ARRAYS = hypothesis_numpy.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.sampled_from([(2,), (17, 23, 3), (1, 1, 3), ()]),
    elements=st.floats(-1, 2, width=32) | st.just(np.nan),
)


# Made-up gradients may be too large for float32.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(data=st.data())
def test_any_checkpoint_is_resumed_or_refused(
    interrupted: Checkpoint, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Replace any value or array of a whole checkpoint by any other."""
    path = tmp_path_factory.getbasetemp() / "any.npz"
    write_checkpoint(path, interrupted)
    with np.load(path) as file:
        arrays = dict(file)
    name = data.draw(st.sampled_from(sorted(arrays)))
    if name == "meta":
        stored = place = json.loads(str(arrays["meta"]))
        while isinstance(place, (dict, list)) and place:
            key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if not isinstance(place[key], (dict, list)) or data.draw(st.integers(0, 3)) == 0:
                place[key] = data.draw(ANYTHING)
                break
            place = place[key]
        arrays["meta"] = np.array(json.dumps(stored))
    else:
        arrays[name] = data.draw(ARRAYS)
    np.savez(path, **arrays)  # type: ignore[arg-type]
    try:
        checkpoint = read_checkpoint(path)
        InitPicture.read(CONFIG, checkpoint)
        resumed(checkpoint, *RUN)
        pixels, history, _ = optimize_picture(resume_from=checkpoint)
    except StylizeError:
        return
    assert np.isfinite(pixels).all()
    assert [entry.step for entry in history] == list(range(1, len(history) + 1))

"""Animations: read frame by frame, and written with their times, loops and transparency."""

from __future__ import annotations

import io
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from picture_files import single_line
from samples import painting
from stylize.errors import ImageError
from stylize.images.animation import ANIMATED_SUFFIXES, Frames, encode_animation, open_animation, write_animation
from stylize.images.provenance import read_provenance

DURATIONS = (100, 250, 40, 500)
FRAMES = [painting(24, 32, seed).astype(np.float32) for seed in range(4)]
# A hole that moves.
COVERS = [np.roll(np.arange(32) >= 8, 8 * number)[None].repeat(24, 0).astype(np.float32) for number in range(4)]
# The palette of a GIF has 255 colours, which are dithered; WebP halves the resolution of colours. The frames differ by
# 0.16 or more.
TOLERANCE = {"gif": 0.06, "webp": 0.12, "png": 0.002, "apng": 0.002, "avif": 0.03}


def animation(*, transparent: bool = False, plays: int = 0, asked: list[int] | None = None) -> Frames:
    def at(index: int) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        if asked is not None:
            asked.append(index)
        return FRAMES[index], COVERS[index] if transparent else None

    return Frames((24, 32), DURATIONS, plays, transparent, at)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("suffix", ANIMATED_SUFFIXES)
def test_an_animation_comes_back(tmp_path: Path, suffix: str, transparent: bool) -> None:
    path, provenance, seen = tmp_path / f"out.{suffix}", {"command": "fast", "é": "\n"}, []
    write_animation(
        path, animation(transparent=transparent), provenance=provenance, on_frame=lambda *state: seen.append(state)
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert read_provenance(path) == provenance
    with open_animation(path) as read:
        assert (read.durations_ms, read.transparent) == (DURATIONS, transparent)
        for index in (0, 1, 2, 3, 1):
            picture = read.frame(index)
            shown = COVERS[index] > 0.5 if transparent else np.ones((24, 32), bool)
            assert (picture.alpha is not None) == transparent
            if picture.alpha is not None:
                np.testing.assert_array_equal(picture.alpha > 0.5, shown)
            assert np.abs(picture.pixels - FRAMES[index])[shown].mean() < TOLERANCE[suffix]
            assert (picture.path, picture.notes) == (str(path), ())


@pytest.mark.parametrize("plays", [0, 1, 3])
@pytest.mark.parametrize(("suffix", "other"), [*itertools.permutations(["gif", "webp", "png"], 2)])
def test_an_animation_is_shown_as_often_in_every_format(tmp_path: Path, suffix: str, other: str, plays: int) -> None:
    write_animation(tmp_path / f"in.{suffix}", animation(plays=plays), provenance={"a": 1})
    with open_animation(tmp_path / f"in.{suffix}") as read:
        assert read.plays == plays
        again = Frames((24, 32), read.durations_ms, read.plays, False, lambda index: (read.frame(index).pixels, None))
        write_animation(tmp_path / f"out.{other}", again, provenance={"a": 1})
    with open_animation(tmp_path / f"out.{other}") as read:
        assert (read.plays, read.durations_ms) == (plays, DURATIONS)


@pytest.mark.parametrize("suffix", ["png", "webp", "avif"])
def test_each_frame_is_made_once_and_in_order(suffix: str) -> None:
    asked: list[int] = []
    encode_animation(io.BytesIO(), suffix, animation(asked=asked), provenance={"a": 1})
    assert asked == [0, 1, 2, 3]


def test_what_does_not_move_in_a_gif_does_not_flicker(tmp_path: Path) -> None:
    still = [np.concatenate([FRAMES[0][:12], frame[12:]]) for frame in FRAMES]
    frames = Frames((24, 32), DURATIONS, 0, False, lambda index: (still[index], None))
    write_animation(tmp_path / "out.gif", frames, provenance={"a": 1})
    with open_animation(tmp_path / "out.gif") as read:
        first, *others = (read.frame(index).pixels for index in range(4))
    for other in others:
        np.testing.assert_array_equal(other[:12], first[:12])
        assert np.abs(other[12:] - first[12:]).mean() > 0.05


def test_the_picture_for_other_programs_is_no_frame(tmp_path: Path) -> None:
    images = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    images[0].save(
        tmp_path / "in.png", save_all=True, append_images=images[1:], default_image=True, duration=[70, 90], loop=2
    )
    with open_animation(tmp_path / "in.png") as read:
        assert (read.durations_ms, read.plays) == ((70, 90), 2)
        np.testing.assert_array_equal(read.frame(0).pixels[0, 0], [0, 1, 0])


def test_a_picture_is_an_animation_of_one_frame(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "in.jpg")
    with open_animation((tmp_path / "in.jpg").read_bytes()) as read:
        assert len(read.durations_ms) == 1
        assert read.frame(0).path is None


def test_frames_without_a_time_get_that_of_browsers(tmp_path: Path) -> None:
    images = [Image.new("RGB", (8, 8), color) for color in ("red", "lime")]
    images[0].save(tmp_path / "in.gif", save_all=True, append_images=images[1:], duration=0)
    with open_animation(tmp_path / "in.gif") as read:
        assert read.durations_ms == (100, 100)
        assert read.plays == 1


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif"])
def test_a_damaged_frame_is_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.{suffix}"
    write_animation(path, animation(), provenance={"a": 1})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(ImageError) as caught, open_animation(path, name="content"):
        pass
    assert single_line(caught).startswith(f"content {path}: expected")


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    def fails(index: int) -> Any:
        if index == 2:
            raise ImageError("content: frame 2 is damaged")
        return FRAMES[index], None

    for suffix in ANIMATED_SUFFIXES:
        with pytest.raises(ImageError, match="frame 2 is damaged"):
            write_animation(
                tmp_path / f"out.{suffix}", Frames((24, 32), DURATIONS, 0, False, fails), provenance={"a": 1}
            )
    large = Frames((8, 20_000), DURATIONS, 0, False, fails)
    with pytest.raises(ImageError, match="WEBP holds sides up to 16383 px"):
        write_animation(tmp_path / "out.webp", large, provenance={"a": 1})
    assert list(tmp_path.iterdir()) == []

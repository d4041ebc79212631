"""Animations: read frame by frame, and written with their times, loops and transparency."""

from __future__ import annotations

import io
import itertools
import os
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import putchunk

from picture_files import single_line
from samples import painting
from stylize.errors import ImageError, OptionError
from stylize.images.animation import ANIMATED_SUFFIXES, Frames, encode_animation, open_animation, write_animation
from stylize.images.metadata import Metadata
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.output import OutputConfig

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


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("suffix", ["gif", "png", "avif"])
def test_equal_frames_are_kept(tmp_path: Path, suffix: str, transparent: bool) -> None:
    cover = COVERS[0] if transparent else None
    frames = Frames((24, 32), DURATIONS, 0, transparent, lambda index: (FRAMES[index // 3], cover))
    write_animation(tmp_path / f"out.{suffix}", frames)
    with open_animation(tmp_path / f"out.{suffix}") as read:
        assert read.durations_ms == DURATIONS
        pictures = [read.frame(index).pixels for index in range(4)]
    for index in (1, 2):
        assert np.abs(pictures[index] - pictures[0]).max() < 0.05
    assert np.abs(pictures[3] - pictures[0]).mean() > 0.05


def test_a_frame_replaces_the_part_that_changes(tmp_path: Path) -> None:
    pixels = np.zeros((24, 32, 3), np.float32)
    changed = pixels.copy()
    changed[20:, 30:] = 1
    for suffix in ("gif", "png"):
        frames = Frames((24, 32), (100, 100, 100), 0, False, lambda index: ((pixels, changed, pixels)[index], None))
        write_animation(tmp_path / f"out.{suffix}", frames)
        with open_animation(tmp_path / f"out.{suffix}") as read:
            for index, expected in enumerate((pixels, changed, pixels)):
                np.testing.assert_array_equal(read.frame(index).pixels, expected)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ((33, 33, 33, 33), (30, 40, 30, 30)),
        ((16, 16, 16, 16), (20, 20, 20, 20)),  # browsers would show 10 ms for 100 ms
        ((700_000, 14, 250, 100), (655_350, 44_660, 250, 100)),  # the longest time of a frame
    ],
)
def test_a_gif_keeps_the_sum_of_times(tmp_path: Path, given: tuple[int, ...], written: tuple[int, ...]) -> None:
    frames = Frames((24, 32), given, 0, False, lambda index: (FRAMES[index], None))
    write_animation(tmp_path / "out.gif", frames)
    with open_animation(tmp_path / "out.gif") as read:
        assert read.durations_ms == written
    write_animation(tmp_path / "out.png", frames)
    with open_animation(tmp_path / "out.png") as read:
        assert read.durations_ms == given


@pytest.mark.parametrize("suffix", ANIMATED_SUFFIXES)
def test_metadata_are_kept_as_in_pictures(tmp_path: Path, suffix: str) -> None:
    metadata = Metadata(dpi=(300, 300), main={315: "Ada", 271: "Camera"}, texts={"Comment": "hello"})
    path = tmp_path / f"out.{suffix}"
    everything, nothing = OutputConfig(metadata="all"), OutputConfig(metadata="none", provenance=False)
    write_animation(path, animation(), provenance={"a": 1}, metadata=metadata, output=everything)
    assert read_provenance(path) == {"a": 1, "output": {"metadata": "all"}}
    read = read_image(path).metadata
    assert read.main == ({} if suffix == "gif" else {315: "Ada", 271: "Camera"})
    assert read.dpi == (None if suffix == "gif" else pytest.approx((300, 300), abs=0.01))
    assert "hello" in str([read.texts, read.photo])
    assert "provenance" not in str([read.texts, read.photo])
    write_animation(path, animation(), metadata=metadata, output=nothing, provenance={"a": 1}, overwrite=True)
    assert read_image(path).metadata == Metadata()
    assert read_provenance(path) is None


def test_options_that_animations_do_not_have(tmp_path: Path) -> None:
    for suffix in ("gif", "png", "apng"):
        with pytest.raises(OptionError, match=f"quality: expected an output of webp or avif .* received {suffix}"):
            write_animation(tmp_path / f"out.{suffix}", animation(), output=OutputConfig(quality=50))
    with pytest.raises(OptionError, match="bit_depth: expected 8 for an animation"):
        write_animation(tmp_path / "out.png", animation(), output=OutputConfig(bit_depth=16))
    sizes = []
    for quality in (10, 90):
        write_animation(tmp_path / f"{quality}.webp", animation(), output=OutputConfig(quality=quality))
        sizes.append((tmp_path / f"{quality}.webp").stat().st_size)
    assert sizes[0] < sizes[1]


def test_the_picture_for_other_programs_is_no_frame(tmp_path: Path) -> None:
    images = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    images[0].save(
        tmp_path / "in.png", save_all=True, append_images=images[1:], default_image=True, duration=[70, 90], loop=2
    )
    with open_animation(tmp_path / "in.png") as read:
        assert (read.durations_ms, read.plays) == ((70, 90), 2)
        np.testing.assert_array_equal(read.frame(0).pixels[0, 0], [0, 1, 0])
        np.testing.assert_array_equal(read.frame(0).pixels, read_image(tmp_path / "in.png").pixels)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_the_picture_for_other_programs_is_not_the_ground_of_the_first_frame(mode: str) -> None:
    other = Image.new("RGB", (8, 8), "red").convert(mode)
    frames = [Image.new("RGBA", (8, 8)) for _ in range(2)]
    frames[0].paste((0, 255, 0, 255), (4, 4, 8, 8))
    frames[1].paste((0, 0, 255, 255), (0, 0, 4, 4))
    images = [frame.convert(mode) for frame in frames]
    if mode == "P":
        palette = [9, 9, 9, 255, 0, 0, 0, 255, 0, 0, 0, 255]
        other, *images = (Image.new("P", (8, 8), color) for color in (1, 0, 0))
        images[0].paste(2, (4, 4, 8, 8))
        images[1].paste(3, (0, 0, 4, 4))
        for image in (other, *images):
            image.putpalette(palette)
            image.info["transparency"] = 0
    for blend in (0, 1):
        buffer = io.BytesIO()
        other.save(buffer, "PNG", save_all=True, append_images=images, default_image=True, duration=90, blend=blend)
        data = buffer.getvalue()
        cover = np.zeros((8, 8))
        cover[4:, 4:] = 1
        with open_animation(data) as read:
            for picture in (read_image(data), read.frame(0), read.frame(1), read.frame(0)):
                assert picture.alpha is not None
                np.testing.assert_array_equal(picture.alpha[4:], cover[4:] * picture.alpha[7, 7])
                assert picture.alpha[0, 7] == 0
            np.testing.assert_array_equal(read.frame(0).alpha, cover)


def test_all_frames_have_the_colours_that_the_file_states() -> None:
    images = [Image.new("RGB", (8, 8), (100, 150, 200 + number)) for number in range(3)]
    buffer = io.BytesIO()
    images[0].save(buffer, "PNG", save_all=True, append_images=images[1:], duration=50)
    parts = io.BytesIO()
    putchunk(parts, b"cICP", bytes([12, 13, 0, 1]))  # Display P3
    data = buffer.getvalue()[:33] + parts.getvalue() + buffer.getvalue()[33:]
    expected = read_image(data).pixels[0, 0]
    assert np.abs(expected - np.float32([100, 150, 200]) / 255).max() > 0.02
    with open_animation(data) as read:
        for index in (0, 1, 2, 0):
            np.testing.assert_allclose(read.frame(index).pixels[0, 0], expected, atol=0.01)


def test_a_picture_is_an_animation_of_one_frame(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "in.jpg")
    with open_animation((tmp_path / "in.jpg").read_bytes()) as read:
        assert len(read.durations_ms) == 1
        assert read.frame(0).path is None


@pytest.mark.parametrize("suffix", ANIMATED_SUFFIXES)
def test_frames_of_nearly_no_time_get_that_of_browsers(tmp_path: Path, suffix: str) -> None:
    images = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    images[0].save(tmp_path / f"in.{suffix}", save_all=True, append_images=images[1:], duration=[0, 10, 20])
    with open_animation(tmp_path / f"in.{suffix}") as read:
        assert read.durations_ms == (100, 100, 20)
        assert read.plays == (1 if suffix == "gif" else 0)


def _gif(*frames: tuple[tuple[int, int, int, int], int, int]) -> bytes:
    """A GIF of 8 x 8 px in red, lime and blue, without a transparent colour; of each frame box, colour and disposal."""
    data = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x81, 0, 0) + bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0])
    for (left, top, right, bottom), color, disposal in frames:
        buffer = io.BytesIO()
        image = Image.new("P", (right - left, bottom - top), color)
        image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0])
        image.save(buffer, "GIF", optimize=False)
        pixels = buffer.getvalue().partition(b",")[2][9:-1]
        data += b"!\xf9\x04" + struct.pack("<BHBB", disposal << 2, 10, 0, 0)
        data += b"," + struct.pack("<4HB", left, top, right - left, bottom - top, 0) + pixels
    return data + b";"


def test_a_gif_is_transparent_where_no_frame_reaches() -> None:
    data = _gif(((2, 2, 6, 6), 1, 0), ((4, 4, 8, 8), 2, 0))
    picture = read_image(_gif(((2, 2, 6, 6), 1, 0)))
    with open_animation(data) as read:
        assert read.transparent
        pictures = [picture, read_image(data), read.frame(0), read.frame(1), read.frame(0)]
    covers = [np.zeros((8, 8)) for _ in range(2)]
    covers[0][2:6, 2:6] = covers[1][2:6, 2:6] = covers[1][4:, 4:] = 1
    for each, cover in zip(pictures, (covers[0], covers[0], covers[0], covers[1], covers[0]), strict=True):
        np.testing.assert_array_equal(each.alpha, cover)
        np.testing.assert_array_equal(each.pixels[2, 2], [0, 1, 0])
    np.testing.assert_array_equal(pictures[3].pixels[4, 4], [0, 0, 1])


def test_a_first_frame_of_a_gif_that_is_cleared_leaves_nothing() -> None:
    with open_animation(_gif(((2, 2, 6, 6), 1, 2), ((4, 4, 8, 8), 2, 0))) as read:
        alpha = read.frame(1).alpha
    assert alpha is not None
    assert (alpha.sum(), alpha[4:, 4:].min()) == (16, 1)


def test_frames_of_a_gif_that_are_cleared_become_transparent() -> None:
    everywhere, left, middle = (0, 0, 8, 8), (0, 0, 4, 8), (2, 2, 6, 6)
    with open_animation(_gif((everywhere, 1, 1), (left, 2, 2), (middle, 0, 2), ((7, 7, 8, 8), 2, 1))) as read:
        alphas = [read.frame(index).alpha for index in range(4)]
        colors = read.frame(2).pixels
    assert alphas[0] is alphas[1] is None
    cover = np.ones((8, 8))
    cover[:, :4] = 0
    cover[2:6, 2:6] = 1
    np.testing.assert_array_equal(alphas[2], cover)
    np.testing.assert_array_equal(colors[4, 3:7], [[1, 0, 0]] * 3 + [[0, 1, 0]])
    cover[2:6, 2:6] = 0
    np.testing.assert_array_equal(alphas[3], cover)


def test_a_frame_of_a_gif_may_reach_beyond_the_edge_after_a_cleared_one() -> None:
    with open_animation(_gif(((0, 0, 8, 8), 1, 2), ((4, 4, 12, 12), 2, 1))) as read:
        alpha = read.frame(1).alpha
    assert alpha is not None
    assert (alpha.shape, alpha.sum(), alpha[4:, 4:].min()) == ((12, 12), 64, 1)


def test_a_gif_with_a_frame_that_reaches_everywhere_is_opaque() -> None:
    for color in (0, 1):
        assert read_image(_gif(((0, 0, 8, 8), color, 2))).alpha is None


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif"])
def test_a_damaged_frame_is_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.{suffix}"
    write_animation(path, animation(), provenance={"a": 1})
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(ImageError) as caught, open_animation(path, name="content"):
        pass
    assert re.match(rf"content {re.escape(str(path))}(, frame [2-4])?: expected", single_line(caught))


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


def test_a_comment_of_a_gif_is_written_as_utf_8() -> None:
    exif = Image.Exif()
    exif[270] = "Jürgen"
    content, stream = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, "JPEG", exif=exif.tobytes().replace(b"J?rgen\0", "Jürgen".encode()))
    metadata = read_image(content.getvalue()).metadata
    output = OutputConfig(metadata="all", provenance=False)
    encode_animation(stream, "gif", animation(), metadata=metadata, output=output)
    assert read_image(stream.getvalue()).metadata.texts == {"Comment": "Jürgen"}


def test_frames_have_the_path_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_animation("@m.gif", animation())
    expected_path = os.path.join(os.curdir, "@m.gif")
    for source, path, expected in (
        (Path("@m.gif"), None, expected_path),
        ("@m.gif", expected_path, expected_path),
        (Path("@m.gif").read_bytes(), "a.gif", "a.gif"),
    ):
        with open_animation(source, path=path) as read:
            assert read.frame(0).path == expected


def test_a_file_that_can_not_be_read_to_its_end_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_animation(tmp_path / "in.gif", animation())

    def refuse(_: object) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("stylize.images.animation.stream_sha256", refuse)
    with pytest.raises(ImageError, match="Input/output error") as caught, open_animation(tmp_path / "in.gif"):
        pass
    single_line(caught)

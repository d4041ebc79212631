"""Films: what is kept on the way, the pace, the end, and files that open, fit and are whole."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from samples import painting
from stylize.errors import ImageError, OptionError, StylizeError
from stylize.reports.film import Film
from stylize.reports.film_formats import SUFFIXES, check_film

STILLS = [suffix for suffix in SUFFIXES if suffix != ".mp4"]


def grey(level: float, height: int = 24, width: int = 36) -> NDArray[np.float32]:
    return np.full((height, width, 3), level, np.float32)


def fading(levels: Iterable[float], **options: int) -> Film:
    """A film of grey pictures, the step being the place among them."""
    film = Film(**options)
    for step, level in enumerate(levels):
        film.add(grey(level), step=step, elapsed_s=step / 10)
    return film


def shots(path: Path) -> list[tuple[NDArray[np.float32], float]]:
    """Every picture of a written film, as float [0, 255], and how long it stands, s."""
    with Image.open(path) as image:
        seen = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            seen.append((np.asarray(image.convert("RGB"), np.float32), image.info.get("duration", 0) / 1000))
    return seen


# ----------------------------------------------------------------------------------------------------------
# What is kept


def test_the_first_and_the_newest_stay_and_memory_is_bounded():
    film = fading(np.linspace(0, 1, 500), max_frames=12)
    assert len(film.frames) == 12
    assert (film.frames[0].step, film.frames[-1].step) == (0, 499)


def test_pictures_are_kept_by_change_and_not_by_step():
    # Nothing happens for 400 steps, then everything in 20.
    film = fading([0.0] * 400 + list(np.linspace(0.05, 1, 20)), max_frames=12)
    assert sum(frame.step >= 400 for frame in film.frames) >= 10
    steps = [one.change(other) for one, other in zip(film.frames, film.frames[1:], strict=False)]
    assert max(steps) < 4 * 255 / 12


@settings(max_examples=30)
@given(levels=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=60), frames=st.integers(2, 9))
def test_frames_are_a_subsequence_with_both_ends(levels, frames):
    kept = fading(levels, max_frames=frames).frames
    steps = [frame.step for frame in kept]
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (0, len(levels) - 1)
    assert len(steps) == min(len(levels), frames)
    for frame in kept:
        np.testing.assert_allclose(frame.pixels, levels[frame.step] * 255, atol=0.51)


def test_a_picture_is_copied():
    pixels = grey(0.5)
    film = Film()
    film.add(pixels)
    pixels[:] = 0
    assert film.frames[0].pixels.mean() == pytest.approx(128, abs=1)


def test_a_large_picture_is_shrunk_as_it_is_kept():
    film = Film()
    film.add(painting(1024, 2048, 0))
    assert film.frames[0].pixels.shape == (320, 640, 3)
    assert film.frames[0].size == (1024, 2048)


def test_stages_are_evenly_spaced_by_change():
    film = fading([0.0] * 30 + list(np.linspace(0, 1, 30)) + [1.0] * 3)
    stages = film.stages(5)
    assert [float(stage.pixels[0, 0, 0]) for stage in stages] == pytest.approx([0, 64, 128, 191, 255], abs=6)
    assert stages[-1].step == 62
    assert film.stages(1000) == film.frames
    assert [stage.step for stage in fading([0.5] * 4).stages(2)] == [3]


def test_a_film_has_room_for_two():
    with pytest.raises(OptionError, match="at least 2 frames, received 1"):
        Film(max_frames=1)


# ----------------------------------------------------------------------------------------------------------
# What is written


@pytest.mark.parametrize("suffix", STILLS)
def test_a_film_opens_keeps_its_pace_and_ends_with_the_result_held(suffix, tmp_path):
    levels = [0.0] * 40 + list(np.linspace(0, 1, 40))
    path = tmp_path / f"film{suffix}"
    fading(levels).write(path)
    seen = shots(path)
    assert seen[0][0].shape == (24, 36, 3)
    assert sum(held for _, held in seen) <= 12
    assert seen[0][0].mean() == pytest.approx(0, abs=5)
    assert seen[-1][0].mean() == pytest.approx(255, abs=5)
    assert seen[-1][1] >= 2
    # At an even pace: half the change in half the time of the motion.
    ends = np.cumsum([held for _, held in seen])
    middle = np.interp((ends[0] + ends[-2]) / 2, ends, [pixels.mean() for pixels, _ in seen])
    assert middle == pytest.approx(128, abs=20)


def test_mp4_opens_and_ends_with_the_result(tmp_path):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    path = tmp_path / "film.mp4"
    film = Film()
    for level in np.linspace(0, 1, 10):
        film.add(grey(level, 41, 63))  # odd, which H.264 can't have
    film.write(path)
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        assert 3 <= container.duration / 1e6 <= 12
    assert frames[0].shape == (40, 62, 3)
    assert frames[0].mean() < 5
    assert frames[-1].mean() > 250


def test_sizes_of_the_way_end_at_the_size_of_the_result(tmp_path):
    film = Film()
    for side in (16, 32, 64):
        film.add(painting(side, side * 3 // 2, 1))
    film.write(tmp_path / "film.webp")
    last = shots(tmp_path / "film.webp")[-1][0]
    assert last.shape == (64, 96, 3)
    assert np.abs(last - painting(64, 96, 1) * 255).mean() < 15  # it is lossy


@pytest.mark.parametrize("suffix", STILLS)
def test_one_picture_alone_is_a_film(suffix, tmp_path):
    fading([0.25, 0.25]).write(tmp_path / f"film{suffix}")
    (pixels, _), *more = shots(tmp_path / f"film{suffix}")
    assert not more
    assert pixels.mean() == pytest.approx(64, abs=3)


def test_what_is_transparent_is_white(tmp_path):
    alpha = np.ones((24, 36), np.float32)
    alpha[:, 18:] = 0
    fading([0, 0.5]).write(tmp_path / "film.webp", alpha=alpha)
    last = shots(tmp_path / "film.webp")[-1][0]
    assert last[:, :14].mean() == pytest.approx(128, abs=5)
    assert last[:, 22:].mean() == pytest.approx(255, abs=5)


def test_too_many_bytes_and_it_is_made_smaller(tmp_path):
    random = np.random.default_rng(0)
    film = Film()
    for _ in range(4):
        film.add(random.random((300, 450, 3), np.float32))
    film.write(tmp_path / "film.apng", max_bytes=400_000)
    assert 100_000 < (tmp_path / "film.apng").stat().st_size <= 400_000
    height, width = shots(tmp_path / "film.apng")[0][0].shape[:2]
    assert width / height == pytest.approx(1.5, abs=0.05)


# ----------------------------------------------------------------------------------------------------------
# What is refused


@pytest.mark.parametrize("name", ["film.avi", "film", "film.png", ".webp"])
def test_other_suffixes_are_refused(name, tmp_path):
    with pytest.raises(OptionError, match=r"expected a suffix out of \.webp, \.gif, \.mp4, \.apng; received"):
        check_film(tmp_path / name, overwrite=False)


def test_mp4_without_its_package_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(StylizeError, match=r'pip install "stylize-art\[film\]"'):
        check_film(tmp_path / "film.mp4", overwrite=False)


def test_what_is_there_is_kept_unless_told(tmp_path):
    path = tmp_path / "film.webp"
    path.write_bytes(b"mine")
    with pytest.raises(StylizeError, match="is there already"):
        fading([0, 1]).write(path)
    assert path.read_bytes() == b"mine"
    fading([0, 1]).write(path, overwrite=True)
    assert len(shots(path)) > 2


def test_a_missing_folder_and_an_empty_film_are_refused(tmp_path):
    with pytest.raises(StylizeError, match="expected an existing folder"):
        check_film(tmp_path / "absent" / "film.webp", overwrite=False)
    with pytest.raises(StylizeError, match="expected at least one picture, received none"):
        Film().write(tmp_path / "film.webp")


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(path, data):
        with open(path, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ImageError, match="could not be written: No space left"):
        fading([0, 1]).write(tmp_path / "film.webp")
    assert list(tmp_path.iterdir()) == []

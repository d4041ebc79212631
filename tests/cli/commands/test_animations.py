"""`stylize fast` on animations, with the shipped network."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import stylize
from samples import painting
from stylize import read_image
from stylize.cli.main import main
from stylize.images.animation import open_animation
from stylize.images.provenance import read_provenance
from stylize.networks.mini import MiniStylizer

DURATIONS = [120, 40, 300]


def run(*arguments: object, exit_code: int = 0, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(main, ["fast", "--size", "32", *map(str, arguments)], input=stdin)
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


def picture(seed: int) -> Image.Image:
    return Image.fromarray((painting(48, 64, seed) * 255).round().astype(np.uint8))


@pytest.fixture
def styles(tiny_networks: Path, tmp_path: Path) -> list[Path]:
    """Two styles."""
    paths = [tmp_path / "waves.png", tmp_path / "night.png"]
    for seed, path in enumerate(paths, start=2):
        picture(seed).save(path)
    return paths


@pytest.fixture
def moving(tmp_path: Path) -> Path:
    """A GIF of three frames, which is shown twice."""
    frames = [picture(seed) for seed in (10, 11, 12)]
    path = tmp_path / "moving.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DURATIONS, loop=1)
    return path


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif"])
def test_an_animation_is_painted_frame_by_frame(suffix: str, moving: Path, styles: list[Path], tmp_path: Path) -> None:
    output = tmp_path / f"out.{suffix}"
    shown = run("-c", moving, "-s", styles[0], "-o", output, "--json", "--progress", "json")
    data, events = json.loads(shown.stdout), [json.loads(line) for line in shown.stderr.splitlines()]
    assert (data["frames"], data["width"], data["height"]) == (3, 32, 24)
    frames = [event for event in events if event["event"] == "frame"]
    assert frames == [{"event": "frame", "done": done, "frames": 3} for done in (1, 2, 3)]
    texts = [event["text"] for event in events if event["event"] == "message"]
    assert not any("first of" in text for text in texts)
    assert any("played without end, not 2 times" in text for text in texts) == (suffix == "avif")
    assert read_provenance(output)["frames"] == 3
    with open_animation(output) as painted, open_animation(moving) as original:
        assert painted.durations_ms == tuple(DURATIONS)
        assert painted.plays == (0 if suffix == "avif" else 2)
        for index in range(3):
            alone = stylize.fast(original.frame(index), styles[0], size=32).image
            assert np.abs(painted.frame(index).pixels - alone).mean() < (0.12 if suffix == "webp" else 0.06)


def test_all_frames_have_the_styles_in_the_colours_of_the_first(
    moving: Path, styles: list[Path], tmp_path: Path
) -> None:
    encoded = []
    original = MiniStylizer.encode_style
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MiniStylizer, "encode_style", lambda self, style: encoded.append(style) or original(self, style))
        run("-c", moving, "-s", styles[0], "-o", tmp_path / "out.png", "--keep-colors", "histogram")
    assert len(encoded) == 3
    for style in encoded[1:]:
        np.testing.assert_array_equal(style, encoded[0])


def test_an_option_that_fits_no_animation_stops_no_other_file(moving: Path, styles: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    contents = [item for path in (styles[1], moving, styles[0]) for item in ("-c", path)]
    options = "-s", styles[0], "-o", tmp_path / "out", "--bit-depth", "16"
    told = run(*contents, *options, "--json", exit_code=1)
    names = [Path(each["output"]).name for each in json.loads(told.stdout)]
    assert names == ["night-waves-fast.png", "waves-waves-fast.png"]
    assert "--bit-depth: expected 8 for an animation" in told.stderr


def test_an_animation_goes_through_a_pipe(moving: Path, styles: list[Path]) -> None:
    told = run("-c", "-", "-s", styles[0], "-o", "-", stdin=moving.read_bytes())
    with open_animation(told.stdout_bytes) as painted:
        assert painted.durations_ms == tuple(DURATIONS)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_a_format_without_animations_gets_the_first_frame_and_a_note(
    suffix: str, moving: Path, styles: list[Path], tmp_path: Path
) -> None:
    told = run("-c", moving, "-s", styles[0], "-o", tmp_path / f"out.{suffix}").stderr.splitlines()
    assert told.count("content: animated: the first of 3 frames is used") == 1
    assert read_image(tmp_path / f"out.{suffix}").pixels.shape == (24, 32, 3)


def test_a_sheet_says_once_that_the_first_frame_is_used(moving: Path, styles: list[Path], tmp_path: Path) -> None:
    told = run("-c", moving, "-s", styles[0], "-s", styles[1], "--grid", "-o", tmp_path / "sheet.png").stderr
    assert told.count("content: animated: the first of 3 frames is used") == 1


def test_a_still_picture_makes_no_animation(styles: list[Path], tmp_path: Path) -> None:
    told = run("-c", styles[1], "-s", styles[0], "-o", tmp_path / "out.gif", exit_code=1).stderr
    assert told == (
        "stylize: --output: expected a suffix out of png, jpg, jpeg, webp, tif, tiff, avif, as the content is not "
        "animated; received .gif\n"
    )
    told = run("-c", styles[1], "-s", styles[0], "-o", tmp_path / "out.bmp", exit_code=2).stderr
    assert "expected a suffix out of png, jpg, jpeg, webp, tif, tiff, avif, gif, apng; received bmp" in told
    assert not (tmp_path / "out.gif").exists()


def test_an_animation_is_painted_again_by_rerun(moving: Path, styles: list[Path], tmp_path: Path) -> None:
    run("-c", moving, "-s", styles[0], "-o", tmp_path / "out.gif")
    result = CliRunner().invoke(main, ["rerun", str(tmp_path / "out.gif")])
    assert result.exit_code == 0, result.output
    with open_animation(tmp_path / "out.gif") as painted, open_animation(tmp_path / "out-rerun.gif") as again:
        assert again.durations_ms == painted.durations_ms
        np.testing.assert_array_equal(again.frame(2).pixels, painted.frame(2).pixels)


def test_a_damaged_frame_leaves_no_output(moving: Path, styles: list[Path], tmp_path: Path) -> None:
    moving.write_bytes(moving.read_bytes()[:-2000])
    told = run("-c", moving, "-s", styles[0], "-o", tmp_path / "out.gif", exit_code=1).stderr
    assert told.splitlines()[-1].startswith(f"stylize: content {moving}, frame 3: expected a whole picture")
    assert not (tmp_path / "out.gif").exists()


def test_a_failure_midway_leaves_no_output(
    moving: Path, styles: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paint, painted = MiniStylizer.stylize, []

    def interrupted(self, content, *more):
        painted.append(content)
        if len(painted) == 3:
            raise KeyboardInterrupt
        return paint(self, content, *more)

    monkeypatch.setattr(MiniStylizer, "stylize", interrupted)
    folder = tmp_path / "out"
    folder.mkdir()
    for suffix in ("gif", "png", "webp", "avif"):
        painted.clear()
        run("-c", moving, "-s", styles[0], "-o", folder / f"out.{suffix}", exit_code=130)
    assert not list(folder.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_read_once(moving: Path, styles: list[Path], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(moving.read_bytes()), daemon=True)
    writer.start()
    run("-c", pipe, "-s", styles[0], "-o", tmp_path / "out.webp")
    writer.join(timeout=10)
    with open_animation(tmp_path / "out.webp") as painted:
        assert painted.durations_ms == tuple(DURATIONS)
    assert read_provenance(tmp_path / "out.webp")["content"]["path"] == "pipe"


def test_options_of_writing(moving: Path, styles: list[Path], tmp_path: Path) -> None:
    told = run("-c", moving, "-s", styles[0], "-o", tmp_path / "out.gif", "--quality", 50, exit_code=2).stderr
    assert "--quality: expected an output of webp or avif for an animation, received gif; leave it out" in told
    for suffix in ("gif", "png"):
        arguments = "-o", tmp_path / f"out.{suffix}", "--bit-depth", 16
        told = run("-c", moving, "-s", styles[0], *arguments, exit_code=2).stderr
        assert "--bit-depth: expected 8 for an animation, received 16" in told
    run("-c", moving, "-s", styles[0], "-o", tmp_path / "out.webp", "--quality", 50, "--no-provenance")
    assert read_provenance(tmp_path / "out.webp") is None


def test_a_gif_says_that_it_holds_no_author(styles: list[Path], tmp_path: Path) -> None:
    frames, exif = [picture(seed) for seed in (10, 11)], Image.Exif()
    exif[315] = "Ada"
    frames[0].save(tmp_path / "in.webp", save_all=True, append_images=frames[1:], exif=exif)
    for suffix, says in (("gif", True), ("webp", False)):
        told = run("-c", tmp_path / "in.webp", "-s", styles[0], "-o", tmp_path / f"out.{suffix}").stderr
        assert ("GIF holds neither author nor dates" in told) == says
    assert read_image(tmp_path / "out.webp").metadata.main == {315: "Ada"}


def test_frames_are_painted_within_a_mask_and_at_any_strength(moving: Path, styles: list[Path], tmp_path: Path) -> None:
    mask = Image.new("L", (64, 48))
    mask.paste(255, (0, 0, 32, 48))
    mask.save(tmp_path / "mask.png")
    arguments = "--mask", tmp_path / "mask.png", "--strength", 0.5, "--keep-colors"
    run("-c", moving, "-s", styles[0], "-o", tmp_path / "out.png", "--size", "original", *arguments)
    with open_animation(tmp_path / "out.png") as painted, open_animation(moving) as original:
        for index in range(3):
            change = np.abs(painted.frame(index).pixels - original.frame(index).pixels)
            assert change[:, 36:].max() < 0.003
            assert change[:, :28].mean() > 0.01

"""`stylize fast`: options and names of files."""

from __future__ import annotations

import dataclasses
import shutil

import pytest
from PIL import ExifTags, Image

from api_stand_in import run
from stylize.cli.commands import checks
from stylize.config import FastConfig
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image


def test_fast_writes_beside_the_content_and_prints_only_the_path(inputs, pictures, fake):
    result = run("fast", *inputs)
    output = pictures[0].with_name("photo-painting-fast.png")
    assert result.stdout == f"{output}\n"
    assert result.stderr == "using mini\n"
    provenance = read_provenance(output)
    assert provenance["command"] == "fast"
    assert provenance["options"] == dataclasses.asdict(FastConfig())


def test_fast_hands_on_its_options(inputs, pictures, fake, tmp_path):
    options = ["--network", "mini", "--size", "99", "--strength", ".5", "--keep-colors", "--offline"]
    run("fast", *inputs, *options, "-o", tmp_path / "out.jpg")
    config = FastConfig(network="mini", size=99, strength=0.5, keep_colors=True)
    assert fake.calls == [("fast", pictures[0], ((pictures[1], 1.0),), config, True)]


def test_several_styles_are_named_and_weighted(inputs, pictures, fake, tmp_path):
    other = tmp_path / "sea: at noon.png"
    shutil.copy(pictures[1], other)
    numbered = tmp_path / "plate:7"
    shutil.copy(pictures[1], numbered)
    run("fast", *inputs, "-s", f"{other}:.25", "-s", numbered, "-s", f"{numbered}:3")
    assert fake.calls[0][2] == ((pictures[1], 1.0), (other, 0.25), (numbered, 1.0), (numbered, 3.0))
    assert (tmp_path / "photo-painting+sea: at noon+plate:7+plate:7-fast.png").exists()


def test_a_relative_size_goes_through_the_command_line(shipped_networks, inputs, pictures, tmp_path):
    big = tmp_path / "big.png"
    Image.new("RGB", (40000, 1)).save(big)
    run("fast", *inputs, "-s", pictures[1], "--size", "original", "--network", "mini", "-o", tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as painted:
        assert painted.size == (96, 64)
    run("fast", *inputs, "--size", "50%", "--network", "mini", "--grid", "-o", tmp_path / "grid.png")
    both = "-c", big, "-c", pictures[0], "-s", pictures[1], "--size", "200%", "--network", "mini"
    (tmp_path / "folder").mkdir()
    result = run("fast", *both, "-o", tmp_path / "folder", exit_code=1)
    assert "--size: expected a long side of up to 65535 px, received 200% of 40000 px, 80000 px" in result.stderr
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["photo-painting-fast.png"]


def test_what_is_kept_and_how_exactly_is_an_option(inputs, pictures, fake, tmp_path):
    run("fast", *inputs, "--bit-depth", "16", "--no-provenance", "-o", tmp_path / "out.tif")
    with Image.open(tmp_path / "out.tif") as written:
        assert written.tag_v2[258] == (16, 16, 16)
    assert read_provenance(tmp_path / "out.tif") is None
    run("fast", *inputs, "--quality", "20", "--keep-metadata", "none", "-o", tmp_path / "out.jpg")
    assert read_provenance(tmp_path / "out.jpg")["command"] == "fast"
    before = sorted(tmp_path.iterdir())
    message = run("fast", *inputs, "--quality", "20", exit_code=2).stderr
    assert "Error: --quality: expected an output of jpg, webp or avif, received png" in message
    message = run("refine", *inputs, "--bit-depth", "16", "-o", tmp_path / "new.webp", exit_code=2).stderr
    assert "Error: --bit-depth: expected an output of png or tif for 16 bits, received webp" in message
    assert "--quality" in run("fast", *inputs, "--quality", "20", "-o", "-", exit_code=2).stderr
    assert "--bit-depth: expected 8 or 16" in run("fast", *inputs, "--bit-depth", "12", exit_code=2).stderr
    assert sorted(tmp_path.iterdir()) == before


def test_the_author_of_the_photograph_stays(shipped_networks, inputs, pictures, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist], exif[ExifTags.Base.Make] = "Ann Author", "Camera Inc."
    with Image.open(pictures[0]) as content:
        content.save(tmp_path / "photo.jpg", exif=exif, dpi=(240, 240))
    options = "-c", tmp_path / "photo.jpg", "-s", pictures[1], "--size", "32", "--network", "mini"
    for which, kept in (("safe", {ExifTags.Base.Artist}), ("all", {*exif}), ("none", set())):
        run("fast", *options, "--keep-metadata", which, "-o", tmp_path / f"{which}.jpg")
        with Image.open(tmp_path / f"{which}.jpg") as written:
            assert {*exif} & {*written.getexif()} == kept
        dpi = read_image(tmp_path / f"{which}.jpg").metadata.dpi
        assert dpi == (None if which == "none" else (240, 240))


@pytest.mark.parametrize("names", [("Lake.png", "lake.jpg"), ("caf\u00e9.png", "cafe\u0301.jpg")])
def test_outputs_that_a_disk_takes_for_one_are_refused(names, pictures, fake, tmp_path, monkeypatch):
    contents = [shutil.copy(pictures[0], tmp_path / name) for name in names]
    monkeypatch.setattr(checks, "_IGNORES_CASE", True)
    message = run("fast", "-c", *contents, "-s", pictures[1], "--overwrite", exit_code=2).stderr
    assert "two contents have this name" in message
    assert fake.calls == []

"""`stylize fast`: options and names of files."""

from __future__ import annotations

import dataclasses
import shutil

from PIL import Image

from api_stand_in import run
from stylize.config import FastConfig
from stylize.images.provenance import read_provenance


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

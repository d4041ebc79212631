"""`stylize fast`: options and names of files."""

from __future__ import annotations

import dataclasses
import shutil

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

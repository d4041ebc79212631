"""`stylize rerun`: the recorded inputs, options and networks."""

from __future__ import annotations

import dataclasses
import json
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from api_stand_in import CHECKPOINT, one_line, run
from stylize import __version__
from stylize.images.provenance import read_provenance
from stylize.transfer.results import NetworkUse


@pytest.mark.parametrize("command", ["fast", "refine"])
def test_rerun_asks_for_the_same_with_the_networks_pinned(command, inputs, fake, tmp_path):
    preset = ["--preset", "ml-art-combine"] if command == "refine" else ["--strength", ".5"]
    run(command, *inputs, *preset, "-o", tmp_path / "out.webp")
    result = run("rerun", tmp_path / "out.webp")
    assert result.stdout == f"{tmp_path / 'out-rerun.webp'}\n"
    first, second = fake.calls
    pinned = {"network": "mini"}
    if command == "refine":
        pinned |= {"features": "vgg19-slim", "precision": "float32"}
    assert second[:3] == (command, first[1], [*first[2]])
    assert second[3] == dataclasses.replace(first[3], **pinned)


@pytest.mark.parametrize("native", [True, False])
def test_rerun_repeats_bfloat16_where_the_machine_has_it(native, inputs, fake, tmp_path, monkeypatch):
    fake.precision = "bfloat16"
    run("refine", *inputs, "-o", tmp_path / "out.png")
    monkeypatch.setattr("stylize.cli.commands.rerun.has_native_bfloat16", lambda: native)
    told = run("rerun", tmp_path / "out.png").stderr
    assert fake.calls[1][3].precision == ("bfloat16" if native else "auto")
    assert ("made in bfloat16, which this machine does not have: the picture may differ" in told) is not native


def test_an_interrupted_rerun_is_resumed_by_rerun(inputs, fake, tmp_path):
    run("refine", *inputs, "-o", tmp_path / "out.png")
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    run("rerun", tmp_path / "out.png", exit_code=130)
    assert (tmp_path / "out-rerun.png").exists()
    fake.on_step = lambda step: None
    run("rerun", tmp_path / "out.png", "--resume")
    assert fake.resumed_from.context == CHECKPOINT.context


def test_rerun_finds_inputs_beside_the_picture(inputs, fake, pictures, tmp_path, monkeypatch):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    moved = tmp_path / "moved"
    moved.mkdir()
    for path in (*pictures, tmp_path / "out.png"):
        path.rename(moved / path.name)
    monkeypatch.chdir(tmp_path)
    run("rerun", moved / "out.png", "-o", "again.png")
    assert fake.calls[1][1] == moved / "photo.png"


def test_rerun_finds_inputs_where_all_folders_were_moved(fake, pictures, tmp_path, monkeypatch):
    for folder, path in (("photos", pictures[0]), ("styles", pictures[1])):
        (tmp_path / "project" / folder).mkdir(parents=True)
        path.rename(tmp_path / "project" / folder / path.name)
    (tmp_path / "project" / "out").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    style = "styles/painting.png"
    run("refine", "-c", "photos/photo.png", "-s", style, "--init", style, "-o", "out/a.png")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "project").rename(tmp_path / "moved")
    run("rerun", "moved/out/a.png", "--no-provenance")
    _, content, styles, config, _ = fake.calls[1]
    assert content.samefile("moved/photos/photo.png")
    assert styles[0][0].samefile("moved/styles/painting.png")
    assert Path(config.init).samefile("moved/styles/painting.png")
    assert read_provenance("moved/out/a-rerun.png") is None


def test_rerun_reads_the_absolute_paths_of_earlier_versions(inputs, fake, pictures, tmp_path):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    provenance = read_provenance(tmp_path / "out.png")
    provenance["content"]["path"] = str(pictures[0])
    exif = Image.Exif()
    exif[270] = "stylize recipe: " + json.dumps(provenance)
    (tmp_path / "elsewhere").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "elsewhere" / "old.png", exif=exif)
    run("rerun", tmp_path / "elsewhere" / "old.png", "-s", pictures[1])
    assert fake.calls[1][1] == pictures[0]


@pytest.mark.parametrize("which", [0, 1])
def test_rerun_refuses_inputs_that_are_gone_or_changed_unless_told_to_take_others(
    which, inputs, fake, pictures, tmp_path
):
    run("refine", *inputs, "-o", tmp_path / "out.png", "--init", pictures[which])
    name = ("content", "style")[which]
    changed = tmp_path / "changed.png"
    Image.open(pictures[which]).rotate(180).save(changed)
    changed.replace(pictures[which])
    message = one_line(run("rerun", tmp_path / "out.png", exit_code=1).stderr)
    assert message == f"stylize: {name} {pictures[which]}: has changed since; --{name} FILE takes another"
    run("rerun", tmp_path / "out.png", f"--{name}", pictures[which])
    pictures[which].rename(tmp_path / "renamed.png")
    message = one_line(run("rerun", tmp_path / "out.png", "-o", tmp_path / "b.png", exit_code=1).stderr)
    assert "no such file, nor beside" in message


def test_rerun_says_what_is_not_as_it_was(inputs, fake, tmp_path, monkeypatch):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    monkeypatch.setattr("stylize.cli.commands.rerun.__version__", "9.9")
    fake.stylizer = NetworkUse("mini", "embedded", {"mini.tflite": "8" * 64})
    told = run("rerun", tmp_path / "out.png").stderr.splitlines()
    assert told == [
        f"made by stylize {__version__}, this is 9.9: the picture may differ",
        "using mini",
        "mini is not the network that was recorded: the picture may differ",
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"command": "compare"}, "expected the provenance of fast or refine, received that of compare"),
        ({"options": {"size": 0}}, "its provenance is damaged or of another version"),
        ({"options": {"brush": 3}}, "its provenance is damaged or of another version"),
        ({"networks": None}, "its provenance is damaged or of another version"),
        ({"content": {}}, "its provenance is damaged or of another version"),
        (
            {"content": {"path": None, "sha256": None}},
            "its content was no file; --content FILE takes another",
        ),
    ],
)
def test_rerun_refuses_provenance_that_it_can_not_follow(change, message, inputs, fake, tmp_path):
    run("fast", *inputs, "-o", tmp_path / "out.png")
    from stylize.images.writing import write_image

    provenance = read_provenance(tmp_path / "out.png") | change
    write_image(tmp_path / "other.png", np.zeros((2, 2, 3), np.float32), provenance=provenance)
    assert message in one_line(run("rerun", tmp_path / "other.png", exit_code=1).stderr)
    assert len(fake.calls) == 1

"""`stylize compare`: the folder, the report's commands, scores of finished pictures."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from api_stand_in import one_line, report_commands, run
from stylize.config import FastConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.images.provenance import read_provenance


def test_compare_writes_five_files(inputs, fake, pictures, tmp_path):
    result = run("compare", *inputs, "--size", "64", "--network", "mini", "--keep-colors")
    folder = tmp_path / "photo-painting-compare"
    assert result.stdout == f"{folder}\n"
    assert "style loss" in result.stderr
    assert sorted(path.name for path in folder.iterdir()) == [
        "fast.png",
        "metrics.json",
        "refined.png",
        "report.html",
        "sheet.png",
    ]
    assert f"open the report: {folder / 'report.html'}\n" in result.stderr
    assert read_provenance(folder / "fast.png")["command"] == "fast"
    assert read_provenance(folder / "refined.png")["command"] == "refine"
    assert read_provenance(folder / "sheet.png")["pictures"]["refined.png"]["command"] == "refine"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert [picture["label"] for picture in metrics["pictures"]] == ["fast", "refined"]
    assert metrics["pictures"][0]["style_loss"] is None  # what is no number is null: NaN is not JSON
    (config,) = fake.calls[0][4:]
    assert config == RefineConfig(network="mini", size=64, keep_colors=True)
    assert config.preview == FastConfig(network="mini", size=64, keep_colors=True)


@pytest.mark.parametrize("name", ["fast.png", "refined.png", "sheet.png", "metrics.json", "report.html"])
def test_compare_refuses_each_existing_file_before_any_work(name, inputs, fake, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_bytes(b"mine")
    message = one_line(run("compare", *inputs, "-o", tmp_path / "out", exit_code=1).stderr)
    assert message.startswith(f"stylize: output {tmp_path / 'out' / name}: is there already")
    assert fake.calls == []
    run("compare", *inputs, "-o", tmp_path / "out", "--overwrite")
    assert (tmp_path / "out" / name).read_bytes() != b"mine"


def test_the_report_names_the_command_that_makes_it_again(inputs, fake, tmp_path):
    folder = tmp_path / "it's <b>"
    run("compare", *inputs, "-s", f"{inputs[1]}:2", "--size", "64", "--preset", "gatys", "-o", folder)
    command, rerun = report_commands(folder / "report.html")
    assert command[:2] == ["stylize", "compare"]
    assert rerun == ["stylize", "rerun", str(folder / "refined.png")]
    run(*command[1:], "-o", tmp_path / "again")
    assert fake.calls[1][1:4] == fake.calls[0][1:4]
    # By name, as `auto` may stand for other networks elsewhere.
    assert fake.calls[1][4] == fake.calls[0][4].replace(features="vgg19-slim", network="mini")
    assert report_commands(tmp_path / "again" / "report.html")[0] == command


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_what_is_written_is_an_option_of_compare_too(inputs, fake, pictures, tmp_path):
    folder = tmp_path / "out"
    run("compare", *inputs, "-o", folder, "--bit-depth", "16", "--no-provenance")
    assert (folder / "refined.png").read_bytes()[24] == 16
    assert [read_provenance(folder / f"{name}.png") for name in ("fast", "refined", "sheet")] == [None] * 3
    (command,) = report_commands(folder / "report.html")
    assert command[-3:] == ["--bit-depth", "16", "--no-provenance"]
    message = run("compare", *inputs, "--image", pictures[0], "--bit-depth", "16", exit_code=2).stderr
    assert "--image: paints nothing, expected no option of painting; received --bit-depth" in message


def test_a_name_that_is_no_text_costs_no_report(inputs, fake, pictures, tmp_path):
    name = pictures[0].with_name(os.fsdecode(b"ph\xffoto.png"))
    shutil.copy(pictures[0], name)
    run("compare", "-c", name, *inputs[2:], "-o", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["content"] == str(name)
    assert "ph\\udcffoto.png" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_the_report_of_finished_pictures_names_its_command_alone(inputs, fake, pictures, tmp_path):
    run("compare", *inputs, "--image", pictures[0], "--size", "64", "-o", tmp_path / "out")
    ((*command,),) = report_commands(tmp_path / "out" / "report.html")
    assert command[1:] == [
        "compare", *map(str, inputs), "--image", str(pictures[0]), "--features", "vgg19-slim", "--size", "64",
    ]  # fmt: skip


def test_compare_refuses_a_file_as_folder(inputs, fake, pictures):
    assert "expected a folder" in one_line(run("compare", *inputs, "-o", pictures[0], exit_code=1).stderr)


def test_compare_leaves_nothing_when_it_fails(inputs, monkeypatch, tmp_path):
    def failing(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("stylize.api.compare", failing)
    before = sorted(tmp_path.iterdir())
    assert one_line(run("compare", *inputs, exit_code=130).stderr) == "stylize: interrupted"
    assert sorted(tmp_path.iterdir()) == before


def test_a_refinement_that_the_folder_does_not_take_is_kept_beside_it(inputs, fake, tmp_path, monkeypatch):
    folder = tmp_path / "out"
    compare = fake.compare

    def meanwhile(*arguments, **options):
        folder.mkdir()
        for name in ("fast.png", "refined.png"):
            (folder / name).write_bytes(b"mine")
        return compare(*arguments, **options)

    monkeypatch.setattr("stylize.api.compare", meanwhile)
    message = run("compare", *inputs, "-o", folder, exit_code=1).stderr.splitlines()[-1]
    assert "refined.png: is there already" in message
    kept = Path(message.partition("; the picture is kept as ")[2])
    assert kept.parent == folder
    assert read_provenance(kept)["command"] == "refine"


def test_a_sheet_that_cannot_be_written_does_not_hide_the_pictures(inputs, fake, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise StylizeError("no space left")

    monkeypatch.setattr("stylize.images.writing.write_image", full)
    folder = tmp_path / "out"
    message = run("compare", *inputs, "-o", folder, exit_code=1).stderr.splitlines()[-1]
    assert message == f"stylize: no space left; the picture is there: {folder / 'refined.png'}"
    assert read_provenance(folder / "refined.png")["command"] == "refine"


def test_finished_pictures_take_no_preset(inputs, fake, pictures):
    for options in (["--preset", "gatys"], ["-p", "default"]):
        message = run("compare", *inputs, "--image", pictures[0], *options, exit_code=2).stderr
        assert "--image: paints nothing, expected no option of painting; received --preset" in message
    assert fake.calls == []


@pytest.mark.parametrize("command", ["compare", "demo"])
def test_a_folder_is_no_pipe(command, inputs, fake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = inputs if command == "compare" else []
    message = one_line(run(command, *arguments, "-o", "-", exit_code=2).stderr.splitlines()[-1] + "\n")
    assert message.endswith("-: only fast reads and writes pipes; expected a folder")
    assert not (tmp_path / "-").exists()


def test_finished_pictures_are_scored(inputs, fake, pictures, tmp_path):
    scored = ["--image", pictures[0], "--image", pictures[1]]
    before = sorted(tmp_path.iterdir())
    result = run("compare", *inputs, *scored)
    assert [line.split()[0] for line in result.stdout.splitlines() if "png" in line] == [
        "photo.png",
        "painting.png",
    ]
    assert sorted(tmp_path.iterdir()) == before
    data = json.loads(run("compare", *inputs, *scored, "--json").stdout)
    assert [picture["label"] for picture in data["pictures"]] == ["photo.png", "painting.png"]
    run("compare", *inputs, *scored, "-o", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "metrics.json", "report.html", "sheet.png",
    ]  # fmt: skip

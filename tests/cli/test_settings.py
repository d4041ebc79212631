"""Defaults of the user: the file, the variables, and what comes first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from api_stand_in import one_line, run
from stylize.cli.main import main
from stylize.cli.settings import options_by_command, variables
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.presets import PRESETS


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The path of the config file, which does not exist yet."""
    path = tmp_path / "settings" / "config.toml"
    path.parent.mkdir()
    monkeypatch.setenv("STYLIZE_CONFIG", str(path))
    return path


def test_an_option_comes_before_a_variable_before_the_file_before_the_preset(file, fake, inputs, monkeypatch, tmp_path):
    def steps(*arguments):
        run("refine", *inputs, "--preset", "gatys", "--overwrite", "-o", tmp_path / "out.png", *arguments)
        return fake.calls[-1][3].steps

    assert steps() == PRESETS["gatys"].config.steps
    file.write_text("steps = 20")
    assert steps() == 20
    file.write_text("steps = 20\n[refine]\nsteps = 21\n[compare]\nsteps = 3")
    assert steps() == 21
    monkeypatch.setenv("STYLIZE_STEPS", "30")
    assert steps() == 30
    monkeypatch.setenv("STYLIZE_REFINE_STEPS", "31")
    assert steps() == 31
    assert steps("--steps", "40") == 40
    monkeypatch.setenv("STYLIZE_REFINE_STEPS", "")
    assert steps() == 30


VALUES = {
    'size = "50%"': ("size", "50%"),
    "keep-colors = true": ("keep_colors", "luminance"),
    "keep-colors = false": ("keep_colors", False),
    'keep_colors = "histogram"': ("keep_colors", "histogram"),
    "recolor = true": ("recolor", True),
    "tv-weight = 3": ("total_variation_weight", 3.0),
    'preset = "bold"': ("content_weight", 0.32),
    'content-layer = ["relu3_1:0.2", "conv4_2:0.8"]': ("content_layers", (("relu3_1", 0.2), ("relu4_2", 0.8))),
    'style-layer = "relu1_1:1"': ("style_layers", (("relu1_1", 1.0),)),
}


@pytest.mark.parametrize(("text", "expected"), VALUES.items(), ids=VALUES)
def test_values_of_the_file(text, expected, file, fake, inputs):
    file.write_text(text)
    run("refine", *inputs)
    config = fake.calls[0][3]
    assert getattr(config, expected[0], getattr(config.loss, expected[0], None)) == expected[1]


def test_a_file_in_both_ways_of_lines_and_with_a_mark_is_read(file, fake, inputs):
    file.write_bytes(b'\xef\xbb\xbfsize = 99\r\n[fast]\r\nnetwork = "mini"\r\n')
    run("fast", *inputs)
    assert (fake.calls[0][3].size, fake.calls[0][3].network) == (99, "mini")


def test_variables_set_flags_and_lists(fake, inputs, monkeypatch):
    monkeypatch.setenv("STYLIZE_JSON", "yes")
    monkeypatch.setenv("STYLIZE_STYLE_LAYER", "relu1_1:1 relu2_1:2")
    monkeypatch.setenv("STYLIZE_KEEP_COLORS", "no")
    assert json.loads(run("refine", *inputs).stdout)["command"] == "refine"
    assert fake.calls[0][3].loss.style_layers == (("relu1_1", 1.0), ("relu2_1", 2.0))
    assert fake.calls[0][3].keep_colors is False


@pytest.mark.parametrize(
    ("file_says", "variable", "offline"),
    [
        ("true", "", True),
        ("true", "0", False),
        ("true", "off", False),
        ("false", "anything", True),
        ("false", "", False),
    ],
)
def test_offline_means_what_it_meant(file_says, variable, offline, file, fake, inputs, monkeypatch):
    file.write_text(f"offline = {file_says}")
    monkeypatch.setenv("STYLIZE_OFFLINE", variable)
    run("fast", *inputs)
    assert fake.calls[0][4] is offline


BAD_FILES = {
    'size = "big"': "size: expected a long side of 1 to 65535 px, original, or percent such as 200%; received 'big'",
    "[fast]\nsize = 0": "[fast] size: expected a long side",
    "size = true": "size: expected a long side",
    "sizes = 3": "sizes: expected the name of an option of stylize, received sizes; perhaps size",
    "[fast]\nsteps = 3": "[fast] steps: expected the name of an option of stylize fast, received steps",
    "[paint]\nsteps = 3": "[paint] steps: expected a command out of fast, refine,",
    'output = "x.png"': "output: has no default, because output names a file of one run",
    "overwrite = true": "overwrite: has no default, because overwrite is asked for each time",
    "size = [1, 2]": "size: expected one value, received a list of 2",
    "size = 1979-05-27": "size: expected text, a number, true or false; received",
    "tv-weight = 1\ntv_weight = 2": "tv-weight: expected once, received twice",
    "strength = nan": "strength: expected 0 to 1, received nan",
    'network = "vgg19"': "network: 'vgg19' is not one of",
    "size = ": "expected TOML such as `size = 1024`, received: ",
    "size = 1\nsize = 2": "expected TOML such as `size = 1024`, received: ",
}


@pytest.mark.parametrize(("text", "message"), BAD_FILES.items(), ids=BAD_FILES)
def test_a_wrong_file_is_one_line_that_names_it(text, message, file, fake, inputs):
    file.write_text(text)
    assert one_line(run("fast", *inputs, exit_code=1).stderr).startswith(f"stylize: {file}: {message}")
    assert fake.calls == []


def test_bytes_that_are_no_text_and_folders_are_no_config_file(file, fake, inputs):
    file.write_bytes(b"size = \xff")
    assert f"{file}: expected TOML" in one_line(run("fast", *inputs, exit_code=1).stderr)
    file.unlink()
    file.mkdir()
    assert f"{file}: could not be read: " in one_line(run("fast", *inputs, exit_code=1).stderr)


BAD_VARIABLES = {
    "STYLIZE_SIZE=big": "STYLIZE_SIZE: expected a long side of 1 to 65535 px",
    "STYLIZE_FAST_SIZE=0": "STYLIZE_FAST_SIZE: expected a long side",
    "STYLIZE_SIZ=3": "STYLIZE_SIZ: expected the variable of an option, such as STYLIZE_SIZE; perhaps STYLIZE_SIZE",
    "STYLIZE_FAST_STEPS=3": "STYLIZE_FAST_STEPS: expected the variable of an option",
    "STYLIZE_OUTPUT=x": "STYLIZE_OUTPUT: has no default, because output names a file of one run",
    "STYLIZE_QUIET=maybe": "STYLIZE_QUIET: 'maybe' is not a valid boolean",
}


@pytest.mark.parametrize(("assignment", "message"), BAD_VARIABLES.items(), ids=BAD_VARIABLES)
def test_a_wrong_variable_is_one_line_that_names_it(assignment, message, fake, inputs, monkeypatch):
    monkeypatch.setenv(*assignment.split("="))
    assert one_line(run("fast", *inputs, exit_code=1).stderr).startswith(f"stylize: {message}")
    assert fake.calls == []


def test_help_and_version_work_with_a_wrong_file(file):
    file.write_text("nonsense")
    assert "--size" in run("fast", "--help").stdout
    run("--version")


def test_defaults_of_refine_do_not_disturb_fast(file, inputs, tmp_path, tiny_networks):
    file.write_text('steps = 3\npreset = "bold"\nsize = 24\nnetwork = "mini"\naddress = "auto"\nquality = 80')
    run("batch", *inputs, "-o", tmp_path / "painted", "--workers", 1)
    with pytest.raises(AssertionError, match="--preset: an option of --mode refine"):
        run("batch", *inputs, "-o", tmp_path / "painted", "--preset", "bold")
    picture = tmp_path / "painted" / "photo-painting-fast.png"
    assert read_image(picture).pixels.shape == (16, 24, 3)
    assert read_provenance(picture)["sources"] == {"size": "config file", "network": "config file"}


def test_a_table_of_a_batch_comes_before_the_file(file, inputs, tmp_path, tiny_networks):
    file.write_text('size = 24\nnetwork = "mini"\n[batch]\nworkers = 1')
    (tmp_path / "jobs.csv").write_text(f"content,size\n{inputs[1]},16\n")
    run("batch", "--manifest", tmp_path / "jobs.csv", *inputs[2:], "-o", tmp_path / "painted")
    sources = read_provenance(tmp_path / "painted" / "photo-painting-fast.png")["sources"]
    assert sources == {"size": "table", "network": "config file"}


def test_formats_without_the_quality_or_depth_of_a_default_are_written(file, inputs, tmp_path, tiny_networks):
    file.write_text('quality = 20\nbit-depth = 16\nsize = 32\nnetwork = "mini"')
    for name in ("a.png", "a.jpg", "a.webp"):
        run("fast", *inputs, "-o", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes()[24] == 16  # bits of a sample
    run("fast", *inputs, "-o", tmp_path / "b.jpg", "--quality", 95, "--bit-depth", 8)
    assert (tmp_path / "a.jpg").stat().st_size < (tmp_path / "b.jpg").stat().st_size
    refused = run("fast", *inputs, "-o", tmp_path / "b.png", "--quality", 95, exit_code=2)
    assert "--quality: expected an output of jpg" in refused.stderr


def test_sheets_keep_their_size_and_comparisons_of_finished_pictures_their_options(file, fake, inputs, tmp_path):
    file.write_text("size = 1024\nsteps = 3\nstrength = 0.5")
    run("fast", *inputs, "--strengths", "0.5,1")
    assert {call[3].size for call in fake.calls} == {256}
    run("compare", *inputs, "--image", inputs[1])
    assert fake.calls[-1][4].size == 1024


@pytest.mark.slow
def test_provenance_tells_where_each_option_comes_from(file, inputs, tmp_path, traced_networks, monkeypatch):
    file.write_text('size = 32\nnetwork = "mini"\nfeatures = "vgg19-slim"\nkeep-colors = true')
    monkeypatch.setenv("STYLIZE_STEPS", "2")
    picture = tmp_path / "out.png"
    run("refine", *inputs, "-o", picture, "--preset", "faithful", "--tv-weight", "3", "--seed", "0")
    sources = read_provenance(picture)["sources"]
    assert sources == {
        "size": "config file", "network": "config file", "features": "config file", "keep_colors": "config file",
        "steps": "STYLIZE_STEPS", "preset": "command line", "total_variation_weight": "command line",
        "seed": "command line", "content_weight": "preset faithful", "places_weight": "preset faithful",
    }  # fmt: skip
    assert "sources.steps                   STYLIZE_STEPS\n" in run("info", picture).stdout
    # Whatever the defaults say then, the picture is repeated.
    of_files = "bit-depth = 16\nquality = 3\nprovenance = false"
    file.write_text(f'size = 16\nsteps = 1\ndevice = "gpu:7"\nbackend = "jax"\n{of_files}')
    monkeypatch.setenv("STYLIZE_STEPS", "1")
    monkeypatch.setenv("STYLIZE_DEVICE", "gpu:8")
    run("rerun", picture)
    again = tmp_path / "out-rerun.png"
    assert (read_image(again).pixels == read_image(picture).pixels).all()
    assert read_provenance(again)["sources"] == sources


def test_a_default_time_budget_gives_way_to_steps_and_is_not_told_of(file, fake, inputs, tmp_path):
    file.write_text("time-budget = 9")
    run("refine", *inputs, "-o", tmp_path / "out.png", "--steps", 7)
    config = fake.calls[-1][3]
    assert (config.steps, config.time_budget) == (7, None)
    assert read_provenance(tmp_path / "out.png")["sources"] == {"steps": "command line"}


def test_a_picture_of_defaults_alone_tells_of_no_sources(fake, inputs, tmp_path):
    run("refine", *inputs, "-o", tmp_path / "out.png")
    assert "sources" not in read_provenance(tmp_path / "out.png")


def test_every_option_has_its_variables_or_a_reason_to_have_none():
    options = options_by_command(click.Context(main))
    without = {name for command, those in options.items() for name in those if not variables(command, name)}
    assert without == {
        "content", "style", "mask", "image", "manifest", "output", "animate", "plot", "resume", "overwrite", "grid",
        "strengths", "watch", "backend", "device", "quality", "bit-depth",
        "keep-metadata", "provenance",
    }  # fmt: skip
    assert variables("refine", "backend") == ["STYLIZE_REFINE_BACKEND", "STYLIZE_BACKEND"]
    assert variables("rerun", "backend") == []
    # The variable of one command is never that of another option.
    every = [name for command, those in options.items() for option in those for name in variables(command, option)]
    own = [name for name in every if name.split("_")[1].lower() in options]
    assert len(own) == len(set(own))


def test_the_web_page_takes_its_own_options(file, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    # No machine has this address (RFC 5737).
    file.write_text('size = 64\n[app]\nhost = "192.0.2.1"\nport = 8123')
    assert "192.0.2.1:8123: can't be listened on" in one_line(run("app", exit_code=1).stderr)
    message = run("app", "--host", "a..b", exit_code=2).stderr.splitlines()[-1]
    assert message == "Error: --host: expected an address or a name, received 'a..b'"


def test_python_does_not_read_the_defaults(file, pictures, shipped_networks):
    import stylize

    file.write_text("size = 16")
    assert stylize.fast(*pictures, size=None, network="mini").image.shape[1] == 512


@pytest.mark.parametrize("arguments", [["--version"], ["fast", "--size", "1"]])
def test_without_defaults_their_modules_stay_unread(arguments):
    code = (
        "import sys\nfrom stylize.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    print('tomlkit' in sys.modules)"
    )
    environment = {**os.environ, "STYLIZE_CONFIG": str(Path(os.devnull).parent / "absent")}
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)
    assert result.stdout.endswith("False\n")

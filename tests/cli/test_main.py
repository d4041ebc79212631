"""The command line, whole: what stands on stdout and stderr, which files are there, and the exit code.

The pipelines have their own tests; here they are mostly fakes that record what they are asked for. The last
section runs the real program in processes of its own.
"""

from __future__ import annotations

import dataclasses
import html
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from api_stand_in import CHECKPOINT, LOSSES, STYLIZER, one_line, run
from samples import REPOSITORY, tiny_convolutions
from stylize import __version__
from stylize.cli.main import main
from stylize.cli.words import arguments_of
from stylize.config import FastConfig, RefineConfig
from stylize.errors import OptionError, StylizeError
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.networks import registry
from stylize.optimize.checkpoint import read_checkpoint, write_checkpoint
from stylize.presets import PRESETS
from stylize.transfer.results import NetworkUse

# ----------------------------------------------------------------------------------------------------------
# Help, misuse, errors


def commands(command=main, names=()):
    yield names, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*names, name))


@pytest.mark.parametrize(("names", "command"), list(commands()))
def test_help_of_every_command(names, command):
    output = run(*names, "--help").stdout
    assert output.startswith(f"Usage: main {' '.join(names)}".rstrip())
    assert output == run(*names, "-h").stdout
    if not isinstance(command, click.Group):
        for option in ("--json", "--progress", "--quiet", "--verbose", "--offline"):
            assert option in output


def test_the_list_of_commands_says_what_each_says_of_itself():
    from stylize.cli.main import _COMMANDS

    context = click.Context(main)
    for name, (_, line) in _COMMANDS.items():
        own = " ".join(main.get_command(context, name).help.split())
        assert own.startswith(line.rstrip(".")), name
        assert f"  {name} " in run("--help").stdout


def test_help_shows_the_defaults_of_the_config():
    output = " ".join(run("refine", "--help").stdout.split())
    for text in (
        f"coarse to fine. [default: {RefineConfig().steps}]",
        f"scene counts. [default: {RefineConfig().loss.content_weight:g}]",
        f"[{'|'.join(['auto', 'vgg19', 'vgg19-slim'])}]",
        "Preset gatys: Gatys, Ecker, Bethge 2015",
    ):
        assert text in output


def test_version():
    assert run("--version").stdout == f"stylize, version {__version__}\n"


MISUSE = {
    "no such command": ["paint"],
    "no such option": ["fast", "--loud"],
    "no content": ["fast", "-s", "STYLE"],
    "no style": ["fast", "-c", "CONTENT"],
    "size of 0": ["fast", "-c", "CONTENT", "-s", "STYLE", "--size", "0"],
    "size no number": ["fast", "-c", "CONTENT", "-s", "STYLE", "--size", "big"],
    "strength over 1": ["fast", "-c", "CONTENT", "-s", "STYLE", "--strength", "1.5"],
    "strength not a number": ["fast", "-c", "CONTENT", "-s", "STYLE", "--strength", "nan"],
    "network unknown": ["fast", "-c", "CONTENT", "-s", "STYLE", "--network", "vgg19"],
    "style weight of 0": ["fast", "-c", "CONTENT", "-s", "STYLE:0"],
    "style weight infinite": ["fast", "-c", "CONTENT", "-s", "STYLE:inf"],
    "preset unknown": ["refine", "-c", "CONTENT", "-s", "STYLE", "--preset", "borscht"],
    "layer unknown": ["refine", "-c", "CONTENT", "-s", "STYLE", "--style-layer", "relu6_1"],
    "layer weight no number": ["refine", "-c", "CONTENT", "-s", "STYLE", "--style-layer", "relu1_1:much"],
    "layer weight negative": ["refine", "-c", "CONTENT", "-s", "STYLE", "--style-layer", "relu1_1:-1"],
    "layer twice": ["refine", "-c", "CONTENT", "-s", "STYLE", *["--style-layer", "relu1_1"] * 2],
    "layers half weighted": [
        "refine", "-c", "CONTENT", "-s", "STYLE", "--style-layer", "relu1_1", "--style-layer", "relu2_1:2",
    ],
    "no weight at all": [
        "refine", "-c", "CONTENT", "-s", "STYLE", "--content-weight", "0", "--style-weight", "0",
    ],
    "steps of 0": ["refine", "-c", "CONTENT", "-s", "STYLE", "--steps", "0"],
    "time budget of 0": ["refine", "-c", "CONTENT", "-s", "STYLE", "--time-budget", "0"],
    "saving every 0 steps": ["refine", "-c", "CONTENT", "-s", "STYLE", "--save-every", "0"],
    "scoring with steps": ["compare", "-c", "CONTENT", "-s", "STYLE", "--image", "CONTENT", "--steps", "3"],
    "network unknown to models": ["models", "pull", "vgg16"],
}  # fmt: skip


@pytest.mark.parametrize("arguments", MISUSE.values(), ids=MISUSE.keys())
def test_misuse_exits_2_and_does_nothing(arguments, pictures, fake):
    names = {"CONTENT": str(pictures[0]), "STYLE": str(pictures[1])}
    for name, path in names.items():
        arguments = [argument.replace(name, path) for argument in arguments]
    before = sorted(pictures[0].parent.iterdir())
    result = run(*arguments, exit_code=2)
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert fake.calls == []
    assert sorted(pictures[0].parent.iterdir()) == before


def test_an_option_error_says_what_was_expected_and_received(inputs):
    message = one_line(run("fast", *inputs, "--size", "70000", exit_code=2).stderr)
    assert message == "Error: --size: expected a long side of 1 to 65535 px, received 70000"


@pytest.mark.parametrize("missing", ["-c", "-s"])
@pytest.mark.parametrize("command", ["fast", "refine", "compare"])
def test_a_missing_input_is_one_line(command, missing, inputs, fake):
    arguments = list(inputs)
    arguments[arguments.index(missing) + 1] = "absent.png"
    name = {"-c": "content", "-s": "style"}[missing]
    result = run(command, *arguments, exit_code=1)
    assert one_line(result.stderr) == f"stylize: {name} absent.png: no such file"
    assert result.stdout == ""
    assert fake.calls == []


def test_a_missing_start_picture_is_one_line(inputs, fake):
    result = run("refine", *inputs, "--init", "absent.png", exit_code=1)
    assert one_line(result.stderr) == "stylize: init absent.png: no such file"


@pytest.mark.parametrize("command", ["fast", "refine"])
def test_an_existing_output_is_refused_before_any_work(command, inputs, fake, tmp_path):
    output = tmp_path / "out.png"
    output.write_bytes(b"mine")
    result = run(command, *inputs, "-o", output, exit_code=1)
    message = f"stylize: output {output}: is there already; choose another with -o, or use --overwrite"
    assert one_line(result.stderr) == message
    assert output.read_bytes() == b"mine"
    assert fake.calls == []
    run(command, *inputs, "-o", output, "--overwrite")
    assert read_image(output).pixels.shape == (4, 6, 3)


@pytest.mark.parametrize("which", [0, 1])
def test_an_input_is_never_the_output(which, inputs, pictures, fake):
    before = pictures[which].read_bytes()
    result = run("fast", *inputs, "-o", pictures[which], "--overwrite", exit_code=2)
    assert "expected another file than the input" in one_line(result.stderr)
    assert pictures[which].read_bytes() == before
    assert fake.calls == []


@pytest.mark.parametrize("name", ["out.xyz", "out"])
def test_an_unknown_suffix_is_misuse(name, inputs, fake, tmp_path):
    result = run("fast", *inputs, "-o", tmp_path / name, exit_code=2)
    assert "png, " in one_line(result.stderr)
    assert fake.calls == []


def test_a_missing_folder_is_one_line(inputs, fake, tmp_path):
    result = run("fast", *inputs, "-o", tmp_path / "absent" / "out.png", exit_code=1)
    assert "expected an existing folder" in one_line(result.stderr)
    assert fake.calls == []


def test_a_failure_that_no_user_can_mend_keeps_its_traceback(inputs, monkeypatch):
    def broken(*args, **kwargs):
        raise RuntimeError("a bug")

    monkeypatch.setattr("stylize.api.fast", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        CliRunner().invoke(main, ["fast", *map(str, inputs)], catch_exceptions=False)


def test_a_failure_that_the_user_can_mend_is_one_line_and_leaves_nothing(inputs, monkeypatch, tmp_path):
    def failing(*args, **kwargs):
        raise StylizeError("expected more, received less")

    monkeypatch.setattr("stylize.api.fast", failing)
    before = sorted(tmp_path.iterdir())
    result = run("fast", *inputs, exit_code=1)
    assert one_line(result.stderr) == "stylize: expected more, received less"
    assert sorted(tmp_path.iterdir()) == before


# ----------------------------------------------------------------------------------------------------------
# fast


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


def test_json_is_all_that_is_on_stdout(inputs, fake):
    result = run("fast", *inputs, "--json")
    data = json.loads(result.stdout)
    assert data["command"] == "fast"
    assert (data["width"], data["height"], data["seconds"]) == (6, 4, 1.5)
    assert os.path.exists(data["output"])
    assert data["networks"] == [dataclasses.asdict(STYLIZER)]
    assert result.stderr == "using mini\n"


def test_quiet_and_verbose(inputs, fake):
    assert run("fast", *inputs, "--quiet").stderr == ""
    told = run("fast", *inputs, "-v", "--overwrite").stderr
    assert told == "using mini\nused mini (embedded): mini.tflite 777777777777\npainted 6 x 4 px in 1.5 s\n"


def test_several_styles_are_named_and_weighted(inputs, pictures, fake, tmp_path):
    other = tmp_path / "sea: at noon.png"
    shutil.copy(pictures[1], other)
    numbered = tmp_path / "plate:7"
    shutil.copy(pictures[1], numbered)
    run("fast", *inputs, "-s", f"{other}:.25", "-s", numbered, "-s", f"{numbered}:3")
    assert fake.calls[0][2] == ((pictures[1], 1.0), (other, 0.25), (numbered, 1.0), (numbered, 3.0))
    assert (tmp_path / "photo-painting+sea: at noon+plate:7+plate:7-fast.png").exists()


# ----------------------------------------------------------------------------------------------------------
# refine


def refined(fake):
    return fake.calls[-1][3]


@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_sets_everything(preset, inputs, fake):
    run("refine", *inputs, "--preset", preset)
    assert refined(fake) == PRESETS[preset].config


def test_explicit_options_win_over_the_preset(inputs, fake):
    run(
        "refine", *inputs, "--preset", "tf-tutorial", "--steps", "7", "--optimizer", "lbfgs",
        "--tv-weight", "0", "--content-layer", "block4_conv2", "--style-layer", "conv1_1:1",
        "--style-layer", "relu2_1:3", "--no-keep-colors", "--seed", "5",
    )  # fmt: skip
    base = PRESETS["tf-tutorial"].config
    assert refined(fake) == base.replace(
        steps=7,
        optimizer="lbfgs",
        total_variation_weight=0.0,
        content_layers=(("relu4_2", 1.0),),
        style_layers=(("relu1_1", 1.0), ("relu2_1", 3.0)),
        seed=5,
    )


def test_layers_without_weights_share_those_of_the_preset(inputs, fake):
    run("refine", *inputs, "--preset", "gatys", "--content-layer", "relu4_2", "--style-layer", "relu1_1")
    assert refined(fake).loss.content_layers == PRESETS["gatys"].config.loss.content_layers
    assert refined(fake).loss.style_layers == (("relu1_1", pytest.approx(0.25)),)


def test_every_option_reaches_the_config(inputs, pictures, fake):
    """Each field that an option names differs from its default, in a value of its own type."""
    options = {
        "features": "vgg19", "network": "mini", "init": str(pictures[1]), "size": 64, "time_budget": 3.0,
        "learning_rate": 0.5, "content_weight": 2.0, "style_weight": 4.0, "pooling": "avg",
        "style_scale": 2.0, "precision": "float32", "keep_colors": True,
    }  # fmt: skip
    arguments = []
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
    run("refine", *inputs, *arguments)
    assert refined(fake) == RefineConfig().replace(**options)


@pytest.mark.parametrize(
    "config",
    [*(preset.config for preset in PRESETS.values()),
     RefineConfig().replace(time_budget=2.5, init="content", seed=3, keep_colors=True, recolor=False),
     PRESETS["gatys"].config.replace(content_weight=1 / 3, style_layers=(("relu1_1", 0.1), ("relu2_1", 1 / 7))),
     PRESETS["tf-tutorial"].config.replace(size=96, optimizer="lbfgs", recolor=True)],
    ids=[*PRESETS, "default with options", "gatys with layers", "tf-tutorial with options"],
)  # fmt: skip
def test_a_config_is_typed_as_it_was_read(config, inputs, fake):
    run("refine", *inputs, *arguments_of(config))
    assert refined(fake) == config


def test_a_config_is_typed_over_the_preset_that_is_nearest():
    assert arguments_of(RefineConfig()) == []
    assert arguments_of(PRESETS["gatys"].config.replace(steps=7)) == ["--preset", "gatys", "--steps", "7"]
    with pytest.raises(OptionError, match="expected a config that options of refine make"):
        arguments_of(RefineConfig().replace(beta_1=0.5))


def test_progress_as_json_is_one_line_an_iterate(inputs, fake):
    result = run("refine", *inputs, "--progress", "json", "--json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert [event["event"] for event in events] == ["message"] + ["iterate"] * 4
    assert events[-1] == {
        "event": "iterate", "level": 1, "levels": 1, "width": 6, "height": 4, "step": 4, "steps": 4,
        "elapsed_s": 0.4, "remaining_s": 0.0, "losses": dataclasses.asdict(LOSSES),
    }  # fmt: skip
    data = json.loads(result.stdout)
    assert data["steps"] == 4
    assert data["losses"] == dataclasses.asdict(LOSSES)
    assert data["stopped"] is None


def test_the_bar_stays_on_stderr(inputs, fake, pictures):
    result = run("refine", *inputs, "--progress", "bar")
    assert result.stdout == f"{pictures[0].with_name('photo-painting-refine.png')}\n"


def test_no_bar_where_stderr_is_no_terminal(inputs, fake):
    assert run("refine", *inputs).stderr == "using vgg19-slim\n"


def test_downloads_are_told_as_json_once_a_percent(inputs, fake, monkeypatch):
    def fetching(*args, on_download, **kwargs):
        for done in range(0, 1001, 2):
            on_download("vgg19.h5", done, 1000)
        return fake.fast(*args, on_download=on_download, **kwargs)

    monkeypatch.setattr("stylize.api.fast", fetching)
    events = [json.loads(line) for line in run("fast", *inputs, "--progress", "json").stderr.splitlines()]
    assert len(events) == 102
    assert events[100] == {"event": "download", "name": "vgg19.h5", "bytes": 1000, "total_bytes": 1000}


def test_save_every_leaves_pictures_on_the_way(inputs, fake, tmp_path):
    checkpoint = tmp_path / "out.png.checkpoint.npz"
    seen = []
    fake.on_step = lambda step: seen.append(checkpoint.exists())
    run("refine", *inputs, "-o", tmp_path / "out.png", "--save-every", "2")
    assert seen == [False, False, True, True, True]
    assert not checkpoint.exists()
    assert sorted(path.name for path in tmp_path.glob("out-step-*")) == [
        "out-step-0002.png",
        "out-step-0004.png",
    ]
    np.testing.assert_allclose(read_image(tmp_path / "out-step-0002.png").pixels, 0.2, atol=1 / 255)


def test_pictures_of_an_earlier_run_are_not_replaced_unasked(inputs, fake, tmp_path):
    (tmp_path / "out-step-0100.png").write_bytes(b"mine")
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", "--save-every", "2"]
    assert "left by an earlier run" in one_line(run(*arguments, exit_code=1).stderr)
    assert fake.calls == []
    run(*arguments, "--overwrite")


def test_ctrl_c_keeps_the_best_picture_and_a_checkpoint(inputs, fake, tmp_path):
    output = tmp_path / "out.png"
    before = signal.getsignal(signal.SIGINT)
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    result = run("refine", *inputs, "-o", output, "--json", exit_code=130)
    assert signal.getsignal(signal.SIGINT) is before
    data = json.loads(result.stdout)
    assert (data["stopped"], data["steps"]) == ("interrupted", 2)
    assert str(output) in result.stderr
    assert "--resume" in result.stderr
    assert read_provenance(output)["command"] == "refine"
    assert read_checkpoint(f"{output}.checkpoint.npz").elapsed_s == CHECKPOINT.elapsed_s


def test_what_ctrl_c_left_is_resumed_or_started_anew_but_never_lost(inputs, fake, tmp_path):
    output = tmp_path / "out.png"
    checkpoint = tmp_path / "out.png.checkpoint.npz"
    write_checkpoint(checkpoint, CHECKPOINT)
    shutil.copy(inputs[1], output)
    message = one_line(run("refine", *inputs, "-o", output, exit_code=1).stderr)
    assert "--resume goes on from it, --overwrite starts anew" in message
    assert fake.calls == []
    run("refine", *inputs, "-o", output, "--resume")
    assert fake.resumed_from.context == CHECKPOINT.context
    assert not checkpoint.exists()
    assert read_provenance(output)["command"] == "refine"


@pytest.mark.parametrize("suffix", [".webp", ".gif", ".apng"])
def test_a_film_and_a_plot_are_written_beside_the_picture(suffix, inputs, fake, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    film, plot = tmp_path / f"film{suffix}", tmp_path / "losses.png"
    data = json.loads(run("refine", *inputs, "--animate", film, "--plot", plot, "--json").stdout)
    assert (data["animation"], data["plot"]) == (str(film), str(plot))
    with Image.open(film) as image:
        assert image.n_frames > 3
        first = np.asarray(image.convert("RGB"))
        image.seek(image.n_frames - 1)
        last = np.asarray(image.convert("RGB"))
    assert first.mean() == pytest.approx(0.9 * 255, abs=6)  # the preview
    assert last.mean() == pytest.approx(0.5 * 255, abs=6)  # the result
    with Image.open(plot) as image:
        image.load()


SIGHTS = [
    (["--animate", "film.avi"], 2, "film film.avi: expected a suffix out of .webp, .gif, .mp4, .apng; received .avi"),
    (["--plot", "losses.txt"], 2, "plot losses.txt: expected a suffix out of"),
    (["--animate", "there.webp"], 1, "output there.webp: is there already"),
    (["--plot", "there.png"], 1, "output there.png: is there already"),
    (["--animate", "absent/film.webp"], 1, "absent/film.webp: expected an existing folder"),
    (["--animate", "out.webp", "-o", "out.webp"], 2, "expected a file of its own"),
    (["--animate", "a.webp", "--plot", "./a.webp"], 2, "expected a file of its own"),
    (["--plot", "photo.png", "--overwrite"], 2, "expected another file than the input"),
    (["--plot", "losses.png", "--strength", "0"], 2, "--plot: there are no losses at a strength of 0"),
    (["-o", "."], 2, "output .: expected a suffix out of"),
    (["-o", "-"], 2, "output -: only fast reads and writes pipes"),
    (["--mask", "-"], 2, "mask -: only fast reads and writes pipes"),
    (["--time-budget", "inf"], 2, "expected more than 0 seconds, and an end; received inf"),
    (["--animate", "film.mp4"], 1, 'pip install "stylize[film]"'),
    (["--plot", "losses.png"], 1, 'pip install "stylize[plot]"'),
]


@pytest.mark.parametrize(("arguments", "exit_code", "message"), SIGHTS, ids=[" ".join(each[0]) for each in SIGHTS])
def test_films_and_plots_are_refused_before_any_work(
    arguments, exit_code, message, inputs, fake, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for package in ("av", "matplotlib"):
        if "pip install" in message:
            monkeypatch.setitem(sys.modules, package, None)
        elif package == "matplotlib":
            pytest.importorskip(package, reason=f"{package} is not installed")
    for name in ("there.webp", "there.png"):
        (tmp_path / name).write_bytes(b"mine")
    before = sorted(tmp_path.iterdir())
    assert message in one_line(run("refine", *inputs, *arguments, exit_code=exit_code).stderr)
    assert fake.calls == []
    assert sorted(tmp_path.iterdir()) == before


def test_ctrl_c_leaves_the_film_and_the_plot_of_what_there_was(inputs, fake, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    film, plot = tmp_path / "film.webp", tmp_path / "losses.png"
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", "--animate", film, "--plot", plot]
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    run(*arguments, exit_code=130)
    left = film.read_bytes()
    with Image.open(film) as image:
        assert image.n_frames > 2
    assert plot.exists()
    fake.on_step = lambda step: None
    run(*arguments, "--resume")  # the same command goes on, and replaces what it left
    assert film.read_bytes() != left


def test_a_film_that_cannot_be_written_costs_neither_picture_nor_checkpoint(inputs, fake, tmp_path, monkeypatch):
    def full(self, path, **options):
        raise StylizeError("no space left")

    monkeypatch.setattr("stylize.reports.film.Film.write", full)
    fake.on_step = lambda step: signal.raise_signal(signal.SIGINT) if step == 2 else None
    arguments = ["refine", *inputs, "-o", tmp_path / "out.png", "--animate", tmp_path / "film.webp"]
    assert "no space left" in run(*arguments, exit_code=1).stderr
    assert (tmp_path / "out.png").exists()
    assert (tmp_path / "out.png.checkpoint.npz").exists()


def test_resume_without_a_checkpoint_is_one_line(inputs, fake):
    assert "no checkpoint" in one_line(run("refine", *inputs, "--resume", exit_code=1).stderr)
    assert fake.calls == []


@pytest.mark.parametrize("steps", [(0,), (2, 2)], ids=["before the first step", "twice"])
def test_ctrl_c_before_there_is_a_picture_or_twice_aborts_at_once(steps, inputs, fake, tmp_path):
    def interrupt(step):
        for _ in range(steps.count(step)):
            signal.raise_signal(signal.SIGINT)

    fake.on_step = interrupt
    files = sorted(tmp_path.iterdir())
    before = signal.getsignal(signal.SIGINT)
    result = run("refine", *inputs, exit_code=130)
    assert signal.getsignal(signal.SIGINT) is before
    assert result.stderr.endswith("stylize: interrupted\n")
    assert result.stdout == ""
    assert sorted(tmp_path.iterdir()) == files


# ----------------------------------------------------------------------------------------------------------
# compare, demo


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
    command, rerun = commands_of(folder / "report.html")
    assert command[:2] == ["stylize", "compare"]
    assert rerun == ["stylize", "rerun", str(folder / "refined.png")]
    run(*command[1:], "-o", tmp_path / "again")
    assert fake.calls[1][1:4] == fake.calls[0][1:4]
    # By name, as `auto` may stand for other networks elsewhere.
    assert fake.calls[1][4] == fake.calls[0][4].replace(features="vgg19-slim", network="mini")
    assert commands_of(tmp_path / "again" / "report.html")[0] == command


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_a_name_that_is_no_text_costs_no_report(inputs, fake, pictures, tmp_path):
    name = pictures[0].with_name(os.fsdecode(b"ph\xffoto.png"))
    shutil.copy(pictures[0], name)
    run("compare", "-c", name, *inputs[2:], "-o", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "metrics.json").read_text("utf-8"))["content"] == str(name)
    assert "ph\\udcffoto.png" in (tmp_path / "out" / "report.html").read_text("utf-8")


def commands_of(report):
    page = report.read_text("utf-8")
    return [shlex.split(html.unescape(code)) for code in re.findall("<code>(.*?)</code>", page, re.DOTALL)]


def test_the_report_of_finished_pictures_names_its_command_alone(inputs, fake, pictures, tmp_path):
    run("compare", *inputs, "--image", pictures[0], "--size", "64", "-o", tmp_path / "out")
    ((*command,),) = commands_of(tmp_path / "out" / "report.html")
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


def test_demo_compares_the_projects_own_pictures(fake, pictures, tmp_path, monkeypatch):
    examples = tmp_path / "examples"
    examples.mkdir()
    for name in ("scene_lake", "scene_hill", "style_swirls"):
        Image.open(pictures[0]).convert("RGB").save(examples / f"{name}.jpg")
    monkeypatch.setattr("importlib.resources.files", lambda package: examples)
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert result.stdout == "stylize-demo\n"
    assert sorted(path.name for path in (tmp_path / "stylize-demo").iterdir()) == [
        "fast.png", "metrics.json", "refined.png", "report.html", "scene_lake.jpg", "sheet.png", "style_swirls.jpg",
    ]  # fmt: skip
    assert fake.calls[0][4].size == 256
    assert "is there already" in one_line(run("demo", exit_code=1).stderr)
    command, _ = commands_of(tmp_path / "stylize-demo" / "report.html")
    assert command == ["stylize", "demo", "--scene", "lake", "--style", "swirls", "--size", "256"]
    message = one_line(run("demo", "--scene", "moon", "-o", "other", exit_code=2).stderr)
    assert message == "Error: --scene: expected one of hill, lake, received moon"


# ----------------------------------------------------------------------------------------------------------
# info, rerun


def test_info_prints_the_provenance(inputs, fake, pictures, tmp_path):
    run("refine", *inputs, "-o", tmp_path / "out.jpg", "--steps", "9", "--content-layer", "relu4_2:1")
    output = tmp_path / "out.jpg"
    lines = dict(line.split(maxsplit=1) for line in run("info", output).stdout.splitlines() if " " in line.strip())
    assert lines["command"] == "refine"
    assert lines["steps"] == "9"
    assert lines["loss.content_layers"] == "relu4_2:1.0"
    assert lines["networks.1.sha256"] == "vgg19_slim.safetensors 555555555555"
    assert json.loads(run("info", output, "--json").stdout) == read_provenance(output)
    message = one_line(run("info", pictures[0], exit_code=1).stderr)
    assert message == f"stylize: {pictures[0]}: carries no provenance; expected a picture that stylize wrote"


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
    assert ("made in bfloat16, which this machine has not: the picture may differ" in told) is not native


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


# ----------------------------------------------------------------------------------------------------------
# models


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without weights and without a network."""
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("STYLIZE_OFFLINE", "1")
    monkeypatch.setattr("stylize.networks.local.EMBEDDED", tmp_path)


def test_models_list(bare):
    output = run("models", "list").stdout
    for name in registry.REGISTRY:
        assert name in output
    entries = json.loads(run("models", "list", "--json").stdout)
    assert [entry["name"] for entry in entries] == list(registry.REGISTRY)
    assert {entry["state"] for entry in entries} == {"absent"}


@pytest.mark.parametrize("command", ["path", "remove", "pull", "verify"])
def test_models_that_are_not_here_are_one_line(command, bare):
    result = run("models", command, "vgg19", exit_code=1)
    assert one_line(result.stderr).startswith("stylize: vgg19: ")
    assert result.stdout == ""


def test_models_add_verify_path_remove(bare, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    for part in ("predict", "transfer"):
        (given / f"my_{part}.tflite").write_bytes(b"\0\0\0\0TFL3" + part.encode())
    result = run("models", "add", "magenta-int8", given)
    folder = result.stdout.strip()
    assert one_line(result.stderr) == "magenta-int8: not the published file; its hash is recorded"
    assert run("models", "path", "magenta-int8").stdout.strip() == folder
    assert "added, not the" in run("models", "list").stdout
    checks = run("models", "verify").stdout.splitlines()
    assert checks == [
        f"magenta-int8/magenta_int8_{part}.tflite: ok (as recorded; not the published file)"
        for part in ("predict", "transfer")
    ]
    (tmp_path / "home/models/magenta-int8/magenta_int8_predict.tflite").write_bytes(b"rot")
    result = run("models", "verify", "magenta-int8", "--json", exit_code=1)
    assert [check["ok"] for check in json.loads(result.stdout)] == [False, True]
    assert one_line(result.stderr).startswith("stylize: damaged: magenta-int8")
    assert run("models", "remove", "magenta-int8").stdout == "removed magenta-int8\n"
    run("models", "path", "magenta-int8", exit_code=1)


# ----------------------------------------------------------------------------------------------------------
# Processes of their own

# The embedded feature network, exchanged for a tiny random one.
PROGRAM = (
    "import pathlib, sys; from stylize.networks import local; from stylize.cli.main import main; "
    "local.EMBEDDED = pathlib.Path(sys.argv.pop(1)); main()"
)


def python(*arguments, **settings):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=REPOSITORY,
        **settings,
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["refine", "--help"], ["fast", "--size", "1"],
     ["refine", "-c", "a", "-s", "b", "--steps", "0"], ["refine", "-c", "a", "-s", "b", "--style-layer", "x"],
     ["fast", "-c", "absent.png", "-s", "absent.png"]],
    ids=" ".join,
)  # fmt: skip
def test_nothing_heavy_is_imported_before_there_is_work(arguments):
    code = (
        "import sys\nfrom stylize.cli.main import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    heavy = {'tensorflow', 'keras', 'numpy', 'PIL', 'rich', 'ai_edge_litert'}\n"
        "    print('imported:', sorted(heavy & set(sys.modules)))"
    )
    assert python("-c", code, *arguments).stdout.endswith("imported: []\n")


def test_a_module_run_is_the_program():
    result = python("-m", "stylize", "--version")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"stylize, version {__version__}\n", "")


@pytest.mark.skipif(os.name == "nt", reason="no such pipes")
def test_a_reader_who_leaves_is_no_error(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with subprocess.Popen(
        [sys.executable, "-m", "stylize", "models", "list", "--json"],
        stdout=writing, stderr=subprocess.PIPE, cwd=REPOSITORY,
        env={**os.environ, "STYLIZE_HOME": str(tmp_path)},
    ) as process:  # fmt: skip
        os.close(writing)
        assert process.stderr.read() == b""


@pytest.fixture
def tiny(tmp_path):
    """Arguments of Python that run the program on a tiny random feature network, and its environment."""
    from safetensors.numpy import save_file

    tensors = {}
    for name, (kernel, bias) in tiny_convolutions().items():
        tensors[f"{name}/kernel"], tensors[f"{name}/bias"] = kernel, bias
    folder = tmp_path / "embedded"
    folder.mkdir()
    save_file(tensors, str(folder / "vgg19_slim.safetensors"))
    environment = {**os.environ, "STYLIZE_HOME": str(tmp_path / "home"), "STYLIZE_OFFLINE": "1"}
    return ["-c", PROGRAM, str(folder)], environment


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to send")
def test_ctrl_c_resume_and_rerun_for_real(tiny, inputs, tmp_path):
    program, environment = tiny
    output = tmp_path / "out.png"
    options = ["--init", "content", "--features", "vgg19-slim", "--size", "48", "--steps", "400"]
    refine = [*program, "refine", *inputs, "-o", output, *options, "--json"]

    command = [sys.executable, *map(str, [*refine, "--progress", "json"])]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=REPOSITORY
    ) as process:
        told = []
        while not any('"iterate"' in line for line in told):
            told.append(process.stderr.readline())
            assert told[-1], told
        process.send_signal(signal.SIGINT)
        result = json.loads(process.stdout.read())
        told += process.stderr.readlines()
    assert process.returncode == 130, told
    assert result["stopped"] == "interrupted"
    assert 1 <= result["steps"] < 400
    assert {json.loads(line)["event"] for line in told} == {"message", "iterate"}
    assert read_image(output).pixels.shape == (32, 48, 3)
    assert (tmp_path / "out.png.checkpoint.npz").exists()

    resumed = python(*refine, "--resume", env=environment)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["steps"] == 400
    assert not (tmp_path / "out.png.checkpoint.npz").exists()

    again = python(*program, "rerun", output, env=environment)
    assert again.returncode == 0, again.stderr
    difference = read_image(tmp_path / "out-rerun.png").pixels - read_image(output).pixels
    # The interruption costs the optimiser nothing, so that the uninterrupted run ends at the same picture.
    assert np.abs(difference).max() <= 2 / 255
    assert not [path.name for path in tmp_path.iterdir() if "part" in path.name.split(".")[-1]]


@pytest.mark.parametrize("option", ["-c", "-o", "--plot", "--mask"])
def test_an_empty_name_is_no_name_of_a_folder(option, inputs, fake):
    result = run("refine", *inputs, option, "", exit_code=2)
    assert f"{option}" in result.stderr
    assert "expected a file's name, received nothing" in result.stderr


@pytest.mark.parametrize("content", [".", "/"])
def test_a_folder_as_content_is_one_line(content, inputs):
    assert "Traceback" not in run("fast", "-c", content, *inputs[2:], exit_code=1).output


def test_whether_an_input_can_be_read_is_left_to_its_reader(inputs, fake, tmp_path, monkeypatch):
    # Click would call it misuse, in four lines; images.read_image has one line for it.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode, **more: mode != os.R_OK and allowed(path, mode, **more))
    run("fast", *inputs, "-o", tmp_path / "out.png")
    assert len(fake.calls) == 1


def test_a_full_disk_on_the_way_does_not_end_the_run(inputs, fake, tmp_path, monkeypatch):
    def full(path, checkpoint):
        raise StylizeError("no space left")

    monkeypatch.setattr("stylize.optimize.checkpoint.write_checkpoint", full)
    output = tmp_path / "out.png"
    result = run("refine", *inputs, "-o", output, "--save-every", "2")
    assert output.exists()
    assert "step 2 is not kept: no space left" in result.stderr


def test_pictures_on_the_way_carry_their_provenance(inputs, fake, tmp_path):
    output = tmp_path / "out.png"
    run("refine", *inputs, "-o", output, "--save-every", "2")
    assert read_provenance(tmp_path / "out-step-0002.png")["steps_taken"] == 2


def test_memory_reaches_the_refinement(fake, inputs):
    run("refine", *inputs, "--memory", "3.5")
    assert fake.memory_gb == 3.5
    assert "--memory" in run("refine", *inputs, "--memory", "0", exit_code=2).stderr

"""The program as a whole: help, misuse, exit codes, and errors of one line."""

from __future__ import annotations

import os
import re
import shlex

import click
import pytest
from click.testing import CliRunner
from PIL import Image

from api_stand_in import one_line, run
from command_tree import commands
from stylize import __version__
from stylize.cli.main import main
from stylize.cli.settings import setting_name
from stylize.cli.topics import OTHERS, TOPICS, by_topic
from stylize.config import RefineConfig
from stylize.errors import StylizeError


@pytest.mark.parametrize(("names", "command"), list(commands()))
def test_help_of_every_command(names, command):
    output = run(*names, "--help").stdout
    assert output.startswith(f"Usage: main {' '.join(names)}".rstrip())
    assert output == run(*names, "-h").stdout
    # A shell reads what `completion` prints.
    if not isinstance(command, click.Group) and names != ("completion",):
        for option in ("--json", "--progress", "--quiet", "--verbose", "--offline"):
            assert option in output


def test_the_list_of_commands_says_what_each_says_of_itself():
    listed = run("--help").stdout.partition("Commands:\n")[2]
    lines = dict(re.findall(r"^  (\S+) +(.+(?:\n {4,}.+)*)", listed, re.MULTILINE))
    context = click.Context(main)
    assert list(lines) == main.list_commands(context)
    for name, line in lines.items():
        own = " ".join(main.get_command(context, name).help.split())
        assert own.startswith(" ".join(line.split()).rstrip(".")), name


def test_help_shows_the_defaults_of_the_config():
    output = " ".join(run("refine", "--help").stdout.split())
    for text in (
        f"over all sizes. [default: {RefineConfig().steps}]",
        f"scene counts. [default: {RefineConfig().loss.content_weight:g}]",
        "gatys Gatys, Ecker, Bethge 2015 (arXiv 1508.06576)",
    ):
        assert text in output


def help_lines(columns, *names):
    """Return the help of a command in a terminal of a width; None is an unknown width."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((columns or 80, 24)))
        context = main.make_context("stylize", list(names), resilient_parsing=True)
        for name in names:
            command = context.command.get_command(context, name)
            context = click.Context(command, parent=context, info_name=name)
        return context.get_help().splitlines()


@pytest.mark.parametrize("columns", [60, None, 100, 120])
@pytest.mark.parametrize("names", [names for names, _ in commands()], ids=" ".join)
def test_no_line_of_the_help_is_wider_than_the_terminal(names, columns):
    assert max(map(len, help_lines(columns, *names))) <= min(columns or 80, 100)


@pytest.mark.parametrize("columns", [80, 100])
def test_the_help_of_refine_fits_two_screens(columns):
    assert len(help_lines(columns, "refine")) <= 100


@pytest.mark.parametrize(("names", "command"), list(commands()))
def test_the_help_names_every_choice(names, command):
    text = run(*names, "--help").stdout
    for option in command.params:
        if isinstance(option, click.Option) and isinstance(option.type, click.Choice) and option.name != "preset":
            flag = re.escape(option.opts[0])
            own = re.search(rf"^  (?:-\w, )?{flag}\b.*\n(?:    .*\n)*", text, re.MULTILINE)[0]
            words = re.findall(r"[\w-]+", re.sub(r"-\n +", "-", own))
            assert set(option.type.choices) <= set(words), option.opts


@pytest.mark.parametrize("name", ["fast", "refine", "compare", "batch", "rerun"])
def test_every_option_belongs_to_one_topic(name):
    command = main.get_command(click.Context(main), name)
    assert command is not None
    options = [option for option in command.params if isinstance(option, click.Option)]
    topics = by_topic(setting_name(option) for option in options)
    assert OTHERS not in topics
    assert sorted(each for names in topics.values() for each in names) == sorted(map(setting_name, options))
    output = run(name, "--help").stdout
    headings = re.findall(r"^(\S.*):$", output, re.MULTILINE)
    assert [heading for heading in headings if heading in TOPICS] == list(topics)
    for option in options:
        assert re.search(rf"^  (-\w, )?--{setting_name(option)}\b", output, re.MULTILINE)


def test_no_topic_names_an_option_twice_or_that_is_none():
    listed = [name for names in TOPICS.values() for name in names]
    assert len(listed) == len(set(listed))
    known = {setting_name(option) for _, command in commands() for option in command.params}
    assert set(listed) - known == {"help"}


@pytest.mark.parametrize("name", ["fast", "refine", "compare", "batch"])
def test_examples_of_the_help_are_commands_of_known_options(name):
    lines = run(name, "--help").stdout.partition("Examples:\n")[2].splitlines()
    assert lines
    for line in lines:
        program, command, *words = shlex.split(line)
        assert (program, command) == ("stylize", name)
        main.get_command(click.Context(main), name).make_context(name, words)


@pytest.mark.parametrize("name", ["fast", "refine"])
def test_the_help_names_the_default_output(name, fake, inputs):
    default = re.search(r"\[default: (photo-painting-\w+\.png)\]", " ".join(run(name, "--help").stdout.split()))[1]
    assert run(name, *inputs).stdout.endswith(f"{default}\n")


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


def test_a_command_of_a_similar_name_is_suggested():
    assert run("fats", exit_code=2).stderr.endswith("Error: No such command 'fats'. Did you mean 'fast'?\n")
    assert run("borscht", exit_code=2).stderr.endswith("Error: No such command 'borscht'.\n")


@pytest.mark.parametrize(("command", "option"), [("fast", "--strength"), ("refine", "--time-budget")])
def test_a_number_with_a_comma_is_refused_with_an_example(inputs, command, option):
    message = run(command, *inputs, option, "0,5", exit_code=2).stderr.splitlines()[-1]
    assert message == f"Error: Invalid value for '{option}': expected a number such as 0.5, received '0,5'"


def test_an_option_error_says_what_was_expected_and_received(inputs):
    message = one_line(run("fast", *inputs, "--size", "70000", exit_code=2).stderr)
    expected = "expected a long side of 1 to 65535 px, original, or percent such as 200%; received 70000"
    assert message == f"Error: --size: {expected}"


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


def test_memory_that_is_refused_is_one_line(monkeypatch, tmp_path):
    def refused(*arguments: object, **options: object) -> None:
        raise MemoryError("Unable to allocate 32.0 GiB for an array")

    monkeypatch.setattr("stylize.cli.commands.previews.Sources.content", refused)
    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photo)
    result = run("fast", "-c", photo, "-s", "@ink", "-o", tmp_path / "out.png", exit_code=1)
    expected = "stylize: out of memory (Unable to allocate 32.0 GiB for an array); make the picture smaller\n"
    assert result.stderr.endswith(expected)
    assert not (tmp_path / "out.png").exists()

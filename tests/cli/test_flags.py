"""Parameters in the library's messages become the flags of the running command."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from api_stand_in import ApiStandIn, one_line, run
from stylize.cli.flags import error_text, flag_of
from stylize.cli.main import main
from stylize.errors import OptionError, StylizeError


def command(name: str) -> click.Command:
    found = main.get_command(click.Context(main), name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "parameter", "flag"),
    [
        ("refine", "memory_gb", "--memory"),
        ("refine", "total_variation_weight", "--tv-weight"),
        ("refine", "content_layers", "--content-layer"),
        ("refine", "preset", "--preset"),
        ("refine", "mask", "--mask"),
        ("fast", "style", "--style"),
        ("batch", "name", "--name"),
        ("fast", "memory_gb", None),
        ("refine", "beta_1", None),
    ],
)
def test_a_parameter_has_the_flag_of_the_command(name: str, parameter: str, flag: str | None) -> None:
    assert flag_of(command(name), parameter) == flag


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("size: expected 1, received 2", "--size: expected 1, received 2"),
        ("learning_rate: expected: more", "--learning-rate: expected: more"),
        ("content a.png: no such file", "content a.png: no such file"),
        ("size", "size"),
    ],
)
def test_only_a_parameter_at_the_beginning_is_replaced(message: str, shown: str) -> None:
    assert error_text(OptionError(message), command("refine")) == shown
    assert error_text(OptionError(message), None) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["refine", "--learning-rate", "2"], "--learning-rate: expected over 0"),
        (["refine", "--time-budget", "0"], "--time-budget: expected more than 0 seconds"),
        (["refine", "--style-layer", "relu1_1:-1"], "--style-layer: expected a weight of 0 or more for relu1_1"),
        (["refine", "--content-weight", "0", "--style-weight", "0"], "--content-weight: expected more than 0 where"),
        (["fast", "--mask", "a.png", "--mask", "b.png"], "--mask: expected one mask; received 2"),
        (["compare", "--image", "a.png", "--tv-weight", "3", "--steps", "2"], "received --steps, --tv-weight"),
    ],
)
def test_commands_name_their_flags(
    arguments: list[str], message: str, inputs: tuple[object, ...], fake: ApiStandIn
) -> None:
    name, *options = arguments
    assert message in one_line(run(name, *inputs, *options, exit_code=2).stderr)
    assert fake.calls == []


def test_several_contents_name_the_flag_for_each_failure(
    inputs: tuple[object, ...], fake: ApiStandIn, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: object, **keywords: object) -> None:
        raise StylizeError("output: too large")

    monkeypatch.setattr("stylize.api.fast", failing)
    told = run("fast", *inputs, "-c", pictures[1], exit_code=1).stderr
    assert told.splitlines() == ["stylize: --output: too large"] * 2

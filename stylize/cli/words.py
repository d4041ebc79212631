"""A config back to the words of the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from stylize.cli.options import file_options, provenance_option, quality_option, refine_options
from stylize.cli.types import KeepColorsOption
from stylize.config import RefineConfig
from stylize.errors import OptionError
from stylize.output import DEFAULT_OUTPUT, OutputConfig
from stylize.presets import PRESETS

__all__ = ["arguments_of", "arguments_of_output"]

Command = TypeVar("Command", bound=Callable[..., Any])


def arguments_of(config: RefineConfig) -> list[str]:
    """Return the options that make `config`: the preset that needs the fewest, and what differs from it.

    Raises:
        OptionError: no options make the config.
    """
    declared = [each for each in click.Command("", params=_declared(refine_options)).params if each.name != "preset"]
    found = []
    for name, preset in PRESETS.items():
        changed = {
            str(option.name): (option, value)
            for option in declared
            if (value := _value(config, option.name)) != _value(preset.config, option.name)
        }
        if preset.config.replace(**{field: value for field, (_, value) in changed.items()}) == config:
            words = [] if name == "default" else ["--preset", name]
            # A time budget replaces the steps, and a command refuses both.
            told = [pair for field, pair in changed.items() if field != "steps" or config.time_budget is None]
            found.append(words + [word for pair in told for word in _words(*pair)])
    if not found:
        raise OptionError("expected a config that options of refine make, received one with values that have none")
    return min(found, key=len)


def arguments_of_output(output: OutputConfig) -> list[str]:
    """Return the options that differ from the default."""
    declared = [each for option in (quality_option, file_options, provenance_option) for each in _declared(option)]
    values = [(option, getattr(output, str(option.name))) for option in declared]
    changed = [(option, value) for option, value in values if value != getattr(DEFAULT_OUTPUT, str(option.name))]
    return [word for pair in changed for word in _words(*pair)]


def _declared(options: Callable[[Command], Command]) -> list[click.Parameter]:
    return click.command()(options(lambda: None)).params  # type: ignore[arg-type]


def _value(config: RefineConfig, field: str | None) -> Any:
    return next(getattr(part, str(field)) for part in (config, *vars(config).values()) if hasattr(part, str(field)))


def _words(option: click.Parameter, value: Any) -> list[str]:
    """Return an option and its value as they are typed."""
    if isinstance(option, KeepColorsOption) and value:
        return [option.opts[0], value]
    if isinstance(value, bool):
        return [(option.opts if value else option.secondary_opts)[0]]
    if isinstance(value, tuple):
        return [word for name, weight in value for word in (option.opts[0], f"{name}:{_number_text(weight)}")]
    return [option.opts[0], _number_text(value) if isinstance(value, float) else str(value)]


def _number_text(number: float) -> str:
    """Return the shortest text that reads back as the same number."""
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)

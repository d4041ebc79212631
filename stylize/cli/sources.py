"""Where the value of an option comes from: the command line, a variable, the config file, a preset or a default."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
from click.core import ParameterSource

from stylize.cli.flags import option_of
from stylize.cli.settings import config_file, is_setting, setting_name, settings_in_force, top_command, variables
from stylize.config import RefineConfig
from stylize.errors import OptionError, StylizeError
from stylize.output import DEFAULT_OUTPUT, OutputConfig
from stylize.presets import PRESETS

__all__ = ["errors_with_places", "fitting_output", "is_asked", "is_user_default", "recorded_sources", "user_defaults"]

# Options of how a command speaks: they change no picture.
_SPOKEN = ("json", "progress", "quiet", "verbose", "offline", "show")


def is_user_default(name: str) -> bool:
    """Return whether the value of the running command's parameter comes from a variable or from the config file."""
    source = click.get_current_context().get_parameter_source(name)
    return source in (ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)


def user_defaults(names: Iterable[str]) -> frozenset[str]:
    """Return those of the running command's parameters whose values come from a variable or from the config file."""
    return frozenset(name for name in names if is_user_default(name))


def is_asked(name: str) -> bool:
    """Return whether the running command's parameter was given on the command line."""
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def recorded_sources(ctx: click.Context) -> dict[str, str]:
    """Return where the options of a picture come from, by the parameter's name; defaults are left out."""
    sources = {}
    for option in ctx.command.params:
        name, source = option.name or "", ctx.get_parameter_source(option.name or "")
        if not isinstance(option, click.Option) or setting_name(option) in _SPOKEN:
            continue
        if not is_setting(top_command(ctx), setting_name(option)):
            continue
        if source is ParameterSource.COMMANDLINE:
            sources[name] = "command line"
        elif source is ParameterSource.ENVIRONMENT:
            sources[name] = _variable(ctx, option)
        elif source is ParameterSource.DEFAULT_MAP:
            sources[name] = "config file"
    preset = ctx.params.get("preset") or "default"
    of_preset = _fields(PRESETS[preset].config) if preset in PRESETS else {}
    defaults = _fields(RefineConfig())
    return {
        **{name: f"preset {preset}" for name, value in of_preset.items() if value != defaults[name]},
        **sources,
    }


def fitting_output(output: OutputConfig, suffix: str, asks_for: Callable[[str], bool] | None = None) -> OutputConfig:
    """Return how a picture is written, without a quality or bit depth that the format lacks and nobody asked for.

    Args:
        output: the options. Those that were asked for are kept, so that a check refuses them.
        suffix: of the format, such as png or .PNG.
        asks_for: whether this command asks for an option; None: if it is no default of the user's.
    """
    suffix = suffix.lower().removeprefix(".")
    asks_for = asks_for or (lambda name: not is_user_default(name))
    names = [name for name in ("quality", "bit_depth") if not asks_for(name)]
    if not names:
        return output
    from stylize.images.animation import ANIMATED_SUFFIXES, check_animation
    from stylize.images.writing import SUFFIXES, check_format

    check = check_format if suffix in SUFFIXES else check_animation if suffix in ANIMATED_SUFFIXES else None
    for name in names:
        if check is not None:
            try:
                check(suffix, dataclasses.replace(DEFAULT_OUTPUT, **{name: getattr(output, name)}))
            except OptionError:
                output = dataclasses.replace(output, **{name: getattr(DEFAULT_OUTPUT, name)})
    return output


@contextlib.contextmanager
def errors_with_places(ctx: click.Context) -> Iterator[None]:
    """Turn an error about a value of a variable or of the config file into one that names the variable or the file.

    Raises:
        StylizeError: the value is wrong. The exit code is then 1: the command line is right.
    """
    try:
        yield
    except click.BadParameter as error:
        place = _place(ctx, error.param)
        if place is None:
            raise
        raise StylizeError(f"{place}: {error.message}") from error
    except OptionError as error:
        parameter, colon, message = str(error).partition(": ")
        place = _place(ctx, option_of(ctx.command, parameter)) if colon else None
        if place is None:
            raise
        raise StylizeError(f"{place}: {message}") from error


def _place(ctx: click.Context, option: click.Parameter | None) -> str | None:
    """Return the variable, or the file and the setting, that an option's value comes from; None for other sources."""
    if option is None:
        return None
    source = ctx.get_parameter_source(option.name or "")
    if source is ParameterSource.ENVIRONMENT:
        return _variable(ctx, option)
    if source is not ParameterSource.DEFAULT_MAP:
        return None
    command, name = top_command(ctx), setting_name(option)
    mine = [s for s in settings_in_force(ctx, config_file()) if s.name == name and s.command in (None, command)]
    return max(mine, key=lambda setting: setting.command is not None).label if mine else None


def _variable(ctx: click.Context, option: click.Parameter) -> str:
    return next(name for name in variables(top_command(ctx), setting_name(option)) if os.environ.get(name))


def _fields(config: RefineConfig) -> dict[str, Any]:
    """Return the options of a refinement and of its parts by name."""
    fields: dict[str, Any] = {}
    for name, value in vars(config).items():
        fields.update(vars(value) if dataclasses.is_dataclass(value) else {name: value})
    return fields

"""`stylize config`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from stylize.cli.command import Group
from stylize.cli.console import Run, table
from stylize.cli.run import with_run
from stylize.cli.settings import (
    Setting,
    config_file,
    default_value,
    find_option,
    is_setting,
    options_by_command,
    parsed_file,
    settings_in_force,
)
from stylize.config import AppConfig, FastConfig, RefineConfig
from stylize.errors import OptionError, StylizeError
from stylize.files import whole_file, write_errors
from stylize.output import OutputConfig
from stylize.presets import with_options

__all__ = ["config"]


@click.group(cls=Group, invoke_without_command=True)
@with_run
@click.pass_context
def config(ctx: click.Context, run: Run) -> None:
    """Show, set and unset defaults: options that need not be given each time.

    Without a command, list all defaults in force, and where each comes from. An option of the command line comes
    first, then a variable such as STYLIZE_SIZE or STYLIZE_REFINE_SIZE, then the file, then the preset.
    """
    if ctx.invoked_subcommand is not None:
        return
    path = config_file()
    settings = settings_in_force(ctx, path)
    options = options_by_command(ctx)
    for setting in settings:
        if setting.source == "STYLIZE_OFFLINE":  # takes any text
            continue
        try:
            _checked(ctx, find_option(options, setting.command, setting.name, setting.label), setting)
        except (OptionError, click.UsageError) as error:
            raise StylizeError(_with_label(error, setting)) from error
    if not settings:
        run.say(f"no defaults; `stylize config set size 1024` keeps one in {path}")
    rows = [[each.name, _text(each.value), each.command or "all", each.source] for each in settings]
    data = [dataclasses.asdict(each) for each in settings]
    run.result(data, table(["option", "value", "command", "from"], rows) if rows else [])


def _complete_name(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the name of a setting: for all commands, or after the name of one and a point."""
    command, dot, _ = incomplete.rpartition(".")
    names = {
        f"{command}{dot}{name}": option
        for key, options in options_by_command(ctx).items()
        for name, option in options.items()
        if command in ("", key) and is_setting(key, name)
    }
    return [CompletionItem(name, help=names[name].help) for name in sorted(names) if name.startswith(incomplete)]


@config.command("set")
@click.argument("name", shell_complete=_complete_name)
@click.argument("values", nargs=-1, required=True, metavar="VALUE...")
@with_run
@click.pass_context
def set_default(ctx: click.Context, run: Run, name: str, values: tuple[str, ...]) -> None:
    """Keep a default in the file.

    NAME is the name of an option, such as size, for all commands, or refine.size for one. An option that may be
    repeated takes several values.
    """
    setting = _named(name, list(values) if len(values) > 1 else values[0])
    options = find_option(options_by_command(ctx), setting.command, setting.name, setting.label)
    try:
        value = _checked(ctx, options, setting)
    except (OptionError, StylizeError, click.UsageError) as error:
        raise click.UsageError(_with_label(error, setting)) from error
    path = config_file()
    document = parsed_file(path)
    section = _section(document, setting, path)
    section[_spelling(section, setting.name)] = value
    _write(path, document.as_string())
    run.result(
        {"name": setting.name, "command": setting.command, "value": value, "file": path},
        f"{setting.key} = {_text(value)}",
    )


@config.command()
@click.argument("name", shell_complete=_complete_name)
@with_run
def unset(run: Run, name: str) -> None:
    """Remove a default from the file."""
    setting, path = _named(name, ""), config_file()
    document = parsed_file(path)
    section = _section(document, setting, path)
    spelling = _spelling(section, setting.name)
    if spelling not in section or isinstance(section[spelling], dict):
        raise StylizeError(f"{name}: is not set in {path}; `stylize config` lists what is")
    del section[spelling]
    _write(path, document.as_string())
    run.result({"name": setting.name, "command": setting.command, "file": path}, f"removed {setting.key}")


@config.command("path")
@with_run
def print_path(run: Run) -> None:
    """Print where the file is, or would be."""
    path = config_file()
    run.result({"path": path, "exists": path.exists()}, str(path))


def _named(name: str, value: Any) -> Setting:
    command, dot, option = name.rpartition(".")
    return Setting(option.lstrip("-").replace("_", "-"), command if dot else None, value)


def _checked(ctx: click.Context, options: dict[str, click.Option], setting: Setting) -> Any:
    """Return a setting's value for the file, after a check by every option that it is the default of.

    Raises:
        OptionError, UsageError, StylizeError: the value is not one of an option.
    """
    value: Any = setting.value
    for option in options.values():
        given = default_value(option, setting)
        if given in ("", []):
            raise OptionError("expected a value, received an empty text")
        converted = option.type_cast_value(ctx, given)
        field = option.name or ""
        try:
            _check_value(field, converted)
        except OptionError as error:
            raise OptionError(str(error).removeprefix(f"{field}: ")) from error
        # Other values, such as a path, stay as they are written.
        value = converted if isinstance(converted, (bool, int, float, str)) else given
    return value


def _check_value(field: str, value: Any) -> None:
    """Raise OptionError for a value that no config and no batch takes in a field."""
    if field in ("content_layers", "style_layers"):
        with_options(RefineConfig(), {field: value})
    elif field in _OF_BATCH:
        _OF_BATCH[field](value)
    else:
        for part in (FastConfig(), RefineConfig(), *vars(RefineConfig()).values(), OutputConfig(), AppConfig()):
            if dataclasses.is_dataclass(part) and not isinstance(part, type) and hasattr(part, field):
                dataclasses.replace(part, **{field: value})


def _check_pairs(value: str) -> None:
    from stylize.batch.jobs import Pairing

    Pairing.parse(value, 0)


def _check_template(value: str) -> None:
    from stylize.batch.jobs import Naming

    Naming(value, "png")


def _check_suffix(value: str) -> None:
    from stylize.images.writing import checked_suffix

    checked_suffix(value)


# Options of batch that `batch` checks itself.
_OF_BATCH: dict[str, Callable[[str], None]] = {
    "pairs": _check_pairs, "template": _check_template, "suffix": _check_suffix,
}  # fmt: skip


def _with_label(error: Exception, setting: Setting) -> str:
    """Return the error's message after the setting's label, once."""
    message = error.format_message() if isinstance(error, click.UsageError) else str(error)
    if isinstance(error, click.BadParameter):
        message = error.message
    message = message.removeprefix(f"{setting.label}: ")
    beginning, _, rest = message.partition(": ")
    return f"{setting.label}: {rest if beginning.replace('_', '-') == setting.name else message}"


def _section(document: Any, setting: Setting, path: Path) -> Any:
    """Return the part of the file that holds a setting. Raises StylizeError where the part is a value."""
    section = document if setting.command is None else document.setdefault(setting.command, {})
    if not isinstance(section, dict):
        raise StylizeError(f"{path}: expected a section [{setting.command}], received a value; remove it from the file")
    return section


def _spelling(section: Any, name: str) -> str:
    """Return a setting's name as the section spells it: `tv-weight` or `tv_weight`."""
    return next((each for each in (name, name.replace("-", "_")) if each in section), name)


def _write(path: Path, text: str) -> None:
    with write_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path, "config", overwrite=True) as temporary:
        Path(temporary).write_text(text, "utf-8", newline="")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)

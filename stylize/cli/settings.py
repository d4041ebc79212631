"""Defaults of the user: from a TOML file, and from variables of the environment.

A setting has the name of an option's flag, such as `size` or `tv-weight`, and holds for all commands that have the
option, or for one command. click takes the values: variables by `Option.envvar`, the file by `Context.default_map`.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from stylize.cli.types import KeepColorsOption
from stylize.errors import OptionError, StylizeError
from stylize.text import one_line

__all__ = [
    "Setting",
    "config_file",
    "default_map",
    "default_value",
    "file_settings",
    "find_option",
    "is_setting",
    "options_by_command",
    "parsed_file",
    "setting_name",
    "settings_in_force",
    "top_command",
    "variables",
]

_PREFIX = "STYLIZE_"

# Variables that are no options.
_OWN = ("STYLIZE_HOME", "STYLIZE_OFFLINE", "STYLIZE_CONFIG")

_OF_ONE_RUN = "names a file of one run"
_ASKED_EACH_TIME = "is asked for each time"

# Options that are no settings, with the reason.
_REFUSED = {
    **dict.fromkeys(("content", "style", "mask", "image", "manifest", "output", "animate", "plot"), _OF_ONE_RUN),
    **dict.fromkeys(("resume", "overwrite", "grid", "strengths", "watch"), _ASKED_EACH_TIME),
}

# Commands without settings: they must work where the settings are wrong.
_WITHOUT_SETTINGS = ("config", "completion")

# `rerun` repeats a picture whatever the settings are.
_REPEATED = ("backend", "device", "quality", "bit-depth", "keep-metadata", "provenance")

_HELP_OPTIONS = ("help", "version")


@dataclasses.dataclass(frozen=True)
class Setting:
    """A setting that the user made.

    Attributes:
        name: the flag's name, such as tv-weight.
        command: the command that it holds for; None for all.
        value: text, a number, True, False, or a list of texts.
        source: the variable or the file; empty for one that is to be set.
    """

    name: str
    command: str | None
    value: Any
    source: str = ""

    @property
    def key(self) -> str:
        """The setting as `stylize config set` takes it, such as `size` or `refine.size`."""
        return self.name if self.command is None else f"{self.command}.{self.name}"

    @property
    def label(self) -> str:
        """The setting as an error names it."""
        if not self.source or self.source.startswith(_PREFIX):
            return self.source or self.key
        return f"{self.source}: {f'[{self.command}] ' if self.command else ''}{self.name}"


def config_file() -> Path:
    """Return the file of the settings, which may not exist: $STYLIZE_CONFIG, or a file in the user's configuration."""
    if chosen := os.environ.get("STYLIZE_CONFIG"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_config_path

    return user_config_path("stylize", appauthor=False) / "config.toml"


# --------------------------------------------------------------------------------------------------------------------
# Options


def setting_name(option: click.Parameter) -> str:
    """Return the name of an option's setting, such as `tv-weight`."""
    return max(option.opts, key=len).lstrip("-")


def top_command(ctx: click.Context) -> str:
    """Return the name of the running command; of `models list`, this is `models`."""
    while ctx.parent is not None and ctx.parent.parent is not None:
        ctx = ctx.parent
    return ctx.info_name or ""


def options_by_command(ctx: click.Context) -> dict[str, dict[str, click.Option]]:
    """Return the options of all commands: by command, by the setting's name."""
    root = ctx.find_root().command
    assert isinstance(root, click.Group)
    found: dict[str, dict[str, click.Option]] = {}
    for name in root.list_commands(ctx):
        command = root.get_command(ctx, name)
        if name not in _WITHOUT_SETTINGS and command is not None:
            leaves = command.commands.values() if isinstance(command, click.Group) else [command]
            options = (each for leaf in leaves for each in leaf.params if isinstance(each, click.Option))
            found[name] = {setting_name(option): option for option in options if setting_name(option) != "help"}
    return found


def is_setting(command: str, name: str) -> bool:
    """Return whether an option of a command takes a default of the user's."""
    return command not in _WITHOUT_SETTINGS and name not in _HELP_OPTIONS and _why_refused(command, name) is None


def _hint(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), 1)
    return f"; perhaps {close[0]}" if close else ""


def _why_refused(command: str | None, name: str) -> str | None:
    if command == "rerun" and name in _REPEATED:
        return "is that of the picture that is repeated"
    return _REFUSED.get(name)


def find_option(
    options: Mapping[str, Mapping[str, click.Option]], command: str | None, name: str, label: str
) -> dict[str, click.Option]:
    """Return the options that a setting is the default of, by command.

    Args:
        options: of all commands.
        command: the command that the setting is for; None for all.
        name: the setting's name.
        label: what an error calls the setting.

    Raises:
        OptionError: there is no such option, or the option has no default of the user's.
    """
    if command is not None and command not in options:
        known = ", ".join(options)
        raise OptionError(f"{label}: expected a command out of {known}; received {one_line(command)}")
    found = {each: those[name] for each, those in options.items() if name in those and command in (None, each)}
    if not found:
        those_of = [(key, each) for key, those in options.items() if command in (None, key) for each in those]
        hint = _hint(name, {each for key, each in those_of if is_setting(key, each)})
        of = f"stylize {command}" if command else "stylize"
        raise OptionError(f"{label}: expected the name of an option of {of}, received {one_line(name)}{hint}")
    allowed = {each: option for each, option in found.items() if _why_refused(each, name) is None}
    if not allowed:
        raise OptionError(f"{label}: has no default, because {name} {_why_refused(command, name)}")
    return allowed


# --------------------------------------------------------------------------------------------------------------------
# The file


def parsed_file(path: Path) -> Any:
    """Return the file as a document of tomlkit, which keeps comments; an empty document where there is no file.

    Raises:
        StylizeError: the file cannot be read or is not TOML.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(path.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        return tomlkit.document()
    except OSError as error:
        raise StylizeError(f"{path}: could not be read: {error.strerror or error}") from error
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise StylizeError(f"{path}: expected TOML such as `size = 1024`, received: {one_line(error)}") from error


def file_settings(path: Path) -> list[Setting]:
    """Return the settings of a file, none where there is no file; names and values are not checked.

    Raises:
        StylizeError: the file cannot be read, is not TOML, or has values of a kind that no option has.
    """
    if not os.path.lexists(path):
        return []
    found: list[Setting] = []
    for key, value in parsed_file(path).unwrap().items():
        entries = value.items() if isinstance(value, dict) else [(key, value)]
        for name, entry in entries:
            command = key if isinstance(value, dict) else None
            setting = Setting(name.replace("_", "-"), command, entry, str(path))
            values = entry if isinstance(entry, list) else [entry]
            if not all(isinstance(each, (str, int, float)) for each in values):
                raise StylizeError(f"{setting.label}: expected text, a number, true or false; received {entry!r}")
            if any((each.name, each.command) == (setting.name, command) for each in found):
                raise StylizeError(f"{setting.label}: expected once, received twice")
            found.append(setting)
    return found


# --------------------------------------------------------------------------------------------------------------------
# Variables


def variables(command: str, name: str) -> list[str]:
    """Return the variables that set an option of a command, in the order in which they count."""
    if not is_setting(command, name):
        return []
    word = name.upper().replace("-", "_")
    own = f"{_PREFIX}{command.upper()}_{word}"
    # STYLIZE_OFFLINE takes any text, see `networks.pulling.is_offline`.
    return [own] if name == "offline" else [own, f"{_PREFIX}{word}"]


def _variable_settings(options: Mapping[str, Mapping[str, click.Option]]) -> list[Setting]:
    """Return what the variables set. Raises StylizeError for a variable of our prefix that is no option's."""
    known = {}
    for command, those in options.items():
        for name in those:
            word = name.upper().replace("-", "_")
            known[f"{_PREFIX}{command.upper()}_{word}"] = Setting(name, command, "", "")
            known[f"{_PREFIX}{word}"] = Setting(name, None, "", "")
    found = []
    for variable, value in sorted(os.environ.items()):
        if not variable.startswith(_PREFIX) or not value or variable in ("STYLIZE_HOME", "STYLIZE_CONFIG"):
            continue
        if variable not in known:
            usual = {each for each, setting in known.items() if setting.name not in _REFUSED}
            hint = _hint(variable, usual | set(_OWN))
            raise StylizeError(f"{variable}: expected the variable of an option, such as STYLIZE_SIZE{hint}")
        found.append(dataclasses.replace(known[variable], value=value, source=variable))
    return found


# --------------------------------------------------------------------------------------------------------------------
# Both


def settings_in_force(ctx: click.Context, path: Path) -> list[Setting]:
    """Return the settings of the variables, and those of the file that no variable replaces. Their names are checked.

    Raises:
        StylizeError: the file is damaged, or a name is no option's.
    """
    in_file = file_settings(path)
    options = options_by_command(ctx)
    in_variables = _variable_settings(options)
    for setting in (*in_variables, *in_file):
        try:
            find_option(options, setting.command, setting.name, setting.label)
        except OptionError as error:
            raise StylizeError(str(error)) from error
    replaced = {(each.name, each.command) for each in in_variables}
    return [*in_variables, *(s for s in in_file if not replaced & {(s.name, s.command), (s.name, None)})]


def default_map(ctx: click.Context, options: Iterable[click.Parameter]) -> dict[str, Any]:
    """Return the values of the file for the options of the running command, by the parameter's name.

    Raises:
        StylizeError: as of `settings_in_force`.
    """
    command = top_command(ctx)
    if command in _WITHOUT_SETTINGS:
        return {}
    path = config_file()
    # All commands are imported to check names: only where there is something to check.
    any_is_set = os.path.lexists(path) or any(name.startswith(_PREFIX) and name not in _OWN for name in os.environ)
    in_force = settings_in_force(ctx, path) if any_is_set else []
    settings = [each for each in in_force if not each.source.startswith(_PREFIX)]
    values: dict[str, Any] = {}
    for option in options:
        mine = [each for each in settings if each.name == setting_name(option) and each.command in (None, command)]
        if mine and isinstance(option, click.Option) and is_setting(command, mine[0].name):
            values[option.name or ""] = default_value(option, max(mine, key=lambda each: each.command is not None))
    if os.environ.get("STYLIZE_OFFLINE"):
        from stylize.networks.pulling import is_offline

        values["offline"] = is_offline(False)
    return values


def default_value(option: click.Option, setting: Setting) -> Any:
    """Return a setting's value as an option takes it: text, True, False, or a list of texts.

    Raises:
        StylizeError: the value is a list, and the option takes one value.
    """
    if isinstance(setting.value, list) and not option.multiple:
        raise StylizeError(f"{setting.label}: expected one value, received a list of {len(setting.value)}")
    if option.multiple:
        return [str(each) for each in (setting.value if isinstance(setting.value, list) else [setting.value])]
    if isinstance(setting.value, bool):
        return setting.value if option.is_flag or isinstance(option, KeepColorsOption) else str(setting.value).lower()
    return str(setting.value)

"""The options of `stylize batch`: all options of `fast` and `refine`, on the command line and as columns of a table."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Callable, Mapping, Set
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stylize.cli.options import fast_options, given, named_choices, refine_config_of, refine_options, steps_or_time
from stylize.config import FastConfig, RefineConfig
from stylize.errors import OptionError

if TYPE_CHECKING:
    from stylize.batch.jobs import Cells, ConfigOf

__all__ = ["COLUMNS", "batch_config", "batch_options", "config_of_cells"]

Command = TypeVar("Command", bound=Callable[..., Any])

_HELP = {
    "size": "Long side in px; N%: of the photo's.",
    "network": "The network that paints, or paints the previews of refine: {choices}.",
    "seed": "Seed of the draw of --pairs random and of refine's noise.",
}


def _declared_options() -> dict[str, click.Option]:
    """Return all options of fast and refine by name; an option of both appears once."""

    @fast_options
    @refine_options
    def declared() -> None: ...

    options: dict[str, click.Option] = {}
    for option in reversed(declared.__click_params__):  # type: ignore[attr-defined]
        if option.name in _HELP:
            option.help = (
                named_choices(_HELP[option.name], option.type) + option.help[option.help.index("  [default") :]
            )
        options.setdefault(option.name, option)
    # No default, so that fast can refuse a preset that is given.
    options["preset"].default, options["preset"].show_default = None, False
    return options


_OPTIONS = _declared_options()

#: The option that a table's column sets, by the column's name in small letters with `-` between words. A column has the
#: name of the option's flag (`tv-weight`) or of its field in the config (`total-variation-weight`).
COLUMNS: Mapping[str, str] = {
    "recipe": "preset",  # the column's name in tables of earlier versions
    **{
        column: name
        for name, option in _OPTIONS.items()
        for column in (option.opts[0].lstrip("-"), name.replace("_", "-"))
    },
}


def batch_options(command: Command) -> Command:
    """Give a command all options of fast and refine."""
    command.__click_params__ = [*getattr(command, "__click_params__", ()), *reversed(_OPTIONS.values())]  # type: ignore[attr-defined]
    return command


def batch_config(mode: str, options: Mapping[str, Any], defaults: Set[str] = frozenset()) -> FastConfig | RefineConfig:
    """Return the config of a job.

    Args:
        mode: fast or refine.
        options: the values of the options of fast and refine; None or () for an option that is not given.
        defaults: the options that nobody asked for, such as the user's defaults. With fast, those of refine do not
            count.

    Raises:
        OptionError: an option belongs to refine and the mode is fast, or a value is out of range.
    """
    explicit = given(options)
    if mode == "refine":
        return refine_config_of(explicit.pop("preset", "default"), explicit, defaults)
    fields = {field.name for field in dataclasses.fields(FastConfig)}
    for name in [name for name in explicit if name not in fields]:
        if name in defaults:
            del explicit[name]
        else:
            raise OptionError(f"{_OPTIONS[name].opts[0]}: an option of --mode refine, received --mode fast")
    return FastConfig(**explicit)


def config_of_cells(mode: str, options: Mapping[str, Any], defaults: Set[str] = frozenset()) -> ConfigOf:
    """Return a function that makes the config of a table's row: the run's options, replaced by the row's cells.

    Args:
        mode: the run's mode, fast or refine; a row's cell `mode` replaces the run's mode.
        options: as of `batch_config`.
        defaults: as of `batch_config`. Where the run's mode is refine and the row's is fast, no option of refine counts
            that the row does not set itself.
    """
    of_run = steps_or_time(options, defaults)

    @functools.lru_cache(maxsize=1024)  # a limit, because a million rows may all differ
    def config_of(cells: Cells) -> FastConfig | RefineConfig:
        row = dict(cells)
        own_mode = row.pop("mode", mode)
        if own_mode not in ("fast", "refine"):
            raise OptionError(f"mode: expected fast or refine, received {own_mode!r}")
        values = {**of_run, **{name: _value(name, text) for name, text in row.items()}}
        # The run's seed is also that of --pairs random. A row's steps count in place of the run's time budget.
        passed_over = defaults | {"seed", "steps", "time_budget"} if own_mode == mode else options.keys()
        return batch_config(own_mode, values, passed_over - row.keys())

    return config_of


def _value(name: str, text: str) -> Any:
    """Return the value of an option from a table's text; `;` separates several layers. Raises OptionError."""
    option = _OPTIONS[name]
    if isinstance(option.type, click.types.IntParamType):
        text = re.sub(r"\.0*$", "", text)  # spreadsheets and data frames write 64.0
    try:
        if option.multiple:
            return tuple(option.type(part.strip(), option, None) for part in text.split(";"))
        return option.type(text, option, None)
    except click.UsageError as error:
        if re.fullmatch(r"[-+]?\d+,\d+", text):
            flag = option.opts[0].lstrip("-")
            raise OptionError(f"{flag}: expected a number with a point, such as 0.5, received {text!r}") from error
        raise OptionError(f"{option.opts[0].lstrip('-')}: {error.message}") from error

"""The commands' common base: defaults of the user, and help by topics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.core import ParameterSource

from stylize.cli.console import to_standard_output
from stylize.cli.settings import default_map, setting_name, top_command, variables
from stylize.cli.sources import errors_with_places
from stylize.cli.topics import by_topic
from stylize.presets import PRESETS

__all__ = ["Command", "Group"]

# Commands with fewer options list them without topics.
_MANY_OPTIONS = 15

# The widest column of flags in the help; text of longer flags begins on the next line.
_FLAGS_WIDTH = 22


class Command(click.Command):
    """A command whose options take defaults from variables and from the config file."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        """Create the command.

        Args:
            args: as of click.
            examples: command lines at the end of the help, of at most 56 characters.
            settings: as of click.
        """
        super().__init__(*args, **settings)
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words. Raises StylizeError for a wrong variable or config file."""
        asks_for_help = any(flag in args for flag in ctx.help_option_names)
        if not ctx.resilient_parsing and not asks_for_help:
            for option in self.params:
                if isinstance(option, click.Option):
                    option.envvar = variables(top_command(ctx), setting_name(option))
            ctx.default_map = {**default_map(ctx, self.params), **_given_to_group(ctx)}
        with errors_with_places(ctx), to_standard_output():  # --help prints
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors about defaults name their places."""
        with errors_with_places(ctx):
            return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options by topics."""
        lines = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                lines[setting_name(param)] = record
        topics = by_topic(lines) if len(lines) >= _MANY_OPTIONS else {"Options": list(lines)}
        for topic, names in topics.items():
            with formatter.section(topic):
                formatter.write_dl([lines[name] for name in names], col_max=_FLAGS_WIDTH)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the presets and the examples."""
        if any(param.name == "preset" for param in self.params):
            with formatter.section("Presets"):
                # The source alone: the rest of a description is for the documentation.
                formatter.write_dl([(name, each.description.partition(": ")[0]) for name, each in PRESETS.items()])
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words. Raises StylizeError where --help cannot be printed."""
        with to_standard_output():
            return super().parse_args(ctx, args)


def _given_to_group(ctx: click.Context) -> dict[str, Any]:
    """Return the options that stand before the command's name, such as --json in `config --json path`."""
    group = ctx.parent
    if group is None:
        return {}
    return {n: v for n, v in group.params.items() if group.get_parameter_source(n) is ParameterSource.COMMANDLINE}

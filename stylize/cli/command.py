"""The commands' common base: defaults of the user, and help by topics."""

from __future__ import annotations

from typing import Any

import click

from stylize.cli.settings import default_map, setting_name, top_command, variables
from stylize.cli.sources import errors_with_places

__all__ = ["Command", "Group"]


class Command(click.Command):
    """A command whose options take defaults from variables and from the config file."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words. Raises StylizeError for a wrong variable or config file."""
        asks_for_help = any(flag in args for flag in ctx.help_option_names)
        if not ctx.resilient_parsing and not asks_for_help:
            for option in self.params:
                if isinstance(option, click.Option):
                    option.envvar = variables(top_command(ctx), setting_name(option))
            ctx.default_map = default_map(ctx, self.params)
        with errors_with_places(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors about defaults name their places."""
        with errors_with_places(ctx):
            return super().invoke(ctx)


class Group(click.Group):
    """A group of such commands."""

    command_class = Command

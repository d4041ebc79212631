"""The command line: the group of all commands, and exit codes.

Exit codes: 0 for success; 1 with one line for an error that the user can mend (StylizeError); 2 for misuse, before any
work; 130 after Ctrl-C (0 for `app` and `fast --watch`, which end so), 143 after SIGTERM, 129 after SIGHUP. Any other
exception keeps its traceback. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

import click

from stylize._version import __version__
from stylize.cli.console import to_standard_output
from stylize.cli.printing import open_missing_streams, print_line, printable
from stylize.cli.signals import ENDING, Ended, end, handled
from stylize.errors import OptionError, StylizeError
from stylize.text import without_users

__all__ = ["main"]

# By name: the module in `commands`, and the line in the list of commands. A module is imported when its command runs.
_COMMANDS = {
    "fast": ("fast", "Paint at once, by a feed-forward network."),
    "refine": ("refine", "Paint well, by Gatys' optimisation of the pixels under a feature network."),
    "compare": ("compare", "Paint both ways and show them side by side, with numbers."),
    "batch": ("batch", "Paint many pictures: folders, globs, URLs, or the rows of a table."),
    "styles": ("styles", "Show the project's own styles, which are given by name: -s @swirls."),
    "demo": ("demo", "Compare on pictures that come with the package."),
    "info": ("info", "Print how a picture was made."),
    "rerun": ("rerun", "Paint a picture again, by the provenance inside it."),
    "config": ("config", "Show, set and unset defaults: options that need not be given each time."),
    "completion": ("completion", "Print the script that makes a shell complete commands, options and values."),
    "doctor": ("doctor", "Print what a bug report needs: versions, backends, devices, memory, precision, networks."),
    "models": ("models", "List, get and check the networks."),
    "app": ("app", "Open the web page: drop a photo, choose a style, see the preview, refine it."),
}

_ON_WINDOWS = os.name == "nt"

# Exit code after Ctrl-C: 128 + SIGINT, as of shells.
_INTERRUPTED = 130


class _Program(click.Group):
    """Imports commands when they run, and turns errors that the user can mend into one line and an exit code."""

    def main(self, args: Sequence[str] | None = None, *others: Any, **settings: Any) -> Any:
        """Run the program.

        On Windows, click would expand all globs. But `photo[1].jpg` may be a name, and `batch` expands globs itself.
        """
        if args is None and _ON_WINDOWS:
            args = [os.path.expanduser(word) if re.match(r"~[\\/]|~$", word) else word for word in sys.argv[1:]]
        return super().main(args, *others, **settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"stylize.cli.commands.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest a similar name for one that no command has. click knows only commands that are imported."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=_COMMANDS, ctx=ctx) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete names of commands without their modules."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        found = {name: line for name, (_, line) in _COMMANDS.items() if name.startswith(incomplete)}
        return [CompletionItem(name, help=line) for name, line in found.items()]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            with to_standard_output():  # --help and --version print
                return super().parse_args(ctx, args)
        except StylizeError as error:
            print_line(f"stylize: {error}", error=True)
            ctx.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        open_missing_streams()
        try:
            with handled(ENDING, end):
                return super().invoke(ctx)
        except click.UsageError as error:
            message = error.format_message()
            shown = without_users("\n".join(map(printable, message.split("\n"))))
            if shown == message:
                raise
            raise click.UsageError(shown, error.ctx) from error
        except OptionError as error:
            raise click.UsageError(printable(self._text(ctx, error))) from error
        except StylizeError as error:
            print_line(f"stylize: {self._text(ctx, error)}", error=True)
            ctx.exit(1)
        except MemoryError as error:  # NumPy's tells how much was asked for.
            refused = f" ({printable(str(error))})" if str(error) else ""
            print_line(f"stylize: out of memory{refused}; make the picture smaller", error=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            print_line("stylize: interrupted", error=True)
            ctx.exit(_INTERRUPTED)
        except Ended as ended:
            print_line(f"stylize: ended by {ended.name}", error=True)
            raise

    def _text(self, ctx: click.Context, error: StylizeError) -> str:
        from stylize.cli.flags import error_text

        return error_text(error, self.get_command(ctx, ctx.invoked_subcommand or ""))


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stylize")
def main() -> None:
    """Paint a photograph in the style of a picture.

    `fast` gives a preview at once, `refine` a high quality picture, `compare` both side by side with numbers.
    """

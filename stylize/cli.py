"""The command line: the group of all commands, and exit codes.

Exit codes: 0; 1 with one line for what the user can mend (StylizeError); 2 for misuse, before any work; 130
after Ctrl-C. Any other exception keeps its traceback. Results go to stdout, everything else to stderr.
"""

from __future__ import annotations

from typing import Any

import click

from stylize._version import __version__
from stylize.commands.batch import batch
from stylize.commands.compare import compare, demo
from stylize.commands.fast import fast
from stylize.commands.models import models
from stylize.commands.painting import INTERRUPTED
from stylize.commands.recipes import info, rerun
from stylize.commands.refine import refine
from stylize.errors import OptionError, StylizeError

__all__ = ["main"]


class _Program(click.Group):
    """Turns what the user can mend into one line and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise click.UsageError(str(error)) from error
        except StylizeError as error:
            click.echo(f"stylize: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("stylize: interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=_Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="stylize")
def main() -> None:
    """Paint a photograph in the style of a picture.

    `fast` gives a preview at once, `refine` a high quality picture, `compare` both side by side with numbers.
    """


for command in (fast, refine, compare, batch, demo, info, rerun, models):
    main.add_command(command)

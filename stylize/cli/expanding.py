"""Several files after one option, as a shell makes of `-c *.jpg`."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Mapping, Sequence

import click
from click.shell_completion import CompletionItem

from stylize.cli.command import Command
from stylize.cli.types import File, StyleFile

__all__ = ["Expanding", "expanded"]

# The shells of Windows leave globs to the programs.
_LEAVES_GLOBS = os.name == "nt"

# The option whose values the last words are, in `Context.meta`.
_LAST_OPTION = "stylize.cli.expanding.last_option"


def expanded(word: str) -> list[str]:
    """Return the files that a glob stands for, where the shell has left that to us; other words as they are."""
    if not _LEAVES_GLOBS or not glob.has_magic(word) or os.path.lexists(word):
        return [word]
    return sorted(glob.glob(word, recursive=True)) or [word]


def _with_files(args: Sequence[str], flags: Mapping[str, click.Option]) -> list[str]:
    """Expand the globs after options that take files to read."""
    words: list[str] = []
    option: click.Option | None = None
    for word in args:
        if word.startswith("-") and word != "-":
            option = flags.get(_flag(word))
            words.append(word)
        elif option is not None and isinstance(option.type, (File, StyleFile)) and _takes_more(option):
            words += expanded(word)
        else:
            words.append(word)
    return words


def _flag(word: str) -> str:
    """Return the flag of a word such as `--content=a.jpg` or `-ca.jpg`."""
    return word.partition("=")[0] if word.startswith("--") else word[:2]


def _takes_more(option: click.Option) -> bool:
    """Return whether further words are values of the option, or to be refused as such."""
    return option.multiple or option.name == "content"


class Expanding(Command):
    """A command in which an option that may be repeated takes all words up to the next option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before each further word. Raises UsageError where the option takes one file only."""
        flags = {flag: option for option in self.params if isinstance(option, click.Option) for flag in option.opts}
        words: list[str] = []
        rest = iter(_with_files(args, flags))
        flag: str | None = None
        contents = 0
        for word in rest:
            if word == "--":
                words += [word, *rest]
            elif word.startswith("-") and word != "-":
                flag = None
                words.append(word)
                name = _flag(word)
                if name in flags and _takes_more(flags[name]):
                    flag = name
                    contents += not flags[name].multiple
                    if contents > 1:
                        self._refuse_more(ctx, flag)
                    if word == name:
                        words += itertools.islice(rest, 1)  # the option's own value
            elif flag is not None and flags[flag].multiple:
                words += [flag, word]
            elif flag is not None:
                self._refuse_more(ctx, flag)
            else:
                words.append(word)
        if flag is not None and flags[flag].multiple:
            ctx.meta[_LAST_OPTION] = flags[flag]
        return super().parse_args(ctx, words)

    @staticmethod
    def _refuse_more(ctx: click.Context, flag: str) -> None:
        if not ctx.resilient_parsing:  # which only completes a word
            message = f"{flag}: expected one file, received more; stylize batch --mode refine paints many"
            raise click.UsageError(message, ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a further word of the option that takes several."""
        option = ctx.meta.get(_LAST_OPTION)
        if option is None or incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        found: list[CompletionItem] = option.shell_complete(ctx, incomplete)
        return found

"""Several files after one option, as a shell makes of `-c *.jpg`."""

from __future__ import annotations

import glob
import itertools
import os
from collections.abc import Sequence

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


def _files(word: str, option: click.Option) -> list[str]:
    """Expand the word of an option that takes files to read."""
    return expanded(word) if isinstance(option.type, (File, StyleFile)) else [word]


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
        rest = iter(args)
        flag: str | None = None
        contents = 0
        for word in rest:
            if word == "--":
                words += [word, *rest]
            elif word.startswith("-") and word != "-":
                words.append(word)
                name = _flag(word)
                flag = name if name in flags and _takes_more(flags[name]) else None
                if flag is None:
                    continue
                contents += not flags[flag].multiple
                if contents > 1:
                    self._refuse_more(ctx, flag)
                if word == flag:  # the option's own value follows
                    found = [file for own in itertools.islice(rest, 1) for file in _files(own, flags[flag])]
                    words += [*found[:1], *self._repeated(ctx, flag, flags[flag], found[1:])]
            elif flag is not None:
                words += self._repeated(ctx, flag, flags[flag], _files(word, flags[flag]))
            else:
                words.append(word)
        if flag is not None and flags[flag].multiple:
            ctx.meta[_LAST_OPTION] = flags[flag]
        return super().parse_args(ctx, words)

    def _repeated(self, ctx: click.Context, flag: str, option: click.Option, files: Sequence[str]) -> list[str]:
        """Return the flag before each of an option's further files. Raises UsageError if the option takes one only."""
        if option.multiple:
            return [word for file in files for word in (flag, file)]
        if files:
            self._refuse_more(ctx, flag)
        return []

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

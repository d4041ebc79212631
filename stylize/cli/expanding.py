"""Several files after one option, as a shell makes of `-c *.jpg`."""

from __future__ import annotations

import itertools

import click
from click.shell_completion import CompletionItem

from stylize.cli.command import Command

__all__ = ["Expanding"]

# The option whose values the last words are, in `Context.meta`.
_LAST_OPTION = "stylize.cli.expanding.last_option"


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
                flag = None
                words.append(word)
                name = word.partition("=")[0] if word.startswith("--") else word[:2]
                if name in flags and (flags[name].multiple or flags[name].name == "content"):
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

"""Errors of the library in the words of the command line: names of parameters become flags."""

from __future__ import annotations

import click

from stylize.errors import StylizeError

__all__ = ["error_text", "flag_of", "option_of"]


def option_of(command: click.Command, parameter: str) -> click.Option | None:
    """Return a command's option, None if the command has no such option.

    Args:
        command: the command whose options are searched.
        parameter: the parameter's name in Python, such as `memory_gb`, or the flag's name, such as `memory`.
    """
    for option in command.params:
        if isinstance(option, click.Option):
            flag = max(option.opts, key=len)
            if parameter in (option.name, flag.lstrip("-").replace("-", "_")):
                return option
    return None


def flag_of(command: click.Command, parameter: str) -> str | None:
    """Return the flag of a command's option, None if the command has no such option; arguments as of `option_of`."""
    option = option_of(command, parameter)
    return None if option is None else max(option.opts, key=len)


def error_text(error: StylizeError, command: click.Command | None) -> str:
    """Return an error's message; a parameter's name at the beginning becomes the command's flag."""
    text = str(error)
    parameter, colon, _ = text.partition(": ")
    flag = flag_of(command, parameter) if command is not None and colon else None
    return text if flag is None else flag + text[len(parameter) :]

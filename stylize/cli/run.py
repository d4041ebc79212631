"""Gives a command the options that all commands share."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from stylize.cli.console import Run
from stylize.cli.options import common_options

__all__ = ["with_run"]


def with_run(command: Callable[..., None]) -> Callable[..., None]:
    """Add the common options to a command; the command receives the `Run` that they describe."""

    @common_options
    @functools.wraps(command)
    def command_with_run(
        *, as_json: bool, progress: str, quiet: bool, verbose: bool, offline: bool, **options: Any
    ) -> None:
        run = Run(as_json=as_json, progress=progress, quiet=quiet, verbose=verbose, offline=offline)
        with contextlib.closing(run):
            command(run, **options)

    return command_with_run

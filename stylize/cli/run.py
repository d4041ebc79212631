"""Gives a command the options that all commands share."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import click

from stylize.cli.console import Run
from stylize.cli.options import common_options
from stylize.cli.sources import recorded_sources
from stylize.cli.types import Device
from stylize.networks.devices import BACKENDS

__all__ = ["with_device", "with_run"]


def with_run(command: Callable[..., None]) -> Callable[..., None]:
    """Add the common options to a command; the command receives the `Run` that they describe."""

    @common_options
    @functools.wraps(command)
    def command_with_run(
        *, as_json: bool, progress: str, quiet: bool, verbose: bool, offline: bool, **options: Any
    ) -> None:
        run = Run(as_json=as_json, progress=progress, quiet=quiet, verbose=verbose, offline=offline)
        run.sources = recorded_sources(click.get_current_context())
        with contextlib.closing(run):
            command(run, **options)

    return command_with_run


def with_device(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that choose what computes; the command's `Run` keeps them."""

    @click.option(
        "--backend", type=click.Choice(["auto", *BACKENDS]), default="auto", metavar="NAME",
        help="tensorflow, torch, jax or auto (one that sees a GPU).  [default: auto]",
    )  # fmt: skip
    @click.option(
        "--device", type=Device(), default="auto", metavar="NAME",
        help="cpu, gpu, gpu:1 or mps.  [default: a GPU, if any]",
    )  # fmt: skip
    @functools.wraps(command)
    def command_with_device(run: Run, *, backend: str, device: str, **options: Any) -> None:
        run.backend, run.device = backend, device
        command(run, **options)

    return command_with_device

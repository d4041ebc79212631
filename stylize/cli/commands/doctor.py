"""`stylize doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

import click

from stylize._version import __version__
from stylize.cli.command import Command
from stylize.cli.console import Run, named_lines
from stylize.cli.run import with_device, with_run
from stylize.cli.settings import config_file, file_settings
from stylize.errors import StylizeError
from stylize.machine import available_cores, available_memory_bytes, has_native_bfloat16
from stylize.networks import devices, store
from stylize.text import without_users
from stylize.urls import without_secrets

__all__ = ["doctor"]

_PACKAGES = ("numpy", "pillow", "keras", *devices.BACKENDS, "tensorflow-hub", "ai-edge-litert")
# The key of what is wrong with the user's defaults.
_WRONG = "stylize.wrong_defaults"
_VARIABLES = ("KERAS_BACKEND", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")


class _Doctor(Command):
    """A command that runs where the user's defaults are wrong, too: that is when a doctor is asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words; where a variable or the config file is wrong, without defaults of the user."""
        try:
            return super().parse_args(ctx, [*args])
        except (StylizeError, click.UsageError) as error:
            ctx.default_map = None
            for option in self.params:
                if isinstance(option, click.Option):
                    option.envvar = None
            left = click.Command.parse_args(self, ctx, args)  # Raises the error again if the words are wrong.
            ctx.meta[_WRONG] = error.format_message() if isinstance(error, click.UsageError) else str(error)
            return left


@click.command(cls=_Doctor)
@with_run
@with_device
def doctor(run: Run) -> None:
    """Print what a bug report needs: versions, backends, devices, memory, precision, networks."""
    ours = sorted(name for name in os.environ if name.startswith("STYLIZE_"))
    report = {
        "stylize": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": available_cores(),
        "free_memory": f"{available_memory_bytes() / 1e9:.1f} GB",
        "cpu_has_bfloat16": has_native_bfloat16(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "gpus": {name: ", ".join(devices.gpus(name)) or "none" for name in devices.installed_backends()},
        "refine": _refinement(run),
        "networks": {entry.name: f"{entry.state} {entry.detail}".strip() for entry in store.status()},
        "variables": {name: without_secrets(os.environ[name]) for name in (*ours, *_VARIABLES) if name in os.environ}
        or "none",
        "config": _config(),
    }
    run.result(report, named_lines(report))


def _config() -> dict[str, Any] | str:
    """Return the settings of the config file, and what is wrong with the user's defaults."""
    wrong = click.get_current_context().meta.get(_WRONG)
    try:
        settings = {setting.key: _shown(setting.value) for setting in file_settings(config_file())}
    except StylizeError as error:
        settings, wrong = {}, str(error)
    return settings | ({} if wrong is None else {"error": without_users(wrong)}) or "none"


def _shown(value: Any) -> Any:
    """Return a setting as a bug report may show it."""
    if isinstance(value, list):
        return [_shown(each) for each in value]
    return without_secrets(value) if isinstance(value, str) else value


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _refinement(run: Run) -> dict[str, str]:
    """Return what `refine` would compute on, or why it cannot."""
    try:
        device = devices.choose(run.backend, run.device)
    except StylizeError as error:
        return {"computes_on": f"nothing: {error}"}
    from stylize.networks.precision import faster_precision

    free = devices.free_bytes(device) if device.is_gpu else None
    memory = {} if free is None else {"free_gpu_memory": f"{free / 1e9:.1f} GB"}
    return {"computes_on": devices.device_label(device), "precision": faster_precision(device), **memory}

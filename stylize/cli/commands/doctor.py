"""`stylize doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from typing import Any

import click

from stylize._version import __version__
from stylize.cli.console import Run
from stylize.cli.run import with_device, with_run
from stylize.errors import StylizeError
from stylize.machine import available_cores, available_memory_bytes, has_native_bfloat16
from stylize.networks import devices, store

__all__ = ["doctor"]

_PACKAGES = ("numpy", "pillow", "keras", *devices.BACKENDS, "tensorflow-hub", "ai-edge-litert")
_VARIABLES = ("STYLIZE_HOME", "STYLIZE_OFFLINE", "KERAS_BACKEND", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")


@click.command()
@with_run
@with_device
def doctor(run: Run) -> None:
    """Print what a bug report needs: versions, backends, devices, memory, precision, networks."""
    report = {
        "stylize": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": available_cores(),
        "free memory": f"{available_memory_bytes() / 1e9:.1f} GB",
        "bfloat16 in the CPU": "yes" if has_native_bfloat16() else "no",
        "packages": {name: _version(name) for name in _PACKAGES},
        "GPUs": {name: ", ".join(devices.gpus(name)) or "none" for name in devices.installed_backends()},
        "refine": _refinement(run),
        "networks": {entry.name: f"{entry.state} {entry.detail}".strip() for entry in store.status()},
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }
    width = max(len(name) for name in _flat(report))
    run.result(report, [f"{name:<{width}}  {value}" for name, value in _flat(report).items()])


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
        return {"computes on": f"nothing: {error}"}
    from stylize.networks.backend import faster_precision

    free = devices.free_bytes(device) if device.is_gpu else None
    memory = {} if free is None else {"free memory of the GPU": f"{free / 1e9:.1f} GB"}
    return {"computes on": devices.device_label(device), "precision": faster_precision(device), **memory}


def _flat(report: Mapping[str, Any]) -> dict[str, str]:
    """Return nested values in one mapping: `packages numpy` and so on."""
    lines: dict[str, str] = {}
    for name, value in report.items():
        nested = {f"{name} {inner}": text for inner, text in value.items()} if isinstance(value, Mapping) else None
        lines.update({name: str(value)} if nested is None else nested)
    return lines

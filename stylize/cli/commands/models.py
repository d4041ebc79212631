"""`stylize models`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import click

from stylize.cli.command import Group
from stylize.cli.console import Run, megabytes, table
from stylize.cli.expanding import expanded
from stylize.cli.run import with_run
from stylize.cli.types import FILE
from stylize.errors import StylizeError, WeightsError
from stylize.networks import conversion, registry, store

__all__ = ["models"]


@click.group(cls=Group)
def models() -> None:
    """List, get and check the networks."""


_network = click.argument("name", type=click.Choice(list(registry.REGISTRY)))


@models.command("list")
@with_run
def list_models(run: Run) -> None:
    """List every network: what it is for, whether it is here, its size and licence."""
    entries = store.status()
    rows = []
    for entry in entries:
        origin: str = entry.origin or ""
        if entry.state == "ready" and not entry.published and origin != "embedded":
            origin += ", not the published file"
        size = "" if entry.size_bytes is None else megabytes(entry.size_bytes)
        state = f"{entry.state}, as {entry.serves_as.split()[0]}" if entry.serves_as else entry.state
        rows.append([entry.name, entry.role, state, origin, size, entry.licence])
        if entry.detail:
            run.say(f"{entry.name}: {entry.detail}")
        if entry.serves_as:
            run.say(f"{entry.name}: runs as {entry.serves_as}")
    listed = table(["name", "role", "state", "origin", "size", "licence"], rows, right=["size"])
    run.result([dataclasses.asdict(entry) for entry in entries], listed)


@models.command()
@_network
@with_run
def pull(run: Run, name: str) -> None:
    """Download a network, unless it is here."""
    local = store.pull(name, offline=run.offline, on_progress=run.on_download)
    _convert_saved_model(run, local)
    _print_place(run, local)


@models.command()
@_network
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=FILE)
@with_run
def add(run: Run, name: str, paths: Sequence[Path]) -> None:
    """Take a network from a file, a folder or several files."""
    local = store.add(name, [found for path in paths for found in expanded(str(path))])
    if not local.published:
        run.say(f"{name}: not the published file; its hash is recorded")
    _convert_saved_model(run, local)
    _print_place(run, local)


@models.command()
@click.argument("name", required=False, type=click.Choice(list(registry.REGISTRY)))
@with_run
def verify(run: Run, name: str | None) -> None:
    """Hash the files of one network, or of all that are here, anew."""
    names = [name] if name else [entry.name for entry in store.status() if entry.state != "absent"]
    checks: list[tuple[str, str, bool, str]] = []
    for each in names:
        try:
            checks += [(each, *check) for check in store.verify(each)]
        except WeightsError as error:
            if name:
                raise
            checks.append((each, "record.json", False, str(error)))
    run.result(
        [dict(zip(("name", "file", "ok", "detail"), check, strict=True)) for check in checks],
        [f"{name}/{file}: {'ok' if ok else 'damaged'} ({note})" for name, file, ok, note in checks],
    )
    damaged = dict.fromkeys(name for name, _, ok, _ in checks if not ok)
    if damaged:
        advice = ", ".join(f"`stylize models remove {name}`" for name in damaged)
        raise StylizeError(f"damaged: {', '.join(damaged)}; {advice}, then get it anew")


@models.command()
@_network
@with_run
def path(run: Run, name: str) -> None:
    """Print where a network's file, or the folder of its files, is."""
    local = store.find(name)
    if local is None:
        raise StylizeError(
            f"{name}: not on this machine; `stylize models pull {name}` downloads it, `stylize models add {name} PATH` "
            "takes a copy that you have"
        )
    _print_place(run, local)


@models.command()
@_network
@with_run
def remove(run: Run, name: str) -> None:
    """Delete a network's files."""
    store.remove(name)
    run.result({"name": name, "removed": True}, f"removed {name}")


def _convert_saved_model(run: Run, local: store.LocalWeights) -> None:
    """Convert a SavedModel now, rather than at its first use."""
    if registry.REGISTRY[local.name].archive and conversion.find(local) is None:
        from stylize.networks.loaded import load_magenta

        load_magenta(local, run.say)


def _print_place(run: Run, local: store.LocalWeights) -> None:
    place = local.files[0] if len(local.files) == 1 else local.folder
    data = {name: getattr(local, name) for name in ("name", "origin", "published", "files", "sha256")}
    run.result({**data, "path": place}, str(place))

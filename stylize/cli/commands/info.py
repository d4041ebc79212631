"""`stylize info`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from stylize.cli.console import Run
from stylize.cli.run import with_run
from stylize.cli.types import FILE
from stylize.errors import StylizeError

__all__ = ["info", "provenance_of"]


@click.command()
@click.argument("image", type=FILE)
@with_run
def info(run: Run, image: Path) -> None:
    """Print how a picture was made: the provenance that stylize keeps inside it."""
    from stylize.images.provenance import found_path, with_paths

    provenance = with_paths(provenance_of(image), lambda path: found_path(path, str(image.parent)))
    leaves = [(name.removeprefix("options."), value) for name, value in _flat(provenance)]
    width = max(len(name) for name, _ in leaves)
    run.result(provenance, [f"{name:<{width}}  {value}".rstrip() for name, value in leaves])


def provenance_of(image: Path) -> dict[str, Any]:
    """Return the provenance of a picture. Raises StylizeError if there is none."""
    from stylize.images.provenance import read_provenance

    provenance = read_provenance(image)
    if provenance is None:
        raise StylizeError(f"{image}: carries no provenance; expected a picture that stylize wrote")
    return provenance


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every leaf of nested JSON with its dotted name; hashes are shortened."""
    if isinstance(value, Mapping) and not value:
        yield name, ""
    elif isinstance(value, Mapping) and name.endswith("sha256"):
        yield name, ", ".join(f"{file} {str(sha256)[:12]}" for file, sha256 in value.items())
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value, start=1):
            yield from _flat(item, f"{name}.{number}")
    elif isinstance(value, list):
        pairs = [":".join(map(str, item)) if isinstance(item, list) else str(item) for item in value]
        yield name, " ".join(pairs)
    else:
        yield name, "" if value is None else str(value)[:12] if name.endswith("sha256") else value

"""`stylize info`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stylize.cli.command import Command
from stylize.cli.console import Run, named_lines
from stylize.cli.run import with_run
from stylize.cli.types import FILE
from stylize.errors import StylizeError

__all__ = ["info", "provenance_of"]


@click.command(cls=Command)
@click.argument("image", type=FILE)
@with_run
def info(run: Run, image: Path) -> None:
    """Print how a picture was made: the provenance that stylize keeps inside it."""
    from stylize.images.provenance import found_path, with_paths

    provenance = with_paths(provenance_of(image), lambda path: found_path(path, str(image.parent)))
    run.result(provenance, named_lines(provenance, without="options."))


def provenance_of(image: Path) -> dict[str, Any]:
    """Return the provenance of a picture. Raises StylizeError if there is none."""
    from stylize.images.provenance import read_provenance

    provenance = read_provenance(image)
    if provenance is None:
        raise StylizeError(f"{image}: carries no provenance; expected a picture that stylize wrote")
    return provenance

"""`stylize fast`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stylize.commands.painting import Painting, beside, tell, with_run
from stylize.config import FastConfig
from stylize.console import Run
from stylize.options import (
    Styles,
    content_option,
    fast_options,
    given,
    output_option,
    overwrite_option,
    styles_option,
)

__all__ = ["fast"]


@click.command()
@content_option
@styles_option
@output_option
@fast_options
@overwrite_option
@with_run
def fast(run: Run, content: Path, styles: Styles, output: Path | None, overwrite: bool, **options: Any) -> None:
    """Paint at once, by a feed-forward network."""
    config = FastConfig(**given(options))
    output = output or beside(content, styles, "fast.png")
    painting = Painting(content, styles, config, output, overwrite=overwrite)
    painting.check()
    tell(run, painting.paint(run), output)

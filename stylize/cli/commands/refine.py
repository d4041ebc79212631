"""`stylize refine`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from stylize.cli.commands.checks import default_output
from stylize.cli.commands.painting import Painting
from stylize.cli.commands.painting_checks import check_painting
from stylize.cli.commands.results import print_result
from stylize.cli.console import Run
from stylize.cli.expanding import Expanding
from stylize.cli.options import (
    content_option,
    file_options,
    masks_option,
    memory_option,
    output_config_of,
    output_option,
    overwrite_option,
    provenance_option,
    quality_option,
    refine_config_of,
    refine_options,
    resume_option,
    styles_option,
)
from stylize.cli.run import with_device, with_run
from stylize.cli.sources import fitting_output, user_defaults
from stylize.cli.types import FILE, Styles

__all__ = ["refine"]


@click.command(
    cls=Expanding,
    examples=(
        "stylize refine -c photo.jpg -s painting.jpg",
        "stylize refine -c photo.jpg -s a.jpg:2 -s b.jpg -o out.png",
        "stylize refine -c photo.jpg -s painting.jpg -p bold",
    ),
)
@content_option
@styles_option
@masks_option
@output_option("refine")
@refine_options
@click.option(
    "--save-every", type=click.IntRange(min=1), metavar="N",
    help="Every N steps, write picture and checkpoint.",
)  # fmt: skip
@click.option(
    "--animate", "animation", type=FILE, metavar="FILE",
    help="Also write a film of it: .webp, .gif, .mp4 or .apng.",
)  # fmt: skip
@click.option("--plot", type=FILE, metavar="FILE", help="Also write a plot of the losses over time.")
@quality_option
@file_options
@provenance_option
@memory_option
@resume_option
@overwrite_option
@with_run
@with_device
def refine(
    run: Run, *, content: Path, styles: Styles, masks: Sequence[Path], output: Path | None, preset: str,
    save_every: int | None, animation: Path | None, plot: Path | None, memory_gb: float | None, resume_from: bool,
    overwrite: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint well, by Gatys' optimisation of the pixels under a feature network.

    Ctrl-C ends early and keeps the best picture; --resume goes on from there.
    """
    output_config = output_config_of(options)
    config = refine_config_of(preset, options, user_defaults(options))
    output = output or default_output(content, styles, "refine.png")
    output_config = fitting_output(output_config, output.suffix)
    painting = Painting(
        content, styles, config, output, masks=masks, overwrite=overwrite, resume=resume_from, save_every=save_every,
        animation=animation, plot=plot, memory_gb=memory_gb, output_config=output_config,
    )  # fmt: skip
    check_painting(painting)
    print_result(run, painting.paint(run), output, animation=animation, plot=plot)

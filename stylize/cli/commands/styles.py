"""`stylize styles`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from stylize.cli.command import Command
from stylize.cli.console import Run, table
from stylize.cli.options import output_config_of, overwrite_option, quality_option
from stylize.cli.run import with_run
from stylize.cli.sources import fitting_output
from stylize.cli.types import FILE
from stylize.styles import DESCRIPTIONS, StyleName, names

__all__ = ["styles"]

# Of the pictures in the terminal; a terminal has no more pixels for each.
_DRAWN_PX = 240


@click.command(cls=Command, examples=["stylize styles", "stylize styles -o styles.png"])
@click.option("-o", "--output", type=FILE, help="Write a picture of all styles, such as styles.png.")
@quality_option
@overwrite_option
@with_run
def styles(run: Run, *, output: Path | None, overwrite: bool, **options: Any) -> None:
    """Show the project's own styles, which are given by name: -s @swirls.

    A name stands wherever a style is given; `-s @swirls:2 -s @woodcut` blends two. PowerShell needs quotes:
    `-s "@swirls"`. A file with the name @swirls.jpg is given as `./@swirls.jpg`. Where standard error is a terminal,
    the styles are drawn there.
    """
    from stylize.cli.commands.checks import check_output
    from stylize.images.reading import read_image
    from stylize.reports.style_sheet import square, style_sheet

    output_config = output_config_of(options)
    if output is not None:
        output_config = fitting_output(output_config, output.suffix)
        check_output(output, [], output_config, overwrite=overwrite)
    pictures = [(name, read_image(name)) for name in map(StyleName, names())]
    listed = [
        {
            "name": name,
            "description": DESCRIPTIONS[name.stem],
            "width": picture.width,
            "height": picture.height,
            "file": name.file,
        }
        for name, picture in pictures
    ]
    data = {"command": "styles", "output": output, "styles": listed}
    run.draw([(name, square(picture.pixels, _DRAWN_PX)) for name, picture in pictures])
    if output is None:
        sizes = [f"{picture.width} x {picture.height}" for _, picture in pictures]
        rows = list(zip(names(), sizes, DESCRIPTIONS.values(), strict=True))
        run.result(data, table(["name", "size, px", "what it is"], rows))
        return
    from stylize.images.writing import write_image

    sheet = style_sheet([(name, picture.pixels) for name, picture in pictures])
    write_image(output, sheet, output=output_config, overwrite=overwrite)
    run.result(data, str(output))

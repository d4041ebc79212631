"""`stylize compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from stylize.cli.commands.checks import check_folder, check_inputs, default_output
from stylize.cli.commands.comparison import compare_and_write, comparison_files
from stylize.cli.commands.results import exit_early
from stylize.cli.console import Run
from stylize.cli.expanding import Expanding
from stylize.cli.flags import flag_of
from stylize.cli.options import (
    content_option,
    file_options,
    masks_option,
    memory_option,
    output_config_of,
    overwrite_option,
    provenance_option,
    refine_config_of,
    refine_options,
    styles_option,
)
from stylize.cli.run import with_device, with_run
from stylize.cli.sources import is_asked, user_defaults
from stylize.cli.types import FILE, Styles
from stylize.errors import OptionError

__all__ = ["compare"]


@click.command(
    cls=Expanding,
    examples=(
        "stylize compare -c photo.jpg -s painting.jpg",
        "stylize compare -c a.jpg -s b.jpg --image done.png",
    ),
)
@content_option
@styles_option
@masks_option
@click.option(
    "-o", "--output", type=FILE, metavar="FOLDER",
    help="The folder to write.  [default: photo-painting-compare]",
)  # fmt: skip
@click.option(
    "--image", "pictures", multiple=True, type=FILE, metavar="FILE",
    help="Score this finished picture instead of painting; repeatable.",
)  # fmt: skip
@refine_options
@file_options
@provenance_option
@memory_option
@overwrite_option
@with_run
@with_device
def compare(
    run: Run, *, content: Path, styles: Styles, masks: Sequence[Path], output: Path | None, pictures: Sequence[Path],
    preset: str, memory_gb: float | None, overwrite: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint both ways and show them side by side, with numbers; or score finished pictures.

    The folder receives fast.png, refined.png, sheet.png, metrics.json and report.html. With --image, only the numbers
    are printed; with -o FOLDER, the last three files are written, too.
    """
    idle = {name for name in (*options, "preset") if is_asked(name)} - {"features", "provenance", "size"}
    output_config = output_config_of(options)
    config = refine_config_of(preset, options, user_defaults(options))
    if pictures and idle:
        flags = ", ".join(sorted(flag_of(compare, name) or name for name in idle))
        raise OptionError(f"--image: paints nothing, expected no option of painting; received {flags}")
    inputs = check_inputs(content, styles, masks, config.init, pictures)
    if not pictures:
        output = output or default_output(content, styles, "compare")
    if output is not None:
        check_folder(output, comparison_files(painted=not pictures), inputs, overwrite=overwrite)
    given_styles = [word for path, weight in styles for word in ("-s", f"{path}:{weight:g}" if weight != 1 else path)]
    command = ["compare", "-c", content, *given_styles]
    command += [word for name, paths in (("--mask", masks), ("--image", pictures)) for p in paths for word in (name, p)]
    comparison = compare_and_write(
        run, content, styles, config, command=command, folder=output, pictures=pictures, masks=masks,
        memory_gb=memory_gb, output_config=output_config, overwrite=overwrite,
    )  # fmt: skip
    for result in comparison.results:
        exit_early(run, result)

"""`stylize demo`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from stylize.cli.command import Command
from stylize.cli.commands.checks import check_folder
from stylize.cli.commands.comparison import compare_and_write, comparison_files
from stylize.cli.commands.results import exit_early
from stylize.cli.console import Run
from stylize.cli.options import given, overwrite_option
from stylize.cli.run import with_device, with_run
from stylize.cli.types import FILE, Size
from stylize.config import RefineConfig
from stylize.errors import OptionError
from stylize.files import whole_file, write_errors

__all__ = ["demo"]


@click.command(cls=Command)
@click.option(
    "-o", "--output", type=FILE, metavar="FOLDER", default="stylize-demo", show_default=True,
    help="The folder to write.",
)  # fmt: skip
@click.option("--scene", default="lake", show_default=True, help="Which of the project's own scenes.")
@click.option("--style", default="stained_glass", show_default=True, help="Which of the project's own styles.")
@click.option(
    "--size", type=Size(), metavar="PX|original|N%", default="256", show_default=True, help="Long side of the output."
)
@click.option("--steps", type=int, help="Steps of the refinement.  [default: as refine]")
@overwrite_option
@with_run
@with_device
def demo(
    run: Run, *, output: Path, scene: str, style: str, size: int | str, steps: int | None, overwrite: bool
) -> None:
    """Compare on pictures that come with the package; nothing is downloaded."""
    from importlib import resources

    run.offline = True
    config = RefineConfig().replace(**given({"size": size, "steps": steps}))
    examples = resources.files("stylize.examples")
    with resources.as_file(examples) as folder:
        content, painting = _example(folder, "scene", scene), _example(folder, "style", style)
        names = [content.name, painting.name, *comparison_files(painted=True)]
        check_folder(output, names, [content, painting], overwrite=overwrite)
        run.say(f"painting {content.stem} in the style of {painting.stem}, {size} px, into {output}")
        command = ["demo", "--scene", scene, "--style", style, "--size", str(size)]
        command += ["--steps", str(steps)] if steps is not None else []
        styles = [(painting, 1.0)]
        comparison = compare_and_write(
            run, content, styles, config, command=command, folder=output, overwrite=overwrite
        )
        with write_errors(f"output {output}"):
            for path in (content, painting):
                with whole_file(output / path.name, "output", overwrite=overwrite) as part:
                    shutil.copyfile(path, part)
    for result in comparison.results:
        exit_early(run, result)


def _example(folder: Path, kind: str, name: str) -> Path:
    stem = name.removeprefix("@").removeprefix(f"{kind}_").removesuffix(".jpg")
    path = folder / f"{kind}_{stem}.jpg"
    if not path.exists():
        names = ", ".join(sorted(p.stem.removeprefix(f"{kind}_") for p in folder.glob(f"{kind}_*.jpg")))
        raise OptionError(f"{kind}: expected one of {names}, received {name}")
    return path

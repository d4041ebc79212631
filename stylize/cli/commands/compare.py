"""`stylize compare` and `stylize demo`."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylize._version import __version__
from stylize.cli.commands.painting import beside, check_folder, check_inputs, with_run
from stylize.cli.console import Run, json_text, table
from stylize.cli.options import (
    FILE,
    Styles,
    arguments_of,
    content_option,
    given,
    masks_option,
    memory_option,
    overwrite_option,
    refine_config_of,
    refine_options,
    styles_option,
)
from stylize.config import RefineConfig
from stylize.errors import OptionError
from stylize.files import write_errors

if TYPE_CHECKING:
    from rich.table import Table

    from stylize.optimize.progress import Iterate
    from stylize.reports.film import Film
    from stylize.transfer.results import Comparison

__all__ = ["compare", "demo"]


@click.command()
@content_option
@styles_option
@masks_option
@click.option(
    "-o", "--output", type=FILE, metavar="FOLDER",
    help="The folder to write.  [default: beside the content, such as photo-painting-compare]",
)  # fmt: skip
@click.option(
    "--image", "pictures", multiple=True, type=FILE,
    help="Score this finished picture instead of painting; repeatable.",
)  # fmt: skip
@refine_options
@memory_option
@overwrite_option
@with_run
def compare(
    run: Run, content: Path, styles: Styles, masks: Sequence[Path], output: Path | None, pictures: Sequence[Path],
    preset: str, memory_gb: float | None, overwrite: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint both ways and show them side by side, with numbers; or score finished pictures.

    The folder receives fast.png, refined.png, sheet.png, metrics.json, and report.html to look at it all in a
    browser. With --image, only the numbers are printed, unless a folder is named for the last three.
    """
    config = refine_config_of(preset, options)
    idle = given(options).keys() - {"features", "size"}
    if pictures and idle:
        raise OptionError(f"--image: nothing is painted, so that {', '.join(sorted(idle))} would do nothing")
    inputs = check_inputs(content, styles, masks, config.init, pictures)
    if not pictures:
        output = output or beside(content, styles, "compare")
    if output is not None:
        check_folder(output, _files_of_comparison(painted=not pictures), inputs, overwrite=overwrite)
    given_styles = [word for path, weight in styles for word in ("-s", f"{path}:{weight:g}" if weight != 1 else path)]
    command = ["compare", "-c", content, *given_styles]
    command += [word for name, paths in (("--mask", masks), ("--image", pictures)) for p in paths for word in (name, p)]
    _compare(
        run, content, styles, pictures, config, output, command, masks=masks, memory_gb=memory_gb, overwrite=overwrite
    )  # fmt: skip


def _files_of_comparison(*, painted: bool) -> list[str]:
    return [*(["fast.png", "refined.png"] if painted else []), "sheet.png", "metrics.json", "report.html"]


def _compare(
    run: Run, content: Path, styles: Styles, pictures: Sequence[Path], config: RefineConfig,
    folder: Path | None, command: Sequence[str | Path], *, masks: Sequence[Path] = (),
    memory_gb: float | None = None, overwrite: bool,
) -> None:  # fmt: skip
    from stylize.api import compare
    from stylize.reports.film import Film

    film = Film()

    def on_iterate(iterate: Iterate) -> None:
        run.on_iterate(iterate)
        film.add(iterate.pixels, step=iterate.step, elapsed_s=iterate.elapsed_s)

    comparison = compare(
        content, styles, mask=masks, images=list(pictures) or None, config=config, on_start=film.add,
        on_iterate=on_iterate, memory_gb=memory_gb, **run.surroundings,
    )  # fmt: skip
    metrics = comparison.metrics()
    if folder is None:
        run.result(metrics, _score_table(comparison))
        return
    with write_errors(f"output {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            _write_comparison(comparison, metrics, folder, overwrite=overwrite)
            _write_report(comparison, film, config, command, folder)
        except BaseException:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only if nothing is in it
            raise
    run.show(_score_table(comparison))
    run.say(f"to look at it: {folder / 'report.html'}")
    run.result({"output": folder, "report": folder / "report.html", **metrics}, str(folder))


def _write_comparison(comparison: Comparison, metrics: Mapping[str, Any], folder: Path, *, overwrite: bool) -> None:
    from stylize.images import writing
    from stylize.reports import contact_sheet

    provenance = {}
    for name, result in zip(("fast", "refined"), comparison.results, strict=False):
        path = folder / f"{name}.png"
        result.save(path, overwrite=overwrite)
        provenance[path.name] = result.provenance
    writing.write_image(
        folder / "sheet.png", contact_sheet.contact_sheet(comparison),
        provenance={"command": "compare", "version": __version__, "pictures": provenance}, overwrite=overwrite,
    )  # fmt: skip
    _write_text(folder / "metrics.json", json_text(metrics) + "\n")


def _write_report(
    comparison: Comparison, film: Film, config: RefineConfig, command: Sequence[str | Path], folder: Path
) -> None:
    from stylize.reports import html

    # The networks by name: `auto` may stand for others elsewhere.
    config = config.replace(features=comparison.features.name)
    again = []
    if comparison.results:
        preview, refined = comparison.results
        film.add(refined.image, step=len(refined.history), elapsed_s=refined.seconds)
        config = config.replace(network=preview.networks[0].name)
        again.append(["stylize", "rerun", str(folder / "refined.png")])
    if command[0] == "compare":
        command = [*command, *arguments_of(config)]
    commands = [["stylize", *map(str, command)], *again]
    _write_text(folder / "report.html", html.report(comparison, film=film, commands=commands))


def _write_text(path: Path, text: str) -> None:
    from stylize.files import whole_file

    with whole_file(path, "output") as temporary:
        # A file's name may be no text: what UTF-8 can't hold is escaped, as JSON does it.
        Path(temporary).write_text(text, "utf-8", errors="backslashreplace")


def _score_table(comparison: Comparison) -> Table:
    numbers = ("style loss", "content loss", "SSIM", "seconds")
    scores = table("picture", *numbers, "networks", right=numbers)
    for score in comparison.scores:
        seconds = "" if score.seconds is None else f"{score.seconds:.1f}"
        networks = ", ".join(network.name for network in score.networks)
        losses = f"{score.style_loss:.4g}", f"{score.content_loss:.4g}"
        scores.add_row(score.label, *losses, f"{score.ssim:.3f}", seconds, networks)
    return scores


@click.command()
@click.option(
    "-o", "--output", type=FILE, metavar="FOLDER", default="stylize-demo", show_default=True,
    help="The folder to write.",
)  # fmt: skip
@click.option("--scene", default="lake", show_default=True, help="Which of the project's own scenes.")
@click.option("--style", default="swirls", show_default=True, help="Which of the project's own styles.")
@click.option("--size", type=int, default=256, show_default=True, help="Long side of the output, px.")
@click.option("--steps", type=int, help="Fewer are quicker.  [default: as refine]")
@overwrite_option
@with_run
def demo(run: Run, output: Path, scene: str, style: str, size: int, steps: int | None, overwrite: bool) -> None:
    """Compare on pictures that come with the package: nothing else is needed, and nothing is downloaded."""
    from importlib import resources

    run.offline = True
    config = RefineConfig().replace(**given({"size": size, "steps": steps}))
    examples = resources.files("stylize.examples")
    with resources.as_file(examples) as folder:
        content, painting = _example(folder, "scene", scene), _example(folder, "style", style)
        names = [content.name, painting.name, *_files_of_comparison(painted=True)]
        check_folder(output, names, [content, painting], overwrite=overwrite)
        run.say(f"painting {content.stem} in the style of {painting.stem}, {size} px, into {output}")
        command = ["demo", "--scene", scene, "--style", style, "--size", str(size)]
        command += ["--steps", str(steps)] if steps is not None else []
        _compare(run, content, [(painting, 1.0)], [], config, output, command, overwrite=overwrite)
        with write_errors(f"output {output}"):
            for path in (content, painting):
                shutil.copyfile(path, output / path.name)


def _example(folder: Path, kind: str, name: str) -> Path:
    path = folder / f"{kind}_{name.removeprefix(f'{kind}_').removesuffix('.jpg')}.jpg"
    if not path.exists():
        names = ", ".join(sorted(p.stem.removeprefix(f"{kind}_") for p in folder.glob(f"{kind}_*.jpg")))
        raise OptionError(f"--{kind}: expected one of {names}, received {name}")
    return path

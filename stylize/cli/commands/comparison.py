"""A comparison painted or scored, and its folder written: what `compare` and `demo` share."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylize._version import __version__
from stylize.cli.commands.interrupt import Interrupt
from stylize.cli.commands.results import early_end, say_left_out, telling_of, write
from stylize.cli.console import Run, json_text, table
from stylize.cli.types import Styles
from stylize.cli.words import arguments_of, arguments_of_output
from stylize.config import RefineConfig
from stylize.files import whole_file, write_errors
from stylize.output import DEFAULT_OUTPUT, OutputConfig

if TYPE_CHECKING:
    from rich.table import Table

    from stylize.optimize.iterate import Iterate
    from stylize.reports.film import Film
    from stylize.transfer.results import Comparison

__all__ = ["compare_and_write", "comparison_files"]

_FAST, _REFINED = "fast.png", "refined.png"


def comparison_files(*, painted: bool) -> list[str]:
    """Return the names of the files that a comparison writes; two of them are pictures that it painted."""
    return [*([_FAST, _REFINED] if painted else []), "sheet.png", "metrics.json", "report.html"]


def compare_and_write(
    run: Run, content: Path, styles: Styles, config: RefineConfig, *, command: Sequence[str | Path],
    folder: Path | None, pictures: Sequence[Path] = (), masks: Sequence[Path] = (), memory_gb: float | None = None,
    output_config: OutputConfig = DEFAULT_OUTPUT, overwrite: bool,
) -> Comparison:  # fmt: skip
    """Compare, write the folder, and print the scores.

    Args:
        run: the running command.
        content: the photograph.
        styles: the styles and their weights.
        config: the options of the refinement.
        command: the words of the command so far, to make the folder again; the options are added.
        folder: where to write, or None to print the scores only.
        pictures: finished pictures to score instead of painting.
        masks: where to paint.
        memory_gb: as of `stylize.refine`.
        output_config: how the pictures are written.
        overwrite: whether files of the folder may be replaced.
    """
    from stylize.api import compare
    from stylize.reports.film import Film
    from stylize.transfer.results import with_sources

    film = Film()
    with Interrupt(run) as interrupt:

        def on_iterate(iterate: Iterate) -> None:
            interrupt.started = True
            run.on_iterate(iterate)
            film.add(iterate.pixels, step=iterate.step, elapsed_s=iterate.elapsed_s)

        comparison = compare(
            content, styles, mask=masks, images=list(pictures) or None, config=config, on_start=film.add,
            on_iterate=on_iterate, should_stop=interrupt.asked, memory_gb=memory_gb, **run.optimization_arguments,
        )  # fmt: skip
        results = tuple(with_sources(result, run.sources) for result in comparison.results)
        comparison = dataclasses.replace(comparison, results=results)
        metrics = comparison.metrics()
        if folder is not None:
            for result in comparison.results[:1]:
                say_left_out(run, result, output_config)
            _write(comparison, metrics, film, config, command, folder, output_config=output_config, overwrite=overwrite)
    if folder is None:
        run.result(metrics, _score_table(comparison))
        return comparison
    for result in comparison.results:
        if result.stopped is not None:
            run.say(f"{early_end(result)}: {folder / _REFINED} is the best so far")
    run.show(_score_table(comparison))
    run.say(f"open the report: {folder / 'report.html'}")
    run.result({"output": folder, "report": folder / "report.html", **metrics}, str(folder))
    return comparison


def _write(
    comparison: Comparison, metrics: Mapping[str, Any], film: Film, config: RefineConfig,
    command: Sequence[str | Path], folder: Path, *, output_config: OutputConfig, overwrite: bool,
) -> None:  # fmt: skip
    with write_errors(f"output {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            provenance = _write_pictures(comparison, folder, output_config, overwrite=overwrite)
            with telling_of(folder / _REFINED if provenance else None), write_errors(f"output {folder}"):
                _write_sheet(comparison, metrics, provenance, folder, output_config, overwrite=overwrite)
                _write_report(
                    comparison, film, config, command, folder, output_config=output_config, overwrite=overwrite
                )
        except BaseException:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only if nothing is in it
            raise


def _write_pictures(
    comparison: Comparison, folder: Path, output_config: OutputConfig, *, overwrite: bool
) -> dict[str, Any]:
    """Write the pictures that were painted, and return their provenances by file name."""
    provenance: dict[str, Any] = {}
    # The refinement first: `write` keeps it where the folder does not take it.
    for name, result in reversed([*zip((_FAST, _REFINED), comparison.results, strict=False)]):
        with telling_of(folder / _REFINED if provenance else None):
            write(result, folder / name, output_config, overwrite=overwrite)
        provenance[name] = result.provenance
    return provenance


def _write_sheet(
    comparison: Comparison, metrics: Mapping[str, Any], provenance: Mapping[str, Any], folder: Path,
    output_config: OutputConfig, *, overwrite: bool,
) -> None:  # fmt: skip
    from stylize.images import writing
    from stylize.reports import contact_sheet

    writing.write_image(
        folder / "sheet.png", contact_sheet.contact_sheet(comparison),
        provenance={"command": "compare", "version": __version__, "pictures": provenance},
        output=OutputConfig(provenance=output_config.provenance), overwrite=overwrite,
    )  # fmt: skip
    _write_text(folder / "metrics.json", json_text(metrics) + "\n", overwrite=overwrite)


def _write_report(
    comparison: Comparison, film: Film, config: RefineConfig, command: Sequence[str | Path], folder: Path, *,
    output_config: OutputConfig, overwrite: bool,
) -> None:  # fmt: skip
    from stylize.reports import html

    # The networks by name: `auto` may choose other networks on another machine.
    config = config.replace(features=comparison.features.name)
    reruns = []
    if comparison.results:
        preview, refined = comparison.results
        film.add(refined.image, step=len(refined.history), elapsed_s=refined.seconds)
        config = config.replace(network=preview.networks[0].name)
        if output_config.provenance:
            reruns.append(["stylize", "rerun", str(folder / _REFINED)])
    if command[0] == "compare":
        command = [*command, *arguments_of(config), *arguments_of_output(output_config)]
    commands = [["stylize", *map(str, command)], *reruns]
    _write_text(folder / "report.html", html.report(comparison, film=film, commands=commands), overwrite=overwrite)


def _write_text(path: Path, text: str, *, overwrite: bool) -> None:
    with whole_file(path, "output", overwrite=overwrite) as temporary:
        # A file's name may hold bytes that are no text: they are escaped, as in JSON.
        Path(temporary).write_text(text, "utf-8", errors="backslashreplace")


def _score_table(comparison: Comparison) -> Table:
    numbers = ("style loss", "content loss", "SSIM", "seconds")
    rows = []
    for score in comparison.scores:
        seconds = "" if score.seconds is None else f"{score.seconds:.1f}"
        networks = ", ".join(network.name for network in score.networks)
        losses = f"{score.style_loss:.4g}", f"{score.content_loss:.4g}"
        rows.append([score.label, *losses, f"{score.ssim:.3f}", seconds, networks])
    return table(["picture", *numbers, "networks"], rows, right=numbers)

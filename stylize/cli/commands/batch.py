"""`stylize batch`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from stylize.cli.commands.painting import with_run
from stylize.cli.console import Run
from stylize.cli.options import batch_config_of, batch_options, given
from stylize.errors import OptionError

if TYPE_CHECKING:
    from stylize.batch.engines import Engine
    from stylize.batch.jobs import Subject
    from stylize.batch.run import BatchOutcome

__all__ = ["batch"]

_PLACE = "FILE|FOLDER|GLOB|URL"


@click.command()
@click.option(
    "-c", "--content", "contents", multiple=True, metavar=_PLACE,
    help="Photographs to paint; repeatable. A folder is taken with the folders in it, which the output keeps. Quote "
    "a glob.",
)  # fmt: skip
@click.option(
    "-s", "--style", "styles", multiple=True, metavar=_PLACE, help="Pictures whose styles to take; repeatable."
)
@click.option("-o", "--output", required=True, metavar="FOLDER|URL", help="Where the pictures and the manifest go.")
@click.option(
    "--manifest", metavar="FILE|URL",
    help="Take the photographs from a table (.csv, .jsonl, .parquet) with a column content, and if wanted style, mode "
    "and every option below; other columns are labels, and go to the output's manifest.",
)  # fmt: skip
@click.option(
    "--pairs", default="all", show_default=True, metavar="all|zip|random:N",
    help="Every photograph with every style; the first with the first and so on; or with N styles drawn for it.",
)  # fmt: skip
@click.option("--mode", type=click.Choice(["fast", "refine"]), default="fast", show_default=True, help="How to paint.")
@click.option(
    "--name", "template", default="{content}-{style}-{mode}", show_default=True, metavar="TEMPLATE",
    help="Of the outputs; also {number}, {suffix}, any label and any option.",
)  # fmt: skip
@click.option("--format", "suffix", default="png", show_default=True, help="Of the outputs: png, jpg, webp, tif, avif.")
@click.option(
    "--resume/--no-resume", default=True, show_default=True,
    help="Leave what is done and unchanged; without, paint all anew.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="This machine's processes, or a Ray cluster.",
)  # fmt: skip
@click.option(
    "--address", metavar="ADDRESS", help="Of the Ray cluster, such as auto or ray://head:10001; none: one is started."
)
@click.option("--workers", type=click.IntRange(min=1), help="At work at a time.  [default: as cores and memory allow]")
@batch_options
@with_run
def batch(
    run: Run, contents: tuple[str, ...], styles: tuple[str, ...], output: str, manifest: str | None, pairs: str,
    mode: str, template: str, suffix: str, resume: bool, engine: str, address: str | None, workers: int | None,
    **options: Any,
) -> None:  # fmt: skip
    """Paint many pictures: folders, globs, URLs, or the rows of a table.

    OUTPUT/manifest.jsonl tells of every picture. A picture that can't be painted stops no other: it is told of at the
    end, with exit code 1. A run that was broken off, even by SIGKILL, is taken up by the same command.
    """
    if bool(contents) == (manifest is not None):
        raise click.UsageError("expected -c or --manifest, received " + ("both" if contents else "neither"))
    if not styles and manifest is None:
        raise click.UsageError("Missing option '-s' / '--style'.")
    if address is not None and engine != "ray":
        raise click.UsageError("--address: an option of --engine ray")
    batch_config_of(mode, options)

    from stylize.batch import jobs, tables
    from stylize.batch.run import run_batch
    from stylize.images import writing

    suffix = suffix.lower().removeprefix(".")
    if suffix not in writing.SUFFIXES:
        raise OptionError(f"--format: expected one of {', '.join(writing.SUFFIXES)}; received {suffix}")
    pairing = jobs.Pairing.parse(pairs, options["seed"] or 0)
    settings = jobs.Settings(mode, given(options))
    found = jobs.styles_of_places(styles, leave_out=output)
    if found:
        pairing.check(found)

    def subjects() -> Iterator[Subject]:
        if manifest is None:
            return jobs.subjects_of_places(contents, leave_out=output)
        return tables.subjects_of_manifest(manifest, on_message=run.say)

    def engine_for(memory_bytes: int) -> Engine:
        from stylize.batch.engines import LocalEngine, RayEngine
        from stylize.machine import available_cores, available_memory_bytes

        if engine == "ray":
            return RayEngine(address, most=workers, memory_bytes=memory_bytes)
        cores, room = available_cores(), available_memory_bytes()
        count = workers or max(1, min(cores, room // memory_bytes))
        threads = max(1, cores // count)
        run.detail(f"{count} workers of {threads} threads, each with up to {memory_bytes / 1e9:.1f} GB")
        return LocalEngine(count, threads)

    naming = jobs.Naming(template, suffix)
    try:
        outcome = run_batch(
            jobs.jobs(subjects(), found, pairing, naming, settings, output=output),
            output, settings, engine_for, resume=resume, offline=run.offline, on_progress=run.on_job,
            on_message=run.say, on_download=run.on_download,
        )  # fmt: skip
    except KeyboardInterrupt:
        run.close()
        run.say("the same command goes on from here")
        raise
    _tell(run, outcome, output)


def _tell(run: Run, outcome: BatchOutcome, output: str) -> None:
    from stylize import files
    from stylize.batch.manifest import MANIFEST

    reasons = sorted(outcome.reasons.values(), reverse=True)
    run.close()
    for count, first in reasons:
        run.say(f"failed, {count} of this kind: {first}" if count > 1 else f"failed: {first}")
    painted = outcome.done + outcome.failed
    pace = f" ({painted / outcome.seconds:.3g} a second)" if painted else ""
    run.say(
        f"{outcome.jobs} pictures: {outcome.done} painted, {outcome.skipped} done before, {outcome.failed} failed, "
        f"in {outcome.seconds:.1f} s{pace}"
    )
    manifest = files.joined(output, MANIFEST)
    data = {
        "command": "batch",
        "output": output,
        "manifest": manifest,
        "jobs": outcome.jobs,
        "succeeded": outcome.done,
        "skipped": outcome.skipped,
        "failed": outcome.failed,
        "failures": [{"count": count, "first": first} for count, first in reasons],
        "seconds": outcome.seconds,
    }
    run.result(data, manifest)
    if outcome.failed:
        click.get_current_context().exit(1)

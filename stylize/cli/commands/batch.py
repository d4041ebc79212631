"""`stylize batch`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylize.cli.columns import COLUMNS, batch_config, batch_options, config_of_cells
from stylize.cli.console import Run
from stylize.cli.expanding import Expanding
from stylize.cli.options import file_options, given, output_config_of, quality_option
from stylize.cli.run import with_device, with_run
from stylize.cli.sources import fitting_output, is_user_default, user_defaults
from stylize.cli.types import complete_files
from stylize.errors import OptionError

if TYPE_CHECKING:
    from stylize.batch.engines import Engine
    from stylize.batch.jobs import Subject
    from stylize.batch.left_out import LeftOut
    from stylize.batch.plan import Plan
    from stylize.batch.run import BatchOutcome
    from stylize.output import OutputConfig

__all__ = ["batch"]

_PLACE = "FILE|FOLDER|GLOB|URL"
_STYLE = f"{_PLACE}|@NAME"


@click.command(
    cls=Expanding,
    examples=(
        "stylize batch -c photos -s paintings -o painted",
        "stylize batch -c photos -s a.jpg -o out --mode refine",
        "stylize batch --manifest jobs.csv -o painted",
    ),
)
@click.option(
    "-c", "--content", "contents", multiple=True, metavar=_PLACE, shell_complete=complete_files,
    help="Photographs to paint; repeatable. A folder includes the folders in it, and the output keeps them. Quote a "
    "glob.",
)  # fmt: skip
@click.option(
    "-s", "--style", "styles", multiple=True, metavar=_STYLE, shell_complete=complete_files,
    help="Pictures whose styles to take, or ours by name (`stylize styles`); repeatable.",
)  # fmt: skip
@click.option(
    "-o", "--output", required=True, metavar="FOLDER|URL", shell_complete=complete_files,
    help="The folder of the pictures and the manifest.",
)  # fmt: skip
@click.option(
    "--manifest", metavar="FILE|URL", shell_complete=complete_files,
    help="Take the photographs from a table (.csv, .jsonl, .parquet) with a column content. Columns style, mask, mode "
    "and the options of fast and refine are optional; other columns are labels, and go to the output's manifest.",
)  # fmt: skip
@click.option(
    "--pairs", default="all", show_default=True, metavar="all|zip|random:N",
    help="all: every photograph with every style; zip: the first with the first, and so on; random:N: every photograph "
    "with N styles drawn for it.",
)  # fmt: skip
@click.option("--mode", type=click.Choice(["fast", "refine"]), default="fast", show_default=True, help="How to paint.")
@click.option(
    "--name", "template", default="{content}-{style}-{mode}", show_default=True, metavar="TEMPLATE",
    help="Names of the outputs; {number}, {suffix}, labels and options may stand in it, too.",
)  # fmt: skip
@click.option(
    "--format", "suffix", default="png", show_default=True, help="Format of the outputs: png, jpg, webp, tif, avif."
)
@click.option(
    "--resume/--no-resume", default=True, show_default=True,
    help="Skip pictures that are done and whose inputs and options have not changed.",
)  # fmt: skip
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True,
    help="What runs the workers: processes of this machine, or a Ray cluster.",
)  # fmt: skip
@click.option(
    "--address", metavar="ADDRESS",
    help="Address of the Ray cluster, such as auto or ray://head:10001.  [default: RAY_ADDRESS; else a new cluster on "
    "this machine]",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=1),
    help="Number of workers; on Windows, 60 at most.  [default: as many as cores and memory allow]",
)  # fmt: skip
@quality_option
@file_options
@batch_options
@with_run
@with_device
def batch(
    run: Run, *, contents: tuple[str, ...], styles: tuple[str, ...], output: str, manifest: str | None, pairs: str,
    mode: str, template: str, suffix: str, resume: bool, engine: str, address: str | None, workers: int | None,
    **options: Any,
) -> None:  # fmt: skip
    """Paint many pictures: folders, globs, URLs, or the rows of a table.

    OUTPUT/manifest.jsonl tells of every picture. A picture that cannot be painted stops no other; the command ends with
    exit code 1, and names the first picture of each kind of failure. The same command continues a run that was
    interrupted, even by SIGKILL.
    """
    output_config = fitting_output(output_config_of(options), suffix)
    defaults = user_defaults(options)
    _check_usage(contents=contents, styles=styles, manifest=manifest, output=output)
    _check_offline(run, [*contents, *styles, *([] if manifest is None else [manifest]), output])
    _check_unused(
        run, options["seed"], mode=mode, pairs=pairs, styles=styles, manifest=manifest, engine=engine, address=address
    )
    config = batch_config(mode, options, defaults | {"seed"})

    from stylize.batch import jobs
    from stylize.batch.left_out import LeftOut
    from stylize.batch.run import run_batch

    if manifest is None:  # the rows of a table may all name a start of their own
        _check_init(jobs.init_of(config))
    pairing = jobs.Pairing.parse(pairs, options["seed"] or 0)
    naming = jobs.Naming(template, _checked_suffix(suffix, output_config))
    config_of = config_of_cells(mode, given(options), defaults)
    left_out = LeftOut()
    found = jobs.styles_of_places(styles, left_out, output=output, repeated=pairing.repeats)
    if found:
        pairing.check(found)
    subjects = (
        jobs.subjects_of_places(contents, left_out, output=output, repeated=pairing.repeats)
        if manifest is None
        else _rows(run, manifest, output)
    )
    try:
        outcome = run_batch(
            jobs.jobs(subjects, found, pairing, naming, config_of, output=output),
            output, config_of, _engine_maker(run, engine, address, workers), resume=resume, offline=run.offline,
            backend=run.backend, device=run.device, sources=run.sources, output_config=output_config, left_out=left_out,
            on_progress=run.on_job, on_message=run.say, on_download=run.on_download,
        )  # fmt: skip
    except (KeyboardInterrupt, SystemExit):  # SystemExit: of SIGTERM or SIGHUP
        run.close()
        run.say("the same command goes on from here")
        raise
    _report(run, outcome, left_out, output)


def _check_usage(*, contents: tuple[str, ...], styles: tuple[str, ...], manifest: str | None, output: str) -> None:
    """Raise UsageError for inputs and outputs that do not belong together, before anything heavy is imported."""
    if bool(contents) == (manifest is not None):
        raise click.UsageError("expected -c or --manifest, received " + ("both" if contents else "neither"))
    if not styles and manifest is None:
        raise click.UsageError("Missing option '-s' / '--style'.")
    if not output:
        raise click.UsageError(
            "--output: expected a folder or a URL, received an empty text; `.` is the current folder"
        )


def _check_offline(run: Run, places: Sequence[str]) -> None:
    """Raise OptionError for a place that --offline does not reach."""
    from stylize import files

    remote = [place for place in places if files.is_remote(place)]
    if run.offline and remote:
        raise OptionError(f"offline: expected files and folders, received {remote[0]}")


def _check_init(init: str | None) -> None:
    """Raise StylizeError if the picture that all refinements are to start from is missing."""
    from stylize.cli.commands.checks import check_files
    from stylize.files import is_url

    if init is not None and not is_url(init):
        check_files([("init", Path(init))])


def _check_unused(
    run: Run, seed: int | None, *, mode: str, pairs: str, styles: tuple[str, ...], manifest: str | None, engine: str,
    address: str | None,
) -> None:  # fmt: skip
    """Raise UsageError for an option that the user gives and that changes nothing."""
    refines = mode == "refine" or manifest is not None  # a table may have rows to refine
    for name, is_unused, why in (
        ("backend", run.backend != "auto" and not refines, "an option of --mode refine, received --mode fast"),
        ("device", run.device != "auto" and not refines, "an option of --mode refine, received --mode fast"),
        (
            "seed",
            seed is not None and not refines and not pairs.startswith("random:"),
            "an option of --mode refine and of --pairs random:N",
        ),
        ("pairs", pairs != "all" and not styles, "expected styles (-s) to pair, received none"),
        ("address", address is not None and engine != "ray", "an option of --engine ray"),
    ):
        if is_unused and not is_user_default(name):
            raise click.UsageError(f"--{name}: {why}")


def _checked_suffix(suffix: str, output_config: OutputConfig) -> str:
    """Return the suffix in small letters without dot. Raises OptionError unless its format can be written so."""
    from stylize.images import writing

    suffix = writing.checked_suffix(suffix)
    writing.check_format(suffix, output_config)
    return suffix


def _rows(run: Run, manifest: str, output: str) -> Iterator[Subject]:
    """Return the photographs of a table. Raises OptionError for a table that the batch would write over."""
    from stylize import files
    from stylize.batch.manifest import MANIFEST
    from stylize.batch.tables import subjects_of_manifest
    from stylize.cli.commands.fast import fast
    from stylize.cli.commands.refine import refine

    if files.within(manifest, files.joined(output, MANIFEST)):
        raise OptionError(
            f"manifest: expected another file than {manifest}, which the batch writes; choose another output"
        )
    options = [option for command in (batch, fast, refine) for option in command.params]
    flags = {flag[2:] for option in options for flag in option.opts if flag.startswith("--")}
    return subjects_of_manifest(manifest, COLUMNS, other_options=flags, on_message=run.say)


def _engine_maker(run: Run, name: str, address: str | None, workers: int | None) -> Callable[[Plan], Engine]:
    """Return a function that makes the engine for the jobs of a plan."""
    if name == "ray":
        from stylize.batch.ray_engine import check_installed

        check_installed()

    def engine_for(plan: Plan) -> Engine:
        if name == "ray":
            from stylize.batch.ray_engine import RayEngine

            may_use_gpu = plan.refines and not run.device.startswith("cpu")
            return RayEngine(address, max_tasks=workers, memory_bytes=plan.memory_bytes, gpus=may_use_gpu)
        from stylize.batch.local_engine import MOST_WORKERS, LocalEngine
        from stylize.machine import available_cores, available_memory_bytes
        from stylize.networks.devices import choose

        cores, room = available_cores(), available_memory_bytes()
        count = min(workers or max(1, min(cores, room // plan.memory_bytes)), MOST_WORKERS)
        if workers is None and plan.refines and choose(run.backend, run.device).is_gpu:
            count = 1  # Refinements at the same time would share the GPU's memory, and none would be quicker.
        threads = max(1, cores // count)
        run.detail(f"{count} workers of {threads} threads, each with up to {plan.memory_bytes / 1e9:.1f} GB")
        return LocalEngine(count, threads)

    return engine_for


def _report(run: Run, outcome: BatchOutcome, left_out: LeftOut, output: str) -> None:
    """Print failures, what was left out, counts, and the manifest's place as the result."""
    from stylize import files
    from stylize.batch.manifest import MANIFEST

    reasons = sorted(outcome.reasons.values(), reverse=True)
    run.close()
    for count, first in reasons:
        run.say(f"failed, {count} of this kind: {first}" if count > 1 else f"failed: {first}", is_error=True)
    for line in left_out.lines():
        run.say(line)
    for line in left_out.errors():
        run.say(line, is_error=True)
    if outcome.animated:
        are = "picture is" if outcome.animated == 1 else "pictures are"
        run.say(f"{outcome.animated} {are} of animated inputs: the first frame is used")
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
        "left_out": [
            {"reason": reason, "count": count, "first": first} for reason, (count, first) in left_out.files.items()
        ],
        "not_listed": [{"folder": folder, "error": error} for folder, error in left_out.folders.items()],
        "seconds": outcome.seconds,
    }
    run.result(data, manifest)
    if outcome.failed or left_out.folders:
        click.get_current_context().exit(1)

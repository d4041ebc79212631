"""What the commands that write pictures share: checks before any work, one picture painted, what is told of it."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import glob
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylize.cli.console import Run
from stylize.cli.options import Styles, common_options
from stylize.config import INITS, FastConfig, RefineConfig, check_mask_count
from stylize.errors import OptionError, StylizeError

if TYPE_CHECKING:
    from stylize.optimize.progress import Iterate
    from stylize.transfer.results import TransferResult

__all__ = [
    "INTERRUPTED",
    "Painting",
    "beside",
    "check_files",
    "check_folder",
    "check_inputs",
    "check_output",
    "facts",
    "save",
    "tell",
    "tell_details",
    "with_run",
]

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


def with_run(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that all share; it receives the `Run` that they describe."""

    @common_options
    @functools.wraps(command)
    def command_with_run(
        *, as_json: bool, progress: str, quiet: bool, verbose: bool, offline: bool, **options: Any
    ) -> None:
        run = Run(as_json=as_json, progress=progress, quiet=quiet, verbose=verbose, offline=offline)
        with contextlib.closing(run):
            command(run, **options)

    return command_with_run


def check_inputs(
    content: Path, styles: Styles, masks: Sequence[Path] = (), init: str = "content", pictures: Sequence[Path] = ()
) -> list[Path]:
    """Return the files to read. Raises StylizeError for one that is not there, OptionError for too many masks."""
    check_mask_count(len(masks), len(styles))
    named = [("content", content), *(("style", path) for path, _ in styles), *(("mask", path) for path in masks)]
    named += [("image", path) for path in pictures]
    if init not in INITS:
        named.append(("init", Path(init)))
    return check_files(named)


def check_files(named: Sequence[tuple[str, Path]]) -> list[Path]:
    """Return the files of pairs of a role and a file. Raises StylizeError for one that is not there."""
    for name, path in named:
        if str(path) == "-":
            raise _no_pipe(name)
        if not path.exists():
            raise StylizeError(f"{name} {path}: no such file")
    return [path for _, path in named]


def check_output(output: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse an output that can't be written, that is there already, or that is an input."""
    from stylize.images import writing

    _check_name(output)
    _check_free(output, inputs, overwrite=overwrite)
    writing.check_output(output, overwrite=overwrite)


def _no_pipe(name: str) -> OptionError:
    return OptionError(f"{name} -: only fast reads and writes pipes; expected a file")


def _check_name(output: Path) -> None:
    from stylize.images import writing

    if str(output) == "-":
        raise _no_pipe("output")
    suffix = output.suffix.lower().removeprefix(".")
    if suffix not in writing.SUFFIXES:
        known = ", ".join(writing.SUFFIXES)
        raise OptionError(f"output {output}: expected a suffix out of {known}; received {suffix or 'none'}")


def check_folder(folder: Path, names: Sequence[str], inputs: Sequence[Path], *, overwrite: bool) -> None:
    """As `check_output`, for files in a folder that may not be there yet."""
    if folder.exists() and not folder.is_dir():
        raise StylizeError(f"output {folder}: expected a folder, received a file")
    for name in names:
        _check_free(folder / name, inputs, overwrite=overwrite)
    parent = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StylizeError(f"output {folder}: no permission to write in {parent}")


def _check_free(output: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    if not output.exists():
        return
    if any(output.samefile(path) for path in inputs):
        raise OptionError(f"output {output}: expected another file than the input")
    if not overwrite:
        raise StylizeError(f"output {output}: is there already; choose another with -o, or use --overwrite")


def beside(content: Path, styles: Styles, ending: str) -> Path:
    """Return the default output: `photo-painting-fast.png` beside the content."""
    names = "+".join(path.stem for path, _ in styles)
    return content.parent / f"{content.stem}-{names}-{ending}"


@dataclasses.dataclass(frozen=True)
class Painting:
    """One picture to paint, by `fast` or `refine` as the config is of one or the other.

    Beside its output, an interrupted refinement leaves a checkpoint; with `save_every`, pictures and
    checkpoints on the way, too. Its film and the plot of its losses are of what there was until then.
    """

    content: Path
    styles: Styles
    config: FastConfig | RefineConfig
    output: Path
    _: dataclasses.KW_ONLY
    overwrite: bool
    masks: Sequence[Path] = ()
    resume: bool = False
    save_every: int | None = None
    memory_gb: float | None = None
    animation: Path | None = None
    """Where the film of a refinement goes."""
    plot: Path | None = None
    """Where the curves of its losses go."""

    @property
    def checkpoint(self) -> Path:
        """Where an interrupted refinement is kept."""
        return self.output.with_name(f"{self.output.name}.checkpoint.npz")

    def check(self, *read: Path) -> None:
        """Raise StylizeError unless all can be read and written; `read` are more files to keep as they are."""
        _check_name(self.output)
        inputs = check_inputs(self.content, self.styles, self.masks, getattr(self.config, "init", "content"))
        if isinstance(self.config, RefineConfig):
            self._check_traces()
        replace = self.overwrite or self.resume
        check_output(self.output, [*read, *inputs], overwrite=replace)
        self._check_sights([*read, *inputs], overwrite=replace)

    def _check_traces(self) -> None:
        """Raise StylizeError if files of an earlier run are in the way, or not there to go on from."""
        if self.resume:
            if not self.checkpoint.exists():
                raise StylizeError(f"--resume: no checkpoint {self.checkpoint}; start without --resume")
            return
        in_the_way = [self.checkpoint] if self.checkpoint.exists() else []
        if self.save_every:
            stem, suffix = glob.escape(self.output.stem), self.output.suffix
            in_the_way += sorted(self.output.parent.glob(f"{stem}-step-*{suffix}"))
        if in_the_way and not self.overwrite:
            advice = "--resume goes on from it, " if self.checkpoint in in_the_way else ""
            raise StylizeError(f"{in_the_way[0]}: left by an earlier run; {advice}--overwrite starts anew")

    def _check_sights(self, inputs: Sequence[Path], *, overwrite: bool) -> None:
        sights = [path for path in (self.animation, self.plot) if path is not None]
        outputs = [os.path.realpath(path) for path in (self.output, *sights)]
        for path, index in zip(sights, (1, 2), strict=False):
            if outputs[index] in outputs[:index]:
                raise OptionError(f"output {path}: expected a file of its own, received the name of another output")
            _check_free(path, inputs, overwrite=overwrite)
        if self.animation is not None:
            from stylize.reports.film_formats import check_film

            check_film(self.animation, overwrite=overwrite)
        if self.plot is not None:
            if self.config.strength == 0:
                raise OptionError("--plot: there are no losses at a strength of 0, where nothing is optimised")
            from stylize.reports.plots import check_plot

            check_plot(self.plot, overwrite=overwrite)

    def paint(self, run: Run) -> TransferResult:
        """Paint the picture and write it, its provenance inside."""
        from stylize.api import fast, refine

        if isinstance(self.config, FastConfig):
            result = fast(
                self.content, self.styles, mask=self.masks, config=self.config, **run.surroundings
            )  # fmt: skip
            save(run, result, self.output, overwrite=self.overwrite)
            return result

        from stylize.optimize.checkpoint import read_checkpoint, write_checkpoint
        from stylize.reports.film import Film

        film = None if self.animation is None else Film()
        with _Interrupt(run) as interrupt:

            def on_iterate(iterate: Iterate) -> None:
                interrupt.started = True
                run.on_iterate(iterate)
                if film is not None:
                    film.add(iterate.pixels, step=iterate.step, elapsed_s=iterate.elapsed_s)
                if self.save_every and iterate.step % self.save_every == 0:
                    self._save(run, iterate)

            result = refine(
                self.content, self.styles, mask=self.masks, config=self.config,
                resume_from=read_checkpoint(self.checkpoint) if self.resume else None,
                on_start=None if film is None else film.add, on_iterate=on_iterate, should_stop=interrupt.asked,
                memory_gb=self.memory_gb, **run.surroundings,
            )  # fmt: skip
            save(run, result, self.output, overwrite=self.overwrite or self.resume)
            if result.checkpoint is not None:
                write_checkpoint(self.checkpoint, result.checkpoint)
            else:
                self.checkpoint.unlink(missing_ok=True)
        # Now that nothing can be lost.
        if film is not None and self.animation is not None:
            film.add(result.image, step=len(result.history), elapsed_s=result.seconds)
            film.write(self.animation, alpha=result.alpha, overwrite=self.overwrite or self.resume)
        if self.plot is not None:
            from stylize.reports.plots import write_plot

            write_plot(self.plot, result.history, result.levels, overwrite=self.overwrite or self.resume)
        return result

    def _save(self, run: Run, iterate: Iterate) -> None:
        from stylize.images.resizing import resized
        from stylize.images.writing import write_image
        from stylize.optimize.checkpoint import write_checkpoint

        checkpoint = iterate.checkpoint()
        provenance = {**checkpoint.context.provenance, "steps_taken": iterate.step}
        picture = self.output.with_name(f"{self.output.stem}-step-{iterate.step:04d}{self.output.suffix}")
        try:
            write_image(
                picture, resized(iterate.pixels, *checkpoint.context.size), provenance=provenance, overwrite=True
            )
            write_checkpoint(self.checkpoint, checkpoint)
        except StylizeError as error:
            # A full disk now is no reason to lose the picture that is still to come.
            run.say(f"step {iterate.step} is not kept: {error}")


class _Interrupt:
    """Ctrl-C during an optimisation: the first ends it after the step at hand, the second aborts.

    Before the first step there is no picture to keep, so that the first aborts, too.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.started = False
        self._asked = False

    def __enter__(self) -> _Interrupt:
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def asked(self) -> bool:
        """Return whether the run is to end."""
        return self._asked

    def _handle(self, *signal_and_frame: object) -> None:
        if self._asked or not self.started:
            raise KeyboardInterrupt
        self._asked = True
        self._run.say_at_once("stopping after this step; Ctrl-C again aborts")


def save(run: Run, result: TransferResult, output: Path, *, overwrite: bool) -> None:
    """Write the picture, its provenance inside."""
    if result.alpha is not None and output.suffix.lower() in (".jpg", ".jpeg"):
        run.say("JPEG has no transparency: white stands behind the picture")
    result.save(output, overwrite=overwrite)


def facts(result: TransferResult, output: Path, **others: Path | None) -> dict[str, Any]:
    """Return what `--json` prints of a picture, `others` being what was written beside it."""
    height, width = result.image.shape[:2]
    return {
        "command": result.mode,
        "output": output,
        "width": width,
        "height": height,
        "seconds": result.seconds,
        "stopped": result.stopped,
        "steps": len(result.history),
        "losses": dataclasses.asdict(result.history[-1].losses) if result.history else None,
        "networks": [dataclasses.asdict(network) for network in result.networks],
        **others,
    }


def tell(run: Run, result: TransferResult, output: Path, **others: Path | None) -> None:
    """Print what was painted, `others` being what was written beside it; exit 130 if Ctrl-C ended it."""
    tell_details(run, result)
    if result.stopped is not None:
        run.say(f"{result.stopped}: {output} is the best so far; the same command with --resume goes on")
    run.result(facts(result, output, **others), str(output))
    if result.stopped is not None:
        click.get_current_context().exit(INTERRUPTED)


def tell_details(run: Run, result: TransferResult) -> None:
    """Say, with --verbose, which networks painted, and how long it took."""
    height, width = result.image.shape[:2]
    for network in result.networks:
        hashes = ", ".join(f"{name} {sha256[:12]}" for name, sha256 in network.sha256.items())
        run.detail(f"used {network.name} ({network.origin}): {hashes}")
    run.detail(f"painted {width} x {height} px in {result.seconds:.1f} s")

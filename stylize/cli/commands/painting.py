"""One picture painted by `fast` or `refine`: checked, painted, written; interrupted and resumed."""

from __future__ import annotations

import dataclasses
import glob
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stylize.cli.commands.checks import check_free, check_inputs, check_name, check_output
from stylize.cli.commands.results import save
from stylize.cli.console import Run
from stylize.cli.types import Styles
from stylize.config import FastConfig, RefineConfig
from stylize.errors import OptionError, StylizeError

if TYPE_CHECKING:
    from stylize.optimize.iterate import Iterate
    from stylize.reports.film import Film
    from stylize.transfer.results import TransferResult

__all__ = ["Painting"]


@dataclasses.dataclass(frozen=True)
class Painting:
    """One picture to paint: by `fast` for a FastConfig, by `refine` for a RefineConfig.

    An interrupted refinement leaves a checkpoint beside its output; `save_every` also leaves pictures and checkpoints
    of steps in between. The film and the plot of an interrupted refinement end where the refinement ended.
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
        """The checkpoint of an interrupted refinement."""
        return self.output.with_name(f"{self.output.name}.checkpoint.npz")

    def check(self, *read: Path) -> None:
        """Raise StylizeError unless all can be read and written; `read` are more files to keep as they are."""
        check_name(self.output)
        inputs = check_inputs(self.content, self.styles, self.masks, getattr(self.config, "init", "content"))
        if isinstance(self.config, RefineConfig):
            self._check_earlier_run()
        replace = self.overwrite or self.resume
        check_output(self.output, [*read, *inputs], overwrite=replace)
        self._check_film_and_plot([*read, *inputs], overwrite=replace)

    def _check_earlier_run(self) -> None:
        """Raise StylizeError if files of an earlier run would be replaced, or if --resume finds no checkpoint."""
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

    def _check_film_and_plot(self, inputs: Sequence[Path], *, overwrite: bool) -> None:
        extras = [path for path in (self.animation, self.plot) if path is not None]
        outputs = [os.path.realpath(path) for path in (self.output, *extras)]
        for path, index in zip(extras, (1, 2), strict=False):
            if outputs[index] in outputs[:index]:
                raise OptionError(f"output {path}: expected a file of its own, received the name of another output")
            check_free(path, inputs, overwrite=overwrite)
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
        if isinstance(self.config, RefineConfig):
            return self._refine(run, self.config)
        from stylize.api import fast

        result = fast(self.content, self.styles, mask=self.masks, config=self.config, **run.api_arguments)
        save(run, result, self.output, overwrite=self.overwrite)
        return result

    def _refine(self, run: Run, config: RefineConfig) -> TransferResult:
        from stylize.api import refine
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
                self.content, self.styles, mask=self.masks, config=config,
                resume_from=read_checkpoint(self.checkpoint) if self.resume else None,
                on_start=None if film is None else film.add, on_iterate=on_iterate, should_stop=interrupt.asked,
                memory_gb=self.memory_gb, **run.api_arguments,
            )  # fmt: skip
            save(run, result, self.output, overwrite=self.overwrite or self.resume)
            if result.checkpoint is not None:
                write_checkpoint(self.checkpoint, result.checkpoint)
            else:
                self.checkpoint.unlink(missing_ok=True)
        # Last: a failure here loses neither the picture nor the checkpoint.
        self._write_film_and_plot(result, film)
        return result

    def _write_film_and_plot(self, result: TransferResult, film: Film | None) -> None:
        if film is not None and self.animation is not None:
            film.add(result.image, step=len(result.history), elapsed_s=result.seconds)
            film.write(self.animation, alpha=result.alpha, overwrite=self.overwrite or self.resume)
        if self.plot is not None:
            from stylize.reports.plots import write_plot

            write_plot(self.plot, result.history, result.levels, overwrite=self.overwrite or self.resume)

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
            # The run goes on: a disk that is full now may not be full at the end.
            run.say(f"step {iterate.step} is not kept: {error}")


class _Interrupt:
    """Ctrl-C during an optimisation: the first ends it after the current step, the second aborts.

    Before the first step there is no picture to keep, so the first Ctrl-C aborts.
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

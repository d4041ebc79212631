"""One picture painted by `fast` or `refine` and written, with its checkpoint, film and plot."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stylize import files
from stylize.cli.commands.animations import FastJob, read_first_frame
from stylize.cli.commands.interrupt import Interrupt
from stylize.cli.commands.results import save, telling_of
from stylize.cli.console import Run
from stylize.cli.types import Source, SourceStyles
from stylize.config import FastConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.output import DEFAULT_OUTPUT, OutputConfig

if TYPE_CHECKING:
    from stylize.images.picture import Picture
    from stylize.optimize.iterate import Iterate
    from stylize.reports.film import Film
    from stylize.transfer.results import TransferResult

__all__ = ["Painting"]

# Room for a step's number and a suffix.
_STEP_BYTES = 20


@dataclasses.dataclass(frozen=True)
class Painting:
    """One picture to paint: by `fast` for a FastConfig, by `refine` for a RefineConfig.

    An interrupted refinement leaves a checkpoint beside its output; `save_every` also leaves pictures and checkpoints
    of steps in between. The film and the plot of an interrupted refinement end where the refinement ended.
    """

    content: Source
    styles: SourceStyles
    config: FastConfig | RefineConfig
    output: Path
    _: dataclasses.KW_ONLY
    overwrite: bool
    masks: Sequence[Source] = ()
    resume: bool = False
    save_every: int | None = None
    memory_gb: float | None = None
    animation: Path | None = None
    """Where the film of a refinement goes."""
    output_config: OutputConfig = DEFAULT_OUTPUT
    plot: Path | None = None
    """Where the curves of its losses go."""

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of an interrupted refinement."""
        return self.output.with_name(files.shortened(self.output.name, ".checkpoint.npz"))

    @property
    def step_stem(self) -> str:
        """What the names of pictures in between begin with; the step's number follows."""
        return files.shortened(self.output.stem, "-step-", max_bytes=files.MAX_NAME_BYTES - _STEP_BYTES)

    @property
    def replaces(self) -> bool:
        """Whether an existing picture is replaced; a film and a plot only with `overwrite`."""
        return self.overwrite or self.resume

    def paint(self, run: Run) -> TransferResult:
        """Paint the picture and write it, its provenance inside."""
        if isinstance(self.config, RefineConfig):
            return self._refine(run, self.config)
        return self._fast(run, self.config)

    def _fast(self, run: Run, config: FastConfig) -> TransferResult:
        from stylize.networks.loaded import LoadedNetworks

        content = read_first_frame(self.content, config)
        job = FastJob(content, self.styles, self.masks, config, self.output_config)
        result, _ = job.paint(run, self.output, networks=LoadedNetworks(), overwrite=self.overwrite)
        return result

    def _refine(self, run: Run, config: RefineConfig) -> TransferResult:
        from stylize.api import refine
        from stylize.images.reading import read_image
        from stylize.optimize.checkpoint import read_checkpoint, write_checkpoint
        from stylize.reports.film import Film
        from stylize.transfer.results import with_sources

        # Pictures in between need the content, too, which may be a pipe: read it once.
        content = read_image(self.content, name="content") if self.save_every else None
        film = None if self.animation is None else Film()
        with Interrupt(run) as interrupt:

            def on_iterate(iterate: Iterate) -> None:
                interrupt.started = True
                run.on_iterate(iterate)
                if film is not None:
                    film.add(iterate.pixels, step=iterate.step, elapsed_s=iterate.elapsed_s)
                if content is not None and self.save_every and iterate.step % self.save_every == 0:
                    self._save(run, iterate, content)

            result = refine(
                content or self.content, self.styles, mask=self.masks, config=config,
                resume_from=read_checkpoint(self.checkpoint) if self.resume else None,
                on_start=None if film is None else film.add, on_iterate=on_iterate, should_stop=interrupt.asked,
                memory_gb=self.memory_gb, **run.optimization_arguments,
            )  # fmt: skip
            result = with_sources(result, run.sources)
            try:
                save(run, result, self.output, self.output_config, overwrite=self.replaces)
            except StylizeError:
                if result.checkpoint is not None:
                    with contextlib.suppress(StylizeError):  # the first error tells where the picture is
                        write_checkpoint(self.checkpoint, result.checkpoint)
                raise
            if result.checkpoint is not None:
                with telling_of(self.output):
                    write_checkpoint(self.checkpoint, result.checkpoint)
            else:
                self.checkpoint.unlink(missing_ok=True)
        # Last: a failure here loses neither the picture nor the checkpoint.
        with telling_of(self.output):
            self._write_film_and_plot(result, film)
        return result

    def _write_film_and_plot(self, result: TransferResult, film: Film | None) -> None:
        if film is not None and self.animation is not None:
            film.add(result.image, step=len(result.history), elapsed_s=result.seconds)
            film.write(self.animation, alpha=result.alpha, overwrite=self.overwrite)
        if self.plot is not None:
            from stylize.reports.plots import write_plot

            write_plot(self.plot, result.history, result.levels, overwrite=self.overwrite)

    def _save(self, run: Run, iterate: Iterate, content: Picture) -> None:
        from stylize.images.resizing import resized
        from stylize.images.writing import write_image
        from stylize.optimize.checkpoint import write_checkpoint

        checkpoint = iterate.checkpoint()
        provenance = {**checkpoint.context.provenance, "steps_taken": iterate.step, "sources": dict(run.sources)}
        picture = self.output.with_name(f"{self.step_stem}{iterate.step:04d}{self.output.suffix}")
        what = "picture"
        try:
            size = checkpoint.context.size
            alpha = None if content.alpha is None else resized(content.alpha, *size)
            write_image(
                picture, resized(iterate.pixels, *size), alpha,
                provenance=provenance, metadata=content.metadata, output=self.output_config, overwrite=True,
            )  # fmt: skip
            what = "checkpoint"
            write_checkpoint(self.checkpoint, checkpoint)
        except StylizeError as error:
            # The run goes on: a disk that is full now may not be full at the end.
            run.say(f"step {iterate.step}: the {what} is not kept: {error}")

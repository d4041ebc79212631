"""Checks of a painting, before any work is done."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from stylize.cli.commands.checks import check_free, check_inputs, check_name, check_output, output_key
from stylize.cli.commands.painting import Painting
from stylize.config import FastConfig, RefineConfig
from stylize.errors import OptionError, StylizeError
from stylize.output import relative_size

__all__ = ["check_painting"]


def check_painting(painting: Painting, *read: Path) -> None:
    """Check that all inputs of a painting can be read and that all outputs can be written.

    Args:
        painting: what is to be painted.
        read: more files that are read, so that no output may replace them.

    Raises:
        StylizeError: an input is missing, or an output cannot be written or would replace a file.
        OptionError: the files do not go together.
    """
    animated = isinstance(painting.config, FastConfig)
    check_name(painting.output, animated=animated)
    init = getattr(painting.config, "init", "content")
    inputs = [*read, *check_inputs(painting.content, painting.styles, painting.masks, init)]
    if isinstance(painting.config, RefineConfig):
        for picture in _step_pictures(painting):
            check_free(picture, inputs, overwrite=True)
        _check_earlier_run(painting)
    check_output(
        painting.output, inputs, painting.output_config,
        overwrite=painting.replaces, animated=animated, long_side_px=_long_side_px(painting),
    )  # fmt: skip
    _check_film_and_plot(painting, inputs)


def _long_side_px(painting: Painting) -> int:
    """Return the size of the output. Raises ImageError if the size is relative, and the content cannot be read."""
    from stylize.images.opening import long_side_px_of

    relative = relative_size(painting.config.size)
    return int(painting.config.size) if relative is None else round(relative * long_side_px_of(str(painting.content)))


def _check_earlier_run(painting: Painting) -> None:
    """Raise StylizeError if files of an earlier run would be replaced, or if --resume finds no checkpoint."""
    checkpoint, output = painting.checkpoint, painting.output
    if painting.resume:
        if not os.path.exists(checkpoint):
            finished = (
                f"{output} is finished, or was left by another command"
                if os.path.exists(output)
                else "start without it"
            )
            raise StylizeError(f"--resume: no checkpoint {checkpoint}; {finished}")
        return
    earlier = [*([checkpoint] if os.path.exists(checkpoint) else []), *_step_pictures(painting)]
    if earlier and not painting.overwrite:
        advice = "--resume goes on from it, " if checkpoint in earlier else ""
        raise StylizeError(f"{earlier[0]}: left by an earlier run; {advice}--overwrite starts anew")


def _step_pictures(painting: Painting) -> list[Path]:
    """Return the files that have the names of pictures in between."""
    if not painting.save_every:
        return []
    output = painting.output
    return sorted(output.parent.glob(f"{glob.escape(painting.step_stem)}[0-9]*{glob.escape(output.suffix)}"))


def _check_film_and_plot(painting: Painting, inputs: Sequence[Path]) -> None:
    extras = [path for path in (painting.animation, painting.plot) if path is not None]
    outputs = [output_key(path) for path in (painting.output, *extras)]
    for path, index in zip(extras, (1, 2), strict=False):
        if outputs[index] in outputs[:index]:
            raise OptionError(f"output {path}: expected a file of its own, received the name of another output")
        check_free(path, inputs, overwrite=painting.overwrite)
    if painting.animation is not None:
        from stylize.reports.film_formats import check_film

        check_film(painting.animation, overwrite=painting.overwrite)
    if painting.plot is not None:
        if painting.config.strength == 0:
            raise OptionError("plot: there are no losses at a strength of 0, where nothing is optimised")
        from stylize.reports.plots import check_plot

        check_plot(painting.plot, overwrite=painting.overwrite)

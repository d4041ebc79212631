"""`refine`: a picture by optimisation of its pixels under a feature network (Gatys et al. 2015, arXiv 1508.06576)."""

from __future__ import annotations

import dataclasses
import functools
import time

import numpy as np
from numpy.typing import NDArray

from stylize.config import RefineConfig
from stylize.images.resizing import resized
from stylize.networks import devices
from stylize.optimize.checkpoint import Checkpoint, RunContext
from stylize.optimize.iterate import Iterate
from stylize.optimize.pyramid import level_size
from stylize.optimize.run import optimize
from stylize.transfer.estimate import run_summary
from stylize.transfer.inputs import Inputs
from stylize.transfer.levels import level_losses, make_objective, photo_to_paint, picture_pyramid
from stylize.transfer.results import TransferResult
from stylize.transfer.session import NO_CALLBACKS, Callbacks, Session
from stylize.transfer.start import begun, fingerprint, plan_levels, resumed, starting_point
from stylize.transfer.tiling import Tiling

__all__ = ["run_refine"]


def run_refine(
    inputs: Inputs,
    config: RefineConfig,
    session: Session,
    callbacks: Callbacks = NO_CALLBACKS,
    *,
    preview: TransferResult | None = None,
    resume_from: Checkpoint | None = None,
    began: float | None = None,
) -> TransferResult:
    """Paint the content in its styles, coarse to fine.

    Args:
        inputs: the pictures.
        config: the options.
        session: networks, messages and memory.
        callbacks: what to call on the way.
        preview: the result of `run_fast` on the same inputs, where there is one.
        resume_from: the checkpoint of an interrupted run.
        began: the `time.perf_counter` that seconds and the time budget count from; now, if None.

    Raises:
        ImageError: the init picture cannot be read.
        OptionError: options do not fit each other, the checkpoint, or the memory.
        StylizeError: the loss was not finite at the first picture of a level, or in ten steps in a row; or the memory
            does not suffice for the smallest tiles.
        WeightsError: a network cannot be had.
    """
    began = time.perf_counter() if began is None else began
    # The feature network, and the sizes of the pyramid.
    features = session.network(config.features, "features")
    config, init = begun(config, resume_from)
    levels = plan_levels(inputs, config, init)
    identity = fingerprint(inputs, config, features, levels)

    # What to start from: the preview, a picture, noise, or the checkpoint of an interrupted run.
    if resume_from is not None:
        start = resumed(resume_from, identity, config, inputs, levels, say=session.say)
    else:
        start = starting_point(inputs, config, session, features, init=init, levels=levels, preview=preview)
    if config.strength == 0:
        start, levels = dataclasses.replace(start, pixels=inputs.content_pixels), ()

    # The objective, and the tiles in which its steps fit into the memory.
    objective = make_objective(dataclasses.replace(config, precision=start.precision), features, session)
    tiling = Tiling.of_run(objective, inputs, session, config.optimization.optimizer, config.margin_px)
    if levels and session.on_message is not None:  # The summary times steps on small pictures.
        session.say(run_summary(config, features, objective, levels, tiling, inputs, resumed=resume_from is not None))
    how = {"precision_used": objective.precision, **devices.chosen().record, **init.provenance}
    provenance = inputs.provenance("refine", config, start.networks, **how)

    # One pyramid of content, styles and masks; the targets of a level are made when the run gets there.
    sizes, photo = [level_size(inputs.size, level.long_side_px) for level in levels], photo_to_paint(inputs, config)
    pyramid = picture_pyramid(inputs, config, sizes, photo)
    losses = level_losses(pyramid, config, objective, tiling, session.loaded.style_targets)

    callbacks = _in_result_colors(callbacks, inputs, config)
    if callbacks.on_start is not None:
        callbacks.on_start(start.pixels)
    image, history, checkpoint = optimize(
        start.pixels, [*(pictures.photo for pictures in pyramid), photo], levels, losses, config,
        context=RunContext(identity, inputs.size, provenance), resume_from=resume_from,
        on_iterate=callbacks.on_iterate, should_stop=callbacks.should_stop, on_message=session.say, started_at=began,
    )  # fmt: skip
    return TransferResult(
        mode="refine",
        image=inputs.finished(inputs.content_pixels, [image], config),
        alpha=inputs.alpha,
        config=config,
        networks=start.networks,
        seconds=time.perf_counter() - began,
        provenance={**provenance, "steps_taken": len(history)} if levels else provenance,
        history=history,
        stopped=None if checkpoint is None else "interrupted",
        checkpoint=checkpoint,
        levels=levels,
        metadata=inputs.content.metadata,
    )


def _in_result_colors(callbacks: Callbacks, inputs: Inputs, config: RefineConfig) -> Callbacks:
    """Return callbacks that see pictures on the way as the result will be: in its colours, within the masks."""
    if config.keep_colors != "luminance" and inputs.masks is None:
        return callbacks

    @functools.lru_cache(maxsize=1)
    def content_at(height: int, width: int) -> NDArray[np.float32]:
        return resized(inputs.content_pixels, height, width)

    def finished(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return inputs.finished(content_at(*pixels.shape[:2]), [pixels], config)

    def on_start(pixels: NDArray[np.float32]) -> None:
        assert callbacks.on_start is not None
        callbacks.on_start(finished(pixels))

    def on_iterate(iterate: Iterate) -> None:
        assert callbacks.on_iterate is not None
        callbacks.on_iterate(dataclasses.replace(iterate, read_pixels=lambda: finished(iterate.pixels)))

    return Callbacks(callbacks.on_start and on_start, callbacks.on_iterate and on_iterate, callbacks.should_stop)

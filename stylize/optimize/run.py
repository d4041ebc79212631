"""The loop of a refinement: at each level of the pyramid, the optimiser takes its steps."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stylize.config import OptimizationConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.images.resizing import with_margin, without_margin
from stylize.networks.backend import Array, is_out_of_memory, numpy_of
from stylize.optimize.adam import Adam
from stylize.optimize.checkpoint import Checkpoint, RunContext
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.iterate import Iterate
from stylize.optimize.lbfgs import LBFGS
from stylize.optimize.optimizer import Optimizer
from stylize.optimize.pyramid import PyramidLevel, at_size_of, optimization_at
from stylize.optimize.schedule import Schedule

__all__ = ["LevelLoss", "LossAt", "optimize"]


@dataclass(frozen=True, eq=False)
class LevelLoss:
    """The loss at one level, which knows its targets.

    Attributes:
        value_and_gradient: returns the losses of pixels, (h, w, 3) with the margin, on the device, and the gradient of
            the total loss.
        state: what the loss took from the level's first picture. A resumed run cannot make it again.
    """

    value_and_gradient: Callable[[Array], tuple[LossTerms, Array]]
    state: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


class LossAt(Protocol):
    """Makes the loss of a level."""

    def __call__(
        self, index: int, first: NDArray[np.float32], state: Mapping[str, NDArray[np.float32]] | None
    ) -> LevelLoss:
        """Return the loss of the level `index`, from 0, that begins with the picture `first` (h, w, 3).

        All pictures of the loss have the margin. `state` is `LevelLoss.state` of an interrupted run, whose loss goes
        on; None for a level that begins: the loss then takes what it needs from `first`.
        """


def optimize(
    start: NDArray[np.float32],
    photos: Sequence[NDArray[np.float32]],
    levels: Sequence[PyramidLevel],
    loss_at: LossAt,
    config: RefineConfig,
    *,
    context: RunContext | None = None,
    resume_from: Checkpoint | None = None,
    on_iterate: Callable[[Iterate], None] | None = None,
    on_message: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    started_at: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[NDArray[np.float32], tuple[HistoryEntry, ...], Checkpoint | None]:
    """Optimise pixels level by level, coarse to fine.

    Args:
        start: the first picture, float32 (h, w, 3) in [0, 1] of any size.
        photos: the content, float32 (h, w, 3) in [0, 1]: `photos[i]` at the size of `levels[i]`, the last one at the
            output's size.
        levels: the levels, coarse to fine.
        loss_at: is called once when a level begins.
        config: the settings of the optimiser, the time budget, the margin, and whether content is asked for at all.
        context: is stored in checkpoints.
        resume_from: the checkpoint to go on from, instead of `start`.
        on_iterate: is called after every step.
        on_message: gets one line if the time budget leaves out levels, or if a loss is not finite.
        should_stop: is asked before every step; True ends the run.
        started_at: the time at which the time budget begins, as of `clock`; now, if None.
        clock: returns seconds.

    Returns:
        The pixels at the output's size, the history, and a checkpoint if `should_stop` ended the run.

    Raises:
        StylizeError: the loss was not finite at the first picture of a level, or in ten steps in a row; or the memory
            does not suffice for the optimiser.
    """
    began = (clock() if started_at is None else started_at) - (resume_from.elapsed_s if resume_from else 0.0)
    context = context or RunContext("", (photos[-1].shape[0], photos[-1].shape[1]), {})
    run = _Run(levels, config, context, resume_from, now_s=lambda: clock() - began, on_message=on_message)
    at_size = functools.partial(at_size_of, photos=photos, keep_detail=config.loss.content_weight > 0)
    margin_px = config.margin_px
    pixels, first, checkpoint = start, 0, None
    if resume_from is not None:
        pixels, first = without_margin(resume_from.pixels, margin_px), resume_from.level - 1
    for index in range(first, len(levels)):
        # A new size: enlarge the picture with the detail of the photo, and begin a new optimiser (see pyramid.py).
        canvas = with_margin(at_size(photos[index], pixels), margin_px)
        resumed = resume_from if index == first else None
        painted, checkpoint = run.paint(index, canvas, loss_at, resumed, on_iterate=on_iterate, should_stop=should_stop)
        pixels = without_margin(painted, margin_px)
        if checkpoint is not None or index >= run.schedule.last:
            break
    return at_size(photos[-1], pixels), tuple(run.history), checkpoint


def _make_optimizer(start: NDArray[np.float32], config: OptimizationConfig) -> Optimizer:
    return LBFGS(start, config) if config.optimizer == "lbfgs" else Adam(start, config)


# The run ends after so many losses in a row that are not finite. By then, the optimiser's steps are almost zero.
_MAX_FAILURES = 10


class _Run:
    """The bookkeeping of one run: its history, its schedule and its failures."""

    def __init__(
        self,
        levels: Sequence[PyramidLevel],
        config: RefineConfig,
        context: RunContext,
        resume_from: Checkpoint | None,
        *,
        now_s: Callable[[], float],
        on_message: Callable[[str], None] | None,
    ) -> None:
        self.history = [] if resume_from is None else list(resume_from.history)
        self.schedule = Schedule(
            levels, config.time_budget, self.history,
            margin_px=config.margin_px, now_s=now_s, on_message=on_message,
        )  # fmt: skip
        self._levels = levels
        self._optimization = config.optimization
        self._margin_px = config.margin_px
        begun = 1 if resume_from is None else resume_from.level
        self._steps = None if config.time_budget is not None else self._planned_steps(levels, begun)
        self._context = context
        self._now_s = now_s
        self._on_message = on_message
        self._failures = 0

    def _planned_steps(self, levels: Sequence[PyramidLevel], begun: int) -> int:
        """Return how many steps the run will have taken at its end. No step is added to levels before `begun`."""
        taken = Counter(entry.level for entry in self.history)
        plan = [level.max_steps for level in levels]
        return sum(taken[n] if n < begun else max(taken[n], steps) for n, steps in enumerate(plan, start=1))

    def paint(
        self,
        index: int,
        canvas: NDArray[np.float32],
        loss_at: LossAt,
        resumed: Checkpoint | None,
        *,
        on_iterate: Callable[[Iterate], None] | None,
        should_stop: Callable[[], bool] | None,
    ) -> tuple[NDArray[np.float32], Checkpoint | None]:
        """Take the steps of the level `index` from `canvas`, and return the picture, and a checkpoint where it stopped.

        Optimiser and targets of a level take much memory. They are gone when the next level makes its own.
        """
        optimizer = _make_optimizer(canvas, optimization_at(index, self._optimization))
        if resumed is not None:
            optimizer.restore(resumed.state)
        loss = loss_at(index, canvas, None if resumed is None else resumed.loss_state)
        while self.schedule.wants_step(index):
            if should_stop is not None and should_stop():
                checkpoint = self.checkpoint(index, optimizer, loss)
                return checkpoint.pixels, checkpoint
            iterate = self.take_step(index, optimizer, loss)
            if on_iterate is not None:
                on_iterate(iterate)
        return numpy_of(optimizer.result), None

    def take_step(self, index: int, optimizer: Optimizer, loss: LevelLoss) -> Iterate:
        """Evaluate the loss once at the level `index`, pass it to the optimiser, and record the step."""
        began_s = self._now_s()
        terms, gradient = loss.value_and_gradient(optimizer.ask())
        try:
            finite = optimizer.tell(terms.total, gradient)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise StylizeError("out of memory for the optimiser: choose a smaller size") from error
        self._count_failure(index, finite=finite)
        now_s = self._now_s()
        self.history.append(HistoryEntry(index + 1, len(self.history) + 1, now_s, terms))
        self.schedule.add(self.history[-1], now_s - began_s)
        best, margin_px = optimizer.best, self._margin_px
        return Iterate(
            level=index + 1,
            levels=len(self._levels),
            size=(best.shape[0] - 2 * margin_px, best.shape[1] - 2 * margin_px),
            step=len(self.history),
            steps=self._steps,
            losses=terms,
            elapsed_s=now_s,
            remaining_s=self.schedule.remaining_s(index, now_s),
            read_pixels=lambda: without_margin(numpy_of(best), margin_px),
            checkpoint=functools.partial(self._checkpoint_after, len(self.history), index, optimizer, loss),
        )

    def _checkpoint_after(self, step: int, index: int, optimizer: Optimizer, loss: LevelLoss) -> Checkpoint:
        if step != len(self.history):
            raise StylizeError(
                f"checkpoint: expected a call before the next step, received that of step {step} after step "
                f"{len(self.history)}"
            )
        return self.checkpoint(index, optimizer, loss)

    def checkpoint(self, index: int, optimizer: Optimizer, loss: LevelLoss) -> Checkpoint:
        """Return a checkpoint of the run at the level `index`."""
        return Checkpoint(
            context=self._context,
            level=index + 1,
            elapsed_s=self._now_s(),
            pixels=numpy_of(optimizer.best),
            state=optimizer.state(),
            loss_state=loss.state,
            history=tuple(self.history),
        )

    def _count_failure(self, index: int, *, finite: bool) -> None:
        self._failures = 0 if finite else self._failures + 1
        # No step led to the first picture of a level: another try would be the same.
        is_first = not self.history or self.history[-1].level <= index
        if self._failures == 1 and not is_first and self._on_message is not None:
            self._on_message("the loss was not finite: back to the last good picture, with a smaller step")
        if self._failures >= (1 if is_first else _MAX_FAILURES):
            tries = f" in {self._failures} tries" if self._failures > 1 else ""
            raise StylizeError(
                f"expected a finite loss, received none{tries}: use precision float32, smaller weights, or a smaller "
                "learning_rate"
            )

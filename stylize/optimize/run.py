"""The loop over the levels of the pyramid."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from stylize.config import SMALLEST_PX, OptimizationConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.images.resizing import resized, size_for_long_side
from stylize.optimize.adam import Adam
from stylize.optimize.lbfgs import LBFGS
from stylize.optimize.optimizer import Optimizer
from stylize.optimize.pace import FEWEST_STEPS, Pace
from stylize.optimize.progress import Checkpoint, HistoryEntry, Iterate, LossTerms
from stylize.optimize.pyramid import PyramidLevel, with_detail_of

__all__ = ["optimize"]

_OPTIMIZERS: Mapping[str, Callable[[np.ndarray, OptimizationConfig], Optimizer]] = {
    "lbfgs": LBFGS,
    "adam": Adam,
}


class LevelLoss(Protocol):
    """The loss at one level, targets inside: pixels (H, W, 3) to losses and the gradient of the total."""

    def __call__(self, pixels: np.ndarray) -> tuple[LossTerms, np.ndarray]: ...


def optimize(
    start: np.ndarray,
    content: np.ndarray,
    levels: Sequence[PyramidLevel],
    loss_at: Callable[[int, int], LevelLoss],
    config: RefineConfig,
    *,
    context: Mapping[str, Any] | None = None,
    resume_from: Checkpoint | None = None,
    on_iterate: Callable[[Iterate], None] | None = None,
    on_message: Callable[[str], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    started_at: float | None = None,
) -> tuple[np.ndarray, tuple[HistoryEntry, ...], Checkpoint | None]:
    """Run the pyramid from `start`, float32 (h, w, 3) of any size, to an output of the size of `content` (H, W, 3).

    `loss_at(height, width)` gives the loss at one size. Returns the pixels at the output's size, the history, and a
    checkpoint if `should_stop` ended the run early. `started_at` (of `time.perf_counter`) is where a time budget
    starts to count; the finest levels that it can't pay for are left out, which `on_message` is told. Raises
    StylizeError if no finite loss can be had.
    """
    run = _Run(levels, config, context or {}, resume_from, on_iterate, on_message, started_at)
    pixels = start if resume_from is None else resume_from.pixels
    size: tuple[int, int] = content.shape[:2]
    # A texture, which no content is asked of, is to have nothing of it.
    enlarge = functools.partial(with_detail_of, content) if config.loss.content_weight else resized

    def sized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
        return (enlarge if max(pixels.shape[:2]) < max(height, width) else resized)(pixels, height, width)

    first_level = 0 if resume_from is None else resume_from.level - 1
    for index, level in enumerate(levels[first_level:], start=first_level):
        height, width = (max(SMALLEST_PX, side) for side in size_for_long_side(*size, level.long_side_px))
        settings = config.optimization if index == 0 else _at_finer_level(config.optimization)
        optimizer = _OPTIMIZERS[settings.optimizer](sized(pixels, height, width), settings)
        if resume_from is not None and index == first_level:
            optimizer.restore(resume_from.state)
        loss = loss_at(height, width)
        while run.goes_on(index):
            if should_stop is not None and should_stop():
                return sized(optimizer.best, *size), tuple(run.history), run.checkpoint(index, optimizer)
            run.take_step(index, optimizer, loss)
        pixels = optimizer.result
        if index >= run.last:
            break
    return sized(pixels, *size), tuple(run.history), None


# The share of L-BFGS' first step at levels that begin with the picture of the level before: it needs detail alone.
# In full, the first step was too long from 512 px on, and of the few steps that large pictures get one was lost.
_FINER_FIRST_STEP = 0.3


def _at_finer_level(settings: OptimizationConfig) -> OptimizationConfig:
    if settings.optimizer != "lbfgs":
        return settings
    return dataclasses.replace(settings, learning_rate=_FINER_FIRST_STEP * settings.learning_rate)


class _Run:
    """The bookkeeping of one run: its clock, its history, and what it tells."""

    def __init__(
        self,
        levels: Sequence[PyramidLevel],
        config: RefineConfig,
        context: Mapping[str, Any],
        resume_from: Checkpoint | None,
        on_iterate: Callable[[Iterate], None] | None,
        on_message: Callable[[str], None] | None,
        started_at: float | None,
    ) -> None:
        self.history = [] if resume_from is None else list(resume_from.history)
        self._levels = levels
        self._config = config
        self._context = context
        self._on_iterate = on_iterate
        self._on_message = on_message
        self._began = time.perf_counter() if started_at is None else started_at
        if resume_from is not None:
            self._began -= resume_from.elapsed_s
        self._ends = None if config.time_budget is None else self._began + config.time_budget
        self._taken = Counter(entry.level - 1 for entry in self.history)
        self._pace = Pace(levels, self.history)
        self._first_step_s = 0.0
        """Most of it went into tracing the graph, anew where a run is taken up."""
        self._failures = 0
        self.last = len(levels) - 1
        """The level to end at; a coarser one than the finest where a time budget can't pay for that."""

    def goes_on(self, index: int) -> bool:
        """Say whether to take one more step at a level."""
        if self._ends is None:
            return self._taken[index] < self._levels[index].max_steps
        if not self.history:
            return True
        left_s = self._ends - time.perf_counter()
        # Stop where one more step would miss the end by more than stopping here does.
        if left_s <= (self._pace.step_s(index) / 2 if self._pace.known else 0.0):
            self._end_at(self.history[-1].level - 1)
            return False
        if index == self.last or not self._pace.known:
            return True
        finest, steps = self._plan(index, left_s)
        if finest == index and self._taken[index] >= FEWEST_STEPS:
            self._end_at(index)
        return self._taken[index] < steps

    def take_step(self, index: int, optimizer: Optimizer, loss: LevelLoss) -> None:
        """Evaluate the loss once, hand it to the optimiser, and tell what came of it."""
        began = time.perf_counter()
        terms, gradient = loss(optimizer.ask())
        self._count_failure(finite=optimizer.tell(terms.total, gradient))
        now = time.perf_counter()
        self._first_step_s = self._first_step_s or now - began
        self.history.append(HistoryEntry(index + 1, len(self.history) + 1, now - self._began, terms))
        self._taken[index] += 1
        self._pace.add(self.history[-1])
        if self._on_iterate is None:
            return
        self._on_iterate(
            Iterate(
                level=index + 1,
                levels=len(self._levels),
                size=(optimizer.best.shape[0], optimizer.best.shape[1]),
                step=len(self.history),
                steps=sum(level.max_steps for level in self._levels) if self._ends is None else None,
                losses=terms,
                elapsed_s=now - self._began,
                remaining_s=self._remaining_s(index, now),
                pixels=optimizer.best,
                checkpoint=lambda: self.checkpoint(index, optimizer),
            )
        )

    def checkpoint(self, index: int, optimizer: Optimizer) -> Checkpoint:
        """Return where the run is."""
        return Checkpoint(
            context=self._context,
            level=index + 1,
            elapsed_s=time.perf_counter() - self._began,
            pixels=optimizer.best,
            state=optimizer.state(),
            history=tuple(self.history),
        )

    def _plan(self, index: int, left_s: float) -> tuple[int, float]:
        """Return the finest level that the time left pays for, and how many steps each level gets then."""
        step_s = self._pace.step_s
        if index == 0:
            # The second level may have a graph of its own to trace: the smallest pictures have fewer octaves.
            left_s -= self._first_step_s
        for finest in range(len(self._levels) - 1, index, -1):
            finer = range(index + 1, finest + 1)
            for_steps = left_s - sum(map(self._pace.targets_s, finer))
            finer_s = sum(map(step_s, finer))
            # What is taken is paid for. Where it is more than its part, the finer levels have the less.
            steps = (for_steps + self._taken[index] * step_s(index)) / (step_s(index) + finer_s)
            if min(steps, for_steps / finer_s) >= FEWEST_STEPS:
                return finest, steps
        return index, math.inf

    def _end_at(self, index: int) -> None:
        if index >= self.last:
            return
        self.last, finest = index, len(self._levels) - 1
        if self._on_message is not None:
            there = f", where a step takes about {self._pace.step_s(finest):.1f} s" if self._pace.known else ""
            self._on_message(
                f"time budget: {self._config.time_budget:g} s end at {self._levels[index].long_side_px} px, "
                f"enlarged to {self._levels[finest].long_side_px}{there}"
            )

    def _remaining_s(self, index: int, now: float) -> float:
        if self._ends is not None:
            return max(0.0, self._ends - now)
        if not self._pace.known:
            # Of the first steps' mean time, as if the finer levels' steps took no longer.
            to_come = sum(level.max_steps for level in self._levels) - len(self.history)
            return to_come * (now - self._began) / len(self.history)
        to_come_s = [
            self._pace.step_s(level) * (self._levels[level].max_steps - self._taken[level])
            for level in range(index, len(self._levels))
        ]
        return sum(to_come_s) + sum(map(self._pace.targets_s, range(index + 1, len(self._levels))))

    def _count_failure(self, *, finite: bool) -> None:
        self._failures = 0 if finite else self._failures + 1
        if self._failures == 1 and self._on_message is not None:
            self._on_message("the loss was not finite: back to the last good picture, with a smaller step")
        if self._failures >= _MAX_FAILURES:
            raise StylizeError(
                f"expected a finite loss, received none in {self._failures} tries: use --precision float32, smaller "
                "weights, or a smaller --learning-rate"
            )


_MAX_FAILURES = 10

"""The schedule: how many steps each level takes, given as a number or as a time budget."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

from stylize.optimize.history import HistoryEntry
from stylize.optimize.pace import Pace
from stylize.optimize.pyramid import PyramidLevel

__all__ = ["Schedule"]

# A level with fewer steps is not worth the time for its targets. With five steps and the targets, the error of half a
# step is within a tenth of the budget.
_FEWEST_STEPS = 5


class Schedule:
    """How many steps each level takes: `max_steps`, or what a time budget pays for.

    Under a budget, the levels share the time so that each gets the same number of steps, as without one. The schedule
    measures the steps (`Pace`) and plans again before each step. Levels whose steps are too expensive are left out.
    """

    def __init__(
        self,
        levels: Sequence[PyramidLevel],
        time_budget: float | None,
        history: Sequence[HistoryEntry] = (),
        *,
        margin_px: int = 0,
        now_s: Callable[[], float],
        on_message: Callable[[str], None] | None = None,
    ) -> None:
        """Plan a run.

        Args:
            levels: the levels, coarse to fine.
            time_budget: seconds, or None to take each level's `max_steps`.
            history: the steps taken before the run was interrupted.
            margin_px: width of the margin of each level.
            now_s: returns the seconds since the start of the run.
            on_message: gets one line if levels are left out.
        """
        self.last = len(levels) - 1
        """The index of the level to end at: under a budget, a coarser one than the finest is possible."""
        self._levels = levels
        self._budget_s = time_budget
        self._now_s = now_s
        self._on_message = on_message
        self._taken = Counter(entry.level - 1 for entry in history)
        self._newest_level = history[-1].level - 1 if history else None
        self._pace = Pace(levels, history, margin_px)
        self._first_step_s = 0.0

    def wants_step(self, index: int) -> bool:
        """Return whether to take one more step at the level `index`."""
        if self._budget_s is None:
            return self._taken[index] < self._levels[index].max_steps
        if self._newest_level is None:
            return True
        left_s = self._budget_s - self._now_s()
        # Stop where one more step would miss the end of the budget by more than the stop does.
        if left_s <= (self._pace.step_s(index) / 2 if self._pace.known else 0.0):
            self._end_at(self._newest_level)
            return False
        if index == self.last or not self._pace.known:
            return True
        finest, steps = self._plan(index, left_s)
        if finest == index and self._taken[index] >= _FEWEST_STEPS:
            self._end_at(index)
        return self._taken[index] < steps

    def add(self, entry: HistoryEntry, seconds: float) -> None:
        """Take note of a step that took so many seconds."""
        # A process spends most of its first step on tracing the graph.
        self._first_step_s = self._first_step_s or seconds
        self._newest_level = entry.level - 1
        self._taken[self._newest_level] += 1
        self._pace.add(entry)

    def remaining_s(self, index: int, now_s: float) -> float:
        """Return about how many seconds the rest of the run takes, `now_s` seconds after its start."""
        if self._budget_s is not None:
            return max(0.0, self._budget_s - now_s)
        if not self._pace.known:
            # Use the mean time of the first steps, as if steps at finer levels took no longer.
            taken = self._taken.total()
            return (sum(level.max_steps for level in self._levels) - taken) * now_s / taken
        to_come_s = [
            self._pace.step_s(level) * (self._levels[level].max_steps - self._taken[level])
            for level in range(index, len(self._levels))
        ]
        return sum(to_come_s) + sum(map(self._pace.targets_s, range(index + 1, len(self._levels))))

    def _plan(self, index: int, left_s: float) -> tuple[int, float]:
        """Return the finest level that the rest of the time pays for, and the number of steps at each level then."""
        step_s = self._pace.step_s
        if index == 0:
            # The second level may have to compile a graph of its own, as with JAX.
            left_s -= self._first_step_s
        for finest in range(len(self._levels) - 1, index, -1):
            finer = range(index + 1, finest + 1)
            for_steps = left_s - sum(map(self._pace.targets_s, finer))
            finer_s = sum(map(step_s, finer))
            # This level may have taken more than its share already: then the finer levels get less.
            steps = (for_steps + self._taken[index] * step_s(index)) / (step_s(index) + finer_s)
            if min(steps, for_steps / finer_s) >= _FEWEST_STEPS:
                return finest, steps
        return index, math.inf

    def _end_at(self, index: int) -> None:
        if index >= self.last:
            return
        self.last, finest = index, len(self._levels) - 1
        if self._on_message is not None:
            there = f", where a step takes about {self._pace.step_s(finest):.1f} s" if self._pace.known else ""
            self._on_message(
                f"time budget: {self._budget_s:g} s end at {self._levels[index].long_side_px} px, "
                f"enlarged to {self._levels[finest].long_side_px}{there}"
            )

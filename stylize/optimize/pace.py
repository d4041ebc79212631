"""What a step takes at each size, measured on the way."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping, Sequence

from stylize.optimize.progress import HistoryEntry
from stylize.optimize.pyramid import PyramidLevel

__all__ = ["FEWEST_STEPS", "TARGETS_STEPS", "Pace", "step_costs"]

# Fewer are not worth a level's targets. At five and its targets, half a step is within a tenth of the budget.
FEWEST_STEPS = 5

# As the machine is now, not as it was.
_NEWEST_STEPS = 20

# Until two levels are measured: the pixels that cost as much as what a step costs at any size, on two cores.
_STEP_PX = 10_000

#: Until two levels are measured: the steps that cost as much as the making of a level's targets.
TARGETS_STEPS = 2.0


class Pace:
    """What a step takes at each level, by the steps so far: a fixed cost, and one for every pixel.

    A level's first step is no measure: its time also holds the making of targets, and in a run's first levels the
    tracing of graphs.
    """

    def __init__(self, levels: Sequence[PyramidLevel], history: Sequence[HistoryEntry]) -> None:
        self.known = False
        """Whether a step was measured; until then, nothing must be asked for."""
        self._pixels = [level.long_side_px**2 for level in levels]
        self._steps_s: dict[int, deque[float]] = {}
        self._first_steps_s: dict[int, float] = {}
        self._fixed_s = self._pixel_s = 0.0
        self._targets_steps = TARGETS_STEPS
        self._newest: HistoryEntry | None = None
        for entry in history:
            self.add(entry)
        # What lies between these and the next one was no step.
        self._newest = None

    def add(self, entry: HistoryEntry) -> None:
        """Take note of a step."""
        before, self._newest = self._newest, entry
        if before is None:
            return
        index, seconds = entry.level - 1, entry.elapsed_s - before.elapsed_s
        if before.level != entry.level:
            self._first_steps_s[index] = seconds
            return
        self._steps_s.setdefault(index, deque(maxlen=_NEWEST_STEPS)).append(seconds)
        self.known = True
        typical_s = {level: statistics.median(steps_s) for level, steps_s in self._steps_s.items()}
        self._draw_line(typical_s)
        measured = [first_s / typical_s[at] - 1 for at, first_s in self._first_steps_s.items() if at in typical_s]
        if len(measured) > 1:
            # The lesser of the last two, since one of them may have traced a graph.
            self._targets_steps = min(measured[-2:])

    def step_s(self, index: int) -> float:
        """Return the seconds of a step."""
        return self._fixed_s + self._pixel_s * self._pixels[index]

    def targets_s(self, index: int) -> float:
        """Return the seconds that the making of a level's targets takes."""
        return self._targets_steps * self.step_s(index)

    def _draw_line(self, typical_s: Mapping[int, float]) -> None:
        """Through the coarsest and the newest level that were measured: far apart, and as the machine is now."""
        coarsest, newest = min(typical_s), max(typical_s)
        seconds, pixels = typical_s[newest], self._pixels[newest]
        if coarsest == newest:
            slope = seconds / (pixels + _STEP_PX)
        else:
            slope = (seconds - typical_s[coarsest]) / (pixels - self._pixels[coarsest])
        self._fixed_s, self._pixel_s = step_costs(slope, pixels, seconds)


def step_costs(slope: float, pixels: int, seconds: float) -> tuple[float, float]:
    """Return what a step costs at any size, and what a pixel does, of a step that was measured and a slope: seconds.

    Other programs come and go, but neither a pixel nor a step as such costs less than nothing.
    """
    pixel_s = min(max(slope, 0.0), seconds / pixels)
    return seconds - pixel_s * pixels, pixel_s

"""What a step costs at each size, measured during the run. The schedule plans a time budget with these costs.

The model is a straight line: a step at a level of p pixels takes a + b p seconds. The fixed cost a is the time to start
a step, the cost b a pixel is the time of the network. The line goes through the median times of two levels.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Mapping, Sequence

from stylize.optimize.history import HistoryEntry
from stylize.optimize.pyramid import PyramidLevel

__all__ = ["TARGETS_STEPS", "Pace", "step_costs"]

# The least time of a step, s.
_LEAST_S = 1e-6

# Only the newest steps of a level count, because the speed of the machine changes when other programs run.
_NEWEST_STEPS = 20

# The guess a / b until two levels are measured: the number of pixels that cost as much as the fixed part. Measured on
# two cores.
_STEP_PX = 10_000

#: The guess until two levels are measured: making a level's targets costs as much as this number of steps.
TARGETS_STEPS = 2.0


class Pace:
    """What a step costs at each level, by the steps so far.

    The first step of a level is not measured as a step: its time includes the making of the targets, and at the first
    levels of a run the tracing of graphs.
    """

    def __init__(self, levels: Sequence[PyramidLevel], history: Sequence[HistoryEntry], margin_px: int) -> None:
        self.known = False
        """Whether a step was measured. Until then, `step_s` and `targets_s` have no meaning."""
        self._pixels = [(level.long_side_px + 2 * margin_px) ** 2 for level in levels]
        self._steps_s: dict[int, deque[float]] = {}
        self._first_steps_s: dict[int, float] = {}
        self._fixed_s = self._pixel_s = 0.0
        self._targets_steps = TARGETS_STEPS
        self._newest: HistoryEntry | None = None
        for entry in history:
            self.add(entry)
        # The time from the end of this history to the next step is a pause, and not a step.
        self._newest = None

    def add(self, entry: HistoryEntry) -> None:
        """Take note of a step."""
        before, self._newest = self._newest, entry
        if before is None:
            return
        # Steps of a checkpoint may have no time between them; no step takes none.
        index, seconds = entry.level - 1, max(entry.elapsed_s - before.elapsed_s, _LEAST_S)
        if before.level != entry.level:
            self._first_steps_s[index] = seconds
            return
        self._steps_s.setdefault(index, deque(maxlen=_NEWEST_STEPS)).append(seconds)
        self.known = True
        typical_s = {level: statistics.median(steps_s) for level, steps_s in self._steps_s.items()}
        self._fit_line(typical_s)
        measured = [first_s / typical_s[at] - 1 for at, first_s in self._first_steps_s.items() if at in typical_s]
        if len(measured) > 1:
            # One of the last two levels may have traced a graph: take the smaller number.
            self._targets_steps = min(measured[-2:])

    def step_s(self, index: int) -> float:
        """Return the seconds of a step at the level `index`."""
        return self._fixed_s + self._pixel_s * self._pixels[index]

    def targets_s(self, index: int) -> float:
        """Return the seconds that the targets of the level `index` take."""
        return self._targets_steps * self.step_s(index)

    def _fit_line(self, typical_s: Mapping[int, float]) -> None:
        """Fit the line to the coarsest and the newest level: they are far apart, and the newest shows the speed now."""
        coarsest, newest = min(typical_s), max(typical_s)
        seconds, pixels = typical_s[newest], self._pixels[newest]
        if coarsest == newest:
            slope = seconds / (pixels + _STEP_PX)
        else:
            slope = (seconds - typical_s[coarsest]) / (pixels - self._pixels[coarsest])
        self._fixed_s, self._pixel_s = step_costs(slope, pixels, seconds)


def step_costs(slope: float, pixels: int, seconds: float) -> tuple[float, float]:
    """Return the costs of a step, with neither below 0: a measured slope may be wrong when other programs run.

    Args:
        slope: measured seconds a pixel.
        pixels: the number of pixels of a measured step.
        seconds: the time of this step.

    Returns:
        The fixed cost in seconds, and the cost in seconds a pixel.
    """
    pixel_s = min(max(slope, 0.0), seconds / pixels)
    return seconds - pixel_s * pixels, pixel_s

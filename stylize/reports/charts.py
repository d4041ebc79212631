"""The losses of a refinement over time, as charts that a plot or a page can draw."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.optimize.history import HistoryEntry, LossTerms

__all__ = ["Chart", "Curve", "Level", "charts"]


@dataclass(frozen=True, eq=False)
class Curve:
    """One loss at the times of its `Chart`.

    Attributes:
        name: of the loss: total, style, content, or a layer.
        values: float64 (N,); NaN where the loss is not a positive number, which a logarithmic axis cannot show.
        preview: the same loss of the preview at the output's size; None if it is not known.
    """

    name: str
    values: NDArray[np.float64]
    preview: float | None

    @property
    def is_seen(self) -> bool:
        """Whether there is a value to show."""
        return bool(np.isfinite(self.values).any())


@dataclass(frozen=True)
class Level:
    """One size of the pyramid: its steps in the history, and the time that they took, in seconds since the start."""

    long_side_px: int
    steps: slice
    begins_s: float
    ends_s: float


@dataclass(frozen=True, eq=False)
class Chart:
    """Curves with common axes: seconds since the start, and losses on a logarithmic scale.

    Attributes:
        title: a few words.
        seconds: float64 (N,), the time of each step.
        curves: at least one.
        levels: coarse to fine.
    """

    title: str
    seconds: NDArray[np.float64]
    curves: tuple[Curve, ...]
    levels: tuple[Level, ...]

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest loss to show; the lowest is at least a millionth of the highest."""
        previews = [curve.preview for curve in self.curves if curve.preview is not None]
        values = np.concatenate([*(curve.values for curve in self.curves), previews])
        values = values[np.isfinite(values)]
        if not len(values):
            return 0.1, 1.0
        high = float(values.max())
        low = float(values[values >= high * 1e-6].min())
        return (low / 1.15, high * 1.15) if high > low * 1.1 else (low / 1.5, high * 1.5)

    @property
    def ticks(self) -> tuple[float, ...]:
        """Round losses in `range`, two at least and 12 at most."""
        low, high = self.range
        if high < low * 3:  # equal steps
            steps = [float(f"{digit}e{math.floor(math.log10(low)) - 1}") for digit in (1, 2, 5, 10, 20)]
            step = next(step for step in steps if (high - low) / step <= 10)
            numbers = range(math.ceil(low / step), math.floor(high / step) + 1)
            return tuple(float(f"{step * number:.6g}") for number in numbers)
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        every = math.ceil(len(powers) / 6)
        digits = (1, 1.5, 2, 3, 4, 5, 7) if high < low * 6 else (1, 2, 5) if len(powers) <= 4 else (1,)
        ticks = [float(f"{digit}e{power}") for power in powers[::every] for digit in digits]
        return tuple(tick for tick in ticks if low <= tick <= high)


def charts(
    history: Sequence[HistoryEntry], sizes_px: Sequence[int], preview: LossTerms | None = None
) -> tuple[Chart, ...]:
    """Return the charts of a refinement: its losses, and the style and content losses by layer.

    A chart shows the losses of the best picture so far at its size: steps that the optimiser rejected do not show. A
    chart by layer is left out where there is one layer, since its loss is the term itself. Curves that would show
    nothing are left out, but for the total: those of a loss that is 0 at all steps.

    Args:
        history: all steps; without a step there is no chart.
        sizes_px: the long side of each level of the pyramid, coarse to fine.
        preview: the losses of the preview at the output's size. They are left out if the history ends before the last
            level, because losses at different sizes cannot be compared.
    """
    if not history:
        return ()
    if history[-1].level < len(sizes_px):
        preview = None
    seconds = np.array([entry.elapsed_s for entry in history])
    best = _best_so_far(history)

    def curve(name: str, loss: Callable[[LossTerms], float]) -> Curve:
        values = np.array([loss(losses) for losses in best], np.float64)
        values[~(np.isfinite(values) & (values > 0))] = np.nan
        compared = math.nan if preview is None else loss(preview)
        return Curve(name, values, compared if math.isfinite(compared) and compared > 0 else None)

    last = history[-1].losses
    found = {
        "Losses": [
            curve("total", lambda losses: losses.total),
            curve("style", lambda losses: losses.style),
            curve("content", lambda losses: losses.content),
        ],
        "Style, layer by layer": [
            curve(name, lambda losses, name=name: losses.style_per_layer[name])  # type: ignore[misc]
            for name in last.style_per_layer
        ],
        "Content, layer by layer": [
            curve(name, lambda losses, name=name: losses.content_per_layer[name])  # type: ignore[misc]
            for name in last.content_per_layer
        ],
    }
    levels = _levels(history, sizes_px)
    all_charts = [
        Chart(title, seconds, tuple(each for each in curves if each.name == "total" or each.is_seen), levels)
        for title, curves in found.items()
    ]
    return (all_charts[0], *(chart for chart in all_charts[1:] if len(chart.curves) > 1))


def _best_so_far(history: Sequence[HistoryEntry]) -> list[LossTerms]:
    """Return for each step the losses of the best picture of its level up to that step."""
    best: list[LossTerms] = []
    for before, entry in zip([None, *history], history, strict=False):
        is_worse = before is not None and before.level == entry.level and not entry.losses.total <= best[-1].total
        best.append(best[-1] if is_worse and math.isfinite(best[-1].total) else entry.losses)
    return best


def _levels(history: Sequence[HistoryEntry], sizes_px: Sequence[int]) -> tuple[Level, ...]:
    levels: list[Level] = []
    begins = history[0].elapsed_s
    for number, long_side_px in enumerate(sizes_px, start=1):
        steps = [index for index, entry in enumerate(history) if entry.level == number]
        if steps:
            ends = history[steps[-1]].elapsed_s
            levels.append(Level(long_side_px, slice(steps[0], steps[-1] + 1), begins, ends))
            begins = ends
    return tuple(levels)

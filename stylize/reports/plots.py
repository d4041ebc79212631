"""What the losses did over time: the curves of a history, and their plot as a file."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stylize.errors import OptionError, StylizeError
from stylize.files import check_place, whole_file
from stylize.optimize.progress import HistoryEntry, LossTerms
from stylize.optimize.pyramid import PyramidLevel

__all__ = ["SUFFIXES", "Chart", "Curve", "Level", "charts", "check_plot", "write_plot"]

#: What a plot's name may end in.
SUFFIXES = (".png", ".svg", ".pdf", ".webp", ".jpg")


@dataclass(frozen=True, eq=False)
class Curve:
    """One loss, at the seconds of its `Chart`."""

    name: str
    values: np.ndarray
    """Float64; NaN where it is not a positive number, which no logarithmic axis can show."""
    fast: float | None
    """The same loss of the preview, at the output's size; None where it is not known."""


@dataclass(frozen=True)
class Level:
    """A size of the pyramid: its steps in the history, and from when to when they were taken, s."""

    long_side_px: int
    steps: slice
    begins_s: float
    ends_s: float


@dataclass(frozen=True, eq=False)
class Chart:
    """Curves that share their axes: seconds since the start, and losses on a logarithmic scale."""

    title: str
    seconds: np.ndarray
    curves: tuple[Curve, ...]
    levels: tuple[Level, ...]

    @property
    def range(self) -> tuple[float, float]:
        """The losses to show, lowest and highest: down to a millionth of the highest."""
        fast = [curve.fast for curve in self.curves if curve.fast is not None]
        values = np.concatenate([*(curve.values for curve in self.curves), fast])
        values = values[np.isfinite(values)]
        if not len(values):
            return 0.1, 1.0
        high = float(values.max())
        low = float(values[values >= high * 1e-6].min())
        return (low / 1.15, high * 1.15) if high > low * 1.1 else (low / 1.5, high * 1.5)

    @property
    def ticks(self) -> tuple[float, ...]:
        """The round losses in `range`, no more and no fewer than one can read."""
        low, high = self.range
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        every = math.ceil(len(powers) / 6)
        digits = (1, 1.5, 2, 3, 4, 5, 7) if high < low * 6 else (1, 2, 5) if len(powers) <= 4 else (1,)
        ticks = [float(f"{digit}e{power}") for power in powers[::every] for digit in digits]
        return tuple(tick for tick in ticks if low <= tick <= high)


def charts(
    history: Sequence[HistoryEntry], levels: Sequence[PyramidLevel], fast: LossTerms | None = None
) -> tuple[Chart, ...]:
    """Return the charts of a refinement: total, style and content, and where there are several layers, these.

    They show the losses of the best picture so far at its size: a step that was tried and taken back is none. `levels`
    are those of the pyramid; `fast` are the losses of the preview at the output's size, left out if it was not reached.
    """
    if not history:
        return ()
    if history[-1].level < len(levels):
        fast = None
    seconds = np.array([entry.elapsed_s for entry in history])
    best = _best_so_far(history)

    def curve(name: str, of: Callable[[LossTerms], float]) -> Curve:
        values = np.array([of(losses) for losses in best], np.float64)
        values[~(np.isfinite(values) & (values > 0))] = np.nan
        known = math.nan if fast is None else of(fast)
        return Curve(name, values, known if math.isfinite(known) and known > 0 else None)

    def layer(term: str, name: str) -> Curve:
        return curve(name, lambda losses: getattr(losses, f"{term}_per_layer")[name])

    last = history[-1].losses
    found = {
        "Losses": [
            curve("total", lambda losses: losses.total),
            curve("style", lambda losses: losses.style),
            curve("content", lambda losses: losses.content),
        ],
        "Style, layer by layer": [layer("style", name) for name in last.style_per_layer],
        "Content, layer by layer": [layer("content", name) for name in last.content_per_layer],
    }
    visited = _visited(history, levels)
    return tuple(
        Chart(title, seconds, tuple(curves), visited)
        for title, curves in found.items()
        if len(curves) > 1  # a single layer is the term itself
    )


def _best_so_far(history: Sequence[HistoryEntry]) -> list[LossTerms]:
    best: list[LossTerms] = []
    for before, entry in zip([None, *history], history, strict=False):
        kept = before is not None and before.level == entry.level and not entry.losses.total <= best[-1].total
        best.append(best[-1] if kept and math.isfinite(best[-1].total) else entry.losses)
    return best


def _visited(history: Sequence[HistoryEntry], levels: Sequence[PyramidLevel]) -> tuple[Level, ...]:
    visited: list[Level] = []
    begins = history[0].elapsed_s
    for number, level in enumerate(levels, start=1):
        steps = [index for index, entry in enumerate(history) if entry.level == number]
        if steps:
            ends = history[steps[-1]].elapsed_s
            visited.append(Level(level.long_side_px, slice(steps[0], steps[-1] + 1), begins, ends))
            begins = ends
    return tuple(visited)


def write_plot(
    path: str | os.PathLike[str],
    history: Sequence[HistoryEntry],
    levels: Sequence[PyramidLevel],
    *,
    fast: LossTerms | None = None,
    overwrite: bool = False,
) -> None:
    """Write the charts below each other, whole or not at all; arguments are as of `charts`.

    Raises StylizeError as `check_plot` does, if there is no history, and if the system refuses.
    """
    check_plot(path, overwrite=overwrite)
    drawn = charts(history, levels, fast)
    if not drawn:
        raise StylizeError(f"plot {path}: expected the losses of at least one step, received none")
    # Without pyplot: no window, nothing global.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(9, 1 + 3.4 * len(drawn)), dpi=120, layout=ConstrainedLayoutEngine(h_pad=0.12))
    all_axes = figure.subplots(len(drawn), sharex=True, squeeze=False)[:, 0]
    for axes, chart in zip(all_axes, drawn, strict=True):
        _draw(axes, chart)
    compared = any(curve.fast is not None for curve in drawn[0].curves)
    dashed = "; dashed: of the preview, at the last size" if compared else ""
    all_axes[-1].set_xlabel(f"seconds\nlosses of the best picture so far, size by size{dashed}")
    with whole_file(path, "plot") as temporary:
        figure.savefig(temporary, format=Path(path).suffix.lower().removeprefix("."))


def _draw(axes: Any, chart: Chart) -> None:
    from matplotlib import colormaps

    few = {"total": "black", "style": "tab:red", "content": "tab:blue"}
    for curve, shade in zip(chart.curves, np.linspace(0, 0.85, len(chart.curves)), strict=True):
        colour = few.get(curve.name) or colormaps["viridis"](shade)
        for level in chart.levels:
            label = curve.name if level is chart.levels[-1] else None
            axes.plot(chart.seconds[level.steps], curve.values[level.steps], color=colour, linewidth=1.4, label=label)
        if curve.fast is not None:
            axes.axhline(curve.fast, color=colour, linewidth=1, linestyle=(0, (4, 3)), alpha=0.7)
    for level in chart.levels:
        axes.axvline(level.begins_s, color="0.88", linewidth=0.8, zorder=0)
        if level.ends_s - level.begins_s > 0.06 * chart.seconds[-1] or level is chart.levels[-1]:
            middle = (level.begins_s + level.ends_s) / 2
            axes.annotate(
                f"{level.long_side_px} px", (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                textcoords="offset points", ha="center", fontsize=8, color="0.4",
            )  # fmt: skip
    axes.set(yscale="log", ylim=chart.range, xlim=(0, float(chart.seconds[-1]) * 1.01 or 1))
    axes.set_yticks(chart.ticks, [f"{tick:g}" for tick in chart.ticks])
    axes.set_yticks([], minor=True)
    axes.set_title(chart.title, loc="left", fontsize=11, pad=16)
    axes.grid(axis="y", color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5))


def check_plot(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse at once a plot that could not be written later.

    Raises OptionError for an unknown suffix, and StylizeError if matplotlib is not installed, or if the file is there
    already and `overwrite` is false, or has no place.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"plot {path}: expected a suffix out of {', '.join(SUFFIXES)}; received {suffix or 'none'}")
    if importlib.util.find_spec("matplotlib") is None:
        raise StylizeError(f'plot {path}: needs the package matplotlib: pip install "stylize[plot]"')
    check_place(path, "plot", overwrite=overwrite)

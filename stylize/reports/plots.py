"""The charts of a refinement as a picture file, drawn by matplotlib."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylize.errors import OptionError, StylizeError
from stylize.files import check_place, whole_file
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.pyramid import PyramidLevel
from stylize.reports.charts import Chart, charts

__all__ = ["SUFFIXES", "check_plot", "write_plot"]

#: The file formats of plots.
SUFFIXES = (".png", ".svg", ".pdf", ".webp", ".jpg")


def write_plot(
    path: str | os.PathLike[str],
    history: Sequence[HistoryEntry],
    levels: Sequence[PyramidLevel],
    *,
    preview: LossTerms | None = None,
    overwrite: bool = False,
) -> None:
    """Write the charts of a refinement below each other; a failure leaves no partial file.

    Args:
        path: its suffix, one of `SUFFIXES`, chooses the format.
        history: all steps of the refinement.
        levels: all levels of the pyramid.
        preview: the losses of the preview at the output's size, drawn as dashed lines.
        overwrite: whether an existing file may be replaced.

    Raises:
        OptionError: the suffix is unknown.
        StylizeError: the history is empty, `check_plot` refuses the path, or the file cannot be written.
    """
    check_plot(path, overwrite=overwrite)
    drawn = charts(history, [level.long_side_px for level in levels], preview)
    if not drawn:
        raise StylizeError(f"plot {path}: expected the losses of at least one step, received none")
    # pyplot would open windows and keep global state.
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(9, 1 + 3.4 * len(drawn)), dpi=120, layout=ConstrainedLayoutEngine(h_pad=0.12))
    all_axes = figure.subplots(len(drawn), sharex=True, squeeze=False)[:, 0]
    for axes, chart in zip(all_axes, drawn, strict=True):
        _draw(axes, chart)
    has_preview = any(curve.preview is not None for curve in drawn[0].curves)
    dashed = "; dashed: of the preview, at the last size" if has_preview else ""
    all_axes[-1].set_xlabel(f"seconds\nlosses of the best picture so far, size by size{dashed}")
    with whole_file(path, "plot", overwrite=overwrite) as temporary:
        figure.savefig(temporary, format=Path(path).suffix.lower().removeprefix("."))


def _draw(axes: Any, chart: Chart) -> None:
    from matplotlib import colormaps

    named = {"total": "black", "style": "tab:red", "content": "tab:blue"}
    for curve, shade in zip(chart.curves, np.linspace(0, 0.85, len(chart.curves)), strict=True):
        color = named.get(curve.name) or colormaps["viridis"](shade)
        for level in chart.levels:
            label = curve.name if level is chart.levels[-1] else None
            axes.plot(chart.seconds[level.steps], curve.values[level.steps], color=color, linewidth=1.4, label=label)
        if curve.preview is not None:
            axes.axhline(curve.preview, color=color, linewidth=1, linestyle=(0, (4, 3)), alpha=0.7)
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
    """Check before a long run that `write_plot` will be able to write the file.

    Raises:
        OptionError: the suffix is unknown.
        StylizeError: matplotlib is not installed, the folder does not exist, or the file exists and `overwrite` is
            false.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"plot {path}: expected a suffix out of {', '.join(SUFFIXES)}; received {suffix or 'none'}")
    if importlib.util.find_spec("matplotlib") is None:
        raise StylizeError(f'plot {path}: needs the package matplotlib: pip install "stylize-art[plot]"')
    check_place(path, "plot", overwrite=overwrite)

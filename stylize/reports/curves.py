"""The charts of a refinement as HTML; the report and the web page show the same figures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stylize.reports.charts import Chart, Curve, Level
from stylize.reports.templating import render

__all__ = ["curves_css", "curves_html", "drawing"]

#: A longer curve is drawn with this many of its points; no screen shows more.
_MAX_POINTS = 400
#: Layers have hues of their own.
_HUES = {"total": 0, "style": 45, "content": 255}


def curves_html(chart: Chart) -> str:
    """Return a chart as an HTML figure without its style; see `curves_css`."""
    return render("curves.html", chart=drawing(chart))


def curves_css() -> str:
    """Return the style of the figures; the page defines `--ink`, `--quiet`, `--line`, `--shade` and `--curve`."""
    return render("curves.css")


def drawing(chart: Chart) -> dict[str, Any]:
    """Return the values of the template curves.html; positions are percentages from the left and from the top."""
    axes = _Axes(chart)
    hues = np.linspace(25, 300, len(chart.curves))
    return {
        "title": chart.title,
        "ticks": [{"top": f"{axes.y(tick):.2f}", "text": f"{tick:g}"} for tick in chart.ticks],
        "times": [{"left": f"{axes.x(tick):.2f}", "text": text} for tick, text in _time_ticks(axes.end_s)],
        "levels": [_level(level, axes) for level in chart.levels],
        "curves": [
            {
                "name": curve.name,
                "hue": f"{_HUES.get(curve.name, hue):.0f}",
                "lines": [_points(chart, curve, level.steps, axes) for level in chart.levels],
                "preview": None if curve.preview is None else f"{axes.y(curve.preview):.2f}",
                "preview_value": None if curve.preview is None else f"{curve.preview:.3g}",
                "value": f"{curve.values[-1]:.3g}" if math.isfinite(curve.values[-1]) else "–",
            }
            for curve, hue in zip(chart.curves, hues, strict=True)
        ],
    }


class _Axes:
    """Seconds and losses to percentages of the plot."""

    def __init__(self, chart: Chart) -> None:
        self.end_s = float(chart.seconds[-1]) or 1.0
        self._low, self._high = np.log(chart.range)

    def x(self, seconds: ArrayLike) -> NDArray[np.float64]:
        """Return the distance from the left."""
        return np.asarray(np.asarray(seconds, np.float64) / self.end_s * 100)

    def y(self, losses: ArrayLike) -> NDArray[np.float64]:
        """Return the distance from the top; losses outside the range lie on the edge."""
        share = (np.log(losses) - self._low) / (self._high - self._low)
        return np.asarray(100 - np.clip(share, 0, 1) * 100)


def _level(level: Level, axes: _Axes) -> dict[str, Any]:
    width = axes.x(level.ends_s - level.begins_s)
    return {
        "left": f"{axes.x(level.begins_s):.2f}",
        "width": f"{width:.2f}",
        "text": str(level.long_side_px),
        "wide": bool(width > 7),  # enough for the text
    }


def _points(chart: Chart, curve: Curve, steps: slice, axes: _Axes) -> str:
    """Return the points of an SVG polyline."""
    seconds, values = chart.seconds[steps], curve.values[steps]
    known = np.flatnonzero(np.isfinite(values))
    if len(known) > _MAX_POINTS:
        known = known[np.unique(np.linspace(0, len(known) - 1, _MAX_POINTS).round().astype(int))]
    if len(known) == 1:
        known = np.repeat(known, 2)  # browsers do not draw a line of one point
    points = zip(axes.x(seconds[known]), axes.y(values[known]), strict=True)
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


def _time_ticks(end_s: float) -> list[tuple[float, str]]:
    """Return up to seven round times in seconds, each with its text."""
    steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800]
    days = 86400 * math.ceil(end_s / (6 * 86400))
    step = next((step for step in steps if end_s / step <= 6), days)
    ticks = [number * step for number in range(int(end_s / step) + 1)]
    if step < 60:
        return [(tick, f"{tick:g} s") for tick in ticks]
    return [(tick, f"{tick / 60:g} min") for tick in ticks]

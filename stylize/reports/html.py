"""Results in, web pages out: the report of a comparison, and its slider. Each asks nothing of anywhere."""

from __future__ import annotations

import base64
import functools
import io
import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from stylize._version import __version__
from stylize.errors import OptionError
from stylize.images.picture import Picture
from stylize.images.resizing import resized, size_for_long_side
from stylize.reports.plots import Chart, Curve, charts

if TYPE_CHECKING:
    import jinja2

    from stylize.reports.film import Film, Frame
    from stylize.transfer.results import Comparison, Scored

__all__ = ["report", "slider"]

#: What is larger is shrunk for the page, px: the files beside it have all.
_LONG_SIDE_PX = 1600
_STAGES, _STAGE_PX = 16, 720
#: A curve of more points than this is thinned out: no screen shows them.
_POINTS = 400


def slider(pictures: Sequence[tuple[str, Picture]], *, left: int = 0, right: int = -1) -> str:
    """Return HTML, with its style and script, that shows two of the named pictures on either side of a divider.

    It moves by mouse, finger and arrow keys. Of more than two pictures, two lists choose; `left` and `right` are
    those shown at first. The stage has the shape of the one at `right`; others are fitted into it, not squashed.
    Any number of sliders may stand in one document. Raises OptionError for less than two pictures.
    """
    return str(_templates().get_template("slider_alone.html").render(slider=_slider(pictures, left, right)))


def report(comparison: Comparison, *, film: Film | None = None, commands: Sequence[Sequence[str]] = ()) -> str:
    """Return the page of a comparison: slider, numbers, stages and curves of the refinement, and how to repeat it.

    `film` has seen the refinement, from the preview to the result; `commands` are the arguments of programs to run
    in a shell. Finished pictures have no stages, curves or commands, and these parts are left out.
    """
    alpha = comparison.content.alpha
    styles = [(style, weight) for style, weight in comparison.styles]
    pictures = [("content", comparison.content)]
    pictures += [("style" if len(styles) == 1 else f"style {n}", style) for n, (style, _) in enumerate(styles, start=1)]
    pictures += [(score.label, Picture(score.image, alpha)) for score in comparison.scores]
    refined = comparison.results[1] if len(comparison.results) == 2 else None
    start = getattr(refined.config, "init", "preview") if refined is not None else "preview"
    drawn = () if refined is None else charts(refined.history, refined.levels, comparison.scores[0].losses)
    return str(
        _templates()
        .get_template("report.html")
        .render(
            comparison=comparison,
            version=__version__,
            content=_name(comparison.content, "content"),
            styles=[(_name(style, "style"), weight) for style, weight in styles],
            slider=_slider(pictures, 0 if refined is None else len(pictures) - 2, len(pictures) - 1),
            refined=refined,
            verdict=_verdict(comparison) if refined is not None else None,
            rows=_rows(comparison.scores),
            start=_START.get(start, PurePath(start).name),
            stages=[] if film is None or refined is None else [_stage(frame, alpha) for frame in film.stages(_STAGES)],
            charts=[_drawing(chart) for chart in drawn],
            commands=[shlex.join(command) for command in commands],
        )
    )


def _name(picture: Picture, otherwise: str) -> str:
    return PurePath(picture.path).name if picture.path else otherwise


# --------------------------------------------------------------------------------------------------------------------
# Pictures


def _slider(pictures: Sequence[tuple[str, Picture]], left: int, right: int) -> dict[str, Any]:
    if len(pictures) < 2:
        raise OptionError(f"slider: expected two pictures or more, received {len(pictures)}")
    left, right = range(len(pictures))[left], range(len(pictures))[right]
    shape = pictures[right][1]
    return {
        "pictures": [{"name": name, "uri": _uri(picture)} for name, picture in pictures],
        "left": left,
        "right": right,
        "width": shape.width,
        "height": shape.height,
    }


#: What `init` stands for, in words.
_START = {
    "preview": "the preview",
    "preview+content": "the preview's colours with the photo's detail",
    "content": "the photo",
    "noise": "noise",
    "content+noise": "the photo, with noise",
}


def _stage(frame: Frame, alpha: np.ndarray | None) -> dict[str, Any]:
    picture = Picture(
        frame.pixels.astype(np.float32) / np.float32(255),
        None if alpha is None else resized(alpha, *frame.pixels.shape[:2]),
    )
    return {
        "uri": _uri(picture, _STAGE_PX, quality=80),
        "size": max(frame.size),
        "step": frame.step,
        "elapsed": f"{round(frame.elapsed_s) // 60}:{round(frame.elapsed_s) % 60:02d}",
    }


def _uri(picture: Picture, long_side_px: int = _LONG_SIDE_PX, quality: int = 90) -> str:
    """Return the picture as a data: URI."""
    if max(picture.height, picture.width) > long_side_px:
        picture = resized(picture, *size_for_long_side(picture.height, picture.width, long_side_px))
    channels = picture.pixels
    if picture.alpha is not None and picture.alpha.min() < 1:
        channels = np.concatenate([channels, picture.alpha[..., None]], axis=2)
    stream = io.BytesIO()
    Image.fromarray(np.rint(np.clip(channels, 0, 1) * 255).astype(np.uint8)).save(stream, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


# --------------------------------------------------------------------------------------------------------------------
# Numbers


def _verdict(comparison: Comparison) -> dict[str, Any]:
    """Return what the extra time bought, for words."""
    fast, refined = comparison.scores
    history, levels = comparison.results[1].history, comparison.results[1].levels
    last = [entry for entry in history if entry.level == len(levels)]
    # Only at the last level, which is of the output's size, do the losses compare with the preview's.
    passed = next((entry.elapsed_s for entry in last if fast.losses and entry.losses.total <= fast.losses.total), None)
    return {
        "fast": _duration(fast.seconds),
        "refined": _duration(refined.seconds),
        "style": _ratio(fast.style_loss, refined.style_loss),
        "content": _ratio(fast.content_loss, refined.content_loss),
        "passed": None if passed is None else _duration(passed),
        "at_once": bool(last) and passed == last[0].elapsed_s,
    }


def _ratio(before: float, after: float) -> dict[str, Any] | None:
    """Return how many times smaller, or larger, a loss has become; None where that can't be said."""
    if not (0 < before < float("inf") and 0 < after < float("inf")):
        return None
    times = max(before / after, after / before)
    return {"times": f"{times:.1f}" if times < 10 else f"{times:.0f}", "closer": after <= before, "same": times < 1.05}


def _rows(scores: Sequence[Scored]) -> list[dict[str, Any]]:
    """Return the table: each row a measure, with a cell for each picture; the best are marked."""

    def row(
        name: str, note: str, values: Sequence[float | None], form: str, best: Any = None, *, part: bool = False
    ) -> dict[str, Any]:
        known = [value for value in values if value is not None and np.isfinite(value)]
        winner = best(known) if best and len(known) > 1 and min(known) < max(known) else None
        cells = [
            {
                "text": format(value, form).rstrip(".") if value in known else "–",
                "best": value == winner and value is not None,
            }
            for value in values
        ]
        return {"name": name, "note": note, "cells": cells, "part": part}

    def text(name: str, values: Sequence[str]) -> dict[str, Any]:
        return {"name": name, "note": "", "cells": [{"text": value, "best": False} for value in values], "part": False}

    layers = list(dict.fromkeys(name for score in scores for name in score.style_loss_per_layer))
    rows = [
        row("Style loss", "lower is closer to the style", [s.style_loss for s in scores], "#.4g", min),
        *(row(name, "", [s.style_loss_per_layer.get(name) for s in scores], "#.3g", min, part=True) for name in layers),
        row("Content loss", "lower is closer to the scene", [s.content_loss for s in scores], "#.4g", min),
        row("SSIM", "structure shared with the photo; 1 is alike", [s.ssim for s in scores], ".3f", max),
    ]
    if any(score.losses for score in scores):
        totals = [score.losses.total if score.losses else None for score in scores]
        rows.append(row("Total loss", "what the refinement lowered", totals, "#.4g", min))
    if any(score.seconds is not None for score in scores):
        rows.append(text("Time", [_duration(score.seconds) for score in scores]))
    if any(score.peak_memory_bytes for score in scores):
        peaks = [None if s.peak_memory_bytes is None else s.peak_memory_bytes / 1e9 for s in scores]
        rows.append(row("Peak memory", "GB, of the program until then", peaks, ".2f"))
    if any(score.networks for score in scores):
        rows.append(text("Networks", [", ".join(each.name for each in score.networks) or "–" for score in scores]))
    return rows


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 99.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 100:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


# --------------------------------------------------------------------------------------------------------------------
# Curves


def _drawing(chart: Chart) -> dict[str, Any]:
    """Return a chart for the template: everything in percent of the plot, from the left and from the top."""
    end = float(chart.seconds[-1]) or 1.0
    low, high = np.log(chart.range)

    def across(seconds: Any) -> Any:
        return np.asarray(seconds) / end * 100

    def down(losses: Any) -> Any:
        # Below the least that the axis shows, along its foot.
        return 100 - np.clip((np.log(losses) - low) / (high - low), 0, 1) * 100

    def line(curve: Curve, steps: slice) -> str:
        seconds, values = chart.seconds[steps], curve.values[steps]
        known = np.flatnonzero(np.isfinite(values))
        if len(known) > _POINTS:
            known = known[np.unique(np.linspace(0, len(known) - 1, _POINTS).round().astype(int))]
        if len(known) == 1:
            known = np.repeat(known, 2)  # a line of one point is not drawn
        points = zip(across(seconds[known]), down(values[known]), strict=True)
        return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)

    hues = [0, 45, 255] if chart.curves[0].name == "total" else np.linspace(25, 300, len(chart.curves))
    return {
        "title": chart.title,
        "ticks": [{"top": f"{down(tick):.2f}", "text": f"{tick:g}"} for tick in chart.ticks],
        "times": [{"left": f"{across(tick):.2f}", "text": text} for tick, text in _times(end)],
        "levels": [
            {
                "left": f"{across(level.begins_s):.2f}",
                "width": f"{across(level.ends_s - level.begins_s):.2f}",
                "text": str(level.long_side_px),
                "wide": bool(across(level.ends_s - level.begins_s) > 7),
            }
            for level in chart.levels
        ],
        "curves": [
            {
                "name": curve.name,
                "hue": f"{hue:.0f}",
                "lines": [line(curve, level.steps) for level in chart.levels],
                "fast": None if curve.fast is None else f"{down(curve.fast):.2f}",
                "fast_value": None if curve.fast is None else f"{curve.fast:.3g}",
                "value": f"{curve.values[-1]:.3g}",
            }
            for curve, hue in zip(chart.curves, hues, strict=True)
        ],
    }


def _times(end: float) -> list[tuple[float, str]]:
    """Return up to six round times, s, with their text."""
    steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200]
    step = next((step for step in steps if end / step <= 6), end / 5)
    ticks = [number * step for number in range(int(end / step) + 1)]
    if step < 60:
        return [(tick, f"{tick:g} s") for tick in ticks]
    return [(tick, f"{tick / 60:g} min") for tick in ticks]


@functools.cache
def _templates() -> jinja2.Environment:
    import jinja2

    # Everything is escaped: file names are not ours.
    loader = jinja2.PackageLoader("stylize.reports", "templates")
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )

"""Results as HTML: the report of a comparison, and its before-and-after slider. The pages load nothing from outside."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize._version import __version__
from stylize.config import RefineConfig
from stylize.errors import OptionError
from stylize.images.picture import Picture
from stylize.images.resizing import resized, size_for_long_side
from stylize.reports.charts import charts
from stylize.reports.curves import drawing
from stylize.reports.templating import render
from stylize.text import duration

if TYPE_CHECKING:
    from stylize.reports.film import Film, Frame
    from stylize.transfer.results import Comparison, Scored, TransferResult

__all__ = ["report", "slider"]

#: Larger pictures are shrunk to this long side for the page, px; the files beside the page have full size.
_LONG_SIDE_PX = 1600
#: The report shows at most this many stages of the refinement, each at most this large, px.
_MAX_STAGES, _STAGE_PX = 16, 720
_UNKNOWN = "–"

#: The values of `init` in words.
_START = {
    "preview": "the preview",
    "preview+content": "the preview's colours with the photo's detail",
    "content": "the photo",
    "noise": "noise",
    "content+noise": "the photo with noise",
}


def slider(pictures: Sequence[tuple[str, Picture]], *, left: int = 0, right: int = -1) -> str:
    """Return HTML, with its style and script, that shows two of the named pictures on both sides of a divider.

    Mouse, finger and arrow keys move the divider. With more than two pictures, two lists choose which are shown. The
    stage has the shape of the picture at `right`; pictures of other shapes are fitted into the stage. A document may
    contain several sliders.

    Args:
        pictures: a name and a picture each, at least two.
        left: the index of the picture shown on the left at first.
        right: the index of the picture shown on the right at first.

    Raises:
        OptionError: there are less than two pictures.
    """
    return render("slider_alone.html", slider=_slider(pictures, left, right))


def report(comparison: Comparison, *, film: Film | None = None, commands: Sequence[Sequence[str]] = ()) -> str:
    """Return one HTML page: slider, numbers, stages and curves of the refinement, and the commands to repeat it.

    Args:
        comparison: of a preview and its refinement, or of finished pictures. Finished pictures have no stages and no
            curves.
        film: has seen the refinement from its start to the result; without a film the page has no stages.
        commands: the arguments of shell commands.
    """
    content, styles, alpha = comparison.content, comparison.styles, comparison.content.alpha
    pictures = [("content", content)]
    pictures += [("style" if len(styles) == 1 else f"style {n}", style) for n, (style, _) in enumerate(styles, start=1)]
    pictures += [(score.label, Picture(score.image, alpha)) for score in comparison.scores]
    last = len(pictures) - 1
    refined = comparison.results[1] if len(comparison.results) == 2 else None
    values: dict[str, Any] = {"verdict": None, "start": "", "stages": [], "charts": []}
    if refined is not None:
        config = refined.config
        assert isinstance(config, RefineConfig)
        sizes_px = [level.long_side_px for level in refined.levels]
        values = {
            "verdict": _verdict(comparison, refined),
            "start": _start(config),
            "from_preview": config.starts_from_preview and config.strength > 0,
            "stages": [] if film is None else [_stage(frame, alpha) for frame in film.stages(_MAX_STAGES)],
            "charts": [drawing(chart) for chart in charts(refined.history, sizes_px, comparison.scores[0].losses)],
        }
    return render(
        "report.html",
        comparison=comparison,
        version=__version__,
        content=_name(content, "content"),
        styles=[(_name(style, "style"), weight) for style, weight in styles],
        slider=_slider(pictures, 0 if refined is None else last - 1, last),
        rows=_rows(comparison.scores),
        commands=[shlex.join(command) for command in commands],
        **values,
    )


def _start(config: RefineConfig) -> str:
    """Return what a refinement started from, in words. With a strength of 0 the photo remains as it is."""
    init = "content" if config.strength == 0 else config.init
    return _START.get(init, PurePath(init).name)


def _name(picture: Picture, default: str) -> str:
    return PurePath(picture.path).name if picture.path else default


# --------------------------------------------------------------------------------------------------------------------
# Pictures


def _slider(pictures: Sequence[tuple[str, Picture]], left: int, right: int) -> dict[str, Any]:
    """Return the values of the template slider.html."""
    if len(pictures) < 2:
        raise OptionError(f"slider: expected two pictures or more, received {len(pictures)}")
    left, right = range(len(pictures))[left], range(len(pictures))[right]
    shape = pictures[right][1]
    return {
        "pictures": [{"name": name, "uri": _data_uri(picture)} for name, picture in pictures],
        "left": left,
        "right": right,
        "width": shape.width,
        "height": shape.height,
    }


def _stage(frame: Frame, alpha: NDArray[np.float32] | None) -> dict[str, Any]:
    picture = Picture(
        frame.pixels.astype(np.float32) / np.float32(255),
        None if alpha is None else resized(alpha, *frame.pixels.shape[:2]),
    )
    minutes, seconds = divmod(round(frame.elapsed_s), 60)
    return {
        "uri": _data_uri(picture, _STAGE_PX, quality=80),
        "size": max(frame.size),
        "step": frame.step,
        "elapsed": f"{minutes}:{seconds:02d}",
    }


def _data_uri(picture: Picture, long_side_px: int = _LONG_SIDE_PX, quality: int = 90) -> str:
    """Return the picture as a data: URI of a WebP file, at most `long_side_px` large."""
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


def _verdict(comparison: Comparison, refinement: TransferResult) -> dict[str, Any]:
    """Return what the refinement gained over the preview, for the sentences above the table."""
    fast, refined = comparison.scores
    last = [entry for entry in refinement.history if entry.level == len(refinement.levels)]
    # Losses at different sizes cannot be compared: only the last level has the size of the preview.
    passed = next((entry.elapsed_s for entry in last if fast.losses and entry.losses.total <= fast.losses.total), None)
    return {
        "fast": _time(fast.seconds),
        "refined": _time(refined.seconds),
        "style": _change(fast.style_loss, refined.style_loss),
        "content": _change(fast.content_loss, refined.content_loss),
        "passed": None if passed is None else duration(passed),
        "at_once": bool(last) and passed == last[0].elapsed_s,
    }


def _change(before: float, after: float) -> dict[str, Any] | None:
    """Return by which factor a loss has changed, and whether it fell; None if a loss is zero or not finite."""
    if not (0 < before < float("inf") and 0 < after < float("inf")):
        return None
    times = max(before / after, after / before)
    return {"times": f"{times:.1f}" if times < 10 else f"{times:.0f}", "closer": after <= before, "same": times < 1.05}


def _rows(scores: Sequence[Scored]) -> list[dict[str, Any]]:
    """Return the table: one row per measure with one cell per picture."""
    layers = list(dict.fromkeys(name for score in scores for name in score.style_loss_per_layer))
    rows = [
        _row("Style loss", [s.style_loss for s in scores], "#.4g", min, note="lower is closer to the style"),
        *(_row(name, [s.style_loss_per_layer.get(name) for s in scores], "#.3g", min, part=True) for name in layers),
        _row("Content loss", [s.content_loss for s in scores], "#.4g", min, note="lower is closer to the scene"),
        _row("SSIM", [s.ssim for s in scores], ".3f", max, note="structure shared with the photo; 1 is alike"),
    ]
    if any(score.losses for score in scores):
        totals = [score.losses.total if score.losses else None for score in scores]
        rows.append(_row("Total loss", totals, "#.4g", min, note="what the refinement lowered"))
    if any(score.seconds is not None for score in scores):
        rows.append(_text_row("Time", [_time(score.seconds) for score in scores]))
    if any(score.peak_memory_bytes for score in scores):
        peaks = [None if s.peak_memory_bytes is None else s.peak_memory_bytes / 1e9 for s in scores]
        rows.append(_row("Peak memory", peaks, ".2f", note="GB, of the program until then"))
    if any(score.networks for score in scores):
        names = [", ".join(network.name for network in score.networks) for score in scores]
        rows.append(_text_row("Networks", [each or _UNKNOWN for each in names]))
    return rows


def _row(
    name: str,
    values: Sequence[float | None],
    form: str,
    best: Callable[[Sequence[float]], float] | None = None,
    *,
    note: str = "",
    part: bool = False,
) -> dict[str, Any]:
    """Return a row of numbers.

    Args:
        name: of the measure.
        values: one per picture; None and values that are not finite are shown as unknown.
        form: the numbers' format.
        best: min or max; the best value is marked unless all are equal.
        note: what the measure means.
        part: whether the measure is a part of the row above.
    """
    known = [value for value in values if value is not None and np.isfinite(value)]
    winner = best(known) if best and len(known) > 1 and min(known) < max(known) else None
    cells = [
        {
            "text": format(value, form).rstrip(".") if value in known else _UNKNOWN,
            "best": value is not None and value == winner,
        }
        for value in values
    ]
    return {"name": name, "note": note, "cells": cells, "part": part}


def _text_row(name: str, texts: Sequence[str]) -> dict[str, Any]:
    return {"name": name, "note": "", "cells": [{"text": text, "best": False} for text in texts], "part": False}


def _time(seconds: float | None) -> str:
    return _UNKNOWN if seconds is None else duration(seconds)

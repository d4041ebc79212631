"""Results in, web pages out: a before/after slider. Each is one string that asks nothing of anywhere."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from stylize.errors import OptionError
from stylize.images import Picture, resized, size_for_long_side

if TYPE_CHECKING:
    import jinja2

__all__ = ["slider"]

#: What is larger is shrunk for the page, px: the files beside it have all.
_LONG_SIDE_PX = 1600


def slider(pictures: Sequence[tuple[str, Picture]], *, left: int = 0, right: int = -1) -> str:
    """Return HTML, with its style and script, that shows two of the named pictures on either side of a divider.

    It moves by mouse, finger and arrow keys. Of more than two pictures, two lists choose; `left` and `right` are
    those shown at first. The stage has the shape of the one at `right`; others are fitted into it, not squashed.
    Any number of sliders may stand in one document. Raises OptionError for less than two pictures.
    """
    return str(_templates().get_template("slider_alone.html").render(_slider(pictures, left, right)))


def _slider(pictures: Sequence[tuple[str, Picture]], left: int, right: int) -> dict[str, Any]:
    if len(pictures) < 2:
        raise OptionError(f"slider: expected two pictures or more, received {len(pictures)}")
    left, right = range(len(pictures))[left], range(len(pictures))[right]
    shape = pictures[right][1]
    return {
        "pictures": [{"name": name, "uri": _uri(picture)} for name, picture in pictures],
        "left": left,
        "right": right,
        "ratio": f"{shape.width} / {shape.height}",
    }


def _uri(picture: Picture, long_side_px: int = _LONG_SIDE_PX, quality: int = 88) -> str:
    """Return the picture as a data: URI."""
    if max(picture.height, picture.width) > long_side_px:
        picture = resized(picture, *size_for_long_side(picture.height, picture.width, long_side_px))
    channels = picture.pixels
    if picture.alpha is not None and picture.alpha.min() < 1:
        channels = np.concatenate([channels, picture.alpha[..., None]], axis=2)
    stream = io.BytesIO()
    Image.fromarray(np.rint(np.clip(channels, 0, 1) * 255).astype(np.uint8)).save(stream, "WEBP", quality=quality)
    return "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


@functools.cache
def _templates() -> jinja2.Environment:
    import jinja2

    # Everything is escaped: file names are not ours.
    loader = jinja2.PackageLoader("stylize", "templates")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)

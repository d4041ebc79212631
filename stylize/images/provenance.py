"""Provenance: how a picture was made, stored as JSON in the EXIF description of the picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image

from stylize.errors import ImageError
from stylize.images.opening import identify, open_picture_file, pillow_errors
from stylize.schema import parsed, shown
from stylize.text import one_line

__all__ = ["provenance_exif", "read_provenance"]

# The only EXIF field that Pillow writes and reads in all five output formats.
_TAG = ExifTags.Base.ImageDescription

_MARKER = "stylize provenance: "
# Earlier versions wrote this marker; their pictures stay readable.
_EARLIER_MARKER = "stylize recipe: "


def provenance_exif(provenance: Mapping[str, Any]) -> bytes:
    """Encode a provenance as an EXIF block for a picture file.

    Args:
        provenance: A mapping that JSON can represent, not empty and of at most 100 levels; `read_provenance` returns
            the same mapping.
    """
    exif = Image.Exif()
    exif[_TAG] = _MARKER + json.dumps(dict(provenance))  # json.dumps escapes to ASCII
    return exif.tobytes()


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read how a picture was made.

    Args:
        path: The path or the URL of a picture that `write_image` wrote.

    Returns:
        The embedded provenance as JSON values of at most 100 levels, or None if the picture has none. Which entries
        there are is not checked: the picture may come from anywhere.

    Raises:
        ImageError: The file is unreadable or not a picture, or the provenance is damaged.
    """
    name = os.fsdecode(path)
    label = one_line(f"image {name}")
    with open_picture_file(name, label) as file, pillow_errors(label):
        description = identify(file, label, path=name).getexif().get(_TAG)
    if not isinstance(description, str) or not description.startswith((_MARKER, _EARLIER_MARKER)):
        return None
    try:
        provenance = parsed(description.partition(": ")[2])
    except ValueError as error:
        raise _damaged(label, f"damaged text ({one_line(error)})") from None
    if not isinstance(provenance, dict) or not provenance:
        raise _damaged(label, shown(provenance))
    return provenance


def _damaged(label: str, received: str) -> ImageError:
    return ImageError(f"{label}: expected a provenance as a JSON object, received {received}; use the original file")

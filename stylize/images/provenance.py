"""How a picture was made: read from the picture's metadata."""

from __future__ import annotations

import json
import os
from typing import Any

from PIL import ExifTags

from stylize.errors import ImageError
from stylize.images.reading import decoding, identified, opened_picture
from stylize.text import one_line

__all__ = ["PROVENANCE_MARKER", "PROVENANCE_TAG", "read_provenance"]

# EXIF ImageDescription is the one field that Pillow writes and reads in all five formats.
PROVENANCE_TAG = ExifTags.Base.ImageDescription

PROVENANCE_MARKER = "stylize provenance: "
# Pictures that were written before provenance had this name.
_EARLIER_MARKER = "stylize recipe: "


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The provenance that `write_image` embedded, or None where the picture has none.

    Raises:
        ImageError: the file can't be read, is no picture, or its provenance is damaged.
    """
    name = os.fsdecode(path)
    label = one_line(f"image {name}")
    with opened_picture(name, label) as file, decoding(label):
        description = identified(file, label).getexif().get(PROVENANCE_TAG)
    if not isinstance(description, str) or not description.startswith((PROVENANCE_MARKER, _EARLIER_MARKER)):
        return None
    try:
        provenance = json.loads(description.partition(": ")[2])
    except ValueError:
        provenance = None
    if not isinstance(provenance, dict):
        raise ImageError(f"{label}: expected a provenance in JSON, received damaged text; use the original file")
    return provenance

"""A SavedModel's conversion to LiteRT, kept beside the SavedModel so that it is made only once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stylize import files
from stylize._version import __version__
from stylize.networks import local, registry
from stylize.networks.installing import staging_folder
from stylize.networks.local import LocalWeights

__all__ = ["Conversion", "find", "keep"]

_CONVERTED = "converted.tflite"
_RECORD = "conversion.json"


@dataclass(frozen=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        path: The LiteRT file; None if the conversion failed.
        detail: How much the pictures differ, or why the conversion failed.
    """

    path: Path | None
    detail: str


def find(weights: LocalWeights) -> Conversion | None:
    """Return the kept conversion of a SavedModel.

    Returns:
        The conversion; None if it was not tried by this version of stylize on these files, or is damaged.
    """
    try:
        record = json.loads((weights.folder / _RECORD).read_text("utf-8"))
        if record["of"] != dict(weights.sha256) or record["version"] != __version__:
            return None
        if (entry := record["file"]) is None:
            return Conversion(None, str(record["detail"]))
        path = weights.folder / _CONVERTED
        found = path.stat()
        if found.st_size != entry["size_bytes"]:
            return None
        if found.st_mtime_ns != entry["mtime_ns"] and files.sha256(str(path)) != entry["sha256"]:
            return None
        return Conversion(path, str(record["detail"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def keep(weights: LocalWeights, convert: Callable[[], tuple[bytes | None, str]]) -> Conversion:
    """Convert a SavedModel and keep the result, unless another process has done so meanwhile.

    An interrupted conversion leaves no files.

    Args:
        weights: The SavedModel.
        convert: Returns the LiteRT file, None if the conversion failed, and the detail for `Conversion`.

    Raises:
        WeightsError: Nothing can be written.
    """
    with staging_folder(registry.REGISTRY[weights.name]) as staging:
        if (kept := find(weights)) is not None:
            return kept
        data, detail = convert()
        entry = None
        if data is not None:
            (staging / _CONVERTED).write_bytes(data)
            entry = local.file_entry(staging / _CONVERTED)
            os.replace(staging / _CONVERTED, weights.folder / _CONVERTED)
        record = {"of": dict(weights.sha256), "version": __version__, "detail": detail, "file": entry}
        # The record is written last: a file without a record is ignored.
        (staging / _RECORD).write_text(json.dumps(record, indent=1), "utf-8")
        os.replace(staging / _RECORD, weights.folder / _RECORD)
    return Conversion(None if data is None else weights.folder / _CONVERTED, detail)

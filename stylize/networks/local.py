"""A network's files on this machine: their folder, and the record of what was put there."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from stylize import files
from stylize.errors import WeightsError
from stylize.networks.registry import WeightsSpec

__all__ = [
    "EMBEDDED",
    "RECORD",
    "LocalWeights",
    "Origin",
    "file_entry",
    "find",
    "folder",
    "home",
    "inspect",
    "read_record",
]

Origin = Literal["embedded", "added", "downloaded"]

#: Name of the record in a network's folder: JSON with the origin, and the hash, size and time of each file.
RECORD = "record.json"


def _embedded_folder() -> Path:
    module = importlib.util.find_spec("stylize.models")
    if module is None or not module.submodule_search_locations:  # An installation without models.
        return Path(__file__).parents[1] / "models"
    return Path(module.submodule_search_locations[0])


#: The folder of the networks that come with the package.
EMBEDDED = _embedded_folder()


@dataclass(frozen=True)
class LocalWeights:
    """A network's files on this machine.

    Attributes:
        name: The network's name.
        folder: The folder of the files.
        files: The files in the registry's order; the files of a SavedModel are sorted.
        sha256: The hash of each file in lower-case hex, by the file's path relative to `folder`.
        origin: How the files came here.
        published: Whether every file has its published hash. A file without a published hash counts as published if
            it was downloaded from the published address.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    sha256: Mapping[str, str] = field(hash=False)
    origin: Origin
    published: bool


def home() -> Path:
    """Return the folder of everything that stylize keeps: $STYLIZE_HOME, or a folder in the user's cache.

    The folder is made when something is written.
    """
    if chosen := os.environ.get("STYLIZE_HOME"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("stylize")


def folder(spec: WeightsSpec) -> Path:
    """Return the folder of a network's files."""
    return EMBEDDED if spec.embedded else home() / "models" / spec.name


def file_entry(path: Path) -> dict[str, Any]:
    """Return what the record says of a file: its hash, its size and its time. Raises OSError."""
    found = path.stat()
    return {"sha256": files.sha256(str(path)), "size_bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def read_record(spec: WeightsSpec) -> dict[str, Any] | None:
    """Return the record of a network's files, None if there are no files.

    Raises:
        WeightsError: There are files, but their record is missing or damaged.
    """
    if spec.embedded:
        return _embedded_record(spec)
    path = folder(spec) / RECORD
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for entry in record["files"].values():
            entry["size_bytes"], entry["mtime_ns"], entry["sha256"]
        record["origin"], record["published"]
    except (FileNotFoundError, NotADirectoryError):
        if not folder(spec).exists():
            return None
        raise WeightsError(f"{path} is missing") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} can't be read ({type(error).__name__})") from error
    return record


def _embedded_record(spec: WeightsSpec) -> dict[str, Any] | None:
    paths = [EMBEDDED / file.filename for file in spec.files]
    if not all(path.is_file() for path in paths):
        return None
    entries = {path.name: file_entry(path) for path in paths}
    published = all(file.sha256 in (None, entries[file.filename]["sha256"]) for file in spec.files)
    return {"origin": "embedded", "published": published, "files": entries}


def inspect(spec: WeightsSpec) -> LocalWeights | None:
    """Return a network's files, None if they are not on this machine.

    Sizes and times are compared with the record. A file is hashed only if its time differs, as in a copied folder.

    Raises:
        WeightsError: The files are damaged.
    """
    if (record := read_record(spec)) is None:
        return None
    place = folder(spec)
    entries = {place / filename: entry for filename, entry in record["files"].items()}
    for path, entry in entries.items():
        try:
            found = path.stat()
            if found.st_size != entry["size_bytes"]:
                raise WeightsError(f"{path} has {found.st_size} bytes, expected {entry['size_bytes']}")
            if found.st_mtime_ns != entry["mtime_ns"] and files.sha256(str(path)) != entry["sha256"]:
                raise WeightsError(f"{path} has changed since it was {record['origin']}")
        except OSError as error:
            raise WeightsError(f"{path}: {error.strerror or error}") from error
    sha256 = {filename: entry["sha256"] for filename, entry in record["files"].items()}
    return LocalWeights(spec.name, place, tuple(entries), sha256, record["origin"], record["published"])


def find(spec: WeightsSpec) -> LocalWeights | None:
    """Return a network's files, None if they are absent or damaged."""
    try:
        return inspect(spec)
    except WeightsError:
        return None

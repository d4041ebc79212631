"""Recognise a network's files among those that a user adds, and check their contents."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from stylize import files
from stylize.errors import WeightsError
from stylize.networks.registry import WeightsFile, WeightsSpec

__all__ = ["check", "check_readable", "copy_saved_model", "is_published", "recognise"]

#: What is copied from a SavedModel's folder. The folder may hold other files, such as the user's other downloads.
_SAVED_MODEL_PARTS = ("saved_model.pb", "variables", "assets", "fingerprint.pb", "tfhub_module.pb")

_SAVED_MODEL_FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-*")


def check_readable(spec: WeightsSpec, given: Sequence[Path]) -> None:
    """Read the files that may be copied. So a later error is one of the folder to which they are copied.

    Raises:
        WeightsError: A file or a folder can't be read.
    """
    path = Path()
    try:
        for path in _candidates(spec, given):
            files.sha256(str(path))
    except OSError as error:
        raise WeightsError(f"{error.filename or path} can't be read: {error.strerror or error}") from error


def _candidates(spec: WeightsSpec, given: Sequence[Path]) -> list[Path]:
    """Return the given files, and those in the given folders that may belong to a network. Raises OSError."""
    suffixes = {Path(file.filename).suffix for file in spec.files}
    found = [path for path in given if not path.is_dir()]
    for folder in (path for path in given if path.is_dir()):
        if spec.archive:
            parts = [folder / part for part in _SAVED_MODEL_PARTS]
            inside = [path for part in parts for path in (part, *sorted(part.rglob("*")))]
        else:
            inside = [path for path in sorted(folder.iterdir()) if path.suffix in suffixes]
        found += [path for path in inside if path.is_file()]
    return found


def recognise(spec: WeightsSpec, given: Sequence[Path]) -> dict[WeightsFile, Path]:
    """Find each of the network's files among the given files and in the given folders.

    A file is recognised by its published hash, else by its published name, else by its keyword. The only file of a
    network may have any name.

    Raises:
        WeightsError: A file is missing, several different files could be meant, or a given file belongs to nothing.
    """
    candidates = _candidates(spec, given)
    chosen: dict[WeightsFile, Path] = {}
    for file in spec.files:
        matches = _matches(file, candidates) or (candidates if len(spec.files) == 1 else [])
        if not matches:
            raise WeightsError(f"{file.filename} is not among the given files")
        if len({files.sha256(str(path)) for path in matches}) > 1:
            raise WeightsError(f"{', '.join(map(str, matches))} could each be {file.filename}; name one of them")
        chosen[file] = matches[0]
    for path in given:
        if not path.is_dir() and path not in chosen.values():
            raise WeightsError(f"{path} is none of {', '.join(file.filename for file in spec.files)}")
    return chosen


def _matches(file: WeightsFile, candidates: Sequence[Path]) -> list[Path]:
    names = (file.filename, PurePosixPath(urlsplit(file.url or "").path).name)
    return (
        [path for path in candidates if is_published(file, path)]
        or [path for path in candidates if path.name in names]
        or [path for path in candidates if file.keyword and file.keyword in path.name.lower()]
    )


def is_published(file: WeightsFile, path: Path) -> bool:
    """Whether a file has the published hash; False if no hash is published. Raises OSError."""
    if file.sha256:
        return files.sha256(str(path)) == file.sha256
    return file.md5 is not None and _md5(path) == file.md5


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def copy_saved_model(spec: WeightsSpec, given: Sequence[Path], content: Path) -> bool:
    """Copy a SavedModel's folder, or unpack its archive, into the folder `content`.

    Returns:
        Whether the archive has the published hash.

    Raises:
        WeightsError: Not one path is given, or the archive is damaged.
        OSError: The files can't be copied.
    """
    if len(given) != 1:
        raise WeightsError(f"expected one SavedModel folder or one tar.gz of it, received {len(given)} paths")
    if not given[0].is_dir():
        from stylize.networks.download import unpack

        unpack(given[0], content)
        return is_published(spec.files[0], given[0])
    for part in _SAVED_MODEL_PARTS:
        source = given[0] / part
        if source.is_dir():
            shutil.copytree(source, content / part, copy_function=shutil.copyfile)
            for folder, _, _ in os.walk(content / part):  # of a write-protected folder, no file could be removed
                os.chmod(folder, os.stat(folder).st_mode | stat.S_IRWXU)
        elif source.exists():
            shutil.copyfile(source, content / part)
    return False


def check(spec: WeightsSpec, content: Path) -> None:
    """Check the contents of a network's files in the folder `content`.

    Raises:
        WeightsError: A file is not of the expected kind.
    """
    if spec.archive:
        for pattern in _SAVED_MODEL_FILES:
            if not any(path.stat().st_size for path in content.glob(pattern)):
                raise WeightsError(f"not a SavedModel: {pattern} is missing or empty")
        return
    for file in spec.files:
        path = content / file.filename
        if path.suffix == ".h5":
            from stylize.networks import vgg19_file

            vgg19_file.check(path)
        elif path.suffix == ".tflite" and path.read_bytes()[4:8] != b"TFL3":
            raise WeightsError(f"the file for {file.filename} is not a TFLite model (no TFL3 at byte 4)")

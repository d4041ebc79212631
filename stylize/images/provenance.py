"""Provenance: how a picture was made, stored as JSON in the EXIF description of the picture, or a GIF's comment."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import PureWindowsPath
from typing import Any

from PIL import ExifTags

from stylize.config import INITS
from stylize.errors import ImageError
from stylize.files import is_url, local_path
from stylize.images.opening import identify, open_picture_file, pillow_errors
from stylize.schema import parsed, shown
from stylize.styles import is_name
from stylize.text import one_line
from stylize.urls import without_secrets

__all__ = ["found_path", "is_provenance", "places", "provenance_text", "read_provenance", "with_paths"]

# The only EXIF field that Pillow writes and reads in all five output formats.
_TAG = ExifTags.Base.ImageDescription

_MARKER = "stylize provenance: "
# Earlier versions wrote this marker; their pictures stay readable.
_EARLIER_MARKER = "stylize recipe: "

_HOME = "~/"


def provenance_text(provenance: Mapping[str, Any], folder: str | None = None) -> str:
    """Encode a provenance as the description of a picture.

    Args:
        provenance: A mapping that JSON can represent, not empty and of at most 100 levels. The text holds its paths as
            `places` finds them again: relative to the picture, else `~/...` for a file in the home folder, which is
            never named. It holds URLs without user, query and fragment, which may be secrets.
        folder: The folder of the picture; None if the picture gets no file, or a URL: paths that are relative stay
            relative to the current folder.
    """
    portable = with_paths(dict(provenance), lambda path: _portable(path, folder))
    return _MARKER + json.dumps(portable)  # json.dumps escapes to ASCII


def is_provenance(description: object) -> bool:
    """Whether a picture's description is a provenance."""
    return isinstance(description, str) and description.startswith((_MARKER, _EARLIER_MARKER))


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read how a picture was made.

    Args:
        path: The path or the URL of a picture that `write_image` wrote.

    Returns:
        The embedded provenance as JSON values of at most 100 levels, or None if the picture has none. Which entries
        there are is not checked: the picture may come from anywhere. Its paths are relative to the picture, begin with
        `~/` for the home folder, or are absolute; in pictures of earlier versions they are as they were given.

    Raises:
        ImageError: The file is unreadable or not a picture, or the provenance is damaged.
    """
    name = os.fsdecode(path)
    label = one_line(f"image {name}")
    with open_picture_file(name, label) as file, pillow_errors(label):
        image = identify(file, label, path=name)
        comment = image.info.get("comment") if image.format == "GIF" else None
        # The first line: the texts of the content may follow.
        text = comment.decode("ascii", "replace").partition("\n")[0] if isinstance(comment, bytes) else None
        description = image.getexif().get(_TAG) if text is None else text
    if not isinstance(description, str) or not is_provenance(description):
        return None
    try:
        provenance = parsed(description.partition(": ")[2])
    except ValueError as error:
        raise _damaged(label, f"damaged text ({one_line(error)})") from None
    if not isinstance(provenance, dict) or not provenance:
        raise _damaged(label, shown(provenance))
    return provenance


def places(path: str, folder: str) -> list[str]:
    """Return where a file of a provenance may be: the recorded place, and beside the picture.

    Args:
        path: A path of a provenance.
        folder: The folder of the picture.
    """
    if is_url(path):
        return [path]
    if path.startswith(_HOME):
        found = [os.path.normpath(os.path.expanduser(path))]
    else:
        # `..` leads back where folders are no symbolic links. Paths of earlier versions may start from the current
        # folder.
        start = os.path.realpath(folder) if path.startswith("..") else folder
        found = [os.path.normpath(os.path.join(start, path)), path]
    # The picture may come from a machine with other separators.
    return [*dict.fromkeys([*found, os.path.join(folder, PureWindowsPath(path).name)])]


def with_paths(value: Any, change: Callable[[str], str], name: str = "") -> Any:
    """Return a provenance with changed paths.

    Args:
        value: A provenance, or a part of it.
        change: Returns the path to take instead.
        name: The key of the part. The values of `path` are paths, and so is an `init` that names a file.
    """
    if isinstance(value, Mapping):
        return {key: with_paths(item, change, key) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_paths(item, change) for item in value]
    is_path = isinstance(value, str) and (name == "path" or (name == "init" and value not in INITS))
    return change(value) if is_path else value


def found_path(path: str, folder: str) -> str:
    """Return the first of the `places` that exists; the path itself if none does, and the name of a style."""
    if is_name(path):
        return path
    return next((place for place in places(path, folder) if os.path.lexists(place)), path)


def _portable(path: str, folder: str | None) -> str:
    path = local_path(path)
    if is_url(path):
        # A chain such as zip://a.png::file:///home/ann/a.zip may name the home folder, too.
        home = re.escape(os.path.expanduser("~").replace(os.sep, "/"))
        return re.sub(f"(?<=::|//)/?{home}/", _HOME, without_secrets(path))
    if is_name(path):
        return path
    if folder is None and not os.path.isabs(path):
        folder = os.curdir
    # Folders without symbolic links, where `..` leads back. The file's own name stays, even if it is a link.
    absolute = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    home = os.path.realpath(os.path.expanduser("~"))
    at_home = _inside(absolute, home) and os.path.dirname(home) != home
    if folder is not None:
        base = os.path.realpath(folder)
        shared = _common(absolute, base)
        below_root = os.path.dirname(shared) != shared
        if (shared == base or below_root) and (not at_home or _inside(base, home)):
            relative = os.path.relpath(absolute, base).replace(os.sep, "/")
            return f"./{relative}" if is_name(relative) else relative
    return _HOME + os.path.relpath(absolute, home).replace(os.sep, "/") if at_home else absolute


def _inside(path: str, folder: str) -> bool:
    return _common(path, folder) == folder


def _common(path: str, folder: str) -> str:
    """Return the deepest folder of both; nothing for two drives of Windows."""
    try:
        return os.path.commonpath([path, folder])
    except ValueError:
        return ""


def _damaged(label: str, received: str) -> ImageError:
    return ImageError(f"{label}: expected a provenance as a JSON object, received {received}; use the original file")

"""Where files lie: local paths, and URLs (s3://, gs://, https://, file:// ...) by fsspec; what is there, its bytes."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from stylize.errors import ImageError, StylizeError, writing
from stylize.text import one_line

__all__ = [
    "PICTURE_SUFFIXES",
    "check_place",
    "is_url",
    "joined",
    "opened",
    "pictures",
    "sha256",
    "stamp",
    "stem",
    "whole_file",
    "within",
    "write",
]

#: What a folder's pictures end in; anything else in it is left alone.
PICTURE_SUFFIXES = frozenset(
    "jpg jpeg jpe mpo png apng gif bmp ppm pgm webp tif tiff avif jp2 j2k psd qoi".split()  # noqa: SIM905
)


def is_url(place: str) -> bool:
    """Whether `place` is a URL rather than a local path."""
    return "://" in place


def joined(folder: str, name: str) -> str:
    """`name` in `folder`, either of which may be a URL or, `name`, an absolute path."""
    if is_url(folder) and not is_url(name) and not os.path.isabs(name):
        return f"{folder.rstrip('/')}/{name}"
    return name if is_url(name) else os.path.join(folder, name)


def stem(place: str) -> str:
    """The name of a file without folder and suffix."""
    return PurePosixPath(place.split("?")[0] if is_url(place) else place.replace(os.sep, "/")).stem


def within(place: str, folder: str) -> bool:
    """Whether `place` lies in `folder` or is it, links resolved."""
    if is_url(place) or is_url(folder):
        return f"{place.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")
    real, root = os.path.realpath(place), os.path.realpath(folder)
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


def pictures(place: str, role: str, *, leave_out: str) -> Iterator[tuple[str, str]]:
    """Yield the pictures of a folder (and the folders in it), a glob or a file, sorted, as they are found.

    Pairs of the path and of the path below the folder or below the glob's fixed part, with `/`. Hidden files, what is
    no picture by its name, and the folder `leave_out` are passed over; a file that is named is taken as it is. Raises
    StylizeError for what is not there or can't be listed, and where there is no picture.
    """
    found = False
    for item in _found_by_url(place, role) if is_url(place) else _found(place, role, leave_out):
        found = True
        yield item
    if not found:
        raise StylizeError(f"{role} {place}: no pictures there; expected files such as .jpg, .png, .webp or .tif")


def _found(place: str, role: str, leave_out: str) -> Iterator[tuple[str, str]]:
    if os.path.isdir(place):
        yield from _walked(place, "", role, leave_out)
    elif os.path.lexists(place):
        yield place, os.path.basename(place)
    elif glob.has_magic(place):
        root = place
        while glob.has_magic(root):
            root = os.path.dirname(root)
        for path in sorted(glob.iglob(place, recursive=True)):
            below = os.path.relpath(path, root or ".").replace(os.sep, "/")
            if os.path.isdir(path):
                # `**` finds what lies in it by itself.
                if "**" not in place and not within(path, leave_out):
                    yield from _walked(path, f"{below}/", role, leave_out)
            elif _is_picture(path) and not within(path, leave_out):
                yield path, below
    else:
        raise StylizeError(f"{role} {place}: no such file or folder")


def _walked(folder: str, below: str, role: str, leave_out: str) -> Iterator[tuple[str, str]]:
    if within(folder, leave_out):
        return
    try:
        with os.scandir(folder) as entries:
            # Names alone, as there may be a million. A link to a folder may lead round in a circle.
            listed = sorted(
                (entry.name, entry.is_dir(follow_symlinks=False))
                for entry in entries
                if not entry.name.startswith(".") and (_is_picture(entry.name) or entry.is_dir(follow_symlinks=False))
            )
    except OSError as error:
        raise StylizeError(f"{role} {folder}: could not be listed: {error.strerror or error}") from error
    for name, is_folder in listed:
        path = os.path.join(folder, name)
        if is_folder:
            yield from _walked(path, f"{below}{name}/", role, leave_out)
        elif not os.path.isdir(path):
            yield path, below + name


def _is_picture(path: str) -> bool:
    return path.rpartition(".")[2].lower() in PICTURE_SUFFIXES


# --------------------------------------------------------------------------------------------------------------------
# Files of both kinds


def opened(place: str) -> BinaryIO:
    """Open a file for reading bytes. Raises OSError as `open` does; StylizeError for a URL of no known kind."""
    if not is_url(place):
        return open(place, "rb")
    system, path = _system(place)
    return cast(BinaryIO, system.open(path, "rb"))


def stamp(place: str) -> str:
    """What changes with a file, had without reading it: size and time, or what the store says. Raises OSError."""
    if is_url(place):
        system, path = _system(place)
        return f"{system.size(path)}-{system.ukey(path)[:16]}"
    status = os.stat(place)
    return f"{status.st_size}-{status.st_mtime_ns}"


def sha256(place: str) -> str:
    """Hash of a file's bytes, hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with opened(place) as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write(url: str, data: bytes) -> None:
    """Write bytes to a URL, whole or not at all as its store has it. Raises OSError."""
    system, path = _system(url)
    with contextlib.suppress(NotImplementedError):  # object stores have no folders
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
    system.pipe_file(path, data)


def _found_by_url(url: str, role: str) -> Iterator[tuple[str, str]]:
    system, path = _system(url)
    root = path
    while glob.has_magic(root):
        root = root.rpartition("/")[0]
    try:
        if root != path:
            listed = system.glob(path)
        elif system.isfile(path):
            yield url, PurePosixPath(path).name
            return
        else:
            listed = system.find(path)
    except OSError as error:
        raise StylizeError(f"{role} {url}: could not be listed: {error.strerror or error}") from error
    for each in sorted(listed):
        below = each[len(root) :].lstrip("/")
        if _is_picture(each) and not any(part.startswith(".") for part in below.split("/")):
            yield system.unstrip_protocol(each), below


def _system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise StylizeError(f'{url}: reading URLs needs fsspec: pip install "stylize[batch]"') from error
    try:
        return cast("tuple[Any, str]", url_to_fs(url))
    except (ImportError, ValueError) as error:  # which package an object store needs, or an unknown protocol
        raise StylizeError(f"{url}: {error}") from error


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], name: str) -> Iterator[str]:
    """Write to the path that is yielded: when all went well, it takes the place of `path`; else nothing is left.

    Raises:
        ImageError: the system refuses (disk full); `name` is what the message calls the file, such as "film".
    """
    target = os.path.realpath(path)  # a link stays a link, and what it points at is replaced
    temporary = os.path.join(os.path.dirname(target), f".stylize-{secrets.token_hex(8)}.part")
    with writing(one_line(f"{name} {os.fspath(path)}"), ImageError):
        try:
            yield temporary
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def check_place(path: str | os.PathLike[str], name: str, *, overwrite: bool) -> None:
    """As `check_output`, for a file of any kind; `name` is what the message calls it, such as "film"."""
    path = os.fspath(path)
    label = one_line(f"{name} {path}")
    try:
        target = os.path.realpath(path)
    except (OSError, ValueError) as error:
        raise ImageError(f"{label}: expected a path, received: {one_line(error)}") from None
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise ImageError(f"{label}: expected an existing folder, received {one_line(folder)}; make it first")
    if os.path.isdir(target):
        raise ImageError(f"{label}: expected a file, received a folder; add a file name")
    if os.path.exists(target):
        if not overwrite:
            raise ImageError(f"{label}: is there already; choose another name or overwrite it")
        if not os.path.isfile(target) or not os.access(target, os.W_OK):
            raise ImageError(f"{label}: expected a file that may be replaced, received a write-protected one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError(f"{label}: no permission to write in {one_line(folder)}; choose another folder")

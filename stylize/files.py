"""Files: local paths, and URLs (s3://, gs://, https://, file:// ...) by fsspec; finding, reading, writing."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO, cast

from stylize.errors import ImageError, StylizeError
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
    "stream_sha256",
    "whole_file",
    "within",
    "write",
    "write_errors",
]

#: The suffixes of pictures in a folder; all other files in the folder are ignored.
PICTURE_SUFFIXES = frozenset(
    "jpg jpeg jpe mpo png apng gif bmp ppm pgm webp tif tiff avif jp2 j2k psd qoi".split()  # noqa: SIM905
)

_HASH_BLOCK_BYTES = 1 << 20

# --------------------------------------------------------------------------------------------------------------------
# Names


def is_url(place: str) -> bool:
    """Whether `place` is a URL rather than a local path."""
    return "://" in place


def joined(folder: str, name: str) -> str:
    """Join a folder and a name.

    Args:
        folder: A path or a URL.
        name: A relative path; an absolute path or a URL is returned as given.
    """
    if is_url(folder) and not is_url(name) and not os.path.isabs(name):
        return f"{folder.rstrip('/')}/{name}"
    return name if is_url(name) else os.path.join(folder, name)


def stem(place: str) -> str:
    """The name of a file without folder and suffix."""
    return PurePosixPath(place.split("?")[0] if is_url(place) else place.replace(os.sep, "/")).stem


def within(place: str, folder: str) -> bool:
    """Whether `place` is `folder` or lies in `folder`; symbolic links are resolved."""
    if is_url(place) or is_url(folder):
        return f"{place.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")
    real, root = os.path.realpath(place), os.path.realpath(folder)
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep)


# --------------------------------------------------------------------------------------------------------------------
# Finding pictures


def pictures(place: str, role: str, *, leave_out: str) -> Iterator[tuple[str, str]]:
    """Find the pictures of a folder (with its subfolders), of a glob, or a single file.

    Hidden files and files without a picture suffix are ignored; a file that is named directly is taken as given.

    Args:
        place: A path, a URL, or a glob.
        role: What error messages call the place, such as "content".
        leave_out: A folder whose pictures are ignored.

    Yields:
        The path, and the path below the folder or below the fixed part of the glob, with `/`; sorted by name within
        each folder.

    Raises:
        StylizeError: The place does not exist, cannot be listed, or contains no picture.
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
                # The glob itself finds the content of this folder if it has a `**`.
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
            # Keep only names: a folder may have a million files. Links to folders may form a circle: do not follow.
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


def _is_picture(path: str) -> bool:
    return path.rpartition(".")[2].lower() in PICTURE_SUFFIXES


# --------------------------------------------------------------------------------------------------------------------
# Reading


def opened(place: str) -> BinaryIO:
    """Open a file for reading bytes.

    Args:
        place: A path or a URL.

    Raises:
        OSError: As the built-in `open`.
        StylizeError: The URL is of an unknown kind.
    """
    if not is_url(place):
        return open(place, "rb")
    system, path = _system(place)
    return cast(BinaryIO, system.open(path, "rb"))


def stamp(place: str) -> str:
    """A text that changes when the file changes, without reading the file.

    The text is the size and the time of a local file, and what the store reports for a URL.

    Raises:
        OSError: The file is missing or unreachable.
    """
    if is_url(place):
        system, path = _system(place)
        return f"{system.size(path)}-{system.ukey(path)[:16]}"
    status = os.stat(place)
    return f"{status.st_size}-{status.st_mtime_ns}"


def sha256(place: str) -> str:
    """Hash the bytes of a file, as hexadecimal digits.

    Raises:
        OSError: The file is missing or unreachable.
    """
    with opened(place) as file:
        return stream_sha256(file)


def stream_sha256(stream: BinaryIO) -> str:
    """Hash a stream from its current position to its end, as hexadecimal digits."""
    digest = hashlib.sha256()
    while block := stream.read(_HASH_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL, and the path in that file system."""
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise StylizeError(f'{url}: reading URLs needs fsspec: pip install "stylize[batch]"') from error
    try:
        return cast("tuple[Any, str]", url_to_fs(url))
    except (ImportError, ValueError) as error:  # the package for an object store is missing, or an unknown protocol
        raise StylizeError(f"{url}: {error}") from error


# --------------------------------------------------------------------------------------------------------------------
# Writing


@contextlib.contextmanager
def write_errors(name: object, kind: type[StylizeError] = StylizeError) -> Iterator[None]:
    """Turn an OSError (such as a full disk) into a one-line error.

    Args:
        name: What the message calls the file.
        kind: The type of the new error.

    Raises:
        StylizeError: Of type `kind`.
    """
    try:
        yield
    except OSError as error:
        raise kind(f"{name}: could not be written: {error.strerror or error}") from error


def write(url: str, data: bytes) -> None:
    """Write bytes to a URL. Object stores write the whole file or nothing.

    Raises:
        OSError: The store refuses.
    """
    system, path = _system(url)
    with contextlib.suppress(NotImplementedError):  # object stores have no folders
        system.makedirs(path.rpartition("/")[0], exist_ok=True)
    system.pipe_file(path, data)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], name: str) -> Iterator[str]:
    """Write a file as a whole: write to a temporary file in the same folder, then rename.

    After an error, the temporary file is removed and an old file at `path` is unchanged.

    Args:
        path: The file to write or to replace. A symbolic link stays; its target is replaced.
        name: What error messages call the file, such as "film".

    Yields:
        The path of the temporary file, which does not exist yet.

    Raises:
        ImageError: The system refuses, such as for a full disk.
    """
    target = os.path.realpath(path)
    temporary = os.path.join(os.path.dirname(target), f".stylize-{secrets.token_hex(8)}.part")
    with write_errors(one_line(f"{name} {os.fspath(path)}"), ImageError):
        try:
            yield temporary
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def check_place(path: str | os.PathLike[str], name: str, *, overwrite: bool) -> None:
    """Check before a long run that a file can be written at the end.

    Args:
        path: The file to write.
        name: What error messages call the file, such as "film".
        overwrite: Whether an existing file may be replaced.

    Raises:
        ImageError: The folder is missing or not writable, the path is a folder, or the file exists and may not be
            replaced.
    """
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

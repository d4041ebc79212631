"""Files: local paths and URLs; names, reading, writing."""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import io
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import PurePath, PurePosixPath
from typing import BinaryIO

from stylize import urls
from stylize.errors import ImageError, StylizeError
from stylize.text import one_line, split_weight

__all__ = [
    "FORBIDDEN",
    "FORBIDDEN_BY_WINDOWS",
    "MAX_NAME_BYTES",
    "check_name",
    "check_place",
    "exists",
    "identity",
    "is_remote",
    "is_url",
    "joined",
    "local_path",
    "opened",
    "part_marked",
    "same_file",
    "sha256",
    "shortened",
    "stamp",
    "stem",
    "stream_sha256",
    "suffix",
    "weighted",
    "whole_file",
    "within",
    "write",
    "write_errors",
]

#: The longest name of a file, in bytes, on most file systems.
MAX_NAME_BYTES = 255
#: Windows reads a backslash as `/`, and `:` as the end of a drive or the start of a hidden stream; it refuses the rest.
FORBIDDEN_BY_WINDOWS = frozenset('\\:*?"<>|')
#: What no name may have on this system, beside `/`.
FORBIDDEN: frozenset[str] = FORBIDDEN_BY_WINDOWS if os.name == "nt" else frozenset()

_HASH_BLOCK_BYTES = 1 << 20

# URLs of files of this machine. On Windows a slash stands before the drive.
_LOCAL = re.compile(r"^(file|local)://(/(?=[A-Za-z]:))?")

# --------------------------------------------------------------------------------------------------------------------
# Names


def is_url(place: str) -> bool:
    """Whether `place` is a URL rather than a local path. A scheme of one letter is a drive of Windows."""
    scheme, separator, _ = place.partition("://")
    return bool(separator) and len(scheme) != 1


def is_remote(place: str) -> bool:
    """Whether `place` is a URL that needs a network. In a chain such as zip://a.png::file:///a.zip, the last counts."""
    return is_url(place) and not _LOCAL.match(place.rpartition("::")[2])


def local_path(place: str) -> str:
    """Return the path of a file:// URL, and any other place as given."""
    return _LOCAL.sub("", place)


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
    return _path(place).stem


def suffix(place: str) -> str:
    """What follows the last dot of the name of a file; empty if there is none."""
    return _path(place).suffix.removeprefix(".")


def _path(place: str) -> PurePosixPath:
    return PurePosixPath(place.split("?")[0] if is_url(place) else place.replace(os.sep, "/"))


def shortened(name: str, ending: str = "", *, max_bytes: int = MAX_NAME_BYTES) -> str:
    """Return `name + ending`; if that is too long for a file's name, shorten `name`.

    A hash stands for what is cut off, so that different names stay different.

    Args:
        name: A name without folder.
        ending: What stays whole, such as a suffix. If this leaves no room, the result is too long, too.
        max_bytes: The length that the whole may have.
    """
    room = max_bytes - len(os.fsencode(ending))
    data = os.fsencode(name)
    if len(data) <= room:
        return name + ending
    mark = f"-{hashlib.sha256(data).hexdigest()[:8]}"
    name = name[:room]
    while name and len(os.fsencode(name)) > room - len(mark):
        name = name[:-1]
    return f"{name}{mark}{ending}"


def check_name(name: str, label: str) -> None:
    """Raise ImageError if a file cannot have this name: it is too long, or has a character that Windows forbids.

    Args:
        name: A name without folder.
        label: What the message calls the file.
    """
    length = len(os.fsencode(name))
    if length > MAX_NAME_BYTES:
        raise ImageError(f"{label}: expected a name of up to {MAX_NAME_BYTES} bytes, received {length}; shorten it")
    if set(name) & FORBIDDEN:
        raise ImageError(f"{label}: expected a name without {' '.join(sorted(FORBIDDEN))}; choose another")


def weighted(text: str, folder: str = "") -> tuple[str, float | None]:
    """Split FILE:WEIGHT at the last colon, unless a file has the whole name; the weight is None if there is none.

    Args:
        text: The file and its weight.
        folder: What a relative path starts from.
    """
    path, weight = split_weight(text)
    if weight is not None and not is_url(joined(folder, text)) and os.path.lexists(joined(folder, text)):
        return text, None
    return path, weight


def within(place: str, folder: str) -> bool:
    """Whether `place` is `folder` or lies in `folder`, by whatever links and spellings.

    Args:
        place: A path or a URL.
        folder: A path or a URL.
    """
    place, folder = local_path(place), local_path(folder)
    if is_url(place) or is_url(folder):
        return f"{place.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")
    real, root = os.path.realpath(place), os.path.realpath(folder)
    # Another spelling of the folder has as many parts.
    above = PurePath(*PurePath(real).parts[: len(PurePath(root).parts)])
    return real == root or real.startswith(root.rstrip(os.sep) + os.sep) or same_file(above, root)


def same_file(path: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two paths lead to one file or folder. Disks of macOS and Windows take `A` and `a` for one name."""
    first = identity(path)
    return first is not None and first == identity(other)


def identity(path: str | os.PathLike[str]) -> tuple[int, int] | str | None:
    """What is equal for all paths that lead to one file or folder; None if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    if not status.st_ino:  # some drives of Windows give no numbers
        return os.path.normcase(os.path.realpath(path))
    return status.st_dev, status.st_ino


# --------------------------------------------------------------------------------------------------------------------
# Reading


def opened(place: str) -> io.BufferedReader:
    """Open a file for reading bytes.

    Args:
        place: A path or a URL.

    Raises:
        OSError: As the built-in `open`.
        StylizeError: The URL is of an unknown kind.
    """
    return urls.opened(place) if is_url(place) else open(place, "rb")


def stamp(place: str) -> str:
    """A text that changes when the file changes, without reading the file; empty if nothing tells of a change.

    The text is the size and the time of a local file, and what the store reports for a URL.

    Raises:
        OSError: The file is missing or unreachable.
    """
    if is_url(place):
        return urls.stamp(place)
    status = os.stat(place)
    return f"{status.st_size}-{status.st_mtime_ns}"


def exists(place: str) -> bool:
    """Whether there is a file, a folder or a symbolic link, even one that leads nowhere.

    Args:
        place: A path or a URL.

    Raises:
        OSError: The store of the URL is unreachable.
    """
    if not is_url(place):
        return os.path.lexists(place)
    with urls.client_errors(place):
        system, path = urls.system_of(place)
        return bool(system.exists(path))


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


# --------------------------------------------------------------------------------------------------------------------
# Writing

# What the names of temporary files have after `.stylize-`.
_part_mark = contextvars.ContextVar("part_mark", default="")


@contextlib.contextmanager
def part_marked(mark: str) -> Iterator[None]:
    """Begin the names of temporary files with `.stylize-MARK`, so that those of a killed process can be found."""
    token = _part_mark.set(mark)
    try:
        yield
    finally:
        _part_mark.reset(token)


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
    """Write bytes to a URL. Object stores and the local disk (file://) write the whole file or nothing.

    Raises:
        OSError: The store refuses.
        ImageError: The local disk refuses.
    """
    with urls.client_errors(url):
        system, path = urls.system_of(url)
        with contextlib.suppress(NotImplementedError):  # object stores have no folders
            system.makedirs(path.rpartition("/")[0], exist_ok=True)
        if "file" not in system.protocol:
            system.pipe_file(path, data)
            return
    with whole_file(path, "file", overwrite=True) as temporary, open(temporary, "xb") as file:
        file.write(data)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], name: str, *, overwrite: bool) -> Iterator[str]:
    """Write a file as a whole: write to a temporary file in the same folder, then give the file its name.

    After an error, the temporary file is removed and an old file at `path` is unchanged. A file that replaces another
    keeps its permissions.

    Args:
        path: The file to write or to replace. A symbolic link stays; its target is replaced.
        name: What error messages call the file, such as "film".
        overwrite: Whether a file at `path` is replaced. If not, and if several processes write the same file, one of
            them succeeds.

    Yields:
        The path of the temporary file, which does not exist yet.

    Raises:
        ImageError: The system refuses, such as for a full disk; or the file exists and may not be replaced.
    """
    target = os.path.realpath(path)
    temporary = os.path.join(os.path.dirname(target), f".stylize-{_part_mark.get()}{secrets.token_hex(8)}.part")
    label = one_line(f"{name} {os.fspath(path)}")
    with write_errors(label, ImageError):
        try:
            yield temporary
            if overwrite:
                if os.name != "nt":  # Windows neither renames over a write-protected file nor removes one
                    with contextlib.suppress(OSError):  # no file to replace, or a disk without permissions
                        shutil.copymode(target, temporary)
                os.replace(temporary, target)
            else:
                _rename_to_new(temporary, target)
        except FileExistsError:
            raise _is_there_already(label) from None
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _rename_to_new(path: str, target: str) -> None:
    """Give a file its name. Raises FileExistsError if there is such a file; `path` may be left over."""
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:  # the file system has no hard links
        os.close(os.open(target, os.O_CREAT | os.O_EXCL))
        try:
            os.replace(path, target)
        except BaseException:
            os.unlink(target)
            raise


def _is_there_already(label: str) -> ImageError:
    return ImageError(f"{label}: is there already; choose another name or overwrite it")


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
    check_name(os.path.basename(target), label)
    if not os.path.isdir(folder):
        raise ImageError(f"{label}: expected an existing folder, received {one_line(folder)}; make it first")
    if os.path.isdir(target):
        raise ImageError(f"{label}: expected a file, received a folder; add a file name")
    if os.path.exists(target):
        if not overwrite:
            raise _is_there_already(label)
        if not os.path.isfile(target):
            raise ImageError(f"{label}: expected a file, received a device or a pipe; choose another name")
        if not os.access(target, os.W_OK):
            raise ImageError(f"{label}: expected a file that may be replaced, received a write-protected one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError(f"{label}: no permission to write in {one_line(folder)}; choose another folder")

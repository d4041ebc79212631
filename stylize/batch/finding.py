"""The pictures of folders, globs and URLs."""

from __future__ import annotations

import functools
import glob
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from stylize import files
from stylize.batch.left_out import HIDDEN, NO_PICTURE, LeftOut
from stylize.errors import OptionError, StylizeError
from stylize.images.formats import extra_for, picture_suffixes
from stylize.urls import client_errors, is_web, system_of

__all__ = ["Seen", "in_output", "pictures"]

# A glob with a `**`: what stands before the first, and what follows.
_SEPARATORS = re.escape(os.sep + (os.altsep or ""))
_ANY_FOLDERS = re.compile(rf"((?:.*?[{_SEPARATORS}])?)\*\*(?:[{_SEPARATORS}](.*))?", re.DOTALL)


class Seen:
    """The paths so far, as short hashes, because a million paths take too much memory."""

    def __init__(self) -> None:
        self._hashes: set[bytes] = set()

    def is_new(self, path: str) -> bool:
        """Return whether the path comes for the first time."""
        before = len(self._hashes)
        self._hashes.add(hashlib.blake2b(os.fsencode(os.path.normpath(path)), digest_size=12).digest())
        return len(self._hashes) > before


def in_output(label: str, output: str) -> OptionError:
    """Return the error for a picture in the output folder.

    A job could overwrite its input, and the next run would paint paintings.
    """
    return OptionError(f"{label}: expected no picture in the output folder {output}; choose another")


def pictures(place: str, role: str, left_out: LeftOut, *, output: str) -> Iterator[tuple[str, str]]:
    """Find the pictures of a folder (with its subfolders), of a glob, or a single file.

    A file that is named directly is taken as given. A linked folder is followed once, unless its pictures are found
    anyway.

    Args:
        place: A path, a URL, or a glob.
        role: What error messages call the place, such as "content".
        left_out: Counts what is found and is no picture, and folders that cannot be listed.
        output: The output folder of the batch; its pictures are ignored.

    Yields:
        The path, and the path below the folder or below the fixed part of the glob, with `/`; sorted by name within
        each folder.

    Raises:
        OptionError: All pictures lie in the output folder.
        StylizeError: The place does not exist, cannot be listed, or contains no picture.
    """
    search = _Search(place, role, left_out, output)
    found = False
    for item in search.urls() if files.is_url(place) else search.paths():
        found = True
        yield item
    if found:
        return
    if search.met_output:
        raise in_output(f"{role} {place}", output)
    reasons = ["expected files such as .jpg, .png, .webp or .tif", *left_out.lines(), *left_out.errors()]
    raise StylizeError(f"{role} {place}: no pictures there; {'; '.join(reasons)}")


class _Search:
    """The search of one place."""

    def __init__(self, place: str, role: str, left_out: LeftOut, output: str) -> None:
        self._place = place
        self._label = f"{role} {place}"
        self._left_out = left_out
        self._output = output
        self._root = place
        while glob.has_magic(self._root) and not os.path.lexists(self._root):
            self._root = os.path.dirname(self._root)
        self._top = place  # the folder that a walk began with
        self._walked_folders: set[tuple[int, int]] = set()
        self.met_output = False
        """Whether something was ignored because it lies in the output folder."""

    def paths(self) -> Iterator[tuple[str, str]]:
        """Yield the pictures of a path or a glob."""
        if os.path.isdir(self._place):
            yield from self._walked(self._place, "")
        elif os.path.lexists(self._place):
            yield self._place, os.path.basename(self._place)
        elif glob.has_magic(self._place):
            yield from self._globbed()
        else:
            raise StylizeError(f"{self._label}: no such file or folder")

    def urls(self) -> Iterator[tuple[str, str]]:
        """Yield the pictures of a URL."""
        try:
            system, path = system_of(self._place)
            root = path
            while glob.has_magic(root):
                root = root.rpartition("/")[0]
            with client_errors(self._place):
                # A `?` may also begin the query of a web address. Where the server does not answer, fsspec says that
                # there is no such file; the reader tells why.
                has_query = "?" in path and is_web(self._place) and "::" not in self._place
                is_file = not set("*[") & set(path) and (has_query or system.isfile(path))
                listed = [] if is_file else system.glob(path) if root != path else system.find(path)
        except OSError as error:
            raise self._not_listed(error) from error
        if is_file:
            yield self._place, PurePosixPath(path).name
        for each in sorted(listed):
            below = each[len(root) :].lstrip("/")
            url = system.unstrip_protocol(each)
            if files.within(url, self._output):
                self.met_output = True
            elif any(part.startswith(".") for part in below.split("/")):
                self._left_out.add(url, HIDDEN)
            elif self._is_picture(url, each):
                yield url, below

    def _globbed(self) -> Iterator[tuple[str, str]]:
        # Only a `**` meets the pictures of a folder again in a link to it.
        has_any_folders = _ANY_FOLDERS.fullmatch(self._place) is not None
        seen, real_folder = Seen(), functools.lru_cache(maxsize=1024)(os.path.realpath)
        for path in sorted(self._matches(self._place)):
            below = os.path.relpath(path, self._root or ".").replace(os.sep, "/")
            if os.path.isdir(path):
                if not has_any_folders:  # otherwise, the glob itself finds the content of this folder
                    self._top = path
                    yield from self._walked(path, f"{below}/")
            elif files.within(path, self._output):
                self.met_output = True
            elif self._is_picture(path, path):
                folder, name = os.path.split(path)
                if not has_any_folders or seen.is_new(os.path.join(real_folder(folder), name)):
                    yield path, below

    def _matches(self, pattern: str) -> Iterator[str]:
        """Yield what a glob matches. Here `**` meets no folder twice: for `glob`, a loop of links would not end."""
        found = _ANY_FOLDERS.fullmatch(pattern)
        if found is None:
            yield from glob.iglob(pattern)
            return
        beginning, rest = found.groups()
        for top in glob.iglob(beginning) if beginning else [""]:
            self._top = top
            for folder in list(self._folders(top, set())):
                yield from self._matches(os.path.join(glob.escape(folder), rest or "*"))

    def _folders(self, folder: str, met: set[str]) -> Iterator[str]:
        """Yield a folder and those in it, but for hidden folders and for links that are not followed."""
        real = os.path.realpath(folder)
        if real in met:
            return
        met.add(real)
        yield folder
        for inner in sorted(glob.iglob(os.path.join(glob.escape(folder), "*", ""))):
            inner = inner[:-1]
            if not os.path.islink(inner) or self._is_followed(inner):
                yield from self._folders(inner, met)

    def _walked(self, folder: str, below: str) -> Iterator[tuple[str, str]]:
        if files.within(folder, self._output):
            self.met_output = True
            return
        try:
            status = os.stat(folder)
            # Windows may give no number.
            if status.st_ino and (status.st_dev, status.st_ino) in self._walked_folders:
                return
            self._walked_folders.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                # Keep only names: a folder may have a million files.
                listed = sorted(
                    (entry.name, is_folder) for entry in entries if (is_folder := self._kind(entry)) is not None
                )
        except OSError as error:
            if folder == self._place:
                raise self._not_listed(error) from error
            self._left_out.folders[folder] = error.strerror or str(error)
            return
        for name, is_folder in listed:
            path = os.path.join(folder, name)
            if is_folder:
                yield from self._walked(path, f"{below}{name}/")
            else:
                yield path, below + name

    def _kind(self, entry: os.DirEntry[str]) -> bool | None:
        """Return True for a folder to walk through, False for a picture, None for what is left out."""
        if entry.name.startswith("."):
            self._left_out.add(entry.path, HIDDEN)
            return None
        try:
            is_folder = entry.is_dir()
        except OSError:  # a link to itself
            is_folder = False
        if not is_folder:
            return False if self._is_picture(entry.path, entry.name) else None
        return True if not entry.is_symlink() or self._is_followed(entry.path) else None

    def _is_followed(self, link: str) -> bool:
        """Return whether to walk through a linked folder."""
        if files.within(link, self._top):
            # Its pictures are found without the link, too, unless they are hidden there.
            below = os.path.relpath(os.path.realpath(link), os.path.realpath(self._top))
            return below != "." and any(part.startswith(".") for part in below.split(os.sep))
        if files.within(self._top, link):
            self._left_out.add(link, "linked to a folder around it")
            return False
        return True

    def _is_picture(self, path: str, name: str) -> bool:
        """Return whether a name is that of a picture that can be read here; count others."""
        suffix = os.path.splitext(name)[1].lower()
        if suffix in picture_suffixes():
            return True
        extra = extra_for(suffix)
        self._left_out.add(path, f'needs pip install "stylize-art[{extra}]"' if extra else NO_PICTURE)
        return False

    def _not_listed(self, error: OSError) -> StylizeError:
        return StylizeError(f"{self._label}: could not be listed: {error.strerror or error}")

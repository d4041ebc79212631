"""What lies in the folders of a batch and is not painted."""

from __future__ import annotations

import itertools
import os
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

from stylize.batch.temporary import connected, temporary_database
from stylize.urls import without_secrets

__all__ = ["HIDDEN", "NO_PICTURE", "STATUSES", "LeftOut"]

#: Reasons to leave a file out.
HIDDEN = "hidden"
NO_PICTURE = "not a picture"

#: In the manifest: a file that is not painted, and a folder that could not be listed.
STATUSES = ("left out", "not listed")


class LeftOut:
    """The files that are left out, and why. They lie on disk, because a million of them take too much memory.

    Attributes:
        folders: folders that could not be listed, and why.
    """

    def __init__(self) -> None:
        """Create an empty list."""
        self.folders: dict[str, str] = {}
        self._database = connected(
            "CREATE TABLE file (name BLOB PRIMARY KEY, path BLOB, reason TEXT) WITHOUT ROWID; BEGIN"
        )
        weakref.finalize(self, self._database.close)

    def add(self, path: str, reason: str) -> None:
        """Add a file, or a hidden or linked folder; a file that is there already is not added again."""
        # Bytes, because a name may hold bytes that are no text, which SQLite refuses in a text.
        values = (os.fsencode(os.path.normpath(path)), os.fsencode(path), reason)
        with temporary_database():
            self._database.execute("INSERT OR IGNORE INTO file VALUES (?, ?, ?)", values)

    @property
    def files(self) -> Mapping[str, tuple[int, str]]:
        """By the reason: how many files, and the first of them by name."""
        rows = self._database.execute("SELECT reason, COUNT(*), MIN(path) FROM file GROUP BY reason ORDER BY reason")
        return {reason: (count, os.fsdecode(first)) for reason, count, first in rows}

    def lines(self) -> list[str]:
        """Return what to tell of the files: `3 files left out: 2 not pictures (a.txt, ...), 1 hidden (.b.png)`."""
        files = self.files
        total = sum(count for count, _ in files.values())
        reasons = []
        for reason, (count, first) in files.items():
            text = reason if count == 1 else reason.replace("needs", "need").replace(NO_PICTURE, "not pictures")
            reasons.append(f"{count} {text} ({first}{', ...' * (count > 1)})")
        return [f"{total} {'file' if total == 1 else 'files'} left out: {', '.join(reasons)}"] if total else []

    def errors(self) -> list[str]:
        """Return what to tell of the folders that could not be listed."""
        count = len(self.folders)
        folders = "1 folder" if count == 1 else f"{count} folders"
        return [
            f"{folders} could not be listed: {folder} ({why}){', ...' * (count > 1)}"
            for folder, why in itertools.islice(self.folders.items(), 1)
        ]

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield a line of the manifest for each file, sorted by name, and for each folder that could not be listed."""
        for path, reason in self._database.execute("SELECT path, reason FROM file ORDER BY name"):
            yield _record(STATUSES[0], os.fsdecode(path), reason)
        for folder, why in sorted(self.folders.items()):
            yield _record(STATUSES[1], folder, why)


def _record(status: str, path: str, error: str) -> dict[str, Any]:
    return {"output": None, "status": status, "path": without_secrets(path), "error": error}

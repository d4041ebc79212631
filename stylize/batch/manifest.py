"""The manifest of a batch: what was painted, and how."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import sqlite3
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylize.batch.jobs import Job
from stylize.errors import OptionError, StylizeError
from stylize.files import write_errors

if TYPE_CHECKING:
    pass

__all__ = ["MANIFEST", "Ledger", "Manifest", "scratch"]

MANIFEST = "manifest.jsonl"

Record = dict[str, Any]


class Ledger:
    """All jobs and all lines of the manifest, in a database of its own that lies on disk until it is closed.

    A million of them would fill the memory.
    """

    def __init__(self, *, ignore_case: bool) -> None:
        self._ignore_case = ignore_case
        self._database = sqlite3.connect("", isolation_level=None)  # a temporary file that nobody else sees
        self._database.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;"
            "CREATE TABLE job (position INTEGER PRIMARY KEY, name TEXT UNIQUE, job TEXT);"
            "CREATE TABLE record (name TEXT PRIMARY KEY, number INTEGER, line TEXT) WITHOUT ROWID;"
            "BEGIN"
        )
        self._numbers = itertools.count()

    def close(self) -> None:
        self._database.close()

    def key(self, output: str) -> str:
        """Return what two outputs have in common that would be one file: case, where the folder does not heed it."""
        plain = unicodedata.normalize("NFC", output)
        return plain.casefold() if self._ignore_case else plain

    def add(self, job: Job) -> None:
        """Note a job. Raises StylizeError if its output is another's already."""
        try:
            self._database.execute("INSERT INTO job (name, job) VALUES (?, ?)", (self.key(job.output), job.to_json()))
        except sqlite3.IntegrityError:
            row = self._database.execute("SELECT job FROM job WHERE name = ?", (self.key(job.output),)).fetchone()
            other = Job.from_json(row[0])
            raise OptionError(
                f"--name: expected a name for each picture, received {job.output} for {_said(other)} and for "
                f"{_said(job)}; tell them apart, as by {{suffix}}, {{number}} or an option such as {{size}}"
            ) from None

    def jobs(self) -> Iterator[Job]:
        """Yield the jobs in their order."""
        for (text,) in self._database.execute("SELECT job FROM job ORDER BY position"):
            yield Job.from_json(text)

    def record(self, output: str) -> Record | None:
        """Return the manifest's line for an output."""
        row = self._database.execute("SELECT line FROM record WHERE name = ?", (self.key(output),)).fetchone()
        return None if row is None else json.loads(row[0])

    def keep(self, record: Record, line: str) -> None:
        """Note a line of the manifest; it replaces an earlier one for the same output."""
        values = (self.key(record["output"]), next(self._numbers), line)
        self._database.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", values)

    def lines(self) -> Iterator[str]:
        """Yield the manifest's lines: pictures of earlier runs that were not asked for now, then the jobs in order."""
        for (line,) in self._database.execute(
            "SELECT line FROM record WHERE name NOT IN (SELECT name FROM job) ORDER BY number"
        ):
            if json.loads(line)["status"] == "done":
                yield line
        yield from (
            line for (line,) in self._database.execute(
                "SELECT line FROM job JOIN record USING (name) ORDER BY position"
            )
        )  # fmt: skip


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StylizeError(f"temporary files: {error}; TMPDIR names another folder for them") from error


def _said(job: Job) -> str:
    return f"{job.content} in the style of {' + '.join(path for path, _ in job.styles)}"


class Manifest:
    """The file, which lines are appended to while the run goes, and which is written anew at its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with write_errors(path):
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115  # closed below
        self._end = self._file.tell()

    def close(self) -> None:
        self._file.close()

    def read(self, on_message: Callable[[str], None]) -> Iterator[tuple[Record, str]]:
        """Yield the lines that are whole; one that was cut off by a crash at the end is taken away."""
        damaged = 0
        with open(self._path, "rb") as file:
            end = 0
            for raw in file:
                record = _parsed(raw)
                if record is not None:
                    yield record, raw.decode().rstrip("\n")
                elif raw.endswith(b"\n"):
                    damaged += 1
                else:
                    break
                end += len(raw)
        if end < self._end:
            self._end = end
            self._file.truncate(end)
        if damaged:
            on_message(f"{self._path}: {damaged} damaged lines are passed over; their pictures are painted again")

    def append(self, line: str) -> None:
        """Add a line, whole or not at all. Raises StylizeError."""
        data = f"{line}\n".encode()
        with write_errors(self._path):
            try:
                written = self._file.write(data)
                if written != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except BaseException:
                self._file.truncate(self._end)
                raise
        self._end += len(data)

    def rewrite(self, lines: Iterable[str]) -> None:
        """Replace all by `lines`, at once."""
        from stylize.files import whole_file

        with whole_file(self._path, "manifest") as part:
            with open(part, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in lines)
            self._file.close()  # Windows replaces no open file


def _parsed(raw: bytes) -> Record | None:
    try:
        record = json.loads(raw)
    except ValueError:
        return None
    whole = raw.endswith(b"\n") and isinstance(record, dict) and isinstance(record.get("output"), str)
    return record if whole and record.get("status") in ("done", "failed") else None

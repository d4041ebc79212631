"""The jobs of a run and the records of this and earlier runs, in a temporary database."""

from __future__ import annotations

import itertools
import json
import sqlite3
import unicodedata
from collections.abc import Iterator

from stylize.batch.jobs import Job
from stylize.batch.manifest import Record
from stylize.batch.temporary import connected
from stylize.errors import OptionError

__all__ = ["Ledger"]


class Ledger:
    """All jobs and all lines of the manifest. They lie on disk, because a million of them take too much memory."""

    def __init__(self, *, ignore_case: bool) -> None:
        """Create the database.

        Args:
            ignore_case: whether the output folder takes `A.png` and `a.png` for one file.
        """
        self._ignore_case = ignore_case
        self._database = connected(
            "CREATE TABLE job (position INTEGER PRIMARY KEY, name BLOB UNIQUE, job TEXT);"
            "CREATE TABLE record (name BLOB PRIMARY KEY, number INTEGER, line TEXT) WITHOUT ROWID;"
            "BEGIN"
        )
        self._numbers = itertools.count()

    def close(self) -> None:
        """Remove the database."""
        self._database.close()

    def add(self, job: Job) -> None:
        """Add a job. Raises OptionError if another job has the same output."""
        name = self._file_name(job.output)
        try:
            self._database.execute("INSERT INTO job (name, job) VALUES (?, ?)", (name, job.to_json()))
        except sqlite3.IntegrityError:
            row = self._database.execute("SELECT job FROM job WHERE name = ?", (name,)).fetchone()
            raise OptionError(
                f"name: expected a different name for each picture, received {job.output} for "
                f"{_description(Job.from_json(row[0]))} and for {_description(job)}; add a field such as {{suffix}}, "
                "{number} or an option such as {size}"
            ) from None

    def jobs(self) -> Iterator[Job]:
        """Yield the jobs in their order."""
        for (text,) in self._database.execute("SELECT job FROM job ORDER BY position"):
            yield Job.from_json(text)

    def record(self, output: str) -> Record | None:
        """Return the latest record of an output."""
        name = self._file_name(output)
        row = self._database.execute("SELECT line FROM record WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def picture(self, output: str) -> Record | None:
        """Return hash and stamp of the picture that this batch wrote there; None if it wrote none."""
        return (self.record(output) or {}).get("picture")

    def keep(self, record: Record, line: str) -> None:
        """Store a record and its line; an earlier record of the same output is replaced."""
        values = (self._file_name(record["output"]), next(self._numbers), line)
        self._database.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?)", values)

    def lines(self) -> Iterator[str]:
        """Yield the manifest's lines: first pictures of earlier runs that no job paints now, then the jobs in order."""
        for (line,) in self._database.execute(
            "SELECT line FROM record WHERE name NOT IN (SELECT name FROM job) ORDER BY number"
        ):
            record = json.loads(line)
            # A picture whose last job failed stays known as one of this batch.
            if record["status"] == "done" or record.get("picture"):
                yield line
        for (line,) in self._database.execute("SELECT line FROM job JOIN record USING (name) ORDER BY position"):
            yield line

    def _file_name(self, output: str) -> bytes:
        """Return the same bytes for all outputs that the output folder takes for one file."""
        composed = unicodedata.normalize("NFC", output)
        # Bytes, because a name may hold bytes that are no text, which SQLite refuses in a text.
        return (composed.casefold() if self._ignore_case else composed).encode(errors="surrogatepass")


def _description(job: Job) -> str:
    return f"{job.content} in the style of {' + '.join(path for path, _ in job.styles)}"

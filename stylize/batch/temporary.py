"""Lists that are too long for the memory, in temporary databases."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator

from stylize.errors import StylizeError

__all__ = ["connected", "temporary_database"]


def connected(script: str) -> sqlite3.Connection:
    """Open a temporary database.

    Args:
        script: SQL that creates the tables.
    """
    # The empty name makes a temporary file that SQLite removes. After a crash nobody reads this file again, so that
    # a journal would only cost time.
    # One thread uses it. The garbage collector may close it in any other, such as that of fsspec.
    database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000; {script}")
    return database


@contextlib.contextmanager
def temporary_database() -> Iterator[None]:
    """Turn a failure of the database, such as a full disk, into a StylizeError."""
    try:
        yield
    except sqlite3.OperationalError as error:
        variable = "TMP" if os.name == "nt" else "TMPDIR"
        raise StylizeError(f"temporary files: {error}; {variable} names another folder for them") from error

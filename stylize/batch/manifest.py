"""The manifest of a batch: a file of JSON lines that tells of each picture how it was painted."""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stylize.batch.jobs import Config, Task, init_of
from stylize.batch.left_out import STATUSES
from stylize.config import FastConfig
from stylize.errors import StylizeError
from stylize.files import whole_file, write_errors
from stylize.output import DEFAULT_OUTPUT
from stylize.urls import without_secrets, without_users_of

__all__ = ["MANIFEST", "Manifest", "Record", "record_of", "without_nan"]

#: The manifest's name in the output folder.
MANIFEST = "manifest.jsonl"

# What a line of a picture begins with.
_BEGINNING = b'{"output": '

#: A line of the manifest.
Record = dict[str, Any]


def record_of(task: Task) -> Record:
    """Return a task's line of the manifest as it is before painting: failed, and without hashes."""
    job, config = task.job, task.config
    record: Record = {
        "output": job.output,
        "status": "failed",
        "mode": "fast" if isinstance(config, FastConfig) else "refine",
        "content": _input(job.content),
        "styles": [{**_input(path), "weight": weight} for path, weight in job.styles],
        "options": _options(config),
        "networks": {},
        "labels": without_nan(job.labels),
        "notes": [],
        "picture": None,
        "losses": None,
        "error": None,
        "seconds": None,
    }
    if task.output_config != DEFAULT_OUTPUT:
        record["output_options"] = dataclasses.asdict(task.output_config)
    if job.masks:
        record["masks"] = [_input(path) for path in job.masks]
    if (init := init_of(config)) is not None:
        record["init"] = _input(init)
    return record


def _input(path: str) -> Record:
    """Return the entry of an input. Manifests are shared: a URL stands there without secrets.

    A hash tells apart two URLs that differ in their queries. It leaves the user out: a password may be guessed from it.
    """
    shown, with_query = without_secrets(path), without_users_of(path)
    url = {} if shown == with_query else {"url_sha256": hashlib.sha256(os.fsencode(with_query)).hexdigest()}
    return {"path": shown, **url, "sha256": None, "stamp": None}


@functools.lru_cache(maxsize=1024)
def _options(config: Config) -> dict[str, Any]:
    options = dataclasses.asdict(config)
    if (init := init_of(config)) is not None:
        options["init"] = without_secrets(init)
    # Through JSON, because the options are compared with those of a line that was read back.
    return dict(json.loads(json.dumps(options)))


def without_nan(value: Any) -> Any:
    """Return a value where None replaces numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Manifest:
    """The open file. A run appends a line after each job, and writes the file anew at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with write_errors(path):
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115  # closed below
        self._end = self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, on_message: Callable[[str], None]) -> Iterator[tuple[Record, str]]:
        """Yield each picture's record with its line.

        A last line that a crash cut off is removed. A warning tells of damaged lines. Lines of what was left out are
        passed over: each run finds out anew what to leave out.

        Raises:
            StylizeError: no line of the file is a batch's. Another program wrote it, and it is left as it is.
        """
        ours = damaged = 0
        with open(self._path, "rb") as file:
            end = 0
            for line in file:
                record = _parsed(line)
                # A crash while the first line was written leaves its beginning alone.
                ours += record is not None or (
                    not line.endswith(b"\n") and _BEGINNING.startswith(line[: len(_BEGINNING)])
                )
                if record is not None and record["output"] is None:
                    pass
                elif record is not None:
                    yield record, line.decode("utf-8-sig").rstrip("\n")
                elif line.endswith(b"\n"):
                    damaged += 1
                else:
                    break
                end += len(line)
        if self._end and not ours:
            raise StylizeError(
                f"{self._path}: expected the lines of an earlier batch, received another file; move it away or choose "
                "another output"
            )
        if end < self._end:
            self._end = end
            self._file.truncate(end)
        if damaged:
            on_message(f"{self._path}: {damaged} damaged lines are passed over; their pictures are painted again")

    def append(self, line: str) -> None:
        """Add a line as a whole; if the disk is full, add nothing and raise StylizeError."""
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
        """Replace the file by one with `lines`, and close it. A crash leaves the old file or the new one."""
        with whole_file(self._path, "manifest", overwrite=True) as part:
            with open(part, "w", encoding="utf-8", newline="\n") as file:
                file.writelines(f"{line}\n" for line in lines)
            self._file.close()  # Windows cannot replace an open file


def _parsed(line: bytes) -> Record | None:
    """Return the record of a line; None for a line that is damaged or cut off."""
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    if not line.endswith(b"\n") or not isinstance(record, dict):
        return None
    output, status = record.get("output"), record.get("status")
    of_picture = isinstance(output, str) and status in ("done", "failed")
    return record if of_picture or (output is None and status in STATUSES) else None

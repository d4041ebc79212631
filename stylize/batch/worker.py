"""The worker that paints a batch's jobs."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import errno
import functools
import json
import math
import os
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stylize import files
from stylize.batch.jobs import Job
from stylize.batch.manifest import Record
from stylize.config import INITS, FastConfig, RefineConfig
from stylize.errors import ImageError, StylizeError
from stylize.files import write_errors

if TYPE_CHECKING:
    from stylize.images.picture import Picture
    from stylize.networks.loaded import Networks
    from stylize.transfer.results import TransferResult

__all__ = ["Painter", "Task"]

Config = FastConfig | RefineConfig


@dataclass(frozen=True)
class Task:
    """A job as a worker gets it."""

    job: Job
    config: Config
    replace: bool
    """Whether the output is one of ours, by the manifest."""


@dataclass(frozen=True)
class Painter:
    """Paints tasks, in whichever process it finds itself; networks and pictures stay loaded there."""

    output: str
    """The folder that outputs are below, or a URL."""
    cwd: str
    """Where the driver's relative paths begin."""
    offline: bool = False

    def __call__(self, tasks: Sequence[Task]) -> list[Record]:
        """Return a line of the manifest for each task; `full`, which is no part of it, says that the disk is."""
        return [self._record(task) for task in tasks]

    def _record(self, task: Task) -> Record:
        began = time.perf_counter()
        record = record_of(task)
        try:
            self._paint(task, record)
        except StylizeError as error:
            cause = error.__cause__
            record["full"] = isinstance(cause, OSError) and cause.errno in _NO_ROOM
            record["error"] = str(error)
        # Whatever one picture brings up (a network out of memory, a decoder's bug) must not cost the others.
        except Exception as error:
            record["error"] = f"{type(error).__name__}: {error}".splitlines()[0]
            record["traceback"] = traceback.format_exc()
        record["status"] = "failed" if record["error"] else "done"
        record["seconds"] = round(time.perf_counter() - began, 4)
        return record

    def _paint(self, task: Task, record: Record) -> None:
        from stylize.transfer.fast import fast
        from stylize.transfer.refine import refine

        job, kept = task.job, _loaded()
        content_px, style_px = _useful_px(task.config)
        content, record["content"] = self._read(kept.contents, job.content, "content", content_px)
        styles = []
        for (path, weight), entry in zip(job.styles, record["styles"], strict=True):
            picture, seen = self._read(kept.styles, path, "style", style_px)
            entry.update(seen)
            styles.append((picture, weight))
        record["notes"] = [*content.notes, *(note for style, _ in styles for note in style.notes)]
        if isinstance(task.config, FastConfig):
            result = fast(content, styles, config=task.config, networks=kept.networks, offline=self.offline)
        else:
            config = task.config
            if "init" in record:
                record["init"] = self._seen(config.init)
                config = dataclasses.replace(config, init=files.joined(self.cwd, config.init))
            result = refine(content, styles, config=config, networks=kept.networks, offline=self.offline)
            record["losses"] = _finite(dataclasses.asdict(result.history[-1].losses)) if result.history else None
        record["networks"] = {network.name: dict(network.sha256) for network in result.networks}
        record["picture"] = self._write(result, job.output, replace=task.replace)

    def _read(self, kept: _Pictures, path: str, role: str, long_side_px: int | None) -> tuple[Picture, Record]:
        place = files.joined(self.cwd, path)
        try:
            stamp = files.stamp(place)
        except OSError:
            stamp = ""  # reading it will say in which way it fails
        key = (place, stamp, long_side_px)
        picture = kept.get(key) if stamp else None
        if picture is None:
            from stylize.images.reading import read_image

            try:
                picture = dataclasses.replace(read_image(place, name=role, long_side_px=long_side_px), path=path)
            except ImageError as error:
                raise ImageError(str(error).replace(place, path)) from error
            kept.keep(key, picture)
        return picture, {"path": path, "sha256": picture.sha256, "stamp": stamp}

    def _seen(self, path: str) -> Record:
        place = files.joined(self.cwd, path)
        try:
            return {"path": path, "sha256": files.sha256(place), "stamp": files.stamp(place)}
        except OSError as error:
            raise ImageError(f"init {path}: could not be read: {error.strerror or error}") from error

    def _write(self, result: TransferResult, name: str, *, replace: bool) -> Record:
        place = files.joined(self.output, name)
        with write_errors(f"output {place}", ImageError):
            if files.is_url(self.output):
                from stylize.images.writing import encode

                files.write(
                    place, encode(result.image, name.rpartition(".")[2], result.alpha, provenance=result.provenance)
                )
            else:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                if not replace:
                    _check_ours(place)
                result.save(place, overwrite=True)
            return {"sha256": files.sha256(place), "stamp": files.stamp(place)}


# After these every further picture would fail, too.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _check_ours(place: str) -> None:
    """Refuse to write over a file that is not from an earlier run."""
    from stylize.images.provenance import read_provenance

    if not os.path.lexists(place):
        return
    with contextlib.suppress(ImageError):
        if read_provenance(place) is not None:
            return
    raise ImageError(f"output {place}: is there already, and is not of this batch; move it away or choose another -o")


_Key = tuple[str, str, int | None]


def _useful_px(config: FastConfig | RefineConfig) -> tuple[int | None, int | None]:
    """Return the long sides beyond which a content and a style tell a preview nothing; None: as they are."""
    from stylize.transfer.inputs import STYLE_PX

    return (config.size, max(config.size, STYLE_PX)) if isinstance(config, FastConfig) else (None, None)


class _Pictures:
    """The last used decoded pictures, as many as fit into `room` bytes."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: collections.OrderedDict[_Key, Picture] = collections.OrderedDict()

    def get(self, key: _Key) -> Picture | None:
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: _Key, picture: Picture) -> None:
        self._kept[key] = picture
        while len(self._kept) > 1 and sum(each.pixels.nbytes for each in self._kept.values()) > self._room:
            self._kept.popitem(last=False)


@dataclass
class _Loaded:
    """What a worker keeps between tasks. A content's jobs follow each other; styles come again and again."""

    networks: Networks
    contents: _Pictures = field(default_factory=lambda: _Pictures(0))
    styles: _Pictures = field(default_factory=lambda: _Pictures(256_000_000))


@functools.cache
def _loaded() -> _Loaded:
    from stylize.networks.loaded import Networks

    return _Loaded(Networks())


def record_of(task: Task) -> Record:
    """Return a task's line of the manifest, before anything is known of its pictures."""
    job, config = task.job, task.config
    record: Record = {
        "output": job.output,
        "status": "failed",
        "mode": "fast" if isinstance(config, FastConfig) else "refine",
        "content": {"path": job.content, "sha256": None, "stamp": None},
        "styles": [{"path": path, "sha256": None, "stamp": None, "weight": weight} for path, weight in job.styles],
        "options": _options(config),
        "networks": {},
        "labels": dict(job.labels),
        "notes": [],
        "picture": None,
        "losses": None,
        "error": None,
        "seconds": None,
    }
    if isinstance(config, RefineConfig) and config.init not in INITS:
        record["init"] = {"path": config.init, "sha256": None, "stamp": None}
    return record


@functools.lru_cache(maxsize=1024)
def _options(config: Config) -> dict[str, Any]:
    # As JSON gives it back, to be compared.
    return dict(json.loads(json.dumps(dataclasses.asdict(config))))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value

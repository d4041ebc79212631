"""Put a network's files into place: one process at a time, completely or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from stylize.errors import WeightsError
from stylize.networks import local
from stylize.networks.local import LocalWeights, Origin
from stylize.networks.registry import WeightsSpec
from stylize.text import one_line

__all__ = ["LOCK_STALL_S", "OnProgress", "install", "staging_folder"]

#: Called with a file's name (or a network's), the bytes so far, and the bytes in total, None if unknown.
OnProgress = Callable[[str, int, "int | None"], None]

#: Seconds after which a waiting process gives up, if the process that holds the lock makes no progress.
LOCK_STALL_S = 60.0


@contextlib.contextmanager
def staging_folder(spec: WeightsSpec, on_progress: OnProgress | None = None) -> Iterator[Path]:
    """Hold the network's lock, and yield a folder beside the network's folder, with an empty folder `content` in it.

    The staging folder is deleted at the end. Its name is always the same, so the next process deletes what a killed
    process left, and a waiting process sees how much the other process has downloaded. The operating system releases
    the lock when its holder dies.

    Args:
        spec: The network.
        on_progress: Called while another process holds the lock, with the bytes of that process.

    Raises:
        WeightsError: Nothing can be written there, or the holder of the lock makes no progress.
    """
    from filelock import FileLock

    models = local.home() / "models"
    staging = models / f".{spec.name}.part"
    try:
        models.mkdir(parents=True, exist_ok=True)
        lock = FileLock(models / f".{spec.name}.lock")
        _acquire(lock, spec, staging, on_progress)
        try:
            shutil.rmtree(staging, ignore_errors=True)
            (staging / "content").mkdir(parents=True)
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            lock.release()
    except (OSError, NotImplementedError) as error:
        what = getattr(error, "strerror", None) or error
        where = getattr(error, "filename", None) or models
        message = f"can't store {spec.name} in {models}: {what} ({where}); make room there"
        raise WeightsError(one_line(f"{message}, or choose another folder by STYLIZE_HOME")) from error


def _acquire(lock: Any, spec: WeightsSpec, staging: Path, on_progress: OnProgress | None) -> None:
    """Wait for the lock as long as its holder makes progress."""
    from filelock import Timeout

    total = spec.download_bytes
    seen, since = -1, time.monotonic()
    while True:
        try:
            lock.acquire(timeout=0.2, poll_interval=0.05)
            return
        except Timeout:
            done = _folder_bytes(staging)
            if done != seen:
                seen, since = done, time.monotonic()
            elif time.monotonic() - since > LOCK_STALL_S:
                message = f"another process holds {lock.lock_file} and has done nothing for {LOCK_STALL_S:g} s"
                raise WeightsError(one_line(f"{message}; end that process, then try again")) from None
            if on_progress is not None:
                on_progress(spec.name, done if total is None else min(done, total), total)


def _folder_bytes(folder: Path) -> int:
    done = 0
    # Meanwhile, the holder of the lock moves and deletes files. `os.walk` passes over folders that are gone; `rglob`
    # raises an error before Python 3.13.
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            with contextlib.suppress(OSError):
                done += os.stat(os.path.join(place, name)).st_size
    return done


def install(
    spec: WeightsSpec, staging: Path, *, origin: Origin, published: bool, archive_sha256: str | None = None
) -> LocalWeights:
    """Record the files in the folder `content` of a staging folder, and move them into the network's folder.

    Args:
        spec: The network.
        staging: From `staging_folder`.
        origin: How the files came here.
        published: Whether they are the published files; see `LocalWeights`.
        archive_sha256: The hash of the archive that held the files.

    Raises:
        OSError: The files can't be written or moved.
    """
    content, target = staging / "content", local.folder(spec)
    names = [file.filename for file in spec.files]
    if spec.archive:
        names = sorted(path.relative_to(content).as_posix() for path in content.rglob("*") if path.is_file())
    record = {
        "name": spec.name,
        "origin": origin,
        "published": published,
        "archive_sha256": archive_sha256,
        "files": {name: local.file_entry(content / name) for name in names},
    }
    (content / local.RECORD).write_text(json.dumps(record, indent=1), "utf-8")
    old = staging / "old"
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(content, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    installed = local.inspect(spec)
    assert installed is not None
    return installed

"""The driver of a batch."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylize import files
from stylize.batch.engines import Engine, Lost
from stylize.batch.jobs import Job, Settings
from stylize.batch.manifest import MANIFEST, Ledger, Manifest, Record, scratch
from stylize.batch.worker import Config, Painter, Task, record_of
from stylize.config import FastConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.files import write_errors

if TYPE_CHECKING:
    pass

__all__ = ["BatchOutcome", "BatchProgress", "memory_bytes", "run_batch"]


@dataclass
class BatchOutcome:
    """What came of a run."""

    jobs: int = 0
    done: int = 0
    skipped: int = 0
    """Done and whole already."""
    failed: int = 0
    seconds: float = 0.0
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Why jobs failed: how many, and the first one's error."""

    def count_failure(self, record: Record) -> None:
        """Group a failure with others of its kind: by its words without the names of files."""
        self.failed += 1
        reason = str(record["error"])
        for path in (record["content"]["path"], *(style["path"] for style in record["styles"]), record["output"]):
            reason = reason.replace(path, "...")
        if reason not in self.reasons and len(self.reasons) >= _MAX_REASONS:
            reason = "other reasons"
        count, first = self.reasons.get(reason, (0, str(record["error"])))
        self.reasons[reason] = count + 1, first


_MAX_REASONS = 50


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is, after each job."""

    record: Record
    """The job's line of the manifest."""
    done: int
    failed: int
    skipped: int
    jobs: int
    elapsed_s: float

    @property
    def remaining_s(self) -> float:
        """At the pace so far; what was skipped took no time."""
        painted = self.done + self.failed
        return self.elapsed_s / painted * (self.jobs - self.skipped - painted)


def memory_bytes(config: Config) -> int:
    """What a worker needs at most: as measured of mini, magenta-int8 and VGG-19, and the styles that it keeps."""
    pixels = config.size**2
    if isinstance(config, RefineConfig):
        return 1_200_000_000 + 4_000 * pixels
    # Magenta's own takes more, up to the size from which on it paints a smaller picture.
    magenta = 2_900 * min(pixels, 1280**2) if config.network == "magenta" else 0
    return 500_000_000 + 700 * pixels + magenta


def run_batch(
    jobs: Iterable[Job],
    output: str,
    settings: Settings,
    engine_for: Callable[[int], Engine],
    *,
    resume: bool = True,
    offline: bool = False,
    work: Callable[[Sequence[Task]], Sequence[Record]] | None = None,
    on_progress: Callable[[BatchProgress], None] = lambda progress: None,
    on_message: Callable[[str], None] = lambda message: None,
    on_download: Callable[[str, int, int | None], None] | None = None,
) -> BatchOutcome:
    """Paint all `jobs` below the folder `output`, on the engine that `engine_for` makes for a memory need in bytes.

    With `resume`, what the manifest calls done is left as it is where the picture is whole and neither its inputs nor
    its options nor its networks have changed. A failed job is told of in the outcome and in the manifest. Raises
    OptionError and StylizeError, before any work, for jobs that can't be; and StylizeError when the disk is full.
    `work` stands in for the `Painter`.
    """
    began = time.perf_counter()
    outcome = BatchOutcome()
    with contextlib.ExitStack() as stack:
        home = _home(output)
        stack.enter_context(_locked(home, output))
        stack.enter_context(scratch())
        ledger = Ledger(ignore_case=(home / _LOCK.upper()).exists() and not files.is_url(output))
        stack.callback(ledger.close)
        plan = _Plan(settings, offline, on_message, on_download)
        for job in jobs:
            ledger.add(job)
            plan.consider(job)
            outcome.jobs += 1
            if outcome.jobs % _MANY == 0:
                on_message(f"{outcome.jobs} jobs so far")
        if not outcome.jobs:
            raise StylizeError("expected at least one job, received none")
        if files.is_url(output):
            _fetch(output, home)
        manifest = Manifest(home / MANIFEST)
        stack.callback(manifest.close)
        for record, line in manifest.read(on_message):
            ledger.keep(record, line)
        _sweep(output)
        stack.callback(_sweep, output)

        def keep(record: Record) -> None:
            line = json.dumps(record)
            manifest.append(line)
            ledger.keep(record, line)

        def to_do() -> Iterator[Task]:
            checked = _Checked(output)
            for job in ledger.jobs():
                task, before = Task(job, plan.config(job), replace=False), ledger.record(job.output)
                now = checked.unchanged(task, before, plan.networks(job)) if resume and before else None
                if now is None:
                    yield dataclasses.replace(task, replace=before is not None)
                    continue
                outcome.skipped += 1
                if outcome.skipped % _MANY == 0:
                    on_message(f"{outcome.skipped} pictures were done before so far")
                if now != before:
                    keep(now)

        engine = stack.enter_context(engine_for(plan.memory_bytes))
        if engine.nodes > 1:
            plan.warn_of_local_paths(output)
        # Absolute, as a cluster's processes begin elsewhere.
        work = work or Painter(files.joined(os.getcwd(), output), os.getcwd(), offline)
        for result in engine.map(work, _batched(to_do())):
            record = {**record_of(result.item), "error": result.reason} if isinstance(result, Lost) else {**result[1]}
            if record.pop("full", False):
                raise StylizeError(f"{record['error']}; {outcome.done} pictures are done, the same command goes on")
            keep(record)
            if record["status"] == "done":
                outcome.done += 1
            else:
                outcome.count_failure(record)
            outcome.seconds = time.perf_counter() - began
            on_progress(
                BatchProgress(record, outcome.done, outcome.failed, outcome.skipped, outcome.jobs, outcome.seconds)
            )
        manifest.rewrite(ledger.lines())
        if files.is_url(output):
            _upload(home, output)
    outcome.seconds = time.perf_counter() - began
    return outcome


# So many take a while of which nothing else is seen.
_MANY = 100_000

_LOCK = ".stylize-batch.lock"

# Long enough that reading a content once pays, short enough that no worker is left alone with the rest.
_MAX_BATCH = 16


def _batched(tasks: Iterator[Task]) -> Iterator[list[Task]]:
    """Yield the quick jobs of one content together, so that it is read once."""

    def content(task: Task) -> tuple[str, object]:
        # refine takes seconds where reading takes milliseconds: each alone keeps all workers busy to the end.
        return task.job.content, None if isinstance(task.config, FastConfig) else task.job.output

    for _, group in itertools.groupby(tasks, key=content):
        while batch := list(itertools.islice(group, _MAX_BATCH)):
            yield batch


class _Plan:
    """The jobs' configs with the networks that `auto` stands for, settled once and by the driver alone."""

    def __init__(
        self,
        settings: Settings,
        offline: bool,
        on_message: Callable[[str], None],
        on_download: Callable[[str, int, int | None], None] | None,
    ) -> None:
        from stylize.networks.loaded import Networks

        self._settings = settings
        networks, self._say = Networks(), on_message
        self._find = functools.partial(networks.find, offline=offline, on_message=on_message, on_download=on_download)
        self._resolved = functools.lru_cache(maxsize=1024)(self._resolve)
        self._is_local = False
        self.memory_bytes = 0

    def consider(self, job: Job) -> None:
        """Take a job into account. Raises WeightsError for a network that can't be had."""
        self.memory_bytes = max(self.memory_bytes, memory_bytes(self.config(job)))
        self._is_local |= not all(map(files.is_url, (job.content, *(path for path, _ in job.styles))))

    def config(self, job: Job) -> Config:
        """Return a job's config, its networks named."""
        return self._resolved(job.cells)[0]

    def networks(self, job: Job) -> Record:
        """Return the hashes of its networks' files, by network and file."""
        return self._resolved(job.cells)[1]

    def _resolve(self, cells: Any) -> tuple[Config, Record]:
        config = self._settings.config(cells)
        if isinstance(config, FastConfig):
            stylizer = self._find(config.network, "stylizer")
            return dataclasses.replace(config, network=stylizer.name), {stylizer.name: dict(stylizer.sha256)}
        features = self._find(config.features, "features")
        hashes = {features.name: dict(features.sha256)}
        config = dataclasses.replace(config, features=features.name)
        if config.starts_from_preview:
            stylizer = self._find(config.network, "stylizer")
            hashes[stylizer.name] = dict(stylizer.sha256)
            config = dataclasses.replace(config, network=stylizer.name)
        return config, hashes

    def warn_of_local_paths(self, output: str) -> None:
        """Tell whoever has many machines of paths that only one of them may know."""
        if self._is_local or not files.is_url(output):
            self._say(
                "local paths: every machine has to reach these files by the same names (a shared disk), or use URLs"
            )


class _Checked:
    """Looks whether what the manifest says of files still holds: by size and time first, by hash if these differ."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._stamp = functools.lru_cache(maxsize=4096)(files.stamp)
        self._sha256 = functools.lru_cache(maxsize=4096)(files.sha256)

    def unchanged(self, task: Task, before: Record, networks: Record) -> Record | None:
        """Return the manifest's line as it is now if all is as it was, else None."""
        now = record_of(task)
        try:
            if before["status"] != "done" or any(before[name] != now[name] for name in ("mode", "options")):
                return None
            if before["networks"] != networks or ("init" in before) != ("init" in now):
                return None
            pairs = [(before["content"], now["content"]), *zip(before["styles"], now["styles"], strict=True)]
            pairs += [(before["init"], now["init"])] if "init" in now else []
            if any(was.get("weight") != entry.get("weight") for was, entry in pairs):
                return None
            seen = [self._seen(was, entry["path"], self._stamp, self._sha256) for was, entry in pairs]
            place = files.joined(self._output, task.job.output)
            picture = self._seen(before["picture"], place, files.stamp, files.sha256)
        except (KeyError, TypeError, AttributeError, ValueError, OSError):
            return None  # a line of another version, or a file that is gone
        if picture is None or None in seen:
            return None
        now["content"].update(seen[0] or {})
        for entry, each in zip((*now["styles"], now.get("init", {})), seen[1:], strict=False):
            entry.update(each or {})
        return {
            **before,
            "content": now["content"],
            "styles": now["styles"],
            "labels": now["labels"],
            "picture": picture,
        }

    @staticmethod
    def _seen(was: Record, path: str, stamp: Callable[[str], str], sha256: Callable[[str], str]) -> Record | None:
        seen = stamp(path)
        if seen != was["stamp"] and sha256(path) != was["sha256"]:
            return None
        return {"sha256": was["sha256"], "stamp": seen}


def _home(output: str) -> Path:
    """Return the folder of the manifest: the output itself, or, as no store can append, one here for a URL."""
    if files.is_url(output):
        import hashlib

        from stylize.networks import store

        home = store.home() / "batch" / hashlib.sha256(output.rstrip("/").encode()).hexdigest()[:16]
    else:
        home = Path(output)
    try:
        home.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise StylizeError(f"output {output}: expected a folder, received a file") from None
    except OSError as error:
        raise StylizeError(f"output {home}: could not be made: {error.strerror or error}") from error
    return home


@contextlib.contextmanager
def _locked(home: Path, output: str) -> Iterator[None]:
    """Let one run at a time work in a folder."""
    import filelock

    with write_errors(home):
        lock = filelock.FileLock(home / _LOCK, timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            raise StylizeError(
                f"output {output}: another run is at work there; wait for it, or choose another"
            ) from None
    try:
        yield
    finally:
        lock.release()


def _sweep(output: str) -> None:
    """Take away what workers that were killed left unfinished."""
    if not files.is_url(output):
        for folder, _, names in os.walk(output):
            for name in names:
                if name.startswith(".stylize-") and name.endswith(".part"):
                    Path(folder, name).unlink(missing_ok=True)


def _fetch(output: str, home: Path) -> None:
    """Take up the manifest of a run that another machine made."""
    place = files.joined(output, MANIFEST)
    if not (home / MANIFEST).exists():
        with contextlib.suppress(FileNotFoundError), files.opened(place) as file:
            (home / MANIFEST).write_bytes(file.read())


def _upload(home: Path, output: str) -> None:
    place = files.joined(output, MANIFEST)
    with write_errors(place):
        files.write(place, (home / MANIFEST).read_bytes())

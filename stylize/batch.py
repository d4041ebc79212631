"""A batch at work: workers paint, the driver alone keeps the manifest, and a run that was killed can be taken up.

`OUT/manifest.jsonl` has one line of JSON a job. A line is appended when its job is done, so that after a crash the last
one for an output counts; a run that gets to its end writes the file anew, sorted, one line an output.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import errno
import functools
import itertools
import json
import math
import os
import sqlite3
import time
import traceback
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylize import storage
from stylize.config import INITS, FastConfig, RefineConfig
from stylize.engines import Engine, Lost
from stylize.errors import ImageError, OptionError, StylizeError, writing
from stylize.jobs import Job, Settings

if TYPE_CHECKING:
    from stylize.images import Picture
    from stylize.loaded import Networks
    from stylize.pipelines import TransferResult

__all__ = ["MANIFEST", "BatchOutcome", "BatchProgress", "Painter", "Task", "memory_bytes", "run_batch"]

MANIFEST = "manifest.jsonl"
Config = FastConfig | RefineConfig
Record = dict[str, Any]


# --------------------------------------------------------------------------------------------------------------------
# The worker's side


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
        from stylize import pipelines

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
            result = pipelines.fast(content, styles, config=task.config, networks=kept.networks, offline=self.offline)
        else:
            config = task.config
            if "init" in record:
                record["init"] = self._seen(config.init)
                config = dataclasses.replace(config, init=storage.joined(self.cwd, config.init))
            result = pipelines.refine(content, styles, config=config, networks=kept.networks, offline=self.offline)
            record["losses"] = _finite(dataclasses.asdict(result.history[-1].losses)) if result.history else None
        record["networks"] = {network.name: dict(network.sha256) for network in result.networks}
        record["picture"] = self._write(result, job.output, replace=task.replace)

    def _read(self, kept: _Pictures, path: str, role: str, long_side_px: int | None) -> tuple[Picture, Record]:
        place = storage.joined(self.cwd, path)
        try:
            stamp = storage.stamp(place)
        except OSError:
            stamp = ""  # reading it will say in which way it fails
        key = (place, stamp, long_side_px)
        picture = kept.get(key) if stamp else None
        if picture is None:
            from stylize.images import read_image

            try:
                picture = dataclasses.replace(read_image(place, name=role, long_side_px=long_side_px), path=path)
            except ImageError as error:
                raise ImageError(str(error).replace(place, path)) from error
            kept.keep(key, picture)
        return picture, {"path": path, "sha256": picture.sha256, "stamp": stamp}

    def _seen(self, path: str) -> Record:
        place = storage.joined(self.cwd, path)
        try:
            return {"path": path, "sha256": storage.sha256(place), "stamp": storage.stamp(place)}
        except OSError as error:
            raise ImageError(f"init {path}: could not be read: {error.strerror or error}") from error

    def _write(self, result: TransferResult, name: str, *, replace: bool) -> Record:
        place = storage.joined(self.output, name)
        with writing(f"output {place}", ImageError):
            if storage.is_url(self.output):
                from stylize.images import encode

                storage.write(place, encode(result.image, name.rpartition(".")[2], result.alpha, recipe=result.recipe))
            else:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                if not replace:
                    _check_ours(place)
                result.save(place, overwrite=True)
            return {"sha256": storage.sha256(place), "stamp": storage.stamp(place)}


# After these every further picture would fail, too.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def _check_ours(place: str) -> None:
    """Refuse to write over a file that is not from an earlier run."""
    from stylize.images import read_recipe

    if not os.path.lexists(place):
        return
    with contextlib.suppress(ImageError):
        if read_recipe(place) is not None:
            return
    raise ImageError(f"output {place}: is there already, and is not of this batch; move it away or choose another -o")


_Key = tuple[str, str, int | None]


def _useful_px(config: FastConfig | RefineConfig) -> tuple[int | None, int | None]:
    """Return the long sides beyond which a content and a style tell a preview nothing; None: as they are."""
    from stylize.pipelines import STYLE_PX

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
    from stylize.loaded import Networks

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


# --------------------------------------------------------------------------------------------------------------------
# What is done, and what is to do


class _Ledger:
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
def _scratch() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StylizeError(f"temporary files: {error}; TMPDIR names another folder for them") from error


def _said(job: Job) -> str:
    return f"{job.content} in the style of {' + '.join(path for path, _ in job.styles)}"


class _Manifest:
    """The file, which lines are appended to while the run goes, and which is written anew at its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path):
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
        with writing(self._path):
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
        from stylize.images import whole_file

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


# --------------------------------------------------------------------------------------------------------------------
# The driver's side


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
        stack.enter_context(_scratch())
        ledger = _Ledger(ignore_case=(home / _LOCK.upper()).exists() and not storage.is_url(output))
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
        if storage.is_url(output):
            _fetch(output, home)
        manifest = _Manifest(home / MANIFEST)
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
        work = work or Painter(storage.joined(os.getcwd(), output), os.getcwd(), offline)
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
        if storage.is_url(output):
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
        from stylize.loaded import Networks

        self._settings = settings
        networks, self._say = Networks(), on_message
        self._find = functools.partial(networks.find, offline=offline, on_message=on_message, on_download=on_download)
        self._resolved = functools.lru_cache(maxsize=1024)(self._resolve)
        self._is_local = False
        self.memory_bytes = 0

    def consider(self, job: Job) -> None:
        """Take a job into account. Raises WeightsError for a network that can't be had."""
        self.memory_bytes = max(self.memory_bytes, memory_bytes(self.config(job)))
        self._is_local |= not all(map(storage.is_url, (job.content, *(path for path, _ in job.styles))))

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
        if self._is_local or not storage.is_url(output):
            self._say(
                "local paths: every machine has to reach these files by the same names (a shared disk), or use URLs"
            )


class _Checked:
    """Looks whether what the manifest says of files still holds: by size and time first, by hash if these differ."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._stamp = functools.lru_cache(maxsize=4096)(storage.stamp)
        self._sha256 = functools.lru_cache(maxsize=4096)(storage.sha256)

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
            place = storage.joined(self._output, task.job.output)
            picture = self._seen(before["picture"], place, storage.stamp, storage.sha256)
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


# --------------------------------------------------------------------------------------------------------------------
# The output folder


def _home(output: str) -> Path:
    """Return the folder of the manifest: the output itself, or, as no store can append, one here for a URL."""
    if storage.is_url(output):
        import hashlib

        from stylize import weights

        home = weights.home() / "batch" / hashlib.sha256(output.rstrip("/").encode()).hexdigest()[:16]
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

    with writing(home):
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
    if not storage.is_url(output):
        for folder, _, files in os.walk(output):
            for name in files:
                if name.startswith(".stylize-") and name.endswith(".part"):
                    Path(folder, name).unlink(missing_ok=True)


def _fetch(output: str, home: Path) -> None:
    """Take up the manifest of a run that another machine made."""
    place = storage.joined(output, MANIFEST)
    if not (home / MANIFEST).exists():
        with contextlib.suppress(FileNotFoundError), storage.opened(place) as file:
            (home / MANIFEST).write_bytes(file.read())


def _upload(home: Path, output: str) -> None:
    place = storage.joined(output, MANIFEST)
    with writing(place):
        storage.write(place, (home / MANIFEST).read_bytes())

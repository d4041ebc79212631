"""The driver of a batch: it plans the jobs, gives them to workers, and records the results."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from stylize import files
from stylize.batch.engines import Engine, Lost
from stylize.batch.jobs import ConfigOf, Job, Task
from stylize.batch.ledger import Ledger
from stylize.batch.left_out import LeftOut
from stylize.batch.manifest import Manifest, Record, record_of
from stylize.batch.output import OutputFolder, part_mark
from stylize.batch.plan import Plan
from stylize.batch.resume import ResumeCheck
from stylize.batch.temporary import temporary_database
from stylize.batch.worker import Painter
from stylize.config import FastConfig
from stylize.errors import StylizeError
from stylize.output import DEFAULT_OUTPUT, OutputConfig

__all__ = ["MAX_REASONS", "MESSAGE_INTERVAL", "BatchOutcome", "BatchProgress", "run_batch"]

#: A message appears after this many jobs that are planned or skipped: they take a while and show no other progress.
MESSAGE_INTERVAL = 100_000

#: The outcome tells this many kinds of failures apart.
MAX_REASONS = 50

# Jobs that one worker gets at a time: enough to save reading the content anew, few enough to keep all workers busy
# until the end.
_MAX_BATCH = 16


@dataclass
class BatchOutcome:
    """Counts of a run."""

    jobs: int = 0
    done: int = 0
    skipped: int = 0
    """Jobs whose pictures an earlier run made."""
    failed: int = 0
    seconds: float = 0.0
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Why jobs failed, by the error without file names: how many jobs, and the full error of the first."""

    animated: int = 0
    """Pictures painted of the first frames of animations."""

    def count(self, record: Record) -> None:
        """Count a job that a worker finished."""
        self.animated += any(note.startswith("animated: ") for note in record["notes"])
        if record["status"] == "done":
            self.done += 1
            return
        self.failed += 1
        error = reason = str(record["error"])
        inputs = record["content"], *record["styles"], *record.get("masks", ())
        for path in (*(each["path"] for each in inputs), record["output"]):
            reason = reason.replace(path, "...")
        if reason not in self.reasons and len(self.reasons) >= MAX_REASONS:
            reason = "other reasons"
        count, first = self.reasons.get(reason, (0, error))
        self.reasons[reason] = count + 1, first


@dataclass(frozen=True)
class BatchProgress:
    """The state of a run after a job."""

    record: Record
    """The job's line of the manifest."""
    done: int
    failed: int
    skipped: int
    jobs: int
    elapsed_s: float
    """Since the first job went to a worker: without planning, and without looking for what an earlier run did."""

    @property
    def remaining_s(self) -> float:
        """The time that the remaining jobs take if they go on as fast; skipped jobs took no time."""
        painted = self.done + self.failed
        return self.elapsed_s / painted * (self.jobs - self.skipped - painted)


def run_batch(
    jobs: Iterable[Job],
    output: str,
    config_of: ConfigOf,
    engine_for: Callable[[Plan], Engine],
    *,
    resume: bool = True,
    offline: bool = False,
    backend: str = "auto",
    device: str = "auto",
    sources: Mapping[str, str] | None = None,
    output_config: OutputConfig = DEFAULT_OUTPUT,
    left_out: LeftOut | None = None,
    work: Callable[[Sequence[Task]], Sequence[Record]] | None = None,
    on_progress: Callable[[BatchProgress], None] = lambda progress: None,
    on_message: Callable[[str], None] = lambda message: None,
    on_download: Callable[[str, int, int | None], None] | None = None,
) -> BatchOutcome:
    """Paint all jobs. A job that fails stops no other: the outcome and the manifest tell of it.

    Args:
        jobs: what to paint.
        output: the folder or URL of the pictures and the manifest.
        config_of: makes the config of a table's row.
        engine_for: makes the engine, given the plan of all jobs.
        resume: skip a job whose picture is there and whose inputs, options and networks have not changed.
        offline: never use the internet.
        backend: what refinements compute with, as of `stylize.refine`.
        device: where.
        sources: where options come from that are no defaults, by name, for the provenance.
        output_config: how the pictures are written.
        left_out: what is not painted, for the manifest; read when all jobs are done.
        work: replaces the `Painter`.
        on_progress: called after each job that a worker finished.
        on_message: called with each message.
        on_download: called with a file's name, the bytes so far and the total, None if unknown.

    Raises:
        OptionError: two jobs have the same output, or a job's options are wrong; raised before any work.
        StylizeError: there is no job, the output cannot be written, or a network is not available.
    """
    began = time.perf_counter()
    folder = OutputFolder(output)
    with contextlib.ExitStack() as stack:
        stack.enter_context(folder.locked())
        stack.enter_context(temporary_database())
        ledger = stack.enter_context(contextlib.closing(Ledger(ignore_case=folder.ignores_case)))
        plan = Plan(config_of, offline=offline, on_message=on_message, on_download=on_download)
        outcome = BatchOutcome(jobs=_plan_all(jobs, ledger, plan, on_message))
        for path in (*folder.fetched(), folder.manifest):
            manifest = stack.enter_context(contextlib.closing(Manifest(path)))
            for record, line in manifest.read(on_message):
                ledger.keep(*_with_picture(record, line, ledger))
        folder.remove_unfinished()
        stack.callback(folder.remove_unfinished)
        records = _Records(ledger, manifest, outcome)
        tasks = _tasks(plan, records, ResumeCheck(output) if resume else None, output_config, on_message)
        engine = stack.enter_context(engine_for(plan))
        if engine.nodes > 1:
            plan.warn_of_local_paths(output, on_message)
        # Absolute paths, because a cluster's processes start in other folders.
        work = work or Painter(
            files.joined(os.getcwd(), output), os.getcwd(), offline, backend, device, dict(sources or {})
        )
        for result in engine.map(work, _batched(tasks)):
            on_progress(records.progress(records.add(result)))
        not_painted = () if left_out is None else map(json.dumps, left_out.records())
        with files.part_marked(part_mark(output)):
            manifest.rewrite(itertools.chain(ledger.lines(), not_painted))
        folder.upload_manifest()
    outcome.seconds = time.perf_counter() - began
    return outcome


def _plan_all(jobs: Iterable[Job], ledger: Ledger, plan: Plan, on_message: Callable[[str], None]) -> int:
    """Enter all jobs into the ledger and the plan; return their number."""
    count = 0
    for job in jobs:
        ledger.add(job)
        plan.consider(job)
        count += 1
        if count % MESSAGE_INTERVAL == 0:
            on_message(f"{count} jobs so far")
    if not count:
        raise StylizeError("expected at least one job, received none")
    return count


def _with_picture(record: Record, line: str, ledger: Ledger) -> tuple[Record, str]:
    """Return a line of a manifest with the picture of an earlier line if it has none, as a failed one has none.

    The lines may be of two machines: one failed to paint what the other has painted since.
    """
    if record.get("picture") or not (picture := ledger.picture(record["output"])):
        return record, line
    record = {**record, "picture": picture}
    return record, json.dumps(record)


@dataclass
class _Records:
    """The records of a run: each goes to the manifest, to the ledger, and into the outcome's counts."""

    ledger: Ledger
    manifest: Manifest
    outcome: BatchOutcome
    painting_since: float = 0.0
    """When the first job went to a worker, by `time.perf_counter`; 0 before that."""

    def progress(self, record: Record) -> BatchProgress:
        """Return the state of the run after the job of that record."""
        counts, elapsed_s = self.outcome, time.perf_counter() - self.painting_since
        return BatchProgress(record, counts.done, counts.failed, counts.skipped, counts.jobs, elapsed_s)

    def keep(self, record: Record) -> None:
        """Store a record."""
        line = json.dumps(record, allow_nan=False)
        self.manifest.append(line)
        self.ledger.keep(record, line)

    def add(self, result: tuple[Task, Record] | Lost[Task]) -> Record:
        """Store and count a worker's result. Raises StylizeError if the worker's disk is full."""
        record = {**record_of(result.item), "error": result.reason} if isinstance(result, Lost) else {**result[1]}
        if record.pop("full", False):
            raise StylizeError(f"{record['error']}; {self.outcome.done} pictures are done, the same command goes on")
        if record["status"] == "failed":
            # An earlier picture still lies there, and is still ours to replace.
            record["picture"] = self.ledger.picture(record["output"])
        self.keep(record)
        self.outcome.count(record)
        return record


def _tasks(
    plan: Plan,
    records: _Records,
    check: ResumeCheck | None,
    output_config: OutputConfig,
    on_message: Callable[[str], None],
) -> Iterator[Task]:
    """Yield what the workers have to paint; count what an earlier run painted."""
    outcome = records.outcome
    for job in records.ledger.jobs():
        task = Task(job, plan.config(job), replace=False, output_config=output_config)
        before = records.ledger.record(job.output)
        now = check.unchanged(task, before, plan.networks(job)) if check and before else None
        if now is None:
            records.painting_since = records.painting_since or time.perf_counter()
            yield dataclasses.replace(task, replace=records.ledger.picture(job.output) is not None)
            continue
        outcome.skipped += 1
        if outcome.skipped % MESSAGE_INTERVAL == 0:
            on_message(f"{outcome.skipped} pictures were done before so far")
        if now != before:
            records.keep(now)


def _batched(tasks: Iterator[Task]) -> Iterator[list[Task]]:
    """Yield the `fast` jobs of one content together, so that a worker reads the content once; other jobs alone."""

    def group_key(task: Task) -> tuple[str, object]:
        # `refine` takes far longer than reading. Single jobs keep all workers busy until the end.
        return task.job.content, None if isinstance(task.config, FastConfig) else task.job.output

    for _, group in itertools.groupby(tasks, key=group_key):
        while batch := list(itertools.islice(group, _MAX_BATCH)):
            yield batch

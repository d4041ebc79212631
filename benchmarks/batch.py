"""Pictures a second of `stylize batch`, beside loops; and what its driver takes for many jobs.

    python benchmarks/batch.py --contents photos/ --styles styles/ -o results/

`pace`: 200 pictures x 5 styles (the given pictures are repeated up to these numbers, each copy a file of its own) by
`stylize batch` with one and with two workers, of one core each; by a loop of `stylize fast` processes, of which a
sample is run; and by the same loop inside one Python process. `driver`: milliseconds a job, without painting, in two
processes and on Ray where Ray is installed (its start, some ten seconds, counts). `simulated`: 256 workers whose every
job takes 20 ms, as events on the real clock without processes: the driver's memory and jobs a second; then the same
jobs again, all of which are skipped. The results also go to batch.json in the output folder.
"""

from __future__ import annotations

import argparse
import heapq
import importlib.util
import itertools
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tables
import timing

from stylize import files
from stylize.batch import engines, manifest, run, worker
from stylize.batch.finding import LeftOut, pictures
from stylize.batch.jobs import Job
from stylize.batch.local_engine import LocalEngine
from stylize.batch.ray_engine import RayEngine
from stylize.config import FastConfig

STYLES = 5
# For each style and content: the same loop as `stylize batch`, inside one process.
LOOP = """
import itertools, sys, stylize
contents, styles = (open(name).read().splitlines() for name in sys.argv[1:3])
networks = stylize.LoadedNetworks()
for number, (content, style) in enumerate(itertools.product(contents, styles)):
    result = stylize.fast(content, style, network=sys.argv[4], size=int(sys.argv[5]), loaded=networks)
    result.save(f'{sys.argv[3]}/loop-{number}.png')
"""

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contents", required=True)
    parser.add_argument("--styles", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--network", default="mini")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--sample", type=int, default=10, help="how many processes of `stylize fast` are run")
    parser.add_argument("--jobs", type=int, default=1_000_000, help="for the simulation")
    parser.add_argument("--only", choices=["pace", "driver", "simulated"], action="append")
    tables.add_write_option(parser)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, measure in {"pace": pace, "driver": driver, "simulated": simulated}.items():
        if args.only is None or name in args.only:
            results[name] = rows = measure(args)
            table = tables.markdown(list(rows[0]), (row.values() for row in rows))
            # The README has one table of this script.
            tables.publish("batch", table, write=args.write and name == "pace")
            print()
    (args.output / "batch.json").write_text(json.dumps(results, indent=2))


# --------------------------------------------------------------------------------------------------------------------
# Pictures a second


def pace(args: argparse.Namespace) -> list[Row]:
    """Measure pictures a second, and processor seconds a picture, which hold on a busy machine too."""
    with tempfile.TemporaryDirectory(dir=args.output) as scratch:
        contents = _copies(args.contents, args.pictures, Path(scratch, "contents"))
        styles = _copies(args.styles, STYLES, Path(scratch, "styles"))
        options = ["--network", args.network, "--size", str(args.size), "--offline", "-q"]
        return [
            *(_batch_with_workers(workers, len(contents) * len(styles), scratch, options) for workers in (1, 2)),
            _loop_in_one_process(contents, styles, scratch, args),
            _loop_of_processes(list(itertools.product(contents, styles)), scratch, options, args.sample),
        ]


def _batch_with_workers(workers: int, count: int, scratch: str, options: list[str]) -> Row:
    places = ["-c", f"{scratch}/contents", "-s", f"{scratch}/styles", "-o", f"{scratch}/{workers}"]
    # As many cores as workers: the row shall show what a second worker adds, not what a second core does for one.
    environment = {**os.environ, "OMP_NUM_THREADS": str(workers)}
    command = ["-m", "stylize", "batch", *places, "--workers", workers, *options]
    usage = timing.run_python(*command, environment=environment)
    return _pace_row(f"`stylize batch`, {workers} worker{'s' * (workers > 1)}", count, [usage])


def _loop_in_one_process(contents: list[str], styles: list[str], scratch: str, args: argparse.Namespace) -> Row:
    for name, paths in (("contents", contents), ("styles", styles)):
        Path(scratch, f"{name}.txt").write_text("\n".join(paths))
    lists = [f"{scratch}/contents.txt", f"{scratch}/styles.txt", scratch]
    usage = timing.run_python("-c", LOOP, *lists, args.network, args.size)
    return _pace_row("loop inside one process", len(contents) * len(styles), [usage])


def _loop_of_processes(pairs: list[tuple[str, str]], scratch: str, options: list[str], sample: int) -> Row:
    chosen = pairs[:: max(1, len(pairs) // sample)][:sample]
    usages = []
    for number, (content, style) in enumerate(chosen):
        files = ["-c", content, "-s", style, "-o", f"{scratch}/fast-{number}.png"]
        usages.append(timing.run_python("-m", "stylize", "fast", *files, *options))
    return _pace_row(f"loop of `stylize fast` processes (a sample of {len(chosen)})", len(chosen), usages)


def _pace_row(name: str, pictures: int, usages: Sequence[timing.Usage]) -> Row:
    rate = pictures / sum(usage.seconds for usage in usages)
    processor = sum(usage.processor_seconds for usage in usages) / pictures
    return {"method": name, "pictures a second": round(rate, 3), "processor seconds a picture": round(processor, 3)}


def _copies(place: str, count: int, folder: Path) -> list[str]:
    """Copy the pictures to a new folder, again and again up to the count; return the paths."""
    folder.mkdir()
    sources = [path for path, _ in pictures(place, "input", LeftOut(), output="nowhere")]
    paths = []
    for number, source in zip(range(count), itertools.cycle(sources), strict=False):
        paths.append(str(folder / f"{number:04d}{Path(source).suffix}"))
        shutil.copy(source, paths[-1])
    return paths


# --------------------------------------------------------------------------------------------------------------------
# The driver


def driver(args: argparse.Namespace) -> list[Row]:
    """Measure milliseconds a job without painting: all of the driver's work, and the way to a worker and back."""
    rows = []
    for name, engine, count in (("local", LocalEngine(2), 10_000), ("ray", RayEngine(), 10_000)):
        if name == "ray" and importlib.util.find_spec("ray") is None:
            continue
        with tempfile.TemporaryDirectory(dir=args.output) as scratch:
            _lay_out(scratch, count)
            outcome = _run(_jobs(count, scratch), scratch, engine)
        rows.append({"engine": name, "jobs": count, "milliseconds a job": round(1000 * outcome.seconds / count, 4)})
    return rows


def simulated(args: argparse.Namespace) -> list[Row]:
    """Measure the driver at 256 workers; each run in a process of its own, for its memory."""
    rows = []
    for count in (args.jobs // 100, args.jobs // 10, args.jobs):
        with tempfile.TemporaryDirectory(dir=args.output) as scratch:
            _lay_out(scratch, count)
            for name in ("painted", "skipped"):
                here = str(Path(__file__).resolve().parent)
                call = f"import sys; sys.path.insert(0, {here!r}); import batch; "
                call += f"batch.report_simulated({count}, {os.path.abspath(scratch)!r}, {name!r})"
                usage = timing.run_from_small_process(sys.executable, "-c", call)
                rows.append(json.loads(usage.output))
                print(rows[-1], file=sys.stderr, flush=True)
    return rows


def report_simulated(count: int, folder: str, name: str) -> None:
    """Run that many jobs on simulated workers, and print a row as JSON."""
    engine = SimulatedEngine(workers=256, seconds=0.02)
    began = time.perf_counter()
    planned = 0.0

    def timed() -> Iterator[Job]:
        nonlocal planned
        yield from _jobs(count, folder)
        planned = time.perf_counter() - began

    outcome = _run(timed(), folder, engine)
    row = {
        "jobs": count,
        "run": name,
        "seconds": round(outcome.seconds, 1),
        "seconds of planning": round(planned, 1),
        "jobs a second": round(count / outcome.seconds),
        "processor milliseconds a job": round(1000 * time.process_time() / count, 3),
        "peak memory, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "manifest, MB": round(Path(folder, manifest.MANIFEST).stat().st_size / 1e6),
    }
    print(json.dumps(row))


class SimulatedEngine:
    """Workers without processes: each batch comes back when its time is over on the real clock."""

    nodes = 1

    def __init__(self, workers: int, seconds: float) -> None:
        self._workers = workers
        self._seconds = seconds

    def __enter__(self) -> SimulatedEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def map(self, work: Any, batches: Iterator[Any]) -> Iterator[Any]:
        """Yield pairs of task and result, in the order in which the batches would be done."""
        running: list[Any] = []
        order = itertools.count()
        while True:
            while len(running) < self._workers and (tasks := next(batches, None)) is not None:
                heapq.heappush(running, (time.perf_counter() + self._seconds * len(tasks), next(order), tasks))
            if not running:
                return
            due, _, tasks = heapq.heappop(running)
            time.sleep(max(0.0, due - time.perf_counter()))
            yield from zip(tasks, work(tasks), strict=True)


def _lay_out(folder: str, count: int) -> None:
    """Make a folder that seems to hold `count` pictures: one file by a thousand names in a thousand linked folders."""
    Path(folder, "0").mkdir()
    Path(folder, "0", "0.png").write_bytes(b"0")
    for number in range(1, 1000):
        os.link(f"{folder}/0/0.png", f"{folder}/0/{number}.png")
    for number in range(1, -(-count // 1000)):
        os.symlink("0", f"{folder}/{number}")


def _jobs(count: int, folder: str) -> Iterator[Job]:
    """Yield jobs of `STYLES` styles a picture."""

    def place(number: int) -> str:
        return f"{number // 1000}/{number % 1000}.png"

    for number in range(count):
        styles = ((f"{folder}/0/{number % STYLES}.png", 1.0),)
        yield Job(f"{folder}/{place(number // STYLES)}", styles, place(number))


def _run(found: Iterable[Job], folder: str, engine: engines.Engine) -> run.BatchOutcome:
    config = FastConfig(network="mini")
    return run.run_batch(found, folder, lambda cells: config, lambda plan: engine, work=record_without_painting)


def record_without_painting(tasks: Any) -> list[Row]:
    """Stand in for the painter: return a record a task, with the facts of the one file that all pictures are."""
    seen = {"sha256": "0" * 64, "stamp": files.stamp(tasks[0].job.content)}
    found = worker.loaded().networks.find("mini", "stylizer")
    records = [manifest.record_of(task) for task in tasks]
    for record in records:
        for entry in (record["content"], *record["styles"]):
            entry.update(seen)
        record.update(status="done", networks={found.name: dict(found.sha256)}, picture=seen, seconds=0.02)
    return records


if __name__ == "__main__":
    main()

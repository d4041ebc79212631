"""Pictures a second of `stylize batch`, beside plain loops; and what its driver takes for many jobs. JSON on stdout.

    python benchmarks/batch.py --contents photos/ --styles styles/ -o results/

`pace`: 200 pictures x 5 styles (what is given is repeated up to these numbers, each copy a file of its own) by `stylize
batch` with one and with two workers, of one core each; by a loop of `stylize fast` processes, of which a sample is run;
and by the same loop inside one Python process. `driver`: milliseconds a job beside painting, by a painter that does
nothing, in two processes and on Ray where it is installed (its start, some ten seconds, is counted).
`simulated`: 256 workers whose every job takes 20 ms, as events on the real clock without
processes: the driver's memory and jobs a second; then the same jobs again, all of which are skipped.
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
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from stylize import files
from stylize.batch import engines, manifest, worker
from stylize.batch import run as driver
from stylize.batch.jobs import Job
from stylize.batch.local_engine import LocalEngine
from stylize.batch.ray_engine import RayEngine
from stylize.config import FastConfig


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
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, measure in {"pace": pace, "driver": measure_driver, "simulated": simulated}.items():
        if args.only is None or name in args.only:
            results[name] = measure(args)
            print(json.dumps({name: results[name]}), file=sys.stderr, flush=True)
    print(json.dumps(results, indent=2))


def pace(args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Pictures a second, and the processor's seconds for each: these are to be trusted on a busy machine, too."""
    with tempfile.TemporaryDirectory(dir=args.output) as scratch:
        contents = copies(args.contents, args.pictures, Path(scratch, "contents"))
        styles = copies(args.styles, 5, Path(scratch, "styles"))
        options = ["--network", args.network, "--size", str(args.size), "--offline", "-q"]
        program = [sys.executable, "-m", "stylize"]
        count, found = len(contents) * len(styles), {}
        for workers in (1, 2):
            places = ["-c", f"{scratch}/contents", "-s", f"{scratch}/styles", "-o", f"{scratch}/{workers}"]
            # So many cores as workers: what a second worker adds, not what a second core does for one.
            environment = {**os.environ, "OMP_NUM_THREADS": str(workers)}
            command = [*program, "batch", *places, "--workers", str(workers), *options]
            found[f"batch, {workers} workers"] = measured(count, command, environment)
        pairs = list(itertools.product(contents, styles))[:: max(1, count // args.sample)][: args.sample]
        singly = [
            measured(1, [*program, "fast", "-c", content, "-s", style, "-o", f"{scratch}/fast-{number}.png", *options])
            for number, (content, style) in enumerate(pairs)
        ]
        found[f"loop of fast processes (a sample of {len(pairs)})"] = {
            "pictures a second": len(singly) / sum(1 / each["pictures a second"] for each in singly),
            "CPU seconds a picture": sum(each["CPU seconds a picture"] for each in singly) / len(singly),
        }
        loop = (
            "import itertools, sys, stylize\n"
            "contents, styles = (open(name).read().splitlines() for name in sys.argv[1:3])\n"
            "networks = stylize.Networks()\n"
            "for number, (content, style) in enumerate(itertools.product(contents, styles)):\n"
            "    result = stylize.fast(content, style, network=sys.argv[4], size=int(sys.argv[5]), networks=networks)\n"
            "    result.save(f'{sys.argv[3]}/loop-{number}.png')\n"
        )
        for name, paths in (("contents", contents), ("styles", styles)):
            Path(scratch, f"{name}.txt").write_text("\n".join(paths))
        lists = [f"{scratch}/contents.txt", f"{scratch}/styles.txt", scratch]
        command = [sys.executable, "-c", loop, *lists, args.network, str(args.size)]
        found["loop inside one process"] = measured(count, command)
        return {name: {key: round(value, 3) for key, value in each.items()} for name, each in found.items()}


def copies(place: str, count: int, folder: Path) -> list[str]:
    folder.mkdir()
    sources = [path for path, _ in files.pictures(place, "input", leave_out="")]
    paths = []
    for number, source in zip(range(count), itertools.cycle(sources), strict=False):
        paths.append(str(folder / f"{number:04d}{Path(source).suffix}"))
        shutil.copy(source, paths[-1])
    return paths


def measured(count: int, command: list[str], environment: dict[str, str] | None = None) -> dict[str, float]:
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    taken, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"pictures a second": count / taken, "CPU seconds a picture": cpu / count}


# --------------------------------------------------------------------------------------------------------------------
# The driver


def measure_driver(args: argparse.Namespace) -> list[dict[str, object]]:
    """Milliseconds a job, beside painting: all of the driver's work, and the way to a worker and back."""
    rows: list[dict[str, object]] = []
    for name, engine, count in (("local", LocalEngine(2), 10_000), ("ray", RayEngine(), 10_000)):
        if name == "ray" and importlib.util.find_spec("ray") is None:
            continue
        with tempfile.TemporaryDirectory(dir=args.output) as scratch:
            lay_out(scratch, count)
            outcome = drive(jobs(count, scratch), scratch, engine)
        rows.append({"engine": name, "jobs": count, "milliseconds a job": round(1000 * outcome.seconds / count, 4)})
    return rows


def simulated(args: argparse.Namespace) -> list[dict[str, float]]:
    """How the driver holds at 256 workers; each run in a process of its own, for its memory."""
    rows = []
    for count in (args.jobs // 100, args.jobs // 10, args.jobs):
        with tempfile.TemporaryDirectory(dir=args.output) as scratch:
            lay_out(scratch, count)
            for name in ("painted", "skipped"):
                call = f"import batch; batch.report_simulated({count}, {scratch!r}, {name!r})"
                command = [sys.executable, "-c", call]
                finished = subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, cwd=os.path.dirname(__file__) or "."
                )
                rows.append(json.loads(finished.stdout))
    return rows


def report_simulated(count: int, folder: str, name: str) -> None:
    engine = SimulatedEngine(workers=256, seconds=0.02)
    began = time.perf_counter()
    planned = None

    def timed() -> Iterator[Job]:
        nonlocal planned
        yield from jobs(count, folder)
        planned = time.perf_counter() - began

    outcome = drive(timed(), folder, engine)
    row = {
        "jobs": count,
        "run": name,
        "seconds": round(outcome.seconds, 1),
        "seconds of planning": round(planned, 1),
        "jobs a second": round(count / outcome.seconds),
        "CPU milliseconds a job": round(1000 * time.process_time() / count, 3),
        "peak memory MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "manifest MB": round(Path(folder, manifest.MANIFEST).stat().st_size / 1e6),
    }
    print(json.dumps(row))


class SimulatedEngine:
    """Workers without processes: each batch comes back when its time is over on the real clock."""

    nodes = 1

    def __init__(self, workers: int, seconds: float) -> None:
        self._workers = workers
        self._seconds = seconds

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def map(self, work, batches):
        flying, order = [], itertools.count()
        while True:
            while len(flying) < self._workers and (tasks := next(batches, None)) is not None:
                heapq.heappush(flying, (time.perf_counter() + self._seconds * len(tasks), next(order), tasks))
            if not flying:
                return
            due, _, tasks = heapq.heappop(flying)
            time.sleep(max(0.0, due - time.perf_counter()))
            yield from zip(tasks, work(tasks), strict=True)


def lay_out(folder: str, count: int) -> None:
    """Make it look as if `count` pictures were there: one file under a thousand names in a thousand linked folders."""
    Path(folder, "0").mkdir()
    Path(folder, "0", "0.png").write_bytes(b"0")
    for number in range(1, 1000):
        os.link(f"{folder}/0/0.png", f"{folder}/0/{number}.png")
    for number in range(1, -(-count // 1000)):
        os.symlink("0", f"{folder}/{number}")


def jobs(count: int, folder: str) -> Iterator[Job]:
    def place(number: int) -> str:
        return f"{number // 1000}/{number % 1000}.png"

    for number in range(count):  # five styles a picture
        yield Job(f"{folder}/{place(number // 5)}", ((f"{folder}/0/{number % 5}.png", 1.0),), place(number))


def drive(found: Iterator[Job], folder: str, engine: engines.Engine) -> driver.BatchOutcome:
    return driver.run_batch(
        found, folder, lambda cells: FastConfig(network="mini"), lambda memory: engine, work=nothing
    )


def nothing(tasks):
    """Stands in for the painter, and says of every picture what is true of that one file."""
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

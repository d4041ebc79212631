"""Our optimiser against the TensorFlow tutorial's, on the tutorial's own objective J: seconds to the same J.

    python benchmarks/refine.py --images bench/ --judge bench/ -o results/ --pairs c01-s01 c03-s02

The judge is a folder with baseline_tutorial.py (the tutorial's method) and vgg_objective.py (J under VGG-19 in
float32), written apart from this project. The tutorial's J after 1000 steps hardly depends on the machine and stands in
tutorial.json. The tutorial's seconds a step are measured anew beside ours. J of our iterates is computed afterwards, in
float32.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import judging
import numpy as np
import tables
import timing

import stylize

CURVES = Path(__file__).with_name("tutorial.json")
TUTORIAL_STEPS = 1000
# The tutorial runs this many steps; the rest is extrapolated.
TIMED_STEPS = 20
# The preview comes from the network in the package, whatever else is installed.
OPTIONS = {
    "preset": "tf-tutorial", "optimizer": "lbfgs", "init": "preview+content", "precision": "auto", "features": "vgg19",
    "network": "mini",
}  # fmt: skip
COLUMNS = (
    "J", "steps", "seconds", "whole process", "tutorial seconds", "tutorial whole", "ratio", "ratio of whole processes",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, type=Path, help="the folder of the pairs")
    parser.add_argument("--judge", required=True, type=Path, help="the folder of the judge")
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pairs", nargs="+")
    parser.add_argument("--steps", type=int, default=300, help="the most that ours may take")
    tables.add_write_option(parser)
    args = parser.parse_args()
    curves = json.loads(CURVES.read_text())
    goals = {
        name.rpartition("-")[0]: curve["J"][-1] for name, curve in curves.items() if name.endswith(f"-{args.size}")
    }
    judge = judging.Judge(args.judge, args.size)
    args.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for pair in args.pairs or list(goals):
        rows.append({"pair": pair, **_race(*judging.find_pair(args.images, pair), goals[pair], judge, args)})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    (args.output / f"refine-{args.size}.json").write_text(json.dumps(rows, indent=1))
    tables.publish(f"race-{args.size}", _table(rows), write=args.write)


def _race(content: Path, style: Path, goal: float, judge: judging.Judge, args: argparse.Namespace) -> dict[str, float]:
    """Return a row of the table; all seconds are infinite if J was not reached."""
    iterates: list[tuple[float, np.ndarray]] = []
    stylize.refine(
        content, style, size=args.size, steps=args.steps, **OPTIONS,
        on_iterate=lambda iterate: iterates.append((iterate.elapsed_s, iterate.pixels.copy())),
    )  # fmt: skip
    targets = judge.targets(content, style)
    index = _first_at_most(goal, lambda step: judge.objective(iterates[step][1][None], targets), len(iterates))
    if index is None:
        return {**dict.fromkeys(COLUMNS, math.inf), "J": goal, "steps": len(iterates), "ratio": 0.0, COLUMNS[-1]: 0.0}
    steps = index + 1
    whole = _whole_process_seconds(content, style, steps, args)
    tutorial, tutorial_whole = _tutorial_seconds(content, style, args)
    # The first step, which compiles, is left out on both sides.
    ours = iterates[index][0] - iterates[0][0]
    values = (goal, steps, ours, whole, tutorial, tutorial_whole, tutorial / ours, tutorial_whole / whole)
    return dict(zip(COLUMNS, values, strict=True))


def _first_at_most(goal: float, loss: Callable[[int], float], count: int) -> int | None:
    """Return the first index with a loss of at most the goal, by bisection: losses fall from iterate to iterate."""
    low, high = 0, count - 1
    if loss(high) > goal:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if loss(middle) <= goal else (middle + 1, high)
    return low


def _whole_process_seconds(content: Path, style: Path, steps: int, args: argparse.Namespace) -> float:
    """Return what `stylize refine` takes for the steps."""
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    files = ["-c", content, "-s", style, "-o", _output(content, style, args), "--overwrite"]
    command = ["-m", "stylize", "refine", *files, "--size", args.size, "--steps", steps, *options]
    return timing.run_python(*command).seconds


def _tutorial_seconds(content: Path, style: Path, args: argparse.Namespace) -> tuple[float, float]:
    """Return what the tutorial's steps take, and its whole process."""
    output = _output(content, style, args).with_suffix(".tutorial.png")
    command = [args.judge / "baseline_tutorial.py", "--content", content, "--style", style, "-o", output]
    options = ["--size", args.size, "--steps", TIMED_STEPS, "--every", TIMED_STEPS]
    usage = timing.run_python(*command, *options)
    spent = json.loads(usage.output.splitlines()[-1])["seconds"]
    seconds = TUTORIAL_STEPS * spent / TIMED_STEPS
    return seconds, usage.seconds - spent + seconds


def _output(content: Path, style: Path, args: argparse.Namespace) -> Path:
    return args.output / f"{content.stem}-{style.stem}-{args.size}.png"


def _table(rows: list[dict]) -> str:
    medians = {"pair": "median", **{name: statistics.median(row[name] for row in rows) for name in COLUMNS}}
    return tables.markdown(
        ["pair", *COLUMNS], ([row["pair"], *(f"{row[name]:.4g}" for name in COLUMNS)] for row in [*rows, medians])
    )


if __name__ == "__main__":
    main()

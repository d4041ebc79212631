"""Our optimiser against the TensorFlow tutorial's, on the tutorial's own objective J: seconds to the same J.

    python benchmarks/refine.py --images bench/ --yardstick bench/ -o results/ --pairs c01-s01 c03-s02

The yardstick is a folder with baseline_tutorial.py (the tutorial's recipe) and vgg_objective.py (J under VGG-19 in
float32), written apart from this project. The tutorial's J after 1000 steps hardly depends on the machine and stands in
tutorial.json; its seconds a step are measured anew beside ours. J of our iterates is computed afterwards, in float32.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import stylize

CURVES = Path(__file__).with_name("tutorial.json")
TIMED_STEPS = 20
# The preview of the network that comes with the project, whatever else is installed.
OPTIONS = {
    "preset": "tf-tutorial", "optimizer": "lbfgs", "init": "preview+content", "precision": "auto", "features": "vgg19",
    "network": "mini",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, type=Path)
    parser.add_argument("--yardstick", required=True, type=Path)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pairs", nargs="+")
    parser.add_argument("--steps", type=int, default=300, help="that ours may take")
    args = parser.parse_args()
    curves = {name.rpartition("-")[0]: curve for name, curve in json.loads(CURVES.read_text()).items()
              if name.endswith(f"-{args.size}")}  # fmt: skip
    sys.path.insert(0, str(args.yardstick))
    args.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for pair in args.pairs or list(curves):
        content, style = (next(args.images.glob(f"{part}*")) for part in pair.split("-"))
        rows.append({"pair": pair, **_race(content, style, curves[pair]["J"][-1], args)})
        print(json.dumps(rows[-1]), flush=True)
    (args.output / f"refine-{args.size}.json").write_text(json.dumps(rows, indent=1))
    print("\n" + _table(rows))


def _race(content: Path, style: Path, goal: float, args: argparse.Namespace) -> dict[str, float]:
    import vgg_objective as objective

    network = objective.build_vgg19()
    pictures = (objective.read_image(path, args.size) for path in (content, style))
    targets = objective.Targets(network, *pictures)
    kept = []
    stylize.refine(
        content, style, size=args.size, steps=args.steps, **OPTIONS,
        on_iterate=lambda iterate: kept.append((iterate.elapsed_s, iterate.pixels.copy())),
    )  # fmt: skip
    losses: dict[int, float] = {}

    def reaches(step: int) -> bool:
        losses[step] = float(objective.losses(network, kept[step][1][None], targets)[2])
        return losses[step] <= goal

    if not reaches(len(kept) - 1):  # a ratio of 0: it takes for ever
        never = float("inf")
        return {
            "J": goal, "reached": losses[len(kept) - 1], "steps": len(kept), "seconds": never, "whole": never,
            "tutorial seconds": never, "tutorial whole": never, "ratio": 0.0, "whole ratio": 0.0,
        }  # fmt: skip
    low, high = 0, len(kept) - 1  # the best so far only gets better
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle + 1, high)
    steps = low + 1

    output = args.output / f"{content.stem}-{style.stem}-{args.size}.png"
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
    whole = _wall_seconds("-m", "stylize", "refine", "-c", content, "-s", style, "-o", output, "--overwrite",
                          "--size", args.size, "--steps", steps, *options)[0]  # fmt: skip
    wall, lines = _wall_seconds(args.yardstick / "baseline_tutorial.py", "--content", content, "--style", style,
                                "-o", output.with_suffix(".tutorial.png"), "--size", args.size,
                                "--steps", TIMED_STEPS, "--every", TIMED_STEPS)  # fmt: skip
    spent = json.loads(lines.splitlines()[-1])["seconds"]
    theirs = 1000 * spent / TIMED_STEPS
    # The first step, which compiles, is left out on both sides.
    ours = kept[low][0] - kept[0][0]
    return {
        "J": goal, "reached": losses[low], "steps": steps, "seconds": ours, "whole": whole,
        "tutorial seconds": theirs, "tutorial whole": wall - spent + theirs,
        "ratio": theirs / ours, "whole ratio": (wall - spent + theirs) / whole,
    }  # fmt: skip


def _wall_seconds(*command: object) -> tuple[float, str]:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, *map(str, command)], check=True, capture_output=True, text=True)
    return time.perf_counter() - began, done.stdout


def _table(rows: list[dict]) -> str:
    columns = [name for name in rows[0] if name != "pair"]
    medians = {"pair": "median", **{name: statistics.median(row[name] for row in rows) for name in columns}}
    lines = ["| pair | " + " | ".join(columns) + " |", "|" + " --- |" * (len(columns) + 1)]
    for row in [*rows, medians]:
        lines.append(f"| {row['pair']} | " + " | ".join(f"{row[name]:.4g}" for name in columns) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()

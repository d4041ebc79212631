"""`refine` beside the Wasserstein peer (wasserstein.py): scores and seconds on bench pairs.

    python benchmarks/compare_wasserstein.py --images bench/ --judge bench/ -o results/ --size 256

Our seconds are those of a whole process; the peer's are those of its steps without the first. The output folder gets
the pictures and a JSON file a pair and size. Pairs that have a JSON file are not repeated. The table has every pair and
size of the folder: run the script once for each size, all at one commit. Chroma is in the JSON files only. judging.py
describes the judge.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import judging
import tables
import timing

PEER = Path(__file__).with_name("wasserstein.py")
PAIRS = ("c03-s01", "c01-s01", "c03-s02", "c04-s03", "c06-s06", "c07-s08", "c11-s12")
COLUMNS = (*judging.LOSSES, "seconds")
HEADER = ("pair", "px", *(f"peer {name}" for name in COLUMNS), *COLUMNS, "not worse")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", required=True, type=Path, help="the folder of the pairs")
    parser.add_argument("--judge", required=True, type=Path, help="the folder of the judge")
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--pairs", nargs="+", default=PAIRS)
    parser.add_argument("--peer-steps", type=int, default=1000, help="the peer's steps at its first size")
    parser.add_argument("--features", default="vgg19")
    parser.add_argument("--network", default="mini")
    parser.add_argument("--steps", type=int, help="the steps of refine")
    tables.add_write_option(parser)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    judge = judging.Judge(args.judge, args.size)
    for pair in args.pairs:
        record = args.output / f"wasserstein-{args.size}-{pair}.json"
        row = judging.remembered(record, args, lambda: _measure(pair, judge, args))  # noqa: B023
        print(*_cells(row), file=sys.stderr, flush=True)
    records = sorted(args.output.glob("wasserstein-*.json"))
    rows = [json.loads(path.read_text(encoding="utf-8"))["row"] for path in records]
    rows.sort(key=lambda row: row["px"])
    tables.publish("wasserstein", tables.markdown(HEADER, map(_cells, rows)), write=args.write)


def _measure(pair: str, judge: judging.Judge, args: argparse.Namespace) -> dict:
    """Paint a pair by both programs, and score both pictures."""
    content, style = judging.find_pair(args.images, pair)
    theirs, ours = (args.output / f"{args.size}-{pair}-{name}.png" for name in ("peer", "refine"))
    inputs = ["-c", content, "-s", style, "--size", args.size]
    peer = json.loads(timing.run_python(PEER, *inputs, "-o", theirs, "--steps", args.peer_steps).output)
    options = ["--features", args.features, "--network", args.network, "--overwrite"]
    options += ["--steps", args.steps] if args.steps else []
    usage = timing.run_python("-m", "stylize", "refine", *inputs, "-o", ours, *options)
    return {
        "pair": pair,
        "px": args.size,
        "peer": {**judge.scores(theirs, content, style), "seconds": peer["seconds"]},
        "refine": {**judge.scores(ours, content, style), "seconds": usage.seconds},
    }


def _cells(row: dict) -> list[str]:
    """Return a row of the table."""
    figures = []
    for program in ("peer", "refine"):
        figures += [f"{row[program][name]:.3f}" for name in judging.LOSSES]
        figures.append(f"{row[program]['seconds']:.0f}")
    worse = [
        f"{name} {row['refine'][name] / row['peer'][name] - 1:+.0%}"
        for name in judging.LOSSES
        if row["refine"][name] > row["peer"][name]
    ]
    return [row["pair"], str(row["px"]), *figures, "but for " + ", ".join(worse) if worse else "yes"]


if __name__ == "__main__":
    main()

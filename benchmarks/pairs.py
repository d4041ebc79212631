"""Every content with every style: pictures by `fast` and `refine`, and their scores.

    python benchmarks/pairs.py --contents 'bench/c*' --styles 'bench/s*' --judge bench/ -o results/ --size 256

The judge is a folder with judge.py and vgg_objective.py (see judging.py). The output folder gets the pictures and a
JSON file a pair. Pairs that have a JSON file are not repeated: a run can be stopped, and continued at the same commit
with the same arguments. The full table is printed; the README gets the means.
"""

from __future__ import annotations

import argparse
import glob
import statistics
import sys
from pathlib import Path

import judging
import tables

import stylize

COLUMNS = (*judging.SCORES, "seconds")
SUMMARY_HEADER = ("mean of the pairs", "`fast`", "`refine`", "pairs on which `refine` is lower")


def main() -> None:
    args = _arguments()
    judge, networks = judging.Judge(args.judge, args.size), stylize.LoadedNetworks()
    args.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for content in sorted(glob.glob(args.contents)):
        for style in sorted(glob.glob(args.styles)):
            pair = f"{Path(content).stem}-{Path(style).stem}"
            record = args.output / f"{pair}.json"
            inputs = Path(content), Path(style)
            row = judging.remembered(record, args, lambda: _measure(args, pair, inputs, judge, networks))  # noqa: B023
            rows.append(row)
            print(*_cells(row), file=sys.stderr, flush=True)
    header = ["pair", *(f"{mode} {column}" for mode in args.modes for column in COLUMNS)]
    print(tables.markdown(header, map(_cells, rows)), end="\n\n")
    if set(args.modes) == {"fast", "refine"}:
        tables.publish("pairs", tables.markdown(SUMMARY_HEADER, _summary(rows)), write=args.write)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contents", required=True, help="a glob pattern")
    parser.add_argument("--styles", required=True, help="a glob pattern")
    parser.add_argument("--judge", required=True, type=Path, help="the folder of the judge")
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", "-p", default="default")
    parser.add_argument("--features", default="vgg19")
    parser.add_argument("--network", default="auto")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--modes", nargs="+", choices=("fast", "refine"), default=["fast", "refine"])
    tables.add_write_option(parser)
    return parser.parse_args()


def _measure(
    args: argparse.Namespace,
    pair: str,
    inputs: tuple[Path, Path],
    judge: judging.Judge,
    networks: stylize.LoadedNetworks,
) -> dict[str, object]:
    """Paint a pair by each mode, and score the pictures."""
    options = {"size": args.size, "network": args.network, "loaded": networks}
    scores: dict[str, object] = {"pair": pair}
    for mode in args.modes:
        if mode == "fast":
            result = stylize.fast(*inputs, **options)
        else:
            steps = {"steps": args.steps} if args.steps else {}
            result = stylize.refine(*inputs, preset=args.preset, features=args.features, **options, **steps)
        path = args.output / f"{pair}-{mode}.png"
        result.save(path, overwrite=True)
        scores[mode] = {**judge.scores(path, *inputs), "seconds": result.seconds}
    return scores


def _cells(row: dict) -> list[str]:
    """Return a row of the full table."""
    figures = [f"{scores[column]:.3f}" for scores in row.values() if isinstance(scores, dict) for column in COLUMNS]
    return [row["pair"], *figures]


def _summary(rows: list[dict]) -> list[list[str]]:
    """Return a row for each score: the means of both modes, and on how many pairs `refine` is lower."""
    lines = []
    for column in judging.SCORES:
        fast, refine = ([row[mode][column] for row in rows] for mode in ("fast", "refine"))
        lower = sum(ours < theirs for ours, theirs in zip(refine, fast, strict=True))
        # More of the photo's chroma is neither better nor worse.
        count = f"{lower} of {len(rows)}" if column != "chroma" else ""
        lines.append([column, f"{statistics.mean(fast):.3f}", f"{statistics.mean(refine):.3f}", count])
    medians = [f"{statistics.median(row[mode]['seconds'] for row in rows):.2f}" for mode in ("fast", "refine")]
    return [*lines, ["seconds (median)", *medians, ""]]


if __name__ == "__main__":
    main()

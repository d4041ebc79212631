"""Every content with every style: `fast` and `refine` under the yardstick, pictures, a table and JSON.

    python benchmarks/pairs.py --contents 'bench/c*' --styles 'bench/s*' --yardstick bench/ -o results/ --size 256

The yardstick is a folder with judge.py and vgg_objective.py (losses under VGG-19 in float32, written apart from this
project). Pairs that are done already are not repeated, so a run can be broken off and taken up.
"""

from __future__ import annotations

import argparse
import glob
import json
import statistics
import sys
from pathlib import Path

import stylize

STYLE_COLUMNS = ("style", "half", "quarter")
COLUMNS = (*STYLE_COLUMNS, "palette", "content", "chroma kept", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contents", required=True, help="a glob pattern")
    parser.add_argument("--styles", required=True, help="a glob pattern")
    parser.add_argument("--yardstick", required=True, type=Path)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--features", default="vgg19")
    parser.add_argument("--network", default="auto")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--modes", nargs="+", choices=("fast", "refine"), default=["fast", "refine"])
    args = parser.parse_args()

    score = _judge(args.yardstick, args.size)
    options = {"size": args.size, "features": args.features, "network": args.network}
    if args.steps:
        options["steps"] = args.steps
    networks = stylize.Networks()
    args.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for content in sorted(glob.glob(args.contents)):
        for style in sorted(glob.glob(args.styles)):
            name = f"{Path(content).stem}-{Path(style).stem}"
            record = args.output / f"{name}.json"
            if not record.exists():
                scores = {}
                for mode in args.modes:
                    if mode == "fast":
                        result = stylize.fast(content, style, size=args.size, network=args.network, networks=networks)
                    else:
                        result = stylize.refine(content, style, preset=args.preset, networks=networks, **options)
                    path = args.output / f"{name}-{mode}.png"
                    result.save(path, overwrite=True)
                    scores[mode] = {**score(path, content, style), "seconds": result.seconds}
                record.write_text(json.dumps({"pair": name, **scores}))
            rows.append(json.loads(record.read_text()))
            print(_line(rows[-1]), flush=True)
    print("\n" + _summary(rows))


def _judge(folder: Path, size: int):
    sys.path.insert(0, str(folder))
    import judge
    import vgg_objective as objective

    network = objective.build_vgg19()

    def score(path, content_path, style_path):
        content, style = (objective.read_image(p, size) for p in (content_path, style_path))
        image = objective.fit_to(objective.read_image(path), *content.shape[1:3])
        fine, content_loss, _, _ = objective.losses(network, image, objective.Targets(network, content, style))
        return {
            "style": float(fine),
            "half": judge.style_loss_at(network, image, style, 2),
            "quarter": judge.style_loss_at(network, image, style, 4),
            "palette": judge.palette_distance(image, style),
            "content": float(content_loss),
            "chroma kept": judge.chroma_kept(image, content),
        }

    return score


def _line(row) -> str:
    cells = [f"{scores[column]:.3f}" for scores in row.values() if isinstance(scores, dict) for column in COLUMNS]
    return f"| {row['pair']} | " + " | ".join(cells) + " |"


def _summary(rows) -> str:
    modes = [name for name, scores in rows[0].items() if isinstance(scores, dict)]
    header = [f"{mode} {column}" for mode in modes for column in COLUMNS]
    means = [statistics.mean(row[mode][c] for row in rows) for mode in modes for c in COLUMNS]
    lines = [
        "| pair | " + " | ".join(header) + " |",
        "|" + " --- |" * (len(header) + 1),
        *(_line(row) for row in rows),
        "| mean | " + " | ".join(f"{mean:.3f}" for mean in means) + " |",
    ]
    if len(modes) == 2:
        better = [row for row in rows if all(row["refine"][c] < row["fast"][c] for c in STYLE_COLUMNS)]
        lines += ["", f"refine below fast in style at all three sizes: {len(better)} of {len(rows)} pairs"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

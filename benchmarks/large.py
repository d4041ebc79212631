"""Seconds and peak memory of large pictures, as whole processes.

    python benchmarks/large.py -o large/

The content is one of the project's own scenes, enlarged and with grain, so that every pixel carries something. The
style is another of the project's pictures. The paintings stay in the folder, to be looked at as a whole, and for seams
at full size. Networks that are not installed are left out. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import tables
import timing
from PIL import Image

from stylize.networks import store

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
# The largest change of a pixel, of 255.
GRAIN = 12
HEADER = ("command", "px", "seconds", "processor seconds", "peak, GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, default=EXAMPLES / "scene_lake.jpg")
    parser.add_argument("--style", type=Path, default=EXAMPLES / "style_swirls.jpg")
    parser.add_argument("--memory", type=float, default=6, metavar="GB", help="the memory limit of refine")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder for paintings and large.json")
    tables.add_write_option(parser)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, command in enumerate(_commands(args), start=1):
        rows.append(_measure(number, command, args))
        print(*_cells(rows[-1]), file=sys.stderr, flush=True)
    (args.output / "large.json").write_text(json.dumps(rows, indent=1))
    tables.publish("large", tables.markdown(HEADER, map(_cells, rows)), write=args.write)


def _commands(args: argparse.Namespace) -> list[list[str]]:
    """Return the commands to run, without their files."""
    stylizers = [name for name in ("mini", "magenta-int8", "magenta") if store.find(name) is not None]
    refine = ["refine", "--features", "vgg19-slim", "--network", "mini", "--steps", "8", "--memory", f"{args.memory:g}"]
    return [
        ["fast", "--network", "mini", "--size", "4000"],
        *(["fast", "--network", name, "--size", "8000"] for name in stylizers),
        ["fast", "--network", "mini", "--strength", "0.5", "--keep-colors", "--size", "8000"],
        [*refine, "--size", "4000"],
    ]


def _measure(number: int, command: list[str], args: argparse.Namespace) -> dict[str, object]:
    """Run one command on the content at the command's size."""
    size, network = (command[command.index(option) + 1] for option in ("--size", "--network"))
    content = _enlarged(args.content, args.output / f"content-{size}.jpg", int(size))
    painted = args.output / f"{number}-{command[0]}-{network}-{size}.png"
    files = ["-c", content, "-s", args.style, "-o", painted, "--overwrite"]
    environment = {**os.environ, "STYLIZE_OFFLINE": "1"}
    usage = timing.run_from_small_process(sys.executable, "-m", "stylize", *command, *files, environment=environment)
    with Image.open(content) as picture:
        return {"command": " ".join(command), "pixels": list(picture.size), **dataclasses.asdict(usage)}


def _enlarged(source: Path, target: Path, long_side_px: int) -> Path:
    """Write the picture in 4:3 at a larger size, with grain."""
    if not target.exists():
        size = long_side_px, long_side_px * 3 // 4
        with Image.open(source) as picture:
            pixels = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.int16)
        grain = np.random.default_rng(0).integers(-GRAIN, GRAIN + 1, (*pixels.shape[:2], 1), np.int16)
        Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(target, quality=92)
    return target


def _cells(row: dict) -> list[str]:
    """Return a row of the table."""
    width, height = row["pixels"]
    figures = [f"{row['seconds']:.1f}", f"{row['processor_seconds']:.1f}", f"{row['peak_gb']:.2f}"]
    return [row["command"], f"{width} x {height}", *figures]


if __name__ == "__main__":
    main()

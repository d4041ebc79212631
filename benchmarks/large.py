"""What large pictures take: seconds and peak memory of whole processes.

    python benchmarks/large.py -o large/

The content is one of the project's own scenes, enlarged and with grain on it, so that every pixel tells something; the
style another of its pictures. The paintings stay in the folder, to be looked at: whole, and for seams at full size.
Networks that are not installed are left out; nothing is downloaded. Not on Windows, which tells no peak.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from stylize.networks import store

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
GRAIN = 12
RUN = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run([sys.executable, "-m", "stylize", *sys.argv[1:]], check=True, stdout=sys.stderr)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
seconds = {"seconds": time.perf_counter() - began, "processor_seconds": usage.ru_utime + usage.ru_stime}
print(json.dumps({**seconds, "peak_gb": peak / 1e9}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, default=EXAMPLES / "scene_lake.jpg")
    parser.add_argument("--style", type=Path, default=EXAMPLES / "style_swirls.jpg")
    parser.add_argument("--memory", type=float, default=6, metavar="GB", help="What refine may take.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder for paintings and large.json")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, command in enumerate(commands(args), start=1):
        size = max(int(command[command.index("--size") + 1]), 1)
        content = enlarged(args.content, args.output / f"content-{size}.jpg", size)
        painted = args.output / f"{number}-{command[0]}-{command[command.index('--network') + 1]}-{size}.png"
        full = [*command, "-c", content, "-s", args.style, "-o", painted, "--overwrite"]
        environment = {**os.environ, "STYLIZE_OFFLINE": "1"}
        process = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, full)], check=True, stdout=subprocess.PIPE, env=environment
        )
        with Image.open(content) as picture:
            rows.append({"command": " ".join(command), "pixels": list(picture.size), **json.loads(process.stdout)})
        print(markdown(rows[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    (args.output / "large.json").write_text(json.dumps(rows, indent=1))
    print(markdown(rows))


def commands(args: argparse.Namespace) -> list[list[str]]:
    """Return what to run, without files."""
    stylizers = [name for name in ("mini", "magenta-int8", "magenta") if store.find(name) is not None]
    refine = ["refine", "--features", "vgg19-slim", "--network", "mini", "--steps", "8", "--memory", f"{args.memory:g}"]
    return [
        ["fast", "--network", "mini", "--size", "4000"],
        *(["fast", "--network", name, "--size", "8000"] for name in stylizers),
        ["fast", "--network", "mini", "--strength", "0.5", "--keep-colors", "--size", "8000"],
        [*refine, "--size", "4000"],
    ]


def enlarged(source: Path, target: Path, long_side_px: int) -> Path:
    """Write the picture in 4:3 at a larger size, with grain."""
    if not target.exists():
        size = long_side_px, long_side_px * 3 // 4
        with Image.open(source) as picture:
            pixels = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BICUBIC), np.int16)
        grain = np.random.default_rng(0).integers(-GRAIN, GRAIN + 1, (*pixels.shape[:2], 1), np.int16)
        Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8)).save(target, quality=92)
    return target


def markdown(rows: list[dict]) -> str:
    lines = ["| command | px | seconds | processor seconds | peak, GB |", "| --- | --- | --- | --- | --- |"]
    for row in rows:
        width, height = row["pixels"]
        lines.append(
            f"| {row['command']} | {width} x {height} | {row['seconds']:.1f} | {row['processor_seconds']:.1f} "
            f"| {row['peak_gb']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()

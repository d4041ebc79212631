"""One pair refined at several sizes, and how similar the pictures are when all are shrunk to the smallest size.

    python benchmarks/sizes.py -c photo.jpg -s painting.jpg -o sizes/ --features vgg19

The table has the SSIM (Wang et al. 2004) of each picture with the smallest and with the next smaller, at the smallest
size. The photo's SSIM with the smallest picture tells how similar two pictures of one scene are anyway. Pictures that
exist already are not painted again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import tables
import tensorflow as tf

import stylize
from stylize.images.resizing import resized

HEADER = ("px", "seconds", "SSIM with the smallest", "SSIM with the next smaller")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--content", required=True, type=Path)
    parser.add_argument("-s", "--style", required=True, type=Path)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048])
    parser.add_argument("--features", default="auto")
    parser.add_argument("--network", default="auto")
    tables.add_write_option(parser)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    networks, shrunk, rows = stylize.LoadedNetworks(), [], []
    for size in sorted(args.sizes):
        pixels, seconds = _painted(args, size, networks)
        shrunk.append(resized(pixels, *shrunk[0].shape[:2]) if shrunk else pixels)
        others = (shrunk[0], shrunk[-2]) if len(shrunk) > 1 else ()
        rows.append([size, seconds, *(f"{_ssim(shrunk[-1], other):.3f}" for other in others)])
        rows[-1] += [""] * (len(HEADER) - len(rows[-1]))
        print(*rows[-1], file=sys.stderr, flush=True)
    photo = resized(stylize.read_image(args.content).pixels, *shrunk[0].shape[:2])
    rows.append(["the photo", "", f"{_ssim(photo, shrunk[0]):.3f}", ""])
    tables.publish("sizes", tables.markdown(HEADER, rows), write=args.write)


def _painted(args: argparse.Namespace, size: int, networks: stylize.LoadedNetworks) -> tuple[np.ndarray, str]:
    """Return the picture's pixels (H, W, 3) and the seconds; no seconds if the picture existed."""
    path = args.output / f"{args.content.stem}-{args.style.stem}-{size}.png"
    seconds = ""
    if not path.exists():
        result = stylize.refine(
            args.content, args.style, size=size, features=args.features, network=args.network, loaded=networks
        )
        result.save(path)
        seconds = f"{result.seconds:.0f}"
    return stylize.read_image(path).pixels, seconds


def _ssim(one: np.ndarray, other: np.ndarray) -> float:
    return float(tf.image.ssim(tf.constant(one), tf.constant(other), 1.0))


if __name__ == "__main__":
    main()

"""One look at every size: a pair refined at several sizes, and how alike the pictures are when all are shrunk to one.

    python benchmarks/sizes.py -c photo.jpg -s painting.jpg -o sizes/ --features vgg19

SSIM (Wang et al. 2004) of each with the smallest and with the next smaller, at the smallest's size; the photo's own
with the smallest tells what two pictures of one scene have in common anyway. Pictures that are there already are not
painted again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import tensorflow as tf

import stylize
from stylize.images.resizing import resized


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--content", required=True, type=Path)
    parser.add_argument("-s", "--style", required=True, type=Path)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512, 1024, 2048])
    parser.add_argument("--features", default="auto")
    parser.add_argument("--network", default="auto")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    networks, shrunk = stylize.Networks(), []
    photo = stylize.read_image(args.content).pixels
    print("| px | seconds | SSIM with the smallest | with the next smaller |\n| --- | --- | --- | --- |")
    for size in sorted(args.sizes):
        path = args.output / f"{args.content.stem}-{args.style.stem}-{size}.png"
        seconds = ""
        if not path.exists():
            result = stylize.refine(
                args.content, args.style, size=size, features=args.features, network=args.network, networks=networks
            )
            result.save(path)
            seconds = f"{result.seconds:.0f}"
        pixels = stylize.read_image(path).pixels
        shrunk.append(pixels if not shrunk else resized(pixels, *shrunk[0].shape[:2]))
        alike = [f"{_ssim(shrunk[-1], other):.3f}" if len(shrunk) > 1 else "" for other in (shrunk[0], shrunk[-2:][0])]
        print(f"| {size} | {seconds} | " + " | ".join(alike) + " |", flush=True)
    print(f"| the photo | | {_ssim(resized(photo, *shrunk[0].shape[:2]), shrunk[0]):.3f} | |")


def _ssim(one: np.ndarray, other: np.ndarray) -> float:
    return float(tf.image.ssim(tf.constant(one), tf.constant(other), 1.0))


if __name__ == "__main__":
    main()

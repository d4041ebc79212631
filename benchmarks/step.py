"""One step of `refine`: its arithmetic, its seconds, and its share of the machine's matrix product rate.

    python benchmarks/step.py --features vgg19 vgg19-slim --sizes 256 512

A step is a value and gradient of the recipe `default`, all octaves, for a picture of 4 : 3. Counted are the
multiplications and additions of its convolutions, forward and back to the pixels; the rate is that of matrices of
2048 x 2048 in the same precision, measured in the same run. Medians; on an idle machine.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

import stylize
from stylize.config import VGG19_LAYERS, RefineConfig
from stylize.networks.backend import faster_precision, tf
from stylize.networks.store import LocalWeights
from stylize.networks.vgg import load_encoder_weights

ROUNDS = 7
SIDE = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", nargs="+", default=["vgg19", "vgg19-slim"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512])
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    args = parser.parse_args()
    networks = stylize.Networks()
    print(f"chosen by default: {faster_precision()}\n")
    print("| features | px | precision | GFLOP | seconds | GFLOP/s | of matrix products' rate |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for precision in args.precisions:
        matrix = tf.cast(tf.random.normal((SIDE, SIDE)), precision)
        rate = 2 * SIDE**3 / _seconds(lambda matrix=matrix: tf.reduce_max(tf.matmul(matrix, matrix)).numpy())
        for features in args.features:
            found = networks.find(features, "features")
            config = RefineConfig(precision=precision)
            loss = networks.loss(found, config)
            for px in args.sizes:
                image = np.random.default_rng(0).random((1, px * 3 // 4, px, 3), np.float32)
                targets = loss.targets(image, [(image[:, ::-1], 1.0)])
                seconds = _seconds(lambda: loss.value_and_gradient(image, targets))  # noqa: B023
                operations = _operations(found, *image.shape[1:3], config)
                reached = operations / seconds
                print(
                    f"| {features} | {px} | {precision} | {operations / 1e9:.1f} | {seconds:.3f} | "
                    f"{reached / 1e9:.0f} | {reached / rate:.2f} |",
                    flush=True,
                )


def _operations(found: LocalWeights, height: int, width: int, config: RefineConfig) -> float:
    """Return what the convolutions up to the deepest layer take, twice: forward, and back to their inputs."""
    convolutions = load_encoder_weights(found).convolutions
    layers = {name for name, _ in (*config.loss.content_layers, *config.loss.style_layers)}
    depth = 1 + max(VGG19_LAYERS.index(name) for name in layers)
    total = 0.0
    for octave in range(config.loss.octaves):
        for layer in VGG19_LAYERS[:depth]:
            stride = 2 ** (octave + int(layer[len("relu")]) - 1)
            kernel, _ = convolutions[layer.replace("relu", "conv")]
            total += 2 * 2 * kernel.size * (height // stride) * (width // stride)
    return total


def _seconds(once: Callable[[], object]) -> float:
    once()  # compiles
    spent = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        once()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)


if __name__ == "__main__":
    main()

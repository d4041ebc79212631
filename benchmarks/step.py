"""One step of `refine`: its arithmetic, its seconds, and its share of the machine's rate of matrix products.

    python benchmarks/step.py --features vgg19 vgg19-slim --sizes 256 512

A step is one value and gradient of the preset `default`, all octaves, for a picture of 4 : 3, and the next point of
L-BFGS. The arithmetic counts the multiplications and additions of the convolutions, forward and back to the pixels. The
rate is that of matrices of 2048 x 2048 in the same precision, measured in the same run. Medians; run the script on an
idle machine.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
import tables
import timing

import stylize
from stylize.config import RefineConfig
from stylize.layers import VGG19_LAYERS
from stylize.networks.backend import framework, numpy_of, ops, spec
from stylize.networks.devices import chosen
from stylize.networks.precision import faster_precision
from stylize.networks.store import LocalWeights
from stylize.networks.vgg import load_encoder_weights
from stylize.optimize.lbfgs import LBFGS
from stylize.transfer.levels import make_objective
from stylize.transfer.session import Session

ROUNDS = 7
MATRIX_SIDE = 2048
HEADER = ("network", "px", "precision", "GFLOP", "seconds", "GFLOP/s", "share of the matrix product rate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", nargs="+", default=["vgg19", "vgg19-slim"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[256, 512])
    parser.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    tables.add_write_option(parser)
    args = parser.parse_args()
    print(f"chosen by default: {faster_precision(chosen())}\n")
    rows = []
    for precision in args.precisions:
        matrix_rate = _matrix_product_rate(precision)
        for features in args.features:
            for px in args.sizes:
                rows.append(_measure(features, px, precision, matrix_rate))
                print(*rows[-1], file=sys.stderr, flush=True)
    tables.publish("step", tables.markdown(HEADER, rows), write=args.write)


def _matrix_product_rate(precision: str) -> float:
    """Return the operations a second that products of large matrices reach."""
    matrix = ops.ones((MATRIX_SIDE, MATRIX_SIDE), precision)
    product = framework.compiled(
        lambda a: ops.cast(ops.max(ops.matmul(a, a)), "float32"), [spec(*matrix.shape, dtype=precision)]
    )
    seconds = timing.median_seconds(lambda: numpy_of(product(matrix)), ROUNDS)
    return 2 * MATRIX_SIDE**3 / seconds


def _measure(features: str, px: int, precision: str, matrix_rate: float) -> list[str]:
    """Return a row of the table."""
    session = Session(stylize.LoadedNetworks())
    found = session.network(features, "features")
    config = RefineConfig(precision=precision)
    loss = make_objective(config, found, session)
    image = np.random.default_rng(0).random((1, px * 3 // 4, px, 3), np.float32)
    targets = loss.targets.encode(image, [(image[:, ::-1], 1.0)])
    optimizer = LBFGS(image[0], config.optimization)

    def step() -> None:
        terms, gradient = loss.value_and_gradient(optimizer.ask()[None], targets)
        optimizer.tell(terms["total"], gradient[0])

    seconds = timing.median_seconds(step, ROUNDS)
    operations = _operations(found, *image.shape[1:3], config)
    rate = operations / seconds
    figures = [f"{operations / 1e9:.1f}", f"{seconds:.3f}", f"{rate / 1e9:.0f}", f"{rate / matrix_rate:.2f}"]
    return [features, str(px), precision, *figures]


def _operations(found: LocalWeights, height: int, width: int, config: RefineConfig) -> float:
    """Return the operations of the convolutions up to the deepest layer, forward and back to their inputs."""
    convolutions = load_encoder_weights(found).convolutions
    depth = 1 + max(VGG19_LAYERS.index(name) for name in config.loss.layers)
    total = 0.0
    for octave in range(config.loss.octaves):
        for layer in VGG19_LAYERS[:depth]:
            stride = 2 ** (octave + int(layer[len("relu")]) - 1)
            kernel, _ = convolutions[layer.replace("relu", "conv")]
            # A multiplication and an addition, forward and back.
            total += 2 * 2 * kernel.size * (height // stride) * (width // stride)
    return total


if __name__ == "__main__":
    main()

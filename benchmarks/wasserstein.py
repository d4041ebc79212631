"""The Wasserstein peer: the method of crowsonkb's style-transfer-pytorch, written anew from a description.

- Sizes from coarse to fine by factors of the square root of two from 128 px; 1000 steps of Adam at the first size and
  500 at every other size.
- Style: the Wasserstein-2 distance of the activations' means and covariances, taken as two normal distributions, at
  relu1_1 to relu5_1 with weights 256:64:16:4:1. Content: relu4_2.
- Total variation: squared differences with all eight neighbours.
- The first convolution is padded with the border's pixels.
- Adam's moments are carried to the next size. The picture is an exponential moving average of the iterates.

    python benchmarks/wasserstein.py -c photo.jpg -s painting.jpg -o out.png --size 256

Prints the seconds of the optimisation as JSON. `--steps` sets the steps at the first size; the others have half.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

# The threads of the eigenvalues and of TensorFlow would wait for each other: with one thread, a step takes a tenth.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import tensorflow as tf

import stylize
from stylize.images.reading import read_image
from stylize.images.resizing import resized, size_for_long_side
from stylize.images.writing import write_image

STYLE_WEIGHTS = {"relu1_1": 256, "relu2_1": 64, "relu3_1": 16, "relu4_1": 4, "relu5_1": 1}
CONTENT_LAYER = "relu4_2"
CONTENT_WEIGHT, TOTAL_VARIATION_WEIGHT = 0.015, 2.0
COARSEST_PX, RATIO = 128, 2**0.5
LEARNING_RATE, BETA_1, BETA_2, EPSILON = 0.02, 0.9, 0.99, 1e-8
AVERAGE = 0.99
# Keras's activations, for pixels in 0 to 255, are about a hundred times those of the original program's weights.
ACTIVATION_SCALE = 0.01
# Added to the diagonal of covariances, so that all eigenvalues are positive.
_REGULARIZATION = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--content", required=True, type=Path)
    parser.add_argument("-s", "--style", required=True, type=Path)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    args = parser.parse_args()
    networks = stylize.LoadedNetworks()
    encoder = networks.encoder(
        networks.find("vgg19", "features"), [*STYLE_WEIGHTS, CONTENT_LAYER], precision=args.precision, padding="first"
    )
    image, seconds = paint(
        read_image(args.content).pixels, read_image(args.style).pixels, args.size, args.steps, encoder
    )
    write_image(args.output, image, None, provenance={}, overwrite=True)
    print(json.dumps({"output": str(args.output), "seconds": round(seconds, 2)}))


def paint(content: np.ndarray, style: np.ndarray, size: int, steps: int, encoder) -> tuple[np.ndarray, float]:
    """Paint a picture.

    Args:
        content: The photo (H, W, 3) in [0, 1].
        style: The painting (H, W, 3) in [0, 1].
        size: The picture's long side in px.
        steps: Steps at the first size; every other size has half.
        encoder: The feature network.

    Returns:
        The picture (H, W, 3) in [0, 1], and the seconds of the steps.
    """
    image, moments = None, AdamMoments()
    spent = 0.0
    gradient_of = _gradient_function(encoder)
    for index, long_side in enumerate(_long_sides(size)):
        height, width = size_for_long_side(*content.shape[:2], long_side)
        targets = _targets(encoder, resized(content, height, width), _style_at(style, long_side))
        image = resized(content if image is None else image, height, width)
        moments.enlarge(height, width)
        average, weight = np.zeros_like(image), 0.0
        for step in range(steps if index == 0 else steps // 2):
            began = time.perf_counter()
            gradient = gradient_of(tf.constant(image[None]), *targets).numpy()[0]
            image = np.clip(image - moments.step(gradient), 0, 1)
            average, weight = AVERAGE * average + (1 - AVERAGE) * image, AVERAGE * weight + 1 - AVERAGE
            if index or step:  # the first one compiles
                spent += time.perf_counter() - began
        image = (average / weight).astype(np.float32)
    return image, spent


class AdamMoments:
    """Adam's moments of the gradient, which grow with the picture."""

    def __init__(self) -> None:
        self._count = 0
        self._moments: list[np.ndarray] = []

    def enlarge(self, height: int, width: int) -> None:
        """Resize both moments; the second must not become negative."""
        if self._moments:
            first, second = (tf.image.resize(m, (height, width), "bicubic").numpy() for m in self._moments)
            self._moments = [first, np.maximum(second, 0)]
        else:
            self._moments = [np.zeros((height, width, 3), np.float32)] * 2

    def step(self, gradient: np.ndarray) -> np.ndarray:
        """Update the moments; return what to subtract from the picture."""
        self._count += 1
        first = BETA_1 * self._moments[0] + (1 - BETA_1) * gradient
        second = BETA_2 * self._moments[1] + (1 - BETA_2) * gradient**2
        self._moments = [first, second]
        unbiased = first / (1 - BETA_1**self._count), second / (1 - BETA_2**self._count)
        return LEARNING_RATE * unbiased[0] / (np.sqrt(unbiased[1]) + EPSILON)


def _long_sides(size: int) -> list[int]:
    """Return the long sides in px from coarse to fine."""
    sizes = [size]
    while sizes[0] / RATIO > COARSEST_PX * 0.99:
        sizes.insert(0, round(sizes[0] / RATIO))
    return sizes


def _style_at(style: np.ndarray, long_side: int) -> np.ndarray:
    height, width = size_for_long_side(*style.shape[:2], min(long_side, max(style.shape[:2])))
    return resized(style, height, width)


def _mean_and_covariance(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = features.reshape(-1, features.shape[-1])
    mean = flat.mean(0)
    centred = flat - mean
    return mean, centred.T @ centred / len(flat)


def _targets(encoder, content: np.ndarray, style: np.ndarray):
    """Return the content's features, and the style's means, covariances and their square roots by layer."""
    activations = {
        name: tf.cast(tensor, tf.float32).numpy() * ACTIVATION_SCALE
        for name, tensor in encoder(tf.constant(style[None])).items()
    }
    means, covariances, roots = {}, {}, {}
    for name in STYLE_WEIGHTS:
        means[name], covariance = _mean_and_covariance(activations[name])
        covariances[name] = (covariance + _REGULARIZATION * np.eye(len(covariance))).astype(np.float32)
        values, vectors = np.linalg.eigh(covariances[name].astype(np.float64))
        roots[name] = ((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T).astype(np.float32)
    scene = tf.cast(encoder(tf.constant(content[None]))[CONTENT_LAYER], tf.float32) * ACTIVATION_SCALE
    return scene, means, covariances, roots


def _gradient_function(encoder):
    """Return a function of the picture (1, H, W, 3) and the targets that gives the gradient."""
    total = sum(STYLE_WEIGHTS.values())

    @tf.function(reduce_retracing=True)
    def gradient(image, scene, means, covariances, roots):
        with tf.GradientTape() as tape:
            tape.watch(image)
            features = {name: ACTIVATION_SCALE * tf.cast(tensor, tf.float32) for name, tensor in encoder(image).items()}
            loss = CONTENT_WEIGHT * tf.reduce_mean(tf.math.squared_difference(features[CONTENT_LAYER], scene))
            for name, weight in STYLE_WEIGHTS.items():
                distance = _wasserstein(features[name], means[name], covariances[name], roots[name])
                loss += weight / total * distance
            loss += TOTAL_VARIATION_WEIGHT * _nine_point_variation(image)
        return tape.gradient(loss, image)

    return gradient


def _wasserstein(features, mean, covariance, root):
    """Squared Wasserstein-2 distance of two normal distributions (Olkin and Pukelsheim 1982), over the channels."""
    flat = tf.reshape(features, [-1, features.shape[-1]])
    count = tf.cast(tf.shape(flat)[0], tf.float32)
    own_mean = tf.reduce_mean(flat, 0)
    # tr (T^1/2 S T^1/2)^1/2 is the sum of the singular values of X T^1/2, X being the centred activations.
    product = tf.matmul((flat - own_mean) / tf.sqrt(count), root)
    trace = tf.reduce_sum(tf.square(flat - own_mean)) / count
    cross = _sum_of_singular_values(product)
    channels = tf.cast(features.shape[-1], tf.float32)
    distance = trace + tf.linalg.trace(covariance) - 2 * cross
    return tf.reduce_mean(tf.math.squared_difference(own_mean, mean)) + distance / channels


@tf.custom_gradient
def _sum_of_singular_values(matrix):
    # numpy's LAPACK is several times as fast as TensorFlow's.
    value, slope = tf.numpy_function(_nuclear_norm, [matrix], [tf.float32, tf.float32])
    slope.set_shape(matrix.shape)
    return tf.reshape(value, []), lambda upstream: upstream * slope


def _nuclear_norm(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of the singular values and its gradient, by the eigenvalues of the smaller of both products."""
    wide = matrix.shape[0] < matrix.shape[1]
    square = matrix @ matrix.T if wide else matrix.T @ matrix
    values, vectors = np.linalg.eigh(square)
    singular = np.sqrt(np.maximum(values, 0))
    inverse = (vectors / np.sqrt(np.maximum(values, 1e-7 * values[-1] + 1e-12))) @ vectors.T
    slope = inverse @ matrix if wide else matrix @ inverse
    return np.float32(singular.sum()), slope.astype(np.float32)


def _nine_point_variation(image):
    """Return the mean squared differences with all eight neighbours; diagonal ones count a quarter."""
    padded = tf.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
    centre = padded[:, 1:-1, 1:-1]
    loss = tf.constant(0.0)
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):
            share = {0: 0.0, 1: 1 / 3, 2: 1 / 12}[abs(row) + abs(column)]
            shifted = tf.roll(padded, [row, column], [1, 2])[:, 1:-1, 1:-1]
            loss += share * tf.reduce_mean(tf.math.squared_difference(centre, shifted))
    return loss


if __name__ == "__main__":
    main()

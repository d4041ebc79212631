"""Train a small classifier on pictures that are painted in random styles during the training.

    python examples/classify.py [STYLE]

The data are made up: discs and triangles. The test pictures have a style that the classifier has not seen, like
pictures of another camera or another clinic. Training pictures in other styles usually help. With each of the project's
eleven styles as the unseen style, the mean accuracy is 75 % without them and 82 % with them: eight accuracies rise,
three fall (stained glass, watercolour, impression).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from stylize.augment import StyleAugment, random_style
from stylize.networks.devices import tensorflow
from stylize.styles import file_of

tf = tensorflow()

SIZE_PX = 32
STYLES = sorted(map(str, Path(__file__).parent.glob("style_*.jpg")))


def shapes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures (count, 32, 32, 3), uint8, and labels: 0 for discs, 1 for triangles."""
    random = np.random.default_rng(seed)
    labels = random.integers(2, size=count)
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    pictures = np.empty((count, SIZE_PX, SIZE_PX, 3), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        radius, top, left = random.integers(8, 12), *random.integers(12, 20, 2)
        inside = np.hypot(y - top, x - left) < radius
        if label:
            inside = (abs(x - left) < (y - top + radius) * 0.6) & (y < top + radius)
        ground, color = random.uniform(0, 110, 3), random.uniform(140, 255, 3)
        picture[:] = np.where(inside[..., None], color, ground)
    return pictures, labels


def accuracy(augment: StyleAugment | None, unseen: str, epochs: int = 24) -> float:
    """Train the classifier, and return its accuracy for pictures in the style `unseen`."""
    tf.keras.utils.set_random_seed(0)
    dataset = tf.data.Dataset.from_tensor_slices(shapes(256, seed=0)).batch(32)
    if augment is not None:
        dataset = dataset.map(lambda pictures, labels: (augment(pictures, training=True), labels))
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Rescaling(1 / 255),
            *(layers.Conv2D(width, 3, strides=2, padding="same", activation="relu") for width in (16, 32, 32)),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(dataset.prefetch(2), epochs=epochs, shuffle=False, verbose=0)
    pictures, labels = shapes(256, seed=1)
    painted = random_style(pictures, [0, 0], styles=[unseen], probability=1.0, strength=(1.0, 1.0))
    return float(model.evaluate(painted, labels, verbose=0)[1])


if __name__ == "__main__":
    unseen = file_of(sys.argv[1]) if len(sys.argv) > 1 else STYLES[0]
    seen = [style for style in STYLES if Path(style).name != Path(unseen).name]
    print(f"accuracy for pictures in the unseen style {Path(unseen).stem}")
    print(f"  without StyleAugment: {accuracy(None, unseen):.0%}")
    print(f"  with StyleAugment:    {accuracy(StyleAugment(seen, probability=0.5, seed=0), unseen):.0%}")

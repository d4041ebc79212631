"""Training pictures in random styles, so that a classifier learns shapes rather than textures.

The method is that of Jackson et al. 2019, "Style Augmentation: Data Augmentation via Style Randomization" (arXiv
1809.05375), with the embedded network `mini`. The network runs under LiteRT on the CPU, inside a `tf.data` pipeline or
inside a Keras model that TensorFlow trains. Where painting would slow down the training, `stylize batch --pairs
random:N` paints the data set beforehand.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import OptionError
from stylize.images.reading import read_image
from stylize.networks import store
from stylize.networks.backend import keras
from stylize.networks.devices import tensorflow
from stylize.networks.mini import MiniStylizer
from stylize.styles import named, names

__all__ = ["StyleAugment", "random_style"]

tf = tensorflow()


def random_style(
    images: Any,
    seed: Any,
    *,
    styles: Sequence[str] | None = None,
    probability: float = 0.5,
    strength: tuple[float, float] = (0.3, 1.0),
    value_range: tuple[float, float] = (0.0, 255.0),
) -> Any:
    """Paint each picture of a batch, with a given probability, in a style drawn at random.

    The same seed gives the same pictures. The function works eagerly and in graphs, such as in `tf.data.Dataset.map`.

    Args:
        images: tensor (N, H, W, 3) or (H, W, 3), RGB, of any number type, in `value_range`.
        seed: two whole numbers, or a tensor of two, as TensorFlow's stateless random functions take.
        styles: paths of style pictures, or names such as `@swirls`; None: all of the project's own.
        probability: the probability that a picture is painted, in [0, 1].
        strength: range within [0, 1]. The weight of each painting in the blend with its picture is drawn from this
            range; 1 gives the painting alone.
        value_range: the values of black and white.

    Returns:
        Float32 tensor of the shape of `images`, in `value_range`.

    Raises:
        OptionError: an option is out of range.
    """
    low, high = _checked(probability, strength, value_range)
    paint = functools.partial(
        _painted, paths=None if styles is None else tuple(map(str, styles)), probability=probability, strength=strength
    )
    pixels = (tf.cast(images, tf.float32) - low) / (high - low)
    painted = tf.numpy_function(paint, [pixels, tf.cast(seed, tf.int64)], tf.float32, stateful=False)
    painted.set_shape(pixels.shape)
    return painted * (high - low) + low


def _checked(probability: float, strength: Sequence[float], value_range: Sequence[float]) -> tuple[float, float]:
    """Return the values of black and white. Raises OptionError for an option out of range."""
    if not 0 <= probability <= 1:
        raise OptionError(f"probability: expected 0 to 1, received {probability}")
    if len(strength) != 2 or not 0 <= strength[0] <= strength[1] <= 1:
        raise OptionError(f"strength: expected a range within 0 to 1, received {strength}")
    if len(value_range) != 2 or not value_range[0] < value_range[1]:
        raise OptionError(f"value_range: expected black below white, received {value_range}")
    return float(value_range[0]), float(value_range[1])


def _painted(
    pixels: NDArray[np.float32],
    seed: NDArray[np.int64],
    *,
    paths: tuple[str, ...] | None,
    probability: float,
    strength: tuple[float, float],
) -> NDArray[np.float32]:
    """Return `pixels`, (N, H, W, 3) or (H, W, 3) in [0, 1], with some pictures painted."""
    styles = _styles(paths)
    random = np.random.default_rng(seed.view(np.uint64).tolist())
    batch = pixels.reshape(-1, *pixels.shape[-3:])
    # All numbers are drawn for all pictures: whether one picture is painted does not change the draws of the others.
    chosen, weights = random.random(len(batch)) < probability, random.uniform(*strength, len(batch))
    drawn = random.integers(len(styles), size=len(batch))
    result = batch.copy()
    for index in np.flatnonzero(chosen):
        content = np.clip(batch[index], 0, 1)
        painting = styles.paint(content, int(drawn[index]))
        result[index] = content + np.float32(weights[index]) * (painting - content)
    painted: NDArray[np.float32] = result.reshape(pixels.shape)
    return painted


class _Styles:
    """Style pictures, and their style vectors for each size of content."""

    def __init__(self, paths: Sequence[str]) -> None:
        if not paths:
            raise OptionError("styles: expected at least one picture, received none")
        self._pictures = [read_image(named(path), name="style").pixels for path in paths]
        self._vectors: dict[tuple[int, int], NDArray[np.float32]] = {}
        encoder, painter = store.resolve("mini").files
        self._stylizer = MiniStylizer(encoder, painter)

    def __len__(self) -> int:
        return len(self._pictures)

    def paint(self, content: NDArray[np.float32], index: int) -> NDArray[np.float32]:
        """Return `content`, (H, W, 3) in [0, 1], painted in the style of that index."""
        key = index, max(content.shape[:2])
        if key not in self._vectors:
            self._vectors[key] = self._stylizer.encode_style_for(content, self._pictures[index])
        return self._stylizer.transfer(content, self._vectors[key])


_LOADING = threading.Lock()


def _styles(paths: tuple[str, ...] | None) -> _Styles:
    with _LOADING:  # `tf.data` calls from many threads at once
        return _loaded(paths)


@functools.lru_cache(maxsize=8)
def _loaded(paths: tuple[str, ...] | None) -> _Styles:
    return _Styles(names() if paths is None else paths)


@keras.saving.register_keras_serializable(package="stylize")
class StyleAugment(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types.
    """A Keras preprocessing layer: applies `random_style` during training, and changes nothing otherwise.

        augment = StyleAugment(probability=0.5, seed=1)
        dataset = dataset.map(lambda images, labels: (augment(images, training=True), labels))

    TensorFlow must be Keras' backend. With another one, call `random_style` in `dataset.map`.

    Args:
        styles: as of `random_style`.
        probability: the probability that a picture is painted, in [0, 1].
        strength: range within [0, 1] of the weight of each painting in the blend with its picture.
        value_range: the values of black and white.
        seed: of the random numbers; None: other numbers in each run.
        options: of `keras.layers.Layer`, such as `name`.
    """

    def __init__(
        self,
        styles: Sequence[str] | None = None,
        *,
        probability: float = 0.5,
        strength: tuple[float, float] = (0.3, 1.0),
        value_range: tuple[float, float] = (0.0, 255.0),
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.supports_jit = False  # XLA cannot compile LiteRT
        _checked(probability, strength, value_range)
        self.styles = None if styles is None else [str(style) for style in styles]
        self.probability = probability
        self.strength = strength[0], strength[1]
        self.value_range = value_range[0], value_range[1]
        self.seed = seed
        self._generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return the pictures, (N, H, W, 3) or (H, W, 3), as float32; painted only if `training`."""
        if not training:
            return tf.cast(images, tf.float32)
        return random_style(
            images,
            self._generator.next(),
            styles=self.styles,
            probability=self.probability,
            strength=self.strength,
            value_range=self.value_range,
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make the same layer."""
        names = ("styles", "probability", "strength", "value_range", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

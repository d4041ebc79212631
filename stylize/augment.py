"""Training pictures in random styles, so that a classifier looks at shapes rather than at texture.

After Jackson et al. 2019, "Style Augmentation: Data Augmentation via Style Randomization" (arXiv 1809.05375), by the
embedded network `mini`. It runs under LiteRT on the CPU, in a `tf.data` pipeline or in a model that is trained by
TensorFlow; `stylize batch --pairs random:N` paints a data set beforehand, where that would hold up the training.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylize import examples
from stylize.errors import OptionError
from stylize.images.reading import read_image
from stylize.images.resizing import resized, size_for_long_side
from stylize.networks import store
from stylize.networks.backend import tf
from stylize.networks.mini import MiniStylizer

# isort: split
import keras  # after TensorFlow, which the line above starts quietly

__all__ = ["StyleAugment", "random_style"]


def random_style(
    images: Any,
    seed: Any,
    *,
    styles: Sequence[str] | None = None,
    probability: float = 0.5,
    strength: tuple[float, float] = (0.3, 1.0),
    value_range: tuple[float, float] = (0.0, 255.0),
) -> Any:
    """Paint each picture of a batch, with `probability`, in one of `styles`; the same seed gives the same pictures.

    Works eagerly and in graphs, such as in `tf.data.Dataset.map`.

    Args:
        images: tensor (N, H, W, 3) or (H, W, 3), RGB, of any number type, in `value_range`.
        seed: two whole numbers, or a tensor of them, as TensorFlow's stateless functions take.
        styles: paths of the pictures whose styles are drawn; None: the project's own four.
        probability: of being painted, for each picture.
        strength: the range from which each painting's share in its picture is drawn: 1 is the painting alone.
        value_range: the values of black and white.

    Returns:
        float32 tensor of the same shape in the same range.
    """
    low, high = _checked(probability, strength, value_range)
    paint = functools.partial(
        _painted, names=None if styles is None else tuple(map(str, styles)), probability=probability, strength=strength
    )
    pixels = (tf.cast(images, tf.float32) - low) / (high - low)
    painted = tf.numpy_function(paint, [pixels, tf.cast(seed, tf.int64)], tf.float32, stateful=False)
    painted.set_shape(pixels.shape)
    return painted * (high - low) + low


def _checked(probability: float, strength: Sequence[float], value_range: Sequence[float]) -> tuple[float, float]:
    if not 0 <= probability <= 1:
        raise OptionError(f"probability: expected 0 to 1, received {probability}")
    if len(strength) != 2 or not 0 <= strength[0] <= strength[1] <= 1:
        raise OptionError(f"strength: expected a range within 0 to 1, received {strength}")
    if len(value_range) != 2 or not value_range[0] < value_range[1]:
        raise OptionError(f"value range: expected black below white, received {value_range}")
    return float(value_range[0]), float(value_range[1])


def _painted(
    pixels: np.ndarray, seed: np.ndarray, *, names: tuple[str, ...] | None, probability: float, strength: Any
) -> np.ndarray:
    """Paint float32 (N, H, W, 3) or (H, W, 3) in [0, 1]."""
    styles = _styles(names)
    random: Any = np.random.default_rng(np.abs(seed))
    batch = pixels.reshape(-1, *pixels.shape[-3:])
    # All is drawn for all: what one picture gets does not hang on whether another is painted.
    chosen, shares = random.random(len(batch)) < probability, random.uniform(*strength, len(batch))
    drawn = random.integers(len(styles), size=len(batch))
    result = batch.copy()
    for index in np.flatnonzero(chosen):
        content = np.clip(batch[index], 0, 1)
        painting = styles.paint(content, int(drawn[index]))
        result[index] = content + np.float32(shares[index]) * (painting - content)
    return result.reshape(pixels.shape)


class _Styles:
    """Style pictures and their vectors, made once for each size of content."""

    def __init__(self, paths: Sequence[str]) -> None:
        if not paths:
            raise OptionError("styles: expected at least one picture, received none")
        self._pictures = [read_image(path, name="style").pixels for path in paths]
        self._codes: dict[tuple[int, int], np.ndarray] = {}
        encoder, painter = store.resolve("mini").files
        self._stylizer = MiniStylizer(encoder, painter)

    def __len__(self) -> int:
        return len(self._pictures)

    def paint(self, content: np.ndarray, index: int) -> np.ndarray:
        """Paint float32 (H, W, 3) in [0, 1] in the style of that number."""
        key = index, max(content.shape[:2])
        if key not in self._codes:
            style = self._pictures[index]
            height, width = style.shape[:2]
            height, width = size_for_long_side(height, width, min(key[1], max(height, width)))
            self._codes[key] = self._stylizer.encode_style(resized(style, height, width))
        return self._stylizer.transfer(content, self._codes[key])


_LOADING = threading.Lock()


def _styles(names: tuple[str, ...] | None) -> _Styles:
    with _LOADING:  # `map` calls from many threads at once
        return _loaded(names)


@functools.lru_cache(maxsize=8)
def _loaded(names: tuple[str, ...] | None) -> _Styles:
    own = sorted(map(str, Path(examples.__path__[0]).glob("style_*.jpg")))
    return _Styles(own if names is None else names)


@keras.saving.register_keras_serializable(package="stylize")
class StyleAugment(keras.layers.Layer):
    """A Keras preprocessing layer: `random_style` while training, and nothing else otherwise.

        augment = StyleAugment(probability=0.5, seed=1)
        dataset = dataset.map(lambda images, labels: (augment(images, training=True), labels))

    Args:
        styles: paths of style pictures; None: the project's own four.
        probability: of being painted, for each picture.
        strength: the range from which each painting's share in its picture is drawn.
        value_range: the values of black and white.
        seed: of the draws; None: another each time.
    """

    def __init__(
        self,
        styles: Sequence[str] | None = None,
        probability: float = 0.5,
        strength: tuple[float, float] = (0.3, 1.0),
        value_range: tuple[float, float] = (0.0, 255.0),
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.supports_jit = False  # LiteRT is no part of a graph that XLA could compile
        _checked(probability, strength, value_range)
        self.styles = None if styles is None else [str(style) for style in styles]
        self.probability = probability
        self.strength = strength[0], strength[1]
        self.value_range = value_range[0], value_range[1]
        self.seed = seed
        self._generator = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Return float32 pictures of the same shape, (N, H, W, 3) or (H, W, 3)."""
        if not training:
            return tf.cast(images, tf.float32)
        return random_style(
            images, self._generator.next(), styles=self.styles, probability=self.probability,
            strength=self.strength, value_range=self.value_range,
        )  # fmt: skip

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the same shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made of again."""
        names = ("styles", "probability", "strength", "value_range", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}

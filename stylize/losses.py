"""The losses of neural style transfer: content, style (Gram matrices) and total variation; tensors in, scalars out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stylize.config import SMALLEST_PX, LayerWeights, PerceptualLossConfig
from stylize.networks.runtime import tf
from stylize.networks.vgg import FeatureEncoder

__all__ = [
    "PerceptualLoss",
    "PerceptualTargets",
    "StyleTargets",
    "content_loss",
    "gram_matrix",
    "style_loss",
    "total_variation",
]


def gram_matrix(features: Any) -> Any:
    """Gram matrix of activations (1, H, W, C): the mean over positions of f f', (C, C), float32.

    Gatys et al. 2015 (arXiv 1508.06576), equation 3, divided by H W so that pictures of different sizes compare.
    """
    flat = tf.reshape(features, [-1, tf.shape(features)[-1]])
    return tf.matmul(flat, flat, transpose_a=True) / tf.cast(tf.shape(flat)[0], tf.float32)


def content_loss(features: Any, target: Any, normalization: str) -> Any:
    """Squared distance of two activations of one shape: their `sum`, their `mean`, or `relative` to |target|^2."""
    squares = tf.math.squared_difference(features, target)
    if normalization == "sum":
        return tf.reduce_sum(squares)
    if normalization == "mean":
        return tf.reduce_mean(squares)
    return tf.reduce_sum(squares) / (tf.reduce_sum(tf.square(target)) + _TINY)


def style_loss(gram: Any, target: Any, normalization: str) -> Any:
    """Squared distance of two Gram matrices (C, C): the mean over entries, or `relative` to |target|^2.

    With Gram matrices that are divided by their number of positions, the paper's E = 1/(4 C^2 M^2) |G - A|^2 is a
    quarter of the mean.
    """
    squares = tf.math.squared_difference(gram, target)
    if normalization == "relative":
        return tf.reduce_sum(squares) / (tf.reduce_sum(tf.square(target)) + _TINY)
    return tf.reduce_mean(squares)


def total_variation(image: Any, normalization: str) -> Any:
    """Roughness of (1, H, W, 3): differences of vertical and horizontal neighbours.

    `relative`: their squares in opponent colours, chroma weighing more, over the number of pixels; otherwise the sum
    of their absolute values (Rudin, Osher, Fatemi 1992, anisotropic, as in `tf.image.total_variation`).
    """
    vertical = image[:, 1:] - image[:, :-1]
    horizontal = image[:, :, 1:] - image[:, :, :-1]
    if normalization == "relative":
        pixels = tf.cast(tf.size(image) // 3, tf.float32)
        return (_opponent_energy(vertical) + _opponent_energy(horizontal)) / pixels
    return tf.reduce_sum(tf.abs(vertical)) + tf.reduce_sum(tf.abs(horizontal))


# Speckle in colour is what the style loss likes and the eye does not: painters' strokes differ in light and dark, and
# colour changes slowly. Squared differences of chroma weigh this much more than those of luma.
_CHROMA_ROUGHNESS = 16.0
_RGB_TO_YIQ = ((0.299, 0.587, 0.114), (0.596, -0.274, -0.322), (0.211, -0.523, 0.312))


def _opponent_energy(differences: Any) -> Any:
    opponent = tf.einsum("nhwc,oc->nhwo", differences, tf.constant(_RGB_TO_YIQ))
    return tf.reduce_sum(tf.square(opponent) * tf.constant([1.0, _CHROMA_ROUGHNESS, _CHROMA_ROUGHNESS]))


# An all-black target has no energy to be relative to.
_TINY = 1e-8


#: Gram matrices (C, C) by layer name, for each octave, the full size first.
StyleTargets = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class PerceptualTargets:
    """What the content and the styles ask for at one size, as tensors by layer name."""

    content: Mapping[str, Any]
    """Activations (1, h, w, C)."""
    style: StyleTargets
    """Of several styles their weighted mean."""


class PerceptualLoss:
    """The weighted sum of content, style and total variation losses under one feature encoder."""

    def __init__(self, encoder: FeatureEncoder, config: PerceptualLossConfig) -> None:
        self.precision = encoder.precision
        self._encoder = encoder
        self._config = config
        self._content_layers = [name for name, _ in config.content_layers]
        self._style_layers = [name for name, _ in config.style_layers]
        self._activations = tf.function(encoder, input_signature=[_PICTURE])
        self._evaluate: dict[int, Any] = {}

    def targets(self, content: Any, styles: Sequence[tuple[Any, float]]) -> PerceptualTargets:
        """Encode the targets once: `content` (1, H, W, 3), `styles` pairs of (1, h, w, 3) and a weight, summing to 1.

        An octave is left out where the content or a style would be smaller than the network can see.
        """
        octaves = self.octaves(content, *(style for style, _ in styles))
        return self.joined_targets(content, [(self.style_targets(style, octaves), weight) for style, weight in styles])

    def octaves(self, *pictures: Any) -> int:
        """How many octaves the smallest of `pictures` (1, H, W, 3) leaves, the full size counted."""
        smallest = min(min(picture.shape[1:3]) for picture in pictures)
        return 1 + sum(smallest >> octave >= SMALLEST_PX for octave in range(1, self._config.octaves))

    def style_targets(self, style: Any, octaves: int) -> StyleTargets:
        """What one style (1, h, w, 3) asks for, whatever the content."""
        picture = tf.constant(style)
        grams: list[Mapping[str, Any]] = []
        for octave in range(octaves):
            if octave:
                picture = _halved(picture)
            features = self._activations(picture)
            grams.append({name: gram_matrix(features[name]) for name in self._style_layers})
        return grams

    def joined_targets(self, content: Any, styles: Sequence[tuple[StyleTargets, float]]) -> PerceptualTargets:
        """As `targets`, of styles that are encoded already, all in as many octaves."""
        features = self._activations(tf.constant(content))
        grams = [
            {
                name: tf.add_n([weight * each[name] for each, (_, weight) in zip(octave, styles, strict=True)])
                for name in self._style_layers
            }
            for octave in zip(*(targets for targets, _ in styles), strict=True)
        ]
        return PerceptualTargets({name: features[name] for name in self._content_layers}, grams)

    def __call__(self, image: Any, targets: PerceptualTargets) -> dict[str, Any]:
        """Return scalars for `image` (1, H, W, 3): `total` (weighted), the plain terms, and each layer's own loss.

        The style term, and each layer's, is the mean over the octaves, each weighing half as much as the next larger.
        """
        config = self._config
        features = self._encoder(image)
        content = {
            name: content_loss(features[name], targets.content[name], config.normalization)
            for name in self._content_layers
        }
        octaves = []
        smaller = image
        for octave, grams in enumerate(targets.style):
            if octave:
                smaller = _halved(smaller)
                features = self._encoder(smaller)
            octaves.append(
                {
                    name: style_loss(gram_matrix(features[name]), grams[name], config.normalization)
                    for name in self._style_layers
                }
            )
        shares = [0.5**octave for octave in range(len(octaves))]
        style = {
            name: tf.add_n([share * losses[name] for share, losses in zip(shares, octaves, strict=True)]) / sum(shares)
            for name in self._style_layers
        }
        terms = {
            "content": _weighted(content, config.content_layers),
            "style": _weighted(style, config.style_layers),
            "total_variation": total_variation(image, config.normalization),
        }
        terms["total"] = (
            config.content_weight * terms["content"]
            + config.style_weight * terms["style"]
            + config.total_variation_weight * terms["total_variation"]
        )
        return {**terms, "content_per_layer": content, "style_per_layer": style}

    def value_and_gradient(self, image: Any, targets: PerceptualTargets) -> tuple[dict[str, Any], Any]:
        """Return the terms of `__call__` as floats, and the gradient of `total`: numpy float32 of the image's shape."""
        octaves = len(targets.style)
        if octaves not in self._evaluate:
            self._evaluate[octaves] = tf.function(
                self._terms_and_gradient, input_signature=[_PICTURE, *self._signature(octaves)]
            )
        terms, gradient = self._evaluate[octaves](tf.constant(image), targets.content, targets.style)
        return tf.nest.map_structure(float, terms), gradient.numpy()

    def _terms_and_gradient(self, image: Any, content: Any, style: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = self(image, PerceptualTargets(content, style))
        return terms, tape.gradient(terms["total"], image)

    def _signature(self, octaves: int) -> tuple[Any, Any]:
        # One graph for all sizes: tracing again at each level of the pyramid costs more than dynamic shapes do.
        channels = self._encoder.channels
        content = {name: tf.TensorSpec([1, None, None, channels[name]], tf.float32) for name in self._content_layers}
        style = {name: tf.TensorSpec([channels[name]] * 2, tf.float32) for name in self._style_layers}
        return content, [style] * octaves


_PICTURE = tf.TensorSpec([1, None, None, 3], tf.float32)


def _halved(image: Any) -> Any:
    return tf.nn.avg_pool2d(image, 2, 2, "VALID")


def _weighted(losses: Mapping[str, Any], weights: LayerWeights) -> Any:
    return tf.add_n([weight * losses[name] for name, weight in weights]) if weights else tf.constant(0.0)

"""The objective that `refine` minimises: one equation, one class.

For a picture x, with the names of the code:

    total(x) =   content_weight         * content(x)
               + style_weight           * (style(x) + palette_weight * palette(x))
               + total_variation_weight * total_variation(x)
               + frame_weight           * frame(x)

    content(x) = sum_l  v_l  k_l  |F_l(x) - F*_l|^2
    style(x)   = sum_l  w_l  sum_o sum_r  q_lor  D(G_lor(x), G*_lor)
    palette(x) = sum_r  a_r  W(x, r)

    l      layers: of content with weights v (`content_layers`), of style with weights w (`style_layers`)
    o      octaves: the picture at full size, half, a quarter, ... (`octaves`)
    r      regions, one for each mask, or the whole picture
    F      activations of the feature network; F* those of the content picture
    k      `Targets.content_scale`: 1 / |F*|^2 for relative losses; with `relative_to_content` divided by the root of
           (spread of the style / spread of the content): a style that varies a lot lowers the weight of the content
    G, D   Gram matrices or second moments over the positions of a region, and their squared distance: `gram_loss` or
           `moment_loss`; G* is the weighted mean of the styles
    q      `shares`: the area of region r times 2^-o, normalised over octaves; with `relative_to_content` divided by
           0.1 + D of the content picture itself
    W, a   sliced Wasserstein distance of the region's colours to its palette (`palette_loss`); the region's area
    total_variation, frame: see `stylize.losses.pixels`

With one octave, Gram matrices, sums instead of relative losses, and without palette, frame and total variation, this is
the loss of Gatys, Ecker and Bethge 2015 (arXiv 1508.06576), equation 7: the preset `gatys`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.config import LayerWeights, PerceptualLossConfig
from stylize.losses.pixels import frame_loss, palette_loss, total_variation
from stylize.losses.regions import Regions, octave_pyramid, region_count
from stylize.losses.statistics import Statistics, StatisticsEncoder
from stylize.losses.targets import TargetEncoder, Targets
from stylize.losses.tiled_statistics import TiledStatistics
from stylize.losses.tiles import PICTURE, fits_whole
from stylize.networks.backend import tf
from stylize.networks.vgg import FeatureEncoder

__all__ = ["Objective"]


class Objective:
    """The total loss of a picture under one feature network, and its gradient.

    Example:
        >>> objective = Objective(FeatureEncoder(weights, layers), PerceptualLossConfig())
        >>> targets = objective.targets.encode(content, [(style, 1.0)])
        >>> terms, gradient = objective.value_and_gradient(picture, targets)

    With `tile_px`, pictures of more than tile_px^2 pixels are encoded tile by tile (`TiledStatistics`); losses and
    gradients are those of the whole picture.

    Attributes:
        targets: makes the targets of contents and styles.
        precision: float32 or bfloat16, of the convolutions.
        reach_px: how far an activation sees, the halo of a tile.
    """

    def __init__(self, encoder: FeatureEncoder, config: PerceptualLossConfig) -> None:
        self._config = config
        self._statistics = StatisticsEncoder(encoder, config)
        self._tiled = TiledStatistics(self._statistics)
        self._steps: dict[tuple[int, int | None], Any] = {}
        self.targets = TargetEncoder(self._statistics, config)
        self.precision = encoder.precision
        self.reach_px = encoder.reach_px

    def value(self, image: NDArray[np.float32], targets: Targets, tile_px: int | None = None) -> dict[str, Any]:
        """Return the terms of a picture.

        Args:
            image: (1, H, W, 3), sRGB in [0, 1].
            targets: of the same size.
            tile_px: see the class.

        Returns:
            Floats `total`, `content`, `style`, `total_variation`, and the losses of single layers in the mappings
            `content_per_layer` and `style_per_layer`. `total` is the weighted sum of all terms, palette and frame
            included; `content` and `style` are sums over layers, with the weights of the layers alone.
        """
        if fits_whole(image, tile_px):
            terms = self.feature_terms(tf.constant(image), targets)
        else:
            assert tile_px is not None
            pictures = list(octave_pyramid(tf.constant(image), targets.regions.octaves))
            terms = self._terms_of_sums(
                pictures, *self._tiled.sums(pictures, targets.content, targets.regions, tile_px), targets
            )
        return self._with_pixel_losses(image, targets, terms)[0]

    def value_and_gradient(
        self, image: NDArray[np.float32], targets: Targets, tile_px: int | None = None
    ) -> tuple[dict[str, Any], NDArray[np.float32]]:
        """Return the terms of `value`, and the gradient of `total`, (1, H, W, 3). Arguments as of `value`."""
        if fits_whole(image, tile_px):
            regions = list(targets.regions.position_weights), list(targets.regions.shares)
            step = self._step(targets.regions)
            terms, gradient = step(tf.constant(image), targets.content, targets.content_scale, targets.style, regions)
            return self._with_pixel_losses(image, targets, terms, gradient.numpy())
        assert tile_px is not None
        return self._with_pixel_losses(image, targets, *self._tiled_value_and_gradient(image, targets, tile_px))

    def feature_terms(self, image: Any, targets: Targets) -> dict[str, Any]:
        """Return content, style, their weighted `total`, and each layer's loss, as tensors, of (1, H, W, 3)."""
        squares: Mapping[str, Any] = {}
        style = []
        for octave, picture in enumerate(octave_pyramid(image, targets.regions.octaves)):
            weights = targets.regions.position_weights[octave]
            sums, of_content = self._statistics.sums(picture, targets.content if octave == 0 else {}, weights)
            squares = of_content or squares
            style.append(self._statistics.means(picture, sums, weights))
        return self._terms(Statistics(squares, style), targets)

    def _terms(self, statistics: Statistics, targets: Targets) -> dict[str, Any]:
        """The equation: content, style and their weighted sum."""
        config, loss = self._config, self._statistics.style.loss
        content = {name: squares * targets.content_scale[name] for name, squares in statistics.content.items()}
        octaves = list(zip(statistics.style, targets.style, targets.regions.shares, strict=True))
        style = {
            name: tf.add_n(
                [
                    tf.reduce_sum(shares[name] * loss(ours[name], wanted[name], config.normalization))
                    for ours, wanted, shares in octaves
                ]
            )
            for name in self._statistics.style_layers
        }
        terms = {
            "content": _weighted(content, config.content_layers),
            "style": _weighted(style, config.style_layers),
        }
        terms["total"] = config.content_weight * terms["content"] + config.style_weight * terms["style"]
        return {**terms, "content_per_layer": content, "style_per_layer": style}

    def _with_pixel_losses(
        self, image: NDArray[np.float32], targets: Targets, terms: Any, gradient: Any = 0.0
    ) -> tuple[dict[str, Any], Any]:
        """Add the losses of pixels alone; return the terms as floats, and the gradient."""
        terms, config, regions = tf.nest.map_structure(float, terms), self._config, targets.regions

        def add(weight: float, loss: float, slope: NDArray[np.float32]) -> float:
            nonlocal gradient
            terms["total"] += weight * loss
            # In place: a gradient of 12 megapixels takes 150 MB.
            slope *= np.float32(weight)
            slope += gradient
            gradient = slope
            return loss

        terms["total_variation"] = add(config.total_variation_weight, *total_variation(image, config.normalization))
        if config.frame_weight:
            add(config.frame_weight, *frame_loss(image))
        for target, mask, area in zip(targets.palettes, regions.masks, regions.areas, strict=False):
            add(config.style_weight * config.palette_weight * area, *palette_loss(image, target, mask))
        return terms, gradient

    def _step(self, regions: Regions) -> Any:
        """Return the graph of terms and gradient for so many octaves and regions."""
        octaves, count = regions.octaves, region_count(regions.position_weights[0])
        if (octaves, count) not in self._steps:
            content, scale, style, weights = self._statistics.signature(count)
            shares = dict.fromkeys(self._statistics.style_layers, tf.TensorSpec([count or 1], tf.float32))
            regions_signature = ([weights] * octaves, [shares] * octaves)
            signature = [PICTURE, content, scale, [style] * octaves, regions_signature]
            self._steps[octaves, count] = tf.function(
                self._terms_and_gradient, input_signature=signature, autograph=False
            )
        return self._steps[octaves, count]

    def _terms_and_gradient(
        self, image: Any, content: Any, scale: Any, style: Any, regions: tuple[Any, Any]
    ) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = self.feature_terms(image, Targets(content, scale, style, Regions(*regions)))
        return terms, tape.gradient(terms["total"], image)

    def _tiled_value_and_gradient(
        self, image: NDArray[np.float32], targets: Targets, tile_px: int
    ) -> tuple[dict[str, Any], NDArray[np.float32]]:
        pictures = list(octave_pyramid(tf.constant(image), targets.regions.octaves))
        style_sums, squares = self._tiled.sums(pictures, targets.content, targets.regions, tile_px)
        with tf.GradientTape() as tape:
            tape.watch([squares, style_sums])
            terms = self._terms_of_sums(pictures, style_sums, squares, targets)
        of_squares, of_style = tape.gradient(terms["total"], [squares, style_sums])
        slopes = of_style, of_squares
        return terms, self._tiled.gradient(pictures, targets.content, targets.regions, tile_px, slopes)

    def _terms_of_sums(self, pictures: Any, style_sums: Any, squares: Any, targets: Targets) -> dict[str, Any]:
        octaves = zip(pictures, style_sums, targets.regions.position_weights, strict=True)
        style = [self._statistics.means(picture, sums, weights) for picture, sums, weights in octaves]
        return self._terms(Statistics(squares, style), targets)

    # ----------------------------------------------------------------------------------------------------------------
    # Memory, for `stylize.transfer.tiling`: measured, rounded up

    @property
    def step_bytes_per_pixel(self) -> float:
        """Memory of a value and gradient, in bytes for each pixel of the picture or tile."""
        # Bytes an activation: forward, backward, and the buffers of convolutions, of which a part is always float32.
        each = 7.5 if self.precision == "bfloat16" else 9.0
        return each * self._statistics.encoder.activations_per_pixel + 150

    @property
    def region_bytes_per_pixel(self) -> float:
        """Memory that each masked region adds: weighted copies of the style layers, and their gradients."""
        encoder, layers = self._statistics.encoder, self._statistics.style_layers
        return 2 * 4 * sum((encoder.channels[name] + 1) / encoder.strides[name] ** 2 for name in layers)

    @property
    def target_bytes_per_pixel(self) -> float:
        """Memory of the content's activations, in bytes for each pixel of the picture."""
        encoder, number = self._statistics.encoder, np.dtype(self._statistics.content_type).itemsize
        return sum(
            number * encoder.channels[name] / encoder.strides[name] ** 2 for name in self._statistics.content_layers
        )


def _weighted(losses: Mapping[str, Any], weights: LayerWeights) -> Any:
    return tf.add_n([weight * losses[name] for name, weight in weights]) if weights else tf.constant(0.0)

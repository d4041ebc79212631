"""The objective that `refine` minimises: one equation, one class.

For a picture x, with the names of the code:

    total(x) =   content_weight         * (content(x) + light_weight * light(x))
               + style_weight           * (style(x) + places_weight * places(x) + palette_weight * palette(x))
               + total_variation_weight * total_variation(x)
               + frame_weight           * frame(x)

    content(x) = sum_l  v_l  k_l  sum_p  s_lp  |F_lp(x) - F*_lp|^2
    style(x)   = sum_l  w_l  sum_o sum_r  q_lor  D(G_lor(x), G*_lor)
    light(x)   = sum over two sizes of cells of 1 - cosine of the light of x and of the content: `stylize.losses.light`
    places(x)  = mean_l  sum_r  a_r  P(F_l, r)
    palette(x) = sum_r  a_r  W(x, r)

    l      layers: of content with weights v (`content_layers`), of style with weights w (`style_layers`)
    o      octaves: the picture at full size, half, a quarter, ... (`octaves`)
    r      regions, one for each mask, or the whole picture
    F      activations of the feature network; F* those of the content picture, or, at large levels, of the picture
           that the first of them begins with, enlarged (`content_range_px`)
    s      how much position p counts, more where a viewer looks first: `stylize.losses.saliency`
    k      `Targets.content_scale`: 1 / |F*|^2 for relative losses; with `relative_to_content` divided by the root of
           (spread of the style / spread of the content): a style that varies a lot lowers the weight of the content;
           at small levels more (`content_range_px`)
    G, D   Gram matrices or second moments over the positions of a region, and their squared distance: `gram_loss` or
           `moment_loss`; G* is the weighted mean of the styles
    q      `shares`: the area of region r times 2^-o, normalised over octaves; with `relative_to_content` divided by
           0.1 + D of the content picture itself, 20 at most with `contrast_limit`; less for regions of few positions
           (`enough_positions`)
    P      mean distance of the region's places to places of its styles: `stylize.losses.places`
    W, a   sliced Wasserstein distance of the region's colours to its palette (`palette_loss`); the region's area
    total_variation, frame: see `stylize.losses.pixels`

`stylize.transfer.levels.make_objective` fits two weights to the network: total_variation_weight is multiplied by the
network's grain and by the strength, and under vgg19-slim three layers stand for relu4_2 (`content_layers_under`).

With one octave, Gram matrices, sums instead of relative losses, s = 1, and without light, places, palette, frame and
total variation, this is the loss of Gatys, Ecker and Bethge 2015 (arXiv 1508.06576), equation 7: the preset `gatys`.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.config import PerceptualLossConfig
from stylize.losses import tiled_pixels
from stylize.losses.light import LIGHT, light_loss
from stylize.losses.pixels import PALETTE_SHAPE, border, frame_loss, palette_loss, total_variation
from stylize.losses.regions import octave_pyramid
from stylize.losses.statistics import Compared, Statistics, StatisticsEncoder
from stylize.losses.targets import TargetEncoder, Targets
from stylize.losses.tiled_statistics import TiledStatistics
from stylize.losses.tiles import PICTURE, fits_whole
from stylize.networks.backend import Array, array_of, framework, keras, numpy_of, ops, spec
from stylize.networks.vgg import FeatureEncoder

__all__ = ["Objective", "structure_of"]


class Objective:
    """The total loss of a picture under one feature network, and its gradient.

    Example:
        >>> config = PerceptualLossConfig()
        >>> weights = load_encoder_weights(LoadedNetworks().find("vgg19-slim", "features"))
        >>> objective = Objective(FeatureEncoder(weights, config.layers), config)
        >>> targets = objective.targets.encode(content, [(style, 1.0)])
        >>> terms, gradient = objective.value_and_gradient(picture, targets)

    With `tile_px`, pictures of more than tile_px^2 pixels are encoded tile by tile (`TiledStatistics`); losses and
    gradients are those of the whole picture.

    Args:
        encoder: returns at least `config.layers`.
        config: weights and forms of the losses.

    Attributes:
        targets: makes the targets of contents and styles.
        precision: float32 or bfloat16, of the convolutions.
        reach_px: how far an activation sees, the halo of a tile.
    """

    def __init__(self, encoder: FeatureEncoder, config: PerceptualLossConfig) -> None:
        self._config = config
        self._weights = _weights_of(config)
        self._statistics = StatisticsEncoder(encoder, config)
        self._tiled = TiledStatistics(self._statistics)
        self._steps: dict[tuple[int, int | None, int], Any] = {}
        self.targets = TargetEncoder(self._statistics, config)
        self.precision = encoder.precision
        self.reach_px = encoder.reach_px

    @property
    def has_statistics(self) -> bool:
        """Whether the style loss looks at any layer; otherwise places alone stand for the style."""
        return any(weight > 0 for _, weight in self._config.style_layers)

    def with_weights(self, config: PerceptualLossConfig) -> Objective:
        """Return the objective of a config of the same `structure_of`: both share all that is compiled."""
        assert structure_of(config) == structure_of(self._config)
        other = copy.copy(self)
        other._config, other._weights = config, _weights_of(config)
        other.targets = TargetEncoder(self._statistics, config)
        return other

    def value(self, image: Any, targets: Targets, tile_px: int | None = None) -> dict[str, Any]:
        """Return the terms of a picture.

        Args:
            image: (1, H, W, 3), sRGB in [0, 1].
            targets: of the same size.
            tile_px: see the class.

        Returns:
            Floats `total`, `content`, `style`, `total_variation`, and the losses of single layers in the mappings
            `content_per_layer` and `style_per_layer`. `total` is the weighted sum of all terms, light, places,
            palette and frame included; `content` and `style` are sums over layers, with the weights of the layers
            alone.
        """
        return self.value_and_gradient(image, targets, tile_px)[0]

    def value_and_gradient(
        self, image: Any, targets: Targets, tile_px: int | None = None
    ) -> tuple[dict[str, Any], Array]:
        """Return the terms of `value`, and the gradient of `total`, (1, H, W, 3). Arguments as of `value`."""
        image = array_of(image)
        if fits_whole(image, tile_px):
            _, terms, gradient = self._step(targets)(image, *_arrays(targets, self._weights))
        else:
            assert tile_px is not None
            terms, gradient = self._tiled_terms_and_gradient(image, targets, tile_px)
        return self._named(numpy_of(terms)), gradient

    def _statistics_of(self, image: Any, compared: Compared, position_weights: Sequence[Any]) -> Statistics:
        """Encode a picture (1, H, W, 3) at every octave."""
        style = []
        for octave, picture in enumerate(octave_pyramid(image, len(position_weights))):
            weights = position_weights[octave]
            here = compared if octave == 0 else Compared()
            sums, of_content, of_places = self._statistics.sums(picture, here, weights)
            style.append(self._statistics.means(picture, sums, weights))
            if octave == 0:
                squares, distances = of_content, self._statistics.means(picture, of_places, weights)
        return Statistics(squares, style, distances)

    def _terms(
        self,
        statistics: Statistics,
        weights: Mapping[str, Any],
        scale: Mapping[str, Any],
        wanted: Mapping[str, Any],
        places_areas: Any,
    ) -> dict[str, Any]:
        """The equation: content, style, and the weighted sum of both and of places. `wanted` is `Targets.by_layer`."""
        config, loss = self._config, self._statistics.style.loss
        content = {name: squares * scale[name] for name, squares in statistics.content.items()}
        style = {}
        for name, (targets, shares) in wanted.items():
            ours = ops.stack([octave[name] for octave in statistics.style])
            style[name] = ops.sum(shares * loss(ours, targets, config.normalization))
        terms = {
            "content": _weighted(content, weights["content_layers"]),
            "style": _weighted(style, weights["style_layers"]),
        }
        terms["total"] = weights["content"] * terms["content"] + weights["style"] * terms["style"]
        for distances in statistics.places.values():
            share = weights["places"] / len(statistics.places)
            terms["total"] = terms["total"] + share * ops.sum(places_areas * distances)
        return {**terms, "content_per_layer": content, "style_per_layer": style}

    def _pixel_terms(self, image: Any, weights: Mapping[str, Any], colors: Any) -> tuple[Any, Any]:
        """Return the total variation, and the weighted sum of total variation, frame, light and palette."""
        masks, areas, palettes, lights = colors
        variation = total_variation(image, self._config.normalization)
        total = weights["total_variation"] * variation
        if self._config.frame_weight:
            total = total + weights["frame"] * frame_loss(*border(image))
        for light in lights:
            total = total + weights["light"] * light_loss(image, light)
        for region, target in enumerate(palettes):
            loss = palette_loss(image, target, masks[region] if masks else None)
            total = total + weights["palette"] * areas[region] * loss
        return variation, total

    def _step(self, targets: Targets) -> Any:
        """Return the compiled value and gradient for so many octaves, regions and sizes of cells."""
        octaves, count = targets.regions.octaves, len(targets.regions.masks) or None
        lights = len(targets.lights)
        key = octaves, count, lights
        if key not in self._steps:
            compared, scale, style, weights = self._statistics.signature(count)
            by_layer = {name: (spec(octaves, *each.shape), spec(octaves, count or 1)) for name, each in style.items()}
            masks, palettes = [spec(None, None)] * (count or 0), [spec(*PALETTE_SHAPE)] * len(targets.palettes)
            colors = masks, spec(count or 1), palettes, [LIGHT] * lights
            asked = keras.tree.map_structure(lambda _: spec(), self._weights), scale, by_layer, spec(count or 1)
            signature = [PICTURE, compared, [weights] * octaves, asked, colors]
            self._steps[key] = framework.compiled(framework.value_and_gradient(self._total_and_terms), signature)
        return self._steps[key]

    def _total_and_terms(
        self, image: Any, compared: Compared, position_weights: Any, asked: Any, colors: Any
    ) -> tuple[Any, Any]:
        """Return the total loss and all terms as one array. Arguments as of `_arrays`."""
        terms = self._terms(self._statistics_of(image, compared, position_weights), *asked)
        variation, of_pixels = self._pixel_terms(image, asked[0], colors)
        total = terms["total"] + of_pixels
        return total, self._vector({**terms, "total": total, "total_variation": variation})

    def _tiled_terms_and_gradient(self, image: Any, targets: Targets, tile_px: int) -> tuple[Any, Any]:
        pictures = list(octave_pyramid(image, targets.regions.octaves))
        asked = pictures, targets.compared, targets.regions, tile_px
        sums = self._tiled.sums(*asked)

        def total(sums: Any) -> tuple[Any, Any]:
            style_sums, squares, distances = sums
            terms = self._terms_of_sums(pictures, style_sums, squares, distances, targets)
            return terms["total"], terms

        _, terms, slopes = framework.value_and_gradient(total)(sums)
        gradient = self._tiled.gradient(*asked, slopes)
        variation, of_pixels, gradient = tiled_pixels.add_gradient(
            image, targets, self._config, self._weights, gradient
        )
        total_loss = terms["total"] + of_pixels
        return self._vector({**terms, "total": total_loss, "total_variation": variation}), gradient[None]

    def _terms_of_sums(
        self, pictures: Any, style_sums: Any, squares: Any, distances: Any, targets: Targets
    ) -> dict[str, Any]:
        octaves = zip(pictures, style_sums, targets.regions.position_weights, strict=True)
        style = [self._statistics.means(picture, sums, weights) for picture, sums, weights in octaves]
        near = self._statistics.means(pictures[0], distances, targets.regions.position_weights[0])
        statistics = Statistics(squares, style, near)
        return self._terms(statistics, self._weights, targets.content_scale, targets.by_layer, targets.places_areas)

    # The host reads all terms at once, as one array: each reading waits for the device.

    def _vector(self, terms: Mapping[str, Any]) -> Any:
        scalars = [terms[name] for name in _SCALARS]
        scalars += [terms["content_per_layer"][name] for name in self._statistics.content_layers]
        scalars += [terms["style_per_layer"][name] for name in self._statistics.style_layers]
        return ops.stack([ops.convert_to_tensor(each, "float32") for each in scalars])

    def _named(self, vector: NDArray[np.float32]) -> dict[str, Any]:
        numbers = iter(vector.tolist())
        terms: dict[str, Any] = {name: next(numbers) for name in _SCALARS}
        terms["content_per_layer"] = {name: next(numbers) for name in self._statistics.content_layers}
        terms["style_per_layer"] = {name: next(numbers) for name in self._statistics.style_layers}
        return terms

    # ----------------------------------------------------------------------------------------------------------------
    # Memory, for `stylize.transfer.tiling`: measured, rounded up

    @property
    def step_bytes_per_pixel(self) -> float:
        """Memory of a value and gradient, in bytes for each pixel of the picture or tile."""
        # Bytes an activation: forward, backward, and the buffers of convolutions, of which a part is always float32.
        each = 7.5 if self.precision == "bfloat16" else 9.0
        return each * self._statistics.encoder.activations_per_pixel + 200

    @property
    def region_bytes_per_pixel(self) -> float:
        """Memory that each masked region adds: weighted copies of the style layers, and their gradients."""
        encoder, layers = self._statistics.encoder, self._statistics.style_layers
        return 2 * 4 * sum((encoder.channels[name] + 1) / encoder.strides[name] ** 2 for name in layers)

    @property
    def target_bytes_per_pixel(self) -> float:
        """Memory of the content's activations, its saliency and its luma, in bytes for each pixel of the picture."""
        encoder, number = self._statistics.encoder, np.dtype(self._statistics.content_type).itemsize
        luma, layers = 4.0 if self.targets.has_light else 0.0, self._statistics.content_layers
        return luma + sum((number * encoder.channels[name] + 4) / encoder.strides[name] ** 2 for name in layers)


# What `value` returns beside the losses of single layers.
_SCALARS = ("total", "content", "style", "total_variation")


def _arrays(targets: Targets, weights: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return the arrays that `Objective._total_and_terms` takes."""
    regions = targets.regions
    asked = weights, targets.content_scale, targets.by_layer, targets.places_areas
    colors = list(regions.masks), regions.areas, list(targets.palettes), list(targets.lights)
    return targets.compared, list(regions.position_weights), asked, colors


def structure_of(config: PerceptualLossConfig) -> PerceptualLossConfig:
    """Return what a compiled step knows of a config: weights that are not 0 are 1, what `Targets` hold is the default.

    Objectives of configs with the same structure can share all that is compiled (`Objective.with_weights`).
    """
    names = [field.name for field in dataclasses.fields(config) if field.name.endswith("_weight")]
    ones: dict[str, Any] = {name: float(getattr(config, name) > 0) for name in names}
    for name in ("content_layers", "style_layers"):
        ones[name] = tuple((layer, 1.0) for layer, _ in getattr(config, name))
    return PerceptualLossConfig(**ones, normalization=config.normalization, statistics=config.statistics)


def _weights_of(config: PerceptualLossConfig) -> dict[str, Any]:
    """Return the weights of the terms, as arrays: a step that is compiled serves all their values."""
    weights = {
        "content": config.content_weight,
        "light": config.content_weight * config.light_weight,
        "style": config.style_weight,
        "places": config.style_weight * config.places_weight,
        "palette": config.style_weight * config.palette_weight,
        "total_variation": config.total_variation_weight,
        "frame": config.frame_weight,
        "content_layers": dict(config.content_layers),
        "style_layers": dict(config.style_layers),
    }
    return dict(keras.tree.map_structure(lambda weight: array_of(np.float32(weight)), weights))


def _weighted(losses: Mapping[str, Any], weights: Mapping[str, Any]) -> Any:
    return sum((weight * losses[name] for name, weight in weights.items()), ops.zeros((), "float32"))

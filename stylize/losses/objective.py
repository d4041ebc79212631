"""The total loss of `refine`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from stylize.config import SMALLEST_PX, LayerWeights, PerceptualLossConfig
from stylize.losses.features import (
    TINY,
    content_scale,
    gram_sum,
    mean_and_covariance,
    moment_loss,
    moment_sum,
    squared_distance,
    style_loss,
)
from stylize.losses.pixels import frame_loss, palette, palette_loss, total_variation
from stylize.losses.regions import FEWEST_POSITIONS, OCTAVE_SHARE, Guidance, octave_pyramid
from stylize.losses.tiles import Tile, tiles
from stylize.networks.backend import tf
from stylize.networks.vgg import FeatureEncoder

__all__ = ["PerceptualLoss", "PerceptualTargets", "StyleTargets"]

# How far the content loss gives way to bold styles: 0 keeps a scene alike whatever is to be painted on it, and a mosaic
# remains a pattern on a photograph; 1 loses it under bold styles.
_TOWARDS_STYLE = 0.5

# Of pictures, 0.2 to 4; a flat one is no reason to drop the other, or to hold it at any price.
_BOLDEST = 10.0

# A content that has a layer's style already is not to be held to it at any price.
_NEAREST = 0.1

#: Gram matrices (C, C), or second moments (C + 1, C + 1), by layer name, for each octave, the full size first; that one
#: also has the `palette`.
StyleTargets = Sequence[Mapping[str, Any]]

_PALETTE = "palette"


@dataclass(frozen=True, eq=False)
class PerceptualTargets:
    """What the content and the styles ask for at one size, as tensors by layer name."""

    content: Mapping[str, Any]
    """Activations (1, h, w, C)."""
    content_scale: Mapping[str, Any]
    """What makes a layer's sum of squared differences its loss."""
    style: StyleTargets
    """(R, C, C) or (R, C + 1, C + 1), a matrix a region; of several styles there their weighted mean."""
    guidance: Guidance
    palettes: Sequence[np.ndarray] = ()
    """A palette a region."""


@dataclass(frozen=True, eq=False)
class _Statistics:
    """All that the loss knows of a picture: sums over positions, which tiles can add up."""

    content: Mapping[str, Any]
    """Sums of squared differences from the target."""
    style: StyleTargets


class PerceptualLoss:
    """The weighted sum of content, style and total variation losses under one feature encoder, palette and frame.

    With `tile_px`, pictures of more than tile_px^2 pixels are encoded tile by tile, in memory that does not grow with
    the picture: one pass adds up the statistics, another takes each tile's gradient against the totals. Tiles overlap
    by the network's receptive field, so losses and gradients are those of the whole picture.
    """

    def __init__(self, encoder: FeatureEncoder, config: PerceptualLossConfig) -> None:
        self.precision = encoder.precision
        self._encoder = encoder
        self._config = config
        self._content_layers = [name for name, _ in config.content_layers]
        self._style_layers = [name for name, _ in config.style_layers]
        self._moments = config.statistics == "moments"
        self._style_loss = moment_loss if self._moments else style_loss
        self._activations = tf.function(encoder, input_signature=[_PICTURE], autograph=False)
        self.reach_px = encoder.reach_px
        # Of activations put together from tiles, which are large: float16 holds all that bfloat16 has told.
        self._target_type = np.float16 if encoder.precision == "bfloat16" else np.float32
        self._evaluate: dict[tuple[int, int | None], Any] = {}
        self._tile_functions: dict[tuple[str, bool, int | None], Any] = {}

    @property
    def style_key(self) -> tuple[Hashable, ...]:
        """What `style_targets` depends on, beside the style: losses of equal keys may share them."""
        config = self._config
        return self._encoder, tuple(self._style_layers), config.statistics, config.palette_weight > 0

    @property
    def step_bytes_per_pixel(self) -> float:
        """Memory that a value and gradient takes, for a pixel of the picture or tile; measured, on the high side."""
        # Forward, back and what convolutions lay out anew for themselves, a part of which is float32 in any case.
        each = 7.5 if self.precision == "bfloat16" else 9.0
        return each * self._encoder.activations_per_pixel + 150

    @property
    def region_bytes_per_pixel(self) -> float:
        """Memory that each region takes beside that: its weighted copies of the style layers, and their gradients."""
        encoder = self._encoder
        return 2 * 4 * sum((encoder.channels[name] + 1) / encoder.strides[name] ** 2 for name in self._style_layers)

    @property
    def target_bytes_per_pixel(self) -> float:
        """Memory that the content's activations take, for a pixel of the picture."""
        encoder = self._encoder
        number = np.dtype(self._target_type).itemsize
        return sum(number * encoder.channels[name] / encoder.strides[name] ** 2 for name in self._content_layers)

    def targets(
        self,
        content: Any,
        styles: Sequence[tuple[Any, float]],
        tile_px: int | None = None,
        masks: np.ndarray | None = None,
    ) -> PerceptualTargets:
        """Encode the targets once: `content` (1, H, W, 3), `styles` pairs of (1, h, w, 3) and a weight, summing to 1.

        They are asked for everywhere, or with `masks` (R, H, W) in one region, or each in its own.
        An octave is left out where the content or a style would be smaller than the network can see.
        """
        octaves = self.octaves(content, *(style for style, _ in styles))
        encoded = [(self.style_targets(style, octaves, tile_px), weight) for style, weight in styles]
        alone = masks is not None and len(masks) > 1
        regions = [[(targets, 1.0)] for targets, _ in encoded] if alone else [encoded]
        return self.joined_targets(content, regions, self.guidance(octaves, masks), tile_px)

    def octaves(self, *pictures: Any) -> int:
        """How many octaves the smallest of `pictures` (1, H, W, 3) leaves, the full size counted."""
        smallest = min(min(picture.shape[1:3]) for picture in pictures)
        return 1 + sum(smallest >> octave >= SMALLEST_PX for octave in range(1, self._config.octaves))

    def guidance(self, octaves: int, masks: np.ndarray | None = None) -> Guidance:
        """Where the style loss is to look in a picture (1, H, W, 3): everywhere, or within `masks` (R, H, W) in [0, 1].

        Every region counts by its share of what is painted, and all together by how much of the picture that is: the
        content and the total variation, which are of the whole picture, then keep their balance with the style.
        """
        if masks is None:
            total = sum(OCTAVE_SHARE**octave for octave in range(octaves))
            shares = [tf.constant([OCTAVE_SHARE**octave / total]) for octave in range(octaves)]
            return Guidance([{}] * octaves, [dict.fromkeys(self._style_layers, share) for share in shares])
        areas = masks.sum(axis=(1, 2)) / masks.sum() * masks.any(axis=0).mean()  # never black
        weights: list[dict[str, Any]] = []
        counts: list[dict[str, np.ndarray]] = []
        for octave, plane in enumerate(octave_pyramid(tf.constant(masks[..., None], tf.float32), octaves)):
            weights.append({})
            counts.append({})
            for name in self._style_layers:
                stride = self._encoder.strides[name]
                guides = tf.nn.avg_pool2d(plane, stride, stride, "VALID")[..., 0].numpy()
                sums, positions = guides.sum(axis=(1, 2)), math.prod(guides.shape[1:])
                fewest = masks.max(axis=(1, 2)) * min(FEWEST_POSITIONS, positions / 2)
                tells = (sums > 0) & (sums >= fewest)
                scale = tells / np.where(tells, sums, 1)
                weights[-1][name] = tf.constant(guides * scale[:, None, None], tf.float32)
                counts[-1][name] = tells * OCTAVE_SHARE**octave
        totals = {name: np.sum([each[name] for each in counts], axis=0) for name in self._style_layers}
        shares = [
            {name: tf.constant(areas * each[name] / np.maximum(totals[name], TINY), tf.float32) for name in totals}
            for each in counts
        ]
        return Guidance(weights, shares, list(masks), areas.tolist())

    def style_targets(self, style: Any, octaves: int, tile_px: int | None = None) -> StyleTargets:
        """What one style (1, h, w, 3) asks for, whatever the content."""
        (targets,) = self.guided_targets(style, self.guidance(octaves), tile_px)
        return targets

    def guided_targets(
        self, picture: Any, guidance: Guidance, tile_px: int | None = None
    ) -> list[list[dict[str, Any]]]:
        """What each region of a picture (1, h, w, 3) would ask for as a style."""
        statistics = self._statistics(picture, guidance, tile_px)
        targets = [
            [{name: gram[r] for name, gram in octave.items()} for octave in statistics]
            for r in range(len(guidance.masks))
        ]
        if self._config.palette_weight:
            for (full_size, *_), mask in zip(targets, guidance.masks, strict=True):
                full_size[_PALETTE] = palette(np.asarray(picture), mask)
        return targets

    def joined_targets(
        self,
        content: Any,
        regions: Sequence[Sequence[tuple[StyleTargets, float]]],
        guidance: Guidance,
        tile_px: int | None = None,
    ) -> PerceptualTargets:
        """As `targets`, of each region's styles, which are encoded already, all in as many octaves."""
        features = self._content_features(content, tile_px)
        grams = [
            {
                name: tf.stack([tf.add_n([weight * t[octave][name] for t, weight in styles]) for styles in regions])
                for name in self._style_layers
            }
            for octave in range(len(guidance.shares))
        ]
        scale = {name: content_scale(target, self._config.normalization) for name, target in features.items()}
        if self._config.relative_to_content:
            own = self._statistics(content, guidance, tile_px)
            boldness = self._boldness(own[0], grams[0], guidance.shares[0])
            scale = {name: each / boldness**_TOWARDS_STYLE for name, each in scale.items()}
            guidance = dataclasses.replace(guidance, shares=self._shares_of_the_way(own, grams, guidance))
        palettes = [
            np.sum([weight * targets[0][_PALETTE] for targets, weight in styles], axis=0)
            for styles in regions
            if self._config.palette_weight
        ]
        return PerceptualTargets(features, scale, grams, guidance, palettes)

    def _statistics(self, picture: Any, guidance: Guidance, tile_px: int | None) -> list[Mapping[str, Any]]:
        """Return the regions' Gram matrices or second moments by layer, for each octave."""
        pictures = octave_pyramid(tf.constant(picture), len(guidance.weights))
        return [self._grams(each, tile_px, guides) for each, guides in zip(pictures, guidance.weights, strict=True)]

    def _boldness(self, own: Mapping[str, Any], grams: Mapping[str, Any], shares: Mapping[str, Any]) -> Any:
        """Return how widely the style's activations vary beside the content's, a geometric mean over layers.

        By the norms of their covariances: mean activations are large where a picture is bright or busy, bold or not.
        """
        logs = [tf.constant(0.0)]
        for name in self._style_layers:
            ours, theirs = (self._spread(each[name], shares[name]) for each in (own, grams))
            logs.append(tf.math.log(tf.clip_by_value(theirs / ours, 1 / _BOLDEST, _BOLDEST)))
        return tf.exp(tf.add_n(logs) / max(1, len(self._style_layers)))

    def _spread(self, statistics: Any, shares: Any) -> Any:
        covariance = mean_and_covariance(statistics)[1] if self._moments else statistics
        return tf.reduce_sum(shares * tf.norm(covariance, axis=[-2, -1])) + TINY

    def _shares_of_the_way(self, own: StyleTargets, grams: StyleTargets, guidance: Guidance) -> list[dict[str, Any]]:
        """Return the guidance's shares over the losses of the content itself: what is left of its way to the style."""
        return [
            {
                name: share
                / (_NEAREST + self._style_loss(own[octave][name], grams[octave][name], self._config.normalization))
                for name, share in shares.items()
            }
            for octave, shares in enumerate(guidance.shares)
        ]

    def __call__(self, image: Any, targets: PerceptualTargets) -> dict[str, Any]:
        """Return scalars for `image` (1, H, W, 3): content and style, their weighted `total`, and each layer's loss.

        The style term, and each layer's, is the mean over the octaves, each weighing half as much as the next larger,
        and over the regions by their share of the picture.
        """
        content: dict[str, Any] = {}
        grams = []
        for octave, picture in enumerate(octave_pyramid(image, len(targets.style))):
            features = self._encoder(picture)
            if octave == 0:
                content = {
                    name: squared_distance(features[name], targets.content[name]) for name in self._content_layers
                }
            guides = targets.guidance.weights[octave]
            sums = {name: self._sums_of(features[name], guides.get(name)) for name in self._style_layers}
            grams.append(self._means(picture, sums, guides))
        return self._terms(_Statistics(content, grams), targets)

    def _terms(self, statistics: _Statistics, targets: PerceptualTargets) -> dict[str, Any]:
        config = self._config
        content = {name: squares * targets.content_scale[name] for name, squares in statistics.content.items()}
        octaves = list(zip(statistics.style, targets.style, targets.guidance.shares, strict=True))
        style = {
            name: tf.add_n(
                [
                    tf.reduce_sum(shares[name] * self._style_loss(ours[name], grams[name], config.normalization))
                    for ours, grams, shares in octaves
                ]
            )
            for name in self._style_layers
        }
        terms = {
            "content": _weighted(content, config.content_layers),
            "style": _weighted(style, config.style_layers),
        }
        terms["total"] = config.content_weight * terms["content"] + config.style_weight * terms["style"]
        return {**terms, "content_per_layer": content, "style_per_layer": style}

    def _sums_of(self, features: Any, guides: Any) -> Any:
        """Return the sums of each region (R, C, C) or (R, C + 1, C + 1); without guides, of all positions as one."""
        regions = [None] if guides is None else tf.unstack(guides)
        return tf.stack([(moment_sum if self._moments else gram_sum)(features, guide) for guide in regions])

    def value(self, image: Any, targets: PerceptualTargets, tile_px: int | None = None) -> dict[str, Any]:
        """Return the terms of `__call__` and the total variation as floats; `total` with all weighted losses."""
        if not _in_tiles(image, tile_px):
            return self._with_pixels(image, targets, self(tf.constant(image), targets))[0]
        pictures = list(octave_pyramid(tf.constant(image), len(targets.style)))
        gram_sums, squares = self._tiled_sums(pictures, targets, cast(int, tile_px))
        terms = self._terms_of_sums(pictures, gram_sums, squares, targets)
        return self._with_pixels(image, targets, terms)[0]

    def value_and_gradient(
        self, image: Any, targets: PerceptualTargets, tile_px: int | None = None
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Return the terms of `value`, and the gradient of `total`: float32 of the image's shape."""
        if _in_tiles(image, tile_px):
            terms, gradient = self._tiled_value_and_gradient(image, targets, cast(int, tile_px))
            return self._with_pixels(image, targets, terms, gradient)
        octaves, guidance = len(targets.style), targets.guidance
        key = octaves, self._guided_regions(guidance.weights[0])
        if key not in self._evaluate:
            content, scale, style, guides, shares = self._signature(key[1])
            per_octave = [[each] * octaves for each in (style, guides, shares)]
            self._evaluate[key] = tf.function(
                self._terms_and_gradient, input_signature=[_PICTURE, content, scale, *per_octave], autograph=False
            )
        terms, tensor = self._evaluate[key](
            tf.constant(image), targets.content, targets.content_scale, targets.style,
            list(guidance.weights), list(guidance.shares),
        )  # fmt: skip
        return self._with_pixels(image, targets, terms, tensor.numpy())

    def _with_pixels(
        self, image: np.ndarray, targets: PerceptualTargets, terms: Any, gradient: Any = 0.0
    ) -> tuple[dict[str, Any], Any]:
        """Return the terms as floats, and the gradient, both with the losses of pixels alone, which need no graph."""
        terms, config, guidance = tf.nest.map_structure(float, terms), self._config, targets.guidance

        def add(weight: float, loss: float, slope: np.ndarray) -> float:
            nonlocal gradient
            terms["total"] += weight * loss
            # In place, one after the other: at 12 megapixels each is 150 MB.
            slope *= np.float32(weight)
            slope += gradient
            gradient = slope
            return loss

        terms["total_variation"] = add(config.total_variation_weight, *total_variation(image, config.normalization))
        if config.frame_weight:
            add(config.frame_weight, *frame_loss(image))
        for target, mask, area in zip(targets.palettes, guidance.masks, guidance.areas, strict=False):
            add(config.style_weight * config.palette_weight * area, *palette_loss(image, target, mask))
        return terms, gradient

    def _terms_and_gradient(
        self, image: Any, content: Any, content_scale: Any, style: Any, guides: Any, shares: Any
    ) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(image)
            terms = self(image, PerceptualTargets(content, content_scale, style, Guidance(guides, shares)))
        return terms, tape.gradient(terms["total"], image)

    def _guided_regions(self, guides: Mapping[str, Any]) -> int | None:
        """How many regions there are, None for the whole picture."""
        return len(next(iter(guides.values()))) if guides else None

    def _signature(self, regions: int | None) -> tuple[Any, Any, Any, Any, Any]:
        """Return content, content scale, and of one octave Gram matrices, guides and shares."""
        # One graph for all sizes: tracing again at each level of the pyramid costs more than dynamic shapes do.
        channels, count = self._encoder.channels, regions or 1
        content = {name: tf.TensorSpec([1, None, None, channels[name]], tf.float32) for name in self._content_layers}
        scale = {name: tf.TensorSpec([], tf.float32) for name in self._content_layers}
        style = {
            name: tf.TensorSpec([count, *[channels[name] + self._moments] * 2], tf.float32)
            for name in self._style_layers
        }
        plane = tf.TensorSpec([count, None, None], tf.float32)
        guides = dict.fromkeys(self._style_layers, plane) if regions else {}
        shares = dict.fromkeys(self._style_layers, tf.TensorSpec([count], tf.float32))
        return content, scale, style, guides, shares

    # ----------------------------------------------------------------------------------------------------------------
    # Tile by tile

    def _tiles(self, picture: Any, tile_px: int | None) -> list[Tile]:
        height, width = picture.shape[1:3]
        core_px = max(height, width) if tile_px is None or not _in_tiles(picture, tile_px) else tile_px
        grid = self._encoder.grid_px
        return list(tiles(height, width, -(-core_px // grid) * grid, self._encoder.reach_px))

    def _grams(self, picture: Any, tile_px: int | None, guides: Mapping[str, Any]) -> Mapping[str, Any]:
        sums = {name: tf.constant(0.0) for name in self._style_layers}
        for tile in self._tiles(picture, tile_px):
            features, parts = self._activations(_cropped(picture, tile)), self._parts(guides, tile)
            for name in self._style_layers:
                sums[name] += self._sums_of(self._core(features, name, picture, tile), parts.get(name))
        return self._means(picture, sums, guides)

    def _means(self, picture: Any, sums: Mapping[str, Any], guides: Mapping[str, Any]) -> dict[str, Any]:
        """Return Gram matrices of their sums over positions; guides sum to 1 already."""
        return {name: total if guides else total / self._positions(picture, name) for name, total in sums.items()}

    def _content_features(self, content: Any, tile_px: int | None) -> Mapping[str, Any]:
        """Return the activations of the whole picture: tensors, or arrays if they were put together from tiles."""
        if not _in_tiles(content, tile_px):
            features = self._activations(tf.constant(content))
            return {name: tf.cast(features[name], tf.float32) for name in self._content_layers}
        whole = {}
        for name in self._content_layers:
            stride = self._encoder.strides[name]
            size = (content.shape[1] // stride, content.shape[2] // stride)
            whole[name] = np.empty((1, *size, self._encoder.channels[name]), self._target_type)
        for tile in self._tiles(content, tile_px):
            features = self._activations(_cropped(content, tile))
            for name, target in whole.items():
                self._place(target, name, tile)[...] = self._core(features, name, content, tile)
        return whole

    def _core(self, features: Mapping[str, Any], name: str, picture: Any, tile: Tile) -> Any:
        stride = self._encoder.strides[name]
        rows, columns = tile.core_at(stride, picture.shape[1] // stride, picture.shape[2] // stride)
        return features[name][:, rows, columns]

    def _place(self, whole: Any, name: str, tile: Tile) -> Any:
        """Return the part of the whole picture's activation, or guides, that the tile's core makes."""
        rows, columns = tile.place_at(self._encoder.strides[name], *whole.shape[1:3])
        return whole[:, rows, columns]

    def _parts(self, whole: Mapping[str, Any], tile: Tile) -> dict[str, Any]:
        return {name: tf.cast(self._place(each, name, tile), tf.float32) for name, each in whole.items()}

    def _positions(self, picture: Any, name: str) -> Any:
        stride, shape = self._encoder.strides[name], tf.shape(picture)
        return tf.cast((shape[1] // stride) * (shape[2] // stride), tf.float32)

    def _tiled_value_and_gradient(
        self, image: Any, targets: PerceptualTargets, tile_px: int
    ) -> tuple[dict[str, Any], np.ndarray]:
        pictures = list(octave_pyramid(tf.constant(image), len(targets.style)))
        gram_sums, squares = self._tiled_sums(pictures, targets, tile_px)
        with tf.GradientTape() as tape:
            tape.watch([squares, gram_sums])
            terms = self._terms_of_sums(pictures, gram_sums, squares, targets)
        of_squares, of_grams = tape.gradient(terms["total"], [squares, gram_sums])

        coarser: np.ndarray | None = None
        for octave in reversed(range(len(pictures))):
            picture, content = pictures[octave], targets.content if octave == 0 else {}
            guides = targets.guidance.weights[octave]
            own = np.zeros(picture.shape, np.float32)
            slopes = of_grams[octave], of_squares if content else {}
            for tile in self._tiles(picture, tile_px):
                function = self._tile_function(self._sums_gradient, content, guides)
                rows, columns = tile.crop
                own[:, rows, columns] += function(*self._tile(picture, tile, content, guides), *slopes).numpy()
            if coarser is not None:
                height, width = coarser.shape[1:3]
                own[:, : 2 * height, : 2 * width] += np.repeat(np.repeat(coarser, 2, axis=1), 2, axis=2) / 4
            coarser = own
        assert coarser is not None
        return terms, coarser

    def _tiled_sums(
        self, pictures: Sequence[Any], targets: PerceptualTargets, tile_px: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the Gram sums of every octave, and the sums of squared differences from the content."""
        squares = {name: tf.constant(0.0) for name in self._content_layers}
        gram_sums = [{name: tf.constant(0.0) for name in self._style_layers} for _ in pictures]
        for octave, (picture, sums) in enumerate(zip(pictures, gram_sums, strict=True)):
            content, guides = targets.content if octave == 0 else {}, targets.guidance.weights[octave]
            function = self._tile_function(self._sums, content, guides)
            for tile in self._tiles(picture, tile_px):
                grams, squared = function(*self._tile(picture, tile, content, guides))
                for name, value in grams.items():
                    sums[name] += value
                for name, value in squared.items():
                    squares[name] += value
        return gram_sums, squares

    def _terms_of_sums(
        self,
        pictures: Sequence[Any],
        gram_sums: Sequence[Mapping[str, Any]],
        squares: Mapping[str, Any],
        targets: PerceptualTargets,
    ) -> dict[str, Any]:
        octaves = zip(pictures, gram_sums, targets.guidance.weights, strict=True)
        grams = [self._means(picture, sums, guides) for picture, sums, guides in octaves]
        return self._terms(_Statistics(squares, grams), targets)

    def _tile(
        self, picture: Any, tile: Tile, content: Mapping[str, Any], guides: Mapping[str, Any]
    ) -> tuple[Any, Any, Any, Any]:
        """Return what `_sums` takes: the crop, the core's place in each layer, its parts of the content and guides."""
        cores = {}
        for name, stride in self._encoder.strides.items():
            rows, columns = tile.core_at(stride, picture.shape[1] // stride, picture.shape[2] // stride)
            cores[name] = tf.constant([rows.start, rows.stop, columns.start, columns.stop])
        return _cropped(picture, tile), cores, self._parts(content, tile), self._parts(guides, tile)

    def _tile_function(self, function: Any, content: Mapping[str, Any], guides: Mapping[str, Any]) -> Any:
        # One graph for all tiles, and another where no content is compared.
        key = function.__name__, bool(content), self._guided_regions(guides)
        if key not in self._tile_functions:
            parts, squares, style, planes, _ = self._signature(key[2])
            cores = {name: tf.TensorSpec([4], tf.int32) for name in self._encoder.layers}
            signature = [_PICTURE, cores, parts if content else {}, planes]
            if function == self._sums_gradient:
                signature += [style, squares if content else {}]
            self._tile_functions[key] = tf.function(function, input_signature=signature, autograph=False)
        return self._tile_functions[key]

    def _sums(self, crop: Any, cores: Any, content: Any, guides: Any) -> tuple[Any, Any]:
        """Return a tile's share of the Gram sums and of the squared differences from the content."""
        features = {}
        for name, activation in self._encoder(crop).items():
            top, bottom, left, right = tf.unstack(cores[name])
            features[name] = activation[:, top:bottom, left:right]
        squares = {name: squared_distance(features[name], target) for name, target in content.items()}
        return {name: self._sums_of(features[name], guides.get(name)) for name in self._style_layers}, squares

    def _sums_gradient(self, crop: Any, cores: Any, content: Any, guides: Any, of_grams: Any, of_squares: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(crop)
            grams, squares = self._sums(crop, cores, content, guides)
            inner = [tf.reduce_sum(of_grams[name] * gram) for name, gram in grams.items()]
            inner += [of_squares[name] * square for name, square in squares.items()]
            total = tf.add_n(inner)
        return tape.gradient(total, crop)


_PICTURE = tf.TensorSpec([1, None, None, 3], tf.float32)


def _in_tiles(image: Any, tile_px: int | None) -> bool:
    return tile_px is not None and image.shape[1] * image.shape[2] > tile_px**2


def _cropped(picture: Any, tile: Tile) -> Any:
    rows, columns = tile.crop
    return tf.constant(picture[:, rows, columns])


def _weighted(losses: Mapping[str, Any], weights: LayerWeights) -> Any:
    return tf.add_n([weight * losses[name] for name, weight in weights]) if weights else tf.constant(0.0)

"""What the content and the styles ask for at one size."""

from __future__ import annotations

import dataclasses
import functools
import math
import weakref
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.config import PerceptualLossConfig
from stylize.losses.features import TINY, content_scale
from stylize.losses.light import Light, lights_of
from stylize.losses.pixels import palette
from stylize.losses.places import PRICED_PLACES, STYLE_PLACES, StylePlaces, evenly_spread, joined_places, prices
from stylize.losses.regions import Regions, block_means, count_octaves, masked_regions, whole_picture
from stylize.losses.saliency import at_size, saliency_of, small_version
from stylize.losses.statistics import Compared, OctaveStatistics, StatisticsEncoder
from stylize.networks.backend import array_of, framework, numpy_of, ops, spec

__all__ = ["StyleTargets", "TargetEncoder", "Targets"]

# The content loss is divided by (spread of the style / spread of the content) to this power. With 0, a mosaic remains
# a pattern on a photograph; with 1, the scene is lost under bold styles.
_CONTENT_YIELD = 0.5
# Bounds that ratio, layer by layer, so that flat pictures cannot dominate. Ratios of pictures lie in 0.2 to 4.
_LARGEST_SPREAD_RATIO = 10.0
# Even of a picture that is too small, so many octaves are computed, if they are asked for: to compile another graph for
# the smallest levels of a pyramid takes longer.
_LEAST_OCTAVES = 3
# Added to the content's own style loss, by which the style loss is divided: a content that already has the style of a
# layer would otherwise get a weight without bound there.
_LEAST_OWN_LOSS = 0.1
# Bounds that loss, if relative, where `contrast_limit` is on. Beside a style of low contrast it is in the thousands:
# then the style would hardly count. Pictures of like contrast have up to 30 at relu5_1, and less than 10 elsewhere.
_LARGEST_OWN_LOSS = 20.0


@dataclass(frozen=True, eq=False)
class StyleTargets:
    """What one picture, or one region of a picture, asks for as a style at one size.

    Attributes:
        statistics: for each octave, by layer, Gram matrices or second moments (n, n).
        palette: its colours, (6, 256); None where the palette has no weight.
        places: by layer, the activations of its places (J, C); empty where places have no weight, and for a content
            whose own style is blended in.
    """

    statistics: OctaveStatistics
    palette: Any = None
    places: Mapping[str, NDArray[np.float32]] = dataclasses.field(default_factory=dict)

    def octave(self, number: int) -> Mapping[str, Any]:
        """Return the statistics of an octave, from 0, or the last ones where there are fewer."""
        return self.statistics[min(number, len(self.statistics) - 1)]

    @property
    def size_bytes(self) -> int:
        """About the memory that the targets take, in bytes."""
        arrays = [*self.places.values(), *(each for octave in self.statistics for each in octave.values())]
        return sum(4 * math.prod(each.shape) for each in arrays)


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of `Objective` at one size.

    Attributes:
        content: by layer, activations F* (1, h, w, C).
        saliency: by layer, how much each position counts, s (1, h, w, 1).
        content_scale: by layer, k in the equation of `stylize.losses.objective`.
        style: for each octave, by layer, statistics G* (R, n, n); of several styles their weighted mean.
        regions: the regions, with the shares q.
        palettes: a palette for each region, (6, 256); none where the palette has no weight.
        lights: the light of the content, in the cells of each size; none where light has no weight.
        places: by layer, what the places of each region are to look like; empty where places have no weight.
        places_areas: how much the places of each region count, (R,): its area, times the strength.
    """

    content: Mapping[str, Any]
    saliency: Mapping[str, Any]
    content_scale: Mapping[str, Any]
    style: OctaveStatistics
    regions: Regions
    palettes: Sequence[Any] = ()
    lights: Sequence[Light] = ()
    places: Mapping[str, Sequence[StylePlaces]] = dataclasses.field(default_factory=dict)
    places_areas: Any = None

    @functools.cached_property
    def by_layer(self) -> dict[str, tuple[Any, Any]]:
        """By layer, `style` and the shares of all octaves together: (O, R, n, n) and (O, R)."""
        return {
            name: (
                ops.stack([octave[name] for octave in self.style]),
                ops.stack([octave[name] for octave in self.regions.shares]),
            )
            for name in self.style[0]
        }

    @property
    def compared(self) -> Compared:
        """What the first octave is compared with, position by position."""
        places = {name: list(each) for name, each in self.places.items()}
        return Compared(dict(self.content), dict(self.saliency), places)

    def with_content_times(self, factor: float) -> Targets:
        """Return these targets with `factor` times the content loss of all layers."""
        return dataclasses.replace(self, content_scale={name: k * factor for name, k in self.content_scale.items()})

    def without_places(self) -> Targets:
        """Return these targets with a single place for each layer, which counts nothing: the same graph serves both."""
        places = {
            name: [StylePlaces(each.directions[:1], each.mean, each.prices[:1]) for each in styles]
            for name, styles in self.places.items()
        }
        return dataclasses.replace(self, places=places, places_areas=ops.zeros_like(self.places_areas))

    def with_prices(self, prices: Mapping[str, NDArray[np.float32]]) -> Targets:
        """Return these targets with the prices of `TargetEncoder.prices` for their places.

        Raises:
            ValueError: the prices are of other places.
        """
        expected = {
            f"{name}.{region}": each.prices.shape
            for name, styles in self.places.items()
            for region, each in enumerate(styles)
        }
        if {name: each.shape for name, each in prices.items()} != expected:
            raise ValueError(f"prices: expected one for each place of {', '.join(expected)}, received others")
        places = {
            name: [each._replace(prices=array_of(prices[f"{name}.{region}"])) for region, each in enumerate(styles)]
            for name, styles in self.places.items()
        }
        return dataclasses.replace(self, places=places)


class TargetEncoder:
    """Makes `Targets` of pictures."""

    def __init__(self, statistics: StatisticsEncoder, config: PerceptualLossConfig) -> None:
        self._statistics = statistics
        self._config = config

    @property
    def style_key(self) -> tuple[Hashable, ...]:
        """What `of_style` depends on beside the style: encoders of equal keys may share targets.

        A kept key keeps no encoder, whose weights may take 50 MB.
        """
        encoder, config = self._statistics.encoder, self._config
        extras = config.octaves, config.palette_weight > 0, config.places_weight > 0
        return weakref.ref(encoder), tuple(self._statistics.style_layers), config.statistics, *extras

    @property
    def has_light(self) -> bool:
        """Whether targets hold the light of the content."""
        return self._config.content_weight * self._config.light_weight > 0

    def encode(
        self,
        content: Any,
        styles: Sequence[tuple[Any, float]],
        tile_px: int | None = None,
        masks: NDArray[np.float32] | None = None,
    ) -> Targets:
        """Encode a content and its styles.

        Args:
            content: (1, H, W, 3), sRGB in [0, 1].
            styles: pairs of a picture (1, h, w, 3) and a weight; weights sum to 1.
            tile_px: pictures of more than tile_px^2 pixels are encoded tile by tile.
            masks: (R, H, W): one for all styles, or one for each style.
        """
        encoded = [(self.of_style(style, tile_px), weight) for style, weight in styles]
        own_regions = masks is not None and len(masks) > 1
        per_region = [[(targets, 1.0)] for targets, _ in encoded] if own_regions else [encoded]
        regions = self.regions([content, *(style for style, _ in styles)], masks)
        saliency = at_size(self.saliency(content), *content.shape[1:3])
        return self.join(content, per_region, regions, saliency, tile_px)

    def octaves(self, picture: Any) -> int:
        """Return how many octaves of a picture (1, H, W, 3) are computed. One graph serves all of the same number."""
        most = self._config.octaves
        return max(count_octaves(most, picture), min(most, _LEAST_OCTAVES))

    def regions(self, pictures: Sequence[Any], masks: NDArray[np.float32] | None = None) -> Regions:
        """Return the regions of masks (R, H, W) in [0, 1], or the whole picture.

        Args:
            pictures: the content and its styles, (1, H, W, 3). Octaves for which one is too small count nothing.
            masks: the masks, or None.
        """
        octaves, compared = self.octaves(pictures[0]), count_octaves(self._config.octaves, *pictures)
        layers = self._statistics.weighted_layers
        if masks is None:
            return whole_picture(layers, octaves, compared)
        strides = {name: self._statistics.encoder.strides[name] for name in layers}
        return masked_regions(masks, octaves, strides, compared)

    def of_style(self, style: Any, tile_px: int | None = None) -> StyleTargets:
        """Return the targets of one style (1, h, w, 3); they do not depend on the content."""
        (targets,) = self.of_regions(style, self.regions([style]), tile_px)
        places = self._statistics.places(style, STYLE_PLACES, tile_px)
        flat = {name: each.reshape(-1, each.shape[-1]) for name, each in places.items()}
        return dataclasses.replace(targets, places=flat)

    def of_regions(self, picture: Any, regions: Regions, tile_px: int | None = None) -> list[StyleTargets]:
        """Return what each region of a picture (1, h, w, 3) would ask for as a style."""
        statistics = self._statistics.of_style(picture, regions, tile_px)
        return [
            StyleTargets(
                [{name: each[region] for name, each in octave.items()} for octave in statistics],
                palette(picture, mask) if self._config.palette_weight else None,
            )
            for region, mask in enumerate(regions.masks or [None])
        ]

    def join(
        self,
        content: Any,
        per_region: Sequence[Sequence[tuple[StyleTargets, float]]],
        regions: Regions,
        saliency: NDArray[np.float32],
        tile_px: int | None = None,
        *,
        compared: Any = None,
    ) -> Targets:
        """Join a content (1, H, W, 3), the targets of each region's styles with their weights, and s of each pixel.

        The content loss is that from `compared`, (1, H, W, 3), or from the content, if None. Where a style has fewer
        octaves than the content, its last one stands for the others, which count nothing.
        """
        features = self._statistics.content_features(content if compared is None else compared, tile_px)
        style = [
            {
                name: ops.stack([sum(w * t.octave(octave)[name] for t, w in styles) for styles in per_region])
                for name in self._statistics.style_layers
            }
            for octave in range(regions.octaves)
        ]
        scale = {name: content_scale(target, self._config.normalization) for name, target in features.items()}
        if self._config.relative_to_content:
            own = self._statistics.of_style(content, regions, tile_px)
            ratio = self._spread_ratio(own[0], style[0], regions.shares[0])
            scale = {name: each / ratio**_CONTENT_YIELD for name, each in scale.items()}
            regions = dataclasses.replace(regions, shares=self._relative_shares(own, style, regions))
        if self._config.enough_positions:
            regions = dataclasses.replace(regions, shares=self._shares_by_positions(content, regions))
        palettes = [
            array_of(sum(weight * targets.palette for targets, weight in styles))
            for styles in per_region
            if self._config.palette_weight
        ]
        places = {
            name: [joined_places([(t.places[name], w) for t, w in styles if t.places]) for styles in per_region]
            for name in self._statistics.places_layers
        }
        # A content that is blended in, with a strength below 1, asks for no places.
        shares = [sum(weight for targets, weight in styles if targets.places) for styles in per_region]
        areas = regions.areas * array_of(shares)
        lights = lights_of(content, self._config.light_detail) if self.has_light else []
        strides, plane = self._statistics.encoder.strides, array_of(saliency[None, ..., None])
        per_layer = {name: block_means(plane, strides[name]) for name in features}
        return Targets(features, per_layer, scale, style, regions, palettes, lights, places, areas)

    def saliency(self, content: Any) -> NDArray[np.float32]:
        """Return s of `losses.saliency` for a content (1, H, W, 3): (n, m), or (1, 1) without saliency."""
        if not (self._config.saliency and self._statistics.content_layers):
            return np.ones((1, 1), np.float32)
        return saliency_of(self._statistics.energies(small_version(numpy_of(content))), self._config.saliency)

    def prices(self, targets: Targets, picture: Any, tile_px: int | None = None) -> dict[str, NDArray[np.float32]]:
        """Return prices for `Targets.with_prices`: of a transport from the places of a picture (1, H, W, 3)."""
        found = {}
        for name, features in self._statistics.places(picture, PRICED_PLACES, tile_px).items():
            activations = array_of(features.reshape(-1, features.shape[-1]))
            guides = targets.regions.position_weights[0].get(name)
            for region, places in enumerate(targets.places[name]):
                weights = ops.ones_like(activations[:, 0])
                if guides is not None:
                    height, width = guides.shape[1:]
                    weights = ops.reshape(guides[region][evenly_spread(height, width, PRICED_PLACES)], (-1,))
                found[f"{name}.{region}"] = numpy_of(_compiled_prices()(activations, weights, places))
        return found

    def _spread_ratio(self, own: Mapping[str, Any], style: Mapping[str, Any], shares: Mapping[str, Any]) -> Any:
        """Return how widely the style's activations vary relative to the content's: a geometric mean over layers.

        Norms of covariances are compared. Mean activations are large in any bright or busy picture.
        """
        logs = []
        for name in self._statistics.style_layers:
            ours, theirs = (self._spread(each[name], shares[name]) for each in (own, style))
            logs.append(ops.log(ops.clip(theirs / ours, 1 / _LARGEST_SPREAD_RATIO, _LARGEST_SPREAD_RATIO)))
        return ops.exp(sum(logs, array_of(0.0)) / max(1, len(logs)))

    def _spread(self, statistics: Any, shares: Any) -> Any:
        covariance = self._statistics.style.covariance(statistics)
        return ops.sum(shares * ops.sqrt(ops.sum(ops.square(covariance), (-2, -1)))) + TINY

    def _relative_shares(
        self, own: OctaveStatistics, style: OctaveStatistics, regions: Regions
    ) -> list[dict[str, Any]]:
        """Return the shares divided by the style loss of the content itself, octave by octave and layer by layer."""
        normalization = self._config.normalization
        bounded = self._config.contrast_limit > 0 and normalization == "relative"
        most = _LARGEST_OWN_LOSS if bounded else math.inf

        def own_loss(ours: Any, theirs: Any) -> Any:
            return ops.minimum(most, self._statistics.style.loss(ours, theirs, normalization))

        return [
            {
                name: share / (_LEAST_OWN_LOSS + own_loss(own[octave][name], style[octave][name]))
                for name, share in shares.items()
                if name in self._statistics.style_layers
            }
            for octave, shares in enumerate(regions.shares)
        ]

    def _shares_by_positions(self, content: Any, regions: Regions) -> list[dict[str, Any]]:
        """Return the shares, lowered in proportion where a layer of the content has fewer than enough positions."""
        height, width = content.shape[1:3]
        strides = self._statistics.encoder.strides
        lowered = []
        for octave, shares in enumerate(regions.shares):
            sides = {name: strides[name] << octave for name in shares}
            counts = {name: regions.areas * ((height // side) * (width // side)) for name, side in sides.items()}
            enough = {name: ops.minimum(1.0, count / self._config.enough_positions) for name, count in counts.items()}
            lowered.append({name: share * enough[name] for name, share in shares.items()})
        return lowered


@functools.cache
def _compiled_prices() -> Any:
    style = StylePlaces(spec(None, None), spec(None), spec(None))
    return framework.compiled(prices, [spec(None, None), spec(None), style])

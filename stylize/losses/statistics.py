"""A picture to the sums over positions that the content and style losses are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylize.config import PerceptualLossConfig
from stylize.layers import PLACES_LAYERS
from stylize.losses.features import GramMatrices, Moments, StyleStatistics, squared_distance
from stylize.losses.places import StylePlaces, evenly_spread, places_sum
from stylize.losses.regions import Regions, octave_pyramid, region_count
from stylize.losses.tiles import PICTURE, Tile, crop, fits_whole, tiles
from stylize.networks.backend import array_of, framework, numpy_of, ops, spec
from stylize.networks.vgg import FeatureEncoder

__all__ = ["Compared", "OctaveStatistics", "Statistics", "StatisticsEncoder"]

#: For each octave, by layer: Gram matrices (C, C) or second moments (C + 1, C + 1), with or without a leading axis of
#: regions (R, ...).
OctaveStatistics = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Statistics:
    """All that the content and style losses know of a picture.

    Attributes:
        content: by layer, the sums of s |F - F*|^2.
        style: for each octave, by layer, the statistics of the R regions, (R, n, n).
        places: by layer, the places loss of the R regions, (R,).
    """

    content: Mapping[str, Any]
    style: OctaveStatistics
    places: Mapping[str, Any]


class Compared(NamedTuple):
    """What the first octave of a picture is compared with, position by position; nothing at the others.

    Attributes:
        content: by layer, the target activations F*.
        saliency: by layer, how much each position of the content counts, s.
        places: by layer, what the places of each region are to look like.
    """

    content: Mapping[str, Any] = {}
    saliency: Mapping[str, Any] = {}
    places: Mapping[str, Sequence[StylePlaces]] = {}


class StatisticsEncoder:
    """Encodes a picture, a tile of one, or all tiles in turn, and sums over positions."""

    def __init__(self, encoder: FeatureEncoder, config: PerceptualLossConfig) -> None:
        self.encoder = encoder
        self.content_layers = [name for name, _ in config.content_layers]
        self.style_layers = [name for name, _ in config.style_layers]
        self.places_layers = list(PLACES_LAYERS) if config.places_weight else []
        self.style: StyleStatistics = Moments() if config.statistics == "moments" else GramMatrices()
        self._activations = framework.compiled(encoder, [PICTURE])
        self._whole: dict[int | None, Any] = {}
        # Activations put together from tiles are large. float16 keeps all digits of bfloat16.
        self.content_type = np.float16 if encoder.precision == "bfloat16" else np.float32

    def sums(
        self,
        picture: Any,
        compared: Compared,
        weights: Mapping[str, Any],
        cores: Sequence[tuple[Any, Any, Any, Any]] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Encode a picture and return its sums; part of the graph of a step.

        Args:
            picture: (1, H, W, 3): the whole picture, or a tile with its halo.
            compared: contents and places.
            weights: by layer, weights of positions (R, h, w); empty for the whole picture as one region.
            cores: of a tile, for each of the encoder's layers, (top, bottom, left, right) of the positions that count.

        Returns:
            By layer, the style sums (R, n, n); the sums of s |F - F*|^2; and those of the places loss (R,).
        """
        features = self.encoder(picture)
        if cores is not None:
            for name, (top, bottom, left, right) in zip(self.encoder.layers, cores, strict=True):
                features[name] = features[name][:, top:bottom, left:right]
        squares = {
            name: squared_distance(features[name], target, compared.saliency[name])
            for name, target in compared.content.items()
        }
        distances = {
            name: ops.stack(
                [
                    places_sum(features[name], style, region)
                    for style, region in zip(styles, _regions(weights.get(name)), strict=True)
                ]
            )
            for name, styles in compared.places.items()
        }
        style = {name: self._region_sums(features[name], weights.get(name)) for name in self.style_layers}
        return style, squares, distances

    def _region_sums(self, features: Any, weights: Any) -> Any:
        return ops.stack([self.style.sums(features, region) for region in _regions(weights)])

    def means(self, picture: Any, sums: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, Any]:
        """Divide sums over the positions of `picture` by their number; weights sum to 1 already."""
        return {name: total if weights else total / self._positions(picture, name) for name, total in sums.items()}

    def _positions(self, picture: Any, name: str) -> Any:
        stride, shape = self.encoder.strides[name], ops.shape(picture)
        return ops.cast((shape[1] // stride) * (shape[2] // stride), "float32")

    def signature(self, regions: int | None) -> tuple[Compared, dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Return the tensor specifications, by layer, of what is compared, content scales, style, and weights.

        Sizes are left open: one graph serves all levels of the pyramid. To trace again at each level takes longer than
        a dynamic shape does.

        Args:
            regions: the number of masked regions, None for the whole picture.
        """
        channels, count, extra = self.encoder.channels, regions or 1, self.style.extra_channels
        content = {name: spec(1, None, None, channels[name]) for name in self.content_layers}
        saliency = {name: spec(1, None, None, 1) for name in self.content_layers}
        scales = {name: spec() for name in self.content_layers}
        style = {name: spec(count, channels[name] + extra, channels[name] + extra) for name in self.style_layers}
        plane = spec(count, None, None)
        weights = dict.fromkeys(self.weighted_layers, plane) if regions else {}
        places = {
            name: [StylePlaces(spec(None, channels[name]), spec(channels[name]), spec(None))] * count
            for name in self.places_layers
        }
        return Compared(content, saliency, places), scales, style, weights

    @property
    def weighted_layers(self) -> list[str]:
        """The layers whose positions get weights from masks."""
        return [*self.style_layers, *(name for name in self.places_layers if name not in self.style_layers)]

    # ----------------------------------------------------------------------------------------------------------------
    # Of targets, which are encoded once

    def of_style(self, picture: Any, regions: Regions, tile_px: int | None = None) -> list[Mapping[str, Any]]:
        """Return the style statistics of a picture (1, H, W, 3): for each octave, by layer, (R, n, n)."""
        pictures = octave_pyramid(array_of(picture), regions.octaves)
        return [
            self._of_octave(each, tile_px, weights)
            for each, weights in zip(pictures, regions.position_weights, strict=True)
        ]

    def _of_octave(self, picture: Any, tile_px: int | None, weights: Mapping[str, Any]) -> Mapping[str, Any]:
        if fits_whole(picture, tile_px):
            means: Mapping[str, Any] = self._encoded(picture, weights)[0]
            return means
        sums: dict[str, Any] = dict.fromkeys(self.style_layers, 0.0)
        for tile in self.tiles(picture, tile_px):
            features, parts = self._activations(crop(picture, tile)), self.parts(weights, tile)
            for name in self.style_layers:
                sums[name] = sums[name] + self._region_sums(self._core(features, name, picture, tile), parts.get(name))
        return self.means(picture, sums, weights)

    def content_features(self, content: Any, tile_px: int | None = None) -> Mapping[str, Any]:
        """Return the content layers' activations of (1, H, W, 3): float32 tensors, or arrays where tiles made them."""
        if fits_whole(content, tile_px):
            activations: Mapping[str, Any] = self._encoded(content, {})[1]
            return activations
        whole = {}
        for name in self.content_layers:
            whole[name] = np.empty((1, *self._size(content, name), self.encoder.channels[name]), self.content_type)
        for tile in self.tiles(content, tile_px):
            features = self._activations(crop(content, tile))
            for name, target in whole.items():
                core = ops.cast(self._core(features, name, content, tile), "float32")
                self._place(target, name, tile)[...] = numpy_of(core)
        return whole

    def energies(self, picture: Any) -> NDArray[np.float32]:
        """Return |F|^2 of the deepest layer at each of its positions in a whole picture (1, H, W, 3): (h, w)."""
        deepest = self._activations(array_of(picture))[self.encoder.layers[-1]]
        energies: NDArray[np.float32] = numpy_of(ops.sum(ops.square(ops.cast(deepest, "float32")), axis=-1))[0]
        return energies

    def places(self, picture: Any, most: int, tile_px: int | None = None) -> dict[str, NDArray[np.float32]]:
        """Return, by layer, the activations of (1, H, W, 3) at no more than `most` places: (1, h, w, C)."""
        found = {}
        for name in self.places_layers:
            size = self._size(picture, name)
            spread = zip(evenly_spread(*size, most), size, strict=True)
            counts = [len(range(side)[chosen]) for chosen, side in spread]
            found[name] = np.empty((1, *counts, self.encoder.channels[name]), np.float32)
        for tile in self.tiles(picture, tile_px) if found else []:
            features = self._activations(crop(picture, tile))
            for name, target in found.items():
                size = self._size(picture, name)
                # The places that lie in the tile's core, and where they lie in the result.
                place = tile.place_at(self.encoder.strides[name], *size)
                inside = [_within(every, part) for every, part in zip(evenly_spread(*size, most), place, strict=True)]
                core = self._core(features, name, picture, tile)
                (rows, to_rows), (columns, to_columns) = inside
                target[:, to_rows, to_columns] = numpy_of(ops.cast(core[:, rows, columns], "float32"))
        return found

    def _size(self, picture: Any, name: str) -> tuple[int, int]:
        stride = self.encoder.strides[name]
        return picture.shape[1] // stride, picture.shape[2] // stride

    def _encoded(self, picture: Any, weights: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the style statistics of a whole picture and the content layers' activations: one graph for both."""
        count = region_count(weights)
        if count not in self._whole:
            planes = self.signature(count)[3]
            self._whole[count] = framework.compiled(self._statistics_and_content, [PICTURE, planes])
        encoded: tuple[Any, Any] = self._whole[count](array_of(picture), weights)
        return encoded

    def _statistics_and_content(self, picture: Any, weights: Mapping[str, Any]) -> tuple[Any, Any]:
        features = self.encoder(picture)
        sums = {name: self._region_sums(features[name], weights.get(name)) for name in self.style_layers}
        content = {name: ops.cast(features[name], "float32") for name in self.content_layers}
        return self.means(picture, sums, weights), content

    # ----------------------------------------------------------------------------------------------------------------
    # Tiles on the layers' grids

    def tiles(self, picture: Any, tile_px: int | None) -> list[Tile]:
        """Return the tiles of a picture (1, H, W, 3): one where the picture fits whole."""
        height, width = picture.shape[1:3]
        core_px = max(height, width) if tile_px is None or fits_whole(picture, tile_px) else tile_px
        grid = self.encoder.grid_px
        return list(tiles(height, width, -(-core_px // grid) * grid, self.encoder.reach_px))

    def core_of(self, picture: Any, name: str, tile: Tile) -> tuple[slice, slice]:
        """Return rows and columns of the tile's core in the activation that layer `name` makes of the crop."""
        return tile.core_at(self.encoder.strides[name], *self._size(picture, name))

    def parts(self, whole: Mapping[str, Any], tile: Tile) -> dict[str, Any]:
        """Return, by layer, the parts of whole activations or position weights that the tile's core makes."""
        return {name: array_of(self._place(each, name, tile)) for name, each in whole.items()}

    def _core(self, features: Mapping[str, Any], name: str, picture: Any, tile: Tile) -> Any:
        rows, columns = self.core_of(picture, name, tile)
        return features[name][:, rows, columns]

    def _place(self, whole: Any, name: str, tile: Tile) -> Any:
        rows, columns = tile.place_at(self.encoder.strides[name], *whole.shape[1:3])
        return whole[:, rows, columns]


def _regions(weights: Any) -> list[Any]:
    """Return the weights of each region (h, w), or None for the whole picture as one region."""
    return [None] if weights is None else [weights[region] for region in range(weights.shape[0])]


def _within(every: slice, part: slice) -> tuple[slice, slice]:
    """Return the positions of `every` that lie in `part`: as a slice of the part, and as a slice of `every`.

    Both are slices of one activation: `part` ends no later than `every`.
    """
    before = len(range(every.start, part.start, every.step))
    first = every.start + before * every.step
    return slice(first - part.start, part.stop - part.start, every.step), slice(
        before, before + len(range(first, part.stop, every.step))
    )

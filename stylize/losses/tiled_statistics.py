"""The same losses, tile by tile: exact statistics and gradients in memory that does not grow with the picture.

Statistics are sums over positions. A first pass over overlapping tiles computes the sums. A second pass computes each
tile's gradient from the finished sums. The halo of a tile is as wide as an activation sees to one side, so that the
activations of its core are those of the whole picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stylize.losses.regions import Regions, region_count
from stylize.losses.statistics import Compared, StatisticsEncoder
from stylize.losses.tiles import PICTURE, Tile, crop
from stylize.networks.backend import framework, ops, spec

__all__ = ["TiledStatistics"]


class TiledStatistics:
    """The two passes over the tiles of a picture: the sums, then the gradient."""

    def __init__(self, statistics: StatisticsEncoder) -> None:
        self._statistics = statistics
        self._graphs: dict[tuple[bool, bool, int | None], Any] = {}

    def sums(
        self,
        pictures: Sequence[Any],
        compared: Compared,
        regions: Regions,
        tile_px: int,
    ) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
        """Return the style sums of every octave, and by layer the sums of s |F - F*|^2 and of the places loss.

        Args:
            pictures: the picture at each octave, (1, H, W, 3).
            compared: content and places, at the first octave.
            regions: the regions of the picture.
            tile_px: side of a core.
        """
        squares: dict[str, Any] = dict.fromkeys(self._statistics.content_layers, 0.0)
        distances: dict[str, Any] = dict.fromkeys(compared.places, 0.0)
        style_sums: list[dict[str, Any]] = [dict.fromkeys(self._statistics.style_layers, 0.0) for _ in pictures]
        for octave, (picture, sums) in enumerate(zip(pictures, style_sums, strict=True)):
            here, weights = compared if octave == 0 else Compared(), regions.position_weights[octave]
            graph = self._graph(slopes=False, largest=octave == 0, weights=weights)
            for tile in self._tiles(picture, octave, tile_px):
                parts = graph(*self._arguments(picture, tile, here, weights))
                for totals, part in zip((sums, squares, distances), parts, strict=True):
                    for name, value in part.items():
                        totals[name] = totals[name] + value
        return style_sums, squares, distances

    def gradient(
        self,
        pictures: Sequence[Any],
        compared: Compared,
        regions: Regions,
        tile_px: int,
        slopes: tuple[Sequence[Mapping[str, Any]], Mapping[str, Any], Mapping[str, Any]],
    ) -> Any:
        """Return the gradient of the loss with respect to the first of `pictures`, (H, W, 3).

        Args:
            pictures: as of `sums`.
            compared: as of `sums`.
            regions: as of `sums`.
            tile_px: as of `sums`.
            slopes: the gradient of the loss with respect to what `sums` returns.
        """
        coarser: Any = None
        for octave in reversed(range(len(pictures))):
            picture, weights = pictures[octave], regions.position_weights[octave]
            here = compared if octave == 0 else Compared()
            graph = self._graph(slopes=True, largest=octave == 0, weights=weights)
            own = ops.zeros(picture.shape[1:], "float32")
            at_octave = slopes[0][octave], *(slopes[1:] if octave == 0 else ({}, {}))
            for tile in self._tiles(picture, octave, tile_px):
                _, _, slope = graph(*self._arguments(picture, tile, here, weights), at_octave)
                own = framework.add_window(own, slope[0], tile.crop_rows[0], tile.crop_columns[0])
            if coarser is not None and coarser.shape == own.shape:  # a repeated octave
                own = own + coarser
            elif coarser is not None:
                # An octave is a mean over 2 x 2 px of the next larger one.
                own = framework.add_window(own, ops.repeat(ops.repeat(coarser, 2, axis=0), 2, axis=1) / 4, 0, 0)
            coarser = own
        return coarser

    def _tiles(self, picture: Any, octave: int, tile_px: int) -> list[Tile]:
        """Return the tiles of an octave; none where nothing looks at it: content and places look at the first."""
        return self._statistics.tiles(picture, tile_px) if octave == 0 or self._statistics.style_layers else []

    def _sum_of_slopes(
        self, picture: Any, compared: Compared, weights: Any, cores: Any, slopes: tuple[Any, Any, Any]
    ) -> Any:
        """Return a scalar whose gradient is the tile's part of the loss's gradient, by the chain rule."""
        sums = self._statistics.sums(picture, compared, weights, cores)
        parts = [ops.sum(slope[name] * each[name]) for slope, each in zip(slopes, sums, strict=True) for name in each]
        return sum(parts), ()

    def _arguments(self, picture: Any, tile: Tile, compared: Compared, weights: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the arguments of `StatisticsEncoder.sums` for one tile."""
        cores = [self._statistics.core_of(picture, name, tile) for name in self._statistics.encoder.layers]
        edges = tuple((rows.start, rows.stop, columns.start, columns.stop) for rows, columns in cores)
        parts = self._statistics.parts
        here = compared._replace(content=parts(compared.content, tile), saliency=parts(compared.saliency, tile))
        return crop(picture, tile), here, parts(weights, tile), edges

    def _graph(self, *, slopes: bool, largest: bool, weights: Mapping[str, Any]) -> Any:
        """Return the compiled sums, or with `slopes` their gradient: the same for all tiles and sizes.

        Args:
            slopes: return the gradient.
            largest: of the first octave, where content and places are compared.
            weights: the weights of the regions.
        """
        key = slopes, largest, region_count(weights)
        if key not in self._graphs:
            compared, squares, style, planes = self._statistics.signature(key[2])
            distances = {name: spec(len(each)) for name, each in compared.places.items()}
            edges = ((spec(dtype="int32"),) * 4,) * len(self._statistics.encoder.layers)
            signature = [PICTURE, compared if largest else Compared(), planes, edges]
            function: Any = self._statistics.sums
            if slopes:
                signature += [(style, squares, distances) if largest else (style, {}, {})]
                function = framework.value_and_gradient(self._sum_of_slopes)
            self._graphs[key] = framework.compiled(function, signature)
        return self._graphs[key]

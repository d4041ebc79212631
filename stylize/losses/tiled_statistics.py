"""The same losses, tile by tile: exact statistics and gradients in memory that does not grow with the picture.

Statistics are sums over positions. A first pass over overlapping tiles computes the sums. A second pass computes each
tile's gradient from the finished sums. The halo of a tile is as wide as the network's receptive field, so that the
activations of its core are those of the whole picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stylize.losses.regions import Regions, region_count
from stylize.losses.statistics import StatisticsEncoder
from stylize.losses.tiles import PICTURE, Tile, crop
from stylize.networks.backend import framework, ops, spec

__all__ = ["TiledStatistics"]


class TiledStatistics:
    """The two passes over the tiles of a picture: the sums, then the gradient."""

    def __init__(self, statistics: StatisticsEncoder) -> None:
        self._statistics = statistics
        self._graphs: dict[tuple[bool, bool, int | None], Any] = {}

    def sums(
        self, pictures: Sequence[Any], content: Mapping[str, Any], regions: Regions, tile_px: int
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the style sums of every octave, and |F - F*|^2 by layer.

        Args:
            pictures: the picture at each octave, (1, H, W, 3).
            content: by layer, the target activations.
            regions: the regions of the picture.
            tile_px: side of a core.
        """
        squares: dict[str, Any] = dict.fromkeys(self._statistics.content_layers, 0.0)
        style_sums: list[dict[str, Any]] = [dict.fromkeys(self._statistics.style_layers, 0.0) for _ in pictures]
        for octave, (picture, sums) in enumerate(zip(pictures, style_sums, strict=True)):
            compared, weights = content if octave == 0 else {}, regions.position_weights[octave]
            graph = self._graph(slopes=False, content=compared, weights=weights)
            for tile in self._statistics.tiles(picture, tile_px):
                of_style, of_content = graph(*self._arguments(picture, tile, compared, weights))
                for name, value in of_style.items():
                    sums[name] = sums[name] + value
                for name, value in of_content.items():
                    squares[name] = squares[name] + value
        return style_sums, squares

    def gradient(
        self,
        pictures: Sequence[Any],
        content: Mapping[str, Any],
        regions: Regions,
        tile_px: int,
        slopes: tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]],
    ) -> Any:
        """Return the gradient of the loss with respect to the first of `pictures`, (H, W, 3).

        Args:
            pictures: as of `sums`.
            content: as of `sums`.
            regions: as of `sums`.
            tile_px: as of `sums`.
            slopes: the gradient of the loss with respect to what `sums` returns.
        """
        coarser: Any = None
        for octave in reversed(range(len(pictures))):
            picture, compared = pictures[octave], content if octave == 0 else {}
            weights = regions.position_weights[octave]
            graph = self._graph(slopes=True, content=compared, weights=weights)
            own = ops.zeros(picture.shape[1:])
            at_octave = slopes[0][octave], slopes[1] if compared else {}
            for tile in self._statistics.tiles(picture, tile_px):
                _, _, slope = graph(*self._arguments(picture, tile, compared, weights), at_octave)
                own = framework.add_window(own, slope[0], tile.crop_rows[0], tile.crop_columns[0])
            if coarser is not None:
                # An octave is a mean over 2 x 2 px of the next larger one.
                own = framework.add_window(own, ops.repeat(ops.repeat(coarser, 2, axis=0), 2, axis=1) / 4, 0, 0)
            coarser = own
        return coarser

    def _sum_of_slopes(self, picture: Any, content: Any, weights: Any, cores: Any, slopes: tuple[Any, Any]) -> Any:
        """Return a scalar whose gradient is the tile's part of the loss's gradient, by the chain rule."""
        of_style, of_content = self._statistics.sums(picture, content, weights, cores)
        parts = [ops.sum(slopes[0][name] * sums) for name, sums in of_style.items()]
        parts += [slopes[1][name] * square for name, square in of_content.items()]
        return sum(parts), ()

    def _arguments(
        self, picture: Any, tile: Tile, content: Mapping[str, Any], weights: Mapping[str, Any]
    ) -> tuple[Any, Any, Any, Any]:
        """Return the arguments of `StatisticsEncoder.sums` for one tile."""
        cores = [self._statistics.core_of(picture, name, tile) for name in self._statistics.encoder.layers]
        edges = tuple((rows.start, rows.stop, columns.start, columns.stop) for rows, columns in cores)
        parts = self._statistics.parts
        return crop(picture, tile), parts(content, tile), parts(weights, tile), edges

    def _graph(self, *, slopes: bool, content: Mapping[str, Any], weights: Mapping[str, Any]) -> Any:
        """Return the compiled sums, or with `slopes` their gradient: the same for all tiles and sizes."""
        key = slopes, bool(content), region_count(weights)
        if key not in self._graphs:
            parts, squares, style, planes = self._statistics.signature(key[2])
            edges = ((spec(dtype="int32"),) * 4,) * len(self._statistics.encoder.layers)
            signature = [PICTURE, parts if content else {}, planes, edges]
            function: Any = self._statistics.sums
            if slopes:
                signature += [(style, squares if content else {})]
                function = framework.value_and_gradient(self._sum_of_slopes)
            self._graphs[key] = framework.compiled(function, signature)
        return self._graphs[key]

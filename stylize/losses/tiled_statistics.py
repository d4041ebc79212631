"""The same losses, tile by tile: exact statistics and gradients in memory that does not grow with the picture.

Statistics are sums over positions. A first pass over overlapping tiles computes the sums. A second pass computes each
tile's gradient from the finished sums. The halo of a tile is as wide as the network's receptive field, so that the
activations of its core are those of the whole picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.losses.regions import Regions, region_count
from stylize.losses.statistics import StatisticsEncoder
from stylize.losses.tiles import PICTURE, Tile, crop
from stylize.networks.backend import tf

__all__ = ["TiledStatistics"]


class TiledStatistics:
    """The two passes over the tiles of a picture: the sums, then the gradient."""

    def __init__(self, statistics: StatisticsEncoder) -> None:
        self._statistics = statistics
        self._graphs: dict[tuple[str, bool, int | None], Any] = {}

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
        squares = {name: tf.constant(0.0) for name in self._statistics.content_layers}
        style_sums = [{name: tf.constant(0.0) for name in self._statistics.style_layers} for _ in pictures]
        for octave, (picture, sums) in enumerate(zip(pictures, style_sums, strict=True)):
            compared, weights = content if octave == 0 else {}, regions.position_weights[octave]
            graph = self._graph(self._statistics.sums, compared, weights)
            for tile in self._statistics.tiles(picture, tile_px):
                of_style, of_content = graph(*self._arguments(picture, tile, compared, weights))
                for name, value in of_style.items():
                    sums[name] += value
                for name, value in of_content.items():
                    squares[name] += value
        return style_sums, squares

    def gradient(
        self,
        pictures: Sequence[Any],
        content: Mapping[str, Any],
        regions: Regions,
        tile_px: int,
        slopes: tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]],
    ) -> NDArray[np.float32]:
        """Return the gradient of the loss with respect to the first of `pictures`, (1, H, W, 3).

        Args:
            pictures: as of `sums`.
            content: as of `sums`.
            regions: as of `sums`.
            tile_px: as of `sums`.
            slopes: the gradient of the loss with respect to what `sums` returns.
        """
        coarser: NDArray[np.float32] | None = None
        for octave in reversed(range(len(pictures))):
            picture, compared = pictures[octave], content if octave == 0 else {}
            weights = regions.position_weights[octave]
            graph = self._graph(self._sums_gradient, compared, weights)
            own = np.zeros(picture.shape, np.float32)
            at_octave = slopes[0][octave], slopes[1] if compared else {}
            for tile in self._statistics.tiles(picture, tile_px):
                rows, columns = tile.crop
                arguments = self._arguments(picture, tile, compared, weights)
                own[:, rows, columns] += graph(*arguments, at_octave).numpy()
            if coarser is not None:
                # An octave is a mean over 2 x 2 px of the next larger one.
                height, width = coarser.shape[1:3]
                own[:, : 2 * height, : 2 * width] += np.repeat(np.repeat(coarser, 2, axis=1), 2, axis=2) / 4
            coarser = own
        assert coarser is not None
        return coarser

    def _sums_gradient(self, picture: Any, content: Any, weights: Any, core: Any, slopes: tuple[Any, Any]) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(picture)
            of_style, of_content = self._statistics.sums(picture, content, weights, core)
            inner = [tf.reduce_sum(slopes[0][name] * sums) for name, sums in of_style.items()]
            inner += [slopes[1][name] * square for name, square in of_content.items()]
            total = tf.add_n(inner)
        return tape.gradient(total, picture)

    def _arguments(
        self, picture: Any, tile: Tile, content: Mapping[str, Any], weights: Mapping[str, Any]
    ) -> tuple[Any, Any, Any, Any]:
        """Return the arguments of `StatisticsEncoder.sums` for one tile."""
        cores = {}
        for name in self._statistics.encoder.strides:
            rows, columns = self._statistics.core_of(picture, name, tile)
            cores[name] = tf.constant([rows.start, rows.stop, columns.start, columns.stop])
        parts = self._statistics.parts
        return crop(picture, tile), parts(content, tile), parts(weights, tile), cores

    def _graph(self, function: Any, content: Mapping[str, Any], weights: Mapping[str, Any]) -> Any:
        """Return `function` as a graph: one for all tiles, and another one where no content is compared."""
        key = function.__name__, bool(content), region_count(weights)
        if key not in self._graphs:
            parts, squares, style, planes = self._statistics.signature(key[2])
            cores = {name: tf.TensorSpec([4], tf.int32) for name in self._statistics.encoder.layers}
            signature = [PICTURE, parts if content else {}, planes, cores]
            if function == self._sums_gradient:
                signature += [(style, squares if content else {})]
            self._graphs[key] = tf.function(function, input_signature=signature, autograph=False)
        return self._graphs[key]

"""The same losses, tile by tile: exact statistics and gradients in memory that does not grow with the picture.

Statistics are sums over positions. One pass over overlapping tiles adds the sums up. A second pass takes each tile's
gradient against the totals. The halo of a tile is as wide as the network's receptive field, so that the activations of
its core are those of the whole picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stylize.losses.regions import Regions, region_count
from stylize.networks.backend import tf

if TYPE_CHECKING:
    from stylize.losses.statistics import StatisticsEncoder

__all__ = ["PICTURE", "Tile", "TiledStatistics", "crop", "fits_whole", "tiles"]


#: A picture of any size, in a graph.
PICTURE = tf.TensorSpec([1, None, None, 3], tf.float32)


@dataclass(frozen=True)
class Tile:
    """One tile of a picture: the core, which tiles the picture without overlap, and the crop, the core and its halo.

    Attributes:
        core_rows: half-open range of pixels, (start, stop) from the top of the picture.
        core_columns: the same from the left.
        crop_rows: the rows of core and halo.
        crop_columns: the columns of core and halo.
    """

    core_rows: tuple[int, int]
    core_columns: tuple[int, int]
    crop_rows: tuple[int, int]
    crop_columns: tuple[int, int]

    @property
    def crop(self) -> tuple[slice, slice]:
        """Rows and columns of the crop, to index a picture (H, W, ...)."""
        return slice(*self.crop_rows), slice(*self.crop_columns)

    def place_at(self, stride: int, height: int, width: int) -> tuple[slice, slice]:
        """Return the core's rows and columns in the whole picture's activation.

        Args:
            stride: pixels between two positions of the layer.
            height: height of the whole activation.
            width: its width.
        """
        return _positions(self.core_rows, stride, height), _positions(self.core_columns, stride, width)

    def core_at(self, stride: int, height: int, width: int) -> tuple[slice, slice]:
        """Return the core's rows and columns in the activation of the crop; arguments as of `place_at`."""
        rows, columns = self.place_at(stride, height, width)
        top, left = self.crop_rows[0] // stride, self.crop_columns[0] // stride
        return slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)


def _positions(core: tuple[int, int], stride: int, size: int) -> slice:
    # Pooling drops rows that fill no window: at the end of the picture the activation may end before the core.
    return slice(core[0] // stride, min(core[1] // stride, size))


def tiles(height: int, width: int, core_px: int, halo_px: int) -> Iterator[Tile]:
    """Yield tiles whose cores cover a picture.

    The halo ends where the picture ends. So a border of a crop is either a border of the picture or a halo away from
    the core. With `core_px` and `halo_px` multiples of a network's largest stride, all crops begin on its grid.

    Args:
        height: of the picture, in px.
        width: of the picture, in px.
        core_px: side of a core; the last one of a row or column may be smaller, or larger by a halo.
        halo_px: width of the halo.
    """
    for rows in _ranges(height, core_px, halo_px):
        for columns in _ranges(width, core_px, halo_px):
            yield Tile(rows[0], columns[0], rows[1], columns[1])


def _ranges(size: int, core_px: int, halo_px: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    starts = list(range(0, size, core_px))
    # A last core smaller than the halo would cost more than it is worth: the core before takes it.
    if len(starts) > 1 and size - starts[-1] <= halo_px:
        starts.pop()
    cores = zip(starts, [*starts[1:], size], strict=True)
    return [((start, stop), (max(0, start - halo_px), min(size, stop + halo_px))) for start, stop in cores]


def fits_whole(picture: Any, tile_px: int | None) -> bool:
    """Return whether a picture (1, H, W, 3) has no more pixels than one tile; None stands for tiles of any size."""
    return tile_px is None or picture.shape[1] * picture.shape[2] <= tile_px**2


def crop(picture: Any, tile: Tile) -> Any:
    """Return the tile's crop of a picture (1, H, W, 3) as a tensor."""
    rows, columns = tile.crop
    return tf.constant(picture[:, rows, columns])


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

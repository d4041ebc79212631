"""How a large picture is cut into overlapping tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stylize.networks.backend import array_of, spec

__all__ = ["PICTURE", "Tile", "crop", "fits_whole", "row_bands", "tiles"]

# The rows of a band.
_BAND_ROWS = 256


#: A picture of any size, in a graph.
PICTURE = spec(1, None, None, 3)


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
    """Return the tile's crop of a picture (1, H, W, 3), on the device."""
    rows, columns = tile.crop
    return array_of(picture[:, rows, columns])


def row_bands(height: int) -> list[tuple[int, int]]:
    """Return the first row of each band of a picture, and the row after the last."""
    return [(top, min(top + _BAND_ROWS, height)) for top in range(0, height, _BAND_ROWS)]

"""How a large picture is cut into overlapping tiles: geometry alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Tile", "tiles"]


@dataclass(frozen=True)
class Tile:
    """One tile of a picture: the core, which tiles the picture without overlap, and the crop, the core and its halo.

    All are half-open ranges of pixels, (start, stop) from the picture's top or left.
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
        """Rows and columns of the core in the whole picture's activation (height, width) of a layer of this stride."""
        return _at(self.core_rows, stride, height), _at(self.core_columns, stride, width)

    def core_at(self, stride: int, height: int, width: int) -> tuple[slice, slice]:
        """As `place_at`, but in the crop's activation."""
        rows, columns = self.place_at(stride, height, width)
        top, left = self.crop_rows[0] // stride, self.crop_columns[0] // stride
        return slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)


def _at(core: tuple[int, int], stride: int, size: int) -> slice:
    # Where the picture ends, poolings drop a row that fills no window: the activation may end before the core does.
    return slice(core[0] // stride, min(core[1] // stride, size))


def tiles(height: int, width: int, core_px: int, halo_px: int) -> Iterator[Tile]:
    """Yield tiles whose cores, `core_px` a side but the last, cover height x width.

    The halo is cut off where the picture ends, so a border of a crop is either a border of the picture or a halo away
    from the core. With `core_px` and `halo_px` multiples of a network's largest stride all crops begin on its grid.
    """
    for rows in _ranges(height, core_px, halo_px):
        for columns in _ranges(width, core_px, halo_px):
            yield Tile(rows[0], columns[0], rows[1], columns[1])


def _ranges(size: int, core_px: int, halo_px: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    starts = list(range(0, size, core_px))
    # A sliver at the end would be all halo: the tile before takes it.
    if len(starts) > 1 and size - starts[-1] <= halo_px:
        starts.pop()
    cores = zip(starts, [*starts[1:], size], strict=True)
    return [((start, stop), (max(0, start - halo_px), min(size, stop + halo_px))) for start, stop in cores]

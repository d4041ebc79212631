"""The geometry of tiles."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stylize.losses.tiles import tiles

GRID = 16
sides = st.integers(1, 700)


@given(height=sides, width=sides, core=st.integers(1, 12), halo=st.integers(0, 6), stride=st.sampled_from([1, 4, 16]))
def test_cores_cover_every_activation_once_and_lie_in_their_crops(height, width, core, halo, stride):
    rows, columns = height // stride, width // stride
    covered = np.zeros((rows, columns), int)
    for tile in tiles(height, width, core * GRID, halo * GRID):
        place, inside = tile.place_at(stride, rows, columns), tile.core_at(stride, rows, columns)
        covered[place] += 1
        crop = tile.crop
        for axis, whole in enumerate((height, width)):
            assert crop[axis].start % GRID == 0
            assert 0 <= crop[axis].start <= crop[axis].stop <= whole
            size = (crop[axis].stop - crop[axis].start) // stride
            assert 0 <= inside[axis].start <= inside[axis].stop <= size
            assert inside[axis].stop - inside[axis].start == place[axis].stop - place[axis].start
    assert (covered == 1).all()


def test_a_halo_surrounds_every_core_inside_the_picture():
    for tile in tiles(500, 300, 128, 48):
        for core, crop, size in (
            (tile.core_rows, tile.crop_rows, 500),
            (tile.core_columns, tile.crop_columns, 300),
        ):
            assert crop == (max(0, core[0] - 48), min(size, core[1] + 48))

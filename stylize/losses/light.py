"""The light loss: light and dark of the picture lie where they lie in the content.

Layers of a network say what is where, not how bright it is. Statistics of the style then put their light and dark
anywhere: a wave's foam where a forest was, a dark spot on a nose. This loss compares small versions of the picture and
of the content, a dozen cells along the long side. Strokes are smaller than a cell and stay free.

    light(x) = 1 - correlation of A x and A c

    A x    mean luma of the picture around the middle of each cell, with weights that fall linearly to the next middles
    A c    that of the content

A correlation says nothing of brightness and contrast of the whole: these are the style's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylize.images.color import LUMA
from stylize.networks.backend import Array, array_of, ops, spec

__all__ = ["LIGHT", "Light", "light_loss", "light_of"]

# Along the long side. With 20, the light of single strokes is the photo's; the sky of a starry night has no stars.
_CELLS = 12
# The light of a flat picture differs by rounding alone, and far less than this sum of squares.
_LEAST_ENERGY = 1e-7
_LUMA_COLUMN = np.array(LUMA, np.float32)[:, None]


class Light(NamedTuple):
    """What the light loss compares a picture of (H, W) with.

    Attributes:
        rows: weights of the picture's rows for each row of cells, (n, H).
        columns: weights of the picture's columns for each column of cells, (W, m).
        cells: the content's luma in the cells, less its mean, at unit length, (n, m); near 0 where the content is flat.
    """

    rows: Any
    columns: Any
    cells: Any


#: What a compiled step knows of a `Light`.
LIGHT = Light(spec(None, None), spec(None, None), spec(None, None))


def light_of(content: Array) -> Light:
    """Return the light of a content (1, H, W, 3), sRGB in [0, 1]."""
    height, width = content.shape[1:3]
    cell_px = max(height, width) / _CELLS
    rows, columns = array_of(_weights(height, cell_px)), array_of(_weights(width, cell_px).T)
    return Light(rows, columns, _cells(array_of(content), rows, columns))


def light_loss(image: Array, light: Light) -> Array:
    """Return 1 less the correlation of the light of a picture (1, H, W, 3) with that of the content, a scalar."""
    return 1 - ops.sum(_cells(image, light.rows, light.columns) * light.cells)


def _weights(size_px: int, cell_px: float) -> NDArray[np.float32]:
    """Return the weights of pixels along one side for each cell, (n, size); each row sums to 1."""
    count = min(size_px, max(1, round(size_px / cell_px)))
    middles = (np.arange(count) + 0.5) * size_px / count
    distances = np.abs(np.arange(size_px) + 0.5 - middles[:, None]) * count / size_px
    weights = np.maximum(0, 1 - distances)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def _cells(image: Array, rows: Array, columns: Array) -> Array:
    """Return the luma in the cells, less its mean, at unit length, (n, m)."""
    shape = ops.shape(image)
    luma = ops.reshape(ops.matmul(ops.reshape(image, (-1, 3)), _LUMA_COLUMN), (shape[1], shape[2]))
    cells = ops.matmul(ops.matmul(rows, luma), columns)
    cells = cells - ops.mean(cells)
    return cells * ops.rsqrt(ops.sum(ops.square(cells)) + _LEAST_ENERGY)

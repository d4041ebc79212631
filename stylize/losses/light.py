"""The light loss: light and dark of the picture lie where they lie in the content.

Layers say what is where, not how bright it is. This loss looks at the luma in cells. It compares two numbers of each
large cell, of which there are a dozen along the long side. Of each small cell, two dozen along the long side, it
compares the detail alone.

    mean      of the luma of the picture x, less the mean of all cells:  A(x) - mean A(x)
    detail    how far the luma of x follows that of the content c:  d (A(x c) - A(x) A(c)) / tau

    A         weighted mean around the middle of the cell; the weights fall linearly to 0 at the next middles
    tau       standard deviation of the content in the cell, so that the detail of the content itself is d tau
    d         `light_detail`

    light(x) = sum over both sizes of cells of 1 - cosine of these numbers of x and of c

Means alone know no edges: a dark roof becomes a dark cloud around its ridge. In large cells alone, the errors of two
halves of a face cancel. Strokes change neither number much: most are smaller than a cell, and they do not follow the
content. So they stay free. The mean of all cells is taken out, and a cosine says nothing of contrast: brightness and
contrast of the whole are the style's.

With d = 0, or below 48 px along the long side (with the margin), there are large cells alone. Other values of d have no
influence on the small cells, for d is in both vectors of their cosine.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylize.images.color import LUMA
from stylize.losses.tiles import row_bands
from stylize.networks.backend import Array, array_of, numpy_of, ops, spec

__all__ = ["LIGHT", "LIGHT_SUMS", "Light", "light_loss", "light_loss_of_sums", "light_sums", "lights_of"]

# Along the long side, and the weight of their means. Means of small cells take stars from a sky.
_CELLS = ((12, 1.0), (24, 0.0))
# The light of a flat picture differs by rounding alone, and far less than this sum of squares.
_LEAST_ENERGY = 1e-7
# Added to a cell's standard deviation, which is 0 where the content is flat.
_LEAST_SPREAD = 1e-3
_LUMA_COLUMN = np.array(LUMA, np.float32)[:, None]


class Light(NamedTuple):
    """What the light loss compares a picture of (H, W) with, in n x m cells.

    Attributes:
        luma: the content's luma, (H, W).
        rows: weights of the picture's rows for each row of cells, (n, H).
        columns: weights of the picture's columns for each column of cells, (W, m).
        means: A(c), (n, m).
        scales: d / tau, (n, m).
        means_weight: a scalar, 1 or 0.
        wanted: what `light_loss` compares with, at unit length, (2, n, m); near 0 where the content is flat.
    """

    luma: Any
    rows: Any
    columns: Any
    means: Any
    scales: Any
    means_weight: Any
    wanted: Any


_PLANE = spec(None, None)
#: What a compiled function knows of `light_sums`,
LIGHT_SUMS = spec(2, None, None)
#: and of a `Light`.
LIGHT = Light(_PLANE, _PLANE, _PLANE, _PLANE, _PLANE, means_weight=spec(), wanted=LIGHT_SUMS)


def lights_of(content: Array, detail: float) -> list[Light]:
    """Return the light of a content (1, H, W, 3), sRGB in [0, 1], in the cells of each size; `detail` is d above."""
    luma = array_of((numpy_of(array_of(content))[0] @ _LUMA_COLUMN)[..., 0])
    # A cell of one pixel has no detail.
    most = max(luma.shape) / 2 if detail else 0
    return [
        _light_of(luma, cells, means_weight, detail) for cells, means_weight in _CELLS if means_weight or cells <= most
    ]


def _light_of(luma: Array, cells: int, means_weight: float, detail: float) -> Light:
    height, width = luma.shape
    cell_px = max(height, width) / cells
    rows, columns = _weights(height, cell_px), _weights(width, cell_px).T
    means, squares = (_cells(numpy_of(luma), power, rows, columns) for power in (1, 2))
    variances = np.maximum(0, squares - means**2)
    scales = detail / (np.sqrt(variances) + _LEAST_SPREAD)
    wanted = np.stack([means_weight * (means - means.mean()), variances * scales])
    wanted = wanted / np.sqrt(np.square(wanted).sum() + _LEAST_ENERGY)
    others = (rows, columns, means, scales, means_weight, wanted)
    return Light(luma, *(array_of(np.asarray(each, np.float32)) for each in others))


def _cells(
    luma: NDArray[np.float32], power: int, rows: NDArray[np.float32], columns: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return weighted means of a power of luma (H, W) in the cells, (n, m), in float64: variances are differences."""
    sums = sum(rows[:, top:end] @ luma[top:end].astype(np.float64) ** power for top, end in row_bands(len(luma)))
    return np.asarray(sums @ columns)


def light_loss(image: Array, light: Light) -> Array:
    """Return 1 less the cosine for a picture (1, H, W, 3) in the cells of one size, a scalar."""
    return light_loss_of_sums(light_sums(image, light), light)


def light_sums(image: Array, light: Light) -> Array:
    """Return A(x) and A(x c) of a picture, (2, n, m).

    They are sums over rows. For a band of the picture, `light` has the rows' weights and the luma of the band alone.
    """
    luma = _luma(image)
    return ops.stack([ops.matmul(ops.matmul(light.rows, each), light.columns) for each in (luma, luma * light.luma)])


def light_loss_of_sums(sums: Array, light: Light) -> Array:
    """Return `light_loss` from the `light_sums` of a whole picture."""
    return 1 - ops.sum(_compared(sums, light) * light.wanted)


def _weights(size_px: int, cell_px: float) -> NDArray[np.float32]:
    """Return the weights of pixels along one side for each cell, (n, size); each row sums to 1."""
    count = min(size_px, max(1, round(size_px / cell_px)))
    middles = (np.arange(count) + 0.5) * size_px / count
    distances = np.abs(np.arange(size_px) + 0.5 - middles[:, None]) * count / size_px
    weights = np.maximum(0, 1 - distances)
    return np.asarray(weights / weights.sum(1, keepdims=True), np.float32)


def _luma(image: Array) -> Array:
    """Return the luma of a picture (1, H, W, 3): (H, W)."""
    shape = ops.shape(image)
    return ops.reshape(ops.matmul(ops.reshape(image, (-1, 3)), _LUMA_COLUMN), (shape[1], shape[2]))


def _compared(sums: Array, light: Light) -> Array:
    """Return the means, less the mean of all cells, and the details, together at unit length, (2, n, m).

    The means are 0 where they do not count.
    """
    means, products = sums[0], sums[1]
    numbers = ops.stack(
        [light.means_weight * (means - ops.mean(means)), (products - means * light.means) * light.scales]
    )
    return numbers * ops.rsqrt(ops.sum(ops.square(numbers)) + _LEAST_ENERGY)

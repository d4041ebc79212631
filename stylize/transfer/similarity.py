"""How similar two pictures are in structure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stylize.networks.backend import Array, array_of, ops

__all__ = ["ssim"]

_SIGMA_PX = 1.5
_C1, _C2 = 0.01**2, 0.03**2


def ssim(a: NDArray[np.float32], b: NDArray[np.float32], window_px: int = 11) -> float:
    """Return the structural similarity of two pictures (Wang et al. 2004), 1 for equal ones.

    The mean over places and colours, with a Gaussian window, as `tf.image.ssim`.

    Args:
        a: (H, W, 3) in [0, 1].
        b: the same.
        window_px: side of the window, at most that of the pictures.
    """
    distances = np.arange(window_px) - (window_px - 1) / 2
    window = np.exp(-(distances**2) / (2 * _SIGMA_PX**2))
    kernel = (window / window.sum()).astype(np.float32)

    def local_mean(planes: Array) -> Array:
        for side in ((window_px, 1, 1, 1), (1, window_px, 1, 1)):
            planes = ops.conv(planes, kernel.reshape(side), padding="valid", data_format="channels_last")
        return planes

    x, y = (array_of(each.transpose(2, 0, 1)[..., None]) for each in (a, b))
    products = local_mean(x) * local_mean(y)
    squares = ops.square(local_mean(x)) + ops.square(local_mean(y))
    light = (2 * products + _C1) / (squares + _C1)
    structure = (2 * (local_mean(x * y) - products) + _C2) / (local_mean(x * x + y * y) - squares + _C2)
    return float(ops.mean(light * structure))

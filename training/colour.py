"""Colour transfer in closed form: give pictures the colour mean and covariance of a style."""

import numpy as np
from keras import ops

from networks import mean_and_covariance, per_pixel, positions

# Luma and two opponent colours. Luma comes first: the triangular map below then makes the new luma from the old luma
# alone, which keeps the drawing.
OPPONENT = np.array([[1, 1, 1], [1, -1, 0], [1, 1, -2]], np.float32) / np.sqrt([[3], [2], [6]]).astype(np.float32)
COLOUR_EPSILON = 1e-3  # added to variances, so that grey pictures cause no division by zero
COLOUR_NUMBERS = 9  # length of the colour statistics: 3 means and 6 covariances


def colour_statistics(images):
    """Return the mean (3) and covariance (6: yy, yu, yv, uu, uv, vv) of opponent colours: (N, H, W, 3) to (N, 9)."""
    mean, c = mean_and_covariance(positions(per_pixel(images, OPPONENT.T)))
    covariance = [c[:, 0, 0], c[:, 0, 1], c[:, 0, 2], c[:, 1, 1], c[:, 1, 2], c[:, 2, 2]]
    return ops.concatenate([mean, ops.stack(covariance, 1)], 1)


def cholesky(covariance):
    """Return the Cholesky factors (l11, l21, l31, l22, l32, l33), each (N, 1, 1, 1), of covariances (N, 6)."""
    yy, yu, yv, uu, uv, vv = (ops.reshape(covariance[:, i], (-1, 1, 1, 1)) for i in range(6))

    def root(x):
        return ops.sqrt(ops.maximum(x, 0.0) + COLOUR_EPSILON)

    l11 = root(yy)
    l21, l31 = yu / l11, yv / l11
    l22 = root(uu - l21 * l21)
    l32 = (uv - l21 * l31) / l22
    return l11, l21, l31, l22, l32, root(vv - l31 * l31 - l32 * l32)


def recolour(images, style_colours):
    """Give pictures (N, H, W, 3) the colour mean and covariance (N, 9) of a style."""
    own = colour_statistics(images)
    opponent = per_pixel(images, OPPONENT.T) - ops.reshape(own[:, :3], (-1, 1, 1, 3))
    c11, c21, c31, c22, c32, c33 = cholesky(own[:, 3:])
    s11, s21, s31, s22, s32, s33 = cholesky(style_colours[:, 3:])
    y = opponent[..., 0:1] / c11
    u = (opponent[..., 1:2] - c21 * y) / c22
    v = (opponent[..., 2:3] - c31 * y - c32 * u) / c33
    mapped = ops.concatenate([s11 * y, s21 * y + s22 * u, s31 * y + s32 * u + s33 * v], -1)
    mapped = mapped + ops.reshape(style_colours[:, :3], (-1, 1, 1, 3))
    return ops.clip(per_pixel(mapped, OPPONENT), 0.0, 1.0)


def compress(x):
    """Return the inverse hyperbolic sine. Covariances span orders of magnitude. LiteRT lacks this operation."""
    size = ops.abs(x)
    return ops.sign(x) * ops.log(size + ops.sqrt(ops.square(size) + 1.0))

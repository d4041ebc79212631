"""The shapes of the still life: positions, and distances of points to each shape.

Coordinates: x to the right, y upwards from the table, z away from the viewer. A unit is about the height of a bowl.
"""

import numpy as np

from .brush import F32, smooth

JUG, BOWL = (-0.95, 0.0, 0.75), (0.72, 0.0, 0.55)
APPLES = (((-0.28, 0.30, -0.55), 0.33), ((0.98, 0.72, 0.22), 0.33))
ORANGES = (((0.42, 0.70, 0.45), 0.32), ((0.88, 0.76, 0.86), 0.31), ((1.72, 0.31, -0.15), 0.31))
LEMON = (0.62, 0.21, -0.85)
PEAR = (-1.78, 0.0, 0.10)
STALKS = (
    ((-0.28, 0.42, -0.55), (-0.21, 0.63, -0.57)),
    ((0.98, 0.86, 0.22), (1.04, 1.04, 0.16)),
    ((-1.66, 0.98, 0.10), (-1.58, 1.22, 0.06)),
)
GRAPES = tuple(
    (
        (-1.12 + 0.205 * i - 0.10 * (k % 2) + 0.04 * j, 0.115 + 0.165 * k, -0.78 - 0.20 * j + 0.05 * i),
        0.118 - 0.006 * ((i + j + k) % 3),
    )
    for k, rows in enumerate((((0, 1, 2), (0, 1, 2, 3), (1, 2)), ((0, 1), (1, 2)), ((1,),)))
    for j, row in enumerate(rows)
    for i in row
)


def distances(x, y, z):
    """Return the distances of points to the shapes, in the order of `still_life_materials.MATERIALS`."""
    table = np.maximum(np.abs(y + 0.6) - 0.6, np.maximum(-1.62 - z, np.abs(x) - 9))
    cloth = np.where(y < 0.4, (y - _cloth(x, z)) * 0.62, y - 0.25)
    cloth = np.maximum(np.maximum(cloth, -1.60 - z), -0.05 - y)
    wall = 2.9 - z
    apples = np.minimum.reduce([_apple(x, y, z, c, r) for c, r in APPLES])
    oranges = np.minimum.reduce([_ball(x, y, z, c, r) for c, r in ORANGES])
    grapes = np.minimum.reduce([_ball(x, y, z, c, r) for c, r in GRAPES])
    stalks = np.minimum.reduce([_stalk(x, y, z, a, b, 0.016) for a, b in STALKS])
    jug, bowl, lemon, pear = _jug(x, y, z), _bowl(x, y, z), _lemon(x, y, z), _pear(x, y, z)
    return table, cloth, wall, jug, bowl, apples, oranges, lemon, pear, grapes, stalks


def nearest(p):
    """Return the distances (n,) of points (n, 3) to the nearest shape."""
    return np.minimum.reduce(distances(p[:, 0], p[:, 1], p[:, 2])).astype(F32)


def _ball(x, y, z, c, r):
    return np.sqrt((x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2) - r


def _join(a, b, k):
    """Return the union of two shapes, with a rounding of size k between them."""
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return b + (a - b) * h - k * h * (1 - h)


def _apple(x, y, z, c, r):
    q = np.hypot(x - c[0], z - c[2])
    h = y - c[1]
    a = np.arctan2(z - c[2], x - c[0])
    ring = np.sqrt((q - 0.42 * r) ** 2 + (h * 1.06 - 0.02 * r) ** 2)  # a thick ring has the dimples of an apple
    return (ring - 0.62 * r + 0.02 * r * np.sin(5 * a) * smooth(0.2, -1.0, h / r)) * 0.9


def _stalk(x, y, z, c, tip, r):
    """A stick from c to tip that gets thicker."""
    d = [b - a for a, b in zip(c, tip, strict=True)]
    t = np.clip(((x - c[0]) * d[0] + (y - c[1]) * d[1] + (z - c[2]) * d[2]) / sum(k * k for k in d), 0, 1)
    return np.sqrt((x - c[0] - t * d[0]) ** 2 + (y - c[1] - t * d[1]) ** 2 + (z - c[2] - t * d[2]) ** 2) - r * (
        0.5 + 0.7 * t
    )


def _cloth(x, z):
    """Return the height of the cloth on the table, below the table outside the cloth. Folds spread from a corner."""
    u, v = 0.86 * x + 0.5 * z + 0.15, -0.5 * x + 0.86 * z
    inside = np.minimum(
        1.55 - np.abs(u + 0.35 + 0.08 * np.sin(v * 2.3)), 1.05 - np.abs(v + 0.62 + 0.06 * np.sin(u * 3.1))
    )
    a = np.arctan2(v + 2.0, u + 2.3)
    fold = 0.5 + 0.5 * np.sin(a * 17 + 1.2 * np.sin(u * 1.7) + 0.8)
    ripple = fold**3 * 0.10 * smooth(0.0, 0.5, inside) + 0.035 * np.sin(u * 2.6 + 1) * np.sin(v * 3.1)
    # The cloth is flat under the fruit.
    calm = np.minimum(
        smooth(0.30, 0.75, np.hypot(x + 0.28, z + 0.55)),
        smooth(0.3, 0.8, np.hypot((x + 0.85) * 0.6, z + 0.9)),
    )
    calm = np.minimum(calm, smooth(0.25, 0.6, np.hypot(x - 0.62, z + 0.85)))
    return np.where(inside > 0, 0.022 + 0.03 * smooth(0.12, 0.0, inside) + np.maximum(ripple, 0) * calm, -0.1 + 0 * x)


def _jug(x, y, z):
    """A jug with a wide belly, a neck and a lip, hollow at the top, and with a handle."""
    q = np.hypot(x - JUG[0], z - JUG[2])
    belly = (np.sqrt((q / 0.60) ** 2 + ((y - 0.62) / 0.66) ** 2) - 1) * 0.58
    neck = np.maximum(q - 0.27 - 0.12 * smooth(1.45, 1.85, y), np.abs(y - 1.4) - 0.42)
    foot = np.maximum(q - 0.36, np.abs(y - 0.04) - 0.04)
    jug = _join(_join(belly, neck, 0.22), foot, 0.08)
    jug = np.maximum(jug, -np.maximum(q - 0.20 - 0.13 * smooth(1.45, 1.85, y), 1.2 - y))
    hx, hy = x - JUG[0] + 0.52, y - 1.22
    handle = np.hypot(np.hypot(hx * 1.12, hy * 0.80) - 0.36, z - JUG[2]) - 0.055
    return _join(jug, np.maximum(handle, q * -1 + 0.24), 0.09) * 0.85


def _bowl(x, y, z):
    """The lower part of a thick hollow ball, with a rim and a foot."""
    b = _ball(x, y, z, (BOWL[0], 0.94, BOWL[2]), 0.90)
    bowl = np.maximum(np.abs(b) - 0.035, y - 0.60)
    q = np.hypot(x - BOWL[0], z - BOWL[2])
    bowl = np.minimum(bowl, np.hypot(q - 0.832, y - 0.60) - 0.042)
    return _join(bowl, np.maximum(q - 0.34, np.abs(y - 0.05) - 0.05), 0.06) * 0.9


def _lemon(x, y, z):
    u, w = 0.80 * (x - LEMON[0]) - 0.60 * (z - LEMON[2]), 0.60 * (x - LEMON[0]) + 0.80 * (z - LEMON[2])
    v = y - LEMON[1]
    lemon = (np.sqrt((u / 0.29) ** 2 + (v / 0.21) ** 2 + (w / 0.21) ** 2) - 1) * 0.2
    return _join(lemon, np.sqrt((np.abs(u) - 0.29) ** 2 + v**2 + w**2) - 0.045, 0.10)


def _pear(x, y, z):
    px, pz = x - PEAR[0] - 0.12 * smooth(0.2, 1.0, y), z - PEAR[2]
    belly = np.sqrt(px**2 + (y - 0.36) ** 2 + pz**2) - 0.37
    top = np.sqrt(px**2 + (y - 0.84) ** 2 + pz**2) - 0.16
    return _join(belly, top, 0.34) * 0.9

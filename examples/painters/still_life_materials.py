"""The surfaces of the still life.

Each function takes the coordinates x, y, z of points (n,) on a shape, and returns their colours in linear light (n, 3)
and their gloss, 0 (dull) to 1 (mirror), for all points or for each point (n,).
"""

import numpy as np

from .brush import F32, lin, lin_palette, mix, ramp, smooth
from .noise import cells, fbm
from .still_life_shapes import BOWL, JUG, PEAR, distances


def _oak(x, y, z):
    """Old boards."""
    board = np.floor((z + 9) / 0.62)
    grain = fbm(x * 1.3 + board * 9, z * 22, 5, 1) + 0.5 * fbm(x * 7 + board * 5, z * 90, 3, 2)
    seam = smooth(0.012, 0.004, np.abs((z + 9) / 0.62 % 1 - 0.5) * -0.62 + 0.31)
    tone = np.clip(0.5 + 0.55 * grain + 0.10 * np.sin(board * 5), 0, 1)
    return ramp(lin_palette("#3a1f12", "#7a4a28", "#a8703e"), tone) * (1 - 0.8 * seam)[:, None], 0.30


def _linen(x, y, z):
    """Cloth with woven stripes."""
    a, b = 0.86 * x + 0.5 * z + 0.15, -0.5 * x + 0.86 * z
    weave = 0.93 + 0.05 * np.sin(a * 260) * np.sin(b * 260) + 0.07 * fbm(a * 30, b * 30, 3, 4)
    stripe = smooth(0.06, 0.045, np.abs(np.abs(b + 0.62) - 0.82)) + smooth(
        0.016, 0.010, np.abs(np.abs(b + 0.62) - 0.70)
    )
    return mix(lin("#ece4d4"), lin("#3b5f9a"), np.clip(stripe, 0, 1)[:, None]) * weave[:, None], 0


def _plaster(x, y, z):
    stain = 0.5 + 0.6 * fbm(x * 0.7, y * 0.7, 5, 6) + 0.12 * fbm(x * 7, y * 7, 3, 8)
    return ramp(lin_palette("#5f6660", "#858a7c", "#a39c84"), stain), 0


def _jug(x, y, z):
    """White glaze, painted with blue bands and flowers."""
    a = np.arctan2(z - JUG[2], x - JUG[0])
    band = sum(
        smooth(t + 0.012, t - 0.004, np.abs(y - c))
        for c, t in ((0.27, 0.02), (0.33, 0.006), (1.12, 0.022), (1.20, 0.007), (1.80, 0.03))
    )
    k = a / (2 * np.pi) * 9
    ax, ay = (k % 1 - 0.5) * 0.42, y - 0.72 - 0.05 * np.where(np.floor(k) % 2 == 0, 1, -1)
    r, t = np.hypot(ax, ay), np.arctan2(ay, ax)
    bloom = smooth(0.012, -0.012, r - 0.105 * (0.62 + 0.38 * np.cos(5 * t))) - smooth(0.034, 0.022, r) * 0.8
    vine = smooth(0.014, 0.004, np.abs(y - 0.72 - 0.15 * np.cos(k * np.pi))) * 0.8
    blue = np.clip(band + bloom + vine, 0, 1) * (0.78 + 0.35 * fbm(x * 9, y * 9, 3, 5))
    return mix(lin("#e9e6da"), lin("#1d3a8c"), np.clip(blue, 0, 1)[:, None]), 1.0


def _celadon(x, y, z):
    """Green glaze, darker at the rim where the glaze is thin."""
    speck = cells(np.arctan2(z - BOWL[2], x - BOWL[0]) * 14, y * 16, 3)[0]
    tone = 0.45 + 0.5 * fbm(x * 3, y * 6 + z * 3, 4, 9)
    glaze = ramp(lin_palette("#1d5a5c", "#2f8583", "#6fb3a0"), tone)
    brown = 0.85 * smooth(0.56, 0.615, y) + 0.5 * smooth(0.09, 0.04, speck)
    return mix(glaze, lin("#6a4526"), brown[:, None].clip(0, 1)), 0.9


def _apples(x, y, z):
    """Red streaks over yellow."""
    in_bowl = (y > 0.45) & (x > 0.4)
    c = np.where(in_bowl, 0.98, -0.28), np.where(in_bowl, 0.22, -0.55)
    a = np.arctan2(z - c[1], x - c[0])
    h = np.where(y > 0.45, y - 0.72, y - 0.30) / 0.33
    streak = fbm(a * 9, h * 1.1, 4, 3)
    blush = np.clip(0.55 + 0.75 * np.cos(a + 1.9) * 0.6 + 0.75 * streak + 0.15, 0, 1) * smooth(0.80, 0.45, h) ** 0.7
    skin = ramp(lin_palette("#c9b23c", "#d8762c", "#b8201e", "#84101c"), blush)
    dots = smooth(0.10, 0.05, cells(a * 9, h * 9, 6)[0])
    return mix(skin, lin("#e8d080"), (0.4 * dots)[:, None]), 0.55


def _oranges(x, y, z):
    return mix(lin("#e8760e"), lin("#f39a1c"), (0.5 + 0.6 * fbm(x * 4, y * 4 + z, 3, 5))[:, None]), 0.35


def _lemon(x, y, z):
    return mix(lin("#eec11e"), lin("#f2d84a"), (0.5 + 0.7 * fbm(x * 5, y * 5 + z * 5, 3, 7))[:, None]), 0.35


def _pear(x, y, z):
    """Green to russet, with dots."""
    a = np.arctan2(z - PEAR[2], x - PEAR[0])
    tone = np.clip(0.45 + 0.5 * np.sin(a + 0.6) + 0.35 * fbm(x * 3, y * 3 + z * 3, 4, 2), 0, 1)
    freckle = smooth(0.16, 0.06, cells(a * 12, y * 30, 8)[0])
    return ramp(lin_palette("#9aa63a", "#c8b444", "#b8702c"), tone) * (1 - 0.35 * freckle)[:, None], 0.25


def _grapes(x, y, z):
    """Dark skin under a dull film."""
    dust = np.clip(0.35 + 0.9 * fbm(x * 9, y * 9 + z * 9, 3, 4), 0, 1)
    colour = mix(lin("#2a0d2e"), lin("#5d4a7c"), (0.55 * dust)[:, None]) + lin("#3a0a22") * 0.3
    return colour, 0.8 - 0.5 * dust


def _stalks(x, y, z):
    return lin("#4a3018"), 0


# In the order of `still_life_shapes.distances`.
MATERIALS = (_oak, _linen, _plaster, _jug, _celadon, _apples, _oranges, _lemon, _pear, _grapes, _stalks)
WALL = MATERIALS.index(_plaster)
PORED = tuple(map(MATERIALS.index, (_oranges, _lemon)))
TRANSLUCENT = tuple(map(MATERIALS.index, (_apples, _oranges, _lemon, _pear, _grapes)))


def surface(p):
    """Return the colours (n, 3), the gloss (n,) and the numbers of the materials (n,) at points (n, 3)."""
    which = np.argmin(np.stack(distances(*p.T)), 0)
    colour, gloss = np.zeros_like(p), np.zeros(len(p), F32)
    for number, material in enumerate(MATERIALS):
        part = which == number
        colour[part], gloss[part] = material(*p[part].T)
    return colour, gloss, which

"""The old houses along the quay: one flat picture of all facades, with lit windows.

Coordinates in metres: `u` to the right from the left corner of a house, `v` upwards from the quay.
"""

import numpy as np

from .brush import F32, grid, lin, lin_palette, mix, ramp, smooth
from .noise import fbm, perlin

SCALE = 46  # px per metre
ROW_M, HIGH_M = 78, 19  # length and height of the flat picture
WALLS = (
    "#c8553a",
    "#e6b24a",
    "#5f8fa8",
    "#ece0c4",
    "#8c3b3a",
    "#7fa27a",
    "#d98a5a",
    "#e9cf86",
    "#4f6d8c",
    "#c9a18c",
    "#b8483a",
)
SHUTTERS = ("#2f5a4a", "#34507a", "#6a2f2c")
DOORS = ("#1f4a3a", "#6a1f24", "#23365c", "#4a3420")
AWNINGS = ("#b03a2e", "#2f5f8a", "#3f7a55")
STEPPED, GABLE, LONG_ROOF, BELL = range(4)  # kinds of roofs


class House:
    """A house: its part of the flat picture, its size and its outline. All arrays are views into the flat picture."""

    def __init__(self, sheets, left, number, rng):
        wide, floors = rng.uniform(5.0, 8.0), int(rng.integers(3, 5))
        self.wide, self.floors, self.number, self.rng = min(wide, ROW_M - left), floors, number, rng
        strip = np.s_[:, int(left * SCALE) : int((left + self.wide) * SCALE) + 1]
        self.xx, self.v, self.base, self.cover, self.glow, self.plaster, self.fine, self.streaks = (
            sheet[strip] for sheet in sheets
        )
        self.top = 3.4 + 2.75 * (floors - 1) + rng.uniform(0.2, 0.8)
        self.u = self.xx - left
        self.inside = (self.u >= 0) & (self.u < self.wide)
        self.kind = (number * 7 + 2) % 4
        self.outline = self._outline()

    def _outline(self):
        """Return the height of the roof at each pixel."""
        wide, top = self.wide, self.top
        mid = np.abs(self.u - wide / 2)
        if self.kind == STEPPED:
            return top + 3.6 * (1 - np.floor(mid / wide * 2 * 5) / 5)
        if self.kind == GABLE:
            return top + (wide / 2 - mid) * 1.1
        if self.kind == LONG_ROOF:
            return top + 2.6 + 0 * self.u
        return top + 3.4 * smooth(0.98, 0.25, mid / wide * 2) + 0.5 * (mid < wide * 0.12)


def facades(rng):
    """Paint a row of houses.

    Returns:
        The colours (h, w, 3) in linear light, with rows from the quay upwards; the coverage (h, w); and the light of
        the lit windows (h, w, 3), 0 elsewhere.
    """
    length, high = ROW_M * SCALE, HIGH_M * SCALE
    yy, xx = grid(high, length)
    yy, xx = yy / SCALE, xx / SCALE
    base = np.zeros((high, length, 3), F32)
    cover, glow = np.zeros((high, length), F32), np.zeros((high, length, 3), F32)
    plaster = fbm(xx * 0.8, yy * 0.5, 5, 40)
    fine = fbm(xx * 9, yy * 9, 3, 41)
    streaks = fbm(xx * 5, yy * 0.35, 4, 42)
    sheets = xx, yy, base, cover, glow, plaster, fine, streaks
    left, number = 0.0, 0
    while left < ROW_M - 2:
        house = House(sheets, left, number, rng)
        _wall(house)
        _mouldings(house)
        _windows(house)
        _door(house)
        _shop(house)
        _chimney(house)
        left, number = left + house.wide, number + 1
    return base, cover, glow


def _wall(house):
    """Paint the wall, of bricks or of plaster that peels off near the ground, and the tiles of a long roof."""
    u, v, k = house.u, house.v, house.number
    shape = house.inside & (v < house.outline)
    wall = lin(WALLS[k % len(WALLS)])
    if k % 5 == 4:
        course = np.floor(v / 0.085)
        joint = (v / 0.085 % 1 < 0.16) | (((u / 0.24 + 0.5 * (course % 2)) % 1) < 0.07)
        tone = 0.8 + 0.35 * perlin(np.floor(u / 0.24 + 0.5 * (course % 2)) * 3.7, course * 1.9, 43)
        skin = mix(wall * tone[..., None], lin("#b8a894"), 0.55 * joint[..., None])
    else:
        skin = wall * (1 + 0.20 * house.plaster + 0.10 * house.fine)[..., None]
        peel = smooth(0.34, 0.42, house.plaster + 0.25 * house.fine) * smooth(5, 0.5, v)
        skin = mix(skin, lin("#a08a74"), 0.6 * peel[..., None])
    skin = skin * (1 - 0.30 * np.clip(house.streaks, 0, 1) * smooth(0, 6, v))[..., None]
    tiled = house.inside & (v > house.top) & (house.kind == LONG_ROOF)
    tile = 0.75 + 0.25 * np.abs(np.sin(u * 11)) + 0.20 * np.sin(v * 24)
    skin = np.where(tiled[..., None], lin("#7c3a28") * tile[..., None], skin)
    house.base[shape] = skin[shape]
    house.cover[shape] = 1


def _mouldings(house):
    """Paint the shadow of the house on the left, rows of stone with their shadows, and the edge of the roof."""
    base, inside, u, v = house.base, house.inside, house.u, house.v
    base[inside] *= (1 - 0.45 * smooth(0.5, 0.0, u[inside]))[:, None]
    for level in (3.2, house.top):
        stone = inside & (np.abs(v - level) < 0.13) & (v < house.outline)
        base[stone] = lin("#d8cdb8") * (1 + 0.2 * house.fine[stone])[:, None]
        base[inside & (v < level - 0.13) & (v > level - 0.42)] *= 0.55
    edge = inside & (v > house.outline - 0.20) & (v < house.outline) & (house.kind != LONG_ROOF)
    base[edge] = lin("#e4dac6")


def _windows(house):
    """Paint the windows of each floor, and one under the roof unless the roof is a long one."""
    wide = house.wide
    count = max(2, int(wide / 1.75))
    for f in range(house.floors - 1):
        for i in range(count):
            _window(house, wide * (i + 0.5) / count, 4.0 + 2.75 * f, (0.48, 1.62), shutters=house.number % 3 != 1)
    if house.kind != LONG_ROOF:
        _window(house, wide / 2, house.top + 0.9, (0.42, 1.1), shutters=False)


def _window(house, middle, bottom, size, *, shutters):
    """Paint a window of a size: half the width, and the height."""
    hw, hh = size
    a, b = house.u - middle, house.v - bottom
    near = (np.abs(a) < hw + 0.62) & (b > -0.35) & (b < hh + 0.3)
    if not near.any():
        return
    part = np.ix_(np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0)))
    a, b, px = a[part], b[part], house.base[part]
    f = np.abs(a)
    lit = house.rng.random() < 0.42
    px[(f < hw + 0.13) & (b > -0.1) & (b < hh + 0.13)] = lin("#efe8d8") * 0.92
    px[(f < hw + 0.2) & (b > -0.2) & (b < -0.08)] = lin("#c9bda6")
    px[(f < hw + 0.2) & (b > -0.34) & (b < -0.2)] *= 0.5
    if shutters:
        shutter = (f > hw + 0.14) & (f < hw + 0.55) & (b > -0.05) & (b < hh + 0.05)
        slat = 0.7 + 0.3 * np.sin(b * 52)
        px[shutter] = (lin(SHUTTERS[house.number % 3]) * slat[..., None])[shutter]
    pane = (f < hw) & (b > 0) & (b < hh)
    if lit:
        curtain = smooth(0.5, 1, f / hw) * 0.6 + 0.12 * np.sin(a * 40)
        lamp = (
            np.array((2.6, 1.35, 0.42), F32)
            * (0.55 + 0.9 * smooth(hh, 0, np.hypot(a, b - hh * 0.6)) - 0.5 * curtain)[..., None]
        )
        px[pane] = lamp[pane]
        glow = house.glow[part]
        glow[pane] = lamp[pane]
        house.glow[part] = glow
    else:
        sheen = ramp(
            lin_palette("#1a222c", "#2c3a4c", "#8a9cb0"), b / hh * 0.8 + 0.25 * perlin(a * 3 + middle, b * 3, 44)
        )
        px[pane] = sheen[pane]
    bars = pane & ((f < 0.035) | (np.abs(b - hh * 0.66) < 0.03) | (np.abs(b - hh * 0.33) < 0.02))
    px[bars] = lin("#e9e2d2") * 0.8
    px[pane & (b > hh - 0.14)] *= 0.45
    px[pane & (a < -hw + 0.1)] *= 0.5
    house.base[part] = px


def _door_middle(house):
    return house.wide * (0.24 if house.number % 2 else 0.76)


def _door(house):
    """Paint the door with a lit window above."""
    base, v = house.base, house.v
    a = np.abs(house.u - _door_middle(house))
    base[(a < 0.68) & (v < 2.55)] = lin("#d9ceb8") * 0.9
    panel = (a < 0.52) & (v < 2.4)
    base[panel] = lin(DOORS[house.number % 4]) * (0.8 + 0.3 * ((v[panel] % 0.8) > 0.12))[:, None]
    fan = (a < 0.5) & (v > 1.95) & (v < 2.36)
    base[fan] = house.glow[fan] = np.array((2.2, 1.2, 0.42), F32)


def _shop(house):
    """Paint a lit shop window under an awning."""
    base, inside, u, v = house.base, house.inside, house.u, house.v
    shop = np.abs(u - (house.wide - _door_middle(house)) * 1.0)
    half = house.wide * 0.24
    base[inside & (shop < half + 0.12) & (v > 0.5) & (v < 2.5)] = lin("#2b2420")
    pane = inside & (shop < half) & (v > 0.62) & (v < 2.38)
    goods = 0.55 + 0.7 * np.clip(fbm(house.xx * 3.2, v * 3.2, 3, 45), -0.6, 1) * smooth(1.7, 0.8, v)
    base[pane] = house.glow[pane] = (np.array((2.7, 1.6, 0.62), F32) * goods[..., None])[pane]
    base[pane & (np.abs(shop - half / 2) < 0.03)] = lin("#2b2420")
    awning = inside & (shop < half + 0.3) & (v > 2.35 - 0.08 * np.abs(np.sin(u * 7))) & (v < 3.05)
    stripe = np.where((np.sin(u * 11) > 0)[..., None], lin("#efe6d0"), lin(AWNINGS[house.number % 3]))
    base[awning] = (stripe * (0.62 + 0.5 * smooth(2.3, 3.05, v))[..., None])[awning]


def _chimney(house):
    if house.kind not in (GABLE, LONG_ROOF):
        return
    v = house.v
    chimney = (np.abs(house.u - house.wide * 0.8) < 0.42) & (v >= house.outline) & (v < house.top + 4.3) & house.inside
    house.base[chimney] = lin("#6a3a2c") * (0.8 + 0.25 * np.sin(v[chimney] * 40))[:, None]
    house.cover[chimney] = 1

"""A photo-like scene: old houses along a quay at dusk, lit windows, boats, and their reflections in the water."""

import numpy as np
from PIL import Image

from .brush import F32, blur, film, grade, grid, lin, lin_palette, mix, ramp, resize, sample, smooth, unit
from .harbour_boats import draw_boats
from .harbour_houses import SCALE, facades
from .noise import cells, fbm, perlin

HEIGHT, WIDTH = 512, 768  # of the picture, in px; it is painted twice as large
SH, SW = 2 * HEIGHT, 2 * WIDTH
FOCAL = 0.92 * SW  # px
HORIZON = int(0.60 * SH)  # px from the top
EYE_M = 3.2  # height of the eye above the water
TAPS = 4  # looks at the mirrored picture for each pixel of the water

# Positions on the ground in metres: to the right, away from the viewer. The houses run from near right to far left.
ALONG = unit(-0.62, 0.80)
START = np.array((9.5, 13.0), F32) - 11 * ALONG  # left end of the houses, seen from the water
QUAY_M = 1.1  # height of the quay
QUAY_WIDTH_M = 3.2
QUAY_START = START + QUAY_WIDTH_M * np.array((-ALONG[1], ALONG[0]))

LOW_SUN = np.array((2.0, 1.32, 0.86), F32) * 0.72
DUSK = np.array((0.34, 0.42, 0.66), F32) * 1.05
LIGHT = LOW_SUN * 0.30 + DUSK * 1.1

# Length of the ripples in metres, and how steep they are.
RIPPLES = ((3.1, 0.022), (1.2, 0.022), (0.5, 0.020), (0.22, 0.014))


def harbour():
    """Paint the town, its mirror image with the boats, the water that shows the mirror image, and the boats."""
    rng = np.random.default_rng(12)
    town = Town(rng)
    down = SH - HORIZON
    above = town.view(1, *_slopes(HORIZON))
    across, fall = _slopes(down)
    below = town.view(1, across, -fall)
    # Ripples also mirror rows beyond the height of the water.
    under = town.view(-1, *_slopes(down + 260))
    draw_boats(under, FOCAL, LIGHT, lambda y, z: (y + EYE_M) / z * FOCAL)
    water, basin = _water(under, across, fall, rng)
    img = np.concatenate([above[::-1], np.where(basin[..., None], water, below)])
    draw_boats(img, FOCAL, LIGHT, lambda y, z: HORIZON - (y - EYE_M) / z * FOCAL)
    img = film(img, 0.56)
    halo = blur(np.clip(img - 0.80, 0, 1), 14)
    img = img + 0.55 * halo * np.array((1, 0.8, 0.5), F32)
    img = resize(img, (HEIGHT, WIDTH), Image.Resampling.LANCZOS)
    return grade(img, 0.25, 1.08, 0.25, 0.010, 6)


def _slopes(rows):
    """Return the slopes of the lines of sight, across and up, for rows from the horizon on."""
    yy, xx = grid(rows, SW)
    return (xx - SW / 2) / FOCAL, yy / FOCAL


def _sky(rise, across):
    blues = (
        (1.75, 0.92, 0.42),
        (1.35, 0.86, 0.60),
        (0.62, 0.62, 0.78),
        (0.22, 0.33, 0.62),
        (0.10, 0.18, 0.44),
    )
    sky = ramp(np.array(blues, F32), np.clip(rise * 1.55, 0, 1))
    far = 1 / (rise + 0.16)
    cloud = fbm(across * far * 0.7 + 0.5 * fbm(across * far, far * 2, 3, 46), far * 1.5, 6, 47)
    body = smooth(0.0, 0.45, cloud)
    colour = mix(
        np.array((1.9, 0.82, 0.42), F32),
        np.array((0.46, 0.40, 0.56), F32),
        smooth(0.05, 0.5, cloud + 0.3 * rise)[..., None],
    )
    sun = np.exp(-((across + 0.52) ** 2) * 7 - rise * 4)
    return mix(sky, colour, 0.72 * body[..., None]) + sun[..., None] * np.array((0.9, 0.42, 0.12), F32)


def _depth(start, across):
    """Return the distance at which lines of sight meet the upright plane along the quay through a point."""
    den = across * ALONG[1] - ALONG[0]
    return (start[0] * ALONG[1] - start[1] * ALONG[0]) / np.where(np.abs(den) < 1e-4, 1e-4, den)


class Town:
    """The houses and the quay, and the light on them."""

    def __init__(self, rng):
        base, self.cover, glow = facades(rng)
        # The last sun shines over the roofs behind the viewer. Their stepped shadow covers the lower parts.
        ty, tx = grid(*self.cover.shape)
        ty, tx = ty / SCALE, tx / SCALE
        roofs = (
            4.6
            + 0.10 * tx
            + 1.5 * perlin(np.floor(tx / 5.3 + 0.12 * ty) * 3.7, 0 * tx + 2, 58)
            - 0.55 * np.abs((tx / 5.3 + 0.12 * ty) % 1 - 0.5)
        )
        high_light = smooth(-0.35, 0.35, ty - roofs)[..., None]
        lamps = blur(glow, 24) * 1.3 * np.array((1, 0.75, 0.5), F32)  # light of the windows on the walls
        self.lit = base * (DUSK * 1.05 + LOW_SUN * 1.15 * high_light + lamps) * (glow == 0) + glow * np.array(
            (0.62, 0.50, 0.42), F32
        )

    def view(self, side, across, rise):
        """Return the town and the sky along lines of sight, from the eye (side 1) or from its mirror image (-1)."""
        out = _sky(np.maximum(rise, 0.004), across)
        out = self._with_houses(out, side, across, rise)
        self._draw_quay_wall(out, side, across, rise)
        if side > 0:
            self._draw_cobbles(out, across, rise)
        return out

    def _with_houses(self, out, side, across, rise):
        depth = _depth(START, across)
        s = np.where(abs(ALONG[1]) > 0, (depth - START[1]) / ALONG[1], 0)
        y = side * EYE_M + rise * depth - QUAY_M
        ok = (depth > 1) & (s > 0) & (s < 77.5)
        ty, tx = y * SCALE, s * SCALE
        inside = ok & (y > 0) & (y < 18.9)
        cover = sample(self.cover, tx - 0.5, ty - 0.5) * inside
        colour = sample(self.lit, tx - 0.5, ty - 0.5)
        haze = (1 - np.exp(-depth / 160))[..., None]
        colour = mix(colour, np.array((0.95, 0.62, 0.48), F32), np.clip(haze, 0, 1) * 0.8)
        return mix(out, colour, cover[..., None])

    def _draw_quay_wall(self, out, side, across, rise):
        """Draw the wall of big stones, which is dark and wet at the water."""
        depth = _depth(QUAY_START, across)
        s, y = (depth - QUAY_START[1]) / ALONG[1], side * EYE_M + rise * depth
        s, y = np.clip(s, -50, 150), np.clip(y, -5, 5)
        course = np.floor(y / 0.38)
        joint = (y / 0.38 % 1 < 0.09) | ((s / 0.95 + 0.5 * (course % 2)) % 1 < 0.04)
        stone = ramp(
            lin_palette("#4a4038", "#8a7a68", "#b09c80"),
            0.5
            + 0.5 * fbm(s * 2, y * 4, 4, 48)
            + 0.2 * perlin(np.floor(s / 0.95 + 0.5 * (course % 2)) * 5.1, course * 3.3, 49),
        )
        stone = stone * (1 - 0.6 * joint)[..., None] * smooth(-0.05, 0.55, y)[..., None].clip(0.22, 1)
        wall = (depth > 1) & (s > -40) & (s < 95) & (y >= 0) & (y < QUAY_M)
        out[wall] = (stone * LIGHT * 0.72)[wall]

    def _draw_cobbles(self, out, across, rise):
        """Draw the top of the quay, which is visible from above only."""
        dz = np.where(rise < -1e-4, (QUAY_M - EYE_M) / np.minimum(rise, -1e-4), 1e9)
        gx, gz = across * dz, dz
        n = (gx - START[0]) * -ALONG[1] + (gz - START[1]) * ALONG[0]
        t = (gx - START[0]) * ALONG[0] + (gz - START[1]) * ALONG[1]
        d, own = cells(np.clip(t, -20, 100) / 0.28, np.clip(n, -1, 5) / 0.28, 50)
        cobble = (0.55 + 0.45 * own) * (0.35 + 0.65 * smooth(0.75, 0.35, d))
        here = (n > 0) & (n < QUAY_WIDTH_M) & (t > -40) & (t < 95) & (dz < 200)
        warm = smooth(2.6, 0, n)[..., None] * np.array((0.9, 0.5, 0.18), F32)
        out[here] = (lin("#8a7c6c") * cobble[..., None] * (LIGHT * 0.8 + warm))[here]


def _water(under, across, fall, rng):
    """Return the water with its reflections, and where the lines of sight meet the water before the quay."""
    yy, xx = grid(*fall.shape)
    dist = EYE_M / fall
    wx, wz = across * dist, dist
    basin = ((wx - QUAY_START[0]) * -ALONG[1] + (wz - QUAY_START[1]) * ALONG[0]) > 0
    breeze = 0.55 + 0.5 * smooth(-0.2, 0.4, fbm(wx / 6, wz / 14, 3, 52))
    water = np.zeros((*fall.shape, 3), F32)
    for _ in range(TAPS):
        jx, jz = (
            wx + rng.uniform(-0.5, 0.5, wx.shape) * dist / FOCAL,
            wz + rng.uniform(-0.5, 0.5, wx.shape) * dist**2 / (EYE_M * FOCAL),
        )
        sx, sz = np.zeros_like(wx), np.zeros_like(wx)
        for k, (length, steep) in enumerate(RIPPLES):
            fade = steep * smooth(2.4, 0.5, dist / FOCAL / length * 3)
            sz += fade * perlin(jx / length * 0.6, jz / length, 53 + k)
            sx += fade * 0.5 * perlin(jx / length * 0.6 + 40, jz / length, 63 + k)
        sz = breeze * (sz + 0.006 * rng.normal(0, 1, wx.shape))
        water += sample(under, xx + 2 * FOCAL * sx * 0.4, np.abs(yy + 2 * FOCAL * sz)) / TAPS
    fresnel = (0.12 + 0.88 * (1 - fall / np.hypot(1, fall)) ** 3.2)[..., None]
    return water * fresnel * 0.95 + np.array((0.018, 0.055, 0.075), F32) * (1 - fresnel), basin

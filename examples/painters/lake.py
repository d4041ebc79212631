"""A photo-like scene: a lake under snowy mountains on a clear morning, firs along the shore, a boat by a jetty."""

import numpy as np
from PIL import Image

from .brush import F32, film, grade, grid, lin_palette, mix, ramp, resize, sample, smooth
from .lake_jetty import jetty
from .lake_land import Land
from .noise import cells, fbm, perlin

HEIGHT, WIDTH = 512, 768  # of the picture, in px; it is painted twice as large
SH, SW = 2 * HEIGHT, 2 * WIDTH
FOCAL = 0.95 * SW  # px
HORIZON = int(0.56 * SH)  # px from the top
EYE_M = 2.3  # height of the eye above the water
TAPS = 4  # looks at the mirrored picture for each pixel of the water

# Length of the ripples in metres, and how steep they are.
RIPPLES = ((9.0, 0.016), (3.7, 0.014), (1.5, 0.013), (0.6, 0.011))


def lake():
    """Paint what is above the horizon, its mirror image, and the water that shows the mirror image."""
    rng = np.random.default_rng(4)
    down = SH - HORIZON
    land = Land(SW, FOCAL)
    above = _world(land, EYE_M, HORIZON)
    # Ripples also mirror rows beyond the height of the water.
    under = _world(land, -EYE_M, down + 160)
    near, there = jetty(EYE_M, FOCAL, down, SW)
    mirrored, twin = jetty(-EYE_M, FOCAL, down, SW)
    under[:down][twin] = mirrored[twin]
    water = _water(under, rng)
    water[there] = near[there]
    img = film(np.concatenate([above[::-1], water]), 0.62)
    img = resize(img, (HEIGHT, WIDTH), Image.Resampling.LANCZOS)
    return grade(img, 0.25, 1.12, 0.22, 0.008, 5)


def _world(land, eye, rows):
    """Return land and sky as seen from a height, rows from the horizon upwards."""
    yy, xx = grid(rows, SW)
    seen, cover = land.view(eye, rows)
    return mix(_sky(yy / FOCAL, (xx - SW / 2) / FOCAL), seen, cover[..., None])


def _sky(rise, across):
    """Return the sky at slopes up and across: clear blue above, paler below, with thin and with thick clouds."""
    tall = np.clip(rise * 1.9, 0, 1)
    blues = np.array(((0.80, 0.80, 0.78), (0.50, 0.66, 0.88), (0.20, 0.38, 0.72), (0.10, 0.23, 0.56)), F32)
    sky = ramp(blues, tall**0.8)
    sky = sky + np.array((0.55, 0.40, 0.22), F32) * (np.exp(-((across + 0.75) ** 2) * 3) * np.exp(-rise * 3))[..., None]
    far = 1 / (rise + 0.10)
    px, pz = across * far, far
    wisp = fbm(px * 0.55 + 0.4 * fbm(px, pz, 3, 50), pz * 1.3, 6, 51)
    thin = smooth(0.02, 0.55, wisp) * smooth(0.02, 0.2, rise) * 0.75
    sky = mix(sky, np.array((1.08, 1.04, 0.98), F32), thin[..., None])
    # A thick cloud is bright on the side of the sun: there, it is thinner a little further towards the sun.
    thick = _cloud(across, rise)
    toward = _cloud(across - 0.030, rise + 0.022)
    cover = smooth(0.0, 0.17, thick)
    light = np.clip(0.62 + 1.5 * (thick - toward) - 0.16 * thick, 0, 1)
    cloud = mix(np.array((0.50, 0.55, 0.66), F32), np.array((1.75, 1.58, 1.36), F32), light[..., None])
    return mix(sky, cloud, cover[..., None])


def _cloud(u, v):
    """Return the thickness of the clouds at slopes across and up, below 0 where there is none."""
    big = fbm(u * 2.3, v * 3.4, 3, 62)
    fine = fbm(u * 9 + big, v * 11, 5, 65, 0.55)
    return big * 1.35 + 0.42 * fine + 0.10 - np.abs(v - 0.235) * 3.3


def _water(under, rng):
    """Return the water. Ripples tilt the mirror; where the view is steep, the water shows the bottom instead."""
    yy, xx = grid(SH - HORIZON, SW)
    dist = EYE_M * FOCAL / yy
    wx, wz = (xx - SW / 2) / FOCAL * dist, dist
    breeze = smooth(-0.1, 0.45, fbm(wx / 90, wz / 160, 3, 70)) * smooth(60, 260, dist) * 0.8 + 0.25
    water = np.zeros((*dist.shape, 3), F32)
    for _ in range(TAPS):
        jx, jz = (
            wx + rng.uniform(-0.5, 0.5, wx.shape) * dist / FOCAL,
            wz + rng.uniform(-0.5, 0.5, wx.shape) * dist**2 / (EYE_M * FOCAL),
        )
        sx, sz = np.zeros_like(wx), np.zeros_like(wx)
        for k, (length, steep) in enumerate(RIPPLES):
            fade = steep * smooth(2.2, 0.5, dist / FOCAL / length * 2)
            sz += fade * perlin(jx / length * 0.55, jz / length, 71 + k)
            sx += fade * 0.6 * perlin(jx / length * 0.55 + 50, jz / length, 81 + k)
        sz = sz * breeze * 2 + 0.008 * breeze * rng.normal(0, 1, wx.shape)
        water += sample(under, xx + 2 * FOCAL * sx * 0.35, np.abs(yy + 2 * FOCAL * sz)) / TAPS
    steep = yy / np.hypot(yy, FOCAL)
    fresnel = np.clip(0.05 + 0.95 * (1 - steep) ** 4.2, 0, 1)[..., None]
    stone_d, stone_n = cells(wx / 0.7 + 0.4 * perlin(wx * 2, wz * 2, 92), wz / 0.7, 90)
    stones = ramp(
        lin_palette("#1f2c26", "#4a5442", "#6f7058"), np.clip(stone_n * smooth(0.62, 0.25, stone_d) + 0.1, 0, 1)
    )
    bottom = mix(stones * 0.5, np.array((0.022, 0.085, 0.105), F32), smooth(6, 13, dist)[..., None])
    return water * 0.93 * fresnel + bottom * (1 - fresnel)

"""An impressionist oil: a pond with water lilies under a willow, in short dabs of broken colour."""

import numpy as np

from .brush import F32, blur, grade, grid, mix, palette, ramp, rgb, shrink, smooth
from .canvas import Canvas
from .noise import fbm, perlin

SIZE = 1280  # px, twice the size of the picture
BANK = 0.235  # y of the far bank

# Rafts of lily pads: x, y, half the width, half the height.
RAFTS = (
    (0.20, 0.36, 0.13, 0.016),
    (0.62, 0.345, 0.17, 0.014),
    (0.90, 0.42, 0.12, 0.020),
    (0.40, 0.475, 0.17, 0.026),
    (0.78, 0.56, 0.17, 0.034),
    (0.10, 0.60, 0.14, 0.036),
    (0.47, 0.705, 0.19, 0.044),
    (0.92, 0.78, 0.15, 0.046),
    (0.14, 0.84, 0.20, 0.055),
    (0.62, 0.925, 0.23, 0.050),
)

# Flowers: x, y, size, and whether they are pink or white.
FLOWERS = (
    (0.17, 0.353, 0.015, 1),
    (0.24, 0.366, 0.013, 0),
    (0.57, 0.340, 0.013, 0),
    (0.68, 0.346, 0.014, 1),
    (0.36, 0.463, 0.021, 1),
    (0.46, 0.481, 0.018, 0),
    (0.74, 0.545, 0.026, 0),
    (0.83, 0.570, 0.024, 1),
    (0.07, 0.590, 0.025, 0),
    (0.42, 0.690, 0.034, 1),
    (0.54, 0.715, 0.029, 1),
    (0.93, 0.765, 0.032, 0),
    (0.10, 0.825, 0.040, 1),
    (0.22, 0.855, 0.033, 0),
    (0.58, 0.912, 0.041, 0),
    (0.71, 0.935, 0.036, 1),
)


def impression():
    """Paint the water with what it mirrors, the bank, the lilies and the hanging willow."""
    rng = np.random.default_rng(5)
    y, x = grid(SIZE, SIZE)
    x, y = x / SIZE, y / SIZE
    canvas = Canvas(np.full((SIZE, SIZE, 3), rgb("#b9a79a")), rng)
    _water(canvas, x, y)
    _bank(canvas, x, y)
    _bridge(canvas, x, y)
    _pads(canvas, x, y)
    _flowers(canvas, x, y)
    _willow(canvas, x, y)
    return grade(shrink(canvas.lit(0.85, 0.24), 2), 0.12, 1.1)


def _restless(x, y, angle, amount, seed):
    """Return a direction field: an angle in radians, disturbed by noise."""
    return (angle + amount * perlin(x * 9, y * 9, seed)).astype(F32)


def _water(canvas, x, y):
    """Paint the mirrored sky and trees: long and low strokes far away, broader ones near."""
    depth = (y - BANK) / (1 - BANK)
    clouds = 0.5 + 0.9 * fbm(x * 2.3 + 0.4 * np.sin(y * 9), y * 3.6, 4, 12)
    sky = ramp(
        palette("#5b7fb8", "#86a6d4", "#b9bfe2", "#ecd0d6", "#fbe3c2"),
        np.clip(clouds * 0.9 + 0.22 * np.sin(3.1 * depth + 0.4), 0, 1),
    )
    # The mirrored trees hang down from the bank in columns.
    columns = 0.5 + 0.8 * fbm(x * 5.5, y * 0.8, 4, 31)
    trees = smooth(0.32, -0.05, depth - 0.55 * (columns - 0.35) - 0.28 * np.exp(-(((x - 0.93) / 0.16) ** 2)))
    green = ramp(
        palette("#1f3f4a", "#2f6a58", "#5d9560", "#9cb86a", "#8f8fc0"),
        np.clip(columns + 0.22 * fbm(x * 14, y * 30, 3, 6), 0, 1),
    )
    deep = ramp(palette("#33407f", "#4b5aa0", "#6f7fc0"), 0.5 + fbm(x * 4, y * 9, 3, 44))
    guide = mix(sky, deep, (0.75 * smooth(0.62, 1.05, depth + 0.22 * fbm(x * 3, y * 3, 3, 3)))[..., None])
    guide = mix(guide, green, (0.92 * trees)[..., None])
    everywhere = np.ones_like(y, bool)
    flat = _restless(x, y, 0.0, 0.55, 8)
    canvas.coat(everywhere, guide, flat, (24, 70, 30), vary=0.05, body=0.8)
    canvas.coat(y < 0.62, guide, flat, (17, 44, 14), vary=0.07)
    canvas.coat(y > 0.5, guide, flat, (22, 62, 20), vary=0.07)
    glint = (fbm(x * 9, y * 30, 3, 77) > 0.10) & (trees < 0.7)
    canvas.coat(glint, guide * 1.08 + 0.05, flat, (22, 38, 9), vary=0.09, body=1.3)
    violet = (fbm(x * 8, y * 26, 3, 91) > 0.16) & (depth > 0.1)
    canvas.coat(violet, mix(guide, rgb("#8a74c4"), 0.55), flat, (26, 36, 10), vary=0.10, body=1.2)


def _bank(canvas, x, y):
    """Paint the sunny bank and the bushes behind it."""
    top = 0.05 + 0.05 * perlin(x * 4, 0 * x, 4)
    bushes = y < BANK + 0.012 * perlin(x * 16, 0 * x + 2, 9)
    mass = 0.5 + 0.9 * fbm(x * 6, y * 7, 4, 52)
    light = smooth(0.75, 0.15, x) * 0.32 + 0.25 * smooth(BANK, 0.0, y)
    guide = ramp(
        palette("#1d3d4c", "#2d6650", "#619a4d", "#a9c255", "#f0dc7c"), np.clip(mass * 0.75 + light - 0.08, 0, 1)
    )
    air = ramp(palette("#f7d9b0", "#e7c3cf", "#a9c0e6"), np.clip(0.5 + 0.8 * fbm(x * 4, y * 4, 3, 2), 0, 1))
    gap = smooth(0.1, 0.24, fbm(x * 7, y * 8, 3, 15) + 0.5 * smooth(top + 0.08, top - 0.04, y))
    guide = mix(guide, air, gap[..., None])
    canvas.coat(bushes, guide, _restless(x, y, 1.2, 1.3, 19), (15, 26, 14), vary=0.08)
    canvas.coat(bushes, guide, _restless(x, y, 0.9, 1.6, 29), (12, 20, 9), vary=0.11, body=1.4)
    for k, (tone, low) in enumerate((("#e9c98a", 0.006), ("#d98f8f", 0.016))):
        edge = np.abs(y - BANK - low + 0.006 * perlin(x * 20, 0 * x, k)) < 0.007
        canvas.coat(edge, np.zeros_like(canvas.colour) + rgb(tone), _restless(x, y, 0, 0.3, k), (14, 26, 9), vary=0.12)
    shade = np.abs(y - BANK - 0.034) < 0.010
    canvas.coat(
        shade, np.zeros_like(canvas.colour) + rgb("#26485a"), _restless(x, y, 0, 0.2, 3), (14, 34, 9), vary=0.12
    )


def _bridge(canvas, x, y):
    """Paint an arched footbridge with its railing, and its faint mirror image."""
    arch = 0.205 - 0.105 * (1 - ((x - 0.46) / 0.40) ** 2)
    slope = np.arctan(2 * 0.105 * (x - 0.46) / 0.40**2).astype(F32)
    inside = np.abs(x - 0.46) < 0.40
    mirrored = inside & (np.abs(y - (2 * BANK + 0.03 - arch)) < 0.011)
    shade = np.zeros_like(canvas.colour) + rgb("#3e5f86")
    canvas.coat(mirrored, shade, 0 * x, (17, 30, 10), vary=0.12)
    tone = ramp(palette("#7fb3a0", "#3c7f8a", "#27516f"), np.clip((y - arch) / 0.02 + 0.5, 0, 1))
    for offset, thick in ((0.0, 0.0105), (-0.052, 0.0055), (-0.028, 0.004)):
        beam = inside & (np.abs(y - arch - offset) < thick)
        canvas.coat(beam, tone, slope, (8, 40, 9), vary=0.08, body=1.3)
    posts = inside & (np.abs((x * 26) % 1 - 0.5) < 0.075) & (y > arch - 0.06) & (y < arch)
    canvas.coat(posts, tone, 0 * x + F32(np.pi / 2), (6, 20, 7), vary=0.08, body=1.3)
    lit = inside & (np.abs(y - arch + 0.0565) < 0.0028)
    canvas.coat(lit, np.zeros_like(canvas.colour) + rgb("#f2e3b0"), slope, (13, 26, 6), vary=0.06, body=1.8)


def _pads(canvas, x, y):
    """Paint rafts of leaves: dark below, light where they face the sky."""
    for i, (cx, cy, a, b) in enumerate(RAFTS):
        near = 0.6 + 0.9 * (cy - BANK)
        ragged = 1 + 0.75 * fbm(x * 10, y * 34, 3, 60 + i)
        inside = np.hypot((x - cx) / a, (y - cy) / b) < ragged
        below = np.hypot((x - cx) / a, (y - cy - 0.011 * near) / b) < ragged
        flat = _restless(x, y, 0.0, 0.22, 40 + i)
        dark = np.zeros_like(canvas.colour) + rgb("#3a5687")
        brush = (15 * near, 38 * near, 15 * near)
        canvas.coat(below & ~inside, dark, flat, brush, vary=0.07, body=0.9)
        tone = 0.45 + 0.9 * fbm(x * 16, y * 60, 3, 70 + i) + 0.25 * (cy - y) / b
        leaf = ramp(palette("#2c6a5e", "#4f9a62", "#93bd5f", "#d8dc8a", "#bcd3d8"), np.clip(tone, 0, 1))
        canvas.coat(inside, leaf, flat, brush, vary=0.09, body=1.2)
        canvas.coat(inside & (tone > 0.5), leaf * 1.07, flat, (22 * near, 26 * near, 8 * near), vary=0.12, body=1.6)


def _flowers(canvas, x, y):
    """Paint each flower as a cup of petals around a yellow heart."""
    for fx, fy, r, pink in FLOWERS:
        d, a = np.hypot(x - fx, (y - fy) * 1.5), np.arctan2((y - fy) * 1.5, x - fx)
        tones = (
            palette("#a83a6c", "#e0789c", "#f9c6cf", "#fff1ea")
            if pink
            else palette("#8f8cc4", "#d9d3ea", "#fff6e6", "#ffffff")
        )
        cup = d < r * (0.74 + 0.16 * np.cos(7 * a))
        light = 0.55 - 0.60 * (y - fy) / r - 0.30 * (x - fx) / r + 0.10 * np.cos(7 * a)
        guide = ramp(tones, np.clip(light, 0, 1))
        size = r * SIZE
        brush = (max(5, size * 0.17), max(11, size * 0.46), max(7, size * 0.34))
        canvas.coat(cup, guide * 0.86, a.astype(F32), brush, vary=0.05, body=1.7)
        canvas.coat(cup & (d < 0.6 * r), np.clip(guide * 1.08, 0, 1), a.astype(F32), brush, vary=0.05, body=2.2)
        heart = np.hypot(x - fx, (y - fy + 0.1 * r) * 1.4) < 0.26 * r
        canvas.coat(heart, np.zeros_like(guide) + rgb("#f6c33a"), a.astype(F32), (6, 11, 6), vary=0.12, body=2.0)


def _willow(canvas, x, y):
    """Paint the hanging twigs at the right and at the left, leaf by leaf."""
    rng = canvas.rng
    for side, count, reach in ((1, 26, 0.40), (-1, 13, 0.26)):
        twigs = np.zeros_like(x, bool)
        lean = np.zeros_like(x)
        for _ in range(count):
            start = rng.uniform(0, 0.24 if side > 0 else 0.15)
            tx = (1.02 - start) if side > 0 else start - 0.02
            length = reach * rng.uniform(0.45, 1.0) * (1 - 1.6 * start)
            line = tx - side * 0.06 * y + 0.010 * np.sin(y * 17 + 9 * start)
            on = (np.abs(x - line) < 0.0042) & (y < length)
            twigs |= on
            lean[on] = 0.12 * side
        wide = blur(twigs.astype(F32), 5) > 0.06
        tone = np.clip(0.45 + 0.9 * fbm(x * 20, y * 12, 3, 83) + 0.3 * (0.3 - y), 0, 1)
        leaf = ramp(palette("#2a5a48", "#5f9147", "#a9bd4e", "#f0e08a"), tone)
        hang = (np.pi / 2 + lean + 0.5 * perlin(x * 50, y * 50, 3)).astype(F32)
        canvas.coat(wide, leaf, hang, (11, 24, 7), vary=0.12, body=1.5)

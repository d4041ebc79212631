"""Oil: a golden tree in the night wind, in thick strokes along a flow."""

import numpy as np
from PIL import Image, ImageDraw

from .brush import F32, blur, grade, grid, mix, palette, ramp, rgb, shrink, smooth
from .canvas import Canvas, along
from .noise import fbm, perlin

SIZE = 1280  # px, twice the size of the picture
MOON = (0.27, 0.24)

# Of the sky: x, y, radius, strength.
EDDIES = (
    (*MOON, 0.17, 0.42),
    (0.56, 0.13, 0.10, -0.20),
    (0.07, 0.50, 0.10, -0.22),
    (0.50, 0.44, 0.09, 0.17),
    (0.86, 0.06, 0.10, 0.18),
)

# x, y, radius.
STARS = (
    (0.60, 0.30, 0.014),
    (0.44, 0.06, 0.012),
    (0.08, 0.07, 0.013),
    (0.70, 0.04, 0.009),
    (0.10, 0.66, 0.010),
    (0.93, 0.30, 0.011),
    (0.40, 0.56, 0.009),
)

# y of the crest, its waves (height, frequency, phase) and colours, from back to front.
HILLS = (
    (0.70, 0.030, 5.0, 0.4, ("#16305c", "#245a80", "#4a93a0")),
    (0.77, 0.045, 4.0, 2.2, ("#123a4a", "#1f6a62", "#73a86a")),
    (0.86, 0.055, 3.2, 4.4, ("#1c2c44", "#7a6a26", "#dcae3e")),
)

# The trunk, the boughs and the roots: points from the thick to the thin end, and the thickness.
LIMBS = (
    ([(0.735, 0.97), (0.715, 0.86), (0.725, 0.76), (0.70, 0.66), (0.715, 0.55), (0.70, 0.42)], 0.062),
    ([(0.71, 0.70), (0.64, 0.62), (0.585, 0.56), (0.555, 0.50)], 0.030),
    ([(0.71, 0.66), (0.79, 0.58), (0.83, 0.50), (0.88, 0.46)], 0.032),
    ([(0.71, 0.58), (0.66, 0.48), (0.62, 0.38)], 0.026),
    ([(0.71, 0.56), (0.78, 0.44), (0.79, 0.34)], 0.024),
    ([(0.735, 0.90), (0.69, 0.955), (0.63, 0.985)], 0.034),
    ([(0.735, 0.90), (0.79, 0.955), (0.85, 0.98)], 0.034),
)

# Round parts of the crown from back to front: x, y, radius.
CROWN = (
    (0.90, 0.30, 0.105),
    (0.55, 0.31, 0.085),
    (0.72, 0.17, 0.105),
    (0.93, 0.47, 0.085),
    (0.52, 0.49, 0.070),
    (0.84, 0.19, 0.095),
    (0.60, 0.22, 0.090),
    (0.62, 0.40, 0.090),
    (0.84, 0.40, 0.100),
    (0.73, 0.31, 0.115),
)


def swirls():
    """Paint the wind around the moon, the hills, a house and the tree."""
    rng = np.random.default_rng(11)
    y, x = grid(SIZE, SIZE)
    x, y = x / SIZE, y / SIZE
    canvas = Canvas(np.full((SIZE, SIZE, 3), rgb("#2a2038")), rng)
    wind = _sky(canvas, x, y)
    _moon_and_stars(canvas, x, y)
    _hills(canvas, x, y)
    _house(canvas, x, y)
    _wood(canvas, x, y)
    _crown(canvas, x, y)
    _blown_leaves(canvas, x, y, wind)
    out = shrink(canvas.lit(0.5, 0.30), 2)
    return grade(out, 0.25, 1.08)


def _sky(canvas, x, y):
    """Paint the sky, and return the direction of the wind."""
    # The sky is a stream. Each eddy is a bump of the stream function, and the colours follow the same lines.
    psi = 1.1 * y + 0.16 * np.sin(4.2 * x + 0.6) + 0.07 * fbm(x * 2.2, y * 2.2, 3, 5)
    for ex, ey, r, a in EDDIES:
        psi = psi + a * np.exp(-np.hypot(x - ex, y - ey) / r)
    band = 0.5 + 0.5 * np.sin(psi * 46 + 2.5 * perlin(x * 5, y * 5, 8))
    band = np.clip(0.75 * band + 0.35 * (0.5 + fbm(x * 7, y * 7, 3, 9)) - 0.05, 0, 1)
    sky = ramp(palette("#0d1440", "#182a6e", "#2450a0", "#3f83bd", "#9cc4c4"), band * (0.72 + 0.28 * y))
    glow = np.exp(-np.hypot(x - MOON[0], y - MOON[1]) / 0.13)
    warm = ramp(
        palette("#3c78a8", "#a9b78a", "#edc653", "#fff0a8"),
        np.clip(glow * 1.5 - 0.1 + 0.25 * (band - 0.5), 0, 1),
    )
    sky = mix(sky, warm, smooth(0.2, 0.62, glow + 0.12 * (band - 0.5))[..., None])
    wind = along(psi)
    everywhere = np.ones((SIZE, SIZE), bool)
    canvas.coat(everywhere, sky, wind, (24, 130, 30), body=0.8)
    canvas.coat(everywhere, sky, wind, (17, 105, 17))
    canvas.coat(band > 0.55, sky * 1.1 + 0.02, wind, (19, 80, 11), body=1.4)
    return wind


def _moon_and_stars(canvas, x, y):
    disc = np.hypot(x - MOON[0], y - MOON[1])
    ring = np.arctan2(y - MOON[1], x - MOON[0]).astype(F32) + np.pi / 2
    face = ramp(palette("#fff6c8", "#ffe27a", "#f0ac30"), disc / 0.075)
    canvas.coat(disc < 0.066, face, ring, (10, 46, 13), body=1.8)
    for sx, sy, r in STARS:
        d = np.hypot(x - sx, y - sy)
        turn = np.arctan2(y - sy, x - sx).astype(F32) + np.pi / 2
        star = ramp(palette("#fff4c0", "#f2cf5a", "#7fb0b4"), d / (2.6 * r))
        canvas.coat(d < 2.4 * r, star, turn, (11, 26, 9), body=1.5)


def _hills(canvas, x, y):
    """Paint the hills with furrows, lit from the side of the moon."""
    for base, amp, freq, phase, tones in HILLS:
        crest = base + amp * np.sin(freq * x + phase) + 0.008 * perlin(x * 9, base * 30 + 0 * x, 4)
        depth = y - crest
        # Furrows spread from a far point on the crest.
        fan = np.arctan2(depth + 0.10, (x - 0.62) * 0.55)
        furrow = 0.5 + 0.5 * np.sin(fan * 44 + 3 * perlin(x * 6, y * 6, 2))
        side = smooth(0.9, 0.0, x + 0.4 * (0.5 + fbm(x * 4, y * 4, 3, 3)))
        tone = np.clip(0.15 + 0.5 * furrow * (0.4 + 0.6 * side) + 0.45 * np.exp(-depth / 0.03) * side, 0, 1)
        guide = ramp(palette(*tones), tone)
        lie = along(fan + 0.15 * depth)
        canvas.coat(depth > 0, guide, lie, (17, 75, 17))
        canvas.coat(depth > 0.004, guide, lie, (15, 60, 10), body=1.2)
        canvas.coat((depth > 0) & (depth < 0.014), guide * 1.1, along(depth), (10, 60, 9), body=1.3)


def _house(canvas, x, y):
    """Paint a small house with two lit windows."""
    hx, hy = 0.235, 0.735
    wall = (abs(x - hx) < 0.040) & (abs(y - hy) < 0.024)
    roof = (y < hy - 0.020) & (y > hy - 0.066 + 0.75 * abs(x - hx)) & (abs(x - hx) < 0.054)
    flat, steep = np.zeros_like(x), np.where(x < hx, -0.75, 0.75).astype(F32)
    plaster = mix(rgb("#c9b98e"), rgb("#5a5470"), smooth(-0.04, 0.04, x - hx)[..., None])
    canvas.coat(wall, plaster, flat + 1.57, (7, 15, 8))
    tiles = mix(rgb("#a8502c"), rgb("#50263a"), smooth(-0.03, 0.03, x - hx)[..., None])
    canvas.coat(roof, tiles, steep, (8, 30, 8))
    lamp = np.zeros((SIZE, SIZE, 3), F32) + rgb("#ffd24a")
    for wx in (-0.02, 0.018):
        window = (abs(x - hx - wx) < 0.008) & (abs(y - hy - 0.001) < 0.011)
        canvas.coat(window, lamp, flat + 1.57, (6, 14, 7))


def _wood(canvas, x, y):
    """Paint the trunk and the boughs with strokes along each limb."""
    limb = _limb_directions()
    wood = limb > -8
    # Strokes that leave a limb keep its direction.
    near = blur(wood.astype(F32), 5)
    limb = np.where(wood, limb, blur(np.where(wood, limb, 0), 5) / np.maximum(near, 1e-4))
    limb = np.where(near > 1e-3, limb, -np.pi / 2).astype(F32)
    soft = blur(wood.astype(F32), 9)
    rim = np.clip(-np.gradient(soft)[1] * -28, -1, 1)  # bright on the side of the moon, dark on the other side
    bark = ramp(
        palette("#1b1230", "#4a2436", "#8a4a2c", "#e0a24a"),
        0.36 + 0.55 * rim + 0.12 * perlin(x * 30, y * 30, 6),
    )
    canvas.coat(wood, bark, limb, (13, 60, 13))
    canvas.coat(wood, bark, limb, (11, 44, 7), body=1.3)


def _limb_directions():
    """Return the direction of the limb at each pixel in radians, -9 where there is no limb."""
    limbs = Image.new("F", (SIZE, SIZE), -9.0)
    draw = ImageDraw.Draw(limbs)
    for line, thick in LIMBS:
        t = np.linspace(0, len(line) - 1, 60)
        px, py = (np.interp(t, range(len(line)), [p[k] for p in line]) for k in (0, 1))
        k = np.exp(-0.5 * (np.arange(-8, 9) / 4) ** 2)
        px, py = (np.convolve(np.pad(p, 8, mode="edge"), k / k.sum(), "valid") for p in (px, py))
        for i in range(59):
            a = float(np.arctan2(py[i + 1] - py[i], px[i + 1] - px[i]))
            r = SIZE * thick * (1.25 - 0.8 * i / 59) / 2
            draw.line([px[i] * SIZE, py[i] * SIZE, px[i + 1] * SIZE, py[i + 1] * SIZE], fill=a, width=int(2 * r))
            draw.ellipse([px[i] * SIZE - r, py[i] * SIZE - r, px[i] * SIZE + r, py[i] * SIZE + r], fill=a)
    return np.array(limbs)


def _crown(canvas, x, y):
    """Paint the crown as spirals of leaves, those behind first."""
    for i, (cx, cy, r) in enumerate(CROWN):
        d, a = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)
        spin = 1 if i % 2 else -1
        edge = r * (1 + 0.10 * np.sin(5 * a + i) + 0.16 * perlin(x * 14, y * 14, 20 + i))
        spiral = 0.5 + 0.5 * np.sin(d / r * 13 - spin * a * 2 + i)
        light = -((x - cx) * 0.75 + (y - cy) * 0.65) / r
        tone = np.clip(0.42 + 0.33 * light + 0.34 * (spiral - 0.5) + 0.1 * perlin(x * 20, y * 20, 7), 0, 1)
        leaf = ramp(palette("#3a1430", "#7e2a22", "#c8601c", "#eda522", "#ffe07a"), tone)
        turn = (a + spin * (np.pi / 2 - 0.28)).astype(F32)
        canvas.coat(d < edge, leaf, turn, (17, 46, 17), body=1.1)
        canvas.coat(d < edge * 1.04, leaf, turn, (13, 40, 11), body=1.4)
        canvas.coat((d < edge) & (tone > 0.62), leaf * 1.08, turn, (19, 30, 8), body=1.9)
        # Single leaves stand out from the edge. Without them, the crown would look like balls.
        tuft = (d > edge * 0.80) & (d < edge * 1.16)
        loose = (turn + 0.9 * perlin(x * 40, y * 40, 50 + i)).astype(F32)
        canvas.coat(tuft, leaf * 1.05, loose, (15, 21, 9), vary=0.10, body=1.7)


def _blown_leaves(canvas, x, y, wind):
    rng = canvas.rng
    blown = rng.random((SIZE, SIZE)) < 0
    drift = rng.uniform(0, 1, (70, 2)) * (0.55, 0.55) + (0.02, 0.08)
    for lx, ly in drift:
        if lx > 0.3 + 0.25 * rng.random():
            blown |= (abs(x - lx) < 0.007) & (abs(y - ly) < 0.007)
    gold = ramp(palette("#d9771e", "#f7c33c"), rng.random((SIZE, SIZE)).astype(F32))
    canvas.coat(blown, gold, wind, (15, 22, 9), vary=0.12, body=1.8)

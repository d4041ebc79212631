"""A pen drawing: the old houses on the quay, in hatching of brown-black ink on cream paper."""

import numpy as np
from PIL import Image, ImageDraw

from .brush import F32, blur, grid, luma, mix, relief, resize, rgb, sample, shrink, smooth
from .harbour import harbour
from .noise import fbm, perlin

OVER = 3  # how many times too large the strokes are drawn
CREAM, INK = "#f6eedc", "#221b1c"

# Hatching from light to dark: how dark a place must be (0 to 1), the direction in degrees or None for that of the
# nearest edges, space between strokes and length of a stroke in px.
LAYERS = (
    (0.21, -62, 4.0, 30),
    (0.38, None, 3.4, 26),
    (0.54, 28, 3.3, 22),
    (0.69, -80, 2.8, 18),
    (0.82, None, 2.3, 16),
)


def ink():
    """Draw the contours, then hatch what is dark, layer on layer."""
    scene = harbour()
    h, w = scene.shape[:2]
    rng = np.random.default_rng(14)
    y, x = grid(h, w)
    dark = _darkness(scene, x, y)
    sheet = Image.new("L", (w * OVER, h * OVER))
    draw = ImageDraw.Draw(sheet)
    lie = _directions(scene)
    for need, degrees, spacing, length in LAYERS:
        angle = lie if degrees is None else np.full((h, w), np.radians(degrees), F32) + 0.10 * perlin(x / 70, y / 70, 5)
        _hatch(draw, dark, need, angle, (spacing, length), rng)
    strokes = shrink(np.asarray(sheet, F32) / 255, OVER)
    pressed = np.clip(np.maximum(strokes, _contours(scene, x, y)), 0, 1)
    fibre = fbm(x / 3, y / 3, 4, 3)
    shade, _ = relief(fibre, (-0.7, -0.7, 0.9), 0.20)
    paper = rgb(CREAM) * (0.72 + 0.28 * shade)[..., None] * (1 + 0.02 * fbm(x / 160, y / 160, 3, 8))[..., None]
    # Ink runs a little along the fibres, and is thinner where the pen was dry.
    pressed = smooth(0.12, 0.80, pressed + 0.10 * fibre) * (0.90 + 0.10 * fbm(x / 40, y / 40, 2, 6))
    return mix(paper, rgb(INK), pressed[..., None])


def _darkness(scene, x, y):
    """Return how dark each place is to be, 0 to 1: light is evened out, so that all parts have paper and ink."""
    light = luma(scene)
    around = blur(light, 60)
    even = np.clip(0.56 + 1.10 * (light - around) + 0.65 * (around - 0.42), 0, 1)
    # The colour of a wall tells as much as its light: blue and red walls are darker than yellow ones.
    hue = 0.16 * (scene[..., 2] - 0.5 * (scene[..., 0] + scene[..., 1]))
    h, w = light.shape
    open_sky = smooth(0.42, 0.0, x / w + 0.30 * y / h) * smooth(0.62, 0.45, y / h)
    clouds = 0.14 * smooth(0.0, 0.35, fbm(x / 150, y / 45, 3, 21))
    # The water and the wall of the quay are kept light, so that the boats stand out.
    low = 0.20 * smooth(0.66, 0.86, y / h + 0.10 * (0.5 - x / w))
    dark = (1 - even + hue) * (1 - low) - 0.25 * low
    return np.clip(mix(dark, 0.10 + clouds, open_sky * (light > 0.45)), 0, 1).astype(F32)


def _directions(scene):
    """Return the direction (radians) of the edges around each place."""
    light = luma(scene)
    gy, gx = np.gradient(blur(light, 1.2))
    xx, yy, xy = (blur(a, 7.0) for a in (gx * gx, gy * gy, gx * gy))
    along = 0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2
    return along.astype(F32)


def _hatch(draw, dark, need, angle, pen, rng):
    """Draw strokes where it is darker than `need`; a stroke breaks where light begins."""
    h, w = dark.shape
    spacing, length = pen
    rows, columns = np.mgrid[0:h:spacing, 0 : w : length * 0.62]
    start = np.stack([columns, rows], -1).reshape(-1, 2) + rng.uniform(-0.5, 0.5, (rows.size, 2)) * (length, spacing)
    # The lattice lies in the direction of the strokes where it is the same everywhere.
    middle = float(np.median(angle))
    if angle.std() < 0.2:
        c, s = np.cos(middle), np.sin(middle)
        reach = int(np.hypot(h, w) / 2)
        rows, columns = np.mgrid[-reach:reach:spacing, -reach : reach : length * 0.9]
        lattice = np.stack([columns, rows], -1).reshape(-1, 2) + rng.uniform(-0.5, 0.5, (rows.size, 2)) * (
            length,
            0.5 * spacing,
        )
        start = lattice @ np.array([[c, s], [-s, c]]) + (w / 2, h / 2)
    start = start[(start > -length).all(1) & (start < (w + length, h + length)).all(1)].astype(F32)
    turn = sample(angle, start[:, 0], start[:, 1]) + rng.normal(0, 0.045, len(start))
    steps = 12
    t = np.linspace(-0.5, 0.5, steps, dtype=F32)
    size = length * rng.uniform(0.7, 1.25, len(start))
    bend = rng.normal(0, 0.035, len(start)) * size
    along, aside = t * size[:, None], bend[:, None] * (1 - 4 * t * t)
    px = start[:, :1] + along * np.cos(turn)[:, None] - aside * np.sin(turn)[:, None]
    py = start[:, 1:] + along * np.sin(turn)[:, None] + aside * np.cos(turn)[:, None]
    inside = (px > 0) & (px < w) & (py > 0) & (py < h)
    level = sample(dark, px, py) + rng.normal(0, 0.035, (len(start), 1))
    on = inside & (level > need)
    weight = np.clip(0.72 + 1.2 * (level - need), 0.66, 1.35) * rng.uniform(0.85, 1.15, (len(start), 1))
    for k in np.nonzero(on.sum(1) > 2)[0]:
        for i in range(steps - 1):
            if on[k, i] and on[k, i + 1]:
                ends = [float(px[k, i]), float(py[k, i]), float(px[k, i + 1]), float(py[k, i + 1])]
                thin = 0.75 + 0.25 * np.sin(np.pi * (i + 0.5) / steps)
                draw.line([OVER * e for e in ends], fill=255, width=max(1, round(OVER * weight[k, i] * thin)))


def _contours(scene, x, y):
    """Return the contours, drawn twice by a hand that trembles."""
    big = resize(luma(scene), (2 * scene.shape[0], 2 * scene.shape[1]))
    fine = blur(big, 1.3) - 0.985 * blur(big, 2.4)
    line = smooth(0.012, -0.016, fine)
    found = np.zeros_like(x)
    for seed, strength in ((1, 1.0), (4, 0.7)):
        shift = [0.9 * perlin(x / 34, y / 34, seed + k) + 0.35 * perlin(x / 7, y / 7, seed + 7 + k) for k in (0, 1)]
        broken = smooth(-0.42, -0.20, fbm(x / 26, y / 26, 3, seed + 30))
        found = np.maximum(found, strength * broken * sample(line, 2 * (x + shift[0]), 2 * (y + shift[1])))
    return found

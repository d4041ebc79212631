"""A cubist oil: a guitar, a bottle and a fruit bowl in planes of ochre, grey and blue."""

import numpy as np

from .brush import F32, blur, distance, grade, grid, palette, polygon, ramp, rgb, shrink, smooth, spline
from .canvas import Canvas
from .noise import fbm, perlin

SIZE = 1280  # px, twice the size of the picture

# Lines that cut the picture into planes: a point, the direction in degrees, and how far the line reaches.
CUTS = (
    (0.30, 0.30, 62, 0.9),
    (0.55, 0.42, 118, 1.2),
    (0.72, 0.28, 75, 0.8),
    (0.20, 0.62, 28, 1.0),
    (0.50, 0.70, -24, 1.2),
    (0.78, 0.66, 48, 0.9),
    (0.42, 0.16, -12, 1.0),
    (0.12, 0.20, 105, 0.7),
    (0.88, 0.44, 100, 0.9),
    (0.62, 0.88, 12, 1.0),
    (0.36, 0.52, 138, 0.8),
)

WARM = ("#3a2a22", "#7a4f2c", "#b9823f", "#dcb06a", "#f2dcae")
GREY = ("#26282c", "#4d5257", "#83878a", "#b9b8ae", "#e9e2d0")
COLD = ("#16232f", "#264559", "#4a7186", "#8aa6aa", "#d3d9cc")
UMBER = ("#1f1a18", "#4a3a2c", "#85704f", "#bba57a", "#e9dcb9")
CREAM = ("#8a7a5c", "#b9a883", "#d9caa5", "#efe3c4", "#faf3df")
RED = ("#3a1a1a", "#6e2a22", "#a5462f", "#cf7a4f", "#efc49a")


def cubism():
    """Cut the picture into planes, put the things into them, paint, and draw the contours."""
    rng = np.random.default_rng(31)
    y, x = grid(SIZE, SIZE)
    x, y = x / SIZE, y / SIZE
    canvas = Canvas(np.full((SIZE, SIZE, 3), rgb("#8a7352")), rng)
    planes = _Planes(x, y)
    for mask, tones, shift in _things(x, y):
        planes.put(mask, tones, shift)
    _painted(canvas, planes, x, y)
    return grade(shrink(canvas.lit(0.7, 0.14), 2), 0.15, 1.0)


class _Planes:
    """The picture as planes: the number of the plane at each pixel, its tone and its colours."""

    def __init__(self, x, y):
        self.x, self.y = x, y
        self.cell = np.zeros(x.shape, np.int64)
        self.tone = np.full(x.shape, 0.5, F32)
        for k, (px, py, degrees, reach) in enumerate(CUTS):
            a = np.radians(degrees)
            across = (x - px) * np.sin(a) - (y - py) * np.cos(a)
            along = (x - px) * np.cos(a) + (y - py) * np.sin(a)
            near = smooth(reach, 0.3 * reach, np.abs(along))
            self.cell += (across > 0).astype(np.int64) << k
            # Light on one side of each line, which fades away from it: this makes edges of planes.
            self.tone += near * 0.30 * np.sign(across) * np.exp(-np.abs(across) / 0.13) * (1 if k % 2 else -1)
        self.base = self.cell.copy()
        self.thing = np.zeros(x.shape, np.int64)
        self.angle = (self.cell * 2.399 % np.pi).astype(F32)
        self.guide = np.zeros((*x.shape, 3), F32)
        families = [palette(*codes) for codes in (GREY, COLD, UMBER, GREY, COLD, GREY)]
        pick = (self.cell * 7 + (self.cell >> 3)) % len(families)
        for k, family in enumerate(families):
            part = pick == k
            self.guide[part] = ramp(family, np.clip(self.tone[part] - 0.03, 0, 1))

    def put(self, mask, tones, shift):
        """Put a thing into the planes. In each plane its tone is a little different, as if the plane were glass."""
        family = palette(*tones)
        odd = np.where(self.base % 3 == 0, 0.20, np.where(self.base % 3 == 1, -0.18, 0.02))
        tone = np.clip(0.5 + 0.75 * (self.tone - 0.5) + odd + shift, 0.02, 0.98)
        self.guide[mask] = ramp(family, tone[mask])
        self.thing[mask] = self.thing.max() + 1
        self.cell[mask] = self.base[mask] + (self.thing.max() << len(CUTS))


def _shape(*points, n=300):
    return polygon(SIZE, SIZE, spline([*points, points[0]], n) * SIZE, over=1) > 0.5


def _sheet(*points):
    return polygon(SIZE, SIZE, np.array(points) * SIZE, over=1) > 0.5


def _shifted(mask, line, dx, dy):
    """Return a shape that is broken along a line (x, y, degrees): its part on one side is moved by (dx, dy)."""
    px, py, degrees = line
    y, x = (p / SIZE for p in grid(SIZE, SIZE))
    a = np.radians(degrees)
    side = (x - px) * np.sin(a) - (y - py) * np.cos(a) > 0
    moved = np.roll(mask, (int(dy * SIZE), int(dx * SIZE)), (0, 1))
    return np.where(side, moved, mask)


def _things(x, y):
    """Yield the things from back to front: where they are, their colours, and how light they are."""
    yield _sheet((0.06, 0.60), (0.60, 0.52), (0.98, 0.68), (0.90, 0.96), (0.30, 1.02), (0.04, 0.88)), UMBER, -0.14
    yield _sheet((0.10, 0.72), (0.34, 0.60), (0.52, 0.82), (0.27, 0.95)), CREAM, 0.05
    yield _sheet((0.62, 0.11), (0.88, 0.06), (0.92, 0.38), (0.67, 0.42)), CREAM, 0.05
    bottle = _shape(
        (0.225, 0.30),
        (0.30, 0.30),
        (0.305, 0.40),
        (0.36, 0.46),
        (0.365, 0.74),
        (0.17, 0.74),
        (0.17, 0.46),
        (0.222, 0.40),
    )
    neck = _sheet((0.235, 0.12), (0.29, 0.12), (0.297, 0.34), (0.228, 0.34))
    bottle = _shifted(bottle | neck, (0.265, 0.4, 88), 0.0, 0.045)
    yield bottle, COLD, -0.08
    yield bottle & _sheet((0.15, 0.54), (0.40, 0.50), (0.40, 0.66), (0.15, 0.68)), WARM, 0.28
    body = _shape(
        (0.50, 0.44), (0.60, 0.40), (0.69, 0.44), (0.71, 0.53), (0.69, 0.60), (0.755, 0.68), (0.755, 0.80),
        (0.66, 0.885), (0.54, 0.875), (0.46, 0.80), (0.47, 0.69), (0.525, 0.62), (0.48, 0.54),
    )  # fmt: skip
    body = _shifted(body, (0.60, 0.60, 68), 0.030, -0.035)
    yield _shifted(body, (0.6, 0.6, 0), 0.028, 0.020), RED, -0.22
    yield body, WARM, 0.14
    yield body & _sheet((0.60, 0.36), (0.80, 0.40), (0.80, 0.92), (0.655, 0.90)), RED, 0.02
    neck = _sheet((0.575, 0.47), (0.615, 0.46), (0.50, 0.045), (0.462, 0.06))
    yield _shifted(neck, (0.54, 0.27, 10), 0.020, 0.0), GREY, -0.30
    head = _sheet((0.452, 0.10), (0.505, 0.085), (0.49, -0.01), (0.43, 0.0))
    yield head, WARM, -0.25
    hole = np.hypot(x - 0.615, (y - 0.585)) < 0.052
    yield hole, GREY, 0.30
    yield np.hypot(x - 0.605, (y - 0.590)) < 0.043, GREY, -0.48
    yield _sheet((0.585, 0.765), (0.70, 0.735), (0.705, 0.757), (0.59, 0.788)), RED, -0.35
    bowl = _shape((0.76, 0.66), (0.965, 0.62), (0.955, 0.70), (0.88, 0.765), (0.80, 0.755))
    yield bowl, COLD, 0.22
    for cx, cy, r, tones in ((0.815, 0.635, 0.046, RED), (0.895, 0.612, 0.050, WARM), (0.852, 0.585, 0.040, COLD)):
        yield (np.hypot(x - cx, y - cy) < r), tones, 0.12
        yield (np.hypot(x - cx, y - cy) < r) & (x + 0.6 * y > cx + 0.6 * cy + 0.008), tones, -0.22


def _painted(canvas, planes, x, y):
    """Paint the planes in short strokes that follow each plane, then the contours and the strings."""
    everywhere = np.ones_like(x, bool)
    guide = np.clip(planes.guide * (1 + 0.22 * fbm(x * 7, y * 7, 4, 3))[..., None], 0, 1)
    angle = (planes.angle + 0.20 * perlin(x * 8, y * 8, 4)).astype(F32)
    canvas.coat(everywhere, guide, angle, (20, 60, 26), vary=0.05, body=0.9)
    canvas.coat(everywhere, guide, angle, (13, 30, 13), vary=0.06, body=1.1)
    canvas.coat(fbm(x * 9, y * 9, 3, 5) > 0.06, np.clip(guide * 1.06, 0, 1), angle, (15, 24, 9), vary=0.08, body=1.5)
    edge = np.zeros_like(everywhere)
    for axis in (0, 1):
        edge |= planes.cell != np.roll(planes.cell, 1, axis)
    edge[:3] = edge[:, :3] = False
    away = distance(edge, 10)
    lie = _along(edge)
    # Short strokes make the edges of the planes sharp again, then contours are drawn along them.
    canvas.coat((away > 1.5) & (away < 10), guide, lie, (6, 11, 8), vary=0.04, body=1.1)
    thing = np.zeros_like(everywhere)
    for axis in (0, 1):
        thing |= planes.thing != np.roll(planes.thing, 1, axis)
    thing[:3] = thing[:, :3] = False
    dark = np.zeros_like(guide) + rgb("#1b1716")
    broken = fbm(x * 6, y * 6, 3, 12)
    canvas.coat(distance(thing, 3) < 2, dark, lie, (4.5, 22, 7), vary=0.05, body=1.2)
    canvas.coat((away < 1.5) & (broken > 0.02), dark, lie, (5, 26, 5), vary=0.05, body=1.1)
    canvas.coat((away > 6) & (away < 8) & (broken > 0.12), np.clip(guide * 1.3 + 0.05, 0, 1), lie, (8, 24, 6), body=1.6)
    _lines(canvas, x, y)


def _lines(canvas, x, y):
    """Draw the strings of the guitar, and the staves of the music."""
    pale, dark = (np.zeros_like(canvas.colour) + rgb(code) for code in ("#f4ead0", "#2a2422"))
    for k in range(4):
        string = np.abs((x - 0.4765 - 0.009 * k) - (y - 0.07) * (0.274 - 0.004 * k)) < 0.0016
        canvas.coat(string & (y > 0.07) & (y < 0.765), pale, 0 * x + F32(1.30), (4, 30, 3.0), vary=0.02)
    for k in range(10):
        height = y - (0.150 + 0.022 * k + 0.022 * (k > 4)) + 0.19 * (x - 0.67)
        stave = (np.abs(height) < 0.0012) & (x > 0.665) & (x < 0.865)
        canvas.coat(stave, dark, 0 * x - F32(0.187), (4, 24, 2.4), vary=0.02)
        note = np.hypot((x - 0.69 - 0.071 * k % 0.165) / 1.3, height + 0.004) < 0.0075
        canvas.coat(note, dark, 0 * x, (5, 9, 6), vary=0.02)


def _along(edge):
    """Return the direction (radians) of the nearest contour."""
    gy, gx = np.gradient(blur(edge.astype(F32), 2.0))
    xx, yy, xy = (blur(a, 3.0) for a in (gx * gx, gy * gy, gx * gy))
    return (0.5 * np.arctan2(2 * xy, xx - yy) + np.pi / 2).astype(F32)

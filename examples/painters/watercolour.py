"""A watercolour: poppies, cornflowers and grasses, wet on rough paper."""

import numpy as np

from .brush import blur, grade, mix, ramp, rgb, ribbons, shrink, smooth, spline
from .noise import fbm, perlin
from .paper import Paper

SIZE = 1280  # px, twice the size of the picture
RED, ORANGE, CRIMSON = rgb("#f2301f"), rgb("#ff8038"), rgb("#c4122e")
LEAF, MOSS, DARK = rgb("#7fa448"), rgb("#4f7a34"), rgb("#2b2440")
COBALT, VIOLET = rgb("#3f62c8"), rgb("#6a4cb0")

# x, y, radius in px, and how far the flower turns, in radians.
POPPIES = ((610, 395, 215, 0.0), (930, 560, 175, 0.45), (330, 610, 165, -0.5), (690, 760, 125, 0.2))
# Petals of a poppy, those behind first: direction and half the width in radians, length relative to the flower.
PETALS = ((-1.57, 1.15, 1.02), (-2.75, 0.95, 0.98), (-0.40, 0.95, 0.98), (1.45, 1.15, 0.80), (-1.75, 0.80, 0.66))
# x, y, radius in px.
CORNFLOWERS = ((500, 690, 74), (845, 330, 64), (240, 850, 62), (1000, 870, 66), (420, 215, 56))


class Meadow:
    """The sheet of paper with the stalks that flowers stand on."""

    def __init__(self):
        self.paper = Paper(SIZE, 40)
        self.rng = np.random.default_rng(21)
        x, y = self.x, self.y = self.paper.x, self.paper.y
        # Clean water at the bottom dissolves the stalks.
        self.fade = smooth(1225, 990, y + 70 * fbm(x / 60, y / 160, 3, 6))

    def stem(self, points, width, pigment, strength=0.9):
        """Paint a stalk through points, with a width in pixels."""
        line = spline(points, 90)
        w = width * (0.7 + 0.5 * np.abs(perlin(np.linspace(0, 7, 90), np.zeros(90), int(width * 9 + points[0][0]))))
        cover = blur(ribbons((SIZE, SIZE), [(line, w)]), 0.9)
        tilt = (0.75 + 0.5 * self.paper.drift[0]) * self.fade
        self.paper.wash(cover, pigment, strength, rim=0.5, reach=3, tilt=tilt)

    def blade(self, points, width, pigment, strength=0.8):
        """Paint a pointed leaf through points, with a width in pixels."""
        line = spline(points, 70)
        t = np.linspace(0, 1, 70)
        cover = ribbons((SIZE, SIZE), [(line, width * np.sin(np.pi * t**0.8) ** 0.8)])
        cover = smooth(0.25, 0.75, blur(cover, 1.1))
        tilt = (0.45 + 0.5 * smooth(points[-1][1], points[0][1], self.y) + 0.3 * self.paper.drift[1]) * self.fade
        self.paper.wash(cover, pigment, strength, rim=0.7, reach=4, tilt=tilt)


def watercolour():
    """Paint the ground, then the plants from back to front."""
    meadow = Meadow()
    _ground(meadow)
    _grasses(meadow)
    _feathered_leaves(meadow)
    for fx, fy, r, _ in POPPIES:
        foot = (640 + 0.15 * (fx - 640), 1240)
        meadow.stem([(fx, fy + 0.3 * r), (fx - 0.2 * (fx - 640) + 20, fy + 330), foot], 11, MOSS)
    for bx, by, side in ((160, 330, 1), (1080, 270, -1)):
        _bud(meadow, bx, by, side)
    for cx, cy, r in CORNFLOWERS:
        _cornflower(meadow, cx, cy, r)
    for poppy in POPPIES:
        _poppy(meadow, poppy)
    _spatter(meadow)
    return grade(shrink(meadow.paper.picture(), 2), 0.06, 1.1)


def _ground(meadow):
    """Paint wet in wet: the colours run together and leave a white margin."""
    paper, x, y = meadow.paper, meadow.x, meadow.y
    hold = smooth(0.1, 0.6, 1.35 - np.hypot((x - 640) / 560, (y - 610) / 560) + 0.55 * fbm(x / 230, y / 230, 5, 2))
    hold = hold * smooth(
        0, 120, np.minimum(np.minimum(x, SIZE - x), np.minimum(y, SIZE - y)) + 50 * fbm(x / 90, y / 90, 3, 4)
    )
    for pigment, cx, cy, r in (
        (rgb("#a9d2dc"), 380, 300, 420),
        (rgb("#f7dfa0"), 900, 420, 420),
        (rgb("#c4d69a"), 620, 960, 460),
        (rgb("#d8c4e0"), 1000, 800, 330),
        (rgb("#bfe0cc"), 250, 760, 330),
    ):
        spot = smooth(1.1, 0.1, np.hypot(x - cx, y - cy) / r * (1 + 0.45 * fbm(x / 170, y / 170, 4, int(cx))))
        paper.wash(hold * spot, pigment, 1.5, rim=0.5, reach=9, grain=0.5, flow=0.9)
    for cx, cy, r in ((220, 420, 120), (1040, 590, 130), (860, 200, 90), (420, 1080, 110), (640, 130, 70)):
        paper.bloom(cx, cy, r, 0.55)


def _grasses(meadow):
    rng = meadow.rng
    for k in range(26):
        x0 = 640 + np.clip(rng.normal(0, 150), -250, 250)
        lean = np.clip(rng.normal(0, 110), -170, 170) + 0.3 * (x0 - 640)
        tall = rng.uniform(250, 600)
        pts = [
            (x0, 1220 + rng.normal(0, 20)),
            (x0 + 0.25 * lean, 1220 - tall * 0.55),
            (x0 + lean, 1220 - tall),
        ]
        width = rng.uniform(7, 22)
        pigment = mix(LEAF, MOSS, rng.random()) if k % 5 else rgb("#c9a84c")
        meadow.blade(pts, width, pigment, rng.uniform(0.4, 0.95))


def _feathered_leaves(meadow):
    rng = meadow.rng
    for x0, y0, x1, y1 in (
        (560, 1130, 300, 930),
        (690, 1120, 960, 950),
        (640, 1030, 480, 790),
        (740, 1010, 900, 800),
    ):
        mid = spline([(x0, y0), ((x0 + x1) / 2 + 20, (y0 + y1) / 2 + 30), (x1, y1)], 12)
        meadow.stem([tuple(p) for p in mid[::3]], 6, MOSS)
        for i in range(1, 11):
            for side in (-1, 1):
                d = mid[min(i + 1, 11)] - mid[i - 1]
                n = np.array([-d[1], d[0]]) / np.hypot(*d) * side
                u = d / np.hypot(*d)
                reach = 95 * np.sin(np.pi * (i / 11) ** 0.7) + 14
                tip = mid[i] + n * reach * 0.75 + u * reach * 0.8 + rng.normal(0, 7, 2)
                pts = [tuple(mid[i]), tuple(mid[i] + n * reach * 0.30 + u * reach * 0.52), tuple(tip)]
                meadow.blade(pts, 15, mix(LEAF, MOSS, rng.random()), 0.8)


def _bud(meadow, bx, by, side):
    """Paint a hanging bud that shows a slit of red, on a bent stalk."""
    paper = meadow.paper
    meadow.stem(
        [
            (bx, by + 30),
            (bx - 6 * side, by - 40),
            (bx + 60 * side, by - 60),
            (bx + 140 * side, by + 150),
            (640 - 110 * side, 900),
            (640 - 20 * side, 1240),
        ],
        8,
        MOSS,
    )
    t = np.linspace(0, 2 * np.pi, 60)
    bud = np.stack([bx + 27 * np.cos(t) * (1 + 0.15 * np.sin(t)), by + 66 + 46 * np.sin(t)], 1)
    paper.wash(paper.soft(bud, 5), LEAF, 1.1, rim=0.8, tilt=0.6 + 0.8 * smooth(bx - 20, bx + 30, meadow.x))
    slit = np.stack([bx - 4 + 7 * np.cos(t), by + 80 + 32 * np.sin(t)], 1)
    paper.wash(paper.soft(slit, 4), RED, 1.2, rim=0.5)


def _cornflower(meadow, cx, cy, r):
    paper, rng = meadow.paper, meadow.rng
    meadow.stem([(cx, cy + 20), (cx + 0.1 * (640 - cx), cy + 200), (640 + 0.25 * (cx - 640), 1240)], 6, MOSS, 0.7)
    for i in range(11):
        a = 2 * np.pi * i / 11 + rng.normal(0, 0.12)
        u, n = np.array([np.cos(a), np.sin(a) * 0.8]), np.array([-np.sin(a), np.cos(a) * 0.8])
        reach = r * rng.uniform(0.85, 1.15)
        c = np.array([cx, cy])
        pts = [
            c + u * 0.15 * reach,
            c + u * 0.75 * reach + n * 0.24 * reach,
            c + u * 1.05 * reach + n * 0.30 * reach,
            c + u * 0.90 * reach + n * 0.08 * reach,
            c + u * 1.18 * reach,
            c + u * 0.90 * reach - n * 0.08 * reach,
            c + u * 1.05 * reach - n * 0.30 * reach,
            c + u * 0.75 * reach - n * 0.24 * reach,
        ]
        cover = paper.soft(pts, 4, 1.0)
        pigment = mix(COBALT, VIOLET, 0.6 * rng.random())
        paper.wash(cover, pigment, rng.uniform(0.55, 0.9), rim=0.8, reach=4, grain=0.6)
    for _ in range(16):
        p = np.array([cx, cy]) + rng.normal(0, 0.14 * r, 2)
        paper.dot(*p, rng.uniform(2, 6), rgb("#42206a"), 0.8)


def _poppy(meadow, poppy):
    """Paint the petals, those behind first. Light shines through where there is a single petal."""
    paper, rng, x, y = meadow.paper, meadow.rng, meadow.x, meadow.y
    fx, fy, r, lean = poppy
    # Remove the damp ground first. Otherwise the reds turn brown.
    paper.density *= (
        1 - 0.85 * smooth(1.02, 0.80, np.hypot(x - fx, (y - fy) / 0.86) / r + 0.25 * paper.drift[0])[..., None]
    )
    for i, (mid, half_width, long) in enumerate(PETALS):
        mid = mid + lean + rng.normal(0, 0.12)
        t = np.linspace(-1, 1, 70)
        ruffle = 1 + 0.06 * perlin(t * 4 + i * 9 + fx, t * 0, 3) + 0.035 * perlin(t * 13 + i * 5 + fx, t * 0, 4)
        radius = r * long * np.clip(1 - np.abs(t) ** 3.2, 0, 1) ** 0.55 * ruffle
        ang = mid + half_width * t
        pts = np.stack([fx + radius * np.cos(ang) * 1.05, fy + radius * np.sin(ang) * 0.86], 1)
        pts = np.concatenate([pts, [(fx, fy)]])
        cover = paper.soft(pts, 12, 1.3)
        d = np.hypot(x - fx, (y - fy) / 0.86) / r
        a = np.arctan2(y - fy, x - fx)
        vein = fbm(a * 9 + i, d * 1.4, 3, 70 + i)
        hue = ramp(
            np.stack([mix(CRIMSON, RED, 0.35), RED, mix(RED, ORANGE, 0.55), ORANGE]),
            d * 0.85 + 0.35 * fbm(x / 120, y / 120, 4, int(fx) + i),
        )
        tilt = np.clip(0.80 + 0.35 * vein - 0.35 * smooth(0.5, 0.9, d) + 0.25 * np.sin(a * 1 + 2.2), 0.2, 1.5)
        paper.wash(cover, hue, 0.85 if i < 4 else 0.55, rim=0.75, reach=7, grain=0.30, flow=0.55, tilt=tilt)
    for _ in range(2):
        a = rng.uniform(-2.6, -0.5)
        paper.bloom(fx + 0.55 * r * np.cos(a), fy + 0.5 * r * np.sin(a), r * rng.uniform(0.20, 0.32), 0.38)
    _heart(meadow, fx, fy, r)


def _heart(meadow, fx, fy, r):
    """Paint the dark centre of a poppy that runs into the wet red, the stamens around it and the seed capsule."""
    paper, rng, x, y = meadow.paper, meadow.rng, meadow.x, meadow.y
    d = np.hypot(x - fx, (y - fy) / 0.8) / r * (1 + 0.5 * fbm(x / 26, y / 26, 4, int(fx) + 3))
    paper.wash(smooth(0.34, 0.10, d), rgb("#4a1838"), 1.1, rim=0.3, grain=0.4)
    for _ in range(46):
        a, q = rng.uniform(0, 2 * np.pi), r * rng.uniform(0.17, 0.30)
        px, py = fx + q * np.cos(a), fy + q * np.sin(a) * 0.8
        paper.dot(px, py, rng.uniform(2, 4.5), DARK, 1.6)
    t = np.linspace(0, 2 * np.pi, 50)
    pod = np.stack([fx + 0.105 * r * np.cos(t), fy + 0.09 * r * np.sin(t)], 1)
    paper.density *= 1 - 0.75 * paper.soft(pod, 3)[..., None]
    paper.wash(paper.soft(pod, 3), rgb("#a8b45c"), 1.0, rim=0.9, reach=4)


def _spatter(meadow):
    """Tap the brush, so that drops fall on the paper."""
    paper, rng = meadow.paper, meadow.rng
    for _ in range(130):
        px, py = rng.normal(640, 330), rng.normal(620, 330)
        r = rng.gamma(1.4, 2.0) + 1
        pigment = (RED, ORANGE, LEAF, COBALT, rgb("#d9b35a"))[rng.integers(5)]
        paper.dot(px, py, r, pigment, 0.35, rim=0.9)

"""A pastel on dark paper: birches in the last light of an autumn day."""

import numpy as np
from PIL import Image, ImageDraw

from .brush import F32, grade, grid, mix, palette, ramp, relief, rgb, shrink, smooth, spline
from .noise import fbm, perlin

SIZE = 1280  # px, twice the size of the picture
COARSE = 4  # what strokes look up has a COARSE-th of the size
HORIZON = 0.70

# Trunks from back to front: x at the foot, x at the top, y of the foot, half the width.
BIRCHES = (
    (0.335, 0.350, 0.735, 0.0085),
    (0.640, 0.625, 0.740, 0.0095),
    (0.475, 0.500, 0.755, 0.0110),
    (0.925, 0.900, 0.800, 0.0165),
    (0.095, 0.135, 0.830, 0.0190),
    (0.770, 0.735, 0.885, 0.0240),
    (0.250, 0.215, 0.930, 0.0290),
)

# Clouds of leaves: x, y, radius, and how red they are, 0 to 1.
CROWNS = (
    (0.34, 0.30, 0.13, 0.30),
    (0.52, 0.22, 0.15, 0.15),
    (0.66, 0.34, 0.12, 0.45),
    (0.92, 0.24, 0.15, 0.60),
    (0.10, 0.22, 0.16, 0.25),
    (0.75, 0.13, 0.17, 0.35),
    (0.24, 0.10, 0.19, 0.10),
    (0.45, 0.06, 0.13, 0.55),
    (0.98, 0.50, 0.10, 0.80),
    (0.02, 0.46, 0.10, 0.70),
)


class Sheet:
    """A sheet of rough dark paper. Chalk stays on its crests; the harder the hand, the more it fills."""

    def __init__(self, rng):
        y, x = grid(SIZE, SIZE)
        self.x, self.y = (p[COARSE // 2 :: COARSE, COARSE // 2 :: COARSE] / SIZE for p in (x, y))
        self.rng = rng
        rough = fbm(x / 5, y / 5, 4, 3, 0.7) + 0.10 * np.sin(y * 0.9 + 0.8 * perlin(x / 60, y / 60, 5))
        self.rough = rough
        # From 0 in the deepest pits to 1 on the highest crests, each height as common as any other.
        heights = np.quantile(rough, np.linspace(0, 1, 200))
        self.tooth = np.interp(rough, heights, np.linspace(0, 1, 200)).astype(F32)
        paper = ramp(palette("#191b2b", "#232840", "#2b3046"), 0.5 + 0.5 * fbm(x / 260, y / 260, 3, 9))
        self.colour = paper * (0.88 + 0.24 * self.tooth)[..., None]

    def stroke(self, line, width, colour, pressure):
        """Draw a stroke along points (n, 2) in px, `width` px wide; a pressure of 1 fills the paper."""
        d = np.gradient(line, axis=0)
        normal = np.stack([-d[:, 1], d[:, 0]], 1) / np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-6)[:, None]
        taper = np.sin(np.pi * np.linspace(0.08, 0.92, len(line))) ** 0.35
        half = normal * (width / 2 * taper)[:, None]
        ring = np.concatenate([line + half, (line - half)[::-1]])
        low = np.maximum(np.floor(ring.min(0)).astype(int) - 1, 0)
        high = np.minimum(np.ceil(ring.max(0)).astype(int) + 2, SIZE)
        if (high <= low).any():
            return
        image = Image.new("L", tuple(int(s) for s in high - low))
        ImageDraw.Draw(image).polygon([tuple(map(float, q)) for q in ring - low], fill=255)
        part = np.s_[low[1] : high[1], low[0] : high[0]]
        cover = np.asarray(image, F32) / 255 * smooth(0.90 - pressure, 1.12 - pressure, self.tooth[part])
        self.colour[part] = mix(self.colour[part], colour, (0.93 * cover)[..., None])

    def hatch(self, density, guide, angle, pen, pressure, *, vary=0.05, loose=0.25):
        """Cover a place with strokes.

        Args:
            density: how many of the strokes are drawn at each place (h, w) of the coarse grid, 0 to 1.
            guide: the picture (h, w, 3) that the strokes take their colours from.
            angle: direction of the strokes in radians, a number or (h, w).
            pen: space between strokes, length and width of a stroke, in px.
            pressure: of the hand, 0 to 1.
            vary: random difference of the colours.
            loose: random difference of the directions, in radians.
        """
        spacing, length, width = pen
        y, x = np.mgrid[0:SIZE:spacing, 0:SIZE:spacing]
        spots = np.stack([x, y], -1).reshape(-1, 2) + self.rng.uniform(0, spacing, (x.size, 2))
        spots = np.clip(spots, 0, SIZE - 1)[self.rng.permutation(len(spots))]
        column, row = spots.astype(int).T // COARSE
        spots = spots[self.rng.random(len(spots)) < density[row, column]]
        column, row = spots.astype(int).T // COARSE
        turn = np.broadcast_to(angle, density.shape)[row, column] + self.rng.normal(0, loose, len(spots))
        sizes = length * self.rng.uniform(0.55, 1.3, len(spots))
        bend = self.rng.normal(0, 0.10, len(spots))
        tints = guide[row, column] * (1 + vary * self.rng.normal(0, 1, (len(spots), 1)))
        tints = np.clip(tints + 0.5 * vary * self.rng.normal(0, 1, tints.shape), 0, 1)
        t = np.linspace(-0.5, 0.5, 7)
        for spot, a, size, arc, tint in zip(spots, turn, sizes, bend, tints, strict=True):
            u, v = t * size, arc * size * (1 - 4 * t * t)
            line = spot + np.stack([u * np.cos(a) - v * np.sin(a), u * np.sin(a) + v * np.cos(a)], -1)
            self.stroke(line, width * self.rng.uniform(0.7, 1.2), tint, pressure * self.rng.uniform(0.8, 1.15))


def chalk():
    """Draw the sky, the wood, the ground, the leaves and the trunks."""
    sheet = Sheet(np.random.default_rng(23))
    _sky(sheet)
    _far_wood(sheet)
    _ground(sheet)
    _leaves(sheet, CROWNS[:5], 0.85)
    for k, birch in enumerate(BIRCHES):
        _birch(sheet, birch, k)
    _leaves(sheet, CROWNS, 0.55)
    _fallen(sheet)
    shade, _ = relief(sheet.rough, (-0.7, -0.7, 0.9), 0.16)
    out = sheet.colour * (0.75 + 0.25 * shade)[..., None]
    return grade(shrink(out, 2), 0.12, 1.08)


def _sky(s):
    """Draw the afterglow in long soft strokes."""
    height = np.clip((HORIZON - s.y) / HORIZON, 0, 1) + 0.10 * fbm(s.x * 2.5, s.y * 5, 3, 4)
    glow = np.exp(-(((s.x - 0.57) / 0.38) ** 2))
    sky = ramp(
        palette("#ffd9a0", "#f7a07a", "#d6708f", "#8a63ad", "#4a5aa0", "#2f4a86", "#24365f"),
        np.clip(height * 1.12 + 0.10 * (1 - glow), 0, 1),
    )
    upper = np.where(s.y < HORIZON, 0.85 - 0.35 * smooth(0.45, 0.0, s.y), 0).astype(F32)
    s.hatch(upper, sky * 0.86, -0.45, (17, 120, 30), 0.42, loose=0.12)
    s.hatch(upper, sky, -0.60, (19, 95, 17), 0.55, vary=0.06, loose=0.14)
    low = np.where(s.y < HORIZON, smooth(0.36, 0.66, s.y) * (0.35 + 0.65 * glow), 0).astype(F32)
    s.hatch(low, np.clip(sky * 1.10, 0, 1), -0.10, (20, 100, 13), 0.75, loose=0.10)


def _far_wood(s):
    """Draw the wood behind: upright strokes of violet and blue before the glow."""
    crest = HORIZON - 0.10 - 0.05 * perlin(s.x * 8, 0 * s.x, 6) - 0.035 * perlin(s.x * 23, 0 * s.x + 4, 7)
    wood = (s.y > crest) & (s.y < HORIZON + 0.02)
    mist = np.clip((s.y - crest) / 0.12 + 0.5 * fbm(s.x * 9, s.y * 9, 3, 2), 0, 1)
    tone = ramp(palette("#2b2f5c", "#43407c", "#75558f", "#b06f8f"), mist * 0.9)
    s.hatch(wood * F32(0.9), tone, 1.57, (12, 55, 13), 0.60, vary=0.07, loose=0.10)
    s.hatch(wood * F32(0.35), tone * 1.25, 1.50, (15, 44, 7), 0.8, vary=0.10, loose=0.12)


def _ground(s):
    """Draw the meadow: cool shade, and the glow that lies between the trunks."""
    depth = np.clip((s.y - HORIZON) / (1 - HORIZON), 0, 1)
    land = np.where(s.y > HORIZON - 0.005, 0.9, 0).astype(F32)
    tone = ramp(
        palette("#b9705f", "#7d5a66", "#4a5560", "#2f4a4a", "#26383f"), depth + 0.22 * fbm(s.x * 5, s.y * 12, 3, 8)
    )
    s.hatch(land, tone, -0.12, (15, 80, 20), 0.45, vary=0.07, loose=0.16)
    light = land * smooth(0.02, 0.30, fbm(s.x * 4, s.y * 15, 3, 18) + 0.18 * np.exp(-(((s.x - 0.55) / 0.30) ** 2)))
    gold = ramp(palette("#ffbf7a", "#e38a4e", "#9a8a46", "#5f7a4a"), depth)
    s.hatch(light, gold, -0.06, (15, 60, 10), 0.72, vary=0.10, loose=0.20)
    grass = land * smooth(0.25, 0.9, depth)
    s.hatch(grass * F32(0.5), tone * 1.5 + 0.03, -1.35, (20, 46, 6), 0.75, vary=0.14, loose=0.35)


def _birch(s, birch, k):
    """Draw a trunk: lilac in the shade, cream in the light, with dark scars; then its twigs."""
    foot_x, top_x, foot, half = birch
    rng, near = s.rng, half / 0.029
    points = [
        (foot_x, foot),
        (foot_x + 0.3 * (top_x - foot_x) + 0.01, foot * 0.65),
        (top_x, foot * 0.28),
        (top_x + 0.01, -0.04),
    ]
    line = spline(points, 240) * SIZE
    wide = half * SIZE * np.linspace(1.15, 0.62, 240)
    # A dark core keeps the glow out of the trunk.
    for t in range(0, 240 - 24, 12):
        s.stroke(line[t : t + 26], 2.1 * wide[t], rgb("#2a2a44"), 0.85)
    strokes = int(90 + 170 * near)
    for _ in range(strokes):
        t = int(rng.integers(0, 215))
        across = rng.uniform(-0.92, 0.92)
        light = np.clip(0.62 - 0.55 * across + rng.normal(0, 0.12), 0, 1)
        tint = ramp(palette("#5a5690", "#8f86b8", "#d3c6cf", "#f7ead0", "#fffaf0"), np.array(light)[None])[0]
        length = int(rng.integers(14, 30))
        piece = line[t : t + length] + (across * wide[t : t + length])[:, None] * (1, 0)
        s.stroke(piece, max(3.5, 0.30 * wide[t]), tint, 0.62 + 0.25 * light)
    for _ in range(int(16 + 20 * near)):
        t = int(rng.integers(5, 235))
        side = rng.choice((-1, 1))
        reach = wide[t] * rng.uniform(0.5, 1.3)
        start = line[t] + (side * wide[t], 0)
        u = np.linspace(0, 1, 6)
        scar = start - np.stack([side * reach * u, -0.10 * reach * np.sin(np.pi * u)], -1)
        s.stroke(scar, max(3, 0.22 * wide[t] * rng.uniform(0.5, 1.3)), rgb("#17161f"), 0.95)
    for _ in range(7):
        t = int(rng.integers(90, 235))
        side = rng.choice((-1, 1))
        u = np.linspace(0, 1, 14)[:, None]
        size = SIZE * (0.05 + 0.11 * near) * rng.uniform(0.6, 1.2)
        twig = line[t] + size * np.concatenate([side * u * 0.9, -u * 0.8 + 0.25 * u * u], 1)
        s.stroke(twig, 2.5 + 5 * near, rgb("#3a3050"), 0.9)


def _leaves(s, crowns, share):
    """Draw clouds of leaves: short strokes, red and brown in the shade, gold in the light."""
    for k, (cx, cy, r, red) in enumerate(crowns):
        d = np.hypot(s.x - cx, (s.y - cy) * 1.1) / r
        cloud = smooth(1.15, 0.35, d + 0.75 * fbm(s.x * 9, s.y * 9, 4, 50 + k)) * share
        light = 0.52 + 0.40 * (cy - s.y) / r + 0.18 * (s.x - cx) / r + 0.7 * fbm(s.x * 16, s.y * 16, 3, 70 + k)
        gold = ramp(palette("#5a2a4a", "#9a4a3a", "#d9862e", "#f7c04a", "#fff0a0"), np.clip(light, 0, 1))
        rust = ramp(palette("#4a2350", "#8f2f4a", "#d9502f", "#f78a4a", "#ffc88a"), np.clip(light, 0, 1))
        leaf = mix(gold, rust, red)
        s.hatch(cloud * F32(0.75), leaf * 0.80, -0.75, (15, 30, 14), 0.55, vary=0.10, loose=0.35)
        s.hatch(cloud * F32(0.50), leaf, -0.85, (14, 22, 9), 0.85, vary=0.12, loose=0.5)
        s.hatch(
            cloud * smooth(0.6, 0.9, light) * F32(0.5), np.clip(leaf * 1.15, 0, 1), -0.9, (14, 16, 8), 1.0, loose=0.6
        )


def _fallen(s):
    """Draw fallen leaves in the grass, and a few in the air."""
    depth = np.clip((s.y - HORIZON) / (1 - HORIZON), 0, 1)
    warm = ramp(palette("#d9502f", "#f7a03a", "#ffd97a"), 0.5 + 0.9 * fbm(s.x * 40, s.y * 40, 2, 5))
    s.hatch(smooth(0.05, 0.6, depth) * F32(0.16), warm, -0.2, (15, 17, 9), 1.0, vary=0.12, loose=0.8)
    s.hatch(np.where(s.y < HORIZON, 0.010, 0).astype(F32), warm, -0.8, (15, 14, 8), 1.0, vary=0.12, loose=0.8)

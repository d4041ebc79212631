"""A mosaic: a peacock on gold, in small stones that follow the outlines."""

import numpy as np

from .brush import F32, blur, grade, grid, mix, palette, relief, rgb, shrink, smooth
from .noise import fbm, perlin

SIZE = 640  # px
STONE = 11.5  # px between two stones
ROUNDS = 9  # of moving the stones apart
OVER = 2  # how many times too large the stones are drawn
FRAME = 0.078  # width of the border
CENTRE_X, CENTRE_Y, FAN = 0.5, 0.63, 0.415

# Rows of eyes on the tail, outer first: distance from the centre, number, first and last angle in radians, radius.
EYES = ((0.355, 13, -3.32, 0.18, 0.039), (0.262, 10, -3.20, 0.06, 0.037), (0.176, 7, -3.02, -0.12, 0.033))

# Each material: colours of its stones.
STONES = {
    "gold": ("#e9bd4e", "#f2d27a", "#d9a336", "#f7e2a2", "#e2b045"),
    "halo": ("#f6e7b8", "#fbf1d2", "#efd795"),
    "ground": ("#6f8f3c", "#8fae4c", "#4f7434", "#b0c162"),
    "flower": ("#c5402f", "#e26a3f", "#a92a35"),
    "fan": ("#136a5a", "#1d8264", "#0f5660", "#2f9a6c", "#176f77"),
    "fan_dark": ("#0c3f4c", "#10505a", "#123a56"),
    "rim": ("#a6c457", "#c9d56f", "#7fae4f"),
    "eye_gold": ("#e0a23a", "#c97e2c", "#efc056"),
    "eye_green": ("#4fc0a8", "#7ad7c0", "#36a99a"),
    "eye_blue": ("#1b2f86", "#27429f", "#152468"),
    "body": ("#1d3fa0", "#2856bd", "#17348a", "#3a72d2", "#2049ac"),
    "breast": ("#2f86cf", "#52a8e0", "#3f97d8"),
    "white": ("#fbf7ea", "#f3ecd8"),
    "black": ("#1c1a24", "#2a2632"),
    "beak": ("#e4802a", "#c9651f"),
    "red": ("#a33328", "#bd4632", "#8b2a2b"),
    "blue": ("#27487f", "#345c98", "#1e3a6c"),
    "cream": ("#efe3c6", "#f7eeda", "#e3d3b0"),
}
NAMES = list(STONES)


class Drawing:
    """What the stones follow: the material and the direction at each pixel."""

    def __init__(self):
        y, x = grid(SIZE, SIZE)
        self.x, self.y = x / SIZE, y / SIZE
        self.material = np.zeros((SIZE, SIZE), np.int16)
        self.shape = np.zeros((SIZE, SIZE), np.int32)
        self.angle = np.zeros((SIZE, SIZE), F32)
        self.tone = np.zeros((SIZE, SIZE), F32)

    def fill(self, mask, material, angle=None, tone=None):
        """Set the material of a mask, and where given the direction (radians) and the brightness (0 is as it is)."""
        self.material[mask] = NAMES.index(material)
        self.shape[mask] = self.shape.max() + 1
        if angle is not None:
            self.angle[mask] = np.broadcast_to(angle, mask.shape)[mask]
        self.tone[mask] = 0 if tone is None else np.broadcast_to(tone, mask.shape)[mask]

    def disc(self, cx, cy, r, material, *, stretch=1.0, turn=0.0):
        """Fill an ellipse whose stones run around its centre."""
        dx, dy = self.x - cx, self.y - cy
        u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        self.fill(np.hypot(u / stretch, v) < r, material, np.arctan2(dy, dx))

    def edges(self):
        """Return where two shapes meet. Stones keep away from there."""
        s = self.shape
        edge = np.zeros(s.shape, bool)
        for axis in (0, 1):
            for step in (-1, 1):
                edge |= s != np.roll(s, step, axis)
        return edge


def mosaic():
    """Draw the peacock, lay the stones, and light them."""
    drawing = Drawing()
    _wall(drawing)
    _tail(drawing)
    _body(drawing)
    _border(drawing)
    rng = np.random.default_rng(8)
    stones = _laid(drawing, rng)
    return grade(_lit(drawing, stones, rng), 0.18, 1.08)


def _wall(d):
    """Fill the wall of gold, which brightens around the tail, and the meadow."""
    r, a = np.hypot(d.x - CENTRE_X, d.y - CENTRE_Y), np.arctan2(d.y - CENTRE_Y, d.x - CENTRE_X)
    d.fill(r >= 0, "gold", a, 0.10 * np.sin(r * 60) - 0.35 * smooth(0.45, 0.8, r))
    d.fill(r < FAN + 0.058, "halo", a)
    hill = 0.835 + 0.03 * np.cos((d.x - 0.5) * 7)
    d.fill(d.y > hill, "ground", np.arctan2(0.21 * np.sin((d.x - 0.5) * 7), -1.0) + np.pi / 2, 0.15 * np.sin(d.y * 120))
    for k, fx in enumerate((0.15, 0.26, 0.36, 0.64, 0.74, 0.85)):
        fy = 0.872 + 0.018 * (k % 2)
        d.disc(fx, fy, 0.022, "flower")
        d.disc(fx, fy, 0.009, "cream")


def _tail(d):
    """Fill the fan of feathers with its eyes."""
    r, a = np.hypot(d.x - CENTRE_X, d.y - CENTRE_Y), np.arctan2(d.y - CENTRE_Y, d.x - CENTRE_X)
    a = np.where(a > np.pi / 2, a - 2 * np.pi, a)  # from left over the top to the right
    open_fan = (a > -3.50) & (a < 0.36)
    scallop = FAN * (1 + 0.030 * np.abs(np.cos(a * 13 / 3.5 * np.pi / 2 * 1.14 + 0.35)))
    d.fill(open_fan & (r < scallop + 0.014), "rim", a)
    feather = (a * 26 / 3.86) % 1
    d.fill(open_fan & (r < scallop), "fan", a, 0.25 * np.cos(r * 55))
    d.fill(open_fan & (r < scallop - 0.01) & (np.abs(feather - 0.5) < 0.11), "fan_dark", a)
    for distance, count, first, last, size in EYES:
        for angle in np.linspace(first, last, count):
            ex, ey = CENTRE_X + distance * np.cos(angle), CENTRE_Y + distance * np.sin(angle)
            d.disc(ex, ey, size, "eye_gold", stretch=1.15, turn=angle)
            d.disc(ex, ey, size * 0.70, "eye_green", stretch=1.12, turn=angle)
            d.disc(ex - 0.004 * np.cos(angle), ey - 0.004 * np.sin(angle), size * 0.40, "eye_blue")


def _body(d):
    """Fill the legs, the body, the neck, the head and the crest."""
    for side in (-1, 1):
        leg = (np.abs(d.x - 0.5 - side * 0.032) < 0.0095) & (d.y > 0.76) & (d.y < 0.868)
        foot = (np.abs(d.x - 0.5 - side * 0.046) < 0.032) & (np.abs(d.y - 0.868) < 0.010)
        d.fill(leg, "beak", 0.0)
        d.fill(foot, "beak", 0.0)
    # The body is a row of circles from the breast to the head: the height, and half the width there.
    t = np.clip((d.y - 0.30) / 0.50, 0, 1)
    half = np.interp(
        t, (0, 0.04, 0.12, 0.22, 0.42, 0.62, 0.78, 0.92, 1.0), (0, 0.042, 0.058, 0.040, 0.047, 0.088, 0.105, 0.075, 0)
    )
    inside = (np.abs(d.x - 0.5) < half) & (d.y > 0.30) & (d.y < 0.80)
    side = (d.x - 0.5) / np.maximum(half, 1e-3)
    run = (np.pi / 2 + np.arctan(side * np.gradient(half, axis=0) * SIZE)).astype(F32)
    outline = (np.abs(d.x - 0.5) < half + 0.014) & (d.y > 0.288) & (d.y < 0.812)
    d.fill(outline, "fan_dark", -run)
    d.fill(inside, "body", -run, -0.35 * side)
    scale = inside & (d.y > 0.52) & (np.abs(side) < 0.62)
    d.fill(scale, "breast", -run, 0.3 * np.cos(d.y * 130) - 0.25 * side)
    for k in range(-2, 3):
        tip_x, tip_y = 0.5 + 0.036 * k, 0.232 + 0.0075 * k * k
        along = np.clip((0.305 - d.y) / (0.305 - tip_y), 0, 1)
        stalk = (np.abs(d.x - 0.5 - 0.036 * k * along) < 0.006) & (d.y < 0.312) & (d.y > tip_y)
        d.fill(stalk, "body", 0.0)
        d.disc(tip_x, tip_y, 0.0165, "eye_green")
    for side in (-1, 1):
        d.disc(0.5 + side * 0.0305, 0.342, 0.0215, "white")
        d.disc(0.5 + side * 0.0305, 0.342, 0.0105, "black")
    d.fill((np.abs(d.x - 0.5) < 0.017 * (1.4 - (d.y - 0.355) / 0.05)) & (d.y > 0.355) & (d.y < 0.405), "beak", 0.0)


def _border(d):
    """Fill the border: lozenges of red and blue between two lines."""
    near = np.minimum.reduce([d.x, d.y, 1 - d.x, 1 - d.y])
    upright = np.minimum(d.x, 1 - d.x) < np.minimum(d.y, 1 - d.y)
    d.fill(near < FRAME, "blue", 0.0)
    d.fill(near < FRAME - 0.018, "cream", 0.0)
    s = np.where(upright, d.y, d.x) * 13
    across = np.abs(near - (FRAME - 0.018) / 2) / ((FRAME - 0.018) / 2)
    lozenge = (np.abs(s % 1 - 0.5) * 2 + across < 0.98) & (near < FRAME - 0.018)
    turn = F32(np.pi / 4)
    d.fill(lozenge & (s.astype(int) % 2 == 0), "red", turn)
    d.fill(lozenge & (s.astype(int) % 2 == 1), "blue", turn)
    d.fill((np.abs(s % 1 - 0.5) * 2 + across < 0.40) & (near < FRAME - 0.018), "gold", turn)


# ---------------------------------------------------------------- stones


def _nearest(seeds, angles, x, y, spacing):
    """Return for each position the nearest seed, and how much farther the next seed is.

    The distance is that of squares which are turned as the stones are (Hausner 2001), so that the cells are squares.
    """
    side = int(np.ceil(SIZE / spacing)) + 4
    column, row = (seeds / spacing).astype(int).T + 2
    order = np.argsort(row * side + column, kind="stable")
    cell = (row * side + column)[order]
    place = np.arange(len(seeds)) - np.searchsorted(cell, cell)
    depth = min(int(place.max()) + 1, 4)
    bins = np.full((side * side, depth), -1)
    kept = place < depth
    bins[cell[kept], place[kept]] = order[kept]
    best, second = np.full(x.shape, 1e6, F32), np.full(x.shape, 1e6, F32)
    owner = np.zeros(x.shape, np.int32)
    home = ((y / spacing).astype(int) + 2) * side + (x / spacing).astype(int) + 2
    cos, sin = np.cos(angles).astype(F32), np.sin(angles).astype(F32)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            for level in range(depth):
                seed = bins[home + dy * side + dx, level]
                u, v = x - seeds[seed, 0], y - seeds[seed, 1]
                far = np.maximum(np.abs(u * cos[seed] + v * sin[seed]), np.abs(v * cos[seed] - u * sin[seed]))
                far = np.where(seed < 0, F32(1e6), far)
                nearer = far < best
                second = np.where(nearer, best, np.minimum(second, far))
                owner = np.where(nearer, seed, owner)
                best = np.where(nearer, far, best)
    return owner, second - best


def _laid(d, rng):
    """Return the centres and the directions of the stones, moved apart until they lie in rows along the outlines."""
    y, x = np.mgrid[STONE / 2 : SIZE : STONE, STONE / 2 : SIZE : STONE].astype(F32)
    seeds = np.stack([x, y], -1).reshape(-1, 2) + rng.uniform(-0.3, 0.3, (x.size, 2)).astype(F32) * STONE
    yy, xx = grid(SIZE, SIZE)
    free = ~d.edges()
    for _ in range(ROUNDS):
        seeds = np.clip(seeds, 1, SIZE - 1.01).astype(F32)
        owner, _ = _nearest(seeds, d.angle[seeds[:, 1].astype(int), seeds[:, 0].astype(int)], xx, yy, STONE)
        weight = np.bincount(owner[free], minlength=len(seeds))
        sums = [np.bincount(owner[free], p[free], minlength=len(seeds)) for p in (xx, yy)]
        moved = np.stack(sums, -1) / np.maximum(weight, 1)[:, None]
        seeds = np.where(weight[:, None] > 0, moved, seeds)
    seeds = np.clip(seeds, 1, SIZE - 1.01).astype(F32)
    return seeds, d.angle[seeds[:, 1].astype(int), seeds[:, 0].astype(int)]


def _lit(d, stones, rng):
    """Draw the stones with mortar between them, in a low light."""
    seeds, angles = stones
    yy, xx = (p / OVER for p in grid(SIZE * OVER, SIZE * OVER))
    # Stones are cut by hand: their sides are not quite straight.
    wobble = [0.55 * perlin(xx / 5, yy / 5, k) for k in (1, 2)]
    owner, gap = _nearest(seeds, angles, xx + wobble[0], yy + wobble[1], STONE)
    row, column = seeds[:, 1].astype(int), seeds[:, 0].astype(int)
    tables = [palette(*codes) for codes in STONES.values()]
    colour = np.stack([tables[m][rng.integers(len(tables[m]))] for m in d.material[row, column]])
    colour = colour * (1 + 0.5 * d.tone[row, column] + rng.normal(0, 0.055, len(seeds)))[:, None]
    colour = np.clip(colour + rng.normal(0, 0.014, colour.shape), 0, 1).astype(F32)
    face = smooth(0.9, 1.7, gap)
    height = 2.2 * smooth(0.6, 2.6, gap) + 0.16 * fbm(xx / 2.5, yy / 2.5, 3, 5)
    # Each stone is set at a slightly different tilt, and so catches the light differently.
    tilt = rng.normal(0, 0.055, (len(seeds), 2)).astype(F32)[owner]
    height = height + tilt[..., 0] * (xx - seeds[owner, 0]) + tilt[..., 1] * (yy - seeds[owner, 1])
    shade, gloss = relief(blur(height, 0.7), (-0.6, -0.7, 0.9), 0.9)
    mortar = rgb("#7d7263") * (0.85 + 0.35 * fbm(xx / 3, yy / 3, 3, 9))[..., None]
    stone = colour[owner] * np.clip(0.35 + 0.65 * shade, 0.45, 1.35)[..., None] + 0.20 * (gloss**30)[..., None]
    return shrink(mix(mortar, stone, face[..., None]), OVER)

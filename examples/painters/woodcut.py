"""A woodcut: a rolling sea with a sail and a low sun, printed from three blocks: navy, blue-green and red."""

import numpy as np

from .brush import F32, blur, distance, grade, grid, mix, polygon, rgb, ribbons, shrink, smooth, spline
from .noise import cells, fbm, perlin

SIZE = 1280  # px, twice the size of the picture
SUN_X, SUN_Y, SUN_R = 0.655, 0.375, 0.125
BOAT_X, BOAT_Y = 0.475, 0.592

# Rows of waves from back to front: y, height, number of waves, phase.
FAR_WAVES = (
    (0.560, 0.010, 15, 0.1),
    (0.588, 0.018, 10, 0.55),
    (0.630, 0.030, 6.6, 0.2),
    (0.690, 0.046, 4.4, 0.72),
)
NEAR_WAVES = ((0.800, 0.055, 3.1, 0.10), (0.905, 0.060, 2.3, 0.62))

# The great wave: points along its back, its hollow face and its foot.
BACK = ((-0.06, 0.36), (0.02, 0.305), (0.11, 0.262), (0.21, 0.262), (0.295, 0.315), (0.335, 0.395))
FACE = ((0.62, 0.86), (0.42, 0.80), (0.265, 0.715), (0.185, 0.60), (0.185, 0.485), (0.245, 0.405), (0.335, 0.395))
FOOT = ((-0.06, 0.98), (-0.06, 0.80), (-0.06, 0.60), (-0.06, 0.36))

GULLS = ((0.43, 0.235, 0.030), (0.50, 0.275, 0.020), (0.385, 0.185, 0.018))  # x, y, size


class Blocks:
    """The three printing blocks: 1 where a block has ink, 0 where the wood is cut away."""

    def __init__(self, rng):
        yy, xx = self.yy, self.xx = grid(SIZE, SIZE)
        # A knife trembles slightly, so all shapes are drawn in slightly distorted coordinates.
        self.x = (xx + 3.0 * perlin(xx / 40, yy / 40, 1) + 1.2 * perlin(xx / 9, yy / 9, 2)) / SIZE
        self.y = (yy + 3.0 * perlin(xx / 40, yy / 40, 3) + 1.2 * perlin(xx / 9, yy / 9, 4)) / SIZE
        self.unsteady = perlin(xx / 60, yy / 26, 5)
        self.key, self.blue, self.red = (np.zeros((SIZE, SIZE), F32) for _ in range(3))
        self.rng = rng

    def hatch(self, phase, tone, seed):
        """Return where parallel lines have ink.

        Args:
            phase: number of the line at each pixel; whole numbers lie between two lines.
            tone: share of the space that a line takes. Lines get wider and break, as if cut by hand.
            seed: any number; different numbers give different irregularities.
        """
        tone = tone + 0.10 * np.roll(self.unsteady, (seed * 97, seed * 59), (0, 1))
        return (np.abs(phase % 1 - 0.5) * 2 < tone) & (tone > 0.12)

    def clear(self, mask):
        """Cut the wood of all blocks away."""
        for block in (self.key, self.blue, self.red):
            block[mask] = 0


def woodcut():
    """Cut the blocks from back to front, then print them."""
    blocks = Blocks(np.random.default_rng(3))
    _sky(blocks)
    _clouds(blocks)
    _headland(blocks)
    for i, row in enumerate(FAR_WAVES):
        _swell(blocks, row, i)
        if i == 1:  # the boat is behind the third row
            _boat(blocks)
    _great_wave(blocks)
    for i, row in enumerate(NEAR_WAVES):
        _swell(blocks, row, i + 6)
    _gulls(blocks)
    return _printed(blocks)


def _sky(b):
    """Cut the sun and its rays, which get wider towards the top."""
    d, a = np.hypot(b.x - SUN_X, b.y - SUN_Y), np.arctan2(b.y - SUN_Y, b.x - SUN_X)
    rays = a / (2 * np.pi) * 150
    b.blue[b.hatch(rays, 0.12 + 0.95 * smooth(0.22, 0.95, d), 5)] = 1
    b.key[b.hatch(rays + 0.5, 0.62 * smooth(0.50, 1.0, d) - 0.08, 6)] = 1
    b.red[(d < SUN_R) & ~b.hatch(b.y * 46, 0.75 * smooth(SUN_Y + 0.02, SUN_Y + SUN_R, b.y), 7)] = 1
    b.clear((d > SUN_R) & (d < SUN_R + 0.016))
    b.red[b.hatch(rays, 0.50 * smooth(0.34, 0.16, d), 8) & (d > SUN_R + 0.016)] = 1


def _clouds(b):
    """Cut clouds of several rounds with lines along their edges."""
    x, y = b.x, b.y
    for cx, cy, r, wide in ((0.20, 0.135, 0.050, 3.2), (0.90, 0.20, 0.040, 2.8), (0.50, 0.075, 0.028, 3.2)):
        top = np.full_like(x, 9)
        for k in np.linspace(-1, 1, 9):
            bump = r * (1.15 - 0.75 * abs(k)) * (0.8 + 0.4 * b.rng.random())
            top = np.minimum(top, np.hypot(x - cx - k * r * wide, (y - cy) * 1.05) - bump)
        top = np.maximum(top, y - cy - 0.012 * np.sin(x * 60) - 0.010)
        b.clear(top < 0.004)
        b.key[(np.abs(top) < 0.0022) & (y < cy + 0.02)] = 1
        low = smooth(cy - 0.6 * r, cy + 0.02, y)
        b.blue[(top < -0.006) & b.hatch(top * 95, 0.75 * low - 0.1, 9)] = 1
        b.key[(top < -0.006) & b.hatch(top * 95, 0.62 * low - 0.28, 9)] = 1


def _headland(b):
    """Cut the land on the right with its lighthouse."""
    x, y, key = b.x, b.y, b.key
    land = 0.545 - 0.085 * smooth(0.80, 1.0, x) - 0.03 * smooth(0.86, 0.90, x) - 0.012 * perlin(x * 26, 0 * x + 3, 11)
    girth = 0.0125 + 0.035 * (y - 0.40) - np.abs(x - 0.925)
    tower = (girth > 0) & (y > 0.335) & (y < 0.46)
    lamp = (np.abs(x - 0.925) < 0.012) & (y > 0.315) & (y < 0.336)
    cap = (y < 0.316) & (y > 0.296 + 1.3 * np.abs(x - 0.925))
    b.clear(((y > land) & (x > 0.76)) | (np.abs(x - 0.925) < 0.022) & (y > 0.29) & (y < 0.46))
    b.red[tower & (y * 22 % 1 < 0.5)] = 1
    key[tower & ((x > 0.931) | (girth < 0.0022))] = 1
    key[cap | (lamp & (np.abs(x - 0.925) > 0.004)) | ((np.abs(y - 0.338) < 0.003) & (np.abs(x - 0.925) < 0.017))] = 1
    ground = (y > land) & (x > 0.76)
    key[ground & ((y < land + 0.006) | b.hatch((x * 0.9 + y * 0.6) * 70, 0.45 + 0.5 * smooth(0.8, 1.0, x), 13))] = 1
    b.blue[ground] = 1


def _sharp(t):
    """Return the profile of waves with sharp crests at whole numbers and wide troughs."""
    u = np.abs((t + 0.5) % 1 - 0.5) * 2
    return (1 - u) ** 2.2


def _swell(b, row, seed):
    """Cut a row of waves: foam on the crests, shade on the side away from the sun."""
    (base, amp, freq, phase), x, y = row, b.x, b.y
    lean = x + 0.35 * amp * np.sin((y - base) * 8)
    t = lean * freq + phase + 0.20 * perlin(lean * freq * 0.6, 0 * x + seed, 30 + seed)
    mass = amp * (0.75 + 0.35 * perlin(lean * freq * 0.5, 0 * x + 9, 40 + seed))
    crest = base + amp * 0.5 - mass * _sharp(t) * 1.25
    depth = (y - crest) / amp
    body = depth > 0
    b.clear(depth > -0.035)
    slope = -np.cos((t - 0.12) * 2 * np.pi)  # bright towards the sun, dark on the other side
    tone = np.clip(0.52 + 0.30 * slope + 0.22 * depth, 0.1, 0.98)
    run = (y - crest * 0.82) / (amp**0.55 * 0.052) + 0.25 * np.sin(lean * freq * 6.3)
    foam_low = 0.20 + 0.12 * np.abs(np.sin(lean * freq * 19 + seed)) + 0.10 * perlin(lean * freq * 9, 0 * x, seed)
    high = _sharp(t)
    foam_edge = foam_low * smooth(0.10, 0.75, high) * 1.6
    foam = depth < foam_edge
    solid = body & ~foam
    b.blue[solid & ~b.hatch(run + 0.5, 0.50 - 0.34 * depth - 0.25 * slope, 50 + seed)] = 1
    b.key[solid & b.hatch(run, tone * 0.80 - 0.05, 60 + seed)] = 1
    rim = (np.abs(depth) < 0.020 / (amp * 28)) | (np.abs(depth - foam_edge) < 0.016 / (amp * 28)) & (high > 0.12)
    b.key[rim & (depth > -0.06)] = 1
    fleck = cells(lean * 42 / amp**0.3, y * 60 / amp**0.3, seed)[0]
    b.key[foam & body & (fleck < 0.13)] = 1


def _boat(b):
    """Cut the boat with its two sails, hull and mast."""
    x, y, bx, by = b.x, b.y, BOAT_X, BOAT_Y
    main = [
        (bx, by - 0.158),
        *spline([(bx, by - 0.158), (bx + 0.050, by - 0.095), (bx + 0.070, by - 0.026)], 24),
        (bx, by - 0.022),
    ]
    jib = [
        (bx - 0.008, by - 0.140),
        (bx - 0.010, by - 0.024),
        *spline([(bx - 0.062, by - 0.022), (bx - 0.030, by - 0.075), (bx - 0.008, by - 0.140)], 24),
    ]
    hull = [
        (bx - 0.070, by - 0.018),
        (bx + 0.076, by - 0.020),
        (bx + 0.052, by + 0.016),
        (bx - 0.048, by + 0.018),
    ]
    halo = polygon(SIZE, SIZE, *(np.array(p) * SIZE for p in (main, jib, hull))) > 0.5
    b.clear(distance(halo, 6) < 5)
    sail = polygon(SIZE, SIZE, np.array(main) * SIZE, np.array(jib) * SIZE) > 0.5
    b.red[sail] = 1
    edge = sail & (distance(~sail, 5) < 3.2)
    shade = b.hatch((x * 0.35 + y) * 60, 0.60 * smooth(bx - 0.01, bx + 0.06, x) + 0.10, 14)
    b.key[edge | (sail & shade)] = 1
    wood = polygon(SIZE, SIZE, np.array(hull) * SIZE) > 0.5
    b.key[wood & ~b.hatch(y * 85, 0.30, 15)] = 1
    b.key[(np.abs(x - bx + 0.004) < 0.0028) & (y > by - 0.172) & (y < by - 0.01)] = 1


def _great_wave(b):
    """Cut the great wave on the left, with lines from its foot over its back to the lip, and its foam."""
    back, face, foot = spline(BACK), spline(FACE), spline(FOOT)
    outline = np.concatenate([back, face[::-1], [(0.62, 1.02), (-0.06, 1.02)]])
    along_x, along_y = outline[:, 0] * 30, outline[:, 1] * 30
    tremor = np.stack([perlin(along_x, along_y, 5), perlin(along_x, along_y, 6)], 1) * 0.002
    wave = polygon(SIZE, SIZE, (outline + tremor) * SIZE) > 0.5
    b.clear(distance(wave, 8) < 7)
    b.blue[wave] = 1
    # The lines lie at equal spaces between the foot with the back, and the face.
    spine = np.concatenate([foot[:-1:2], back])
    spine = spine[np.linspace(0, len(spine) - 1, 160).astype(int)]
    cuts, inks = [], []
    for k in np.linspace(0.0, 1.0, 30):
        bend = mix(spine, face, k**0.9)
        t = np.linspace(0, 1, 160)
        taper = smooth(0.0, 0.10, t) * smooth(1.0, 0.80, t)
        uneven = 1 + 0.35 * perlin(t * 6 + k * 30, t * 0 + 2, 8)
        dark = 0.25 + 0.75 * k  # the hollow is in the shade
        inks.append((bend * SIZE, (3 + 17 * dark * (1 - 0.6 * t)) * taper * uneven * (0.35 + 0.65 * (1 - t) ** 0.5)))
        bend = mix(spine, face, min(1, k + 0.016))
        cuts.append((bend * SIZE, (7.5 * (1 - 0.8 * k) * (1 - 0.45 * t)) * taper * uneven))
    inked, cut = ribbons((SIZE, SIZE), inks), ribbons((SIZE, SIZE), cuts)
    b.key[wave & (inked > 0.5)] = 1
    b.blue[wave & (cut > 0.5) & (inked < 0.5)] = 0
    b.key[wave & (distance(~wave, 6) < 4.5)] = 1
    _foam(b, back)
    _spray(b)


def _foam(b, back):
    """Cut rounds of foam along the back of the great wave and under its lip."""
    rng, x, y = b.rng, b.x, b.y
    rounds = []
    for i, (fx, fy) in enumerate(back[30::4]):
        t = i / len(back[30::4])
        for _ in range(3):
            r = (0.010 + 0.020 * t) * rng.uniform(0.6, 1.25)
            rounds.append((fx + rng.normal(0, 0.012) + 0.004, fy + rng.normal(0, 0.010) + 0.010 * t, r))
    for _ in range(26):
        t = rng.random()
        rounds.append(
            (
                0.325 + 0.055 * rng.normal() * (0.4 + t * 0.5),
                0.40 + 0.085 * t + 0.012 * rng.normal(),
                rng.uniform(0.008, 0.024) * (1.1 - 0.6 * t),
            )
        )
    foam = np.full_like(x, 9)
    for fx, fy, r in rounds:
        foam = np.minimum(foam, np.hypot(x - fx, y - fy) - r)
    b.clear(foam < 0.003)
    b.key[np.abs(foam) < 0.0026] = 1
    lines = (x * 0.5 + y + 0.01 * np.sin(x * 90)) * 85
    b.blue[(foam < -0.006) & b.hatch(lines, 0.50 * smooth(0.33, 0.46, y + 0.25 * (x - 0.2)), 16)] = 1


def _spray(b):
    for _ in range(34):
        fx, fy, r = 0.37 + abs(b.rng.normal(0, 0.05)), 0.40 + b.rng.normal(0, 0.06), b.rng.uniform(0.0014, 0.0045)
        drop = np.hypot(b.x - fx, b.y - fy)
        if fy < 0.55:
            b.clear(drop < r + 0.002)
            b.key[np.abs(drop - r) < 0.0014] = 1


def _gulls(b):
    for gx, gy, r in GULLS:
        for side in (-1, 1):
            wing = spline(
                [
                    (gx, gy),
                    (gx + side * r * 0.5, gy - r * 0.55),
                    (gx + side * r, gy - r * 0.15),
                    (gx + side * r * 1.5, gy - r * 0.1),
                ],
                40,
            )
            pen = ribbons((SIZE, SIZE), [(wing * SIZE, (r * 300) * np.sin(np.linspace(0.5, np.pi - 0.02, 40)))])
            b.clear(distance(pen > 0.5, 4) < 3)
            b.key[pen > 0.5] = 1


def _printed(b):
    """Print the blocks. The grain of wood and paper takes the ink unevenly, and the blocks are slightly misaligned."""
    xx, yy = b.xx, b.yy
    plank = fbm(xx / 260, yy / 7 + 3 * perlin(xx / 400, yy / 200, 9), 4, 20)
    tooth = fbm(xx / 5, yy / 5, 3, 21)
    out = rgb("#f1e4c8") * (1 + 0.025 * tooth + 0.02 * fbm(xx / 300, yy / 300, 3, 22))[..., None]
    bare = np.minimum(np.minimum(xx, SIZE - xx), np.minimum(yy, SIZE - yy)) < 34 + 2 * perlin(xx / 30, yy / 30, 23)
    for block, ink, shift, load in (
        (b.red, rgb("#d2452c") / 0.97, (-2, 3), 0.90),
        (b.blue, rgb("#3f8296") / 0.97, (2, -3), 0.86),
        (b.key, rgb("#14243c"), (0, 0), 0.96),
    ):
        block = np.where(bare, 0, np.roll(block, shift, (0, 1)))
        block = blur(block, 0.9)
        cover = smooth(0.35, 0.65, block) * np.clip(load + 0.20 * plank + 0.22 * np.minimum(tooth, 0.05), 0, 1)
        out = out * mix(np.ones(3, F32), ink, cover[..., None])
    return grade(shrink(out, 2), 0.05, 1.05)

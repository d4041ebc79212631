"""A risograph print: leaves of a hothouse before a low sun, in dots of three spot colours."""

import numpy as np

from .brush import F32, blur, grade, grid, mix, polygon, relief, rgb, ribbons, sample, shrink, smooth, spline
from .noise import fbm, perlin

SIZE = 1280  # px, twice the size of the picture
PITCH = 11.5  # px between the dots of a screen
SUN = (0.56, 0.40, 0.245)  # x, y, radius

# Each ink: its colour on white paper, the angle of its screen in degrees, and how far the sheet has slipped, in px.
INKS = {"yellow": ("#ffd23c", 0, (3, -2)), "pink": ("#ff4d78", 75, (-3, 3)), "teal": ("#00728c", 45, (2, 2))}

# Long fronds: the stalk from the ground to the tip, the length of the blades, and whether they stand in front.
FRONDS = (
    (((0.02, 1.05), (0.10, 0.72), (0.26, 0.44), (0.46, 0.30)), 0.21, False),
    (((1.00, 1.05), (0.93, 0.70), (0.80, 0.42), (0.62, 0.22)), 0.20, False),
    (((0.55, 1.08), (0.57, 0.82), (0.52, 0.62), (0.40, 0.48)), 0.15, True),
)

# Broad leaves with holes: the foot of the leaf, its direction in radians, its length.
BROAD = (
    (0.13, 0.92, -1.05, 0.40),
    (0.88, 0.95, -2.05, 0.42),
    (0.36, 1.02, -1.75, 0.33),
    (0.68, 1.04, -1.25, 0.34),
)


class Separations:
    """How much of each ink there is at each place, 0 to 1."""

    def __init__(self):
        y, x = grid(SIZE, SIZE)
        self.x, self.y = x / SIZE, y / SIZE
        self.amount = {ink: np.zeros((SIZE, SIZE), F32) for ink in INKS}

    def lay(self, cover, **amounts):
        """Replace the inks where `cover` is 1; an ink without a number gets none."""
        for ink, plate in self.amount.items():
            plate += cover * (np.asarray(amounts.get(ink, 0), F32) - plate)


def riso():
    """Draw from back to front, then print one ink after the other."""
    plates = Separations()
    _sky(plates)
    _hills(plates)
    for stalk, length, front in FRONDS:
        if not front:
            _frond(plates, stalk, length, front)
    _bird(plates)
    for leaf in BROAD:
        _broad_leaf(plates, *leaf)
    for stalk, length, front in FRONDS:
        if front:
            _frond(plates, stalk, length, front)
    return _printed(plates)


def _sky(p):
    """Lay the evening sky and the sun."""
    x, y = p.x, p.y
    p.lay(np.ones_like(x), yellow=0.10 + 0.55 * smooth(0.0, 0.8, y), pink=0.62 * smooth(0.75, -0.05, y) + 0.06)
    for cy, cx, wide, thick in (
        (0.13, 0.25, 0.30, 0.016),
        (0.185, 0.12, 0.20, 0.012),
        (0.10, 0.86, 0.24, 0.014),
        (0.56, 0.20, 0.26, 0.013),
        (0.60, 0.84, 0.24, 0.012),
    ):
        bank = np.abs(y - cy + 0.006 * np.sin(x * 31)) < thick * np.sqrt(np.clip(1 - ((x - cx) / wide) ** 2, 0, 1))
        p.lay(bank.astype(F32), yellow=0.12)
    d = np.hypot(x - SUN[0], y - SUN[1])
    disc = smooth(SUN[2] + 0.001, SUN[2] - 0.001, d)
    rise = (y - SUN[1] + SUN[2]) / (2 * SUN[2])
    p.lay(disc, yellow=1.0, pink=0.15 + 0.85 * rise)
    for k in range(5):
        gap = np.abs(y - SUN[1] - SUN[2] * (0.22 + 0.17 * k)) < 0.0035 + 0.0022 * k
        p.lay(disc * gap, yellow=0.25)


def _hills(p):
    """Lay three ranges of hills, the farthest palest."""
    for k, (base, height, teal, pink) in enumerate(
        ((0.64, 0.050, 0.22, 0.55), (0.71, 0.055, 0.45, 0.45), (0.80, 0.05, 0.75, 0.25))
    ):
        crest = base + height * (np.sin(p.x * (5.5 + k) + 1.7 * k) + 0.5 * perlin(p.x * 5, 0 * p.x + k, 3 + k))
        land = smooth(crest - 0.001, crest + 0.001, p.y)
        depth = np.clip((p.y - crest) / 0.16, 0, 1)
        p.lay(land, yellow=0.25 + 0.3 * depth, pink=pink * (1 - 0.5 * depth), teal=teal * (1 - 0.75 * depth))


def _blade(start, direction, length, width, bend=0.25):
    """Return the outline of a pointed leaf in px."""
    t = np.linspace(0, 1, 26)
    turn = direction + bend * t
    line = np.asarray(start) + np.cumsum(np.stack([np.cos(turn), np.sin(turn)], -1) * length / 25, 0)
    normal = np.stack([-np.sin(turn), np.cos(turn)], -1)
    half = (width / 2 * np.sin(np.pi * t**0.75) ** 0.9)[:, None]
    return np.concatenate([line + normal * half, (line - normal * half)[::-1]]) * SIZE


def _frond(p, stalk, length, front):
    """Lay a palm frond: blades on both sides of a curved stalk."""
    line = spline(stalk, 200)
    direction = np.arctan2(*np.gradient(line, axis=0).T[::-1])
    upper, lower = [], []
    for k, t in enumerate(np.linspace(0.24, 0.985, 19)):
        i = int(t * 199)
        size = length * np.sin(np.pi * (0.12 + 0.80 * t)) ** 0.7 * (1 if t < 0.95 else 0.8)
        for side, found in ((1, upper), (-1, lower)):
            angle = direction[i] + side * (1.45 - 0.95 * t)
            found.append(_blade(line[i], angle, size, 0.021 + 0.004 * (k % 2), -side * 0.55))
    ribs = blur(ribbons((SIZE, SIZE), [(line * SIZE, np.linspace(13, 4, 200))]), 0.6)
    far = 0.0 if front else 0.22
    fade = 0.35 * smooth(0.95, 0.35, p.y)
    p.lay(polygon(SIZE, SIZE, *lower), yellow=0.35, teal=0.95 - far - 0.4 * fade, pink=0.30 - far * 0.5)
    p.lay(polygon(SIZE, SIZE, *upper), yellow=0.75, teal=0.80 - far - fade * 0.6, pink=0.0)
    p.lay(ribs, yellow=0.9, pink=0.25)


def _broad_leaf(p, fx, fy, direction, length):
    """Lay a split leaf: a heart with deep cuts between its veins."""
    c, s = np.cos(direction), np.sin(direction)
    u = ((p.x - fx) * c + (p.y - fy) * s) / length  # 0 at the foot, 1 at the tip
    v = ((p.y - fy) * c - (p.x - fx) * s) / length
    half = 0.47 * np.abs(np.sin(np.pi * np.clip(u, 0, 1) ** 0.62)) ** 0.75 * (1 - 0.25 * u)
    back = (u < 0) & (np.hypot(u, np.abs(v) - 0.17) < 0.17)
    inside = ((u > 0) & (u < 1) & (np.abs(v) < half)) | back
    vein = (u - 0.55 * np.abs(v)) * 6.5
    off = np.abs(vein - np.round(vein))
    cut = (off > 0.5 - 0.26 * smooth(0.13, 0.36, np.abs(v))) & (np.abs(v) > 0.15) & (u > 0.06)
    hole = (np.hypot((off - 0.5) * 0.9, (np.abs(v) - 0.09) * 6.5) < 0.22) & (u > 0.14) & (u < 0.80)
    leaf = blur((inside & ~cut & ~hole).astype(F32), 1.0)
    upper = v < 0
    shade = np.clip(0.55 + 0.5 * off - 0.25 * upper + 0.25 * smooth(0.2, 0.9, u), 0, 1)
    p.lay(leaf, yellow=0.40 + 0.45 * upper, teal=np.clip(1.15 - 0.75 * shade + 0.2 * ~upper, 0, 1), pink=0.30 * ~upper)
    rib = (np.abs(v) < 0.010 * (1.2 - u)) & (u > -0.03) & (u < 0.97)
    side = (off < 0.035) & (np.abs(v) < half * 0.86) & (u > 0.02)
    p.lay(leaf * blur((rib | side).astype(F32), 0.8), yellow=0.9, pink=0.10)
    stalk = spline([(fx, fy), (fx + 0.10 * (0.5 - fx), fy + 0.10), (fx + 0.2 * (0.5 - fx), fy + 0.3)], 60) * SIZE
    p.lay(ribbons((SIZE, SIZE), [(stalk, np.full(60, 12.0))]), yellow=0.5, teal=0.8)


def _bird(p):
    """Lay a toucan that sits on a branch before the sun."""
    branch = spline([(0.30, 0.615), (0.50, 0.585), (0.66, 0.60), (0.86, 0.555)], 120) * SIZE
    p.lay(ribbons((SIZE, SIZE), [(branch, np.linspace(20, 9, 120))]), yellow=0.6, pink=0.75, teal=0.8)

    def shape(*points):
        return polygon(SIZE, SIZE, spline([*points, points[0]], 240) * SIZE)

    body = shape(
        (0.60, 0.325),
        (0.645, 0.345),
        (0.66, 0.42),
        (0.63, 0.51),
        (0.575, 0.575),
        (0.545, 0.56),
        (0.535, 0.48),
        (0.545, 0.39),
        (0.56, 0.335),
    )
    tail = polygon(
        SIZE, SIZE, np.array([(0.555, 0.535), (0.595, 0.565), (0.575, 0.735), (0.535, 0.745), (0.535, 0.60)]) * SIZE
    )
    p.lay(tail, yellow=0.2, pink=0.55, teal=1.0)
    p.lay(body, yellow=0.3, pink=0.75, teal=1.0)
    wing = shape((0.60, 0.41), (0.625, 0.45), (0.60, 0.54), (0.555, 0.60), (0.55, 0.50))
    p.lay(wing, yellow=0.1, pink=0.15, teal=1.0)
    p.lay(shape((0.605, 0.345), (0.648, 0.355), (0.662, 0.41), (0.640, 0.455), (0.615, 0.42)), yellow=0.55)
    bill = shape(
        (0.635, 0.335), (0.70, 0.305), (0.775, 0.325), (0.815, 0.385), (0.80, 0.405), (0.75, 0.385), (0.645, 0.390)
    )
    along = np.clip((p.x - 0.64) / 0.17, 0, 1)
    p.lay(bill, yellow=1.0, pink=0.15 + 0.85 * along, teal=0.9 * smooth(0.86, 0.9, along))
    p.lay(bill * (np.abs(p.y - 0.362 - 0.22 * (p.x - 0.70) ** 2 * 9) < 0.0022), pink=0.8, teal=0.6, yellow=0.8)
    for r, inks in ((0.0155, {"yellow": 1.0}), (0.0105, {"teal": 1.0, "pink": 0.8})):
        p.lay(smooth(r + 0.001, r - 0.001, np.hypot(p.x - 0.615, p.y - 0.358)), **inks)


def _printed(p):
    """Print the inks as dots on rough paper; each sheet slips a little, and ink has specks."""
    yy, xx = grid(SIZE, SIZE)
    fibre = fbm(xx / 5, yy / 5, 3, 3)
    shade, _ = relief(fibre, (-0.7, -0.7, 0.9), 0.25)
    sheet = rgb("#f7f1e3") * (0.55 + 0.45 * shade)[..., None]
    for k, (ink, (code, degrees, slip)) in enumerate(INKS.items()):
        amount = sample(p.amount[ink], xx - 0.5 - slip[0], yy - 0.5 - slip[1])
        angle = np.radians(degrees)
        u, v = (xx * np.cos(angle) + yy * np.sin(angle)) / PITCH, (yy * np.cos(angle) - xx * np.sin(angle)) / PITCH
        screen = 0.5 + 0.25 * (np.cos(2 * np.pi * u) + np.cos(2 * np.pi * v))  # 0 to 1
        dots = smooth(-0.06, 0.06, amount - (1 - screen) * 0.98 - 0.01 + 0.10 * fibre)
        uneven = 0.90 + 0.16 * fbm(xx / 180, yy / 180, 3, 20 + k)
        specks = smooth(0.30, 0.42, fbm(xx / 2.6, yy / 2.6, 2, 30 + k) + 0.10 * fbm(xx / 60, yy / 60, 2, 40 + k))
        cover = np.clip(blur(dots, 0.6) * uneven * (1 - 0.75 * specks), 0, 1)
        sheet = sheet * mix(np.ones(3, F32), rgb(code), cover[..., None])
    return grade(shrink(sheet, 2), 0.05, 1.05)

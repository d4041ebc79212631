"""A photo-like still life, seen by a small sphere tracer (which serves the lake, too)."""

import numpy as np
from brush import F32, blur, cells, fbm, film, grade, grid, lin, mix, perlin, ramp, resize, smooth, unit
from PIL import Image

# ---------------------------------------------------------------- still life: a small sphere tracer


def _ball(x, y, z, c, r):
    return np.sqrt((x - c[0]) ** 2 + (y - c[1]) ** 2 + (z - c[2]) ** 2) - r


def _join(a, b, k):
    """Union of two shapes with a fillet of size k."""
    h = np.clip(0.5 + 0.5 * (b - a) / k, 0, 1)
    return b + (a - b) * h - k * h * (1 - h)


def _apple(x, y, z, c, r):
    q = np.hypot(x - c[0], z - c[2])
    h = y - c[1]
    a = np.arctan2(z - c[2], x - c[0])
    ring = np.sqrt((q - 0.42 * r) ** 2 + (h * 1.06 - 0.02 * r) ** 2)  # a fat ring has the dimples of an apple
    return (ring - 0.62 * r + 0.02 * r * np.sin(5 * a) * smooth(0.2, -1.0, h / r)) * 0.9


def _stalk(x, y, z, c, tip, r):
    """A tapering stick from c to tip."""
    d = [b - a for a, b in zip(c, tip, strict=True)]
    t = np.clip(((x - c[0]) * d[0] + (y - c[1]) * d[1] + (z - c[2]) * d[2]) / sum(k * k for k in d), 0, 1)
    return np.sqrt((x - c[0] - t * d[0]) ** 2 + (y - c[1] - t * d[1]) ** 2 + (z - c[2] - t * d[2]) ** 2) - r * (
        0.5 + 0.7 * t
    )


JUG, BOWL = (-0.95, 0.0, 0.75), (0.72, 0.0, 0.55)
APPLES = (((-0.28, 0.30, -0.55), 0.33), ((0.98, 0.72, 0.22), 0.33))
ORANGES = (((0.42, 0.70, 0.45), 0.32), ((0.88, 0.76, 0.86), 0.31), ((1.72, 0.31, -0.15), 0.31))
LEMON = (0.62, 0.21, -0.85)
PEAR = (-1.78, 0.0, 0.10)
STALKS = (
    ((-0.28, 0.42, -0.55), (-0.21, 0.63, -0.57)),
    ((0.98, 0.86, 0.22), (1.04, 1.04, 0.16)),
    ((-1.66, 0.98, 0.10), (-1.58, 1.22, 0.06)),
)
GRAPES = tuple(
    (
        (-1.12 + 0.205 * i - 0.10 * (k % 2) + 0.04 * j, 0.115 + 0.165 * k, -0.78 - 0.20 * j + 0.05 * i),
        0.118 - 0.006 * ((i + j + k) % 3),
    )
    for k, rows in enumerate((((0, 1, 2), (0, 1, 2, 3), (1, 2)), ((0, 1), (1, 2)), ((1,),)))
    for j, row in enumerate(rows)
    for i in row
)


def _cloth(x, z):
    """Height of the linen on the table: folds that fan out of a gathered corner; below the table outside it."""
    u, v = 0.86 * x + 0.5 * z + 0.15, -0.5 * x + 0.86 * z
    inside = np.minimum(
        1.55 - np.abs(u + 0.35 + 0.08 * np.sin(v * 2.3)), 1.05 - np.abs(v + 0.62 + 0.06 * np.sin(u * 3.1))
    )
    a = np.arctan2(v + 2.0, u + 2.3)
    fold = 0.5 + 0.5 * np.sin(a * 17 + 1.2 * np.sin(u * 1.7) + 0.8)
    ripple = fold**3 * 0.10 * smooth(0.0, 0.5, inside) + 0.035 * np.sin(u * 2.6 + 1) * np.sin(v * 3.1)
    calm = np.minimum(
        smooth(0.30, 0.75, np.hypot(x + 0.28, z + 0.55)),
        smooth(0.3, 0.8, np.hypot((x + 0.85) * 0.6, z + 0.9)),
    )
    calm = np.minimum(calm, smooth(0.25, 0.6, np.hypot(x - 0.62, z + 0.85)))
    return np.where(inside > 0, 0.022 + 0.03 * smooth(0.12, 0.0, inside) + np.maximum(ripple, 0) * calm, -0.1 + 0 * x)


def _shapes(x, y, z):
    """Distances to every material of the still life, in the order of `_paint`."""
    table = np.maximum(np.abs(y + 0.6) - 0.6, np.maximum(-1.62 - z, np.abs(x) - 9))
    cloth = np.where(y < 0.4, (y - _cloth(x, z)) * 0.62, y - 0.25)
    cloth = np.maximum(np.maximum(cloth, -1.60 - z), -0.05 - y)
    wall = 2.9 - z
    # jug: turned, with a wide belly, a neck and a lip, hollow at the mouth
    q = np.hypot(x - JUG[0], z - JUG[2])
    belly = (np.sqrt((q / 0.60) ** 2 + ((y - 0.62) / 0.66) ** 2) - 1) * 0.58
    neck = np.maximum(q - 0.27 - 0.12 * smooth(1.45, 1.85, y), np.abs(y - 1.4) - 0.42)
    foot = np.maximum(q - 0.36, np.abs(y - 0.04) - 0.04)
    jug = _join(_join(belly, neck, 0.22), foot, 0.08)
    jug = np.maximum(jug, -np.maximum(q - 0.20 - 0.13 * smooth(1.45, 1.85, y), 1.2 - y))
    hx, hy = x - JUG[0] + 0.52, y - 1.22
    handle = np.hypot(np.hypot(hx * 1.12, hy * 0.80) - 0.36, z - JUG[2]) - 0.055
    jug = _join(jug, np.maximum(handle, q * -1 + 0.24), 0.09) * 0.85
    # bowl: the lower part of a thick shell on a foot
    b = _ball(x, y, z, (BOWL[0], 0.94, BOWL[2]), 0.90)
    bowl = np.maximum(np.abs(b) - 0.035, y - 0.60)
    q = np.hypot(x - BOWL[0], z - BOWL[2])
    bowl = np.minimum(bowl, np.hypot(q - 0.832, y - 0.60) - 0.042)
    bowl = _join(bowl, np.maximum(q - 0.34, np.abs(y - 0.05) - 0.05), 0.06) * 0.9
    apples = np.minimum.reduce([_apple(x, y, z, c, r) for c, r in APPLES])
    oranges = np.minimum.reduce([_ball(x, y, z, c, r) for c, r in ORANGES])
    u, w = 0.80 * (x - LEMON[0]) - 0.60 * (z - LEMON[2]), 0.60 * (x - LEMON[0]) + 0.80 * (z - LEMON[2])
    v = y - LEMON[1]
    lemon = (np.sqrt((u / 0.29) ** 2 + (v / 0.21) ** 2 + (w / 0.21) ** 2) - 1) * 0.2
    lemon = _join(lemon, np.sqrt((np.abs(u) - 0.29) ** 2 + v**2 + w**2) - 0.045, 0.10)
    px, pz = x - PEAR[0] - 0.12 * smooth(0.2, 1.0, y), z - PEAR[2]
    pear = (
        _join(
            np.sqrt(px**2 + (y - 0.36) ** 2 + pz**2) - 0.37,
            np.sqrt(px**2 + (y - 0.84) ** 2 + pz**2) - 0.16,
            0.34,
        )
        * 0.9
    )
    grapes = np.minimum.reduce([_ball(x, y, z, c, r) for c, r in GRAPES])
    stalks = np.minimum.reduce([_stalk(x, y, z, a, b, 0.016) for a, b in STALKS])
    return table, cloth, wall, jug, bowl, apples, oranges, lemon, pear, grapes, stalks


def _nearest(p):
    return np.minimum.reduce(_shapes(p[:, 0], p[:, 1], p[:, 2])).astype(F32)


def march(origin, way, far=14.0, steps=70, start=0.0, nearest=_nearest):
    """Distance along each ray to the first surface (`far` where there is none)."""
    t = np.full(len(origin), start, F32)
    live = np.arange(len(origin))
    for _ in range(steps):
        d = nearest(origin[live] + way[live] * t[live, None])
        t[live] += d
        live = live[(d > 0.0007 * t[live] + 0.0003) & (t[live] < far)]
        if not len(live):
            break
    return t


def normal(p, eps=0.0016, nearest=_nearest):
    n = np.zeros_like(p)
    for k in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        k = np.array(k, F32)
        n += k * nearest(p + k * eps)[:, None]
    return n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9)


def shadow(p, to, steps=34, nearest=_nearest):
    """Share of light that arrives from the points `to`: nearer misses dim it more."""
    way = to - p
    length = np.linalg.norm(way, axis=1)
    way /= length[:, None]
    t, light = np.full(len(p), 0.02, F32), np.ones(len(p), F32)
    live = np.arange(len(p))
    for _ in range(steps):
        d = nearest(p[live] + way[live] * t[live, None])
        light[live] = np.minimum(light[live], np.clip(0.5 + 12 * d / t[live], 0, 1))
        t[live] += np.clip(np.abs(d), 0.02, 0.5)
        live = live[(light[live] > 0.01) & (t[live] < np.minimum(length[live], 5))]
        if not len(live):
            break
    return light


def _paint(p, n):
    """Colour (linear) and gloss of every point, by the nearest material."""
    x, y, z = p.T
    which = np.argmin(np.stack(_shapes(x, y, z)), 0)
    colour, gloss = np.zeros_like(p), np.zeros(len(p), F32)

    def of(k):
        s = which == k
        return s, x[s], y[s], z[s]

    s, u, v, w = of(0)  # boards of old oak
    board = np.floor((w + 9) / 0.62)
    grainy = fbm(u * 1.3 + board * 9, w * 22, 5, 1) + 0.5 * fbm(u * 7 + board * 5, w * 90, 3, 2)
    seam = smooth(0.012, 0.004, np.abs((w + 9) / 0.62 % 1 - 0.5) * -0.62 + 0.31)
    tone = np.clip(0.5 + 0.55 * grainy + 0.10 * np.sin(board * 5), 0, 1)
    colour[s] = ramp(np.stack([lin("#3a1f12"), lin("#7a4a28"), lin("#a8703e")]), tone) * (1 - 0.8 * seam)[:, None]
    gloss[s] = 0.30
    s, u, v, w = of(1)  # linen with woven stripes
    a, b = 0.86 * u + 0.5 * w + 0.15, -0.5 * u + 0.86 * w
    weave = 0.93 + 0.05 * np.sin(a * 260) * np.sin(b * 260) + 0.07 * fbm(a * 30, b * 30, 3, 4)
    stripe = smooth(0.06, 0.045, np.abs(np.abs(b + 0.62) - 0.82)) + smooth(
        0.016, 0.010, np.abs(np.abs(b + 0.62) - 0.70)
    )
    colour[s] = mix(lin("#ece4d4"), lin("#3b5f9a"), np.clip(stripe, 0, 1)[:, None]) * weave[:, None]
    s, u, v, w = of(2)  # plaster
    stain = 0.5 + 0.6 * fbm(u * 0.7, v * 0.7, 5, 6) + 0.12 * fbm(u * 7, v * 7, 3, 8)
    colour[s] = ramp(np.stack([lin("#5f6660"), lin("#858a7c"), lin("#a39c84")]), stain)
    s, u, v, w = of(3)  # white glaze painted with blue bands and sprigs
    a = np.arctan2(w - JUG[2], u - JUG[0])
    band = sum(
        smooth(t + 0.012, t - 0.004, np.abs(v - c))
        for c, t in ((0.27, 0.02), (0.33, 0.006), (1.12, 0.022), (1.20, 0.007), (1.80, 0.03))
    )
    k = a / (2 * np.pi) * 9
    ax, ay = (k % 1 - 0.5) * 0.42, v - 0.72 - 0.05 * np.where(np.floor(k) % 2 == 0, 1, -1)
    r, t = np.hypot(ax, ay), np.arctan2(ay, ax)
    bloom = smooth(0.012, -0.012, r - 0.105 * (0.62 + 0.38 * np.cos(5 * t))) - smooth(0.034, 0.022, r) * 0.8
    vine = smooth(0.014, 0.004, np.abs(v - 0.72 - 0.15 * np.cos(k * np.pi))) * 0.8
    blue = np.clip(band + bloom + vine, 0, 1) * (0.78 + 0.35 * fbm(u * 9, v * 9, 3, 5))
    colour[s] = mix(lin("#e9e6da"), lin("#1d3a8c"), np.clip(blue, 0, 1)[:, None])
    gloss[s] = 1.0
    s, u, v, w = of(4)  # celadon bowl, darker where the glaze thins at the rim
    speck = cells(np.arctan2(w - BOWL[2], u - BOWL[0]) * 14, v * 16, 3)[0]
    tone = 0.45 + 0.5 * fbm(u * 3, v * 6 + w * 3, 4, 9)
    colour[s] = ramp(np.stack([lin("#1d5a5c"), lin("#2f8583"), lin("#6fb3a0")]), tone)
    colour[s] = mix(
        colour[s],
        lin("#6a4526"),
        (0.85 * smooth(0.56, 0.615, v) + 0.5 * smooth(0.09, 0.04, speck))[:, None].clip(0, 1),
    )
    gloss[s] = 0.9
    s, u, v, w = of(5)  # apples: red streaks over yellow
    c = np.where((v > 0.45) & (u > 0.4), 0.98, -0.28), np.where((v > 0.45) & (u > 0.4), 0.22, -0.55)
    a = np.arctan2(w - c[1], u - c[0])
    h = np.where(v > 0.45, v - 0.72, v - 0.30) / 0.33
    streak = fbm(a * 9, h * 1.1, 4, 3)
    blush = np.clip(0.55 + 0.75 * np.cos(a + 1.9) * 0.6 + 0.75 * streak + 0.15, 0, 1) * smooth(0.80, 0.45, h) ** 0.7
    skin = ramp(np.stack([lin("#c9b23c"), lin("#d8762c"), lin("#b8201e"), lin("#84101c")]), blush)
    dots = smooth(0.10, 0.05, cells(a * 9, h * 9, 6)[0])
    colour[s] = mix(skin, lin("#e8d080"), (0.4 * dots)[:, None])
    gloss[s] = 0.55
    s, u, v, w = of(6)
    colour[s] = mix(lin("#e8760e"), lin("#f39a1c"), (0.5 + 0.6 * fbm(u * 4, v * 4 + w, 3, 5))[:, None])
    gloss[s] = 0.35
    s, u, v, w = of(7)
    colour[s] = mix(lin("#eec11e"), lin("#f2d84a"), (0.5 + 0.7 * fbm(u * 5, v * 5 + w * 5, 3, 7))[:, None])
    gloss[s] = 0.35
    s, u, v, w = of(8)  # pear: green to russet
    tone = np.clip(
        0.45 + 0.5 * np.sin(np.arctan2(w - PEAR[2], u - PEAR[0]) + 0.6) + 0.35 * fbm(u * 3, v * 3 + w * 3, 4, 2),
        0,
        1,
    )
    freckle = smooth(0.16, 0.06, cells(np.arctan2(w - PEAR[2], u - PEAR[0]) * 12, v * 30, 8)[0])
    colour[s] = ramp(np.stack([lin("#9aa63a"), lin("#c8b444"), lin("#b8702c")]), tone) * (1 - 0.35 * freckle)[:, None]
    gloss[s] = 0.25
    s, u, v, w = of(9)  # grapes with a dull bloom
    dust = np.clip(0.35 + 0.9 * fbm(u * 9, v * 9 + w * 9, 3, 4), 0, 1)
    colour[s] = mix(lin("#2a0d2e"), lin("#5d4a7c"), (0.55 * dust)[:, None]) + lin("#3a0a22") * 0.3
    gloss[s] = 0.8 - 0.5 * dust
    s, u, v, w = of(10)
    colour[s] = lin("#4a3018")
    return colour, gloss, which


LAMP = np.array((-5.2, 4.6, -2.6), F32)


def _room(way):
    """What a mirror would see: a tall window to the left, a dim warm room."""
    _x, y, _z = way.T
    up = 0.5 + 0.5 * y
    out = mix(lin("#4a3c30"), lin("#8a8478"), up[:, None]) * 0.5
    to = unit(*(LAMP - np.array((0, 0.6, 0), F32)))
    side, rise = unit(-to[2], 0, to[0]), np.cross(unit(-to[2], 0, to[0]), to)
    f = way @ to
    u, v = (way @ side) / np.maximum(f, 0.01), (way @ rise) / np.maximum(f, 0.01)
    pane = smooth(0.30, 0.28, np.abs(u)) * smooth(0.44, 0.42, np.abs(v)) * (f > 0)
    bars = np.maximum(
        smooth(0.028, 0.018, np.abs(u)),
        np.maximum(smooth(0.025, 0.015, np.abs(v - 0.14)), smooth(0.025, 0.015, np.abs(v + 0.16))),
    )
    return out + (pane * (1 - bars))[:, None] * np.array((7.0, 7.2, 7.6), F32)


def _shade(p, n, view, rng, rays):
    colour, gloss, which = _paint(p, n)
    direct = np.zeros(len(p), F32)
    facing = np.clip(np.sum(n * (LAMP - p), 1) / np.linalg.norm(LAMP - p, axis=1), 0, 1)
    lit = facing > 0
    for _ in range(rays):
        to = LAMP + rng.normal(0, 0.30, (lit.sum(), 3)).astype(F32)
        direct[lit] += shadow(p[lit] + n[lit] * 0.004, to) / rays
    direct *= facing
    open_ = np.ones(len(p), F32)
    for step, weight in ((0.03, 0.9), (0.09, 0.8), (0.22, 0.6), (0.5, 0.36)):
        open_ *= 1 - np.clip(weight * (1 - _nearest(p + n * step) / step), 0, 0.92)
    # sunlight through the window falls off along the wall; the sky fills from the left, the table from below
    key = direct * np.clip(60 / np.sum((LAMP - p) ** 2, 1), 0, 2)
    # on the wall the light has the shape of the window, slanting and out of focus
    slant, wall = p[:, 0] * 0.9 + 0.42 * p[:, 1], which == 2
    bars = smooth(0.02, 0.12, np.abs(slant - 1.25)) * smooth(0.02, 0.12, np.abs(p[:, 1] - 0.22 * p[:, 0] - 1.75))
    patch = smooth(-0.05, 0.20, slant - 0.15) * smooth(2.45, 2.2, slant) * smooth(3.3, 3.0, p[:, 1] - 0.22 * p[:, 0])
    key = np.where(wall, key * (0.28 + 1.0 * patch * bars), key)
    sky = 0.5 - 0.35 * n[:, 0] + 0.25 * n[:, 1] - 0.15 * n[:, 2]
    low = np.clip(0.5 - 0.5 * n[:, 1], 0, 1)
    ambient = open_[:, None] * (sky[:, None] * lin("#8da2c0") * 0.62 + low[:, None] * lin("#b08a62") * 0.42)
    light = key[:, None] * np.array((3.1, 2.75, 2.25), F32) + ambient
    # thin-skinned fruit glows a little where light only grazes it
    soft = np.isin(which, (5, 6, 7, 8, 9))[:, None] * colour * 0.10 * open_[:, None]
    return colour * light + soft, gloss, which, open_, key


def still_life():
    """Fruit, a painted jug and a bowl on linen, by a window on the left."""
    w, h, over = 768, 576, 1.5
    sw, sh = int(w * over), int(h * over)
    rng = np.random.default_rng(8)
    yy, xx = grid(sh, sw)
    eye, target = np.array((0.25, 2.15, -6.4), F32), np.array((0.02, 0.60, 0.0), F32)
    fwd = unit(*(target - eye))
    right = unit(fwd[2], 0, -fwd[0])
    up = np.cross(fwd, right)
    u, v = (xx - sw / 2) / sw * 0.70, (sh / 2 - yy) / sw * 0.70
    way = (fwd + u[..., None] * right + v[..., None] * up).reshape(-1, 3).astype(F32)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    origin = np.broadcast_to(eye, way.shape)
    out = np.zeros_like(way)
    for a in range(0, len(way), 160_000):
        part = slice(a, a + 160_000)
        d = way[part]
        p = origin[part] + d * march(origin[part], d, start=3.5)[:, None]
        n = normal(p)
        colour, gloss, which, _, key = _shade(p, n, d, rng, 4)
        # skins are not quite smooth: pores bend the highlights
        pores = np.isin(which, (6, 7))
        if pores.any():
            q = p[pores] * 34
            n[pores] += 0.16 * np.stack([perlin(q[:, 0] + 9 * k, q[:, 1] + q[:, 2], k) for k in (1, 2, 3)], 1)
            n /= np.linalg.norm(n, axis=1, keepdims=True)
        bounce = d - 2 * np.sum(d * n, 1, keepdims=True) * n
        fresnel = (0.04 + 0.96 * np.clip(1 + np.sum(d * n, 1), 0, 1) ** 5) * gloss
        shiny = np.flatnonzero((gloss > 0.1) & (fresnel > 0.004))
        seen = _room(bounce[shiny])
        start = p[shiny] + n[shiny] * 0.01
        t = march(start, bounce[shiny], 4.0, 30)
        hit = t < 3.9
        if hit.any():
            q = start[hit] + bounce[shiny][hit] * t[hit, None]
            seen[hit] = _shade(q, normal(q), bounce[shiny][hit], rng, 1)[0]
        # a rough surface spreads the window; a polished one mirrors it
        half = unit(*(LAMP)) - d
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        sheen = np.clip(np.sum(half * n, 1), 0, 1) ** 60 * (1 - gloss) * (gloss > 0) * 0.9 * key
        colour[shiny] += fresnel[shiny, None] * seen
        out[part] = colour + sheen[:, None]
    out = out.reshape(sh, sw, 3)
    # a bar of window light slants over the wall: the wall alone, softly
    img = film(out, 0.80)
    img = resize(img, (h, w), Image.Resampling.LANCZOS)
    img = img + 0.10 * blur(np.clip(img - 0.75, 0, 1), 9)
    return grade(img, 0.22, 1.06, 0.30, 0.012, 3)

"""Outdoor scenes to be painted, made to look like photographs: one clear light, depth, fine texture."""

import numpy as np
from brush import (
    F32,
    blur,
    cells,
    fbm,
    film,
    grade,
    grid,
    lin,
    mix,
    perlin,
    polygon,
    ramp,
    resize,
    ridged,
    sample,
    smooth,
    unit,
)
from PIL import Image
from still_life import march, normal, shadow

# ---------------------------------------------------------------- a mountain lake

SUN = unit(-0.86, 0.44, -0.04)  # from the left: half of every ridge lies in shade


def _land(x, z):
    """Height of the ground above the lake, in metres, without trees."""
    wx, wz = x + 260 * perlin(x / 1500, z / 1500, 3), z + 260 * perlin(x / 1500, z / 1500, 4)
    # three masses: a great peak right of the middle, a lower one to the left, a wall far behind
    peaks = (
        (950, 4700, 1120, 1500),
        (-2000, 4300, 760, 1300),
        (-700, 8400, 1350, 2300),
        (3300, 6400, 1250, 1700),
        (2300, 3500, 520, 1000),
    )
    mass = np.zeros(x.shape, F32)
    for px, pz, high, wide in peaks:
        q = np.hypot(wx - px, wz - pz) / wide
        mass = np.maximum(mass, high * np.exp(-(q**1.25) * 1.15)) + 0.12 * high * np.exp(-q * q * 0.6)
    crag = ridged(wx / 1700, wz / 1700, 9, 20, 0.47)
    rise = mass * (0.34 + 1.02 * crag)
    # spurs come down to the water; the lake is where the ground stays low
    shore = 1180 - 560 * np.exp(-(((x + 470) / 210) ** 2)) - 330 * np.exp(-(((x - 640) / 190) ** 2))
    shore = shore + 130 * perlin(x / 210, 0 * x + 5, 6) + 30 * perlin(x / 45, z / 90, 7)
    bank = smooth(0, 900, z - shore)
    hills = 150 * (0.55 + fbm(x / 900, z / 900, 5, 9)) * bank
    far = (rise * smooth(-100, 1500, z - shore) + hills) + (z - shore) * 0.035
    return np.where(z > shore - 120, np.minimum(far, (z - shore) * 0.9), -20).astype(F32)


def _forest(x, z, ground, slope):
    """Conifers as cones on the ground: their height, and each one's own number."""
    d, own = cells(x / 8.5, z / 8.5, 11)
    wood = smooth(
        -0.22,
        0.12,
        1.1 * fbm(x / 260, z / 260, 4, 13) + 0.40 - ground / 560 - 0.55 * np.maximum(slope - 0.75, 0),
    )
    tall = (13 + 13 * own) * (own < wood * 1.05)
    cone = np.clip(1 - d / 0.62, 0, 1) * tall
    return np.where(ground > 1.0, cone, 0), own


def _box(x, y, z, half):
    return np.maximum.reduce([np.abs(x) - half[0], np.abs(y) - half[1], np.abs(z) - half[2]])


def _moorings(p):
    """Distances to the jetty's boards, its posts, the boat's hull and its benches."""
    x, y, z = p.T
    # the jetty runs away from the right-hand corner, turned a little
    u, v = 0.957 * (x - 2.6) + 0.29 * (z - 9), -0.29 * (x - 2.6) + 0.957 * (z - 9)
    plank = v - 0.26 * np.round(v / 0.26)
    number = np.round(v / 0.26)
    sag = 0.012 * np.sin(number * 12.9)
    boards = np.maximum(
        _box(u + 0.05 * np.sin(number * 7.7), y - 0.52 - sag, plank, (0.86, 0.028, 0.118)), np.abs(v) - 6.2
    )
    boards = np.minimum(boards, _box(np.abs(u) - 0.6, y - 0.40, v, (0.06, 0.09, 6.2)))
    pole = v - 2.0 * np.clip(np.round(v / 2.0), -3, 3)
    posts = np.maximum(
        np.hypot(np.abs(u) - 0.90, pole) - 0.085,
        np.abs(y - 0.1) - 0.95 - 0.06 * np.sin(np.round(v / 2.0) * 5 + np.sign(u)),
    )
    # the boat: a half-ellipse section that narrows to the stem, hollowed, with a sheer line
    a, b = 0.93 * (x + 0.55) + 0.37 * (z - 11.2), -0.37 * (x + 0.55) + 0.93 * (z - 11.2)
    wide = 0.74 * np.sqrt(np.clip(1 - np.abs(a / 2.2) ** 2.6, 0.0004, 1)) * (1 - 0.10 * (a > 0) * a)
    sheer = 0.42 + 0.055 * a * a
    skin = (
        (np.hypot(b / wide, np.minimum(y - sheer * 0.9, 0) / np.maximum(0.62 - 0.03 * a * a, 0.2)) - 1)
        * 0.42
        * np.minimum(wide, 0.6)
    )
    skin = np.maximum(skin, np.abs(a) - 2.2)
    hull = np.maximum(np.abs(skin) - 0.026, y - sheer)
    inside = skin + 0.01
    benches = np.minimum.reduce([_box(a - c, y - 0.27, b, (0.13, 0.022, 0.8)) for c in (-1.25, 0.0, 1.15)])
    benches = np.minimum(np.maximum(benches, inside), np.maximum(np.abs(y + 0.02) - 0.02, inside))
    rim = np.maximum(np.abs(skin) - 0.05, np.abs(y - sheer) - 0.03)
    return boards, posts, hull * 0.8, np.minimum(benches, rim) * 0.8


def _foreground(eye, focal, rows, sw, side):
    """Jetty and boat as seen from the eye (side 1) or from its mirror image (-1); colour and coverage."""
    yy, xx = grid(rows, sw)
    out, cover = np.zeros((rows, sw, 3), F32), np.zeros((rows, sw), bool)
    part = np.s_[yy[:, 0] > 60]
    way = (
        np.stack([(xx[part] - sw / 2) / focal, -side * yy[part] / focal, np.ones_like(xx[part])], -1)
        .reshape(-1, 3)
        .astype(F32)
    )
    way /= np.linalg.norm(way, axis=1, keepdims=True)

    def nearest(p):
        return np.minimum.reduce(_moorings(p)).astype(F32)

    origin = np.broadcast_to(np.array((0, side * eye, 0), F32), way.shape)
    t = march(origin, way, 26.0, 90, 4.0, nearest)
    p = origin + way * t[:, None]
    hit = (t < 25.9) & (p[:, 1] > 0) & (nearest(p) < 0.03)
    p = p[hit]
    n = normal(p, 0.004, nearest)
    which = np.argmin(np.stack(_moorings(p)), 0)
    x, y, z = p.T
    u, v = 0.957 * (x - 2.6) + 0.29 * (z - 9), -0.29 * (x - 2.6) + 0.957 * (z - 9)
    a, b = 0.93 * (x + 0.55) + 0.37 * (z - 11.2), -0.37 * (x + 0.55) + 0.93 * (z - 11.2)
    number = np.round(v / 0.26)
    old = np.clip(0.5 + 0.7 * fbm(u * 2 + number * 3.7, v * 26, 4, 14) + 0.22 * np.sin(number * 31), 0, 1)
    colour = ramp(np.stack([lin("#4b4239"), lin("#8a7d6b"), lin("#b5a78e")]), old)
    post = ramp(np.stack([lin("#2f2821"), lin("#6f6250")]), 0.5 + 0.8 * fbm(x * 20, y * 2, 3, 15)) * smooth(
        -0.05, 0.3, y
    )[:, None].clip(0.35, 1)
    strake = 0.86 + 0.14 * np.abs(np.sin((y - 0.055 * a * a) * 28))
    worn = (fbm(a * 4, y * 9 + b, 4, 16) > 0.30)[:, None]
    paint = np.where((y - 0.42 - 0.055 * a * a > -0.11)[:, None], lin("#e8e2d2"), lin("#b3261e"))
    inner = np.hypot(b, 0.001) < 0.66
    hull = np.where(worn, lin("#7a6a58"), paint) * strake[:, None]
    varnish = ramp(np.stack([lin("#5a3418"), lin("#a06a34")]), 0.5 + 0.7 * fbm(a * 3, b * 22, 4, 17))
    hull = np.where(((n[:, 1] > 0.25) & inner)[:, None], varnish, hull)
    colour = np.where((which == 1)[:, None], post, colour)
    colour = np.where((which == 2)[:, None], hull, colour)
    colour = np.where((which == 3)[:, None], varnish, colour)
    sun = np.clip(n @ SUN, 0, 1) * shadow(p + n * 0.01, p + SUN * 9, 34, nearest)
    open_ = np.ones(len(p), F32)
    for step, weight in ((0.08, 0.7), (0.3, 0.5)):
        open_ *= 1 - np.clip(weight * (1 - nearest(p + n * step) / step), 0, 0.9)
    sky = (0.55 + 0.45 * n[:, 1]) * open_
    light = sun[:, None] * np.array((3.3, 2.85, 2.25), F32) + sky[:, None] * np.array((0.36, 0.46, 0.66), F32)
    shaded, seen = np.zeros((len(hit), 3), F32), hit.reshape(-1, sw)
    shaded[hit] = colour * light
    out[part], cover[part] = shaded.reshape(-1, sw, 3), seen
    return out, cover


def lake():
    """A lake under snowy mountains on a clear morning: firs along the shore, a boat by a jetty, ripples."""
    w, h, over = 768, 512, 2
    sw, sh = w * over, h * over
    focal, horizon, eye = 0.95 * sw, int(0.56 * sh), 2.3
    rng = np.random.default_rng(4)

    # ground, sampled along the sight lines: every column of the picture is one fan of points to the back
    margin = sw // 2  # beyond the frame, for shadows that fall into it
    cols = np.arange(-margin, sw + margin, 2, dtype=F32)
    depth = np.exp(np.linspace(np.log(430), np.log(11_000), 1700)).astype(F32)
    z = np.repeat(depth[:, None], len(cols), 1)
    x = (cols[None, :] - sw / 2) / focal * z
    ground = _land(x, z)

    def normals(height):
        tz = np.gradient(height, axis=0), np.gradient(x, axis=0), np.gradient(z, axis=0)
        dx = np.gradient(x, axis=1)
        gx = np.gradient(height, axis=1) / dx
        gz = (tz[0] - gx * tz[1]) / tz[2]
        return gx, gz

    gx, gz = normals(ground)
    slope = np.hypot(gx, gz)
    trees, own = _forest(x, z, ground, slope)
    top = ground + trees
    canopy = trees > 1.5

    # what the sun reaches: follow the light back up over the same fan of points
    lit = np.ones(top.shape, F32)
    inv = len(depth) / np.log(depth[-1] / depth[0])
    for step in np.geomspace(5, 3800, 56):
        sx, sz = x + SUN[0] * step, z + SUN[2] * step
        row, col = np.log(np.maximum(sz, 1) / depth[0]) * inv, (sx / sz * focal + sw / 2 + margin) / 2
        over_it = sample(top, col, row) - (top + SUN[1] * step)
        lit = np.minimum(
            lit,
            np.where((row > 0) & (col > 0) & (col < len(cols) - 1), smooth(0.02 * step + 2, -2, over_it), 1),
        )

    # ground colours: grass, rock in strata, scree, snow where it can lie
    tx, tz = normals(top)
    n = 1 / np.sqrt(tx**2 + tz**2 + 1)
    lambert = np.clip((-tx * SUN[0] + SUN[1] - tz * SUN[2]) * n, 0, 1)
    rough = fbm(x / 60, z / 60, 5, 31)
    rock = ramp(
        np.stack([lin("#4c4a4c"), lin("#77706a"), lin("#a0958a")]),
        0.5 + 0.55 * rough + 0.16 * np.sin(ground / 24 + 5 * rough),
    )
    grass = ramp(np.stack([lin("#39481f"), lin("#66702f"), lin("#8d8442")]), 0.5 + 0.8 * fbm(x / 90, z / 90, 4, 33))
    colour = mix(grass, rock, smooth(0.45, 0.85, slope + 0.35 * rough + ground / 1500)[..., None])
    snow = smooth(-0.12, 0.14, (ground - 640) / 800 - 0.42 * (slope - 0.72) + 0.30 * rough)
    colour = mix(colour, np.array((0.88, 0.90, 0.94), F32), snow[..., None])
    fir = ramp(np.stack([lin("#1a2616"), lin("#2f3f20"), lin("#4f5a2c")]), own * 0.8 + 0.25 * rough)
    autumn = (own * 97 % 1 > 0.97 - 0.25 * smooth(0.1, 0.5, fbm(x / 120, z / 120, 3, 36))) & (ground < 90)
    fir = np.where(autumn[..., None], lin("#8f6a22"), fir)
    colour = np.where(canopy[..., None], fir, colour)
    beach = smooth(2.2, 0.8, ground) * (trees < 1) * 0.8
    colour = mix(colour, lin("#b0a590"), beach[..., None])
    sunlight, skylight = np.array((3.3, 2.85, 2.25), F32), np.array((0.34, 0.46, 0.70), F32)
    dim = np.where(canopy, 0.35 + 0.65 * np.clip(trees / 18, 0, 1), 1)
    shaded = colour * (
        (lambert * lit * dim)[..., None] * sunlight + (0.55 + 0.45 * n * dim)[..., None] * skylight * dim[..., None]
    )
    air = 1 - np.exp(-(z - 600) / 15_000 - 0.0 * ground)
    mist = 0.50 * np.exp(-ground / 90) * smooth(1100, 2600, z) * (0.6 + 0.7 * fbm(x / 500, z / 900, 3, 35))
    veil = np.clip(air + mist, 0, 1)[..., None]
    shaded = mix(shaded, np.array((0.50, 0.64, 0.86), F32), veil).astype(F32)

    def view(height, up):
        """See the ground from `height`; rows run upwards from the horizon. Gives colour and coverage."""
        tilt = (top - height) / z
        best = np.maximum.accumulate(tilt, 0)
        rows = (np.arange(up, dtype=F32) + 0.5) / focal
        seen, cover = np.zeros((up, sw, 3), F32), np.zeros((up, sw), F32)
        for c in range(sw):
            k = (c + margin) / 2
            a = int(k)
            first = np.searchsorted(best[:, a], rows)
            ok = first < len(depth)
            j = np.minimum(first, len(depth) - 1)
            before = tilt[np.maximum(j - 1, 0), a]
            f = np.clip((rows - before) / np.maximum(tilt[j, a] - before, 1e-9), 0, 1)[:, None]
            seen[:, c] = mix(shaded[np.maximum(j - 1, 0), a], shaded[j, a], np.where((j > 0)[:, None], f, 1))
            cover[:, c] = ok
        return seen, cover

    def heaven(rise, across):
        """Sky at slopes up and across: clear blue above, paler below, with sheets and heaps of cloud."""
        tall = np.clip(rise * 1.9, 0, 1)
        sky = ramp(
            np.stack(
                [
                    np.array(c, F32)
                    for c in ((0.80, 0.80, 0.78), (0.50, 0.66, 0.88), (0.20, 0.38, 0.72), (0.10, 0.23, 0.56))
                ]
            ),
            tall**0.8,
        )
        sky = (
            sky
            + np.array((0.55, 0.40, 0.22), F32) * (np.exp(-((across + 0.75) ** 2) * 3) * np.exp(-rise * 3))[..., None]
        )
        far = 1 / (rise + 0.10)
        px, pz = across * far, far
        wisp = fbm(px * 0.55 + 0.4 * fbm(px, pz, 3, 50), pz * 1.3, 6, 51)
        thin = smooth(0.02, 0.55, wisp) * smooth(0.02, 0.2, rise) * 0.75
        sky = mix(sky, np.array((1.08, 1.04, 0.98), F32), thin[..., None])

        # heaps: thick where noise stands above a rising threshold; the side to the sun is bright
        def puff(u, v):
            big = fbm(u * 2.3, v * 3.4, 3, 62)
            fine = fbm(u * 9 + big, v * 11, 5, 65, 0.55)
            return big * 1.35 + 0.42 * fine + 0.10 - np.abs(v - 0.235) * 3.3

        thick = puff(across, rise)
        toward = puff(across - 0.030, rise + 0.022)
        cover = smooth(0.0, 0.17, thick)
        light = np.clip(0.62 + 1.5 * (thick - toward) - 0.16 * thick, 0, 1)
        cloud = mix(np.array((0.50, 0.55, 0.66), F32), np.array((1.75, 1.58, 1.36), F32), light[..., None])
        return mix(sky, cloud, cover[..., None])

    up, down = horizon, sh - horizon
    yy, xx = grid(up, sw)
    seen, cover = view(eye, up)
    rise = yy / focal
    above = mix(heaven(rise, (xx - sw / 2) / focal), seen, cover[..., None])
    # mirror world, taller than the water for rays that ripples throw up
    seen, cover = view(-eye, down + 160)
    yy, xx = grid(down + 160, sw)
    under = mix(heaven(yy / focal, (xx - sw / 2) / focal), seen, cover[..., None])

    near, there = _foreground(eye, focal, down, sw, 1)
    mirrored, twin = _foreground(eye, focal, down, sw, -1)
    under[:down][twin] = mirrored[twin]

    # water: ripples tilt the mirror; looked at steeply it shows the bed instead
    yy, xx = grid(down, sw)
    dist = eye * focal / yy
    wx, wz = (xx - sw / 2) / focal * dist, dist
    breeze = smooth(-0.1, 0.45, fbm(wx / 90, wz / 160, 3, 70)) * smooth(60, 260, dist) * 0.8 + 0.25
    water = np.zeros((down, sw, 3), F32)
    taps = 4
    for _ in range(taps):
        jx, jz = (
            wx + rng.uniform(-0.5, 0.5, wx.shape) * dist / focal,
            wz + rng.uniform(-0.5, 0.5, wx.shape) * dist**2 / (eye * focal),
        )
        sx, sz = np.zeros_like(wx), np.zeros_like(wx)
        for k, (length, steep) in enumerate(((9.0, 0.016), (3.7, 0.014), (1.5, 0.013), (0.6, 0.011))):
            fade = steep * smooth(2.2, 0.5, dist / focal / length * 2)
            sz += fade * perlin(jx / length * 0.55, jz / length, 71 + k)
            sx += fade * 0.6 * perlin(jx / length * 0.55 + 50, jz / length, 81 + k)
        sz = sz * breeze * 2 + 0.008 * breeze * rng.normal(0, 1, wx.shape)
        water += sample(under, xx + 2 * focal * sx * 0.35, np.abs(yy + 2 * focal * sz)) / taps
    steep = yy / np.hypot(yy, focal)
    fresnel = np.clip(0.05 + 0.95 * (1 - steep) ** 4.2, 0, 1)[..., None]
    bed_d, bed_n = cells(wx / 0.7 + 0.4 * perlin(wx * 2, wz * 2, 92), wz / 0.7, 90)
    stones = ramp(
        np.stack([lin("#1f2c26"), lin("#4a5442"), lin("#6f7058")]),
        np.clip(bed_n * smooth(0.62, 0.25, bed_d) + 0.1, 0, 1),
    )
    bed = mix(stones * 0.5, np.array((0.022, 0.085, 0.105), F32), smooth(6, 13, dist)[..., None])
    water = water * 0.93 * fresnel + bed * (1 - fresnel)

    water[there] = near[there]
    img = np.concatenate([above[::-1], water])
    img = film(img, 0.62)
    img = resize(img, (h, w), Image.Resampling.LANCZOS)
    return grade(img, 0.25, 1.12, 0.22, 0.008, 5)


# ---------------------------------------------------------------- a harbour at dusk

WALLS = (
    "#c8553a",
    "#e6b24a",
    "#5f8fa8",
    "#ece0c4",
    "#8c3b3a",
    "#7fa27a",
    "#d98a5a",
    "#e9cf86",
    "#4f6d8c",
    "#c9a18c",
    "#b8483a",
)


def _facades(rng, scale=46):
    """A row of old houses as one flat picture (rows run upwards from the quay), its coverage and its lamps."""
    length, high = 78 * scale, 19 * scale
    yy, xx = grid(high, length)
    yy, xx = yy / scale, xx / scale
    base = np.zeros((high, length, 3), F32)
    cover, glow = np.zeros((high, length), F32), np.zeros((high, length, 3), F32)
    plaster = fbm(xx * 0.8, yy * 0.5, 5, 40)
    fine = fbm(xx * 9, yy * 9, 3, 41)
    streaks = fbm(xx * 5, yy * 0.35, 4, 42)
    sheets = xx, yy, base, cover, glow, plaster, fine, streaks
    whole = base, cover, glow
    left, k = 0.0, 0
    while left < 76:
        wide, floors = rng.uniform(5.0, 8.0), int(rng.integers(3, 5))
        wide = min(wide, 78 - left)
        strip = np.s_[:, int(left * scale) : int((left + wide) * scale) + 1]  # views: only this house is touched
        xx, yy, base, cover, glow, plaster, fine, streaks = (sheet[strip] for sheet in sheets)
        top = 3.4 + 2.75 * (floors - 1) + rng.uniform(0.2, 0.8)
        u, v = xx - left, yy
        mid = np.abs(u - wide / 2)
        inside = (u >= 0) & (u < wide)
        kind = (k * 7 + 2) % 4
        if kind == 0:  # steps
            outline = top + 3.6 * (1 - np.floor(mid / wide * 2 * 5) / 5)
        elif kind == 1:  # plain gable
            outline = top + (wide / 2 - mid) * 1.1
        elif kind == 2:  # roof seen from its long side
            outline = top + 2.6 + 0 * u
        else:  # bell gable
            outline = top + 3.4 * smooth(0.98, 0.25, mid / wide * 2) + 0.5 * (mid < wide * 0.12)
        shape = inside & (v < outline)
        wall = lin(WALLS[k % len(WALLS)])
        if k % 5 == 4:  # brick
            course = np.floor(v / 0.085)
            joint = (v / 0.085 % 1 < 0.16) | (((u / 0.24 + 0.5 * (course % 2)) % 1) < 0.07)
            tone = 0.8 + 0.35 * perlin(np.floor(u / 0.24 + 0.5 * (course % 2)) * 3.7, course * 1.9, 43)
            skin = mix(wall * tone[..., None], lin("#b8a894"), 0.55 * joint[..., None])
        else:
            skin = wall * (1 + 0.20 * plaster + 0.10 * fine)[..., None]
            peel = smooth(0.34, 0.42, plaster + 0.25 * fine) * smooth(5, 0.5, v)
            skin = mix(skin, lin("#a08a74"), 0.6 * peel[..., None])
        skin = skin * (1 - 0.30 * np.clip(streaks, 0, 1) * smooth(0, 6, v))[..., None]
        tiled = inside & (v > top) & (kind == 2)
        tile = 0.75 + 0.25 * np.abs(np.sin(u * 11)) + 0.20 * np.sin(v * 24)
        skin = np.where(tiled[..., None], lin("#7c3a28") * tile[..., None], skin)
        base[shape] = skin[shape]
        cover[shape] = 1
        # the neighbour's corner casts a narrow shade; courses of stone stand out and throw one below
        base[inside] *= (1 - 0.45 * smooth(0.5, 0.0, u[inside]))[:, None]
        for level in (3.2, top):
            stone = inside & (np.abs(v - level) < 0.13) & (v < outline)
            base[stone] = lin("#d8cdb8") * (1 + 0.2 * fine[stone])[:, None]
            base[inside & (v < level - 0.13) & (v > level - 0.42)] *= 0.55
        edge = inside & (v > outline - 0.20) & (v < outline) & (kind != 2)
        base[edge] = lin("#e4dac6")
        # windows
        count = max(2, int(wide / 1.75))
        rows = [4.0 + 2.75 * f for f in range(floors - 1)] + ([top + 0.9] if kind != 2 else [])
        for r, bottom in enumerate(rows):
            attic = r == len(rows) - 1 and kind != 2
            for i in range(1 if attic else count):
                c = wide / 2 if attic else wide * (i + 0.5) / count
                hw, hh = (0.42, 1.1) if attic else (0.48, 1.62)
                a, b = u - c, v - bottom
                near = (np.abs(a) < hw + 0.62) & (b > -0.35) & (b < hh + 0.3)
                part = np.ix_(np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0)))
                if not near.any():
                    continue
                a, b, px = a[part], b[part], base[part]
                f = np.abs(a)
                lit = rng.random() < 0.42
                px[(f < hw + 0.13) & (b > -0.1) & (b < hh + 0.13)] = lin("#efe8d8") * 0.92
                px[(f < hw + 0.2) & (b > -0.2) & (b < -0.08)] = lin("#c9bda6")
                px[(f < hw + 0.2) & (b > -0.34) & (b < -0.2)] *= 0.5
                if not attic and k % 3 != 1:
                    shutter = (f > hw + 0.14) & (f < hw + 0.55) & (b > -0.05) & (b < hh + 0.05)
                    slat = 0.7 + 0.3 * np.sin(b * 52)
                    px[shutter] = (lin(("#2f5a4a", "#34507a", "#6a2f2c")[k % 3]) * slat[..., None])[shutter]
                pane = (f < hw) & (b > 0) & (b < hh)
                if lit:
                    curtain = smooth(0.5, 1, f / hw) * 0.6 + 0.12 * np.sin(a * 40)
                    lamp = (
                        np.array((2.6, 1.35, 0.42), F32)
                        * (0.55 + 0.9 * smooth(hh, 0, np.hypot(a, b - hh * 0.6)) - 0.5 * curtain)[..., None]
                    )
                    px[pane] = lamp[pane]
                    gl = glow[part]
                    gl[pane] = lamp[pane]
                    glow[part] = gl
                else:
                    sheen = ramp(
                        np.stack([lin("#1a222c"), lin("#2c3a4c"), lin("#8a9cb0")]),
                        b / hh * 0.8 + 0.25 * perlin(a * 3 + c, b * 3, 44),
                    )
                    px[pane] = sheen[pane]
                bars = pane & ((f < 0.035) | (np.abs(b - hh * 0.66) < 0.03) | (np.abs(b - hh * 0.33) < 0.02))
                px[bars] = lin("#e9e2d2") * 0.8
                px[pane & (b > hh - 0.14)] *= 0.45
                px[pane & (a < -hw + 0.1)] *= 0.5
                base[part] = px
        # ground floor: a door and a shop window with an awning
        door = wide * (0.24 if k % 2 else 0.76)
        a, shop = np.abs(u - door), np.abs(u - (wide - door) * 1.0)
        base[(a < 0.68) & (v < 2.55)] = lin("#d9ceb8") * 0.9
        panel = (a < 0.52) & (v < 2.4)
        base[panel] = (
            lin(("#1f4a3a", "#6a1f24", "#23365c", "#4a3420")[k % 4]) * (0.8 + 0.3 * ((v[panel] % 0.8) > 0.12))[:, None]
        )
        fan = (a < 0.5) & (v > 1.95) & (v < 2.36)
        base[fan] = glow[fan] = np.array((2.2, 1.2, 0.42), F32)
        ww = wide * 0.24
        base[inside & (shop < ww + 0.12) & (v > 0.5) & (v < 2.5)] = lin("#2b2420")
        pane = inside & (shop < ww) & (v > 0.62) & (v < 2.38)
        goods = 0.55 + 0.7 * np.clip(fbm(xx * 3.2, yy * 3.2, 3, 45), -0.6, 1) * smooth(1.7, 0.8, v)
        base[pane] = glow[pane] = (np.array((2.7, 1.6, 0.62), F32) * goods[..., None])[pane]
        base[pane & (np.abs(shop - ww / 2) < 0.03)] = lin("#2b2420")
        awning = inside & (shop < ww + 0.3) & (v > 2.35 - 0.08 * np.abs(np.sin(u * 7))) & (v < 3.05)
        stripe = np.where(
            (np.sin(u * 11) > 0)[..., None], lin("#efe6d0"), lin(("#b03a2e", "#2f5f8a", "#3f7a55")[k % 3])
        )
        base[awning] = (stripe * (0.62 + 0.5 * smooth(2.3, 3.05, v))[..., None])[awning]
        # chimney
        chimney = (np.abs(u - wide * 0.8) < 0.42) & (v >= outline) & (v < top + 4.3) & inside & (kind in (1, 2))
        base[chimney] = lin("#6a3a2c") * (0.8 + 0.25 * np.sin(v[chimney] * 40))[:, None]
        cover[chimney] = 1
        left, k = left + wide, k + 1
    return *whole, scale


def _boats(canvas, boats, focal, light, row):
    """Draw each boat (hull, cabin, mast, rolled sail) into `canvas`; `row(y, z)` is where a height appears."""
    rows, sw = canvas.shape[:2]
    for bx, bz, size, hue in boats:

        def flat(pts, left, right, bx=bx, bz=bz, size=size):
            """One polygon, shaded from left to right."""
            line = [((bx + a * size * 0.93), b * size, bz + a * size * 0.38) for a, b in pts]
            line = [(x / z * focal + sw / 2, row(y, z)) for x, y, z in line]
            x0, x1 = int(max(0, min(p[0] for p in line) - 2)), int(min(sw, max(p[0] for p in line) + 3))
            y0, y1 = int(max(0, min(p[1] for p in line) - 2)), int(min(rows, max(p[1] for p in line) + 3))
            if x1 <= x0 or y1 <= y0:
                return
            mask = polygon(y1 - y0, x1 - x0, [(x - x0, y - y0) for x, y in line], over=3)
            tone = mix(left, right, np.linspace(0, 1, x1 - x0, dtype=F32)[None, :, None] ** 1.5)
            canvas[y0:y1, x0:x1] = mix(canvas[y0:y1, x0:x1], tone * light * 0.85, mask[..., None])

        paint = lin(hue)
        t = np.linspace(-2.55, 2.9, 24)
        sheer = 0.55 + 0.045 * (t + 0.6) ** 2 * np.where(t > -0.6, 1, 0.6)
        top = list(zip(t, sheer, strict=True))
        flat([*top, (2.2, 0.0), (-2.3, 0.0)], paint, paint * 0.42)
        flat([*top, *[(a, b - 0.09) for a, b in top[::-1]]], lin("#f3ead6"), lin("#a89878"))
        flat([(-2.3, 0.0), (-2.34, 0.13), (2.3, 0.13), (2.2, 0.0)], lin("#3a2a26"), lin("#1a1416"))
        flat([(-1.5, 0.56), (-1.4, 1.02), (0.25, 1.06), (0.5, 0.58)], lin("#efe6d2"), lin("#8a7c68"))
        flat([(-1.5, 1.0), (-1.48, 1.08), (0.34, 1.13), (0.32, 1.04)], lin("#a86a3a"), lin("#6a4020"))
        for a in (-1.1, -0.6, -0.1):
            pane = [(a - 0.14, 0.70), (a - 0.14, 0.90), (a + 0.14, 0.91), (a + 0.14, 0.71)]
            flat(pane, np.array((2.4, 1.3, 0.5), F32), np.array((2.0, 1.0, 0.35), F32))
        flat([(0.66, 0.6), (0.69, 6.2), (0.75, 6.2), (0.78, 0.6)], lin("#d8aa72"), lin("#4a2e1a"))
        sail = [
            (0.70, 1.50),
            (-0.8, 1.40),
            (-2.2, 1.36),
            (-2.3, 1.50),
            (-1.6, 1.64),
            (-0.6, 1.76),
            (0.70, 1.88),
        ]
        flat(sail, lin("#efe2c6"), lin("#a8866a"))
        for a, b in ((2.85, 0.95), (-2.5, 0.62)):
            flat([(0.71, 6.15), (0.73, 6.15), (a + 0.012, b), (a, b)], lin("#2a2420"), lin("#2a2420"))


def harbour():
    """Old houses along a quay at dusk, windows lit, boats and lamps mirrored in the basin."""
    w, h, over = 768, 512, 2
    sw, sh = w * over, h * over
    rng = np.random.default_rng(12)
    base, cover, glow, scale = _facades(rng)
    focal, horizon, eye = 0.92 * sw, int(0.60 * sh), 3.2
    # the row of houses runs from near right to far left; s metres along it, the quay a metre above the water
    along_, quay = unit(-0.62, 0.80), 1.1
    start = np.array((9.5, 13.0), F32) - 11 * along_
    low_sun = np.array((2.0, 1.32, 0.86), F32) * 0.72
    dusk = np.array((0.34, 0.42, 0.66), F32) * 1.05
    # the last sun comes over the roofs behind us: their stepped shadow climbs the houses
    ty, tx = grid(*cover.shape)
    ty, tx = ty / scale, tx / scale
    roofs = (
        4.6
        + 0.10 * tx
        + 1.5 * perlin(np.floor(tx / 5.3 + 0.12 * ty) * 3.7, 0 * tx + 2, 58)
        - 0.55 * np.abs((tx / 5.3 + 0.12 * ty) % 1 - 0.5)
    )
    high_light = smooth(-0.35, 0.35, ty - roofs)[..., None]
    light = low_sun * 0.30 + dusk * 1.1
    lamps = blur(glow, 24) * 1.3 * np.array((1, 0.75, 0.5), F32)  # what the windows throw on the walls about them
    lit = base * (dusk * 1.05 + low_sun * 1.15 * high_light + lamps) * (glow == 0) + glow * np.array(
        (0.62, 0.50, 0.42), F32
    )

    def heaven(rise, across):
        sky = ramp(
            np.stack(
                [
                    np.array(c, F32)
                    for c in (
                        (1.75, 0.92, 0.42),
                        (1.35, 0.86, 0.60),
                        (0.62, 0.62, 0.78),
                        (0.22, 0.33, 0.62),
                        (0.10, 0.18, 0.44),
                    )
                ]
            ),
            np.clip(rise * 1.55, 0, 1),
        )
        far = 1 / (rise + 0.16)
        cloud = fbm(across * far * 0.7 + 0.5 * fbm(across * far, far * 2, 3, 46), far * 1.5, 6, 47)
        body = smooth(0.0, 0.45, cloud)
        under_ = mix(
            np.array((1.9, 0.82, 0.42), F32),
            np.array((0.46, 0.40, 0.56), F32),
            smooth(0.05, 0.5, cloud + 0.3 * rise)[..., None],
        )
        sun = np.exp(-((across + 0.52) ** 2) * 7 - rise * 4)
        return mix(sky, under_, 0.72 * body[..., None]) + sun[..., None] * np.array((0.9, 0.42, 0.12), F32)

    def look(side, rows):
        """The town from the eye (1) or its mirror image (-1), rows upwards from the horizon."""
        yy, xx = grid(rows, sw)
        across, rise = (xx - sw / 2) / focal, yy / focal
        return world(across, rise, side), across, rise

    def world(across, rise, side):
        out = heaven(np.maximum(rise, 0.004), across)
        # solve the ray against the upright plane of the houses
        den = across * along_[1] - along_[0]
        depth = (start[0] * along_[1] - start[1] * along_[0]) / np.where(np.abs(den) < 1e-4, 1e-4, den)
        s = np.where(abs(along_[1]) > 0, (depth - start[1]) / along_[1], 0)
        y = side * eye + rise * depth - quay
        ok = (depth > 1) & (s > 0) & (s < 77.5)
        ty, tx = y * scale, s * scale
        inside = ok & (y > 0) & (y < 18.9)
        c = sample(cover, tx - 0.5, ty - 0.5) * inside
        col = sample(lit, tx - 0.5, ty - 0.5)
        haze = (1 - np.exp(-depth / 160))[..., None]
        out = mix(out, mix(col, np.array((0.95, 0.62, 0.48), F32), np.clip(haze, 0, 1) * 0.8), c[..., None])
        # quay wall of big stones, dark and weedy at the water; it stands 3 m before the houses
        off = 3.2
        q0 = start + off * np.array((-along_[1], along_[0]))
        depth2 = (q0[0] * along_[1] - q0[1] * along_[0]) / np.where(np.abs(den) < 1e-4, 1e-4, den)
        s2, y2 = (depth2 - q0[1]) / along_[1], side * eye + rise * depth2
        s2, y2 = np.clip(s2, -50, 150), np.clip(y2, -5, 5)
        course = np.floor(y2 / 0.38)
        joint = (y2 / 0.38 % 1 < 0.09) | ((s2 / 0.95 + 0.5 * (course % 2)) % 1 < 0.04)
        stone = ramp(
            np.stack([lin("#4a4038"), lin("#8a7a68"), lin("#b09c80")]),
            0.5
            + 0.5 * fbm(s2 * 2, y2 * 4, 4, 48)
            + 0.2 * perlin(np.floor(s2 / 0.95 + 0.5 * (course % 2)) * 5.1, course * 3.3, 49),
        )
        stone = stone * (1 - 0.6 * joint)[..., None] * smooth(-0.05, 0.55, y2)[..., None].clip(0.22, 1)
        wallq = (depth2 > 1) & (s2 > -40) & (s2 < 95) & (y2 >= 0) & (y2 < quay)
        out[wallq] = (stone * light * 0.72)[wallq]
        # top of the quay: cobbles, only seen from above
        if side > 0:
            dz = np.where(rise < -1e-4, (quay - eye) / np.minimum(rise, -1e-4), 1e9)
            gx, gz = across * dz, dz
            n = (gx - start[0]) * -along_[1] + (gz - start[1]) * along_[0]
            t = (gx - start[0]) * along_[0] + (gz - start[1]) * along_[1]
            d, own = cells(np.clip(t, -20, 100) / 0.28, np.clip(n, -1, 5) / 0.28, 50)
            cob = (0.55 + 0.45 * own) * (0.35 + 0.65 * smooth(0.75, 0.35, d))
            flag = (n > 0) & (n < off) & (t > -40) & (t < 95) & (dz < 200)
            warm = smooth(2.6, 0, n)[..., None] * np.array((0.9, 0.5, 0.18), F32)
            out[flag] = (lin("#8a7c6c") * cob[..., None] * (light * 0.8 + warm))[flag]
        return out

    up = horizon
    above, _, _ = look(1, up)
    down = sh - horizon
    yy, xx = grid(down, sw)
    across, fall = (xx - sw / 2) / focal, yy / focal
    direct = world(across, -fall, 1)
    # water wherever the ray meets it before the quay
    under, _, _ = look(-1, down + 260)
    dist = eye / fall
    wx, wz = across * dist, dist
    qx, qz = start + 3.2 * np.array((-along_[1], along_[0]))
    basin = ((wx - qx) * -along_[1] + (wz - qz) * along_[0]) > 0

    boats = ((-11.0, 36.0, 1.2, "#e6dcc6"), (-6.4, 22.0, 1.1, "#2f4f6f"), (-1.6, 13.5, 0.95, "#a8322a"))
    _boats(under, boats, focal, light, lambda y, z: (y + eye) / z * focal)
    breeze = 0.55 + 0.5 * smooth(-0.2, 0.4, fbm(wx / 6, wz / 14, 3, 52))
    water = np.zeros((down, sw, 3), F32)
    for _tap in range(4):
        jx, jz = (
            wx + rng.uniform(-0.5, 0.5, wx.shape) * dist / focal,
            wz + rng.uniform(-0.5, 0.5, wx.shape) * dist**2 / (eye * focal),
        )
        sx, sz = np.zeros_like(wx), np.zeros_like(wx)
        for k, (length, steep) in enumerate(((3.1, 0.022), (1.2, 0.022), (0.5, 0.020), (0.22, 0.014))):
            fade = steep * smooth(2.4, 0.5, dist / focal / length * 3)
            sz += fade * perlin(jx / length * 0.6, jz / length, 53 + k)
            sx += fade * 0.5 * perlin(jx / length * 0.6 + 40, jz / length, 63 + k)
        sz = breeze * (sz + 0.006 * rng.normal(0, 1, wx.shape))
        water += sample(under, xx + 2 * focal * sx * 0.4, np.abs(yy + 2 * focal * sz)) / 4
    fresnel = (0.12 + 0.88 * (1 - fall / np.hypot(1, fall)) ** 3.2)[..., None]
    water = water * fresnel * 0.95 + np.array((0.018, 0.055, 0.075), F32) * (1 - fresnel)
    direct = np.where(basin[..., None], water, direct)
    img = np.concatenate([above[::-1], direct])
    _boats(img, boats, focal, light, lambda y, z: horizon - (y - eye) / z * focal)
    img = film(img, 0.56)
    halo = blur(np.clip(img - 0.80, 0, 1), 14)
    img = resize(img + 0.55 * halo * np.array((1, 0.8, 0.5), F32), (h, w), Image.Resampling.LANCZOS)
    return grade(img, 0.25, 1.08, 0.25, 0.010, 6)

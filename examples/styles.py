"""Pictures in a manner of their own, to take a style from."""

import numpy as np
from brush import (
    F32,
    Canvas,
    blur,
    cells,
    distance,
    fbm,
    grade,
    grid,
    mix,
    palette,
    perlin,
    polygon,
    ramp,
    relief,
    rgb,
    sample,
    shrink,
    smooth,
)
from PIL import Image, ImageDraw

# ---------------------------------------------------------------- oil: a tree in the night wind


def along(psi):
    """Direction field that follows the contour lines of `psi`."""
    gy, gx = np.gradient(psi)
    return np.arctan2(-gx, gy).astype(F32)


def starts(mask, spacing, rng):
    """Jittered lattice of points within a mask, in random order."""
    h, w = mask.shape
    out = 72  # some begin beyond the edge, so that the canvas is covered to its border
    y, x = np.mgrid[-out : h + out : spacing, -out : w + out : spacing].astype(F32)
    pts = np.stack([x, y], -1).reshape(-1, 2) + rng.uniform(0, spacing, (x.size, 2)).astype(F32)
    pts = pts[mask[np.clip(pts[:, 1], 0, h - 1).astype(int), np.clip(pts[:, 0], 0, w - 1).astype(int)]]
    return pts[rng.permutation(len(pts))]


def swirls():
    """Thick strokes along a wind that curls round the moon and through a golden tree."""
    size, rng = 1280, np.random.default_rng(11)
    y, x = grid(size, size)
    x, y = x / size, y / size
    canvas = Canvas(np.full((size, size, 3), rgb("#2a2038")))

    def lay(mask, guide, field, spacing, length, width, vary=0.05, **more):
        """One coat: strokes all over the mask, coloured by the guide."""
        pts = starts(mask, spacing, rng)
        n = len(pts)
        colour = sample(guide, pts[:, 0], pts[:, 1]) * (1 + vary * rng.normal(0, 1, (n, 1)))
        colour = colour + vary * 0.5 * rng.normal(0, 1, (n, 3))
        canvas.strokes(
            pts,
            length * rng.uniform(0.6, 1.3, n),
            width * rng.uniform(0.7, 1.25, n),
            colour.astype(F32),
            lambda px, py: field[np.clip(py, 0, size - 1).astype(int), np.clip(px, 0, size - 1).astype(int)],
            rng,
            **more,
        )

    # the sky is a stream: each eddy is a bump on its stream function, and colours follow the same lines
    moon = (0.27, 0.24)
    psi = 1.1 * y + 0.16 * np.sin(4.2 * x + 0.6) + 0.07 * fbm(x * 2.2, y * 2.2, 3, 5)
    eddies = (
        (*moon, 0.17, 0.42),
        (0.56, 0.13, 0.10, -0.20),
        (0.07, 0.50, 0.10, -0.22),
        (0.50, 0.44, 0.09, 0.17),
        (0.86, 0.06, 0.10, 0.18),
    )
    for ex, ey, r, a in eddies:
        psi = psi + a * np.exp(-np.hypot(x - ex, y - ey) / r)
    band = 0.5 + 0.5 * np.sin(psi * 46 + 2.5 * perlin(x * 5, y * 5, 8))
    band = np.clip(0.75 * band + 0.35 * (0.5 + fbm(x * 7, y * 7, 3, 9)) - 0.05, 0, 1)
    sky = ramp(palette("#0d1440", "#182a6e", "#2450a0", "#3f83bd", "#9cc4c4"), band * (0.72 + 0.28 * y))
    glow = np.exp(-np.hypot(x - moon[0], y - moon[1]) / 0.13)
    warm = ramp(
        palette("#3c78a8", "#a9b78a", "#edc653", "#fff0a8"),
        np.clip(glow * 1.5 - 0.1 + 0.25 * (band - 0.5), 0, 1),
    )
    sky = mix(sky, warm, smooth(0.2, 0.62, glow + 0.12 * (band - 0.5))[..., None])
    field = along(psi)
    everywhere = np.ones((size, size), bool)
    lay(everywhere, sky, field, 24, 130, 30, body=0.8)
    lay(everywhere, sky, field, 17, 105, 17)
    lay(band > 0.55, sky * 1.1 + 0.02, field, 19, 80, 11, body=1.4)
    disc = np.hypot(x - moon[0], y - moon[1])
    ring = np.arctan2(y - moon[1], x - moon[0]).astype(F32) + np.pi / 2
    face = ramp(palette("#fff6c8", "#ffe27a", "#f0ac30"), disc / 0.075)
    lay(disc < 0.066, face, ring, 10, 46, 13, body=1.8)
    for sx, sy, r in (
        (0.60, 0.30, 0.014),
        (0.44, 0.06, 0.012),
        (0.08, 0.07, 0.013),
        (0.70, 0.04, 0.009),
        (0.10, 0.66, 0.010),
        (0.93, 0.30, 0.011),
        (0.40, 0.56, 0.009),
    ):
        d = np.hypot(x - sx, y - sy)
        turn = np.arctan2(y - sy, x - sx).astype(F32) + np.pi / 2
        star = ramp(palette("#fff4c0", "#f2cf5a", "#7fb0b4"), d / (2.6 * r))
        lay(d < 2.4 * r, star, turn, 11, 26, 9, body=1.5)

    # hills: furrows run over each one, lit from the side of the moon
    hills = (
        (0.70, 0.030, 5.0, 0.4, ("#16305c", "#245a80", "#4a93a0")),
        (0.77, 0.045, 4.0, 2.2, ("#123a4a", "#1f6a62", "#73a86a")),
        (0.86, 0.055, 3.2, 4.4, ("#1c2c44", "#7a6a26", "#dcae3e")),
    )
    for base, amp, freq, phase, tones in hills:
        crest = base + amp * np.sin(freq * x + phase) + 0.008 * perlin(x * 9, base * 30 + 0 * x, 4)
        depth = y - crest
        # furrows fan out from a far point on the crest
        fan = np.arctan2(depth + 0.10, (x - 0.62) * 0.55)
        furrow = 0.5 + 0.5 * np.sin(fan * 44 + 3 * perlin(x * 6, y * 6, 2))
        side = smooth(0.9, 0.0, x + 0.4 * (0.5 + fbm(x * 4, y * 4, 3, 3)))
        tone = np.clip(0.15 + 0.5 * furrow * (0.4 + 0.6 * side) + 0.45 * np.exp(-depth / 0.03) * side, 0, 1)
        guide = ramp(palette(*tones), tone)
        lie = along(fan + 0.15 * depth)
        lay(depth > 0, guide, lie, 17, 75, 17)
        lay(depth > 0.004, guide, lie, 15, 60, 10, body=1.2)
        lay((depth > 0) & (depth < 0.014), guide * 1.1, along(depth), 10, 60, 9, body=1.3)

    # a house with a lamp lit, small against the tree
    hx, hy = 0.235, 0.735
    wall = (abs(x - hx) < 0.040) & (abs(y - hy) < 0.024)
    roof = (y < hy - 0.020) & (y > hy - 0.066 + 0.75 * abs(x - hx)) & (abs(x - hx) < 0.054)
    flat, steep = np.zeros_like(x), np.where(x < hx, -0.75, 0.75).astype(F32)
    lay(
        wall,
        mix(rgb("#c9b98e"), rgb("#5a5470"), smooth(-0.04, 0.04, x - hx)[..., None]),
        flat + 1.57,
        7,
        15,
        8,
    )
    lay(roof, mix(rgb("#a8502c"), rgb("#50263a"), smooth(-0.03, 0.03, x - hx)[..., None]), steep, 8, 30, 8)
    for wx in (-0.02, 0.018):
        lay(
            (abs(x - hx - wx) < 0.008) & (abs(y - hy - 0.001) < 0.011),
            0 * sky + rgb("#ffd24a"),
            flat + 1.57,
            6,
            14,
            7,
        )

    # trunk and boughs: strokes run along each limb
    limbs = Image.new("F", (size, size), -9.0)
    draw = ImageDraw.Draw(limbs)
    trunk = [(0.735, 0.97), (0.715, 0.86), (0.725, 0.76), (0.70, 0.66), (0.715, 0.55), (0.70, 0.42)]
    boughs = [
        (trunk, 0.062),
        ([(0.71, 0.70), (0.64, 0.62), (0.585, 0.56), (0.555, 0.50)], 0.030),
        ([(0.71, 0.66), (0.79, 0.58), (0.83, 0.50), (0.88, 0.46)], 0.032),
        ([(0.71, 0.58), (0.66, 0.48), (0.62, 0.38)], 0.026),
        ([(0.71, 0.56), (0.78, 0.44), (0.79, 0.34)], 0.024),
        ([(0.735, 0.90), (0.69, 0.955), (0.63, 0.985)], 0.034),
        ([(0.735, 0.90), (0.79, 0.955), (0.85, 0.98)], 0.034),
    ]
    for line, thick in boughs:
        t = np.linspace(0, len(line) - 1, 60)
        px, py = (np.interp(t, range(len(line)), [p[k] for p in line]) for k in (0, 1))
        k = np.exp(-0.5 * (np.arange(-8, 9) / 4) ** 2)
        px, py = (np.convolve(np.pad(p, 8, mode="edge"), k / k.sum(), "valid") for p in (px, py))
        for i in range(59):
            a = float(np.arctan2(py[i + 1] - py[i], px[i + 1] - px[i]))
            r = size * thick * (1.25 - 0.8 * i / 59) / 2
            draw.line([px[i] * size, py[i] * size, px[i + 1] * size, py[i + 1] * size], fill=a, width=int(2 * r))
            draw.ellipse([px[i] * size - r, py[i] * size - r, px[i] * size + r, py[i] * size + r], fill=a)
    limb = np.array(limbs)
    wood = limb > -8
    # strokes that leave a limb keep its direction
    near = blur(wood.astype(F32), 5)
    limb = np.where(wood, limb, blur(np.where(wood, limb, 0), 5) / np.maximum(near, 1e-4))
    limb = np.where(near > 1e-3, limb, -np.pi / 2).astype(F32)
    soft = blur(wood.astype(F32), 9)
    rim = np.clip(-np.gradient(soft)[1] * -28, -1, 1)  # bright on the moon's side, dark on the other
    bark = ramp(
        palette("#1b1230", "#4a2436", "#8a4a2c", "#e0a24a"),
        0.36 + 0.55 * rim + 0.12 * perlin(x * 30, y * 30, 6),
    )
    lay(wood, bark, limb, 13, 60, 13)
    lay(wood, bark, limb, 11, 44, 7, body=1.3)

    # the crown: curls of leaves, those behind first
    crown = (
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
    for i, (cx, cy, r) in enumerate(crown):
        d, a = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)
        spin = 1 if i % 2 else -1
        edge = r * (1 + 0.10 * np.sin(5 * a + i) + 0.16 * perlin(x * 14, y * 14, 20 + i))
        spiral = 0.5 + 0.5 * np.sin(d / r * 13 - spin * a * 2 + i)
        light = -((x - cx) * 0.75 + (y - cy) * 0.65) / r
        tone = np.clip(0.42 + 0.33 * light + 0.34 * (spiral - 0.5) + 0.1 * perlin(x * 20, y * 20, 7), 0, 1)
        leaf = ramp(palette("#3a1430", "#7e2a22", "#c8601c", "#eda522", "#ffe07a"), tone)
        turn = (a + spin * (np.pi / 2 - 0.28)).astype(F32)
        lay(d < edge, leaf, turn, 17, 46, 17, body=1.1)
        lay(d < edge * 1.04, leaf, turn, 13, 40, 11, body=1.4)
        lay((d < edge) & (tone > 0.62), leaf * 1.08, turn, 19, 30, 8, body=1.9)
        # single leaves stand out from the rim, so that it is a crown and not a ball
        tuft = (d > edge * 0.80) & (d < edge * 1.16)
        lay(
            tuft,
            leaf * 1.05,
            (turn + 0.9 * perlin(x * 40, y * 40, 50 + i)).astype(F32),
            15,
            21,
            9,
            vary=0.10,
            body=1.7,
        )
    # leaves carried off by the wind
    blown = rng.random((size, size)) < 0
    drift = rng.uniform(0, 1, (70, 2)) * (0.55, 0.55) + (0.02, 0.08)
    for lx, ly in drift:
        if lx > 0.3 + 0.25 * rng.random():
            blown |= (abs(x - lx) < 0.007) & (abs(y - ly) < 0.007)
    gold = ramp(palette("#d9771e", "#f7c33c"), rng.random((size, size)).astype(F32))
    lay(blown, gold, field, 15, 22, 9, vary=0.12, body=1.8)

    out = shrink(canvas.lit(0.5, 0.30), 2)
    return grade(out, 0.25, 1.08)


# ---------------------------------------------------------------- stained glass: sun over a lake


def stained_glass():
    """Leaded panes: a sun in petals and rays over hills and water, lilies and a border."""
    size, rng = 1280, np.random.default_rng(5)
    y, x = grid(size, size)
    x, y = x / size, y / size
    label = np.zeros((size, size), np.int64)
    colour = np.zeros((size, size, 3), F32)

    def put(mask, panes, tones, spread=0.10):
        """Cut a part into panes (an integer map) and give each a piece of glass."""
        keys = np.unique(panes[mask])
        pick = {}
        for key in keys:
            tone = tones[rng.integers(len(tones))] if isinstance(tones, np.ndarray) else tones(int(key))
            pick[key] = np.clip(tone * (1 + spread * rng.normal()) + 0.02 * rng.normal(0, 1, 3), 0.02, 1)
        table = np.stack([pick[k] for k in keys]).astype(F32)
        where = np.searchsorted(keys, panes[mask])
        colour[mask] = table[where]
        label[mask] = label.max() + 1 + where

    cx, cy = 0.5, 0.40
    d, a = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)
    tau = 2 * np.pi
    # rays: 24 wedges cut by wavy rings, from pale gold through rose to deep blue
    sector = np.floor((a / tau + 0.5) * 24 + 0.5).astype(int) % 24
    radii = np.array([0.215, 0.30, 0.40, 0.52, 0.66])
    ring = np.searchsorted(radii, d + 0.014 * np.where(sector % 2 == 0, 1, -1) + 0.01 * np.sin(3 * a))
    ray = (
        palette("#ffd76a", "#fbb83c"),
        palette("#f58a2c", "#ffc24a"),
        palette("#e2563a", "#f2a03c"),
        palette("#b8345a", "#3c8fd0"),
        palette("#5a3a9c", "#2c6cc4"),
        palette("#2a3a94", "#2456b0"),
    )
    put(d > 0, ring * 100 + sector, lambda k: ray[k // 100][k % 2])
    # sun: two rounds of petals about a disc
    for n, r0, r1, turn, tones in (
        (12, 0.10, 0.205, 0.5, palette("#ff9a26", "#f27a1c")),
        (12, 0.06, 0.150, 0.0, palette("#ffd23e", "#ffc02e")),
    ):
        t = (a / tau + 0.5) * n + turn
        off = np.abs(t % 1 - 0.5) * 2  # 0 along the middle of a petal, 1 at its sides
        put(d < r0 + (r1 - r0) * np.sqrt(np.clip(1 - off**2.2, 0, 1)), np.floor(t).astype(int) % n, tones)
    put(d < 0.068, np.floor((a / tau + 0.5) * 6).astype(int) + 1, palette("#fff0a0", "#ffe37a"))
    put(d < 0.030, np.zeros_like(label), palette("#fffbe0"))

    # mountains, cut by lines that follow their slopes
    def ridge(points):
        px, py = zip(*points, strict=True)
        return np.interp(x, px, py)

    far = ridge(
        [
            (0, 0.56),
            (0.14, 0.45),
            (0.24, 0.535),
            (0.33, 0.49),
            (0.44, 0.60),
            (0.56, 0.60),
            (0.68, 0.48),
            (0.76, 0.54),
            (0.88, 0.43),
            (1, 0.55),
        ]
    )
    put(
        (y > far) & (y < far + 0.055),
        np.floor(x * 11 + 0.6 * np.sin(y * 30)).astype(int),
        palette("#e8f0f4", "#cfe0f0", "#f6e6dc"),
    )
    put(
        y > far + 0.055,
        np.floor(x * 9 - y * 5).astype(int) * 50 + np.floor(y * 9).astype(int),
        palette("#6a6fc0", "#5a86c8", "#7a5cae", "#4a74b4"),
    )
    near = 0.615 - 0.075 * np.cos((x - 0.5) * 7.2) ** 2 * np.sign(np.abs(x - 0.5) - 0.21).clip(0) + 0.02 * np.sin(x * 9)
    fold = np.floor(x * 10 + 1.3 * np.sin(y * 9)).astype(int)
    put(
        y > near,
        fold * 50 + np.floor((y - near) * 12 + 0.3 * (fold % 2)).astype(int),
        palette("#2f8f4e", "#57a83c", "#1f7a5c", "#86b838"),
    )
    # the lake mirrors the sun: wavy bands, warm in the middle
    shore = 0.655 + 0.012 * np.cos((x - 0.5) * 9)
    wave = y + 0.010 * np.sin(x * 16 + y * 40)
    row = np.floor(np.sqrt(np.clip(wave - 0.63, 0, 1)) * 15).astype(int)
    col = np.floor(x * 6.0 + 0.5 * (row % 2) + 0.25 * np.sin(y * 20)).astype(int)
    path = np.abs(x - 0.5) < 0.055 + 0.05 * (y - 0.65) + 0.022 * np.sin(row * 2.4)
    put(y > shore, row * 50 + col, palette("#1c7fb4", "#2aa0b8", "#1a5fa4", "#48b8b4", "#2470b8"))
    put((y > shore) & path, row, palette("#ffc83c", "#ffdf7a", "#fba63a"))

    # lilies left and right: leaves, then stems, then flowers of pointed petals
    def leaf(x0, y0, angle, length, wide, tones, halves=True):
        u = (x - x0) * np.cos(angle) + (y - y0) * np.sin(angle)
        v = -(x - x0) * np.sin(angle) + (y - y0) * np.cos(angle)
        t = u / length
        v = v - 0.18 * length * t * t * np.sign(np.cos(angle))
        shape = wide * np.sqrt(np.clip(t, 0, 1)) * np.clip(1 - t, 0, 1) * 1.9
        put(
            (t > 0) & (t < 1) & (np.abs(v) < shape),
            (v > 0).astype(int) + 2 * (t > 0.55) if halves else 0 * label,
            tones,
        )

    greens = palette("#3f9a3a", "#7cb83a", "#2c7a40")
    for side in (-1, 1):
        root = 0.5 + side * 0.33

        def up(angle, side=side):
            return -np.pi / 2 + side * angle

        for angle, length in ((0.55, 0.27), (-0.62, 0.25), (0.18, 0.34), (-0.2, 0.30)):
            leaf(root, 0.95, up(angle), length, 0.042, greens)
        for fx, fy, size_ in (
            (root + side * 0.015, 0.60, 0.135),
            (root - side * 0.105, 0.745, 0.105),
            (root + side * 0.085, 0.775, 0.10),
        ):
            bend = root + (fx - root) * np.clip((0.95 - y) / (0.95 - fy), 0, 1) ** 0.7
            put((np.abs(x - bend) < 0.0075) & (y > fy) & (y < 0.95), 0 * label, greens[2:])
            for angle in (1.25, -1.25, 0.72, -0.72, 0.0, 0.36, -0.36):
                tones = palette("#f6f0f0", "#f4c6d8") if abs(angle) > 0.5 else palette("#e8487e", "#f27aa4", "#d8326a")
                leaf(
                    fx,
                    fy + 0.02,
                    -np.pi / 2 + angle,
                    size_ * (1 if abs(angle) < 1 else 0.8),
                    size_ * 0.27,
                    tones,
                    False,
                )
    # border
    m = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y))
    run = np.where(np.minimum(x, 1 - x) < np.minimum(y, 1 - y), y, x)
    cut = np.floor(run * 16).astype(int)
    corner = (np.minimum(x, 1 - x) < 0.0625) & (np.minimum(y, 1 - y) < 0.0625)
    which = np.where(np.minimum(x, 1 - x) < np.minimum(y, 1 - y), 1 + (x > 0.5), 3 + (y > 0.5))
    put((m < 0.0625) & ~corner, which * 100 + cut, lambda k: palette("#9c1c34", "#1f3f9a")[k % 2])
    put(
        (m < 0.0625) & ~corner & (m > 0.018) & (m < 0.044) & (np.abs(run * 16 % 1 - 0.5) < 0.22),
        which * 100 + cut,
        palette("#f2b63a"),
    )
    put(corner, which * 0 + (x > 0.5) * 2 + (y > 0.5), palette("#2c8a5a"))

    # leads: wherever two panes meet
    seam = np.zeros((size, size), bool)
    seam[:, 1:] |= label[:, 1:] != label[:, :-1]
    seam[1:] |= label[1:] != label[:-1]
    gap = distance(seam, 28)
    wide = 4.6 + 1.2 * perlin(x * 30, y * 30, 3)
    lead = smooth(wide + 1.0, wide - 1.0, gap)
    # glass: light comes through unevenly (seeds, streaks), and less near the lead where grime sits
    hue = (label * 2654435761 % 997 / 997.0).astype(F32)
    turn = hue * 6.3
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    streak = fbm(u * 9 + hue * 50, v * 46, 4, 6)
    wavy = fbm(x * 7 + hue * 9, y * 7, 4, 12)
    through = 0.98 + 0.34 * streak + 0.45 * wavy
    through *= 0.62 + 0.38 * smooth(3, 24, gap)
    through *= 0.86 + 0.5 * np.exp(-d / 0.26)
    seeds, _ = cells(x * 70, y * 70, 4)
    through += 0.22 * smooth(0.09, 0.05, seeds) * (hue > 0.7) - 0.05 * smooth(0.06, 0.10, seeds) * smooth(
        0.15, 0.10, seeds
    )
    bump = 10 * streak + 16 * wavy
    _, shine = relief(bump, (-0.5, -0.8, 0.7), 0.35)
    light = np.clip(through, 0.12, None)[..., None]
    glass = colour ** (1.25 / np.clip(light, 0.6, 1.6)) * light
    glass = glass + 0.16 * (shine**30)[..., None]
    metal_h = np.sqrt(np.clip(1 - (gap / wide.clip(2)) ** 2, 0, 1)) * wide
    shade, gloss = relief(metal_h + 0.5 * fbm(x * 120, y * 120, 2, 3), (-0.5, -0.8, 0.8), 0.8)
    metal = rgb("#24242a") * np.clip(shade, 0.2, 1.6)[..., None] + 0.30 * (gloss**18)[..., None]
    out = mix(glass, metal, lead[..., None])
    # brightness spills over the leads
    spill = blur(np.clip(glass * (1 - lead)[..., None], 0, 1) ** 2, 12)
    out = np.clip(out, 0, 1.3) + 0.30 * spill
    return grade(shrink(out, 2), 0.25, 1.12, 0.12)


# ---------------------------------------------------------------- woodcut: a sea


def spline(points, n=160):
    """Smooth (Catmull-Rom) curve through points (x, y)."""
    p = np.asarray(points, F32)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(p) - 3 - 1e-4, n)
    i, f = t.astype(int), (t % 1)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def gouge(shape, lines, over=1):
    """Coverage of cut lines: each a curve (n, 2) with its width (n,) in pixels."""
    img = Image.new("L", (shape[1] * over, shape[0] * over))
    draw = ImageDraw.Draw(img)
    for pts, width in lines:
        d = np.gradient(pts, axis=0)
        normal = np.stack([-d[:, 1], d[:, 0]], 1) / np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-6)[:, None]
        half = normal * (width / 2)[:, None]
        ring = np.concatenate([pts + half, (pts - half)[::-1]]) * over
        draw.polygon([tuple(map(float, q)) for q in ring], fill=255)
    return np.asarray(img, F32) / 255


def woodcut():
    """A rolling sea with a sail and a low sun, printed from three blocks: key, blue and red."""
    size, rng = 1280, np.random.default_rng(3)
    yy, xx = grid(size, size)
    # a knife does not run true: every shape is read through a slight tremor
    x = (xx + 3.0 * perlin(xx / 40, yy / 40, 1) + 1.2 * perlin(xx / 9, yy / 9, 2)) / size
    y = (yy + 3.0 * perlin(xx / 40, yy / 40, 3) + 1.2 * perlin(xx / 9, yy / 9, 4)) / size
    unsteady = perlin(xx / 60, yy / 26, 5)
    key, blue, red = (np.zeros((size, size), F32) for _ in range(3))

    def hatch(phase, tone, seed):
        """Ink where a line of the given share of the spacing runs; it swells and breaks like a cut one."""
        tone = tone + 0.10 * np.roll(unsteady, (seed * 97, seed * 59), (0, 1))
        return (np.abs(phase % 1 - 0.5) * 2 < tone) & (tone > 0.12)

    def clear(mask):
        for block in (key, blue, red):
            block[mask] = 0

    # sky: rays cut about the sun, closing up towards the top
    sx, sy, sr = 0.655, 0.375, 0.125
    d, a = np.hypot(x - sx, y - sy), np.arctan2(y - sy, x - sx)
    rays = a / (2 * np.pi) * 150
    blue[hatch(rays, 0.12 + 0.95 * smooth(0.22, 0.95, d), 5)] = 1
    key[hatch(rays + 0.5, 0.62 * smooth(0.50, 1.0, d) - 0.08, 6)] = 1
    red[(d < sr) & ~hatch(y * 46, 0.75 * smooth(sy + 0.02, sy + sr, y), 7)] = 1
    clear((d > sr) & (d < sr + 0.016))
    red[hatch(rays, 0.50 * smooth(0.34, 0.16, d), 8) & (d > sr + 0.016)] = 1

    # clouds: stacked rounds, each with lines that follow its edge
    for cx, cy, r, wide in ((0.20, 0.135, 0.050, 3.2), (0.90, 0.20, 0.040, 2.8), (0.50, 0.075, 0.028, 3.2)):
        top = np.full_like(x, 9)
        for k in np.linspace(-1, 1, 9):
            bump = r * (1.15 - 0.75 * abs(k)) * (0.8 + 0.4 * rng.random())
            top = np.minimum(top, np.hypot(x - cx - k * r * wide, (y - cy) * 1.05) - bump)
        top = np.maximum(top, y - cy - 0.012 * np.sin(x * 60) - 0.010)
        clear(top < 0.004)
        key[(np.abs(top) < 0.0022) & (y < cy + 0.02)] = 1
        low = smooth(cy - 0.6 * r, cy + 0.02, y)
        blue[(top < -0.006) & hatch(top * 95, 0.75 * low - 0.1, 9)] = 1
        key[(top < -0.006) & hatch(top * 95, 0.62 * low - 0.28, 9)] = 1

    # a headland with a lighthouse
    land = 0.545 - 0.085 * smooth(0.80, 1.0, x) - 0.03 * smooth(0.86, 0.90, x) - 0.012 * perlin(x * 26, 0 * x + 3, 11)
    girth = 0.0125 + 0.035 * (y - 0.40) - np.abs(x - 0.925)
    tower = (girth > 0) & (y > 0.335) & (y < 0.46)
    lamp = (np.abs(x - 0.925) < 0.012) & (y > 0.315) & (y < 0.336)
    cap = (y < 0.316) & (y > 0.296 + 1.3 * np.abs(x - 0.925))
    clear(((y > land) & (x > 0.76)) | (np.abs(x - 0.925) < 0.022) & (y > 0.29) & (y < 0.46))
    red[tower & (y * 22 % 1 < 0.5)] = 1
    key[tower & ((x > 0.931) | (girth < 0.0022))] = 1
    key[cap | (lamp & (np.abs(x - 0.925) > 0.004)) | ((np.abs(y - 0.338) < 0.003) & (np.abs(x - 0.925) < 0.017))] = 1
    ground = (y > land) & (x > 0.76)
    key[ground & ((y < land + 0.006) | hatch((x * 0.9 + y * 0.6) * 70, 0.45 + 0.5 * smooth(0.8, 1.0, x), 13))] = 1
    blue[ground] = 1

    # sea, back to front: trochoid rows; foam on the crests, shade on the side away from the sun
    def sharp(t):
        """One wave, crest at 0: steep peaked tops and wide troughs."""
        u = np.abs((t + 0.5) % 1 - 0.5) * 2
        return (1 - u) ** 2.2

    rows = (
        (0.560, 0.010, 15, 0.1),
        (0.588, 0.018, 10, 0.55),
        (0.630, 0.030, 6.6, 0.2),
        (0.690, 0.046, 4.4, 0.72),
    )
    front = ((0.800, 0.055, 3.1, 0.10), (0.905, 0.060, 2.3, 0.62))

    def swell(base, amp, freq, phase, seed):
        lean = x + 0.35 * amp * np.sin((y - base) * 8)
        t = lean * freq + phase + 0.20 * perlin(lean * freq * 0.6, 0 * x + seed, 30 + seed)
        mass = amp * (0.75 + 0.35 * perlin(lean * freq * 0.5, 0 * x + 9, 40 + seed))
        crest = base + amp * 0.5 - mass * sharp(t) * 1.25
        depth = (y - crest) / amp
        body = depth > 0
        clear(depth > -0.035)
        slope = -np.cos((t - 0.12) * 2 * np.pi)  # lit towards the sun, dark in its lee
        tone = np.clip(0.52 + 0.30 * slope + 0.22 * depth, 0.1, 0.98)
        run = (y - crest * 0.82) / (amp**0.55 * 0.052) + 0.25 * np.sin(lean * freq * 6.3)
        foam_low = 0.20 + 0.12 * np.abs(np.sin(lean * freq * 19 + seed)) + 0.10 * perlin(lean * freq * 9, 0 * x, seed)
        high = sharp(t)
        foam = depth < foam_low * smooth(0.10, 0.75, high) * 1.6
        solid = body & ~foam
        blue[solid & ~hatch(run + 0.5, 0.50 - 0.34 * depth - 0.25 * slope, 50 + seed)] = 1
        key[solid & hatch(run, tone * 0.80 - 0.05, 60 + seed)] = 1
        rim = (np.abs(depth) < 0.020 / (amp * 28)) | (
            np.abs(depth - foam_low * smooth(0.10, 0.75, high) * 1.6) < 0.016 / (amp * 28)
        ) & (high > 0.12)
        key[rim & (depth > -0.06)] = 1
        fleck = cells(lean * 42 / amp**0.3, y * 60 / amp**0.3, seed)[0]
        key[foam & body & (fleck < 0.13)] = 1
        return crest

    for i, row in enumerate(rows):
        swell(*row, i)
        if i == 1:  # the boat rides behind the third row
            bx, by = 0.475, 0.592
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
            halo = polygon(size, size, *(np.array(p) * size for p in (main, jib, hull))) > 0.5
            clear(distance(halo, 6) < 5)
            sail = polygon(size, size, np.array(main) * size, np.array(jib) * size) > 0.5
            red[sail] = 1
            edge = sail & (distance(~sail, 5) < 3.2)
            key[edge | (sail & hatch((x * 0.35 + y) * 60, 0.60 * smooth(bx - 0.01, bx + 0.06, x) + 0.10, 14))] = 1
            wood = polygon(size, size, np.array(hull) * size) > 0.5
            key[wood & ~hatch(y * 85, 0.30, 15)] = 1
            key[(np.abs(x - bx + 0.004) < 0.0028) & (y > by - 0.172) & (y < by - 0.01)] = 1

    # the great wave on the left: lines run from its foot over its back and meet at the lip
    s = size
    back = spline([(-0.06, 0.36), (0.02, 0.305), (0.11, 0.262), (0.21, 0.262), (0.295, 0.315), (0.335, 0.395)])
    face = spline(
        [
            (0.62, 0.86),
            (0.42, 0.80),
            (0.265, 0.715),
            (0.185, 0.60),
            (0.185, 0.485),
            (0.245, 0.405),
            (0.335, 0.395),
        ]
    )
    foot = spline([(-0.06, 0.98), (-0.06, 0.80), (-0.06, 0.60), (-0.06, 0.36)])
    outline = np.concatenate([back, face[::-1], [(0.62, 1.02), (-0.06, 1.02)]])
    tremor = (
        np.stack(
            [
                perlin(outline[:, 0] * 30, outline[:, 1] * 30, 5),
                perlin(outline[:, 0] * 30, outline[:, 1] * 30, 6),
            ],
            1,
        )
        * 0.002
    )
    wave = polygon(s, s, (outline + tremor) * s) > 0.5
    clear(distance(wave, 8) < 7)
    blue[wave] = 1
    # curves between the foot-and-back and the face, evenly shared
    spine = np.concatenate([foot[:-1:2], back])
    spine = spine[np.linspace(0, len(spine) - 1, 160).astype(int)]
    cuts, inks = [], []
    for k in np.linspace(0.0, 1.0, 30):
        bend = mix(spine, face, k**0.9)
        t = np.linspace(0, 1, 160)
        taper = smooth(0.0, 0.10, t) * smooth(1.0, 0.80, t)
        swellw = 1 + 0.35 * perlin(t * 6 + k * 30, t * 0 + 2, 8)
        dark = 0.25 + 0.75 * k  # the hollow is in shade
        inks.append((bend * s, (3 + 17 * dark * (1 - 0.6 * t)) * taper * swellw * (0.35 + 0.65 * (1 - t) ** 0.5)))
        cuts.append((mix(spine, face, min(1, k + 0.016)) * s, (7.5 * (1 - 0.8 * k) * (1 - 0.45 * t)) * taper * swellw))
    inked, cut = gouge((s, s), inks), gouge((s, s), cuts)
    key[wave & (inked > 0.5)] = 1
    white = wave & (cut > 0.5) & (inked < 0.5)
    blue[white] = 0
    edge_in = wave & (distance(~wave, 6) < 4.5)
    key[edge_in] = 1
    # foam: rounds heaped along the back and spilling from the lip
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
    clear(foam < 0.003)
    key[np.abs(foam) < 0.0026] = 1
    inner = (foam < -0.006) & hatch(
        (x * 0.5 + y + 0.01 * np.sin(x * 90)) * 85, 0.50 * smooth(0.33, 0.46, y + 0.25 * (x - 0.2)), 16
    )
    blue[inner] = 1
    for _ in range(34):  # spray
        fx, fy, r = 0.37 + abs(rng.normal(0, 0.05)), 0.40 + rng.normal(0, 0.06), rng.uniform(0.0014, 0.0045)
        drop = np.hypot(x - fx, y - fy)
        if fy < 0.55:
            clear(drop < r + 0.002)
            key[np.abs(drop - r) < 0.0014] = 1

    for i, row in enumerate(front):
        swell(*row, i + 6)

    # gulls
    for gx, gy, r in ((0.43, 0.235, 0.030), (0.50, 0.275, 0.020), (0.385, 0.185, 0.018)):
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
            pen = gouge((s, s), [(wing * s, (r * 300) * np.sin(np.linspace(0.5, np.pi - 0.02, 40)))])
            clear(distance(pen > 0.5, 4) < 3)
            key[pen > 0.5] = 1

    # printing: ink sits unevenly on the grain of the plank and of the paper; blocks are a little out of register
    plank = fbm(xx / 260, yy / 7 + 3 * perlin(xx / 400, yy / 200, 9), 4, 20)
    tooth = fbm(xx / 5, yy / 5, 3, 21)
    paper = rgb("#f1e4c8") * (1 + 0.025 * tooth + 0.02 * fbm(xx / 300, yy / 300, 3, 22))[..., None]
    out = paper
    bare = np.minimum(np.minimum(xx, size - xx), np.minimum(yy, size - yy)) < 34 + 2 * perlin(xx / 30, yy / 30, 23)
    for block, ink, (ox, oy), load in (
        (red, "#d2452c", (3, -2), 0.90),
        (blue, "#3f8296", (-3, 2), 0.86),
        (key, "#14243c", (0, 0), 0.96),
    ):
        block = np.where(bare, 0, np.roll(block, (oy, ox), (0, 1)))
        block = blur(block, 0.9)
        cover = smooth(0.35, 0.65, block) * np.clip(load + 0.20 * plank + 0.22 * np.minimum(tooth, 0.05), 0, 1)
        out = out * mix(np.ones(3, F32), rgb(ink) / (1.0 if ink == "#14243c" else 0.97), cover[..., None])
    return grade(shrink(out, 2), 0.05, 1.05)


# ---------------------------------------------------------------- watercolour: poppies


class Paper:
    """Rough paper and the transparent washes on it: each pigment takes away its share of the light."""

    def __init__(self, size, seed):
        self.y, self.x = grid(size, size)
        self.size = size
        self.tooth = 0.6 * fbm(self.x / 11, self.y / 11, 4, seed) + 0.5 * fbm(self.x / 4, self.y / 4, 2, seed + 9)
        self.pools = fbm(self.x / 130, self.y / 130, 4, seed + 50)
        self.drift = [fbm(self.x / 50, self.y / 50, 4, seed + k) for k in (60, 70)]
        self.density = np.zeros((size, size, 3), F32)
        self.seed = seed

    def wash(self, cover, pigment, strength=1.0, rim=0.5, reach=5.0, grain=0.35, flow=0.4, tilt=None):
        """Lay a wash where `cover` (0 to 1); pigment drifts to the edge, pools, and settles in the tooth."""
        self.seed += 31
        rows, cols = np.nonzero(cover.max(1) > 0.004)[0], np.nonzero(cover.max(0) > 0.004)[0]
        if not len(rows):
            return
        pad = int(3 * reach) + 2
        part = np.s_[max(0, rows[0] - pad) : rows[-1] + pad, max(0, cols[0] - pad) : cols[-1] + pad]
        cover, pigment = cover[part], np.asarray(pigment, F32)
        edge = np.clip(cover - blur(cover, reach), 0, 1) * 1.7 + 0.8 * np.clip(cover - blur(cover, reach * 0.35), 0, 1)
        shift = self.seed * 37 % 900
        pool = np.exp(flow * 1.6 * np.roll(self.pools, (shift, shift // 2), (0, 1))[part])
        load = cover * (pool + rim * 1.9 * edge) * (1 if tilt is None else tilt[part])
        load = load * np.clip(1 - grain * 1.6 * self.tooth[part], 0.2, 2)
        absorb = -np.log(np.clip(pigment[part] if pigment.ndim == 3 else pigment, 0.02, 0.995))
        self.density[part] += strength * load[..., None] * absorb

    def dot(self, px, py, r, pigment, strength, rim=0.0):
        """A touch with the tip of the brush."""
        x0, y0, k = int(px), int(py), int(r) + 4
        if k < min(x0, y0) and max(x0, y0) < self.size - k:
            part = np.s_[y0 - k : y0 + k, x0 - k : x0 + k]
            d = np.hypot(self.x[part] - px, self.y[part] - py)
            load = smooth(r + 1, r - 1.2, d) * (1 + rim * smooth(r - 3, r, d)) * strength
            self.density[part] += load[..., None] * -np.log(np.asarray(pigment, F32))

    def bloom(self, cx, cy, r, amount=0.5):
        """A drop of clean water pushes the paint out to a feathered rim."""
        self.seed += 31
        k = int(2 * r)
        part = np.s_[max(0, int(cy) - k) : int(cy) + k, max(0, int(cx) - k) : int(cx) + k]
        x, y = self.x[part], self.y[part]
        d, a = np.hypot(x - cx, y - cy), np.arctan2(y - cy, x - cx)
        rag = 0.30 * fbm(np.cos(a) * 3 + d / 260, np.sin(a) * 3, 5, self.seed, 0.62) + 0.10 * fbm(
            x / 18, y / 18, 3, self.seed
        )
        q = d / r * (1 + rag)
        change = 1 - amount * smooth(1.0, 0.35, q) + amount * 0.75 * np.exp(-(((q - 1.02) / 0.075) ** 2)) * (q < 1.12)
        self.density[part] *= change[..., None]

    def soft(self, pts, wobble=6.0, bleed=1.2):
        """An outline drawn with a loaded brush: wandering and a little bled."""
        self.seed += 31
        pts = np.asarray(pts, F32)
        k = int(wobble + 4 * bleed) + 3
        (x0, y0), (x1, y1) = np.maximum(pts.min(0).astype(int) - k, 0), pts.max(0).astype(int) + k
        part = np.s_[y0:y1, x0:x1]
        y, x = self.y[part], self.x[part]
        mask = polygon(*y.shape, pts - (x0, y0), over=1)
        shift = self.seed * 53 % 800
        ox, oy = (np.roll(f, (shift, shift // 3), (0, 1))[part] for f in self.drift)
        mask = sample(mask, x - x0 - 0.5 + wobble * ox, y - y0 - 0.5 + wobble * oy)
        out = np.zeros((self.size, self.size), F32)
        out[part] = smooth(0.3, 0.7, blur(mask, bleed))
        return out

    def picture(self):
        """White paper in a raking light, seen through the paint."""
        shade, _ = relief(self.tooth, (-0.7, -0.7, 0.9), 0.22)
        white = rgb("#fbf7ee") * (0.2 + 0.8 * shade)[..., None]
        return white * np.exp(-self.density)


def watercolour():
    """Poppies, cornflowers and grasses, wet on rough paper."""
    size, rng = 1280, np.random.default_rng(21)
    paper = Paper(size, 40)
    x, y = paper.x, paper.y
    red, orange, crimson = rgb("#f2301f"), rgb("#ff8038"), rgb("#c4122e")
    leaf, moss, dark = rgb("#7fa448"), rgb("#4f7a34"), rgb("#2b2440")
    cobalt, violet = rgb("#3f62c8"), rgb("#6a4cb0")

    # wet in wet ground: colours run together and leave a white margin
    hold = smooth(0.1, 0.6, 1.35 - np.hypot((x - 640) / 560, (y - 610) / 560) + 0.55 * fbm(x / 230, y / 230, 5, 2))
    hold = hold * smooth(
        0, 120, np.minimum(np.minimum(x, size - x), np.minimum(y, size - y)) + 50 * fbm(x / 90, y / 90, 3, 4)
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

    fade = smooth(1225, 990, y + 70 * fbm(x / 60, y / 160, 3, 6))  # stalks dissolve in clean water at the foot

    def stem(points, width, pigment, strength=0.9):
        line = spline(points, 90)
        w = width * (0.7 + 0.5 * np.abs(perlin(np.linspace(0, 7, 90), np.zeros(90), int(width * 9 + points[0][0]))))
        cover = blur(gouge((size, size), [(line, w)]), 0.9)
        tilt = (0.75 + 0.5 * paper.drift[0]) * fade
        paper.wash(cover, pigment, strength, rim=0.5, reach=3, tilt=tilt)

    def blade(points, width, pigment, strength=0.8):
        line = spline(points, 70)
        t = np.linspace(0, 1, 70)
        cover = gouge((size, size), [(line, width * np.sin(np.pi * t**0.8) ** 0.8)])
        cover = smooth(0.25, 0.75, blur(cover, 1.1))
        tilt = (0.45 + 0.5 * smooth(points[-1][1], points[0][1], y) + 0.3 * paper.drift[1]) * fade
        paper.wash(cover, pigment, strength, rim=0.7, reach=4, tilt=tilt)

    # grasses and feathered leaves
    for k in range(26):
        x0 = 640 + np.clip(rng.normal(0, 150), -250, 250)
        lean = np.clip(rng.normal(0, 110), -170, 170) + 0.3 * (x0 - 640)
        tall = rng.uniform(250, 600)
        pts = [
            (x0, 1220 + rng.normal(0, 20)),
            (x0 + 0.25 * lean, 1220 - tall * 0.55),
            (x0 + lean, 1220 - tall),
        ]
        blade(
            pts,
            rng.uniform(7, 22),
            mix(leaf, moss, rng.random()) if k % 5 else rgb("#c9a84c"),
            rng.uniform(0.4, 0.95),
        )
    for x0, y0, x1, y1 in (
        (560, 1130, 300, 930),
        (690, 1120, 960, 950),
        (640, 1030, 480, 790),
        (740, 1010, 900, 800),
    ):
        mid = spline([(x0, y0), ((x0 + x1) / 2 + 20, (y0 + y1) / 2 + 30), (x1, y1)], 12)
        stem([tuple(p) for p in mid[::3]], 6, moss)
        for i in range(1, 11):
            for side in (-1, 1):
                d = mid[min(i + 1, 11)] - mid[i - 1]
                n = np.array([-d[1], d[0]]) / np.hypot(*d) * side
                u = d / np.hypot(*d)
                reach = 95 * np.sin(np.pi * (i / 11) ** 0.7) + 14
                tip = mid[i] + n * reach * 0.75 + u * reach * 0.8 + rng.normal(0, 7, 2)
                blade(
                    [tuple(mid[i]), tuple(mid[i] + n * reach * 0.30 + u * reach * 0.52), tuple(tip)],
                    15,
                    mix(leaf, moss, rng.random()),
                    0.8,
                )

    flowers = ((610, 395, 215, 0.0), (930, 560, 175, 0.45), (330, 610, 165, -0.5), (690, 760, 125, 0.2))
    for fx, fy, r, _ in flowers:
        stem(
            [(fx, fy + 0.3 * r), (fx - 0.2 * (fx - 640) + 20, fy + 330), (640 + 0.15 * (fx - 640), 1240)],
            11,
            moss,
        )
    for bx, by, ex in ((160, 330, 1), (1080, 270, -1)):
        stem(
            [
                (bx, by + 30),
                (bx - 6 * ex, by - 40),
                (bx + 60 * ex, by - 60),
                (bx + 140 * ex, by + 150),
                (640 - 110 * ex, 900),
                (640 - 20 * ex, 1240),
            ],
            8,
            moss,
        )
        t = np.linspace(0, 2 * np.pi, 60)
        bud = np.stack([bx + 27 * np.cos(t) * (1 + 0.15 * np.sin(t)), by + 66 + 46 * np.sin(t)], 1)
        paper.wash(paper.soft(bud, 5), leaf, 1.1, rim=0.8, tilt=0.6 + 0.8 * smooth(bx - 20, bx + 30, x))
        slit = np.stack([bx - 4 + 7 * np.cos(t), by + 80 + 32 * np.sin(t)], 1)
        paper.wash(paper.soft(slit, 4), red, 1.2, rim=0.5)

    # cornflowers
    for cx, cy, r in ((500, 690, 74), (845, 330, 64), (240, 850, 62), (1000, 870, 66), (420, 215, 56)):
        stem([(cx, cy + 20), (cx + 0.1 * (640 - cx), cy + 200), (640 + 0.25 * (cx - 640), 1240)], 6, moss, 0.7)
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
            paper.wash(
                cover,
                mix(cobalt, violet, 0.6 * rng.random()),
                rng.uniform(0.55, 0.9),
                rim=0.8,
                reach=4,
                grain=0.6,
            )
        for _ in range(16):
            p = np.array([cx, cy]) + rng.normal(0, 0.14 * r, 2)
            paper.dot(*p, rng.uniform(2, 6), rgb("#42206a"), 0.8)

    # poppies: petals behind, then in front; light comes through where only one lies
    for fx, fy, r, lean in flowers:
        # lift the damp ground first, or the reds go brown
        paper.density *= (
            1 - 0.85 * smooth(1.02, 0.80, np.hypot(x - fx, (y - fy) / 0.86) / r + 0.25 * paper.drift[0])[..., None]
        )
        for i, (mid, open_, long) in enumerate(
            (
                (-1.57, 1.15, 1.02),
                (-2.75, 0.95, 0.98),
                (-0.40, 0.95, 0.98),
                (1.45, 1.15, 0.80),
                (-1.75, 0.80, 0.66),
            )
        ):
            mid = mid + lean + rng.normal(0, 0.12)
            t = np.linspace(-1, 1, 70)
            ruffle = 1 + 0.06 * perlin(t * 4 + i * 9 + fx, t * 0, 3) + 0.035 * perlin(t * 13 + i * 5 + fx, t * 0, 4)
            radius = r * long * np.clip(1 - np.abs(t) ** 3.2, 0, 1) ** 0.55 * ruffle
            ang = mid + open_ * t
            pts = np.stack([fx + radius * np.cos(ang) * 1.05, fy + radius * np.sin(ang) * 0.86], 1)
            pts = np.concatenate([pts, [(fx, fy)]])
            cover = paper.soft(pts, 12, 1.3)
            d = np.hypot(x - fx, (y - fy) / 0.86) / r
            a = np.arctan2(y - fy, x - fx)
            vein = fbm(a * 9 + i, d * 1.4, 3, 70 + i)
            hue = ramp(
                np.stack([mix(crimson, red, 0.35), red, mix(red, orange, 0.55), orange]),
                d * 0.85 + 0.35 * fbm(x / 120, y / 120, 4, int(fx) + i),
            )
            tilt = np.clip(0.80 + 0.35 * vein - 0.35 * smooth(0.5, 0.9, d) + 0.25 * np.sin(a * 1 + 2.2), 0.2, 1.5)
            paper.wash(cover, hue, 0.85 if i < 4 else 0.55, rim=0.75, reach=7, grain=0.30, flow=0.55, tilt=tilt)
        for _ in range(2):
            a = rng.uniform(-2.6, -0.5)
            paper.bloom(fx + 0.55 * r * np.cos(a), fy + 0.5 * r * np.sin(a), r * rng.uniform(0.20, 0.32), 0.38)
        # dark heart that runs into the wet red, stamens about it
        d = np.hypot(x - fx, (y - fy) / 0.8) / r * (1 + 0.5 * fbm(x / 26, y / 26, 4, int(fx) + 3))
        paper.wash(smooth(0.34, 0.10, d), rgb("#4a1838"), 1.1, rim=0.3, grain=0.4)
        for _ in range(46):
            a, q = rng.uniform(0, 2 * np.pi), r * rng.uniform(0.17, 0.30)
            px, py = fx + q * np.cos(a), fy + q * np.sin(a) * 0.8
            paper.dot(px, py, rng.uniform(2, 4.5), dark, 1.6)
        t = np.linspace(0, 2 * np.pi, 50)
        pod = np.stack([fx + 0.105 * r * np.cos(t), fy + 0.09 * r * np.sin(t)], 1)
        paper.density *= 1 - 0.75 * paper.soft(pod, 3)[..., None]
        paper.wash(paper.soft(pod, 3), rgb("#a8b45c"), 1.0, rim=0.9, reach=4)

    # spatter from a tapped brush
    for _ in range(130):
        px, py = rng.normal(640, 330), rng.normal(620, 330)
        r = rng.gamma(1.4, 2.0) + 1
        pigment = (red, orange, leaf, cobalt, rgb("#d9b35a"))[rng.integers(5)]
        paper.dot(px, py, r, pigment, 0.35, 0.9)
    return grade(shrink(paper.picture(), 2), 0.06, 1.1)

"""A pointillist picture: sails off a sunny bank with poplars, in dots of pure colour."""

import numpy as np
from PIL import Image, ImageDraw

from .brush import F32, blur, grade, grid, mix, palette, ramp, relief, resize, rgb, sample, shrink, smooth
from .noise import fbm, perlin

SIZE = 1280  # px, twice the size of the picture
SHORE = 0.40  # y of the far shore

# Pigments as they come from the tube. A dot takes one of them; the eye mixes the dots.
PIGMENTS = (
    "#fff6dc", "#ffe36b", "#f7b733", "#f2762e", "#dc3f35", "#d8578f", "#f2a7a8", "#8a4fa3", "#5a48a8", "#2f4fae",
    "#3f7fd0", "#7fb4ea", "#bcd9f2", "#2f9aa3", "#2f8f63", "#6fb24a", "#b9cf4c", "#1f3f5f", "#274a36", "#6b3a3f",
    "#e8c79a", "#c9b8e0",
)  # fmt: skip

# Boats: x of the mast, y of the hull, height, and whether the sail leans to the left.
BOATS = (
    (0.30, 0.505, 0.225, False),
    (0.47, 0.455, 0.130, True),
    (0.155, 0.450, 0.105, False),
    (0.585, 0.428, 0.060, False),
)

# Trees: x, y of the foot, height, width.
POPLARS = ((0.935, 0.62, 0.66, 0.085), (0.805, 0.585, 0.545, 0.070), (0.715, 0.56, 0.40, 0.052))


def points():
    """Lay out the scene in smooth colours, then set it in dots: large ones first, small ones last."""
    half = SIZE // 2  # enough for dots
    y, x = grid(half, half)
    x, y = x / half, y / half
    scene = _sky(x, y)
    scene = _far_shore(scene, x, y)
    scene = _sea(scene, x, y)
    for boat in BOATS:
        scene = _boat(scene, x, y, boat)
    scene = _bank(scene, x, y)
    for tree in POPLARS:
        scene = _poplar(scene, x, y, tree)
    scene = _stroller(scene, x, y)
    return grade(_dotted(resize(scene, (SIZE, SIZE))), 0.10, 1.04)


def _over(scene, cover, colour):
    return mix(scene, np.broadcast_to(np.asarray(colour, F32), scene.shape), np.clip(cover, 0, 1)[..., None])


def _sky(x, y):
    sky = ramp(palette("#4f8ddc", "#6fa9e6", "#93c3ee", "#c3dcee", "#fbe3bc"), y / SHORE)
    cloud = smooth(0.02, 0.40, fbm(x * 3 + 1.3, y * 7, 4, 31) + 0.25 * np.exp(-(((y - 0.16) / 0.10) ** 2)))
    lit = ramp(palette("#c9b4dc", "#f7d3c4", "#fff4dc"), 0.5 + 0.9 * fbm(x * 4, (y + 0.02) * 9, 3, 8))
    return mix(sky, lit, (0.62 * cloud * smooth(0.36, 0.10, y))[..., None])


def _far_shore(scene, x, y):
    crest = SHORE - 0.035 - 0.030 * np.sin(x * 5 + 0.6) * smooth(0.9, 0.1, x) - 0.012 * perlin(x * 9, 0 * x, 4)
    tone = np.clip((y - crest) / 0.06 + 0.5 * fbm(x * 14, y * 30, 3, 7), 0, 1)
    hills = ramp(palette("#8f8fd0", "#9fb2c4", "#a9b98a"), tone)
    return _over(scene, smooth(crest, crest + 0.002, y) * (y < SHORE), hills)


def _sea(scene, x, y):
    depth = np.clip((y - SHORE) / 0.32, 0, 1)
    wave = 0.5 + 0.5 * np.sin(np.clip(y - SHORE, 0, 1) ** 0.75 * 190 + 3 * perlin(x * 7, y * 22, 5))
    water = ramp(palette("#bcd8ea", "#6fb0dc", "#3f86c8", "#2f67b0"), depth * 0.9 + 0.16 * (wave - 0.5))
    glitter = np.exp(-(((x - 0.56) / (0.07 + 0.12 * depth)) ** 2)) * (0.4 + 0.6 * wave)
    water = mix(water, rgb("#ffe7a8"), (0.75 * glitter * (1 - 0.4 * depth))[..., None])
    return _over(scene, smooth(SHORE, SHORE + 0.002, y), water)


def _boat(scene, x, y, boat):
    """Put a boat with two sails and their mirror image on the water."""
    mast, hull, tall, left = boat
    side = -1 if left else 1
    u, v = (x - mast) / tall * side, (hull - y) / tall  # v: 0 at the water, 1 at the top of the mast
    for flip in (True, False):
        w = -v * 1.15 if flip else v
        ripple = 0.05 * np.sin(y * 420) if flip else 0.0
        main = (u > 0.02) & (u + ripple < 0.50 * (1 - w) * (1 - 0.25 * w)) & (w > 0.10) & (w < 1)
        jib = (u < -0.02) & (-u - ripple < 0.30 * (0.86 - w)) & (w > 0.12) & (w < 0.86)
        body = (np.abs(u + ripple) < 0.40 + 0.5 * w) & (w > 0) & (w < 0.10)
        cloth = ramp(palette("#ffffff", "#fff6d8", "#ffcf86", "#f29a4a"), np.clip(2.0 * u, 0, 1))
        shade = ramp(palette("#a99ad8", "#6f66bc"), np.clip(-u * 3.5, 0, 1))
        strength = 0.55 if flip else 1.0
        if not flip:
            # As Seurat has it: what surrounds a light thing is darker and bluer.
            halo = blur((main | jib).astype(F32), 6)
            scene = _over(scene, 0.55 * halo, scene * rgb("#7f9ce0"))
        scene = _over(scene, strength * main, cloth)
        scene = _over(scene, strength * jib, shade)
        scene = _over(scene, strength * body, rgb("#8f3038") if left else rgb("#2b3a78"))
    pole = (np.abs(u) < 0.014) & (v > 0) & (v < 1.04)
    return _over(scene, pole, rgb("#6b3a3f"))


def _bank(scene, x, y):
    """Lay the meadow in sun and in the violet shade of the trees."""
    edge = 0.72 - 0.16 * smooth(0.25, 1.0, x) + 0.012 * perlin(x * 7, 0 * x, 12)
    depth = np.clip((y - edge) / (1 - edge), 0, 1)
    grass = ramp(palette("#f2e27a", "#c9d458", "#9cc24a", "#7fb24a"), depth + 0.25 * fbm(x * 9, y * 16, 3, 3))
    fall = y + 0.34 * x
    shade = smooth(0.03, -0.05, np.abs(fall - 1.055 - 0.02 * perlin(x * 14, y * 14, 6)) - 0.050)
    shade = np.maximum(shade, smooth(1.145, 1.19, fall + 0.025 * perlin(x * 10, y * 10, 2)))
    cool = ramp(palette("#3f7f6a", "#2f5f86", "#4a4f9a"), 0.5 + 0.9 * fbm(x * 11, y * 14, 3, 9))
    land = mix(grass, cool, (0.9 * shade)[..., None])
    path = np.abs(y - (0.80 - 0.13 * smooth(0.1, 1.0, x))) < 0.012 + 0.02 * (y - edge)
    land = _over(land, path * (1 - 0.6 * shade), rgb("#ffe0b4"))
    return _over(scene, smooth(edge, edge + 0.003, y), land)


def _poplar(scene, x, y, tree):
    """Put a tree of many tufts on the bank: warm light from the left, blue shade on the right."""
    tx, foot, tall, wide = tree
    v = (foot - y) / tall
    trunk = (np.abs(x - tx) < 0.006 + 0.004 * (1 - v)) & (v > -0.01) & (v < 0.3)
    scene = _over(scene, trunk, rgb("#7a4a5a"))
    half = wide * np.abs(np.sin(np.pi * np.clip((v - 0.10) / 0.90, 0, 1) ** 0.62)) ** 0.75
    ragged = half * (1 + 0.55 * fbm(x * 30, y * 22, 3, int(tx * 100)))
    crown = smooth(1.05, 0.95, np.abs(x - tx) / np.maximum(ragged, 1e-4)) * (v > 0.10)
    side = (x - tx) / np.maximum(half, 1e-3)
    tone = np.clip(0.5 + 0.42 * side + 0.8 * fbm(x * 26, y * 20, 3, 5), 0, 1)
    leaves = ramp(palette("#f4e36a", "#b4cb48", "#4f9e4f", "#247068", "#2d3f86"), tone)
    return _over(scene, crown, leaves)


def _stroller(scene, x, y):
    """Put a woman with a tilted parasol on the path."""
    u, v = (x - 0.37) / 0.32, (0.925 - y) / 0.32  # v: 0 at the ground, 1 above the head
    bustle = 0.055 * np.exp(-(((v - 0.47) / 0.10) ** 2))
    skirt = (
        (v > 0)
        & (v < 0.60)
        & (u > -0.065 - 0.20 * np.clip(0.60 - v, 0, 1))
        & (u < 0.065 + bustle + 0.20 * np.clip(0.60 - v, 0, 1) ** 0.9)
    )
    bodice = (v > 0.56) & (v < 0.82) & (np.abs(u + 0.015) < 0.065 + 0.22 * np.abs(v - 0.66))
    arm = (np.abs(v - 0.70 + 0.9 * (u + 0.13)) < 0.035) & (u < -0.02) & (u > -0.17)
    cloth = ramp(palette("#f2a7a8", "#d8578f", "#8a4fa3", "#3a2f8a"), np.clip(0.45 + 3.2 * u, 0, 1))
    scene = _over(scene, skirt | bodice | arm, cloth)
    scene = _over(scene, np.hypot(u + 0.02, v - 0.885) < 0.070, rgb("#f2b894"))
    hat = (np.hypot((u + 0.015) / 1.5, (v - 0.945) / 0.75) < 0.075) & (v > 0.922)
    scene = _over(scene, hat, rgb("#5a48a8"))
    # The parasol leans to the left: p runs along the stick, q across.
    p, q = (v - 0.78) * 0.90 - (u + 0.16) * 0.44, (u + 0.16) * 0.90 + (v - 0.78) * 0.44
    scene = _over(scene, (np.abs(q) < 0.011) & (p > -0.14) & (p < 0.42), rgb("#6b3a3f"))
    dome = (np.hypot(q, (p - 0.20) * 1.45) < 0.36) & (p > 0.20)
    return _over(scene, dome, ramp(palette("#fff6dc", "#ffe36b", "#f7b733", "#dc3f35"), np.clip(0.5 + q * 1.4, 0, 1)))


def _dotted(scene):
    """Set the scene in dots of pigment on a primed canvas, in a low light."""
    rng = np.random.default_rng(17)
    pigments = palette(*PIGMENTS)
    yy, xx = grid(SIZE, SIZE)
    ground = mix(np.broadcast_to(rgb("#efe3cd"), scene.shape), scene, 0.55)
    canvas = Image.fromarray((ground * 255).astype(np.uint8))
    thick = Image.new("L", canvas.size, 20)
    draw, pile = ImageDraw.Draw(canvas), ImageDraw.Draw(thick)
    for radius, spacing in ((9.5, 13.0), (7.0, 10.0), (5.6, 9.0)):
        spots = _lattice(spacing, rng)
        wanted = sample(scene, spots[:, 0], spots[:, 1])
        for (px, py), code, r in zip(
            spots, _chosen(wanted, pigments, rng), radius * rng.uniform(0.75, 1.15, len(spots)), strict=True
        ):
            box = [px - r, py - 0.86 * r, px + r, py + 0.86 * r]
            draw.ellipse(box, fill=tuple(int(c) for c in code))
            pile.ellipse(box, fill=int(150 + 100 * rng.random()))
    colour = np.asarray(canvas, F32) / 255
    weave = 0.05 * (np.sin(xx * 1.3) + np.sin(yy * 1.3))
    height = blur(np.asarray(thick, F32) / 255, 1.6) * 3.2 + weave
    shade, gloss = relief(height, (-0.6, -0.7, 0.8), 0.8)
    lit = colour * np.clip(0.45 + 0.55 * shade, 0.5, 1.3)[..., None] + 0.05 * (gloss**20)[..., None]
    return shrink(lit, 2)


def _lattice(spacing, rng):
    """Return the points of a jittered lattice, in random order."""
    y, x = np.mgrid[-spacing : SIZE + spacing : spacing, -spacing : SIZE + spacing : spacing]
    found = np.stack([x, y], -1).reshape(-1, 2) + rng.uniform(-0.5, 0.5, (x.size, 2)) * spacing
    return found[rng.permutation(len(found))].astype(F32)


def _chosen(wanted, pigments, rng):
    """Return a pigment for each wanted colour, 0 to 255.

    A dot departs from the colour at random and takes the nearest pigment; one of ten is the complement, as Seurat has
    it. The pigment is mixed with some of the wanted colour.
    """
    aim = wanted + rng.normal(0, 0.13, wanted.shape)
    warm = rng.random(len(wanted))[:, None] < 0.09
    aim = np.where(warm, mix(wanted, 1 - wanted[:, ::1], 0.62), aim)
    weights = np.array([0.55, 0.8, 0.45], F32)
    nearest = np.square((aim[:, None] - pigments[None]) * weights).sum(-1).argmin(1)
    return np.clip(mix(pigments[nearest], wanted, 0.30) * 255, 0, 255)

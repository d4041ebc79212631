"""A photo-like still life: fruit, a painted jug and a bowl on linen, by a window on the left."""

import numpy as np
from PIL import Image

from .brush import F32, blur, film, grade, grid, lin, mix, resize, smooth, unit
from .noise import perlin
from .still_life_materials import PORED, TRANSLUCENT, WALL, surface
from .still_life_shapes import nearest
from .tracer import march, normal, openness, shadow

HEIGHT, WIDTH, OVER = 576, 768, 1.5  # of the picture in px, and how many times larger it is painted
RAYS_TOGETHER = 160_000  # limited because of the memory
EYE, TARGET = np.array((0.25, 2.15, -6.4), F32), np.array((0.02, 0.60, 0.0), F32)
LAMP = np.array((-5.2, 4.6, -2.6), F32)  # the middle of the window


def still_life():
    """Trace a ray through each pixel, and shade the surface that it meets."""
    rng = np.random.default_rng(8)
    sw, sh = int(WIDTH * OVER), int(HEIGHT * OVER)
    way = _sight_lines(sh, sw)
    out = np.zeros_like(way)
    for first in range(0, len(way), RAYS_TOGETHER):
        part = slice(first, first + RAYS_TOGETHER)
        out[part] = _seen(way[part], rng)
    img = film(out.reshape(sh, sw, 3), 0.80)
    img = resize(img, (HEIGHT, WIDTH), Image.Resampling.LANCZOS)
    img = img + 0.10 * blur(np.clip(img - 0.75, 0, 1), 9)
    return grade(img, 0.22, 1.06, 0.30, 0.012, 3)


def _sight_lines(sh, sw):
    """Return the directions (sh * sw, 3) of the rays from the eye through the pixels."""
    yy, xx = grid(sh, sw)
    forward = unit(*(TARGET - EYE))
    right = unit(forward[2], 0, -forward[0])
    up = np.cross(forward, right)
    u, v = (xx - sw / 2) / sw * 0.70, (sh / 2 - yy) / sw * 0.70
    way = (forward + u[..., None] * right + v[..., None] * up).reshape(-1, 3).astype(F32)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    return way


def _seen(d, rng):
    """Return the light (n, 3) that arrives along rays from the eye with directions (n, 3)."""
    origin = np.broadcast_to(EYE, d.shape)
    p = origin + d * march(nearest, origin, d, start=3.5)[:, None]
    n = normal(nearest, p)
    colour, gloss, which, key = _shade(p, n, rng, 4)
    # The pores of the skins deform the highlights.
    pores = np.isin(which, PORED)
    if pores.any():
        q = p[pores] * 34
        n[pores] += 0.16 * np.stack([perlin(q[:, 0] + 9 * k, q[:, 1] + q[:, 2], k) for k in (1, 2, 3)], 1)
        n /= np.linalg.norm(n, axis=1, keepdims=True)
    bounce = d - 2 * np.sum(d * n, 1, keepdims=True) * n
    fresnel = (0.04 + 0.96 * np.clip(1 + np.sum(d * n, 1), 0, 1) ** 5) * gloss
    shiny = np.flatnonzero((gloss > 0.1) & (fresnel > 0.004))
    mirrored = _mirrored(p[shiny] + n[shiny] * 0.01, bounce[shiny], rng)
    # A rough surface spreads the light of the window, a polished surface mirrors the window.
    half = unit(*(LAMP)) - d
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    sheen = np.clip(np.sum(half * n, 1), 0, 1) ** 60 * (1 - gloss) * (gloss > 0) * 0.9 * key
    colour[shiny] += fresnel[shiny, None] * mirrored
    return colour + sheen[:, None]


def _mirrored(start, way, rng):
    """Return the light (n, 3) that arrives at shiny points from the direction of their reflection."""
    seen = _room(way)
    t = march(nearest, start, way, far=4.0, steps=30)
    hit = t < 3.9
    if hit.any():
        q = start[hit] + way[hit] * t[hit, None]
        seen[hit] = _shade(q, normal(nearest, q), rng, 1)[0]
    return seen


def _room(way):
    """Return what a mirror would show in each direction: a tall window on the left in a dim, warm room."""
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


def _shade(p, n, rng, rays):
    """Shade points with normals by `rays` rays to the window.

    Returns:
        The light that each point sends out (n, 3), without mirroring; the gloss (n,); the numbers of the materials
        (n,); and the light that each point receives from the window (n,).
    """
    colour, gloss, which = surface(p)
    direct = np.zeros(len(p), F32)
    facing = np.clip(np.sum(n * (LAMP - p), 1) / np.linalg.norm(LAMP - p, axis=1), 0, 1)
    lit = facing > 0
    for _ in range(rays):
        to = LAMP + rng.normal(0, 0.30, (lit.sum(), 3)).astype(F32)
        direct[lit] += shadow(nearest, p[lit] + n[lit] * 0.004, to) / rays
    direct *= facing
    open_ = openness(nearest, p, n, ((0.03, 0.9), (0.09, 0.8), (0.22, 0.6), (0.5, 0.36)), 0.92)
    # The light gets weaker with the distance from the window. The sky shines from the left, the table from below.
    key = direct * np.clip(60 / np.sum((LAMP - p) ** 2, 1), 0, 2)
    key = np.where(which == WALL, key * (0.28 + 1.0 * _window_on_wall(p)), key)
    sky = 0.5 - 0.35 * n[:, 0] + 0.25 * n[:, 1] - 0.15 * n[:, 2]
    low = np.clip(0.5 - 0.5 * n[:, 1], 0, 1)
    ambient = open_[:, None] * (sky[:, None] * lin("#8da2c0") * 0.62 + low[:, None] * lin("#b08a62") * 0.42)
    light = key[:, None] * np.array((3.1, 2.75, 2.25), F32) + ambient
    # Fruit with a thin skin glows slightly in the shade.
    soft = np.isin(which, TRANSLUCENT)[:, None] * colour * 0.10 * open_[:, None]
    return colour * light + soft, gloss, which, key


def _window_on_wall(p):
    """Return the light on the wall, which has the blurred, slanted shape of the window."""
    slant = p[:, 0] * 0.9 + 0.42 * p[:, 1]
    bars = smooth(0.02, 0.12, np.abs(slant - 1.25)) * smooth(0.02, 0.12, np.abs(p[:, 1] - 0.22 * p[:, 0] - 1.75))
    patch = smooth(-0.05, 0.20, slant - 0.15) * smooth(2.45, 2.2, slant) * smooth(3.3, 3.0, p[:, 1] - 0.22 * p[:, 0])
    return patch * bars

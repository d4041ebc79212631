"""The jetty and the boat in front of the lake. Coordinates in metres: x to the right, y upwards, z away."""

import numpy as np

from .brush import F32, grid, lin, lin_palette, ramp, smooth
from .lake_land import SUN, SUNLIGHT
from .noise import fbm
from .tracer import march, normal, openness, shadow

BOARDS, POSTS, HULL, BENCHES = range(4)  # in the order of `_distances`
FAR_M = 26.0


def _on_jetty(x, z):
    """Return positions across and along the jetty, which runs from the right corner into the picture."""
    return 0.957 * (x - 2.6) + 0.29 * (z - 9), -0.29 * (x - 2.6) + 0.957 * (z - 9)


def _on_boat(x, z):
    """Return positions along and across the boat."""
    return 0.93 * (x + 0.55) + 0.37 * (z - 11.2), -0.37 * (x + 0.55) + 0.93 * (z - 11.2)


def _box(x, y, z, half):
    return np.maximum.reduce([np.abs(x) - half[0], np.abs(y) - half[1], np.abs(z) - half[2]])


def _distances(p):
    """Return the distances of points (n, 3) to the boards and posts of the jetty, and to the hull and benches."""
    x, y, z = p.T
    u, v = _on_jetty(x, z)
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
    # The boat: half ellipses that get narrower towards both ends. It is hollow, and higher at the ends.
    a, b = _on_boat(x, z)
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


def _nearest(p):
    return np.minimum.reduce(_distances(p)).astype(F32)


def _colours(p, n):
    """Return the colours (n, 3) of points (n, 3) with normals (n, 3)."""
    x, y, z = p.T
    which = np.argmin(np.stack(_distances(p)), 0)
    u, v = _on_jetty(x, z)
    a, b = _on_boat(x, z)
    number = np.round(v / 0.26)
    old = np.clip(0.5 + 0.7 * fbm(u * 2 + number * 3.7, v * 26, 4, 14) + 0.22 * np.sin(number * 31), 0, 1)
    colour = ramp(lin_palette("#4b4239", "#8a7d6b", "#b5a78e"), old)
    wet = smooth(-0.05, 0.3, y)[:, None].clip(0.35, 1)
    post = ramp(lin_palette("#2f2821", "#6f6250"), 0.5 + 0.8 * fbm(x * 20, y * 2, 3, 15)) * wet
    strake = 0.86 + 0.14 * np.abs(np.sin((y - 0.055 * a * a) * 28))
    worn = (fbm(a * 4, y * 9 + b, 4, 16) > 0.30)[:, None]
    paint = np.where((y - 0.42 - 0.055 * a * a > -0.11)[:, None], lin("#e8e2d2"), lin("#b3261e"))
    inner = np.hypot(b, 0.001) < 0.66
    hull = np.where(worn, lin("#7a6a58"), paint) * strake[:, None]
    varnish = ramp(lin_palette("#5a3418", "#a06a34"), 0.5 + 0.7 * fbm(a * 3, b * 22, 4, 17))
    hull = np.where(((n[:, 1] > 0.25) & inner)[:, None], varnish, hull)
    for number, material in ((POSTS, post), (HULL, hull), (BENCHES, varnish)):
        colour = np.where((which == number)[:, None], material, colour)
    return colour


def jetty(eye, focal, rows, sw):
    """Return the jetty and the boat, seen from a height `eye`, or from their mirror image where `eye` is negative.

    Args:
        eye: height of the eye above the water in metres.
        focal: focal length in px.
        rows: number of rows: below the horizon, or above where `eye` is negative.
        sw: width in px.

    Returns:
        The light (rows, sw, 3), and where there is something (rows, sw).
    """
    yy, xx = grid(rows, sw)
    out, cover = np.zeros((rows, sw, 3), F32), np.zeros((rows, sw), bool)
    part = np.s_[yy[:, 0] > 60]
    side = 1 if eye > 0 else -1
    way = (
        np.stack([(xx[part] - sw / 2) / focal, -side * yy[part] / focal, np.ones_like(xx[part])], -1)
        .reshape(-1, 3)
        .astype(F32)
    )
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    origin = np.broadcast_to(np.array((0, eye, 0), F32), way.shape)
    t = march(_nearest, origin, way, far=FAR_M, steps=90, start=4.0)
    p = origin + way * t[:, None]
    hit = (t < FAR_M - 0.1) & (p[:, 1] > 0) & (_nearest(p) < 0.03)
    p = p[hit]
    n = normal(_nearest, p, 0.004)
    sun = np.clip(n @ SUN, 0, 1) * shadow(_nearest, p + n * 0.01, p + SUN * 9)
    sky = (0.55 + 0.45 * n[:, 1]) * openness(_nearest, p, n, ((0.08, 0.7), (0.3, 0.5)), 0.9)
    light = sun[:, None] * SUNLIGHT + sky[:, None] * np.array((0.36, 0.46, 0.66), F32)
    shaded = np.zeros((len(hit), 3), F32)
    shaded[hit] = _colours(p, n) * light
    out[part], cover[part] = shaded.reshape(-1, sw, 3), hit.reshape(-1, sw)
    return out, cover

"""A small sphere tracer: rays against solid shapes that are given by their distance functions.

A distance function `nearest` takes points (n, 3) and returns their distances (n,) to the nearest surface.
"""

import numpy as np

from .brush import F32


def march(nearest, origin, way, *, far=14.0, steps=70, start=0.0):
    """Return the distance (n,) along each ray to the first surface, `far` or more if there is none."""
    t = np.full(len(origin), start, F32)
    live = np.arange(len(origin))
    for _ in range(steps):
        d = nearest(origin[live] + way[live] * t[live, None])
        t[live] += d
        live = live[(d > 0.0007 * t[live] + 0.0003) & (t[live] < far)]
        if not len(live):
            break
    return t


def normal(nearest, p, eps=0.0016):
    """Return the normals (n, 3) of the surface at points (n, 3)."""
    n = np.zeros_like(p)
    for k in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        k = np.array(k, F32)
        n += k * nearest(p + k * eps)[:, None]
    return n / np.maximum(np.linalg.norm(n, axis=1, keepdims=True), 1e-9)


def shadow(nearest, p, to, steps=34):
    """Return the share of light (n,) that reaches points `p` from the points `to`. Near misses give soft shadows."""
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


def openness(nearest, p, n, reaches, most):
    """Return how open the surroundings of each point are (n,): 1 in the open, less in corners.

    Args:
        nearest: distance function.
        p: points (n, 3).
        n: normals (n, 3).
        reaches: pairs of a distance from the surface and the weight of the occlusion there.
        most: largest occlusion of one distance.
    """
    result = np.ones(len(p), F32)
    for step, weight in reaches:
        result *= 1 - np.clip(weight * (1 - nearest(p + n * step) / step), 0, most)
    return result

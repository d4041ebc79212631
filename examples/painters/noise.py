"""Random fields for textures: gradient noise, its sums, and cells."""

import numpy as np

from .brush import F32, mix


def perlin(x, y, seed=0):
    """Return gradient noise at any points, about -1 to 1."""
    rng = np.random.default_rng(seed)
    perm = np.tile(rng.permutation(256), 2)
    angle = rng.uniform(0, 2 * np.pi, 256)
    gx, gy = np.cos(angle).astype(F32), np.sin(angle).astype(F32)
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = (x - x0).astype(F32), (y - y0).astype(F32)
    xi, yi = x0.astype(np.int32) & 255, y0.astype(np.int32) & 255

    def corner(dx, dy):
        g = perm[perm[(xi + dx) & 255] + ((yi + dy) & 255)]
        return gx[g] * (fx - dx) + gy[g] * (fy - dy)

    u, v = fx * fx * fx * (fx * (fx * 6 - 15) + 10), fy * fy * fy * (fy * (fy * 6 - 15) + 10)
    return 1.5 * mix(mix(corner(0, 0), corner(1, 0), u), mix(corner(0, 1), corner(1, 1), u), v)


def fbm(x, y, octaves=5, seed=0, gain=0.5):
    """Return the sum of several octaves of noise. Each octave is rotated, so that the lattice does not show."""
    total, amp = np.zeros(np.broadcast(x, y).shape, F32), 0.5
    for k in range(octaves):
        total += amp * perlin(x, y, seed + k)
        x, y, amp = 1.6 * x - 1.2 * y + 7.3, 1.2 * x + 1.6 * y + 3.1, amp * gain
    return total


def ridged(x, y, octaves=6, seed=0, gain=0.5):
    """Return noise with sharp crests. An octave counts more where the octave before is high."""
    total, amp, weight = np.zeros(np.broadcast(x, y).shape, F32), 0.5, 1.0
    for k in range(octaves):
        n = (1 - np.abs(perlin(x, y, seed + k))) ** 2
        total += amp * n * weight
        weight = np.clip(n * 1.6, 0, 1)
        x, y, amp = 1.6 * x - 1.2 * y + 7.3, 1.2 * x + 1.6 * y + 3.1, amp * gain
    return total


def cells(x, y, seed=0):
    """Return the distance to the nearest point of a jittered lattice, and a random number (0 to 1) of that point."""
    rng = np.random.default_rng(seed)
    table = rng.random((3, 64, 64)).astype(F32)
    x0, y0 = np.floor(x).astype(np.int32), np.floor(y).astype(np.int32)
    best = np.full(np.broadcast(x, y).shape, 9, F32)
    own = np.zeros_like(best)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            i, j = (x0 + dx) & 63, (y0 + dy) & 63
            px, py = x0 + dx + table[0][i, j], y0 + dy + table[1][i, j]
            d = np.hypot(px - x, py - y).astype(F32)
            near = d < best
            best[near], own[near] = d[near], table[2][i, j][near]
    return best, own

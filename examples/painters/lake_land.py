"""The land around the lake: mountains, forest and snow, in the light of the morning sun.

Coordinates in metres: x to the right, z away from the viewer, heights above the lake.
"""

import numpy as np

from .brush import F32, lin, lin_palette, mix, ramp, sample, smooth, unit
from .noise import cells, fbm, perlin, ridged

SUN = unit(-0.86, 0.44, -0.04)  # from the left: half of every ridge lies in the shade
SUNLIGHT = np.array((3.3, 2.85, 2.25), F32)

# A high peak right of the middle, a lower one on the left, a wall far behind: x, z, height, width.
PEAKS = (
    (950, 4700, 1120, 1500),
    (-2000, 4300, 760, 1300),
    (-700, 8400, 1350, 2300),
    (3300, 6400, 1250, 1700),
    (2300, 3500, 520, 1000),
)


def _height(x, z):
    """Return the height of the ground above the lake, without trees."""
    wx, wz = x + 260 * perlin(x / 1500, z / 1500, 3), z + 260 * perlin(x / 1500, z / 1500, 4)
    mass = np.zeros(x.shape, F32)
    for px, pz, high, wide in PEAKS:
        q = np.hypot(wx - px, wz - pz) / wide
        mass = np.maximum(mass, high * np.exp(-(q**1.25) * 1.15)) + 0.12 * high * np.exp(-q * q * 0.6)
    crag = ridged(wx / 1700, wz / 1700, 9, 20, 0.47)
    rise = mass * (0.34 + 1.02 * crag)
    # Two spurs reach the water. The lake is where the ground stays low.
    shore = 1180 - 560 * np.exp(-(((x + 470) / 210) ** 2)) - 330 * np.exp(-(((x - 640) / 190) ** 2))
    shore = shore + 130 * perlin(x / 210, 0 * x + 5, 6) + 30 * perlin(x / 45, z / 90, 7)
    bank = smooth(0, 900, z - shore)
    hills = 150 * (0.55 + fbm(x / 900, z / 900, 5, 9)) * bank
    far = (rise * smooth(-100, 1500, z - shore) + hills) + (z - shore) * 0.035
    return np.where(z > shore - 120, np.minimum(far, (z - shore) * 0.9), -20).astype(F32)


def _forest(x, z, ground, slope):
    """Return the heights of the firs, which are cones on the ground, and a random number of each fir."""
    d, own = cells(x / 8.5, z / 8.5, 11)
    wood = smooth(
        -0.22,
        0.12,
        1.1 * fbm(x / 260, z / 260, 4, 13) + 0.40 - ground / 560 - 0.55 * np.maximum(slope - 0.75, 0),
    )
    tall = (13 + 13 * own) * (own < wood * 1.05)
    cone = np.clip(1 - d / 0.62, 0, 1) * tall
    return np.where(ground > 1.0, cone, 0), own


class Land:
    """Points on the land along the lines of sight: one column of points for every second column of the picture."""

    def __init__(self, width, focal):
        """Make the land for a picture of a width in px and a focal length in px."""
        self.width, self.focal = width, focal
        self.margin = width // 2  # on both sides of the picture, for shadows that fall into the picture
        self.cols = np.arange(-self.margin, width + self.margin, 2, dtype=F32)
        self.depth = np.exp(np.linspace(np.log(430), np.log(11_000), 1700)).astype(F32)
        self.z = np.repeat(self.depth[:, None], len(self.cols), 1)
        self.x = (self.cols[None, :] - width / 2) / focal * self.z
        self.ground = _height(self.x, self.z)
        self.slope = np.hypot(*self._gradient(self.ground))
        self.trees, self.own = _forest(self.x, self.z, self.ground, self.slope)
        self.top = self.ground + self.trees
        self.light = self._shaded()

    def view(self, height, up):
        """Return the land as seen from a height in metres, `up` rows from the horizon upwards.

        Returns:
            The light (up, width, 3), and the coverage (up, width), 1 where there is land.
        """
        tilt = (self.top - height) / self.z
        best = np.maximum.accumulate(tilt, 0)
        rows = (np.arange(up, dtype=F32) + 0.5) / self.focal
        seen, cover = np.zeros((up, self.width, 3), F32), np.zeros((up, self.width), F32)
        for c in range(self.width):
            a = int((c + self.margin) / 2)
            first = np.searchsorted(best[:, a], rows)
            j = np.minimum(first, len(self.depth) - 1)
            before = tilt[np.maximum(j - 1, 0), a]
            f = np.clip((rows - before) / np.maximum(tilt[j, a] - before, 1e-9), 0, 1)[:, None]
            behind = np.where((j > 0)[:, None], f, 1)
            seen[:, c] = mix(self.light[np.maximum(j - 1, 0), a], self.light[j, a], behind)
            cover[:, c] = first < len(self.depth)
        return seen, cover

    def _gradient(self, height):
        """Return the slopes of a height in the directions x and z."""
        tz = np.gradient(height, axis=0), np.gradient(self.x, axis=0), np.gradient(self.z, axis=0)
        gx = np.gradient(height, axis=1) / np.gradient(self.x, axis=1)
        gz = (tz[0] - gx * tz[1]) / tz[2]
        return gx, gz

    def _sunlit(self):
        """Return where the sun shines, 0 to 1: go from each point towards the sun, and look for higher land."""
        depth, top = self.depth, self.top
        lit = np.ones(top.shape, F32)
        inv = len(depth) / np.log(depth[-1] / depth[0])
        for step in np.geomspace(5, 3800, 56):
            sx, sz = self.x + SUN[0] * step, self.z + SUN[2] * step
            row = np.log(np.maximum(sz, 1) / depth[0]) * inv
            col = (sx / sz * self.focal + self.width / 2 + self.margin) / 2
            above = sample(top, col, row) - (top + SUN[1] * step)
            known = (row > 0) & (col > 0) & (col < len(self.cols) - 1)
            lit = np.minimum(lit, np.where(known, smooth(0.02 * step + 2, -2, above), 1))
        return lit

    def _colours(self, rough):
        """Return the colours of the ground: grass, rock in layers, snow on flat high ground, firs, and a beach."""
        x, z, ground, own = self.x, self.z, self.ground, self.own
        rock = ramp(
            lin_palette("#4c4a4c", "#77706a", "#a0958a"),
            0.5 + 0.55 * rough + 0.16 * np.sin(ground / 24 + 5 * rough),
        )
        grass = ramp(lin_palette("#39481f", "#66702f", "#8d8442"), 0.5 + 0.8 * fbm(x / 90, z / 90, 4, 33))
        colour = mix(grass, rock, smooth(0.45, 0.85, self.slope + 0.35 * rough + ground / 1500)[..., None])
        snow = smooth(-0.12, 0.14, (ground - 640) / 800 - 0.42 * (self.slope - 0.72) + 0.30 * rough)
        colour = mix(colour, np.array((0.88, 0.90, 0.94), F32), snow[..., None])
        fir = ramp(lin_palette("#1a2616", "#2f3f20", "#4f5a2c"), own * 0.8 + 0.25 * rough)
        autumn = (own * 97 % 1 > 0.97 - 0.25 * smooth(0.1, 0.5, fbm(x / 120, z / 120, 3, 36))) & (ground < 90)
        fir = np.where(autumn[..., None], lin("#8f6a22"), fir)
        colour = np.where((self.trees > 1.5)[..., None], fir, colour)
        beach = smooth(2.2, 0.8, ground) * (self.trees < 1) * 0.8
        return mix(colour, lin("#b0a590"), beach[..., None])

    def _shaded(self):
        """Return the light that each point sends to the viewer, with haze and mist."""
        x, z, trees = self.x, self.z, self.trees
        lit = self._sunlit()
        tx, tz = self._gradient(self.top)
        n = 1 / np.sqrt(tx**2 + tz**2 + 1)
        lambert = np.clip((-tx * SUN[0] + SUN[1] - tz * SUN[2]) * n, 0, 1)
        colour = self._colours(fbm(x / 60, z / 60, 5, 31))
        skylight = np.array((0.34, 0.46, 0.70), F32)
        dim = np.where(trees > 1.5, 0.35 + 0.65 * np.clip(trees / 18, 0, 1), 1)
        shaded = colour * (
            (lambert * lit * dim)[..., None] * SUNLIGHT + (0.55 + 0.45 * n * dim)[..., None] * skylight * dim[..., None]
        )
        haze = 1 - np.exp(-(z - 600) / 15_000)
        mist = 0.50 * np.exp(-self.ground / 90) * smooth(1100, 2600, z) * (0.6 + 0.7 * fbm(x / 500, z / 900, 3, 35))
        veil = np.clip(haze + mist, 0, 1)[..., None]
        return mix(shaded, np.array((0.50, 0.64, 0.86), F32), veil).astype(F32)

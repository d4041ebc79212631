"""Watercolour: rough paper, and transparent washes on it. Each pigment absorbs a part of the light."""

import numpy as np

from .brush import F32, blur, grid, polygon, relief, rgb, sample, smooth
from .noise import fbm


class Paper:
    """A square sheet of paper: the grain of its surface, and how much light the paint absorbs."""

    def __init__(self, size, seed):
        self.y, self.x = grid(size, size)
        self.size = size
        self.tooth = 0.6 * fbm(self.x / 11, self.y / 11, 4, seed) + 0.5 * fbm(self.x / 4, self.y / 4, 2, seed + 9)
        self.pools = fbm(self.x / 130, self.y / 130, 4, seed + 50)
        self.drift = [fbm(self.x / 50, self.y / 50, 4, seed + k) for k in (60, 70)]
        self.density = np.zeros((size, size, 3), F32)
        self.seed = seed

    def wash(self, cover, pigment, strength=1.0, *, rim=0.5, reach=5.0, grain=0.35, flow=0.4, tilt=None):
        """Lay a wash of paint.

        Args:
            cover: where the paint is (size, size), 0 to 1.
            pigment: colour of one layer on white paper: (3,) or (size, size, 3).
            strength: number of layers, also a fraction.
            rim: how much pigment flows to the edge.
            reach: width of the dark edge in pixels.
            grain: how much less pigment stays on the high parts of the paper.
            flow: how unevenly the pigment dries.
            tilt: factor of the strength for each pixel (size, size).
        """
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

    def dot(self, px, py, r, pigment, strength, *, rim=0.0):
        """Paint a dot of radius r with the tip of the brush."""
        x0, y0, k = int(px), int(py), int(r) + 4
        if k < min(x0, y0) and max(x0, y0) < self.size - k:
            part = np.s_[y0 - k : y0 + k, x0 - k : x0 + k]
            d = np.hypot(self.x[part] - px, self.y[part] - py)
            load = smooth(r + 1, r - 1.2, d) * (1 + rim * smooth(r - 3, r, d)) * strength
            self.density[part] += load[..., None] * -np.log(np.asarray(pigment, F32))

    def bloom(self, cx, cy, r, amount=0.5):
        """Let a drop of clean water push the paint outwards to a ragged rim."""
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
        """Return the coverage (size, size) of an outline that trembles by `wobble` and bleeds by `bleed` pixels."""
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
        """Return the white paper in a low light, seen through the paint."""
        shade, _ = relief(self.tooth, (-0.7, -0.7, 0.9), 0.22)
        white = rgb("#fbf7ee") * (0.2 + 0.8 * shade)[..., None]
        return white * np.exp(-self.density)

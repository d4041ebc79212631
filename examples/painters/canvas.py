"""Oil paint: brush strokes whose hairs follow a direction field, and light on the thick paint."""

from dataclasses import dataclass

import numpy as np

from .brush import F32, blur, relief, sample, smooth

STEP_PX = 0.8  # between two points of a stroke: below a pixel, so that strokes have no gaps
BATCH = 400  # strokes painted together, limited because of the memory
DRY = 0.15  # share of the hairs that run out of paint
STREAK = 0.06  # difference in brightness between hairs
MARGIN_PX = 72  # strokes may start this far outside, so that the canvas is covered up to its edge


@dataclass
class Strokes:
    """Brush strokes: start points (n, 2: x, y), lengths (n,) and widths (n,) in pixels, and colours (n, 3)."""

    start: np.ndarray
    length: np.ndarray
    width: np.ndarray
    colours: np.ndarray

    def __getitem__(self, part):
        return Strokes(self.start[part], self.length[part], self.width[part], self.colours[part])


def along(psi):
    """Return the direction field (angles in radians) that follows the contour lines of `psi`."""
    gy, gx = np.gradient(psi)
    return np.arctan2(-gx, gy).astype(F32)


def starts(mask, spacing, rng):
    """Return the points of a jittered lattice that lie in a mask, in random order."""
    h, w = mask.shape
    y, x = np.mgrid[-MARGIN_PX : h + MARGIN_PX : spacing, -MARGIN_PX : w + MARGIN_PX : spacing].astype(F32)
    pts = np.stack([x, y], -1).reshape(-1, 2) + rng.uniform(0, spacing, (x.size, 2)).astype(F32)
    pts = pts[mask[np.clip(pts[:, 1], 0, h - 1).astype(int), np.clip(pts[:, 0], 0, w - 1).astype(int)]]
    return pts[rng.permutation(len(pts))]


class Canvas:
    """A painting in oil: the colour of each pixel, and the thickness of the paint."""

    def __init__(self, ground, rng):
        self.colour = np.array(ground, F32)
        self.height = np.zeros(self.colour.shape[:2], F32)
        self.rng = rng

    def coat(self, mask, guide, field, brush, *, vary=0.05, body=1.0):
        """Paint strokes all over a mask.

        Args:
            mask: where strokes start (h, w).
            guide: picture (h, w, 3) that the strokes take their colours from.
            field: direction of the strokes (h, w), in radians.
            brush: space between strokes, length and width of a stroke, all in pixels.
            vary: random difference of the colours.
            body: thickness of the paint.
        """
        rng, (h, w), (spacing, length, width) = self.rng, self.height.shape, brush
        pts = starts(mask, spacing, rng)
        n = len(pts)
        colour = sample(guide, pts[:, 0], pts[:, 1]) * (1 + vary * rng.normal(0, 1, (n, 1)))
        colour = colour + vary * 0.5 * rng.normal(0, 1, (n, 3))
        lengths, widths = length * rng.uniform(0.6, 1.3, n), width * rng.uniform(0.7, 1.25, n)
        strokes = Strokes(pts, lengths, widths, colour.astype(F32))

        def angle(x, y):
            return field[np.clip(y, 0, h - 1).astype(int), np.clip(x, 0, w - 1).astype(int)]

        for first in range(0, n, BATCH):
            self._paint(strokes[first : first + BATCH], angle, body)

    def _paint(self, strokes, angle, body):
        """Paint strokes in their order: later strokes cover earlier ones."""
        h, w = self.height.shape
        length, width = strokes.length, strokes.width
        n, points = len(length), int(length.max() / STEP_PX) + 2
        path, normal = _follow(strokes.start, angle, points)
        hairs = int(width.max() / 0.7) + 3
        v = np.linspace(-1, 1, hairs, dtype=F32)[None, None, :]  # -1 to 1 across the stroke
        s = (np.arange(points, dtype=F32)[None, :] * STEP_PX / length[:, None])[..., None]  # 0 to 1 along the stroke
        shade = self.rng.normal(0, 1, (n, 1, hairs)).astype(F32)
        shade = (shade + np.roll(shade, 1, 2) + np.roll(shade, 2, 2)) / 1.7
        on = self._touching(s, v, width / length)
        half = width[:, None, None] / 2 * (0.75 + 0.25 * np.sin(np.pi * np.clip(s, 0, 1)))
        x = (path[:, :, None, 0] + normal[:, :, None, 0] * v * half).astype(np.int32)
        y = (path[:, :, None, 1] + normal[:, :, None, 1] * v * half).astype(np.int32)
        on &= (x >= 0) & (x < w) & (y >= 0) & (y < h)
        # Paint is thicker at the sides and at the end of a stroke, and has furrows between the hairs.
        thick = 0.55 + 0.35 * shade + 0.55 * np.abs(v) ** 3 + 0.5 * smooth(0.75, 1, s) * (1 - v * v)
        thick = thick * body * np.clip(width / 9, 0.5, 2.0)[:, None, None]
        tint = strokes.colours[:, None, None, :] * (1 + STREAK * shade[..., None])
        index = (y * w + x)[on]
        self.colour.reshape(-1, 3)[index] = np.broadcast_to(tint, (*on.shape, 3))[on]
        flat = self.height.reshape(-1)
        flat[index] = 0.35 * flat[index] + np.broadcast_to(thick, on.shape)[on]

    def _touching(self, s, v, slimness):
        """Return where each hair touches the canvas: strokes have round ends, and dry hairs lift off early."""
        n, hairs = len(s), v.shape[-1]
        load = self.rng.random((n, 1, hairs)).astype(F32)
        side = 1 - np.sqrt(np.clip(1 - v * v, 0, 1))
        end = (slimness / 2)[:, None, None] * side + 0.02
        on = (s > end * 0.8) & (s < 1 - end - DRY * load * self.rng.random((n, 1, hairs)).astype(F32))
        return on & ((load > DRY * 1.2 * smooth(0.35, 1.0, s)) | (s < 0.35))

    def lit(self, strength=0.55, gloss=0.35, light=(-0.6, -0.7, 0.8)):
        """Return the painting under a lamp: furrows have shadows, and wet crests shine."""
        shade, shine = relief(blur(self.height, 0.8), light, strength)
        out = self.colour * np.clip(0.35 + 0.65 * shade, 0.3, 1.5)[..., None]
        return np.clip(out + gloss * (shine**40)[..., None] * smooth(0.1, 1.2, self.height)[..., None], 0, 1)


def _follow(start, angle, points):
    """Follow the direction field from each start. Returns the paths and their normals, (n, points, 2) each."""
    path, normal = np.empty((len(start), points, 2), F32), np.empty((len(start), points, 2), F32)
    pos = start.astype(F32).copy()
    heading = angle(pos[:, 0], pos[:, 1])
    for i in range(points):
        turn = angle(pos[:, 0], pos[:, 1]) - heading
        # A brush does not turn back. So take the nearer of both directions along the field, and turn slowly.
        turn = (turn + np.pi / 2) % np.pi - np.pi / 2
        heading = heading + np.clip(turn, -0.16, 0.16)
        ux, uy = np.cos(heading), np.sin(heading)
        path[:, i], normal[:, i] = pos, np.stack([-uy, ux], -1)
        pos = pos + STEP_PX * np.stack([ux, uy], -1)
    return path, normal

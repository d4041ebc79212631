"""What the painters share: noise, filters, brush strokes, colour and saving (numpy and Pillow only)."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

F32 = np.float32


# ---------------------------------------------------------------- numbers and colours


def smooth(lo, hi, x):
    """Hermite step from 0 at `lo` to 1 at `hi` (either may be the greater)."""
    t = np.clip((x - lo) / (hi - lo), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, t):
    return a + (b - a) * t


def rgb(code):
    """'#rrggbb' as three floats from 0 to 1 (display values, not linear light)."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], F32) / 255


def palette(*codes):
    return np.stack([rgb(c) for c in codes])


def ramp(colours, t):
    """Look `t` (0 to 1) up along equally spaced colours."""
    colours = np.asarray(colours, F32)
    pos = np.clip(t, 0, 1) * (len(colours) - 1)
    low = np.minimum(pos.astype(int), len(colours) - 2)
    return mix(colours[low], colours[low + 1], (pos - low)[..., None]).astype(F32)


def luma(img):
    return img @ np.array([0.3, 0.59, 0.11], F32)


def grid(h, w):
    """Pixel centres as two float arrays: y, x."""
    return np.meshgrid(np.arange(h, dtype=F32) + 0.5, np.arange(w, dtype=F32) + 0.5, indexing="ij")


def film(light, exposure=1.0):
    """Linear light to display values, with the shoulder of film."""
    v = np.clip(light * exposure, 0, None)
    v = v * (2.51 * v + 0.03) / (v * (2.43 * v + 0.59) + 0.14)
    return np.clip(v, 0, 1) ** (1 / 2.2)


def lin(code):
    """A display colour as linear light."""
    return rgb(code) ** F32(2.2)


def unit(*v):
    v = np.array(v, F32)
    return v / np.linalg.norm(v)


# ---------------------------------------------------------------- noise


def perlin(x, y, seed=0):
    """Gradient noise at any points, about -1 to 1."""
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
    """Sum of octaves, each turned a little so that no lattice shows."""
    total, amp = np.zeros(np.broadcast(x, y).shape, F32), 0.5
    for k in range(octaves):
        total += amp * perlin(x, y, seed + k)
        x, y, amp = 1.6 * x - 1.2 * y + 7.3, 1.2 * x + 1.6 * y + 3.1, amp * gain
    return total


def ridged(x, y, octaves=6, seed=0, gain=0.5):
    """Multifractal with sharp crests: each octave is felt where the one before stands high."""
    total, amp, weight = np.zeros(np.broadcast(x, y).shape, F32), 0.5, 1.0
    for k in range(octaves):
        n = (1 - np.abs(perlin(x, y, seed + k))) ** 2
        total += amp * n * weight
        weight = np.clip(n * 1.6, 0, 1)
        x, y, amp = 1.6 * x - 1.2 * y + 7.3, 1.2 * x + 1.6 * y + 3.1, amp * gain
    return total


def cells(x, y, seed=0):
    """Distance to the nearest jittered lattice point, and that point's own random number."""
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


# ---------------------------------------------------------------- filters


def _blur_rows(a, sigma):
    radius = max(1, int(3 * sigma + 0.5))
    k = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    k = (k / k.sum()).astype(F32)
    pad = np.pad(a, [(radius, radius)] + [(0, 0)] * (a.ndim - 1), mode="edge")
    out = np.zeros_like(a)
    for i, weight in enumerate(k):
        out += weight * pad[i : i + len(a)]
    return out


def blur(a, sigma):
    """Gaussian blur; a wide one is made on a shrunken copy, where nobody can tell."""
    a = np.asarray(a, F32)
    if sigma <= 0:
        return a
    if sigma > 6:
        h, w = a.shape[:2]
        small = resize(a, (max(2, h // 2), max(2, w // 2)))
        return resize(blur(small, sigma / 2), (h, w))
    return _blur_rows(_blur_rows(a, sigma).swapaxes(0, 1), sigma).swapaxes(0, 1)


def resize(a, size, how=Image.Resampling.BILINEAR):
    """Resize a float picture (one or more channels) to size (h, w)."""
    a = np.asarray(a, F32)
    if a.ndim == 3:
        return np.stack([resize(a[..., c], size, how) for c in range(a.shape[2])], axis=-1)
    return np.asarray(Image.fromarray(a).resize((size[1], size[0]), how))


def shrink(a, n):
    """Average n x n blocks (the end of supersampling)."""
    h, w = a.shape[0] // n, a.shape[1] // n
    return a[: h * n, : w * n].reshape(h, n, w, n, *a.shape[2:]).mean((1, 3), dtype=F32)


def sample(a, x, y):
    """Bilinear look-up of picture `a` at array positions (x, y), clamped at the edge."""
    h, w = a.shape[:2]
    x, y = np.clip(x, 0, w - 1.01), np.clip(y, 0, h - 1.01)
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    fx, fy = (x - x0).astype(F32), (y - y0).astype(F32)
    if a.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    return mix(mix(a[y0, x0], a[y0, x0 + 1], fx), mix(a[y0 + 1, x0], a[y0 + 1, x0 + 1], fx), fy)


def polygon(h, w, *outlines, over=2):
    """Antialiased coverage of one or more outlines of (x, y) points."""
    img = Image.new("L", (w * over, h * over))
    draw = ImageDraw.Draw(img)
    for pts in outlines:
        draw.polygon([(float(x) * over, float(y) * over) for x, y in pts], fill=255)
    return shrink(np.asarray(img, F32) / 255, over)


def distance(mask, reach):
    """Distance in pixels to the nearest True, exact up to `reach` (two passes of parabolas)."""
    d = np.where(mask, 0, F32(reach * reach)).astype(F32)
    for axis in (0, 1):
        pad = np.pad(d, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], constant_values=reach * reach)
        d = np.minimum.reduce(
            [np.take(pad, range(k, k + mask.shape[axis]), axis) + (k - reach) ** 2 for k in range(2 * reach + 1)]
        )
    return np.sqrt(np.minimum(d, reach * reach))


def relief(height, light=(-0.6, -0.7, 0.9), strength=1.0):
    """Lambert shade (about 1 on the flat) and gloss of a height map lit from `light` (x, y, z)."""
    gy, gx = np.gradient(height * strength)
    n = 1 / np.sqrt(gx * gx + gy * gy + 1)
    lx, ly, lz = np.array(light) / np.linalg.norm(light)
    lambert = (-gx * lx - gy * ly + lz) * n
    half = np.array([lx, ly, lz + 1]) / np.linalg.norm([lx, ly, lz + 1])
    gloss = np.clip((-gx * half[0] - gy * half[1] + half[2]) * n, 0, 1)
    return (lambert / lz).astype(F32), gloss.astype(F32)


# ---------------------------------------------------------------- strokes


class Canvas:
    """Wet paint: colour, and how thick it lies. Strokes are rows of bristles that follow paths."""

    def __init__(self, ground):
        self.colour = np.array(ground, F32)
        self.height = np.zeros(self.colour.shape[:2], F32)

    def strokes(self, start, length, width, colours, angle, rng, *, body=1.0, dry=0.15, streak=0.06, step=0.8):
        """Paint one stroke from each start (n, 2: x, y), in that order, later ones on top.

        `angle(x, y)` is the direction field; `length` and `width` are (n,) in pixels. Every bristle has its
        own shade and load of paint, and lifts off where it is dry, so that the stroke shows its hairs.
        """
        h, w = self.height.shape
        for a in range(0, len(start), 400):  # in batches, to bound the memory
            part = slice(a, a + 400)
            self._batch(
                start[part],
                length[part],
                width[part],
                colours[part],
                angle,
                rng,
                body,
                dry,
                streak,
                step,
                h,
                w,
            )

    def _batch(self, start, length, width, colours, angle, rng, body, dry, streak, step, h, w):
        n, points = len(start), int(length.max() / step) + 2
        path, normal = np.empty((n, points, 2), F32), np.empty((n, points, 2), F32)
        pos = start.astype(F32).copy()
        heading = angle(pos[:, 0], pos[:, 1])
        for i in range(points):
            turn = angle(pos[:, 0], pos[:, 1]) - heading
            # the brush never doubles back: of the two ways along the field take the nearer, and turn slowly
            turn = (turn + np.pi / 2) % np.pi - np.pi / 2
            heading = heading + np.clip(turn, -0.16, 0.16)
            ux, uy = np.cos(heading), np.sin(heading)
            path[:, i], normal[:, i] = pos, np.stack([-uy, ux], -1)
            pos = pos + step * np.stack([ux, uy], -1)
        hairs = int(width.max() / 0.7) + 3
        v = np.linspace(-1, 1, hairs, dtype=F32)[None, None, :]
        s = (np.arange(points, dtype=F32)[None, :] * step / length[:, None])[..., None]  # 0 to 1 along the stroke
        shade = rng.normal(0, 1, (n, 1, hairs)).astype(F32)
        shade = (shade + np.roll(shade, 1, 2) + np.roll(shade, 2, 2)) / 1.7
        load = rng.random((n, 1, hairs)).astype(F32)
        # round ends: a hair at the side starts later and stops earlier
        side = 1 - np.sqrt(np.clip(1 - v * v, 0, 1))
        end = (width / length / 2)[:, None, None] * side + 0.02
        on = (s > end * 0.8) & (s < 1 - end - dry * load * rng.random((n, 1, hairs)).astype(F32))
        on &= (load > dry * 1.2 * smooth(0.35, 1.0, s)) | (s < 0.35)
        half = width[:, None, None] / 2 * (0.75 + 0.25 * np.sin(np.pi * np.clip(s, 0, 1)))
        x = (path[:, :, None, 0] + normal[:, :, None, 0] * v * half).astype(np.int32)
        y = (path[:, :, None, 1] + normal[:, :, None, 1] * v * half).astype(np.int32)
        on &= (x >= 0) & (x < w) & (y >= 0) & (y < h)
        # paint heaps up at the sides and at the end of the stroke and shows furrows between the hairs
        thick = 0.55 + 0.35 * shade + 0.55 * np.abs(v) ** 3 + 0.5 * smooth(0.75, 1, s) * (1 - v * v)
        thick = thick * body * np.clip(width / 9, 0.5, 2.0)[:, None, None]
        tint = colours[:, None, None, :] * (1 + streak * shade[..., None])
        index = (y * w + x)[on]
        self.colour.reshape(-1, 3)[index] = np.broadcast_to(tint, (*on.shape, 3))[on]
        flat = self.height.reshape(-1)
        flat[index] = 0.35 * flat[index] + np.broadcast_to(thick, on.shape)[on]

    def lit(self, strength=0.55, gloss=0.35, light=(-0.6, -0.7, 0.8)):
        """The painting under a lamp: furrows shade and wet crests shine."""
        shade, shine = relief(blur(self.height, 0.8), light, strength)
        out = self.colour * np.clip(0.35 + 0.65 * shade, 0.3, 1.5)[..., None]
        return np.clip(out + gloss * (shine**40)[..., None] * smooth(0.1, 1.2, self.height)[..., None], 0, 1)


# ---------------------------------------------------------------- finishing


def grade(img, contrast=0.15, saturation=1.0, vignette=0.0, grain=0.0, seed=0):
    """A little of what a camera and a printer do: S-curve, saturation, dark corners, grain."""
    img = np.clip(img, 0, 1)
    img = mix(img, img * img * (3 - 2 * img), contrast)
    img = mix(luma(img)[..., None], img, saturation)
    h, w = img.shape[:2]
    if vignette:
        y, x = grid(h, w)
        r2 = ((x - w / 2) / w) ** 2 + ((y - h / 2) / h) ** 2
        img = img * (1 - vignette * 2 * r2)[..., None]
    if grain:
        noise = np.random.default_rng(seed).normal(0, grain, (h, w)).astype(F32)
        img = img + blur(noise, 0.6)[..., None]
    return np.clip(img, 0, 1)


def to_image(img):
    return Image.fromarray((np.clip(img, 0, 1) * 255 + 0.5).astype(np.uint8))


def save_jpeg(img, path, limit=190_000):
    """Write the best JPEG that stays below `limit` bytes."""
    picture = to_image(img)
    for quality in range(94, 40, -2):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, optimize=True, subsampling=0 if quality > 90 else 2)
        if out.tell() <= limit:
            break
    Path(path).write_bytes(out.getvalue())
    return quality, out.tell()

"""Colours, filters and outlines for all pictures, with numpy and Pillow only."""

import numpy as np
from PIL import Image, ImageDraw

F32 = np.float32


def smooth(lo, hi, x):
    """Return the Hermite step of x: 0 at `lo`, 1 at `hi`. `lo` may be greater than `hi`."""
    t = np.clip((x - lo) / (hi - lo), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, t):
    """Return a where t is 0, b where t is 1, and a linear blend between."""
    return a + (b - a) * t


def grid(h, w):
    """Return the pixel centres of a picture as two float arrays: y, x."""
    return np.meshgrid(np.arange(h, dtype=F32) + 0.5, np.arange(w, dtype=F32) + 0.5, indexing="ij")


def unit(*v):
    """Return a vector of length 1."""
    v = np.array(v, F32)
    return v / np.linalg.norm(v)


# ---------------------------------------------------------------- colours


def rgb(code):
    """Return '#rrggbb' as three sRGB values from 0 to 1."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], F32) / 255


def lin(code):
    """Return '#rrggbb' as linear light."""
    return rgb(code) ** F32(2.2)


def palette(*codes):
    """Return several '#rrggbb' colours as sRGB values (n, 3)."""
    return np.stack([rgb(c) for c in codes])


def lin_palette(*codes):
    """Return several '#rrggbb' colours as linear light (n, 3)."""
    return np.stack([lin(c) for c in codes])


def ramp(colours, t):
    """Look up t (0 to 1) in a row of equally spaced colours (n, 3)."""
    colours = np.asarray(colours, F32)
    pos = np.clip(t, 0, 1) * (len(colours) - 1)
    low = np.minimum(pos.astype(int), len(colours) - 2)
    return mix(colours[low], colours[low + 1], (pos - low)[..., None]).astype(F32)


def luma(img):
    """Return the brightness of a picture (h, w, 3) as (h, w)."""
    return img @ np.array([0.3, 0.59, 0.11], F32)


def film(light, exposure=1.0):
    """Turn linear light into sRGB values. Bright light is compressed as on film."""
    v = np.clip(light * exposure, 0, None)
    v = v * (2.51 * v + 0.03) / (v * (2.43 * v + 0.59) + 0.14)
    return np.clip(v, 0, 1) ** (1 / 2.2)


def grade(img, contrast=0.15, saturation=1.0, vignette=0.0, grain=0.0, seed=0):
    """Finish a picture: contrast curve, saturation, dark corners and film grain."""
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
    """Apply a Gaussian blur. A wide blur works on a copy of half the size, which is faster and looks the same."""
    a = np.asarray(a, F32)
    if sigma <= 0:
        return a
    if sigma > 6:
        h, w = a.shape[:2]
        small = resize(a, (max(2, h // 2), max(2, w // 2)))
        return resize(blur(small, sigma / 2), (h, w))
    return _blur_rows(_blur_rows(a, sigma).swapaxes(0, 1), sigma).swapaxes(0, 1)


def resize(a, size, how=Image.Resampling.BILINEAR):
    """Resize a float picture with one or more channels to size (h, w)."""
    a = np.asarray(a, F32)
    if a.ndim == 3:
        return np.stack([resize(a[..., c], size, how) for c in range(a.shape[2])], axis=-1)
    return np.asarray(Image.fromarray(a).resize((size[1], size[0]), how))


def shrink(a, n):
    """Average blocks of n x n pixels. Pictures are painted n times too large, so that their edges get smooth."""
    h, w = a.shape[0] // n, a.shape[1] // n
    return a[: h * n, : w * n].reshape(h, n, w, n, *a.shape[2:]).mean((1, 3), dtype=F32)


def sample(a, x, y):
    """Look up picture `a` at the positions (x, y) with bilinear interpolation; positions are clamped at the edge."""
    h, w = a.shape[:2]
    x, y = np.clip(x, 0, w - 1.01), np.clip(y, 0, h - 1.01)
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    fx, fy = (x - x0).astype(F32), (y - y0).astype(F32)
    if a.ndim == 3:
        fx, fy = fx[..., None], fy[..., None]
    return mix(mix(a[y0, x0], a[y0, x0 + 1], fx), mix(a[y0 + 1, x0], a[y0 + 1, x0 + 1], fx), fy)


def distance(mask, reach):
    """Return the distance in pixels to the nearest True, exact up to `reach` (two passes of parabolas)."""
    d = np.where(mask, 0, F32(reach * reach)).astype(F32)
    for axis in (0, 1):
        pad = np.pad(d, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], constant_values=reach * reach)
        d = np.minimum.reduce(
            [np.take(pad, range(k, k + mask.shape[axis]), axis) + (k - reach) ** 2 for k in range(2 * reach + 1)]
        )
    return np.sqrt(np.minimum(d, reach * reach))


def relief(height, light=(-0.6, -0.7, 0.9), strength=1.0):
    """Light a height map from the direction `light` (x, y, z).

    Returns:
        The Lambert shade, about 1 on flat areas, and the gloss, 0 to 1.
    """
    gy, gx = np.gradient(height * strength)
    n = 1 / np.sqrt(gx * gx + gy * gy + 1)
    lx, ly, lz = np.array(light) / np.linalg.norm(light)
    lambert = (-gx * lx - gy * ly + lz) * n
    half = np.array([lx, ly, lz + 1]) / np.linalg.norm([lx, ly, lz + 1])
    gloss = np.clip((-gx * half[0] - gy * half[1] + half[2]) * n, 0, 1)
    return (lambert / lz).astype(F32), gloss.astype(F32)


# ---------------------------------------------------------------- outlines


def polygon(h, w, *outlines, over=2):
    """Return the antialiased coverage (h, w) of one or more outlines, each a list of points (x, y)."""
    img = Image.new("L", (w * over, h * over))
    draw = ImageDraw.Draw(img)
    for pts in outlines:
        draw.polygon([(float(x) * over, float(y) * over) for x, y in pts], fill=255)
    return shrink(np.asarray(img, F32) / 255, over)


def spline(points, n=160):
    """Return n points of the smooth (Catmull-Rom) curve through `points` (x, y)."""
    p = np.asarray(points, F32)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, len(p) - 3 - 1e-4, n)
    i, f = t.astype(int), (t % 1)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return 0.5 * (2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3)


def ribbons(shape, lines):
    """Return the coverage (h, w) of lines with varying width: each a curve (n, 2) and its widths (n,) in pixels."""
    img = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(img)
    for pts, width in lines:
        d = np.gradient(pts, axis=0)
        normal = np.stack([-d[:, 1], d[:, 0]], 1) / np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-6)[:, None]
        half = normal * (width / 2)[:, None]
        ring = np.concatenate([pts + half, (pts - half)[::-1]])
        draw.polygon([tuple(map(float, q)) for q in ring], fill=255)
    return np.asarray(img, F32) / 255

"""Leaded glass: sun over mountains and water, lilies and a border."""

import numpy as np

from .brush import F32, blur, distance, grade, grid, mix, palette, relief, rgb, shrink, smooth
from .noise import cells, fbm, perlin

SIZE = 1280  # px, twice the size of the picture
TAU = 2 * np.pi
BORDER = 0.0625  # width of the border, as a share of the picture

# Colours of the sun's rays, from the inside to the outside. Neighbouring rays take turns.
RAYS = (
    palette("#ffd76a", "#fbb83c"),
    palette("#f58a2c", "#ffc24a"),
    palette("#e2563a", "#f2a03c"),
    palette("#b8345a", "#3c8fd0"),
    palette("#5a3a9c", "#2c6cc4"),
    palette("#2a3a94", "#2456b0"),
)

# x and y along the outline of the mountains.
MOUNTAINS = (
    (0, 0.56),
    (0.14, 0.45),
    (0.24, 0.535),
    (0.33, 0.49),
    (0.44, 0.60),
    (0.56, 0.60),
    (0.68, 0.48),
    (0.76, 0.54),
    (0.88, 0.43),
    (1, 0.55),
)


class Window:
    """A window of glass panes: the number and the colour of the pane at each pixel."""

    def __init__(self, rng):
        y, x = grid(SIZE, SIZE)
        self.x, self.y = x / SIZE, y / SIZE
        # Distance and angle from the sun.
        self.d, self.a = np.hypot(self.x - 0.5, self.y - 0.40), np.arctan2(self.y - 0.40, self.x - 0.5)
        self.label = np.zeros((SIZE, SIZE), np.int64)
        self.colour = np.zeros((SIZE, SIZE, 3), F32)
        self.rng = rng

    def put(self, mask, panes, tones):
        """Cut the area of a mask into panes, and give each pane a colour.

        Args:
            mask: the area (h, w).
            panes: number of the pane at each pixel (h, w), integers.
            tones: colours (n, 3) to choose from, or a function from a pane's number to its colour.
        """
        rng, keys = self.rng, np.unique(panes[mask])
        chosen = []
        for key in keys:
            tone = tones[rng.integers(len(tones))] if isinstance(tones, np.ndarray) else tones(int(key))
            chosen.append(np.clip(tone * (1 + 0.10 * rng.normal()) + 0.02 * rng.normal(0, 1, 3), 0.02, 1))
        where = np.searchsorted(keys, panes[mask])
        self.colour[mask] = np.stack(chosen).astype(F32)[where]
        self.label[mask] = self.label.max() + 1 + where


def stained_glass():
    """Cut the panes from back to front, then light the glass and the lead."""
    window = Window(np.random.default_rng(5))
    _rays(window)
    _sun(window)
    _mountains(window)
    _lake(window)
    _lilies(window)
    _border(window)
    return _lit(window)


def _rays(window):
    """24 wedges, cut by wavy rings, from pale gold through rose to deep blue."""
    d, a = window.d, window.a
    sector = np.floor((a / TAU + 0.5) * 24 + 0.5).astype(int) % 24
    radii = np.array([0.215, 0.30, 0.40, 0.52, 0.66])
    ring = np.searchsorted(radii, d + 0.014 * np.where(sector % 2 == 0, 1, -1) + 0.01 * np.sin(3 * a))
    window.put(d > 0, ring * 100 + sector, lambda k: RAYS[k // 100][k % 2])


def _sun(window):
    """Two rings of petals around a disc."""
    d, a = window.d, window.a
    for n, r0, r1, turn, tones in (
        (12, 0.10, 0.205, 0.5, palette("#ff9a26", "#f27a1c")),
        (12, 0.06, 0.150, 0.0, palette("#ffd23e", "#ffc02e")),
    ):
        t = (a / TAU + 0.5) * n + turn
        off = np.abs(t % 1 - 0.5) * 2  # 0 along the middle of a petal, 1 at its sides
        petals = d < r0 + (r1 - r0) * np.sqrt(np.clip(1 - off**2.2, 0, 1))
        window.put(petals, np.floor(t).astype(int) % n, tones)
    window.put(d < 0.068, np.floor((a / TAU + 0.5) * 6).astype(int) + 1, palette("#fff0a0", "#ffe37a"))
    window.put(d < 0.030, np.zeros_like(window.label), palette("#fffbe0"))


def _mountains(window):
    """Snowy peaks, their slopes, and green hills in front. The cuts follow the slopes."""
    x, y = window.x, window.y
    px, py = zip(*MOUNTAINS, strict=True)
    far = np.interp(x, px, py)
    window.put(
        (y > far) & (y < far + 0.055),
        np.floor(x * 11 + 0.6 * np.sin(y * 30)).astype(int),
        palette("#e8f0f4", "#cfe0f0", "#f6e6dc"),
    )
    window.put(
        y > far + 0.055,
        np.floor(x * 9 - y * 5).astype(int) * 50 + np.floor(y * 9).astype(int),
        palette("#6a6fc0", "#5a86c8", "#7a5cae", "#4a74b4"),
    )
    near = 0.615 - 0.075 * np.cos((x - 0.5) * 7.2) ** 2 * np.sign(np.abs(x - 0.5) - 0.21).clip(0) + 0.02 * np.sin(x * 9)
    fold = np.floor(x * 10 + 1.3 * np.sin(y * 9)).astype(int)
    window.put(
        y > near,
        fold * 50 + np.floor((y - near) * 12 + 0.3 * (fold % 2)).astype(int),
        palette("#2f8f4e", "#57a83c", "#1f7a5c", "#86b838"),
    )


def _lake(window):
    """Wavy bands of water with the reflection of the sun in the middle."""
    x, y = window.x, window.y
    shore = 0.655 + 0.012 * np.cos((x - 0.5) * 9)
    wave = y + 0.010 * np.sin(x * 16 + y * 40)
    row = np.floor(np.sqrt(np.clip(wave - 0.63, 0, 1)) * 15).astype(int)
    col = np.floor(x * 6.0 + 0.5 * (row % 2) + 0.25 * np.sin(y * 20)).astype(int)
    path = np.abs(x - 0.5) < 0.055 + 0.05 * (y - 0.65) + 0.022 * np.sin(row * 2.4)
    window.put(y > shore, row * 50 + col, palette("#1c7fb4", "#2aa0b8", "#1a5fa4", "#48b8b4", "#2470b8"))
    window.put((y > shore) & path, row, palette("#ffc83c", "#ffdf7a", "#fba63a"))


def _lilies(window):
    """Lilies on the left and on the right: leaves, then stems, then flowers of pointed petals."""
    x, y = window.x, window.y
    greens = palette("#3f9a3a", "#7cb83a", "#2c7a40")
    outer, inner = palette("#f6f0f0", "#f4c6d8"), palette("#e8487e", "#f27aa4", "#d8326a")
    for side in (-1, 1):
        root = 0.5 + side * 0.33
        for angle, length in ((0.55, 0.27), (-0.62, 0.25), (0.18, 0.34), (-0.2, 0.30)):
            _leaf(window, (root, 0.95), -np.pi / 2 + side * angle, (length, 0.042), greens)
        for fx, fy, size in (
            (root + side * 0.015, 0.60, 0.135),
            (root - side * 0.105, 0.745, 0.105),
            (root + side * 0.085, 0.775, 0.10),
        ):
            bend = root + (fx - root) * np.clip((0.95 - y) / (0.95 - fy), 0, 1) ** 0.7
            stem = (np.abs(x - bend) < 0.0075) & (y > fy) & (y < 0.95)
            window.put(stem, 0 * window.label, greens[2:])
            for angle in (1.25, -1.25, 0.72, -0.72, 0.0, 0.36, -0.36):
                petal = (size * (1 if abs(angle) < 1 else 0.8), size * 0.27)
                tones = outer if abs(angle) > 0.5 else inner
                _leaf(window, (fx, fy + 0.02), -np.pi / 2 + angle, petal, tones, halves=False)


def _leaf(window, root, angle, size, tones, *, halves=True):
    """Put a leaf, or a petal, of a size (length, width) that grows from its root at an angle."""
    dx, dy = window.x - root[0], window.y - root[1]
    length, wide = size
    u = dx * np.cos(angle) + dy * np.sin(angle)
    v = -dx * np.sin(angle) + dy * np.cos(angle)
    t = u / length
    v = v - 0.18 * length * t * t * np.sign(np.cos(angle))
    shape = wide * np.sqrt(np.clip(t, 0, 1)) * np.clip(1 - t, 0, 1) * 1.9
    panes = (v > 0).astype(int) + 2 * (t > 0.55) if halves else 0 * window.label
    window.put((t > 0) & (t < 1) & (np.abs(v) < shape), panes, tones)


def _border(window):
    x, y = window.x, window.y
    from_side, from_end = np.minimum(x, 1 - x), np.minimum(y, 1 - y)
    m = np.minimum(from_side, from_end)
    run = np.where(from_side < from_end, y, x)
    cut = np.floor(run * 16).astype(int)
    corner = (from_side < BORDER) & (from_end < BORDER)
    which = np.where(from_side < from_end, 1 + (x > 0.5), 3 + (y > 0.5))
    window.put((m < BORDER) & ~corner, which * 100 + cut, lambda k: palette("#9c1c34", "#1f3f9a")[k % 2])
    window.put(
        (m < BORDER) & ~corner & (m > 0.018) & (m < 0.044) & (np.abs(run * 16 % 1 - 0.5) < 0.22),
        which * 100 + cut,
        palette("#f2b63a"),
    )
    window.put(corner, which * 0 + (x > 0.5) * 2 + (y > 0.5), palette("#2c8a5a"))


def _lit(window):
    """Return the window with light behind it and lead between the panes."""
    x, y, label = window.x, window.y, window.label
    seam = np.zeros((SIZE, SIZE), bool)
    seam[:, 1:] |= label[:, 1:] != label[:, :-1]
    seam[1:] |= label[1:] != label[:-1]
    gap = distance(seam, 28)
    wide = 4.6 + 1.2 * perlin(x * 30, y * 30, 3)
    lead = smooth(wide + 1.0, wide - 1.0, gap)
    glass = _glass(window, gap)
    metal_h = np.sqrt(np.clip(1 - (gap / wide.clip(2)) ** 2, 0, 1)) * wide
    shade, gloss = relief(metal_h + 0.5 * fbm(x * 120, y * 120, 2, 3), (-0.5, -0.8, 0.8), 0.8)
    metal = rgb("#24242a") * np.clip(shade, 0.2, 1.6)[..., None] + 0.30 * (gloss**18)[..., None]
    out = mix(glass, metal, lead[..., None])
    # Bright glass makes the lead beside it brighter.
    spill = blur(np.clip(glass * (1 - lead)[..., None], 0, 1) ** 2, 12)
    out = np.clip(out, 0, 1.3) + 0.30 * spill
    return grade(shrink(out, 2), 0.25, 1.12, 0.12)


def _glass(window, gap):
    """Return the glass with light behind it. Streaks, bubbles, and dirt near the lead make the light uneven."""
    x, y = window.x, window.y
    hue = (window.label * 2654435761 % 997 / 997.0).astype(F32)  # a random number of each pane
    turn = hue * 6.3
    u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    streak = fbm(u * 9 + hue * 50, v * 46, 4, 6)
    wavy = fbm(x * 7 + hue * 9, y * 7, 4, 12)
    through = 0.98 + 0.34 * streak + 0.45 * wavy
    through *= 0.62 + 0.38 * smooth(3, 24, gap)
    through *= 0.86 + 0.5 * np.exp(-window.d / 0.26)
    bubbles, _ = cells(x * 70, y * 70, 4)
    through += 0.22 * smooth(0.09, 0.05, bubbles) * (hue > 0.7) - 0.05 * smooth(0.06, 0.10, bubbles) * smooth(
        0.15, 0.10, bubbles
    )
    bump = 10 * streak + 16 * wavy
    _, shine = relief(bump, (-0.5, -0.8, 0.7), 0.35)
    light = np.clip(through, 0.12, None)[..., None]
    glass = window.colour ** (1.25 / np.clip(light, 0.6, 1.6)) * light
    return glass + 0.16 * (shine**30)[..., None]

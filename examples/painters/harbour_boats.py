"""The boats in the harbour, drawn as flat shapes."""

import numpy as np

from .brush import F32, lin, mix, polygon

# Position in metres (to the right, away), size and colour of the hull, from back to front.
BOATS = ((-11.0, 36.0, 1.2, "#e6dcc6"), (-6.4, 22.0, 1.1, "#2f4f6f"), (-1.6, 13.5, 0.95, "#a8322a"))

# Parts above the hull: outline in metres, colour on the left and on the right.
CABIN = ([(-1.5, 0.56), (-1.4, 1.02), (0.25, 1.06), (0.5, 0.58)], lin("#efe6d2"), lin("#8a7c68"))
CABIN_ROOF = ([(-1.5, 1.0), (-1.48, 1.08), (0.34, 1.13), (0.32, 1.04)], lin("#a86a3a"), lin("#6a4020"))
MAST = ([(0.66, 0.6), (0.69, 6.2), (0.75, 6.2), (0.78, 0.6)], lin("#d8aa72"), lin("#4a2e1a"))
ROLLED_SAIL = (
    [(0.70, 1.50), (-0.8, 1.40), (-2.2, 1.36), (-2.3, 1.50), (-1.6, 1.64), (-0.6, 1.76), (0.70, 1.88)],
    lin("#efe2c6"),
    lin("#a8866a"),
)


def draw_boats(canvas, focal, light, row):
    """Draw the boats into a picture.

    Args:
        canvas: picture (rows, width, 3), changed in place.
        focal: focal length in px.
        light: light on the boats (3,).
        row: function of a height and a distance in metres that returns the row in the picture.
    """
    for bx, bz, size, hue in BOATS:
        for outline, left, right in _parts(lin(hue)):
            points = [((bx + a * size * 0.93), b * size, bz + a * size * 0.38) for a, b in outline]
            points = [(x / z * focal + canvas.shape[1] / 2, row(y, z)) for x, y, z in points]
            _fill(canvas, points, (left, right), light)


def _parts(paint):
    """Yield the parts of a boat from back to front: outline in metres, colour on the left and on the right."""
    t = np.linspace(-2.55, 2.9, 24)
    sheer = 0.55 + 0.045 * (t + 0.6) ** 2 * np.where(t > -0.6, 1, 0.6)
    top = list(zip(t, sheer, strict=True))
    yield [*top, (2.2, 0.0), (-2.3, 0.0)], paint, paint * 0.42
    yield [*top, *[(a, b - 0.09) for a, b in top[::-1]]], lin("#f3ead6"), lin("#a89878")
    yield [(-2.3, 0.0), (-2.34, 0.13), (2.3, 0.13), (2.2, 0.0)], lin("#3a2a26"), lin("#1a1416")
    yield CABIN
    yield CABIN_ROOF
    for a in (-1.1, -0.6, -0.1):
        pane = [(a - 0.14, 0.70), (a - 0.14, 0.90), (a + 0.14, 0.91), (a + 0.14, 0.71)]
        yield pane, np.array((2.4, 1.3, 0.5), F32), np.array((2.0, 1.0, 0.35), F32)
    yield MAST
    yield ROLLED_SAIL
    for a, b in ((2.85, 0.95), (-2.5, 0.62)):  # ropes from the top of the mast
        yield [(0.71, 6.15), (0.73, 6.15), (a + 0.012, b), (a, b)], lin("#2a2420"), lin("#2a2420")


def _fill(canvas, points, colours, light):
    """Fill a polygon with the light of colours that change from left to right."""
    rows, sw = canvas.shape[:2]
    x0, x1 = int(max(0, min(p[0] for p in points) - 2)), int(min(sw, max(p[0] for p in points) + 3))
    y0, y1 = int(max(0, min(p[1] for p in points) - 2)), int(min(rows, max(p[1] for p in points) + 3))
    if x1 <= x0 or y1 <= y0:
        return
    mask = polygon(y1 - y0, x1 - x0, [(x - x0, y - y0) for x, y in points], over=3)
    tone = mix(*colours, np.linspace(0, 1, x1 - x0, dtype=F32)[None, :, None] ** 1.5)
    canvas[y0:y1, x0:x1] = mix(canvas[y0:y1, x0:x1], tone * light * 0.85, mask[..., None])

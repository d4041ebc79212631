"""Colour spaces that a file names without a colour profile: made into a profile."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

__all__ = ["named_profile", "says_adobe_rgb"]

# x and y of red, green, blue and white.
Primaries = tuple[float, ...]

_D65 = (0.3127, 0.3290)
_BT709: Primaries = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, *_D65)
_ADOBE_RGB: Primaries = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *_D65)

# The numbers of ITU-T H.273, which PNG (cICP) and AVIF and HEIF (nclx) use.
_PRIMARIES: dict[int, Primaries] = {
    1: _BT709,
    2: _BT709,  # unspecified
    4: (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316),
    5: (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65),
    6: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    7: (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65),
    9: (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65),
    11: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351),
    12: (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65),
}
# The curves of television count as sRGB's, as in browsers: screens show both alike. 2 is "unspecified".
_SRGB_TRANSFERS = (1, 2, 6, 13, 14, 15)
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_PQ, _HLG = 16, 18

# Luminance of a white sheet in HDR pictures, and of the brightest highlight of HLG, in cd/m2 (ITU-R BT.2408).
_HDR_WHITE, _HLG_PEAK = 203.0, 1000.0

# Gammas that differ less mean the same curve; the limits of libpng.
_GAMMA_TOLERANCE, _PRIMARY_TOLERANCE = 0.05, 0.01

_D50 = np.array([0.9642, 1.0, 0.8249])
# Cone responses of Bradford's chromatic adaptation.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def named_profile(info: Mapping[Any, Any], *, adobe_rgb: bool) -> tuple[bytes | None, list[str]]:
    """Make a profile for the colour space that a picture names.

    Args:
        info: Pillow's `info` of a picture without a colour profile; "cicp" (numbers of H.273), "srgb", "gamma" and
            "chromaticity" count.
        adobe_rgb: Whether EXIF names Adobe RGB.

    Returns:
        The profile, None for sRGB; and notes for the user.
    """
    if "cicp" in info:
        return _of_numbers(*info["cicp"][:2])
    if "srgb" not in info and ("gamma" in info or "chromaticity" in info):
        return _of_gamma(info.get("gamma"), info.get("chromaticity"))
    return (_profile(_ADOBE_RGB, 563 / 256) if adobe_rgb else None), []


def says_adobe_rgb(exif: Image.Exif) -> bool:
    """Whether EXIF names Adobe RGB: a colour space other than sRGB, and rule R03 (DCF 2.0)."""
    camera = exif.get_ifd(ExifTags.IFD.Exif)
    if ExifTags.IFD.Interop not in camera:  # Pillow 12.1 fails on such files
        return False
    rule = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    return camera.get(ExifTags.Base.ColorSpace) != 1 and isinstance(rule, str) and rule.rstrip("\0 ") == "R03"


def _of_numbers(primaries: int, transfer: int) -> tuple[bytes | None, list[str]]:
    if primaries not in _PRIMARIES or transfer not in (*_SRGB_TRANSFERS, *_GAMMAS, _PQ, _HLG):
        return None, [f"colour space {primaries}/{transfer} of H.273: not converted, taken as sRGB"]
    if transfer in (_PQ, _HLG):
        name, curve = ("PQ", _pq()) if transfer == _PQ else ("HLG", _hlg())
        return _profile(_PRIMARIES[primaries], curve), [f"HDR ({name}): clipped at {_HDR_WHITE:g} cd/m2, paper white"]
    if transfer in _SRGB_TRANSFERS:
        return (None if primaries in (1, 2) else _profile(_PRIMARIES[primaries], _srgb())), []
    return _profile(_PRIMARIES[primaries], _GAMMAS[transfer]), []


def _of_gamma(gamma: float | None, chromaticity: tuple[float, ...] | None) -> tuple[bytes | None, list[str]]:
    """A profile for the gAMA (the exponent of encoding) and the cHRM (white, red, green, blue) of a PNG."""
    primaries = _BT709 if chromaticity is None else (*chromaticity[2:8], *chromaticity[:2])
    gamma = 1 / 2.2 if gamma is None else gamma
    curve = _srgb() if abs(gamma * 2.2 - 1) <= _GAMMA_TOLERANCE else 1 / max(gamma, 1e-9)
    if np.abs(np.subtract(primaries, _BT709)).max() <= _PRIMARY_TOLERANCE:
        if not isinstance(curve, float):
            return None, []
        primaries = _BT709
    if isinstance(curve, float) and not 0.1 < curve < 10:
        return None, [f"gamma {gamma:g}: not converted, taken as sRGB"]
    try:
        return _profile(primaries, curve), []
    except (np.linalg.LinAlgError, ZeroDivisionError, struct.error):
        return None, ["impossible primaries: not converted, taken as sRGB"]


def _srgb() -> NDArray[np.float64]:
    x = np.linspace(0, 1, 4096)
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def _pq() -> NDArray[np.float64]:
    """Light of SMPTE ST 2084, with white at 1."""
    root = np.linspace(0, 1, 4096) ** (32 / 2523)
    light = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return np.minimum(light ** (8192 / 1305) * 10000 / _HDR_WHITE, 1)


def _hlg() -> NDArray[np.float64]:
    """Light of ARIB STD-B67 on a screen of 1000 cd/m2, with white at 1. The screen's gamma is applied per channel."""
    x = np.linspace(0, 1, 4096)
    scene = np.where(x <= 0.5, x**2 / 3, (np.exp((x - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return np.minimum(scene**1.2 * _HLG_PEAK / _HDR_WHITE, 1)


def _profile(primaries: Primaries, curve: float | NDArray[np.float64]) -> bytes:
    """An ICC profile, version 2, of three primaries and one curve.

    Args:
        primaries: x and y of red, green, blue and white.
        curve: An exponent, or light at evenly spaced samples, (N,) in [0, 1].
    """
    xyz = np.array([[x / y, 1, (1 - x - y) / y] for x, y in zip(primaries[::2], primaries[1::2], strict=True)]).T
    white = xyz[:, 3]
    columns = xyz[:, :3] * np.linalg.solve(xyz[:, :3], white)
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD @ columns
    if isinstance(curve, float):
        points = struct.pack(">IH", 1, round(curve * 256))
    else:
        points = struct.pack(">I", len(curve)) + np.rint(curve * 65535).astype(">u2").tobytes()

    def place(values: NDArray[np.float64]) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(float(value) * 65536) for value in values))

    tags = {b"desc": b"desc" + bytes(4) + struct.pack(">I", 6) + b"named\0" + bytes(78), b"wtpt": place(_D50)}
    for name, column in zip((b"r", b"g", b"b"), adapted.T, strict=True):
        tags |= {name + b"XYZ": place(column), name + b"TRC": b"curv" + bytes(4) + points}
    table, body, start = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s28x", 2000, 1, 1, 0, 0, 0, b"acsp") + place(_D50)[8:]
    return header.ljust(128, b"\0") + table + body

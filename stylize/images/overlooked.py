"""Colour profiles and colour spaces that Pillow overlooks: those of AVIF, HEIF, JPEG 2000, BMP and QOI."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

__all__ = ["overlooked_colors"]

# The boxes that describe a picture stand before its pixels, and hold its profile.
_BOXES_BYTES = 4 << 20

_NO_SPAN = (0, 0)


def overlooked_colors(file: BinaryIO) -> dict[str, Any]:
    """Read what the colours of a picture mean.

    Args:
        file: A seekable stream of a picture in any format.

    Returns:
        Entries for the `info` of Pillow's image: "icc_profile"; "cicp", four numbers of ITU-T H.273; or "gamma".
    """
    file.seek(0)
    head = file.read(138)
    found: dict[str, Any] = {}
    if head[4:8] == b"ftyp":
        found["cicp"] = _nclx(head + file.read(_BOXES_BYTES))
    elif head[4:8] == b"jP  ":
        found["icc_profile"] = _jpeg_2000_profile(head + file.read(_BOXES_BYTES))
    elif head[:2] == b"BM" and len(head) == 138 and head[70:74] == b"DEBM":  # "MBED": an embedded profile
        offset, size = struct.unpack_from("<II", head, 126)
        file.seek(14 + offset)
        found["icc_profile"] = file.read(min(size, _BOXES_BYTES))
    elif head[:4] == b"qoif" and head[13:14] == b"\1":
        found["gamma"] = 1.0
    return {key: value for key, value in found.items() if value}


def _nclx(data: bytes) -> tuple[int, ...] | None:
    """The numbers of H.273 of the first picture that has some."""
    meta = _box(data, (0, len(data)), b"meta")
    properties = _box(data, _box(data, (meta[0] + 4, meta[1]), b"iprp"), b"ipco")  # "meta" begins with a version
    color = _box(data, properties, b"colr")
    while color != _NO_SPAN:
        content = data[slice(*color)]
        if content[:4] == b"nclx" and len(content) >= 11:
            return (*struct.unpack_from(">3H", content, 4), content[10] >> 7)
        color = _box(data, (color[1], properties[1]), b"colr")
    return None


def _jpeg_2000_profile(data: bytes) -> bytes | None:
    header = _box(data, (0, len(data)), b"jp2h")
    content = data[slice(*_box(data, header, b"colr"))]
    return content[3:] if content[:1] in (b"\2", b"\3") else None


def _box(data: bytes, within: tuple[int, int], wanted: bytes) -> tuple[int, int]:
    """Find a box between two places: where its content begins and ends; (0, 0) if there is none."""
    start, end = within
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        stop = end if size == 0 else min(end, start + size)
        if stop < start + head:
            break
        if kind == wanted:
            return start + head, stop
        start = stop
    return _NO_SPAN

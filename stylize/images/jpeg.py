"""JPEG files with damage that does not matter: without their end marker, or with damaged metadata."""

from __future__ import annotations

import hashlib
import io
import re
import struct
from typing import BinaryIO

from PIL import Image, JpegImagePlugin

__all__ = ["JpegFile", "with_end_marker"]

_SCAN = b"\xff\xda"
_END = b"\xff\xd9"

# What could have followed. Where pixels are missing, the decoder takes these bytes for pixels.
_FILLINGS = (b"\x55" * 64, b"\xaa" * 64)

# Segments beside the pixels, and how many bytes they hold at least. Pillow refuses a picture with a shorter segment.
_LENGTHS = {(0xE0, b"JFIF"): 14, (0xE2, b"ICC_PROFILE"): 14, (0xEE, b"Adobe"): 12}

# A marker within compressed data: neither a stuffed zero, nor a restart, nor padding.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


class JpegFile(JpegImagePlugin.JpegImageFile):
    """A JPEG that Pillow refuses, read without what is damaged beside its pixels.

    Raises:
        SyntaxError: Something else is damaged.
    """

    def _open(self) -> None:
        assert self.fp is not None
        self.fp = _without_short_segments(self.fp.read())
        super()._open()
        self.info["notes"] = ["the JPEG's metadata are damaged, and are read in part"]

    def _read_dpi_from_exif(self) -> None:
        """Leave the resolution to `stylize.images.metadata`: its type may be one that Pillow does not expect."""


def _without_short_segments(data: bytes) -> BinaryIO:
    """Return a JPEG without the segments that are too short; JPEG's own decoder ignores them, too."""
    kept, at = [data[:2]], 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != _SCAN[1]:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        segment = data[at + 4 : end]
        if not any(
            data[at + 1] == marker and segment.startswith(name) and len(segment) < length
            for (marker, name), length in _LENGTHS.items()
        ):
            kept.append(data[at:end])
        at = end
    return io.BytesIO(b"".join([*kept, data[at:]]))


def with_end_marker(file: BinaryIO) -> BinaryIO | None:
    """Add the end marker to a JPEG that lacks nothing else.

    Returns:
        The completed file, or None if pixels are missing.
    """
    file.seek(0)
    data = file.read().removesuffix(b"\xff")
    if data.endswith(_END) or not _has_all_scans(data):
        return None
    # Where a restart is due, the decoder skips all bytes before its marker; the markers count from 0 to 7 in each scan.
    restarts = re.findall(rb"\xff[\xd0-\xd7]", data[data.rindex(_SCAN) :])
    restart = bytes([0xFF, 0xD0 + ((restarts[-1][1] + 1) % 8 if restarts else 0)])
    decoded = set()
    for continuation in (b"", *_FILLINGS, *(restart + filling for filling in _FILLINGS)):
        with Image.open(io.BytesIO(data + continuation + _END), formats=["JPEG"]) as image:
            decoded.add(hashlib.sha256(image.tobytes()).digest())
    return io.BytesIO(data + _END) if len(decoded) == 1 else None


def _has_all_scans(data: bytes) -> bool:
    """Whether the scans hold all coefficients of all components in full precision."""
    at, components, finished = 2, set[int](), set[tuple[int, int]]()
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        segment = data[at + 4 : at + 2 + length]
        at += 2 + length
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            components = {segment[6 + 3 * i] for i in range(segment[5])}
        elif marker == 0xDA:
            of_scan = [segment[1 + 2 * i] for i in range(segment[0])]
            first, last, precision = segment[1 + 2 * segment[0] :][:3]
            if precision & 0x0F == 0:
                finished |= {(component, k) for component in of_scan for k in range(first, last + 1)}
            following = _MARKER.search(data, at)
            if following is None:
                break
            at = following.start()
    return bool(components) and finished >= {(component, k) for component in components for k in range(64)}

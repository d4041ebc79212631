"""Made-up picture files for the tests of `stylize.images`."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from stylize.errors import ImageError


def scene(height: int = 24, width: int = 36) -> np.ndarray:
    """A smooth picture, uint8 (H, W, 3), without symmetry: lossy formats hardly change it."""
    y, x = np.mgrid[:height, :width]
    red, green = 40 + 180 * x / width, 30 + 150 * y / height
    return np.stack([red, green, 220 - 0.6 * red], axis=2).astype(np.uint8)


def png(depth: int, color: int, size: tuple[int, int], rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of any kind, also of those that Pillow can't write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, 0)
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in body)


def single_line(error: pytest.ExceptionInfo[ImageError]) -> str:
    """The message of an error, which has to be one line."""
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message

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


def psd(
    pixels: np.ndarray, *, mode: int = 3, layers: int | None = None, resources: dict[int, bytes] | None = None,
    packed: bool = False,
) -> bytes:  # fmt: skip
    """A PSD of 8 bits, flattened.

    Args:
        pixels: uint8 (H, W, channels). After the colours come transparency and saved selections.
        mode: 1 for gray, 3 for RGB, 4 for CMYK, whose samples are stored inverted.
        layers: How many empty layers there are, negative where the channel after the colours is transparency.
        resources: Image resources by number.
        packed: Whether each row is compressed, by PackBits.
    """
    height, width, channels = pixels.shape
    head = b"8BPS\0\1" + struct.pack(">6xHIIHH", channels, height, width, 8, mode)

    def block(data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + data

    of_resources = b"".join(
        b"8BIM" + struct.pack(">HH", number, 0) + block(data) + bytes(len(data) % 2)
        for number, data in (resources or {}).items()
    )
    layer = struct.pack(">4iH4s4sII", 0, 0, 0, 0, 0, b"8BIM", b"norm", 0, 0)
    of_layers = b"" if layers is None else block(struct.pack(">h", layers) + layer * abs(layers))
    rows = [row.tobytes() for row in np.moveaxis(pixels, 2, 0).reshape(-1, width)]
    if packed:  # a row of up to 128 bytes as it is, after their number
        rows = [bytes([width - 1]) + row for row in rows]
    sizes = struct.pack(f">{len(rows)}H", *map(len, rows)) if packed else b""
    planes = struct.pack(">H", packed) + sizes + b"".join(rows)
    return head + block(b"") + block(of_resources) + block(of_layers) + planes


def wide_gamut_profile(kind: bytes = b"RGB ", curve: float = 2.2) -> bytes:
    """An ICC 2 profile: Adobe RGB (1998)'s primaries, or gray, with a pure power curve."""
    gamma = b"curv" + bytes(4) + struct.pack(">IH", 1, round(curve * 256)) + bytes(2)

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))

    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(79),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
    }
    if kind == b"GRAY":
        tags |= {b"kTRC": gamma}
    else:
        tags |= {b"rXYZ": xyz(0.60974, 0.31111, 0.01947), b"gXYZ": xyz(0.20528, 0.62567, 0.06087)}
        tags |= {b"bXYZ": xyz(0.14919, 0.06322, 0.74457), b"rTRC": gamma, b"gTRC": gamma, b"bTRC": gamma}
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4sI4s4s4s12s4s",
        132 + 12 * len(tags) + len(body),
        b"lcms",
        0x02100000,
        b"mntr",
        kind,
        b"XYZ ",
        struct.pack(">6H", 2000, 1, 1, 0, 0, 0),
        b"acsp",
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)  # the D50 white
    return header.ljust(128, b"\0") + table + body


def single_line(error: pytest.ExceptionInfo[ImageError]) -> str:
    """The message of an error, which has to be one line."""
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message

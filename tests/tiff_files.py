"""TIFF files of any kind, written byte by byte, also kinds that no library writes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRAY_NEGATIVE, GRAY, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


@dataclass(frozen=True)
class Tiff:
    """A TIFF of one page. The names are those of `stylize.images.tiff.TiffLayout`."""

    bits: int = 8
    kind: int = UNSIGNED
    photometric: int = GRAY
    extra: tuple[int, ...] = ()
    planar: bool = False
    big_endian: bool = False
    deflate: bool = False
    predictor: int = 1
    tile: tuple[int, int] | None = None
    rows_per_strip: int = 3
    big_tiff: bool = False
    tags: tuple[tuple[int, str, Any], ...] = ()

    @property
    def white(self) -> float:
        """The sample of white."""
        return 1.0 if self.kind == FLOAT else 2.0 ** (self.bits - (self.kind == SIGNED)) - 1

    def stored(self, unit: NDArray[np.float64]) -> NDArray[Any]:
        """Samples from numbers in [0, 1], in the byte order of the machine."""
        width = next(width for width in (1, 2, 4, 8) if 8 * width >= self.bits)
        if self.kind == FLOAT:
            return unit.astype(f"f{width}")
        rounded = np.rint(unit * self.white)
        largest = np.nextafter(2.0 ** (self.bits - (self.kind == SIGNED)), 0)  # 64 bits do not fit into a double
        return np.minimum(rounded, largest).astype(f"{'i' if self.kind == SIGNED else 'u'}{width}")

    def file(self, unit: NDArray[np.float64]) -> bytes:
        """The bytes of the file.

        Args:
            unit: float (H, W, samples) in [0, 1], as stored: negative where white is zero, premultiplied.
        """
        height, width, count = unit.shape
        stored = self.stored(unit)
        planes = [stored[..., i, None] for i in range(count)] if self.planar else [stored]
        chunks = [chunk for plane in planes for chunk in self._chunks(plane)]
        tags: list[tuple[int, str, Any]] = [
            (256, "I", [width]),
            (257, "I", [height]),
            (258, "H", [self.bits] * count),
            (259, "H", [8 if self.deflate else 1]),
            (262, "H", [self.photometric]),
            (277, "H", [count]),
            (284, "H", [2 if self.planar else 1]),
            (317, "H", [self.predictor]),
            (339, "H", [self.kind] * count),
            *self.tags,
        ]
        if self.extra:
            tags.append((338, "H", list(self.extra)))
        offsets, sizes = (273, 279) if self.tile is None else (324, 325)
        if self.tile is None:
            tags.append((278, "I", [self.rows_per_strip]))
        else:
            tags += [(322, "I", [self.tile[1]]), (323, "I", [self.tile[0]])]
        start = 16
        places = (start + np.cumsum([0, *map(len, chunks)])[:-1]).tolist()
        tags += [(offsets, "I", places), (sizes, "I", [len(chunk) for chunk in chunks])]
        return self._assembled(b"".join(chunks), tags)

    def _assembled(self, body: bytes, tags: list[tuple[int, str, Any]]) -> bytes:
        order = ">" if self.big_endian else "<"
        word, inline = ("Q", 8) if self.big_tiff else ("I", 4)
        at = 16 + len(body)
        lists_at = at + struct.calcsize(f"={'Q' if self.big_tiff else 'H'}{word}") + len(tags) * (4 + 2 * inline)
        directory, lists = struct.pack(order + ("Q" if self.big_tiff else "H"), len(tags)), b""
        for tag, letter, values in sorted(tags):
            data = struct.pack(f"{order}{len(values)}{letter}", *values)
            number = {"B": 1, "H": 3, "I": 4}[letter]
            directory += struct.pack(f"{order}HH{word}", tag, number, len(values))
            if len(data) <= inline:
                directory += data.ljust(inline, b"\0")
            else:
                directory += struct.pack(order + word, lists_at + len(lists))
                lists += data
        mark = b"MM" if self.big_endian else b"II"
        head = struct.pack(f"{order}HHHQ", 43, 8, 0, at) if self.big_tiff else struct.pack(f"{order}HI6x", 42, at)
        return mark + head.ljust(14, b"\0") + body + directory + struct.pack(order + word, 0) + lists

    def _chunks(self, plane: NDArray[Any]) -> list[bytes]:
        """Strips or tiles of a plane."""
        height, width = plane.shape[:2]
        if self.tile is None:
            parts = [plane[top : top + self.rows_per_strip] for top in range(0, height, self.rows_per_strip)]
        else:
            rows, columns = self.tile
            padded = np.pad(plane, ((0, -height % rows), (0, -width % columns), (0, 0)), mode="edge")
            parts = [
                padded[y : y + rows, x : x + columns] for y in range(0, height, rows) for x in range(0, width, columns)
            ]
        packed = [self._bytes(part) for part in parts]
        return [zlib.compress(each) for each in packed] if self.deflate else packed

    def _bytes(self, part: NDArray[Any]) -> bytes:
        order = ">" if self.big_endian else "<"
        if self.bits not in (8, 16, 32, 64):
            rows = part.reshape(len(part), -1).astype(np.uint32)
            if self.bits == 24:
                four = rows.astype(order + "u4").view(np.uint8).reshape(*rows.shape, 4)
                return (four[..., 1:] if self.big_endian else four[..., :3]).tobytes()
            digits = rows[..., None] >> np.arange(self.bits - 1, -1, -1, dtype=np.uint32) & 1
            return np.packbits(digits.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()
        width = self.bits // 8
        if self.predictor == 2:
            whole = part.view(f"u{width}")
            part = np.concatenate([whole[:, :1], whole[:, 1:] - whole[:, :-1]], axis=1)
        elif self.predictor == 3:
            rows = part.reshape(len(part), -1).astype(f">f{width}")
            split = np.moveaxis(rows.view(np.uint8).reshape(*rows.shape, width), 2, 1)
            split = split.reshape(len(part), -1, part.shape[2])
            return np.concatenate([split[:, :1], split[:, 1:] - split[:, :-1]], axis=1).tobytes()
        return part.astype(part.dtype.newbyteorder(">" if self.big_endian else "<")).tobytes()

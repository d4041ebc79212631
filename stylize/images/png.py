"""PNG chunks beside the pixels: read with bounded memory, and left out where they are damaged."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

__all__ = ["SIGNATURE", "chunks", "without_faults"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"

# Pillow refuses a picture whose text or profile unpacks to more than 1 MB.
_PILLOW_LIMIT_BYTES = 1 << 20
_MAX_PROFILE_BYTES = 16 << 20
_MAX_TEXTS_BYTES = 16 << 20

_TEXTS = (b"tEXt", b"zTXt", b"iTXt")

# What is lost when a chunk is left out; other chunks beside the pixels do not change the picture.
_MEANINGS = {
    b"iCCP": "the colour profile: taken as sRGB",
    b"cICP": "the colour space: taken as sRGB",
    b"gAMA": "the gamma: taken as sRGB",
    b"cHRM": "the primaries: taken as sRGB",
    b"tRNS": "the transparency: taken as opaque",
    b"eXIf": "the orientation: taken as upright",
}

# Lengths in bytes. Pillow refuses a picture with a shorter chunk.
_LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"cICP": 4, b"sRGB": 1, b"pHYs": 9}


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the data of each chunk of a whole PNG."""
    start = len(SIGNATURE)
    while start < len(png):
        length, kind = struct.unpack_from(">I4s", png, start)
        yield kind, png[start + 8 : start + 8 + length]
        start += 12 + length


def without_faults(file: BinaryIO) -> tuple[BinaryIO, dict[str, Any]]:
    """Leave out what must not keep a picture from being read: damaged and huge chunks beside the pixels.

    Args:
        file: A seekable PNG.

    Returns:
        The file itself, or a copy without these chunks; and what replaces them in the `info` of Pillow's image:
        "icc_profile", "cicp" (the four numbers of that chunk) and "notes" for the user.
    """
    file.seek(len(SIGNATURE))
    kept, info, notes = [(0, len(SIGNATURE))], dict[str, Any](), []
    texts_bytes, whole = 0, True
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        start = file.tell() - 8
        end = start + 12 + length
        keep = True
        if kind[0] & 0x20:  # an ancillary chunk
            data, checksum = file.read(length), file.read(4)
            if len(checksum) < 4:
                kept.append((start, start + 8 + len(data)))
                break  # cut off
            if struct.unpack(">I", checksum)[0] != zlib.crc32(kind + data) or len(data) < _LENGTHS.get(kind, 0):
                keep = False
                if kind in _MEANINGS:
                    notes.append(f"the PNG's {kind.decode()} is damaged, and with it {_MEANINGS[kind]}")
            elif kind in _TEXTS:
                texts_bytes += _unpacked_text_bytes(kind, data)
                keep = texts_bytes <= _MAX_TEXTS_BYTES and _unpacked_text_bytes(kind, data) <= _PILLOW_LIMIT_BYTES
            elif kind == b"iCCP":
                profile = _profile(data)
                keep = profile is not None and len(profile) <= _PILLOW_LIMIT_BYTES
                if profile is None:
                    notes.append("colour profile unreadable: taken as sRGB")
                elif not keep:
                    info["icc_profile"] = profile
            elif kind == b"cICP":
                info["cicp"] = tuple(data[:4])
        if keep:
            kept.append((start, end))
        whole = whole and keep
        if kind == b"IEND":
            break
        file.seek(end)
    if notes:
        info["notes"] = notes
    file.seek(0)
    return (file if whole else _parts(file, kept)), info


def _parts(file: BinaryIO, places: list[tuple[int, int]]) -> BinaryIO:
    copy = io.BytesIO()
    for start, end in places:
        file.seek(start)
        copy.write(file.read(end - start))
    copy.seek(0)
    return copy


def _unpacked_text_bytes(kind: bytes, data: bytes) -> int:
    """The size of a text in memory, counted up to a little more than Pillow's limit."""
    rest = data.partition(b"\0")[2]
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] != b"\1"):
        return len(data)
    packed = rest[1:] if kind == b"zTXt" else rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    unpacked = _unpacked(packed, _PILLOW_LIMIT_BYTES)
    return 0 if unpacked is None else len(unpacked)


def _profile(data: bytes) -> bytes | None:
    """Unpack a colour profile; None if it is damaged or too large."""
    profile = _unpacked(data.partition(b"\0")[2][1:], _MAX_PROFILE_BYTES)
    return None if profile is None or len(profile) > _MAX_PROFILE_BYTES else profile


def _unpacked(packed: bytes, limit_bytes: int) -> bytes | None:
    """Unpack at most one byte more than the limit; None if the data is damaged."""
    try:
        return zlib.decompressobj().decompress(packed, limit_bytes + 1)
    except zlib.error:
        return None

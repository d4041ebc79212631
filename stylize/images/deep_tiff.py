"""TIFF samples that Pillow refuses or misreads. Pillow decompresses the bytes, NumPy gives the bytes their meaning."""

from __future__ import annotations

import io
import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from stylize.errors import ImageError
from stylize.images.samples import finite, white_of_floats, white_of_integers
from stylize.images.tiff import FLOAT, SIGNED, YCBCR, TiffLayout, layout_of
from stylize.native_stderr import native_stderr_silenced

__all__ = ["TiffFile"]

# Rows computed at once where single bits are unpacked: each bit becomes a byte.
_BAND_PX = 64

# ITU-R BT.601, without headroom, the default of TIFF.
_RGB_OF_YCBCR = np.array([[1, 1, 1], [0, -0.344136, 1.772], [1.402, -0.714136, 0]], np.float32)

# Compressions that know no predictor: none and PackBits.
_UNPREDICTED = (1, 32773)


class TiffFile(TiffImagePlugin.TiffImageFile):
    """A TIFF whose samples are read right, or refused with a description of what they are.

    Gray without alpha becomes mode F, with white at 1. Everything else has 8 bits per sample, as in Pillow.

    Raises:
        ImageError: The samples are of a kind that is not supported; the message is the name of the kind.
    """

    _layout: TiffLayout | None

    def _setup(self) -> None:
        layout = layout_of(self.tag_v2)
        self._layout = None
        if layout.for_pillow:
            try:
                super()._setup()
            except SyntaxError:
                raise ImageError(layout.described()) from None
            return
        refusal = layout.refusal()
        if refusal is not None:
            raise ImageError(refusal)
        self._layout = layout
        self._size = layout.width, layout.height
        gray = len(layout.bits) - len(layout.extra) == 1
        self._mode = ("F" if gray else "RGB") if layout.alpha is None else ("LA" if gray else "RGBA")
        self.tile = []
        if TiffImagePlugin.ICCPROFILE in self.tag_v2:
            self.info["icc_profile"] = self.tag_v2[TiffImagePlugin.ICCPROFILE]

    def load(self) -> Any:
        """Decode the samples of this page."""
        if self._layout is None:
            with native_stderr_silenced():  # libtiff prints what is damaged
                return super().load()
        samples, notes = _unit_samples(self, self._layout)
        self.info["notes"] = [*self.info.get("notes", []), *notes]
        array = samples[..., 0] if self.mode == "F" else np.rint(samples * 255).astype(np.uint8)
        self.im = Image.fromarray(array).im
        self._layout = None
        return super().load()


def _unit_samples(image: TiffFile, layout: TiffLayout) -> tuple[NDArray[np.float32], list[str]]:
    """Return the colours, and alpha last if there is one: float32 (H, W, C) in [0, 1]; and notes for the user."""
    stored = np.concatenate([_plane(image, layout, i) for i in range(len(layout.bits) if layout.planar else 1)], axis=2)
    colors, notes = _in_unit_range(stored[..., : len(layout.bits) - len(layout.extra)], layout)
    alpha = None if layout.alpha is None else _in_unit_range(stored[..., layout.alpha, None], layout)[0]
    if alpha is not None and layout.premultiplied:
        colors = np.clip(colors / np.maximum(alpha, np.finfo(np.float32).eps), 0, 1)
    if layout.white_is_zero:
        colors = 1 - colors
    if layout.photometric == YCBCR:
        colors = np.clip((colors - np.array([0, 128 / 255, 128 / 255], np.float32)) @ _RGB_OF_YCBCR, 0, 1)
    return (colors if alpha is None else np.concatenate([colors, alpha], axis=2)), notes


def _in_unit_range(stored: NDArray[Any], layout: TiffLayout) -> tuple[NDArray[np.float32], list[str]]:
    """Divide samples by the sample of white."""
    notes: list[str] = []
    bits, kind = layout.bits[0], layout.kinds[0]
    if kind == FLOAT:
        stored, notes = finite(stored.astype(np.float32))
        white, white_notes = white_of_floats(float(stored.max()))
        notes += white_notes
    else:
        white = white_of_integers(bits - (kind == SIGNED), int(stored.max()))
    return np.clip(stored.astype(np.float32) / np.float32(white), 0, 1), notes


def _plane(image: TiffFile, layout: TiffLayout, index: int) -> NDArray[Any]:
    """Decode one plane: as stored, (H, W, samples). Without planes, the only plane holds all samples."""
    samples = 1 if layout.planar else len(layout.bits)
    columns = int(image.tag_v2.get(TiffImagePlugin.TILEWIDTH, layout.width))
    row_bytes = math.ceil(columns * samples * layout.bits[0] / 8)
    raw = _decompressed(image, layout, index, row_bytes)  # (H, tiles in a row, bytes in a row of a tile)
    values = _values(raw, layout, samples, big_endian=image.tag_v2.prefix == b"MM")
    values = values[:, :, : columns * samples].reshape(layout.height, -1, samples)
    return values[:, : layout.width]


def _decompressed(image: TiffFile, layout: TiffLayout, index: int, row_bytes: int) -> NDArray[np.uint8]:
    """Let Pillow decompress the strips or tiles of a plane, as if the plane were 8-bit gray: every byte is a pixel.

    Returns:
        uint8 (H, tiles in a row, `row_bytes`).
    """
    tags = image.tag_v2
    tiled = TiffImagePlugin.TILEWIDTH in tags
    columns = int(tags.get(TiffImagePlugin.TILEWIDTH, layout.width))
    rows = int(tags[TiffImagePlugin.TILELENGTH] if tiled else tags.get(TiffImagePlugin.ROWSPERSTRIP, layout.height))
    if min(columns, rows) < 1:
        raise ValueError(f"tiles of {columns} x {rows} px")
    across, down = math.ceil(layout.width / columns), math.ceil(layout.height / rows)
    part = slice(index * across * down, (index + 1) * across * down)
    offsets = tags[TiffImagePlugin.TILEOFFSETS if tiled else TiffImagePlugin.STRIPOFFSETS][part]
    sizes = tags[TiffImagePlugin.TILEBYTECOUNTS if tiled else TiffImagePlugin.STRIPBYTECOUNTS][part]
    assert image.fp is not None
    chunks = []
    for offset, size in zip(offsets, sizes, strict=True):
        image.fp.seek(offset)
        chunks.append(image.fp.read(size))
    size = (across * row_bytes, layout.height)
    grid = (row_bytes, rows) if tiled else None
    file = _gray_tiff(chunks, size, rows, grid, layout.compression)
    # The caller has checked the size in pixels, which Pillow does not know here.
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with native_stderr_silenced(), Image.open(file, formats=["TIFF"]) as plane:
            return np.asarray(plane).reshape(layout.height, across, row_bytes)
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _gray_tiff(
    chunks: list[bytes], size: tuple[int, int], rows: int, tile: tuple[int, int] | None, compression: int
) -> io.BytesIO:
    """Lay out compressed strips or tiles as a little-endian TIFF of 8-bit gray."""
    offsets = np.cumsum([8, *map(len, chunks)])[:-1].tolist()
    body = b"".join(chunks)
    body += bytes(len(body) % 2)
    tags: dict[int, list[int]] = {
        TiffImagePlugin.IMAGEWIDTH: [size[0]],
        TiffImagePlugin.IMAGELENGTH: [size[1]],
        TiffImagePlugin.BITSPERSAMPLE: [8],
        TiffImagePlugin.COMPRESSION: [compression],
        TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: [1],
        TiffImagePlugin.SAMPLESPERPIXEL: [1],
    }
    sizes = [len(chunk) for chunk in chunks]
    if tile is None:
        tags |= {TiffImagePlugin.ROWSPERSTRIP: [min(rows, size[1])]}
        tags |= {TiffImagePlugin.STRIPOFFSETS: offsets, TiffImagePlugin.STRIPBYTECOUNTS: sizes}
    else:
        tags |= {TiffImagePlugin.TILEWIDTH: [tile[0]], TiffImagePlugin.TILELENGTH: [tile[1]]}
        tags |= {TiffImagePlugin.TILEOFFSETS: offsets, TiffImagePlugin.TILEBYTECOUNTS: sizes}
    directory_at = 8 + len(body)
    lists_at = directory_at + 2 + 12 * len(tags) + 4
    directory, lists = struct.pack("<H", len(tags)), b""
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}I", *values)
        if len(values) == 1:
            directory += struct.pack("<HHI", tag, 4, 1) + packed
        else:
            directory += struct.pack("<HHII", tag, 4, len(values), lists_at + len(lists))
            lists += packed
    return io.BytesIO(b"II*\0" + struct.pack("<I", directory_at) + body + directory + bytes(4) + lists)


def _values(raw: NDArray[np.uint8], layout: TiffLayout, samples: int, *, big_endian: bool) -> NDArray[Any]:
    """Turn the bytes of rows into numbers: (H, tiles in a row, samples in a row of a tile)."""
    bits, kind = layout.bits[0], layout.kinds[0]
    height, across = raw.shape[:2]
    predictor = 1 if layout.compression in _UNPREDICTED else layout.predictor
    if bits not in (8, 16, 32, 64):
        return _unpacked(raw, bits, big_endian=big_endian)
    width = bits // 8
    if predictor == 3:
        bytes_ = np.cumsum(raw.reshape(height, across, -1, samples), axis=2, dtype=np.uint8)
        # The highest bytes of all floats come first, then the second bytes, and so on.
        planes = bytes_.reshape(height, across, width, -1)
        return np.ascontiguousarray(np.moveaxis(planes, 2, 3)).view(f">f{width}")[..., 0]
    order = ">" if big_endian else "<"
    values = raw.view(f"{order}u{width}").astype(f"u{width}", copy=False)
    if predictor == 2:
        grouped = values.reshape(height, across, -1, samples)
        values = np.cumsum(grouped, axis=2, dtype=values.dtype).reshape(height, across, -1)
    return values.view({FLOAT: f"f{width}", SIGNED: f"i{width}"}.get(kind, f"u{width}"))


def _unpacked(raw: NDArray[np.uint8], bits: int, *, big_endian: bool) -> NDArray[np.uint32]:
    """Read numbers of any bits, packed without gaps: (H, tiles in a row, numbers in a row of a tile)."""
    if bits == 24 and not big_endian:
        raw = np.ascontiguousarray(raw.reshape(*raw.shape[:2], -1, 3)[..., ::-1]).reshape(raw.shape)
    count = raw.shape[2] * 8 // bits
    values = np.zeros((*raw.shape[:2], count), np.uint32)
    for top in range(0, len(raw), _BAND_PX):
        band = slice(top, top + _BAND_PX)
        digits = np.unpackbits(raw[band], axis=2)[..., : count * bits].reshape(*raw[band].shape[:2], count, bits)
        for place in range(bits):
            values[band] = values[band] << 1 | digits[..., place]
    return values

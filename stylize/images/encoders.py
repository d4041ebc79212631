"""Samples to the bytes of a file: PNG, JPEG, WebP, TIFF or AVIF, in sRGB."""

from __future__ import annotations

import io
import itertools
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from stylize.errors import ImageError
from stylize.images.metadata import Metadata
from stylize.images.png import SIGNATURE, chunks
from stylize.images.profiles import srgb_profile
from stylize.output import OutputConfig

__all__ = ["ENCODERS", "Encoder", "beside_pixels"]

# uint8 or uint16 (H, W, 3 or 4).
_Samples = NDArray[np.uint8] | NDArray[np.uint16]

# Level 1 takes half the time of the default level, for 5 % more bytes.
_ZLIB_LEVEL = 1

# Bytes that are compressed at once.
_BAND_BYTES = 1 << 18

_MAX_JPEG_EXIF_BYTES = 65533  # the length of a JPEG segment, which counts itself, has 16 bits

# Offsets in a TIFF have 32 bits; some room is for the tags.
_MAX_TIFF_BYTES = 2**32 - 2**20


@dataclass(frozen=True)
class Encoder:
    """How a suffix is written, and what the format can hold.

    Attributes:
        format: Pillow's name of the format.
        write: Turns samples, metadata and options into the bytes of a file.
        options: Pillow's options; the default quality is among them.
        max_side_px: The longest side that the format can hold.
        alpha: Whether the format holds transparency.
    """

    format: str
    write: Callable[[_Samples, Metadata, Mapping[str, Any]], bytes]
    options: Mapping[str, Any]
    max_side_px: int
    alpha: bool = True

    @property
    def lossy(self) -> bool:
        """Whether a quality says how exact the pixels are."""
        return "quality" in self.options

    @property
    def deep(self) -> bool:
        """Whether the format holds 16 bits."""
        return self.format in ("PNG", "TIFF")

    def options_for(self, output: OutputConfig) -> Mapping[str, Any]:
        """Return Pillow's options, with the quality that is asked for."""
        return self.options if output.quality is None else {**self.options, "quality": output.quality}


def beside_pixels(name: str, metadata: Metadata) -> dict[str, Any]:
    """Return what Pillow writes beside the pixels: profile, metadata, and PNG's level of compression.

    Args:
        name: Pillow's name of the format: PNG, JPEG, WEBP or AVIF.
        metadata: What the file says.
    """
    png = name == "PNG"
    exif = metadata.exif(with_texts=not png)
    beside: dict[str, Any] = {"icc_profile": srgb_profile()}
    if len(exif) or metadata.photo or (metadata.texts and not png):
        beside["exif"] = exif.tobytes()
    if name in ("PNG", "JPEG") and metadata.dpi is not None:
        beside["dpi"] = metadata.dpi
    if png:
        texts = PngImagePlugin.PngInfo()
        for key, text in metadata.texts.items():
            texts.add_text(key, text)
        beside |= {"pnginfo": texts, "compress_level": _ZLIB_LEVEL}
    return beside


def _pillow_format(name: str) -> Callable[[_Samples, Metadata, Mapping[str, Any]], bytes]:
    def write(samples: _Samples, metadata: Metadata, options: Mapping[str, Any]) -> bytes:
        beside = beside_pixels(name, metadata)
        if name == "JPEG" and len(beside.get("exif", b"")) > _MAX_JPEG_EXIF_BYTES:
            raise ImageError(
                f"output: JPEG holds a provenance and metadata of up to {_MAX_JPEG_EXIF_BYTES} bytes, "
                f"received {len(beside['exif'])}; write PNG, WebP, TIFF or AVIF"
            )
        buffer = io.BytesIO()
        Image.fromarray(samples).save(buffer, name, **beside, **options)
        return buffer.getvalue()

    return write


def _png(samples: _Samples, metadata: Metadata, options: Mapping[str, Any]) -> bytes:
    # Pillow writes no colours of 16 bits. It writes all that is not the pixels, around a picture of one pixel.
    deep = samples.dtype == np.uint16
    image = Image.fromarray(np.zeros((1, 1, samples.shape[2]), np.uint8) if deep else samples)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **beside_pixels("PNG", metadata), **options)
    return _with_deep_pixels(buffer.getvalue(), samples) if deep else buffer.getvalue()


def _with_deep_pixels(png: bytes, samples: _Samples) -> bytes:
    """Return a PNG where uint16 samples take the place of the one pixel."""
    result = io.BytesIO(SIGNATURE)
    result.seek(len(SIGNATURE))
    for kind, data in chunks(png):
        if kind == b"IHDR":
            size = b"".join(side.to_bytes(4, "big") for side in (samples.shape[1], samples.shape[0]))
            PngImagePlugin.putchunk(result, kind, size + bytes([16]) + data[9:])
        elif kind == b"IDAT":
            _put_pixels(result, samples)
        else:
            PngImagePlugin.putchunk(result, kind, data)
    return result.getvalue()


def _put_pixels(file: io.BytesIO, samples: _Samples) -> None:
    height, width, channels = samples.shape
    pixel_bytes = 2 * channels
    rows = max(1, _BAND_BYTES // (width * pixel_bytes))
    zlib_stream = zlib.compressobj(_ZLIB_LEVEL)
    for top in range(0, height, rows):
        stored = samples[top : top + rows].astype(">u2").view(np.uint8).reshape(-1, width * pixel_bytes)
        # Each row begins with the number of its filter: 1, differences from the pixel to the left.
        filtered = np.ones((len(stored), 1 + stored.shape[1]), np.uint8)
        filtered[:, 1:] = stored
        filtered[:, 1 + pixel_bytes :] -= stored[:, :-pixel_bytes]
        PngImagePlugin.putchunk(file, b"IDAT", zlib_stream.compress(filtered.tobytes()))
    PngImagePlugin.putchunk(file, b"IDAT", zlib_stream.flush())


def _tiff(samples: _Samples, metadata: Metadata, options: Mapping[str, Any]) -> bytes:
    # Pillow compresses no TIFF that has EXIF or deep colours. It writes the tags.
    height, width, channels = samples.shape
    differences = samples.astype(samples.dtype.newbyteorder("<"))
    differences[:, 1:] -= samples[:, :-1]
    rows = max(1, _BAND_BYTES // (width * channels * samples.itemsize))
    strips = [zlib.compress(differences[top : top + rows].tobytes(), _ZLIB_LEVEL) for top in range(0, height, rows)]
    sizes = [len(strip) for strip in strips]
    if sum(sizes) > _MAX_TIFF_BYTES:
        raise ImageError("output: TIFF holds up to 4 GB, received more; write PNG")
    exif = metadata.exif(with_texts=True)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    values: dict[int, Any] = {
        **exif,
        TiffImagePlugin.IMAGEWIDTH: width,
        TiffImagePlugin.IMAGELENGTH: height,
        TiffImagePlugin.BITSPERSAMPLE: (8 * samples.itemsize,) * channels,
        TiffImagePlugin.COMPRESSION: 8,  # deflate
        TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: 2,  # RGB
        TiffImagePlugin.SAMPLESPERPIXEL: channels,
        TiffImagePlugin.ROWSPERSTRIP: rows,
        # Pillow adds the place where the tags end.
        TiffImagePlugin.STRIPOFFSETS: tuple(itertools.accumulate(sizes[:-1], initial=0)),
        TiffImagePlugin.STRIPBYTECOUNTS: tuple(sizes),
        TiffImagePlugin.PREDICTOR: 2,  # differences
        TiffImagePlugin.ICCPROFILE: srgb_profile(),
    }
    if channels == 4:
        values[TiffImagePlugin.EXTRASAMPLES] = 2  # alpha, not premultiplied
    if metadata.photo or metadata.texts:
        values[ExifTags.IFD.Exif] = exif.get_ifd(ExifTags.IFD.Exif)
    for tag, value in values.items():
        tags[tag] = value
    buffer = io.BytesIO()
    tags.save(buffer)
    buffer.writelines(strips)
    return buffer.getvalue()


_PNG = Encoder("PNG", _png, {}, 2**31 - 1)
_JPEG = Encoder("JPEG", _pillow_format("JPEG"), {"quality": 95, "subsampling": "4:4:4"}, 65500, alpha=False)
_TIFF = Encoder("TIFF", _tiff, {}, 2**31 - 1)

#: By suffix, without the dot.
ENCODERS: Mapping[str, Encoder] = {
    "png": _PNG,
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "webp": Encoder("WEBP", _pillow_format("WEBP"), {"quality": 95}, 16383),
    "tif": _TIFF,
    "tiff": _TIFF,
    "avif": Encoder("AVIF", _pillow_format("AVIF"), {"quality": 90, "subsampling": "4:4:4"}, 32768),
}

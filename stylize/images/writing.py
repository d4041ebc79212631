"""Pictures to files, with their provenance inside."""

from __future__ import annotations

import functools
import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from stylize.errors import ImageError
from stylize.files import check_place, whole_file
from stylize.images.provenance import PROVENANCE_MARKER, PROVENANCE_TAG
from stylize.images.reading import checked_samples
from stylize.text import one_line

__all__ = ["SUFFIXES", "check_output", "encode", "write_image"]


@dataclass(frozen=True)
class _Encoder:
    """How a suffix is written: Pillow's format, its options, and what the format can hold."""

    format: str
    options: Mapping[str, Any]
    max_side_px: int
    alpha: bool = True


# A twentieth more bytes than by the default level, in half the time.
_PNG = _Encoder("PNG", {"compress_level": 1}, 2**31 - 1)

_JPEG = _Encoder("JPEG", {"quality": 95, "subsampling": "4:4:4"}, 65500, alpha=False)

_TIFF = _Encoder("TIFF", {"compression": "tiff_adobe_deflate"}, 2**31 - 1)

_ENCODERS = {
    "png": _PNG,
    "jpg": _JPEG,
    "jpeg": _JPEG,
    "webp": _Encoder("WEBP", {"quality": 95}, 16383),
    "tif": _TIFF,
    "tiff": _TIFF,
    "avif": _Encoder("AVIF", {"quality": 90, "subsampling": "4:4:4"}, 32768),
}

#: The output suffixes, without the dot. PNG and TIFF are lossless; JPEG and WebP are written at quality 95,
#: AVIF at 90.
SUFFIXES = tuple(_ENCODERS)

_MAX_JPEG_EXIF_BYTES = 65533  # a segment's length, itself included, has 16 bits


def encode(
    pixels: np.ndarray,
    suffix: str,
    alpha: np.ndarray | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> bytes:
    """Encode a picture as the bytes of an 8-bit image file, with an sRGB profile and no foreign metadata.

    Args:
        pixels: float (H, W, 3), sRGB, [0, 1].
        suffix: one of `SUFFIXES`, with or without a dot, in any case.
        alpha: float (H, W), [0, 1]; JPEG, which holds none, is composited on white.
        provenance: a JSON-serialisable mapping to embed; `read_provenance` reads it back.

    Raises:
        ImageError: the suffix is unknown, the values are not finite or not in [0, 1], the shapes don't fit,
            or the format can't hold the size or the provenance.
    """
    encoder = _encoder(suffix.lower().removeprefix("."), "output")
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ImageError(f"output: expected pixels shaped (H, W, 3), received {pixels.shape}")
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ImageError(f"output: expected alpha shaped {pixels.shape[:2]}, received {alpha.shape}")
    height, width = pixels.shape[:2]
    if max(height, width) > encoder.max_side_px:
        raise ImageError(
            f"output: {encoder.format} holds sides up to {encoder.max_side_px} px, "
            f"received {width} x {height}; write PNG or TIFF"
        )
    samples = checked_samples(pixels, "output")
    if alpha is not None:
        cover = checked_samples(alpha, "output alpha")[..., None]
        if not encoder.alpha:
            samples = samples * cover + (1 - cover)
        elif cover.min() < 1:
            samples = np.concatenate([samples, cover], axis=2)

    options = dict(encoder.options)
    if provenance is not None:
        exif = Image.Exif()
        exif[PROVENANCE_TAG] = PROVENANCE_MARKER + json.dumps(dict(provenance))  # json escapes to ASCII
        options["exif"] = exif.tobytes()
        if encoder.format == "JPEG" and len(options["exif"]) > _MAX_JPEG_EXIF_BYTES:
            raise ImageError(
                f"output: JPEG holds a provenance of up to {_MAX_JPEG_EXIF_BYTES} bytes, "
                f"received {len(options['exif'])}; write PNG, WebP, TIFF or AVIF"
            )
    buffer = io.BytesIO()
    image = Image.fromarray(np.rint(samples * 255).astype(np.uint8))
    try:
        image.save(buffer, encoder.format, icc_profile=_srgb_profile(), **options)
    except (OSError, ValueError, MemoryError) as error:
        reason = one_line(error)
        raise ImageError(f"output: {encoder.format} encoding failed ({reason}); write PNG") from error
    return buffer.getvalue()


def write_image(
    path: str | os.PathLike[str],
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a picture in the format of its suffix, whole or not at all.

    The bytes go to a temporary file beside the target, which is then renamed. See `encode` for the arguments.

    Raises:
        ImageError: as `check_output` and `encode`; or the system refuses (disk full).
    """
    check_output(path, overwrite=overwrite)
    data = encode(pixels, os.path.splitext(os.fspath(path))[1], alpha, provenance=provenance)
    # open() rather than mkstemp(), which would make the picture private whatever the umask says.
    with whole_file(path, "output") as temporary, open(temporary, "xb") as file:
        file.write(data)


def check_output(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse at once an output that could not be written later.

    Raises:
        ImageError: the suffix is unknown or can't be encoded here, the folder is missing or not writable, or
            the file is there and `overwrite` is false.
    """
    _encoder(os.path.splitext(os.fspath(path))[1].lower().removeprefix("."), one_line(f"output {os.fspath(path)}"))
    check_place(path, "output", overwrite=overwrite)


def _encoder(suffix: str, label: str) -> _Encoder:
    encoder = _ENCODERS.get(suffix)
    if encoder is None:
        received = f".{suffix}" if suffix else "none"
        raise ImageError(f"{label}: expected a suffix of {', '.join(SUFFIXES)}, received {received}")
    if encoder.format in ("WEBP", "AVIF"):
        from PIL import features

        if not features.check(encoder.format.lower()):
            raise ImageError(f"{label}: this Pillow was built without {encoder.format}; write PNG or JPEG")
    return encoder


@functools.cache
def _srgb_profile() -> bytes:
    from PIL import ImageCms

    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # The date of making is 2000-01-01 for all: the same picture, the same bytes.
    data[24:36] = bytes.fromhex("07d0 0001 0001 0000 0000 0000")
    return bytes(data)

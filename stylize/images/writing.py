"""Pictures to files of PNG, JPEG, WebP, TIFF or AVIF, with their provenance inside."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.errors import ImageError
from stylize.files import check_place, whole_file
from stylize.images.picture import checked_samples
from stylize.images.profiles import srgb_profile
from stylize.images.provenance import provenance_exif
from stylize.text import one_line

__all__ = ["SUFFIXES", "check_output", "encode", "write_image"]


@dataclass(frozen=True)
class _Encoder:
    """How a suffix is written: Pillow's format, the options, and what the format can hold."""

    format: str
    options: Mapping[str, Any]
    max_side_px: int
    alpha: bool = True


# Level 1 takes half the time of the default level, for 5 % more bytes.
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
#: AVIF at quality 90.
SUFFIXES = tuple(_ENCODERS)

_MAX_JPEG_EXIF_BYTES = 65533  # the length of a JPEG segment, which counts itself, has 16 bits


def encode(
    pixels: NDArray[np.floating[Any]],
    suffix: str,
    alpha: NDArray[np.floating[Any]] | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> bytes:
    """Encode a picture as the bytes of an 8-bit image file, with an sRGB profile and no other metadata.

    Args:
        pixels: float (H, W, 3), sRGB, [0, 1].
        suffix: One of `SUFFIXES`, with or without a dot, in upper or lower case.
        alpha: float (H, W), [0, 1]. JPEG has no alpha channel: the picture is laid on white.
        provenance: A mapping that JSON can represent, embedded for `read_provenance`.

    Raises:
        ImageError: The suffix is unknown, the values are not finite or not in [0, 1], the shapes do not fit,
            or the format cannot hold the size or the provenance.
    """
    encoder = _encoder(suffix.lower().removeprefix("."), "output")
    _check_shapes(pixels, alpha, encoder)
    samples = checked_samples(pixels, "output")
    if alpha is not None:
        cover = checked_samples(alpha, "output alpha")[..., None]
        if not encoder.alpha:
            samples = samples * cover + (1 - cover)
        elif cover.min() < 1:
            samples = np.concatenate([samples, cover], axis=2)

    options = dict(encoder.options)
    if provenance is not None:
        options["exif"] = provenance_exif(provenance)
        if encoder.format == "JPEG" and len(options["exif"]) > _MAX_JPEG_EXIF_BYTES:
            raise ImageError(
                f"output: JPEG holds a provenance of up to {_MAX_JPEG_EXIF_BYTES} bytes, "
                f"received {len(options['exif'])}; write PNG, WebP, TIFF or AVIF"
            )
    buffer = io.BytesIO()
    image = Image.fromarray(np.rint(samples * 255).astype(np.uint8))
    try:
        image.save(buffer, encoder.format, icc_profile=srgb_profile(), **options)
    except (OSError, ValueError, MemoryError) as error:
        reason = one_line(error)
        raise ImageError(f"output: {encoder.format} encoding failed ({reason}); write PNG") from error
    return buffer.getvalue()


def write_image(
    path: str | os.PathLike[str],
    pixels: NDArray[np.floating[Any]],
    alpha: NDArray[np.floating[Any]] | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a picture in the format of the path's suffix.

    The bytes go to a temporary file in the same folder, which is then renamed. A failure leaves no partial picture
    and keeps the old file.

    Args:
        path: Where to write; the suffix is one of `SUFFIXES`.
        pixels: float (H, W, 3), sRGB, [0, 1].
        alpha: float (H, W), [0, 1]. JPEG has no alpha channel: the picture is laid on white.
        provenance: A mapping that JSON can represent, embedded for `read_provenance`.
        overwrite: Whether an existing file may be replaced.

    Raises:
        ImageError: As `check_output` and `encode`; or the system refuses to write (disk full).
    """
    check_output(path, overwrite=overwrite)
    data = encode(pixels, os.path.splitext(os.fspath(path))[1], alpha, provenance=provenance)
    # open() respects the umask; mkstemp() would make the picture private.
    with whole_file(path, "output", overwrite=overwrite) as temporary, open(temporary, "xb") as file:
        file.write(data)


def check_output(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Check before a long run that its picture can be written at the end.

    Raises:
        ImageError: The suffix is unknown or cannot be encoded here, the folder is missing or not writable, or
            the file exists and `overwrite` is false.
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


def _check_shapes(
    pixels: NDArray[np.floating[Any]], alpha: NDArray[np.floating[Any]] | None, encoder: _Encoder
) -> None:
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

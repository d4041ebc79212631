"""Pictures to files of PNG, JPEG, WebP, TIFF or AVIF, with their provenance and metadata inside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import ImageError, OptionError
from stylize.files import check_place, whole_file
from stylize.images.encoders import ENCODERS, Encoder
from stylize.images.metadata import NO_METADATA, Metadata
from stylize.images.picture import checked_samples
from stylize.images.provenance import provenance_text
from stylize.output import DEFAULT_OUTPUT, OutputConfig
from stylize.text import one_line

__all__ = [
    "SUFFIXES",
    "check_encoder",
    "check_format",
    "check_output",
    "check_sides",
    "checked_suffix",
    "encode",
    "write_image",
    "written_metadata",
]


#: The output suffixes, without the dot. PNG and TIFF are lossless; JPEG and WebP are written at quality 95,
#: AVIF at quality 90.
SUFFIXES = tuple(ENCODERS)


def encode(
    pixels: NDArray[np.floating[Any]],
    suffix: str,
    alpha: NDArray[np.floating[Any]] | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    metadata: Metadata = NO_METADATA,
    output: OutputConfig = DEFAULT_OUTPUT,
    folder: str | None = None,
) -> bytes:
    """Encode a picture as the bytes of an image file, with an sRGB profile.

    Args:
        pixels: float (H, W, 3), sRGB, [0, 1].
        suffix: One of `SUFFIXES`, with or without a dot, in upper or lower case.
        alpha: float (H, W), [0, 1]. JPEG has no alpha channel: the picture is laid on white.
        provenance: A mapping that JSON can represent, embedded for `read_provenance`.
        metadata: What the content's file said.
        output: Quality and bit depth; which metadata are kept, and whether the provenance is.
        folder: The folder of the file, where paths of the provenance start; None if there is none.

    Raises:
        ImageError: The suffix is unknown, the values are not finite or not in [0, 1], the shapes do not fit,
            or the format cannot hold the size or the provenance.
        OptionError: The format has no such quality or bit depth.
    """
    encoder = check_encoder(suffix.lower().removeprefix("."), "output", output)
    _check_shapes(pixels, alpha, encoder)
    samples = checked_samples(pixels, "output")
    if alpha is not None:
        cover = checked_samples(alpha, "output alpha")[..., None]
        if not encoder.alpha:
            samples = samples * cover + (1 - cover)
        elif cover.min() < 1:
            samples = np.concatenate([samples, cover], axis=2)

    metadata = written_metadata(metadata, provenance, output, folder)
    white, kind = (65535, np.uint16) if output.bit_depth == 16 else (255, np.uint8)
    try:
        return encoder.write(np.rint(samples * white).astype(kind), metadata, encoder.options_for(output))
    except (OSError, ValueError, MemoryError) as error:
        reason = one_line(error)
        raise ImageError(f"output: {encoder.format} encoding failed ({reason}); write PNG") from error


def written_metadata(
    metadata: Metadata, provenance: Mapping[str, Any] | None, output: OutputConfig, folder: str | None
) -> Metadata:
    """Return what a file says: the kept part of the content's metadata, and the provenance as the description.

    The provenance also tells how the file was written, where that is not the default.
    """
    metadata = metadata.kept(output.metadata)
    if provenance is None or not output.provenance:
        return metadata
    written = {name: value for name, value in vars(output).items() if value != getattr(DEFAULT_OUTPUT, name)}
    if written:
        provenance = {**provenance, "output": written}
    return metadata.with_description(provenance_text(provenance, folder))


def write_image(
    path: str | os.PathLike[str],
    pixels: NDArray[np.floating[Any]],
    alpha: NDArray[np.floating[Any]] | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    metadata: Metadata = NO_METADATA,
    output: OutputConfig = DEFAULT_OUTPUT,
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
        metadata: What the content's file said, see `Picture.metadata`.
        output: Quality and bit depth; which metadata are kept, and whether the provenance is.
        overwrite: Whether an existing file may be replaced.

    Raises:
        ImageError: As `check_output` and `encode`; or the system refuses to write (disk full).
        OptionError: As `check_output`.
    """
    check_output(path, output, overwrite=overwrite)
    name = os.fspath(path)
    data = encode(
        pixels, os.path.splitext(name)[1], alpha,
        provenance=provenance, metadata=metadata, output=output, folder=os.path.dirname(os.path.abspath(name)),
    )  # fmt: skip
    # open() respects the umask; mkstemp() would make the picture private.
    with whole_file(path, "output", overwrite=overwrite) as temporary, open(temporary, "xb") as file:
        file.write(data)


def check_output(
    path: str | os.PathLike[str],
    output: OutputConfig = DEFAULT_OUTPUT,
    *,
    overwrite: bool,
    long_side_px: int | None = None,
) -> None:
    """Check before a long run that its picture can be written at the end.

    Args:
        path: Where to write.
        output: How to write.
        overwrite: Whether an existing file may be replaced.
        long_side_px: The size of the picture; None where it is not known.

    Raises:
        OptionError: The format has no such quality or bit depth.
        ImageError: The suffix is unknown or cannot be encoded here, the format cannot hold the size, the folder is
            missing or not writable, or the file exists and `overwrite` is false.
    """
    encoder = check_encoder(
        os.path.splitext(os.fspath(path))[1].lower().removeprefix("."), one_line(f"output {os.fspath(path)}"), output
    )
    if long_side_px is not None:
        check_sides(long_side_px, long_side_px, encoder)
    check_place(path, "output", overwrite=overwrite)


def checked_suffix(text: str) -> str:
    """Return a suffix in small letters without dot. Raises OptionError if there is no such output."""
    suffix = text.lower().removeprefix(".")
    if suffix not in SUFFIXES:
        raise OptionError(f"format: expected one of {', '.join(SUFFIXES)}; received {suffix}")
    return suffix


def check_format(suffix: str, output: OutputConfig) -> None:
    """Raise OptionError if the format of a suffix has no such quality or bit depth."""
    encoder = ENCODERS[suffix]
    if output.quality is not None and not encoder.lossy:
        raise OptionError(
            f"quality: expected an output of jpg, webp or avif, received {suffix}, which is lossless; leave it out"
        )
    if output.bit_depth == 16 and not encoder.deep:
        raise OptionError(f"bit_depth: expected an output of png or tif for 16 bits, received {suffix}")


def check_encoder(suffix: str, label: str, output: OutputConfig) -> Encoder:
    """Return the encoder of a suffix. Raises ImageError if there is none, OptionError as `check_format`."""
    encoder = ENCODERS.get(suffix)
    if encoder is None:
        received = f".{suffix}" if suffix else "none"
        raise ImageError(f"{label}: expected a suffix of {', '.join(SUFFIXES)}, received {received}")
    check_format(suffix, output)
    if encoder.format in ("WEBP", "AVIF"):
        from PIL import features

        if not features.check(encoder.format.lower()):
            raise ImageError(f"{label}: this Pillow was built without {encoder.format}; write PNG or JPEG")
    return encoder


def _check_shapes(pixels: NDArray[np.floating[Any]], alpha: NDArray[np.floating[Any]] | None, encoder: Encoder) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise ImageError(f"output: expected pixels shaped (H, W, 3), received {pixels.shape}")
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ImageError(f"output: expected alpha shaped {pixels.shape[:2]}, received {alpha.shape}")
    check_sides(pixels.shape[0], pixels.shape[1], encoder)


def check_sides(height: int, width: int, encoder: Encoder) -> None:
    """Raise ImageError if the format cannot hold a picture of this size in px."""
    if max(height, width) > encoder.max_side_px:
        raise ImageError(
            f"output: {encoder.format} holds sides up to {encoder.max_side_px} px, "
            f"received {max(height, width)}; write PNG or TIFF"
        )

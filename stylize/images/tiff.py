"""How a TIFF stores its samples, and which TIFFs are read by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import TiffImagePlugin

__all__ = ["FLOAT", "SIGNED", "UNSIGNED", "YCBCR", "TiffLayout", "is_preview", "layout_of", "read_directories"]

#: What samples mean, the `photometric` of `TiffLayout`.
YCBCR = 6
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CIELAB = 0, 1, 2, 8
_PHOTOMETRICS = {
    **{0: "gray", 1: "gray", 2: "RGB", 3: "palette colours", 4: "a transparency mask", 5: "CMYK", 6: "YCbCr"},
    **{8: "CIELAB", 9: "ICCLAB", 10: "ITULAB", 32844: "LogL", 32845: "LogLuv"},
}

#: Sample formats.
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
_SAMPLE_FORMATS = {UNSIGNED: "unsigned", SIGNED: "signed", FLOAT: "float", 4: "undefined", 5: "complex", 6: "complex"}

# Compressions of bytes. The others, such as JPEG, compress samples: only Pillow decodes these.
_BYTE_COMPRESSIONS = (1, 5, 8, 32773, 32946, 34925, 50000)

_NEW_SUBFILE_TYPE = 254

# As many as Pillow reads. More samples are measurements rather than a picture.
_MAX_SAMPLES = 6


def is_preview(tags: Mapping[int, Any]) -> bool:
    """Whether a directory says that its picture is a smaller version of another one."""
    return bool(tags.get(_NEW_SUBFILE_TYPE, 0) & 1)


def read_directories(file: BinaryIO, count: int = 16) -> list[Mapping[int, Any]]:
    """Read the tags of the first directories. Damaged directories raise many types of errors."""
    file.seek(0)
    head = file.read(16)
    directory = TiffImagePlugin.ImageFileDirectory_v2(head if 43 in head[2:4] else head[:8])
    directories: list[Mapping[int, Any]] = []
    while directory.next and len(directories) < count:
        file.seek(directory.next)
        directory.load(file)
        directories.append(dict(directory))
    return directories


@dataclass(frozen=True)
class TiffLayout:
    """How the samples are stored.

    Attributes:
        width: In px.
        height: In px.
        bits: Bits of each sample of a pixel.
        kinds: Format of each sample of a pixel: `UNSIGNED`, `SIGNED`, `FLOAT` or another number.
        photometric: The number that tells what the samples mean.
        extra: For each sample beyond the colours: 1 alpha of premultiplied colours, 2 alpha, other numbers nothing.
        planar: Whether each sample of a pixel lies in a plane of its own.
        compression: The number of the compression.
        predictor: 1 none; 2 differences between samples; 3 differences between the bytes of floats.
        lowest_bit_first: Whether the bits of bytes are reversed.
        subsampled: Whether several pixels of YCbCr share their Cb and Cr.
    """

    width: int
    height: int
    bits: tuple[int, ...]
    kinds: tuple[int, ...]
    photometric: int
    extra: tuple[int, ...]
    planar: bool
    compression: int
    predictor: int
    lowest_bit_first: bool
    subsampled: bool

    @property
    def alpha(self) -> int | None:
        """The place of alpha among the samples of a pixel."""
        first = len(self.bits) - len(self.extra)
        return next((first + i for i, meaning in enumerate(self.extra) if meaning in (1, 2)), None)

    @property
    def premultiplied(self) -> bool:
        """Whether the colours are multiplied by alpha."""
        return self.alpha is not None and self.extra[self.alpha - len(self.bits)] == 1

    @property
    def white_is_zero(self) -> bool:
        """Whether a gray picture is a negative."""
        return self.photometric == _WHITE_IS_ZERO

    @property
    def for_pillow(self) -> bool:
        """Whether Pillow reads such a file right, or refuses. `tests/images/test_tiff.py` compares all kinds."""
        if self.compression not in _BYTE_COMPRESSIONS:
            return True
        unsigned, depths = set(self.kinds) == {UNSIGNED}, set(self.bits)
        if self.photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB):
            # From planes, Pillow cuts deep samples and forgets the signs of CIELAB. Versions differ for YCbCr.
            misread = max(depths) > 8 or self.photometric == _CIELAB
            return unsigned and self.photometric != YCBCR and not (self.planar and misread)
        if not unsigned or self.planar or len(self.extra) > 1:
            return False
        if self.photometric == _RGB:
            return depths in ({8}, {16})
        if self.extra:  # versions of Pillow differ
            return False
        return depths <= {1, 2, 4, 8} or (depths == {16} and not self.white_is_zero)

    def refusal(self) -> str | None:
        """Name what keeps `DeepTiff` from reading the file; None if nothing does."""
        colors = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, YCBCR: 3}.get(self.photometric)
        bits, kind = self.bits[0], self.kinds[0]
        depths: Mapping[int, tuple[int, ...] | range] = {
            UNSIGNED: range(1, 33),
            SIGNED: (8, 16, 32),
            FLOAT: (16, 32, 64),
        }
        if (
            len(self.bits) - len(self.extra) != colors
            or self.subsampled
            or len(self.bits) > _MAX_SAMPLES
            or len(set(self.bits)) > 1
            or len(set(self.kinds)) > 1
            or bits not in depths.get(kind, ())
        ):
            return self.described()
        if self.lowest_bit_first:
            return f"{self.described()}, lowest bit first"
        if self.predictor not in {FLOAT: (1, 2, 3)}.get(kind, (1, 2) if bits in (8, 16, 32) else (1,)):
            return f"{self.described()}, with the predictor {self.predictor}"
        return None

    def described(self) -> str:
        """Name the samples, such as "RGB, 3 planes of 16-bit float samples, compressed by lzma"."""
        meaning = _PHOTOMETRICS.get(self.photometric, f"photometric {self.photometric}")
        alpha = " with alpha" if self.alpha is not None else ""
        bits = "/".join(f"{bits}" for bits in dict.fromkeys(self.bits))
        kind = "/".join(_SAMPLE_FORMATS.get(kind, f"format {kind}") for kind in dict.fromkeys(self.kinds))
        count = f"{len(self.bits)} {'planes of ' if self.planar else ''}"
        compression = TiffImagePlugin.COMPRESSION_INFO.get(self.compression, f"method {self.compression}")
        packed = "" if self.compression == 1 else f", compressed by {compression}"
        meaning = "subsampled " * self.subsampled + meaning
        return f"{meaning}{alpha}, {count}{bits}-bit {kind} samples{packed}"


def layout_of(tags: Mapping[int, Any]) -> TiffLayout:
    """Read the layout from tags. Damaged tags raise ValueError or TypeError."""
    count = int(tags.get(TiffImagePlugin.SAMPLESPERPIXEL, 1))
    photometric = int(tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, _WHITE_IS_ZERO))
    extra = tuple(map(int, tags.get(TiffImagePlugin.EXTRASAMPLES, ())))
    if not extra and count == {_RGB: 4, _BLACK_IS_ZERO: 2, _WHITE_IS_ZERO: 2}.get(photometric):
        extra = (2,)  # some programs forget the tag; Pillow decides in the same way
    bits = tuple(map(int, tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))))
    kinds = tuple(map(int, tags.get(TiffImagePlugin.SAMPLEFORMAT, (UNSIGNED,))))
    if TiffImagePlugin.IMAGEWIDTH not in tags or TiffImagePlugin.IMAGELENGTH not in tags:
        raise ValueError("the directory of the TIFF is missing or names no size")
    if not 0 < count < 1000 or not bits or not kinds:
        raise ValueError(f"{count} samples per pixel")
    return TiffLayout(
        width=int(tags[TiffImagePlugin.IMAGEWIDTH]),
        height=int(tags[TiffImagePlugin.IMAGELENGTH]),
        bits=bits * count if len(bits) == 1 else bits[:count],
        kinds=kinds * count if len(kinds) == 1 else kinds[:count],
        photometric=photometric,
        extra=extra,
        planar=int(tags.get(TiffImagePlugin.PLANAR_CONFIGURATION, 1)) == 2 and count > 1,
        compression=int(tags.get(TiffImagePlugin.COMPRESSION, 1)),
        predictor=int(tags.get(TiffImagePlugin.PREDICTOR, 1)),
        lowest_bit_first=int(tags.get(TiffImagePlugin.FILLORDER, 1)) == 2,
        subsampled=photometric == YCBCR and tuple(tags.get(TiffImagePlugin.YCBCRSUBSAMPLING, (2, 2))) != (1, 1),
    )

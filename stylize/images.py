"""Pictures in and out: decode, orient, colour-manage, keep transparency, resize, encode, carry the recipe.

One convention everywhere: pixels are float32 (H, W, 3), sRGB, in [0, 1]; transparency travels beside them as
float32 (H, W), 1 where opaque.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
import os
import secrets
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, TypeVar

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from stylize.errors import ImageError, OptionError, writing
from stylize.storage import opened

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "ImageSource",
    "Picture",
    "check_output",
    "check_place",
    "encode",
    "read_image",
    "read_recipe",
    "resized",
    "size_for_long_side",
    "whole_file",
    "with_change_of",
    "with_colors_of",
    "with_palette_of",
    "write_image",
]

#: The largest picture that is decoded, in px (width times height); a larger one is refused as a bomb.
MAX_PIXELS = 300_000_000


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture: the one form in which pixels travel.

    Attributes:
        pixels: float32 (H, W, 3), sRGB, [0, 1]. Under transparency the colours are those of the nearest
            visible pixels, so that neither a network nor a resampling filter ever sees a hidden colour.
        alpha: float32 (H, W), [0, 1]; None where the picture is opaque.
        path: the file's path as given, or None.
        sha256: hash of the file's bytes; of the sample bytes for an array or a PIL image.
        notes: what the user should know, each one line ("animated: the first of 24 frames is used").
        full_size: height and width in px of the file, where it was decoded at a reduced size.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    path: str | None = None
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    full_size: tuple[int, int] | None = None

    @property
    def height(self) -> int:
        """Height in px."""
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        """Width in px."""
        return int(self.pixels.shape[1])


#: A string may be a path or a URL.
ImageSource = str | os.PathLike[str] | bytes | Image.Image | np.ndarray | Picture


# ---------------------------------------------------------------------------------------------------- reading

# Most usual first: Pillow imports the plugins behind the others only when these don't fit. Formats that start
# other programs (EPS) or that have no signature (TGA) are left out.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000", "PSD", "QOI")
_EXPECTED = "a picture (JPEG, PNG, WebP, TIFF, AVIF, GIF, BMP, JPEG 2000, PSD)"

# Guards Pillow's global size limit and Python's global warning filters, which decoding has to change.
_PILLOW_LOCK = threading.RLock()


def read_image(
    source: ImageSource, *, name: str = "image", long_side_px: int | None = None, max_pixels: int | None = None
) -> Picture:
    """Decode a picture upright, in sRGB, with its transparency.

    EXIF orientation is applied and colour profiles are converted to sRGB (relative colorimetric, black point
    compensation). 16-bit and float gray keep their precision. Of an animation, the first frame is used.

    Args:
        source: a path or a URL; the bytes of a file; a PIL image; an array, uint8, uint16 or float in [0, 1], shaped
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), taken as sRGB; or a `Picture`, which is returned unchanged.
        name: what error messages call it, such as "content".
        long_side_px: a hint that no more than this is wanted. A JPEG may then be decoded at a reduced size,
            whose long side still is at least twice the hint.
        max_pixels: a file of more is refused before it is decoded; at most, and by default, `MAX_PIXELS`.

    Raises:
        ImageError: the source is missing, unreadable, damaged, no picture, or larger than `max_pixels`.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(source, np.ndarray):
        return _from_array(source, name)
    if isinstance(source, Image.Image):
        _check_size(source.size, name)
        with _decoding(name):
            decoded = _decoded(source)
            palette = source.palette.tobytes() if source.palette else b""
            digest = hashlib.sha256(source.tobytes() + palette).hexdigest()
        return _picture(decoded, sha256=digest)
    if not isinstance(source, (str, os.PathLike, bytes)):
        raise ImageError(
            f"{name}: expected a path, bytes, a PIL image, an array or a Picture, received {type(source).__name__}"
        )

    path = None if isinstance(source, bytes) else os.fsdecode(source)
    label = name if path is None else _one_line(f"{name} {path}")
    opened: contextlib.AbstractContextManager[BinaryIO]
    opened = io.BytesIO(source) if isinstance(source, bytes) else _opened(os.fsdecode(source), label)
    with opened as file, _decoding(label):
        image = _identified(file, label, max_pixels)
        width, height = image.size
        if long_side_px is not None and image.format in ("JPEG", "MPO"):
            # Twice the size: the last halving is left to Lanczos, which is better than the decoder's own.
            at_least = size_for_long_side(height, width, 2 * long_side_px)
            image.draft(None, at_least[::-1])  # None keeps the mode
        reduced = image.size != (width, height)
        decoded = _decoded(image)
        digest = _sha256(file)
    picture = _picture(decoded, path=path, sha256=digest)
    if not reduced:
        return picture
    turned = decoded.orientation >= 5
    return replace(picture, full_size=(width, height) if turned else (height, width))


@dataclass(frozen=True)
class _Decoded:
    """One frame as it lies in the file, and what Pillow keeps beside it."""

    frame: Image.Image
    rawmode: str
    orientation: int
    notes: tuple[str, ...]


@contextlib.contextmanager
def _opened(path: str, label: str) -> Iterator[BinaryIO]:
    """The file as a seekable stream; what the system refuses becomes one line."""
    try:
        if os.path.isdir(path):
            raise ImageError(f"{label}: expected {_EXPECTED}, received a folder; name a file in it")
        file = opened(path)
    except FileNotFoundError:
        raise ImageError(f"{label}: no such file; expected {_EXPECTED}; check the path") from None
    except PermissionError:
        raise ImageError(f"{label}: no permission to read it; expected a readable file") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise ImageError(f"{label}: expected a readable file, received: {_one_line(error)}") from None
    with file:
        # A pipe (`<(curl ...)`) is read whole, as Pillow has to seek.
        yield file if file.seekable() else io.BytesIO(file.read())


@contextlib.contextmanager
def _decoding(label: str) -> Iterator[None]:
    """Pillow at work: its warnings silent, our size limit in force, any failure turned into one line."""
    with _PILLOW_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
        try:
            yield
        except ImageError:
            raise
        except Image.DecompressionBombError:
            raise ImageError(
                f"{label}: expected at most {MAX_PIXELS // 10**6} megapixels, received far more; make it smaller first"
            ) from None
        except MemoryError:
            raise ImageError(f"{label}: too large for this machine's memory; make it smaller first") from None
        # Decoders meet damage with whatever comes up: OSError, SyntaxError, ValueError, struct.error ...
        except Exception as error:
            raise ImageError(
                f"{label}: expected a whole picture, received damaged or cut-off data ({_one_line(error)}); "
                "export or download it again"
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _identified(file: BinaryIO, label: str, max_pixels: int | None = None) -> Image.Image:
    """The picture in `file`, its header read and its size checked, not decoded yet."""
    try:
        image = Image.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        file.seek(0)
        head = file.read(12)
        if not head:
            received, advice = "an empty file", "export or download it again"
        elif head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1"):
            received, advice = "HEIC", "export it as JPEG"
        else:
            received = f"an unknown or damaged format (it begins {head[:8]!r})"
            advice = "export it as PNG or JPEG"
        raise ImageError(f"{label}: expected {_EXPECTED}, received {received}; {advice}") from None
    _check_size(image.size, label, max_pixels)
    return image


def _check_size(size: tuple[int, int], label: str, max_pixels: int | None = None) -> None:
    width, height = size
    max_pixels = min(MAX_PIXELS, max_pixels or MAX_PIXELS)
    if not 0 < width * height <= max_pixels:
        raise ImageError(
            f"{label}: expected 1 pixel to {max_pixels / 1e6:g} megapixels, received {width} x {height} px "
            f"({width * height / 1e6:.0f} megapixels); make it smaller first"
        )


def _decoded(image: Image.Image) -> _Decoded:
    notes = []
    tile = getattr(image, "tile", None)  # emptied by load()
    args = tile[0][3] if tile else ""
    rawmode = args if isinstance(args, str) else str(args[0]) if args else ""
    image.load()
    frame = image.copy()  # counting the frames below seeks
    try:
        # After load(): PNG may carry EXIF behind the pixels, and TIFF is turned upright by load() itself.
        orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged EXIF is no reason to refuse good pixels
        orientation = 1
        notes.append("EXIF data unreadable: taken as upright")
    try:
        frames = int(getattr(image, "n_frames", 1))
    except Exception:  # later frames are damaged; the first is whole
        frames = 1
    # MPO (a phone's gain map) and PSD (layers) count frames too, of which the first is the whole picture.
    if frames > 1 and image.tell() == 0 and image.format in ("GIF", "PNG", "WEBP", "AVIF"):
        notes.append(f"animated: the first of {frames} frames is used")
    elif frames > 1 and image.tell() == 0 and image.format == "TIFF":
        notes.append(f"{frames} pages: the first is used")
    return _Decoded(frame, rawmode, orientation, tuple(notes))


def _picture(decoded: _Decoded, *, sha256: str, path: str | None = None) -> Picture:
    """sRGB pixels, upright, with hidden colours filled."""
    image = decoded.frame
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        pixels, alpha, notes = _deep_gray(image, decoded.rawmode)
    else:
        pixels, alpha, notes = _eight_bit(image, decoded.rawmode)
    turn = _UPRIGHT.get(decoded.orientation)
    if turn is not None:
        pixels = np.ascontiguousarray(turn(pixels))
        alpha = None if alpha is None else np.ascontiguousarray(turn(alpha))
    return _finished(pixels, alpha, path=path, sha256=sha256, notes=(*decoded.notes, *notes))


_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}

_Samples = tuple[np.ndarray, "np.ndarray | None", list[str]]  # pixels, alpha, notes


def _eight_bit(image: Image.Image, rawmode: str) -> _Samples:
    """Any mode of Pillow's that holds at most 8 bits a sample."""
    icc = image.info.get("icc_profile")
    alpha = None
    if image.mode == "La":  # Pillow converts it to LA and to nothing else
        image = image.convert("LA")
    if image.has_transparency_data:
        # Pillow scales a PNG's samples to 8 bits, but not the transparent sample.
        sample: Any = image.info.get("transparency")
        if rawmode in ("L;2", "L;4"):
            image.info["transparency"] = sample * (85 if rawmode == "L;2" else 17)
        elif rawmode == "RGB;16B":
            image.info["transparency"] = tuple(value >> 8 for value in sample)
        gray = image.mode in ("1", "L", "LA")
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"), np.float32) / 255
        image = image.convert("L" if gray else "RGB")
    image, notes = _to_srgb(image, icc)
    return np.asarray(image, np.float32) / 255, alpha, notes


def _deep_gray(image: Image.Image, rawmode: str) -> _Samples:
    """Gray of 16 or 32 bits or floats, without the 8-bit rounding (and clipping) of Pillow's conversions."""
    samples = np.asarray(image)
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else (samples != transparent).astype(np.float32)
    gray = samples.astype(np.float32)
    notes = []
    if not np.isfinite(gray).all():
        gray = np.nan_to_num(gray, nan=0.0, posinf=0.0, neginf=0.0)
        notes.append("not-a-number or infinite samples: taken as black")
    peak = float(gray.max())
    if image.mode == "F":
        full = next((scale for scale in (1.0, 255.0, 65535.0) if peak <= scale), peak)
    elif image.mode == "I":
        full = 65535.0 if peak <= 65535 else float(2**31 - 1)
    else:
        full = 4095.0 if rawmode.startswith("I;12") else 65535.0
    if image.mode == "F" and full != 1:
        notes.append(f"float samples up to {peak:g}: taken as 0 to {full:g}")
    gray = np.clip(gray / np.float32(full), 0, 1)

    icc = image.info.get("icc_profile")
    if icc is None:
        return np.repeat(gray[..., None], 3, axis=2), alpha, notes
    # ImageCms returns 8 bits; a gray profile is a curve, so its 256 points are interpolated instead.
    ramp, icc_notes = _to_srgb(_GRAYS, icc)
    curve = np.asarray(ramp, np.float32)[0] / 255
    points = np.linspace(0, 1, 256)
    channels = [np.interp(gray, points, curve[:, c]).astype(np.float32) for c in range(3)]
    return np.stack(channels, axis=2), alpha, notes + icc_notes


def _to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, list[str]]:
    """An opaque picture in mode RGB, through its colour profile where it has a good one."""
    cmyk = image.mode == "CMYK"
    if icc is None:
        notes = ["CMYK without a colour profile: the colours are approximate"] if cmyk else []
        return image.convert("RGB"), notes

    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = profile.profile.xcolor_space.strip()
        model = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}[space]
        fits = (model == "CMYK") == cmyk and (model != "L" or image.mode in ("1", "L"))
        if not fits:
            note = f"colour profile is for {space}, the picture is {image.mode}: profile ignored"
            return image.convert("RGB"), [note]
        # The precomputed table of an optimised transform is too coarse for the steep start of a gray curve;
        # the exact one is slow, but needs to be asked for 256 grays only.
        exact = ImageCms.Flags.NOOPTIMIZE if model == "L" else 0
        converted = ImageCms.profileToProfile(
            _GRAYS if model == "L" else image.convert(model),
            profile,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION | exact,
        )
    except (ImageCms.PyCMSError, OSError, KeyError, ValueError, TypeError, ImportError):
        note = f"colour profile unreadable: taken as {'plain CMYK' if cmyk else 'sRGB'}"
        return image.convert("RGB"), [note]
    assert converted is not None  # it is None only when converting in place
    if model == "L":
        gray = image.convert("L")
        converted = Image.merge("RGB", [gray.point(list(band.tobytes())) for band in converted.split()])
    return converted, []


_GRAYS = Image.frombytes("L", (256, 1), bytes(range(256)))


def _from_array(array: np.ndarray, name: str) -> Picture:
    shape = "x".join(map(str, array.shape)) or "a scalar"
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))) or array.size == 0:
        raise ImageError(
            f"{name}: expected an array shaped (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), received {shape}"
        )
    _check_size((array.shape[1], array.shape[0]), name)
    if array.dtype in (np.uint8, np.uint16):
        samples = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    elif np.issubdtype(array.dtype, np.floating):
        samples = _checked_samples(array, name)
    else:
        raise ImageError(f"{name}: expected an array of uint8, uint16 or float, received {array.dtype}")
    samples = samples.reshape(*array.shape[:2], -1)
    if samples.shape[2] == 1:
        samples = np.repeat(samples, 3, axis=2)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.shape[2] == 4 else None
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    return _finished(np.ascontiguousarray(samples[..., :3]), alpha, sha256=digest)


def _checked_samples(array: np.ndarray, name: str) -> np.ndarray:
    """A float32 copy of `array`, finite and in [0, 1]; rounding errors beyond the ends are clipped."""
    low, high = float(array.min()), float(array.max())  # NaN wins both
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(f"{name}: expected finite values in [0, 1], received NaN or infinity")
    if low < -1e-4 or high > 1 + 1e-4:
        raise ImageError(
            f"{name}: expected float values in [0, 1], received {low:.4g} to {high:.4g}; divide by the full scale"
        )
    return np.clip(array.astype(np.float32), 0, 1)


def _finished(
    pixels: np.ndarray,
    alpha: np.ndarray | None,
    *,
    sha256: str,
    path: str | None = None,
    notes: tuple[str, ...] = (),
) -> Picture:
    if alpha is not None and alpha.min() >= 1:
        alpha = None
    if alpha is not None and not alpha.any():
        pixels = np.full_like(pixels, 0.5)
        notes = (*notes, "wholly transparent: its hidden colours are not used")
    elif alpha is not None:
        # Below 1/16 the colour is hardly visible and, in 8 bits, often rounded away: it fades into the fill.
        fade = np.clip(alpha * 16, 0, 1)
        pixels = _filled(pixels, fade * fade * (3 - 2 * fade))
    return Picture(pixels, alpha, path, sha256, notes)


def _filled(pixels: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Spread the colours of weight 1 smoothly into those of weight 0, the nearest counting most.

    Pull-push (Gortler et al. 1996, "The Lumigraph"): weighted averages over ever larger squares, of which
    each pixel takes the smallest that holds something.

    Args:
        pixels: float32 (H, W, 3).
        weight: float32 (H, W), [0, 1], not 0 everywhere.
    """
    height, width = weight.shape
    if weight.min() >= 1 or height * width == 1:
        return pixels
    premultiplied = np.dstack([pixels * weight[..., None], weight])
    even = np.pad(premultiplied, ((0, height % 2), (0, width % 2), (0, 0)))
    squares = even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]
    total = squares[..., 3]
    colors = squares[..., :3] / np.maximum(total, np.finfo(np.float32).tiny)[..., None]
    coarse = _filled(colors, np.minimum(total, 1))
    fill = _resampled(coarse, even.shape[0], even.shape[1], Image.Resampling.BILINEAR)[:height, :width]
    return fill + (pixels - fill) * weight[..., None]


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _one_line(text: object) -> str:
    return " ".join(str(text).splitlines())


# ------------------------------------------------------------------------------------------- size and colour

_PictureOrArray = TypeVar("_PictureOrArray", Picture, np.ndarray)


def resized(picture: _PictureOrArray, height: int, width: int) -> _PictureOrArray:
    """Resample to `height` x `width` px with an antialiased Lanczos filter, on floats, clipped to [0, 1].

    A `Picture` keeps its transparency without a halo, as its hidden colours are filled.

    Args:
        picture: a `Picture`, or float (H, W) or (H, W, C) in [0, 1]; the same kind is returned.
        height: in px, at least 1.
        width: in px, at least 1.

    Raises:
        OptionError: the size is below 1 px.
    """
    if height < 1 or width < 1:
        raise OptionError(f"expected a size of at least 1 x 1 px, received {width} x {height}")
    if isinstance(picture, Picture):
        alpha = None if picture.alpha is None else resized(picture.alpha, height, width)
        return replace(picture, pixels=resized(picture.pixels, height, width), alpha=alpha)
    sampled = _resampled(picture, height, width, Image.Resampling.LANCZOS)
    return np.clip(sampled, 0, 1, out=sampled)


def _resampled(array: np.ndarray, height: int, width: int, kernel: Image.Resampling) -> np.ndarray:
    """float32 (H, W) or (H, W, C) to (height, width[, C])."""
    if array.shape[:2] == (height, width):
        return array.astype(np.float32)
    if array.ndim == 3:
        sampled = np.empty((height, width, array.shape[2]), np.float32)
        for c in range(array.shape[2]):
            sampled[..., c] = _resampled(array[..., c], height, width, kernel)
        return sampled
    plane = Image.fromarray(np.ascontiguousarray(array, np.float32))
    return np.array(plane.resize((width, height), kernel))


def size_for_long_side(height: int, width: int, long_side_px: int) -> tuple[int, int]:
    """The (height, width) in px whose longer side is `long_side_px`, aspect kept, at least 1 px a side.

    Raises:
        OptionError: a size is below 1 px.
    """
    if min(height, width, long_side_px) < 1:
        raise OptionError(
            f"expected sizes of at least 1 px, received {width} x {height} for a long side of {long_side_px}"
        )
    scale = long_side_px / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def with_change_of(content: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The content with what a smaller version of it went through, enlarged linearly: sharp, at little memory.

    Args:
        content: float32 (H, W, 3) in [0, 1].
        before: the content at a smaller size, float32 (h, w, 3) in [0, 1].
        after: what became of that, shape and range alike; returned as it is where it is no smaller.

    Returns:
        float32 (H, W, 3) in [0, 1].
    """
    if after.shape == content.shape:
        return after
    height, width = content.shape[:2]
    changed = _resampled(after - before, height, width, Image.Resampling.BILINEAR)
    changed += content
    return np.clip(changed, 0, 1, out=changed)


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, the Y of YIQ
_ROWS = 256


def with_colors_of(stylized: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The luminance of `stylized` with the chroma of `content`.

    Luminance-only transfer of Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer", in
    YIQ. Where the sum leaves the gamut, its saturation is lowered until it fits; hue and luminance stay.

    Args:
        stylized: float (H, W, 3), sRGB, [0, 1].
        content: the same shape and range.

    Returns:
        float32 (H, W, 3), sRGB, [0, 1].

    Raises:
        ImageError: the shapes differ.
    """
    if stylized.shape != content.shape or stylized.shape[2:] != (3,):
        raise ImageError(
            f"keeping colours: expected two pictures shaped (H, W, 3) alike, "
            f"received {stylized.shape} and {content.shape}"
        )
    result = np.empty(content.shape, np.float32)
    # By rows, as what is computed on the way is several times the picture.
    for top in range(0, len(content), _ROWS):
        rows = slice(top, top + _ROWS)
        luma = np.clip(stylized[rows].astype(np.float32) @ _LUMA, 0, 1)[..., None]
        # With I and Q fixed, a change of Y adds the same to R, G and B: the offsets from gray are the chroma.
        chroma = content[rows].astype(np.float32) - (content[rows].astype(np.float32) @ _LUMA)[..., None]
        room = np.where(chroma > 0, 1 - luma, luma)
        fits = room / np.maximum(np.abs(chroma), np.finfo(np.float32).eps)
        saturation = np.minimum(fits.min(axis=2, keepdims=True), 1)
        result[rows] = np.clip(luma + saturation * chroma, 0, 1)
    return result


def with_palette_of(
    content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], within: np.ndarray | None = None
) -> np.ndarray:
    """The content's colours moved to the mean and covariance of the styles' colours, float32 (H, W, 3) in [0, 1].

    The linear Monge-Kantorovich map (Pitie and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for
    example-based colour transfer"): of all linear maps with this result, the one that changes colours least.

    Args:
        content: float32 (H, W, 3) in [0, 1].
        styles: pairs of float32 (h, w, 3) in [0, 1] and a weight; what the weights leave to 1 is the content's own.
        within: weights of the content's pixels (H, W), not all 0: the colours that are moved, as all others are.
    """
    flat = content.reshape(-1, 3).astype(np.float64)
    mean, covariance = _color_moments(flat, None if within is None else within.reshape(-1))
    moments = [(*_color_moments(style.reshape(-1, 3).astype(np.float64)), weight) for style, weight in styles]
    own = 1 - sum(weight for _, weight in styles)
    target_mean = own * mean + sum(weight * each for each, _, weight in moments)
    target_covariance = own * covariance + sum(weight * each for _, each, weight in moments)
    root = _matrix_power(covariance, 0.5)
    inverse = _matrix_power(covariance, -0.5)
    transport = inverse @ _matrix_power(root @ target_covariance @ root, 0.5) @ inverse
    moved = (flat - mean) @ transport + target_mean
    return np.clip(moved, 0, 1).astype(np.float32).reshape(content.shape)


def _color_moments(flat: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    shares = np.full(len(flat), 1 / len(flat)) if weights is None else weights / weights.sum(dtype=np.float64)
    mean = shares @ flat
    centred = flat - mean
    # A picture of one colour has no covariance; a little noise gives it one.
    return mean, centred.T @ (centred * shares[:, None]) + 1e-5 * np.eye(3)


def _matrix_power(symmetric: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(symmetric)
    powered: np.ndarray = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return powered


# ---------------------------------------------------------------------------------------------------- writing


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

# EXIF ImageDescription is the one field that Pillow writes and reads in all five formats.
_RECIPE_TAG = ExifTags.Base.ImageDescription
_RECIPE_MARKER = "stylize recipe: "
_MAX_JPEG_EXIF_BYTES = 65533  # a segment's length, itself included, has 16 bits


def encode(
    pixels: np.ndarray,
    suffix: str,
    alpha: np.ndarray | None = None,
    *,
    recipe: Mapping[str, Any] | None = None,
) -> bytes:
    """Encode a picture as the bytes of an 8-bit image file, with an sRGB profile and no foreign metadata.

    Args:
        pixels: float (H, W, 3), sRGB, [0, 1].
        suffix: one of `SUFFIXES`, with or without a dot, in any case.
        alpha: float (H, W), [0, 1]; JPEG, which holds none, is composited on white.
        recipe: a JSON-serialisable mapping to embed; `read_recipe` reads it back.

    Raises:
        ImageError: the suffix is unknown, the values are not finite or not in [0, 1], the shapes don't fit,
            or the format can't hold the size or the recipe.
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
    samples = _checked_samples(pixels, "output")
    if alpha is not None:
        cover = _checked_samples(alpha, "output alpha")[..., None]
        if not encoder.alpha:
            samples = samples * cover + (1 - cover)
        elif cover.min() < 1:
            samples = np.concatenate([samples, cover], axis=2)

    options = dict(encoder.options)
    if recipe is not None:
        exif = Image.Exif()
        exif[_RECIPE_TAG] = _RECIPE_MARKER + json.dumps(dict(recipe))  # json escapes to ASCII
        options["exif"] = exif.tobytes()
        if encoder.format == "JPEG" and len(options["exif"]) > _MAX_JPEG_EXIF_BYTES:
            raise ImageError(
                f"output: JPEG holds a recipe of up to {_MAX_JPEG_EXIF_BYTES} bytes, "
                f"received {len(options['exif'])}; write PNG, WebP, TIFF or AVIF"
            )
    buffer = io.BytesIO()
    image = Image.fromarray(np.rint(samples * 255).astype(np.uint8))
    try:
        image.save(buffer, encoder.format, icc_profile=_srgb_profile(), **options)
    except (OSError, ValueError, MemoryError) as error:
        reason = _one_line(error)
        raise ImageError(f"output: {encoder.format} encoding failed ({reason}); write PNG") from error
    return buffer.getvalue()


def write_image(
    path: str | os.PathLike[str],
    pixels: np.ndarray,
    alpha: np.ndarray | None = None,
    *,
    recipe: Mapping[str, Any] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a picture in the format of its suffix, whole or not at all.

    The bytes go to a temporary file beside the target, which is then renamed. See `encode` for the arguments.

    Raises:
        ImageError: as `check_output` and `encode`; or the system refuses (disk full).
    """
    check_output(path, overwrite=overwrite)
    data = encode(pixels, os.path.splitext(os.fspath(path))[1], alpha, recipe=recipe)
    # open() rather than mkstemp(), which would make the picture private whatever the umask says.
    with whole_file(path, "output") as temporary, open(temporary, "xb") as file:
        file.write(data)


@contextlib.contextmanager
def whole_file(path: str | os.PathLike[str], name: str) -> Iterator[str]:
    """Write to the path that is yielded: when all went well, it takes the place of `path`; else nothing is left.

    Raises:
        ImageError: the system refuses (disk full); `name` is what the message calls the file, such as "film".
    """
    target = os.path.realpath(path)  # a link stays a link, and what it points at is replaced
    temporary = os.path.join(os.path.dirname(target), f".stylize-{secrets.token_hex(8)}.part")
    with writing(_one_line(f"{name} {os.fspath(path)}"), ImageError):
        try:
            yield temporary
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


def check_output(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Refuse at once an output that could not be written later.

    Raises:
        ImageError: the suffix is unknown or can't be encoded here, the folder is missing or not writable, or
            the file is there and `overwrite` is false.
    """
    _encoder(os.path.splitext(os.fspath(path))[1].lower().removeprefix("."), _one_line(f"output {os.fspath(path)}"))
    check_place(path, "output", overwrite=overwrite)


def check_place(path: str | os.PathLike[str], name: str, *, overwrite: bool) -> None:
    """As `check_output`, for a file of any kind; `name` is what the message calls it, such as "film"."""
    path = os.fspath(path)
    label = _one_line(f"{name} {path}")
    try:
        target = os.path.realpath(path)
    except (OSError, ValueError) as error:
        raise ImageError(f"{label}: expected a path, received: {_one_line(error)}") from None
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise ImageError(f"{label}: expected an existing folder, received {_one_line(folder)}; make it first")
    if os.path.isdir(target):
        raise ImageError(f"{label}: expected a file, received a folder; add a file name")
    if os.path.exists(target):
        if not overwrite:
            raise ImageError(f"{label}: is there already; choose another name or overwrite it")
        if not os.path.isfile(target) or not os.access(target, os.W_OK):
            raise ImageError(f"{label}: expected a file that may be replaced, received a write-protected one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageError(f"{label}: no permission to write in {_one_line(folder)}; choose another folder")


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


def read_recipe(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The recipe that `write_image` embedded, or None where the picture has none.

    Raises:
        ImageError: the file can't be read, is no picture, or its recipe is damaged.
    """
    name = os.fsdecode(path)
    label = _one_line(f"image {name}")
    with _opened(name, label) as file, _decoding(label):
        description = _identified(file, label).getexif().get(_RECIPE_TAG)
    if not isinstance(description, str) or not description.startswith(_RECIPE_MARKER):
        return None
    try:
        recipe = json.loads(description.removeprefix(_RECIPE_MARKER))
    except ValueError:
        recipe = None
    if not isinstance(recipe, dict):
        raise ImageError(f"{label}: expected a recipe in JSON, received damaged text; use the original file")
    return recipe

"""Pictures from files, arrays and PIL images: upright, in sRGB, with transparency."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from stylize.errors import ImageError
from stylize.files import opened
from stylize.images.picture import ImageSource, Picture
from stylize.images.resizing import resampled, size_for_long_side
from stylize.text import one_line

__all__ = ["MAX_PIXELS", "checked_samples", "decoding", "identified", "opened_picture", "read_image"]

#: The largest picture that is decoded, in px (width times height); a larger one is refused as a bomb.
MAX_PIXELS = 300_000_000

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
        with decoding(name):
            decoded = _decoded(source)
            palette = source.palette.tobytes() if source.palette else b""
            digest = hashlib.sha256(source.tobytes() + palette).hexdigest()
        return _picture(decoded, sha256=digest)
    if not isinstance(source, (str, os.PathLike, bytes)):
        raise ImageError(
            f"{name}: expected a path, bytes, a PIL image, an array or a Picture, received {type(source).__name__}"
        )

    path = None if isinstance(source, bytes) else os.fsdecode(source)
    label = name if path is None else one_line(f"{name} {path}")
    opened: contextlib.AbstractContextManager[BinaryIO]
    opened = io.BytesIO(source) if isinstance(source, bytes) else opened_picture(os.fsdecode(source), label)
    with opened as file, decoding(label):
        image = identified(file, label, max_pixels)
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
def opened_picture(path: str, label: str) -> Iterator[BinaryIO]:
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
        raise ImageError(f"{label}: expected a readable file, received: {one_line(error)}") from None
    with file:
        # A pipe (`<(curl ...)`) is read whole, as Pillow has to seek.
        yield file if file.seekable() else io.BytesIO(file.read())


@contextlib.contextmanager
def decoding(label: str) -> Iterator[None]:
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
                f"{label}: expected a whole picture, received damaged or cut-off data ({one_line(error)}); "
                "export or download it again"
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def identified(file: BinaryIO, label: str, max_pixels: int | None = None) -> Image.Image:
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
        samples = checked_samples(array, name)
    else:
        raise ImageError(f"{name}: expected an array of uint8, uint16 or float, received {array.dtype}")
    samples = samples.reshape(*array.shape[:2], -1)
    if samples.shape[2] == 1:
        samples = np.repeat(samples, 3, axis=2)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.shape[2] == 4 else None
    digest = hashlib.sha256(array.tobytes()).hexdigest()
    return _finished(np.ascontiguousarray(samples[..., :3]), alpha, sha256=digest)


def checked_samples(array: np.ndarray, name: str) -> np.ndarray:
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
    fill = resampled(coarse, even.shape[0], even.shape[1], Image.Resampling.BILINEAR)[:height, :width]
    return fill + (pixels - fill) * weight[..., None]


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()

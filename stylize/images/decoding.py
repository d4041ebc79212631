"""Pillow images to samples: every mode, 8-bit and deep, to upright float RGB with transparency."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from stylize.images.encodings import named_profile, says_adobe_rgb
from stylize.images.metadata import NO_METADATA, Metadata, read_metadata
from stylize.images.profiles import to_srgb, transfer_curve
from stylize.images.samples import finite, white_of_floats, white_of_integers

__all__ = ["Frame", "first_frame", "load_frame", "of_all_frames", "upright_samples"]

# What stands for all frames in the `info` of Pillow's image: how colours are meant, and notes for the user.
_OF_ALL_FRAMES = ("icc_profile", "cicp", "srgb", "gamma", "chromaticity", "notes")

# float32 (H, W, 3) pixels in sRGB, [0, 1]; float32 (H, W) alpha, [0, 1], or None; notes for the user.
Samples = tuple[NDArray[np.float32], "NDArray[np.float32] | None", list[str]]


@dataclass(frozen=True)
class Frame:
    """A frame of a picture as stored in the file, usually the first frame.

    Attributes:
        image: The frame, loaded, in Pillow's mode.
        rawmode: How Pillow's decoder names the stored samples, such as "RGB;16B"; "" if unknown.
        orientation: The EXIF orientation, 1 (upright) to 8.
        notes: What the user should know, one line each.
        metadata: What the file says beside the pixels.
        frames: How many frames the animation has that begins with this frame; 1 for any other frame.
    """

    image: Image.Image
    rawmode: str
    orientation: int
    notes: tuple[str, ...]
    metadata: Metadata = NO_METADATA
    frames: int = 1


def first_frame(image: Image.Image) -> int:
    """Return Pillow's number of the first frame. An APNG may begin with a picture for programs without animations."""
    return 1 if getattr(image, "default_image", False) else 0


def of_all_frames(image: Image.Image) -> dict[str | tuple[int, int], Any]:
    """Return the entries of `info` that stand for all frames. Pillow forgets them when another frame is chosen."""
    return {key: image.info[key] for key in _OF_ALL_FRAMES if key in image.info}


def load_frame(image: Image.Image) -> Frame:
    """Decode the current frame of a picture. Pillow raises many types of errors for damaged data."""
    notes: list[str] = []
    tile = getattr(image, "tile", None)  # load() empties the list
    args = tile[0][3] if tile else ""
    rawmode = args if isinstance(args, str) else str(args[0]) if args else ""
    low_bytes = _low_bytes(image, rawmode)
    image.load()
    notes += image.info.get("notes", [])
    frame = image.copy()  # counting the frames seeks in the file
    if rawmode == "RGB;16B" and "transparency" in frame.info:
        notes += _take_transparent_color(frame, low_bytes)
    orientation, adobe_rgb, metadata, exif_notes = _read_exif(image)
    notes += exif_notes
    notes += _take_named_profile(frame, image.format, adobe_rgb=adobe_rgb)
    first = first_frame(image)
    try:
        frames = int(getattr(image, "n_frames", 1)) - first
    except Exception:  # a later frame is damaged, the first frame is whole
        frames = 1
    # MPO (the gain map of a phone) and PSD (layers) count frames too; their first frame is the whole picture.
    animated = frames > 1 and image.tell() == first and image.format in ("GIF", "PNG", "WEBP", "AVIF")
    if frames > 1 and image.tell() == 0 and image.format == "TIFF":
        notes.append(f"{frames} pages: the first is used")
    elif frames > 1 and image.format == "HEIF":
        notes.append(f"{frames} pictures: the main picture is used")
    return Frame(frame, rawmode, orientation, tuple(notes), metadata, frames if animated else 1)


def _read_exif(image: Image.Image) -> tuple[int, bool, Metadata, list[str]]:
    """Read the EXIF of a loaded picture. Damaged EXIF is no reason to refuse good pixels.

    Returns:
        The orientation, 1 to 8; whether the colour space is Adobe RGB; the metadata; and notes for the user.
    """
    orientation, adobe_rgb, metadata, notes = 1, False, NO_METADATA, []
    exif = Image.Exif()
    try:
        # After load(): a PNG may store EXIF behind the pixels, and load() itself turns a TIFF upright.
        exif = image.getexif()
        orientation = int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:
        notes.append("EXIF orientation unreadable: taken as upright")
    try:
        metadata = read_metadata(image, exif)
        adobe_rgb = says_adobe_rgb(exif)
    except Exception:
        notes.append("EXIF unreadable in part: author, dates and colour space may be missing")
    return orientation if 1 <= orientation <= 8 else 1, adobe_rgb, metadata, notes


def _take_named_profile(frame: Image.Image, form: str | None, *, adobe_rgb: bool) -> list[str]:
    """Give a frame the profile of the colour space that its file names, if that counts. Return notes for the user."""
    profile = frame.info.get("icc_profile")
    # In a PNG the colour space (cICP) counts more than a profile; in AVIF and HEIF the profile counts more.
    if profile and not (form == "PNG" and "cicp" in frame.info):
        return []
    named, notes = named_profile(frame.info, adobe_rgb=adobe_rgb)
    if profile and named is None and notes:  # a colour space that is not converted
        return []
    frame.info["icc_profile"] = named
    return notes


def _low_bytes(image: Image.Image, rawmode: str) -> Image.Image | None:
    """Decode the low bytes of a PNG of 16-bit RGB with a transparent colour: Pillow takes the high bytes alone.

    Args:
        image: A file that is not loaded yet.
        rawmode: As `Frame.rawmode`.

    Returns:
        The low bytes, RGB; None for other pictures, and for animations.
    """
    file = getattr(image, "fp", None)
    if rawmode != "RGB;16B" or "transparency" not in image.info or getattr(image, "is_animated", False) or file is None:
        return None
    place = file.tell()
    file.seek(0)
    low = Image.open(file, formats=["PNG"])
    low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
    low.load()
    file.seek(place)
    return low


def _take_transparent_color(frame: Image.Image, low_bytes: Image.Image | None) -> list[str]:
    """Turn the transparent colour of 16-bit RGB into an alpha channel. Return notes for the user."""
    color = frame.info.pop("transparency")
    if low_bytes is None:
        return ["the transparent colour of 16 bits is not used: taken as opaque"]
    samples = np.asarray(frame).astype(np.uint16) << 8 | np.asarray(low_bytes)
    frame.putalpha(Image.fromarray((samples != np.uint16(color)).any(axis=2)))
    return []


def upright_samples(frame: Frame) -> Samples:
    """Convert a frame to float samples, upright and in sRGB.

    Returns:
        Pixels, float32 (H, W, 3), [0, 1]; alpha, float32 (H, W), [0, 1], or None; and the notes of all steps.
        Transparent pixels still have their hidden colours.
    """
    deep = frame.image.mode in ("I", "F") or frame.image.mode.startswith("I;")
    convert = _deep_gray_samples if deep else _eight_bit_samples
    pixels, alpha, notes = convert(frame.image, frame.rawmode)
    turn = _TURN_UPRIGHT.get(frame.orientation)
    if turn is not None:
        pixels = np.ascontiguousarray(turn(pixels))
        alpha = None if alpha is None else np.ascontiguousarray(turn(alpha))
    return pixels, alpha, [*frame.notes, *notes]


_TURN_UPRIGHT: dict[int, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def _eight_bit_samples(image: Image.Image, rawmode: str) -> Samples:
    """Convert any Pillow mode with at most 8 bits per sample."""
    icc = image.info.get("icc_profile")
    alpha = None
    if image.mode == "La":  # Pillow converts this mode only to LA
        image = image.convert("LA")
    if image.has_transparency_data:
        # Pillow scales the samples of a PNG to 8 bits, but not the sample that marks transparency.
        sample: Any = image.info.get("transparency")
        if rawmode in ("L;2", "L;4"):
            image.info["transparency"] = sample * (85 if rawmode == "L;2" else 17)
        gray = image.mode in ("1", "L", "LA")
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"), np.float32) / np.float32(255)
        image = image.convert("L" if gray else "RGB")
    image, notes = to_srgb(image, icc)
    return np.asarray(image, np.float32) / np.float32(255), alpha, notes


def _deep_gray_samples(image: Image.Image, rawmode: str) -> Samples:
    """Convert gray of 16 bits, 32 bits or floats. Pillow's own conversions would round or clip to 8 bits."""
    samples = np.asarray(image)
    transparent = image.info.get("transparency")
    alpha = None if transparent is None else (samples != transparent).astype(np.float32)
    gray, notes = finite(samples.astype(np.float32))
    white, white_notes = _white_sample(image.mode, rawmode, float(gray.max()))
    notes += white_notes
    gray = np.clip(gray / np.float32(white), 0, 1)

    icc = image.info.get("icc_profile")
    if icc is None:
        return np.repeat(gray[..., None], 3, axis=2), alpha, notes
    # ImageCms returns 8 bits: interpolate between the 256 points of the profile's curve.
    curve, icc_notes = transfer_curve(icc)
    points = np.linspace(0, 1, 256)
    channels = [np.interp(gray, points, curve[:, c]).astype(np.float32) for c in range(3)]
    return np.stack(channels, axis=2), alpha, notes + icc_notes


def _white_sample(mode: str, rawmode: str, peak: float) -> tuple[float, list[str]]:
    """The sample value of white, and notes for the user."""
    if mode == "F":
        return white_of_floats(peak)
    if mode == "I":
        return white_of_integers(31, int(peak)), []
    return 4095.0 if rawmode.startswith("I;12") else 65535.0, []

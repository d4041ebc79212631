"""ICC colour profiles: conversion to sRGB, and the sRGB profile that written pictures carry."""

from __future__ import annotations

import functools
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["srgb_profile", "to_srgb", "transfer_curve"]

# All grays in one row: a gray profile is a curve, and these 256 points describe the curve.
_GRAYS = Image.frombytes("L", (256, 1), bytes(range(256)))


def to_srgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, list[str]]:
    """Convert an opaque picture to mode RGB in sRGB: relative colorimetric, with black point compensation.

    A profile that is damaged or of another colour space is ignored, and a note says so.

    Args:
        image: An opaque picture in any mode that Pillow converts to RGB.
        icc: The bytes of the colour profile, or None.

    Returns:
        The converted picture, and the notes for the user.
    """
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
        # The precomputed table of an optimised transform is too coarse for the steep start of a gray curve.
        # The exact transform is slow, but converts only 256 grays.
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
    assert converted is not None  # Pillow returns None only when it converts in place
    if model == "L":
        gray = image.convert("L")
        converted = Image.merge("RGB", [gray.point(list(band.tobytes())) for band in converted.split()])
    return converted, []


def transfer_curve(icc: bytes) -> tuple[NDArray[np.float32], list[str]]:
    """Return the sRGB values of 256 grays under a gray profile, float32 (256, 3) in [0, 1], and notes for the user."""
    converted, notes = to_srgb(_GRAYS, icc)
    return np.asarray(converted, np.float32)[0] / 255, notes


@functools.cache
def srgb_profile() -> bytes:
    """The bytes of an ICC profile of sRGB, the same in every process."""
    from PIL import ImageCms

    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    # Set the creation date to 2000-01-01, so that the same picture is always written as the same bytes.
    data[24:36] = bytes.fromhex("07d0 0001 0001 0000 0000 0000")
    return bytes(data)

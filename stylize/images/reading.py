"""`read_image`: a picture from a file, a URL, bytes, an array or a PIL image."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.errors import ImageError
from stylize.files import stream_sha256
from stylize.images.decoding import Frame, first_frame, load_frame, of_all_frames, upright_samples
from stylize.images.jpeg import with_end_marker
from stylize.images.opening import check_size, identify, open_picture_file, pillow_errors
from stylize.images.picture import ImageSource, Picture, checked_samples
from stylize.images.resizing import size_for_long_side
from stylize.images.transparency import fill_hidden_colors
from stylize.styles import StyleName, is_name
from stylize.text import one_line

__all__ = ["as_picture", "path_of_file", "read_image"]


def read_image(
    source: ImageSource, *, name: str = "image", long_side_px: int | None = None, max_pixels: int | None = None
) -> Picture:
    """Read a picture upright, in sRGB, with its transparency.

    EXIF orientation is applied. Colour profiles, and colour spaces that are named without a profile, are converted to
    sRGB (relative colorimetric, black point compensation). Gray of more than 8 bits keeps its precision. The first
    frame of an animation is used. docs/pictures.md lists all formats and kinds of samples.

    Args:
        source: A path or a URL; a `StyleName`; the bytes of a file; a PIL image; an array of uint8, uint16 or float in
            [0, 1], shaped (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), taken as sRGB; or a `Picture`, which gets a hash
            if it has none.
        name: What error messages call the picture, such as "content".
        long_side_px: A hint that no larger picture is needed. A JPEG may then be decoded at a reduced size,
            whose long side is at least twice the hint.
        max_pixels: The largest allowed width times height of a file, checked before decoding; at most, and by
            default, 300 million.

    Raises:
        ImageError: The source is missing, unreadable, damaged, not a picture, or larger than `max_pixels`.
    """
    if isinstance(source, Picture):
        return source if source.sha256 else replace(source, sha256=_sha256(source))
    if isinstance(source, np.ndarray):
        return _read_array(source, name)
    if isinstance(source, Image.Image):
        return _read_pil_image(source, name)
    if not isinstance(source, (str, os.PathLike, bytes)):
        raise ImageError(
            f"{name}: expected a path, bytes, a PIL image, an array or a Picture, received {type(source).__name__}"
        )
    return _read_file(source, name, long_side_px, max_pixels)


def _read_file(
    source: str | os.PathLike[str] | bytes, name: str, long_side_px: int | None, max_pixels: int | None
) -> Picture:
    path = None if isinstance(source, bytes) else os.fsdecode(source)
    label = name if path is None else one_line(f"{name} {path}")
    place = os.fspath(source.file if isinstance(source, StyleName) else source)
    stream: contextlib.AbstractContextManager[BinaryIO]
    stream = io.BytesIO(place) if isinstance(place, bytes) else open_picture_file(place, label)
    if path is not None and not isinstance(source, StyleName):
        path = path_of_file(path)
    with stream as file, pillow_errors(label):
        image = identify(file, label, max_pixels, path=path)
        width, height = image.size
        # Twice the hint: Lanczos does the last halving, with better quality than the JPEG decoder.
        at_least = None if long_side_px is None else size_for_long_side(height, width, 2 * long_side_px)
        jpeg = image.format in ("JPEG", "MPO")
        if first_frame(image):
            frame = _apng_frame(image, lambda: identify(file, label, max_pixels, path=path))
        else:
            frame = _jpeg_frame(image, file, at_least) if jpeg else load_frame(image)
        reduced = jpeg and frame.image.size != (width, height)
        file.seek(0)
        digest = stream_sha256(file)
    picture = _of_first_frame(as_picture(*upright_samples(frame)), frame)
    picture = replace(picture, path=path, sha256=digest, metadata=frame.metadata)
    if not reduced:
        return picture
    turned = frame.orientation >= 5
    return replace(picture, full_size=(width, height) if turned else (height, width))


def _apng_frame(image: Image.Image, opened_again: Callable[[], Image.Image]) -> Frame:
    """Decode the first frame of an APNG that begins with a picture for programs without animations."""
    stated = of_all_frames(image)
    try:
        image.seek(first_frame(image))
        image.info.update(stated)
        return load_frame(image)
    except Exception:
        frame = load_frame(opened_again())
    note = "the frames of the APNG are missing or damaged: its picture for programs without animations is used"
    return replace(frame, notes=(*frame.notes, note))


def _jpeg_frame(image: Image.Image, file: BinaryIO, at_least: tuple[int, int] | None) -> Frame:
    """Decode a JPEG, at a reduced size if height and width are still `at_least`, also without its end marker."""

    def drafted(image: Image.Image) -> Frame:
        if at_least is not None:
            image.draft(None, at_least[::-1])  # None keeps the mode
        return load_frame(image)

    try:
        return drafted(image)
    except OSError:
        whole = with_end_marker(file)
        if whole is None:
            raise
    with Image.open(whole, formats=["JPEG"]) as completed:
        frame = drafted(completed)
    return replace(frame, notes=(*frame.notes, "the JPEG lacks its end marker; all pixels are there"))


def _read_pil_image(image: Image.Image, name: str) -> Picture:
    check_size(image.size, name)
    with pillow_errors(name):
        frame = load_frame(image)
    picture = as_picture(*upright_samples(frame))
    return replace(_of_first_frame(picture, frame), sha256=_sha256(picture), metadata=frame.metadata)


def _of_first_frame(picture: Picture, frame: Frame) -> Picture:
    if frame.frames == 1:
        return picture
    note = f"animated: the first of {frame.frames} frames is used"
    return replace(picture, frames=frame.frames, notes=(note, *picture.notes))


def _read_array(array: NDArray[Any], name: str) -> Picture:
    shape = "x".join(map(str, array.shape)) or "a scalar"
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))) or array.size == 0:
        raise ImageError(
            f"{name}: expected an array shaped (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), received {shape}"
        )
    check_size((array.shape[1], array.shape[0]), name)
    if array.dtype.newbyteorder("=") in (np.uint8, np.uint16):
        samples = array.astype(np.float32) / np.float32(np.iinfo(array.dtype).max)
    elif np.issubdtype(array.dtype, np.floating):
        samples = checked_samples(array, name)
    else:
        raise ImageError(f"{name}: expected an array of uint8, uint16 or float, received {array.dtype}")
    samples = samples.reshape(*array.shape[:2], -1)
    if samples.shape[2] == 1:
        samples = np.repeat(samples, 3, axis=2)
    alpha = np.ascontiguousarray(samples[..., 3]) if samples.shape[2] == 4 else None
    picture = as_picture(np.ascontiguousarray(samples[..., :3]), alpha, [])
    return replace(picture, sha256=_sha256(picture))


def _sha256(picture: Picture) -> str:
    """Hash the shape, the pixels and the alpha of a picture that is no file, as hexadecimal digits."""
    digest = hashlib.sha256(repr(picture.pixels.shape).encode())
    for samples in (picture.pixels, picture.alpha):
        if samples is not None:
            digest.update(samples.tobytes())
    return digest.hexdigest()


def path_of_file(path: str) -> str:
    """Return the path of a file so that no one takes the path for the name of a style."""
    return os.path.join(os.curdir, path) if is_name(path) else path


def as_picture(pixels: NDArray[np.float32], alpha: NDArray[np.float32] | None, notes: list[str]) -> Picture:
    """Return upright samples as a picture: drop an opaque alpha channel, replace the colours of transparent pixels."""
    if alpha is not None and alpha.min() >= 1:
        alpha = None
    if alpha is not None and not alpha.any():
        pixels = np.full_like(pixels, 0.5)
        notes = [*notes, "wholly transparent: its hidden colours are not used"]
    elif alpha is not None:
        pixels = fill_hidden_colors(pixels, alpha)
    return Picture(pixels, alpha, notes=tuple(notes))

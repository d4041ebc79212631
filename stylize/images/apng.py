"""APNG: what Pillow reads, with an empty ground of the first frame; and animations, written frame by frame."""

from __future__ import annotations

import io
import itertools
import struct
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from PIL import Image, ImageChops, PngImagePlugin

from stylize.images.png import SIGNATURE, chunks

__all__ = ["PngFile", "changed_box", "save_apng"]

# The place of one pixel: each frame needs pixels, also a frame that changes nothing.
_ONE_PIXEL = (0, 0, 1, 1)


class PngFile(PngImagePlugin.PngImageFile):
    """A PNG. If it holds a picture for programs without animations, this is not the ground of the first frame.

    Where the first frame leaves the ground empty, a PNG without transparency is black.
    """

    def _seek(self, frame: int, rewind: bool = False) -> None:
        super()._seek(frame, rewind)
        if frame == 1 and self.default_image:
            empty = self.info.get("transparency", 0)  # of a palette: an entry, or the alpha of the entries
            if isinstance(empty, bytes):
                empty = max(0, empty.find(0))
            self.im.paste(empty, (0, 0, *self.size))
            self._prev_im = self.im.copy()


def save_apng(
    stream: BinaryIO, images: Iterable[Image.Image], durations_ms: Sequence[int], plays: int, **options: Any
) -> None:
    """Write an APNG. Programs that know no animations show the first frame. Pillow would keep all frames to the end.

    Args:
        stream: where the bytes go.
        images: RGB or RGBA, all of one size and mode; memory holds two of them.
        durations_ms: how long each image is shown, ms.
        plays: how often the animation is shown; 0 stands for endless.
        options: of Pillow's PNG encoder, for what the file says beside the pixels.
    """
    numbers = itertools.count()
    before = None
    for image, duration_ms in zip(images, durations_ms, strict=True):
        box = (0, 0, *image.size) if before is None else changed_box(before, image)
        buffer = io.BytesIO()
        kept = options if before is None else {"compress_level": options.get("compress_level", -1)}
        image.crop(box).save(buffer, "PNG", **kept)
        found = list(chunks(buffer.getvalue()))
        pixels = b"".join(data for kind, data in found if kind == b"IDAT")
        if before is None:
            stream.write(SIGNATURE)
            for kind, data in found:
                if kind not in (b"IDAT", b"IEND"):
                    PngImagePlugin.putchunk(stream, kind, data)
            PngImagePlugin.putchunk(stream, b"acTL", struct.pack(">II", len(durations_ms), plays))
        PngImagePlugin.putchunk(stream, b"fcTL", _control(next(numbers), box, duration_ms))
        if before is None:
            PngImagePlugin.putchunk(stream, b"IDAT", pixels)
        else:
            PngImagePlugin.putchunk(stream, b"fdAT", struct.pack(">I", next(numbers)), pixels)
        before = image
    PngImagePlugin.putchunk(stream, b"IEND")


def changed_box(before: Image.Image, image: Image.Image) -> tuple[int, int, int, int]:
    """Return the part that differs between two images of one size and mode: left, top, right, bottom.

    Images that are equal get the box of one pixel.
    """
    return ImageChops.difference(before, image).getbbox(alpha_only=False) or _ONE_PIXEL


def _control(number: int, box: tuple[int, int, int, int], duration_ms: int) -> bytes:
    left, top, right, bottom = box
    # Two numbers of 16 bits: a numerator and a denominator, seconds.
    delay = (duration_ms, 1000) if duration_ms <= 65535 else (min(round(duration_ms / 1000), 65535), 1)
    # The frame stays until the next one, and replaces colours and transparency.
    return struct.pack(">IIIIIHHBB", number, right - left, bottom - top, left, top, *delay, 0, 0)

"""GIF: what Pillow reads, with the parts that no frame covers; and animations, written frame by frame."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from PIL import GifImagePlugin, Image

from stylize.images.apng import changed_box

__all__ = ["GifFile", "save_gif"]

# Entries of a palette.
_COLORS = 256

# A frame's way to leave: it stays, or its place becomes transparent.
_STAYS, _CLEARED = 1, 2


class GifFile(GifImagePlugin.GifImageFile):
    """A GIF that is transparent where its first frame does not reach and where a frame is cleared, as in browsers.

    Pillow fills these parts with the transparent colour, and with the first or the background colour if there is none.
    """

    def load_end(self) -> None:
        """Make transparent where the first frame does not reach, and what clears this frame before the next."""
        self._extend()
        super().load_end()
        box = self.dispose_extent or (0, 0, *self.size)
        uncovered = self.tell() == 0 and box != (0, 0, *self.size) and self._frame_transparency is None
        cleared = self.dispose is not None and self.disposal_method == _CLEARED
        if not uncovered and not cleared:
            return
        image = self.convert("RGBA")
        if uncovered:
            cover = Image.new("L", self.size)
            cover.paste(255, box)
            image.putalpha(cover)
        if cleared:
            self.dispose = Image.new("RGBA", (box[2] - box[0], box[3] - box[1])).im
        self.im, self._mode = image.im, image.mode
        self.info.pop("transparency", None)

    def _extend(self) -> None:
        """Extend what is transparent to a frame beyond the edge. Pillow extends only what is opaque."""
        before = self._prev_im if self.tell() > 0 else None
        if before is not None and before.mode == "RGBA" and before.size != self.size:
            self._prev_im = Image.new("RGBA", self.size).im
            self._prev_im.paste(before, (0, 0, *before.size))


def save_gif(
    stream: BinaryIO,
    images: Iterable[Image.Image],
    durations_ms: Sequence[int],
    plays: int,
    *,
    transparent: int | None = None,
    comment: bytes = b"",
) -> None:
    """Write a GIF with one palette. Pillow would keep all frames until the end.

    Args:
        stream: where the bytes go.
        images: of mode P, all of one size and with one palette; memory holds two of them.
        durations_ms: how long each image is shown, ms; a GIF counts in 10 ms.
        plays: how often the animation is shown; 0 stands for endless.
        transparent: the entry of the palette that stands for transparent, if any does.
        comment: what the file says beside the pixels.
    """
    before = None
    for image, hundredths in zip(images, _hundredths(durations_ms), strict=True):
        box = (0, 0, *image.size)
        if before is None:
            stream.write(_head(image, plays, comment))
        elif transparent is None:
            box = changed_box(before, image)
        leaves, index = (_STAYS, 0) if transparent is None else (_CLEARED, transparent)
        flags = leaves << 2 | (transparent is not None)
        stream.write(b"!\xf9" + _block(struct.pack("<BHB", flags, hundredths, index)) + b"\0")
        left, top, right, bottom = box
        stream.write(b"," + struct.pack("<4HB", left, top, right - left, bottom - top, 0) + _pixels(image.crop(box)))
        before = image
    stream.write(b";")


def _hundredths(durations_ms: Sequence[int]) -> Iterator[int]:
    """Yield times in 10 ms, rounded so that the sum is kept: 33 ms become 30, 40 and 30 ms."""
    wanted = given = 0
    for duration_ms in durations_ms:
        wanted += duration_ms
        # Browsers show a frame of 10 ms for 100 ms.
        time = min(max(round(wanted / 10) - given, 2 if duration_ms > 0 else 0), 65535)
        given += time
        yield time


def _head(image: Image.Image, plays: int, comment: bytes) -> bytes:
    palette = bytes(image.getpalette() or ())[: 3 * _COLORS].ljust(3 * _COLORS, b"\0")
    head = b"GIF89a" + struct.pack("<HHBBB", *image.size, 0xF7, 0, 0) + palette
    if plays != 1:  # how often the animation is repeated after its first time; 0 stands for endless
        head += b"!\xff" + _block(b"NETSCAPE2.0") + _block(struct.pack("<BH", 1, max(0, plays - 1))) + b"\0"
    if comment:
        blocks = [_block(comment[at : at + 255]) for at in range(0, len(comment), 255)]
        head += b"!\xfe" + b"".join(blocks) + b"\0"
    return head


def _block(data: bytes) -> bytes:
    return bytes([len(data)]) + data


def _pixels(image: Image.Image) -> bytes:
    """Return the compressed pixels as they stand in a GIF that Pillow writes of this image alone."""
    buffer = io.BytesIO()
    image.save(buffer, "GIF", optimize=False, interlace=0)
    data = buffer.getvalue()
    start = 13 + 3 * (2 << (data[10] & 7))  # behind the palette
    while data[start] == ord("!"):
        start += 2
        while data[start]:
            start += 1 + data[start]
        start += 1
    return data[start + 10 : -1]

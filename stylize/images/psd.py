"""PSD files of Photoshop: the flattened picture, and what the file says beside the pixels."""

from __future__ import annotations

import itertools
import os
import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PsdImagePlugin

__all__ = ["PsdFile"]

# Numbers of image resources.
_RESOLUTION, _EXIF = 1005, 1058


class PsdFile(PsdImagePlugin.PsdImageFile):
    """A PSD with its transparency, its resolution and EXIF.

    The first channel after the colours is transparency only where the file says so. Pillow takes a saved selection for
    it, too, and looks for it only in RGB without saved selections.
    """

    def _open(self) -> None:
        super()._open()
        if self.mode == "RGBA":
            self._mode, self.tile = "RGB", self.tile[:3]
        offsets, count = self._channel_offsets(), len(self.tile)
        transparent = len(offsets) > count > 0 and self._is_transparent()
        self._is_gray, self._has_alpha = self.mode == "L", transparent and self.mode in ("L", "RGB")
        bands = [tile.args for tile in self.tile]
        if self._has_alpha:
            # Pillow decodes no channels of gray with transparency: the gray stands for three colours until then.
            offsets = [*offsets[:count] * (3 // count), offsets[count]]
            self._mode, bands = "RGBA", list("RGBA")
        elif transparent:
            self.info["notes"] = [f"a PSD of {self.mode}: its transparency is not used"]
        self.tile = [self.tile[0]._replace(offset=at, args=band) for at, band in zip(offsets, bands, strict=False)]
        resources = {number: data for number, _, data in self.resources}
        if _EXIF in resources:
            self.info["exif"] = resources[_EXIF]
        if len(resources.get(_RESOLUTION, b"")) >= 12:
            across, down = struct.unpack_from(">I4xI", resources[_RESOLUTION])  # in 1/65536 of a pixel per inch
            self.info["dpi"] = across / 65536, down / 65536

    def load_end(self) -> None:
        """Take the white out of the colours of pixels that are partly transparent: Photoshop blends them with white."""
        if not self._has_alpha:
            return
        samples = np.array(self)
        # What is blended with white is no darker than 255 - alpha, rounded. ImageMagick does not blend.
        if all((row[:, :3].min(axis=1) >= 254 - row[:, 3].astype(np.int16)).all() for row in samples):
            table = _without_white()
            for row in samples:
                row[:, :3] = table[row[:, 3:], row[:, :3]]
        image = Image.fromarray(samples)
        if self._is_gray:
            image = image.convert("LA")
        self.im, self._mode = image.im, image.mode

    def _channel_offsets(self) -> list[int]:
        """Return where each channel begins. Pillow is wrong where compressed channels follow those that it decodes."""
        assert self.fp is not None
        self.fp.seek(12)
        (count,) = struct.unpack(">H", self.fp.read(2))
        self.fp.seek(26)
        for _ in range(3):  # the palette, the resources, and the layers
            (size,) = struct.unpack(">I", self.fp.read(4))
            self.fp.seek(size, os.SEEK_CUR)
        (compression,) = struct.unpack(">H", self.fp.read(2))
        width, height = self.size
        sizes = [width * height] * count
        if compression == 1:
            rows = struct.unpack(f">{count * height}H", self.fp.read(2 * count * height))
            sizes = [sum(rows[channel * height :][:height]) for channel in range(count)]
        return [self.fp.tell() + before for before in itertools.accumulate(sizes, initial=0)][:count]

    def _is_transparent(self) -> bool:
        """Whether the number of layers is negative, which marks the first channel after the colours as transparency."""
        if self._layers_position is None:
            return False
        assert self.fp is not None
        self.fp.seek(self._layers_position)
        return int.from_bytes(self.fp.read(2), "big", signed=True) < 0


def _without_white() -> NDArray[np.uint8]:
    """Return the colours before they were blended with white, by alpha and sample."""
    alpha, sample = np.ogrid[:256, :256]
    ink = np.minimum((255 - sample) * 255 / np.maximum(alpha, 1), 255)
    return np.where(alpha > 0, np.rint(255 - ink), sample).astype(np.uint8)

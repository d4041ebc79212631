"""PSD files of Photoshop: the flattened picture, and what the file says beside the pixels."""

from __future__ import annotations

import struct

from PIL import PsdImagePlugin

__all__ = ["PsdFile"]

# Numbers of image resources.
_RESOLUTION, _EXIF = 1005, 1058


class PsdFile(PsdImagePlugin.PsdImageFile):
    """A PSD with its resolution and EXIF.

    The fourth channel of RGB is transparency only where the file says so. Pillow takes saved selections for it, too.
    """

    def _open(self) -> None:
        super()._open()
        if self.mode == "RGBA" and not self._is_transparent():
            self._mode, self.tile = "RGB", self.tile[:3]
        resources = {number: data for number, _, data in self.resources}
        if _EXIF in resources:
            self.info["exif"] = resources[_EXIF]
        if len(resources.get(_RESOLUTION, b"")) >= 12:
            across, down = struct.unpack_from(">I4xI", resources[_RESOLUTION])  # in 1/65536 of a pixel per inch
            self.info["dpi"] = across / 65536, down / 65536

    def _is_transparent(self) -> bool:
        """Whether the number of layers is negative, which marks the first channel after the colours as transparency."""
        if self._layers_position is None:
            return False
        assert self.fp is not None
        self.fp.seek(self._layers_position)
        return int.from_bytes(self.fp.read(2), "big", signed=True) < 0

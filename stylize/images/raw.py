"""Raw files of cameras: recognised by their content, and developed by LibRaw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, cast

from PIL import ExifTags, Image, ImageFile, TiffImagePlugin

from stylize.images.tiff import is_preview
from stylize.native_stderr import native_stderr_silenced

__all__ = ["RawFile", "holds_raw"]

_DNG_VERSION = 50706
_COLOR_FILTERS, _LINEAR_RAW = 32803, 34892


def holds_raw(directories: Sequence[Mapping[int, Any]]) -> bool:
    """Whether a TIFF is a raw file: its first picture is then a preview, or the samples of the sensor."""
    if not directories:
        return False
    first = directories[0]
    preview = is_preview(first) and TiffImagePlugin.SUBIFD in first
    meanings = {tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) for tags in directories}
    return preview or _DNG_VERSION in first or bool({_COLOR_FILTERS, _LINEAR_RAW} & meanings)


class RawFile(ImageFile.ImageFile):
    """A raw file, developed when it is loaded: upright, in sRGB, with the white balance of the camera.

    Raises:
        ImportError: The extra "raw" is not installed.
        rawpy.LibRawError: The file is damaged, or of an unknown camera.
    """

    format = "RAW"

    def _open(self) -> None:
        import rawpy

        assert self.fp is not None
        with native_stderr_silenced():  # LibRaw prints what is damaged
            self._raw: Any = rawpy.imread(cast(BinaryIO, self.fp))
        sizes = self._raw.sizes
        turned = sizes.flip in (5, 6)
        self._size = (sizes.iheight, sizes.iwidth) if turned else (sizes.iwidth, sizes.iheight)
        self._mode = "RGB"

    def load(self) -> Any:
        """Develop the picture."""
        if self._raw is not None:
            srgb = (2.4, 12.92)
            with native_stderr_silenced(), self._raw as raw:
                array = raw.postprocess(use_camera_wb=True, output_bps=8, gamma=srgb)
            self._raw = None
            self.im = Image.fromarray(array).im
            self._size = self.im.size
            self.info["notes"] = ["raw file of a camera: developed with the camera's white balance"]
            if not self._is_tiff():
                self.info["notes"] += ["raw file of a camera: author, dates and resolution are not read"]
        return super().load()

    def getexif(self) -> Image.Exif:
        """Read EXIF where the file is a TIFF, as most raw files are; without the orientation, which is applied."""
        exif = Image.Exif()
        if self._is_tiff():
            assert self.fp is not None
            self.fp.seek(0)
            exif.load_from_fp(self.fp)
            exif.pop(ExifTags.Base.Orientation, None)
        return exif

    def _is_tiff(self) -> bool:
        assert self.fp is not None
        self.fp.seek(0)
        return self.fp.read(4) in (b"II*\0", b"MM\0*")

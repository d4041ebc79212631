"""Picture files: opened, identified, and checked before anything is decoded."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from PIL import Image, UnidentifiedImageError

from stylize import urls
from stylize.errors import ImageError
from stylize.files import is_remote, opened
from stylize.images import png
from stylize.images.apng import PngFile
from stylize.images.formats import FORMATS, RAW_SUFFIXES, is_heif, is_raw, is_tiff
from stylize.images.gif import GifFile
from stylize.images.jpeg import JpegFile
from stylize.images.overlooked import overlooked_colors
from stylize.images.psd import PsdFile
from stylize.text import one_line

__all__ = [
    "MAX_PIXELS",
    "check_size",
    "identify",
    "long_side_px_of",
    "open_picture_file",
    "pillow_errors",
    "read_stream",
]

#: The largest picture that is decoded, in px (width times height). Larger pictures are refused: a small file may
#: hold a picture that fills the memory (a decompression bomb).
MAX_PIXELS = 300_000_000

_EXPECTED = "a picture (JPEG, PNG, WebP, TIFF, AVIF, HEIC, GIF, BMP, JPEG 2000, PSD)"

# What tells the format of a file.
_HEAD_BYTES = 64

# Kinds of files that are not read and that begin as text, by their beginnings.
_REFUSED = {
    b"P7\n": "a PAM", b"P7 ": "a thumbnail of XV", b"%PDF": "a PDF", b"%!PS": "a PostScript file",
    b"#?RADIANCE": "a Radiance HDR", b"SIMPLE  =": "a FITS", b"<svg": "an SVG",
}  # fmt: skip

# What reads more from a format than Pillow does.
_OWN_TYPES: dict[bytes, Callable[[BinaryIO], Image.Image]] = {
    b"8BPS": PsdFile,
    b"GIF8": GifFile,
    png.SIGNATURE: PngFile,
}

# Many a web server does not allow to seek.
_WEB = ("http://", "https://")

# How much of a pipe is read at once, and the most bytes that a pixel takes in a file: four samples of 64 bits.
_BLOCK_BYTES = 1 << 20
_MAX_PIXEL_BYTES = 32

# Decoding changes Pillow's global size limit and Python's global warning filters: one thread at a time.
_PILLOW_LOCK = threading.RLock()


@contextlib.contextmanager
def open_picture_file(path: str, label: str) -> Iterator[BinaryIO]:
    """Open a file or a URL as a seekable stream.

    A connection that breaks off is not taken for a damaged picture.

    Args:
        path: A path or a URL.
        label: What error messages call the file, such as "content photo.jpg".

    Raises:
        ImageError: The file is missing, not readable, or a folder.
    """
    try:
        if os.path.isdir(path):
            raise ImageError(f"{label}: expected {_EXPECTED}, received a folder; name a file in it")
        # In one answer: not every web server sends parts of a file, or tells the size.
        file = urls.opened(path, block_size=0) if path.startswith(_WEB) else opened(path)
    except FileNotFoundError:
        raise ImageError(f"{label}: no such file; expected {_EXPECTED}; check the path") from None
    except PermissionError:
        raise ImageError(f"{label}: no permission to read it; expected a readable file") from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise _unreadable(path, label, error) from None
    with file:
        # Pillow has to seek, which a pipe (`<(curl ...)`) and many a web server do not allow. A device may have no end.
        if path.startswith(_WEB) or not file.seekable() or not (is_remote(path) or os.path.isfile(path)):
            yield read_stream(file, path, label)
        else:
            yield cast(BinaryIO, _OfStore(file, path, label)) if is_remote(path) else file


class _OfStore(io.RawIOBase):
    """A file of a store. It says by itself that the store failed: after an OSError, the picture counts as damaged."""

    def __init__(self, file: BinaryIO, path: str, label: str) -> None:
        self._file, self._path, self._label = file, path, label

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._file.read(len(buffer))
        except OSError as error:
            raise _unreadable(self._path, self._label, error) from None
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _unreadable(path: str, label: str, error: Exception) -> ImageError:
    advice = "; check the address and the connection" if is_remote(path) else ""
    return ImageError(f"{label}: expected a readable file, received: {one_line(error) or type(error).__name__}{advice}")


def read_stream(file: BinaryIO, path: str, label: str) -> io.BytesIO:
    """Read a stream to its end, or no further than its head if it begins as no picture.

    Args:
        file: The stream.
        path: Its address, from which advice is taken.
        label: What error messages call the picture.

    Raises:
        ImageError: The stream breaks off, or is larger than any picture or than the memory.
    """
    read = io.BytesIO()
    try:
        while block := file.read(_HEAD_BYTES if read.tell() < _HEAD_BYTES else _BLOCK_BYTES):
            read.write(block)
            if read.tell() > MAX_PIXELS * _MAX_PIXEL_BYTES:
                raise ImageError(
                    f"{label}: expected at most {MAX_PIXELS // 10**6} megapixels, received more bytes than these take; "
                    "make the picture smaller first"
                )
            if _HEAD_BYTES <= read.tell() < 2 * _HEAD_BYTES and not _begins_as_picture(read.getvalue()):
                break
    except MemoryError:
        raise ImageError(f"{label}: too large for this machine's memory; make it smaller first") from None
    except OSError as error:
        raise _unreadable(path, label, error) from None
    read.seek(0)
    return read


def _begins_as_picture(head: bytes) -> bool:
    Image.init()
    accepted = (Image.OPEN[name][1] for name in FORMATS)
    return is_tiff(head) or is_raw(head) or is_heif(head) or any(accept and accept(head) for accept in accepted)


@contextlib.contextmanager
def pillow_errors(label: str) -> Iterator[None]:
    """Silence Pillow's warnings, apply `MAX_PIXELS`, and turn every failure into one line.

    Args:
        label: What error messages call the picture.

    Raises:
        ImageError: The picture is too large or damaged.
    """
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
        # Decoders raise many types for damaged data: OSError, SyntaxError, ValueError, struct.error ...
        except Exception as error:
            raise ImageError(
                f"{label}: expected a whole picture, received damaged or cut-off data ({one_line(error)}); "
                "export or download it again"
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def identify(file: BinaryIO, label: str, max_pixels: int | None = None, *, path: str | None = None) -> Image.Image:
    """Read the header of a picture and check its size. The pixels are not decoded yet.

    Args:
        file: A seekable stream.
        label: What error messages call the picture.
        max_pixels: As `check_size`.
        path: The path of the file, if known. Its suffix tells raw files from other TIFFs.

    Raises:
        ImageError: The format is unknown or not supported, or the picture is too large.
    """
    file.seek(0)
    head = file.read(_HEAD_BYTES)
    if head.startswith(png.SIGNATURE):
        file, info = png.without_faults(file)
        image = _opened(file, head, label)
        image.info.update(info)
    elif is_tiff(head):
        image = _tiff(file, head, label, is_raw(head) or os.path.splitext(path or "")[1].lower() in RAW_SUFFIXES)
    elif is_raw(head):
        image = _raw(file, label)
    else:
        image = _heif(file, head, label) if is_heif(head) else _opened(file, head, label)
        image.info.update(overlooked_colors(file))
    check_size(image.size, label, max_pixels)
    return image


def long_side_px_of(path: str) -> int:
    """Read the long side of a picture in px from its header.

    Raises:
        ImageError: The file is unreadable, or not a picture.
    """
    label = one_line(f"image {path}")
    with open_picture_file(path, label) as file, pillow_errors(label):
        return max(identify(file, label, path=path).size)


def _opened(file: BinaryIO, head: bytes, label: str, formats: tuple[str, ...] = FORMATS) -> Image.Image:
    file.seek(0)
    try:
        own = next((file_type for signature, file_type in _OWN_TYPES.items() if head.startswith(signature)), None)
        return Image.open(file, formats=formats) if own is None else own(file)
    except (UnidentifiedImageError, SyntaxError):
        if head.startswith(b"\xff\xd8\xff"):
            file.seek(0)
            with contextlib.suppress(SyntaxError):
                return JpegFile(file)
        raise ImageError(f"{label}: expected {_EXPECTED}, received {_other_than_picture(head)}") from None


def _other_than_picture(head: bytes) -> str:
    """Say what a file is that is no picture, and what to do. No bytes of the file: its name may be a foreign one."""
    if not head:
        return "an empty file; export or download it again"
    received = "an unknown or damaged format"
    refused = next((kind for beginning, kind in _REFUSED.items() if head.startswith(beginning)), None)
    if refused is not None:
        received = f"{refused}, which is not supported"
    elif head.isascii() and b"\0" not in head:
        received = "text, such as a web page"
    elif head.startswith(b"8BPS") and head[23:24] not in (b"", b"\x01", b"\x08"):
        received = f"a PSD of {head[23]} bits per sample, which is not supported"
    return f"{received}; export it as PNG or JPEG"


def _tiff(file: BinaryIO, head: bytes, label: str, raw: bool) -> Image.Image:
    from stylize.images.deep_tiff import TiffFile
    from stylize.images.raw import holds_raw
    from stylize.images.tiff import is_preview, read_directories

    big_endian_big_tiff = head.startswith(b"MM\0+")  # Pillow takes these for TIFFs of the usual kind
    pages = [] if big_endian_big_tiff else read_directories(file)
    if raw or holds_raw(pages):
        return _raw(file, label)
    file.seek(0)
    try:
        if big_endian_big_tiff:
            raise ImageError("a BigTIFF with the highest byte first")
        image = TiffFile(file)
        whole = next((i for i, tags in enumerate(pages) if not is_preview(tags)), 0)
        if whole > 0:
            image.seek(whole)
            image.info["notes"] = [f"page 1 is a preview: page {whole + 1} is used"]
        return image
    except ImageError as error:
        raise ImageError(
            f"{label}: expected a TIFF of gray or RGB, received {error}, which is not supported; "
            "save it as a TIFF or PNG of 8 or 16 bits"
        ) from None


def _raw(file: BinaryIO, label: str) -> Image.Image:
    try:
        import rawpy
    except ImportError:
        raise ImageError(
            f"{label}: expected {_EXPECTED}, received a camera's raw file; "
            'install the extra that develops it (pip install "stylize-art[raw]"), or export it as JPEG'
        ) from None
    from stylize.images.raw import RawFile

    file.seek(0)
    try:
        return RawFile(file)
    except rawpy.LibRawFileUnsupportedError:
        raise ImageError(
            f"{label}: expected a raw file of a camera that LibRaw knows, received another or a damaged file; "
            "export it as JPEG"
        ) from None


def _heif(file: BinaryIO, head: bytes, label: str) -> Image.Image:
    try:
        import pillow_heif
    except ImportError:
        raise ImageError(
            f"{label}: expected {_EXPECTED}, received HEIC; "
            'install the extra that reads it (pip install "stylize-art[heif]"), or export it as JPEG'
        ) from None
    pillow_heif.register_heif_opener()
    return _opened(file, head, label, ("HEIF",))


def check_size(size: tuple[int, int], label: str, max_pixels: int | None = None) -> None:
    """Refuse empty and too large pictures.

    Args:
        size: Width and height in px.
        label: What error messages call the picture.
        max_pixels: The largest allowed width times height; at most, and by default, `MAX_PIXELS`.

    Raises:
        ImageError: The picture is empty or too large.
    """
    width, height = size
    max_pixels = min(MAX_PIXELS, max_pixels or MAX_PIXELS)
    if not 0 < width * height <= max_pixels:
        raise ImageError(
            f"{label}: expected 1 pixel to {max_pixels / 1e6:g} megapixels, received {width} x {height} px "
            f"({width * height / 1e6:.0f} megapixels); make it smaller first"
        )

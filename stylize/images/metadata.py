"""What a picture's file says beside its pixels: author, dates, resolution. Read from any format, written as EXIF."""

from __future__ import annotations

import codecs
import dataclasses
import math
import re
import struct
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from PIL import ExifTags, Image

from stylize.images.provenance import is_provenance

__all__ = ["NO_METADATA", "Metadata", "decoded_text", "read_metadata"]

_BASE = ExifTags.Base

#: Tags of EXIF's first directory that are kept: what people and cameras say, nothing about the layout of the file.
_MAIN = (
    _BASE.Artist, _BASE.Copyright, _BASE.ImageDescription, _BASE.Make, _BASE.Model, _BASE.Software, _BASE.DateTime,
    _BASE.HostComputer, _BASE.DocumentName, _BASE.PageName, _BASE.Rating, _BASE.XPTitle, _BASE.XPComment,
    _BASE.XPAuthor, _BASE.XPKeywords, _BASE.XPSubject,
)  # fmt: skip

# The same for the directory of the shot: exposure, sensitivity, dates, comment; lens and scene. Pixels have other
# numbers in the output; the makers' notes hold serial numbers and places.
_PHOTO_RANGES = (range(0x829A, 0x829E), range(0x8822, 0x8836), range(0x9000, 0x9500), range(0xA20B, 0xA500))
_NEVER = (
    _BASE.MakerNote, _BASE.BodySerialNumber, _BASE.LensSerialNumber, _BASE.ImageUniqueID, _BASE.GPSInfo,
    _BASE.DeviceSettingDescription,
)  # fmt: skip
_PHOTO = tuple(
    tag for tag in _BASE if tag not in _NEVER and any(tag.value in numbers for numbers in _PHOTO_RANGES)
)  # fmt: skip

_SAFE_MAIN = (_BASE.Artist, _BASE.Copyright)
_SAFE_PHOTO = (_BASE.DateTimeOriginal,)

# Names of texts that hold XMP, whole blocks of EXIF, single fields of EXIF, serial numbers, or places.
_HIDDEN_TEXTS = re.compile(
    r"(?i)xml:|raw profile|exif:|xmp|.*(gps|serial|latitude|longitude|altitude|location|coordinate|address|geotag)"
    r"|long$|.*(?<![a-z])(geo|lat|lon|lng|latlo?ng|coords?|place|position|city|town|state|province|country)(?![a-z])"
)
# Between the words of a name such as CityName.
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")

# A segment of JPEG holds 65533 bytes, and the provenance needs room, too.
_MAX_VALUE_BYTES = 4096
_MAX_BYTES = 32768

# A JPEG holds whole numbers of 16 bits.
_MAX_DPI = 65535


class _Text(str):
    """A text of EXIF. Files hold bytes of any encoding, which Pillow reads as Latin-1 and writes as ASCII with `?`."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Return the bytes that the file had; UTF-8 for a text that was never in EXIF."""
        try:
            return super().encode("latin-1")
        except UnicodeEncodeError:
            return super().encode("utf-8")


@dataclass(frozen=True)
class Metadata:
    """What a picture's file says beside its pixels.

    Places (GPS), serial numbers, orientation, thumbnails, makers' notes and XMP are never in it.

    Attributes:
        dpi: resolution across and down in pixels per inch, 1 to 65535; None if the file does not state it.
        main: values of EXIF's first directory by tag, such as author and copyright.
        photo: values of EXIF's directory of the shot by tag, such as the capture date.
        texts: texts by name: those of PNG, and the comments of JPEG and GIF.
        left_out: names of values that are too long to keep: over 4096 bytes, or 32768 bytes in all.
    """

    dpi: tuple[float, float] | None = None
    main: Mapping[int, Any] = field(default_factory=dict)
    photo: Mapping[int, Any] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def kept(self, which: Literal["safe", "all", "none"]) -> Metadata:
        """Return the part that `OutputConfig.metadata` names."""
        if which == "none":
            return NO_METADATA
        if which == "all":
            return self
        return Metadata(
            dpi=self.dpi,
            main={tag: value for tag, value in self.main.items() if tag in _SAFE_MAIN},
            photo={tag: value for tag, value in self.photo.items() if tag in _SAFE_PHOTO},
        )

    def with_description(self, description: str) -> Metadata:
        """Return a copy with another description of the picture; its own description becomes a text."""
        texts = dict(self.texts)
        if own := self.main.get(_BASE.ImageDescription):
            # A PNG may have a text of this name, too.
            told = dict.fromkeys([texts.get("Description", ""), decoded_text(own)])
            texts["Description"] = "\n".join(filter(None, told))
        return dataclasses.replace(self, main={**self.main, _BASE.ImageDescription: description}, texts=texts)

    def exif(self, *, with_texts: bool) -> Image.Exif:
        """Return EXIF for a file.

        Args:
            with_texts: Whether EXIF holds the texts, in the user's comment. PNG has texts of its own.
        """
        exif, photo = Image.Exif(), dict(self.photo)
        for tag, value in self.main.items():
            exif[tag] = value
        if self.dpi is not None:
            exif[_BASE.XResolution], exif[_BASE.YResolution] = self.dpi
            exif[_BASE.ResolutionUnit] = 2  # inch
        if with_texts and self.texts:
            lines = [f"{name}: {text}" for name, text in self.texts.items()]
            photo[_BASE.UserComment] = _user_comment("\n".join([*_comment_lines(photo), *lines]))
        if photo:
            exif.get_ifd(ExifTags.IFD.Exif).update(photo)
        return exif


#: Of a picture that is no file.
NO_METADATA = Metadata()


def read_metadata(image: Image.Image, exif: Image.Exif) -> Metadata:
    """Read what a picture's file says. Damaged values are left out.

    Args:
        image: The loaded picture.
        exif: Its EXIF.
    """
    texts = dict(_texts(image))
    main, photo = _values(exif, _MAIN), _values(_photo_directory(exif), _PHOTO)
    if is_provenance(main.get(_BASE.ImageDescription)):
        del main[_BASE.ImageDescription]  # of a picture that was painted from
    if _BASE.UserComment in photo:
        photo[_BASE.UserComment] = _in_any_byte_order(photo[_BASE.UserComment], exif)
    for name, tag in (("Author", _BASE.Artist), ("Copyright", _BASE.Copyright)):
        if name in texts and not main.get(tag):
            # Through UTF-8, so that it is written as UTF-8.
            main[tag] = _Text(texts[name].encode("utf-8", "replace").decode("latin-1"))
    room, left_out = _MAX_BYTES, list[str]()
    parts: tuple[dict[Any, Any], ...] = (main, photo, texts)
    for values in parts:
        for key, value in list(values.items()):
            size = len(key) + 2 * len(value) if isinstance(key, str) else _exif_bytes(key, value)
            if size is not None and size <= min(_MAX_VALUE_BYTES, room):
                room -= size
                continue
            del values[key]
            if size is not None:
                left_out.append(key if isinstance(key, str) else _BASE(key).name)
    return Metadata(_dpi(image, exif), main, photo, texts, tuple(left_out))


def _values(directory: Mapping[int, Any], tags: tuple[_BASE, ...]) -> dict[int, Any]:
    """Return the values of a directory that are neither empty nor damaged."""
    found = {}
    for tag in tags:
        try:
            value = directory.get(tag.value)
        except Exception:  # Pillow parses a value when it is asked for; damaged values raise many types
            continue
        if isinstance(value, str):
            value = _Text(value.strip("\0 "))
        if value not in (None, "", b""):
            found[tag.value] = value
    return found


def _photo_directory(exif: Image.Exif) -> Mapping[int, Any]:
    try:
        return exif.get_ifd(ExifTags.IFD.Exif)
    except Exception:  # as above
        return {}


def _exif_bytes(tag: int, value: Any) -> int | None:
    """Return how many bytes a value takes in a file; None if it cannot be written, such as 0/0."""
    exif = Image.Exif()
    exif[tag] = value
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return len(exif.tobytes())
    except (ArithmeticError, TypeError, ValueError, KeyError, AttributeError, struct.error, UserWarning):
        return None


def _is_hidden(name: str) -> bool:
    return _HIDDEN_TEXTS.match(_WORDS.sub(" ", name)) is not None


def _texts(image: Image.Image) -> Iterator[tuple[str, str]]:
    found = dict(getattr(image, "text", {}) if image.format == "PNG" else {})
    if image.format in ("JPEG", "MPO", "GIF") and "comment" in image.info:
        found["Comment"] = image.info["comment"]
    for name, text in found.items():
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        if name == "Comment" and is_provenance(text):
            text = text.partition("\n")[2]  # of an animation that was painted from
        if text.strip("\0 ") and not _is_hidden(name) and "<x:xmpmeta" not in text and "<rdf:" not in text:
            yield name, text


def _dpi(image: Image.Image, exif: Image.Exif) -> tuple[float, float] | None:
    # Pillow makes numbers up for a JPEG or a TIFF that states nothing.
    stated = image.format in ("PNG", "BMP", "PSD") or image.info.get("jfif_unit") in (1, 2)
    resolution = _values(exif, (_BASE.XResolution, _BASE.YResolution, _BASE.ResolutionUnit))
    unit = {2: 1.0, 3: 2.54}.get(resolution.get(_BASE.ResolutionUnit, 2))
    across, down = resolution.get(_BASE.XResolution), resolution.get(_BASE.YResolution)
    try:
        if stated and "dpi" in image.info:
            dpi = tuple(map(float, image.info["dpi"]))
        elif unit is not None:
            dpi = float(across) * unit, float(down) * unit  # type: ignore[arg-type]
        else:
            return None
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return dpi if len(dpi) == 2 and all(math.isfinite(each) and 1 <= each <= _MAX_DPI for each in dpi) else None


def decoded_text(text: str) -> str:
    """Return a text of EXIF whose bytes are UTF-8, or Latin-1."""
    data = _Text(text).encode()
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _comment_lines(photo: Mapping[int, Any]) -> list[str]:
    """Return the user's comment of EXIF, which begins with eight bytes that name its encoding."""
    comment = photo.get(_BASE.UserComment)
    if not isinstance(comment, bytes):
        return []
    encoding = {b"UNICODE": "utf-16"}.get(comment[:7], "utf-8")
    return list(filter(None, [comment[8:].decode(encoding, "replace").strip("\0 ")]))


def _in_any_byte_order(comment: Any, exif: Image.Exif) -> Any:
    """Return a user's comment so that it does not depend on the byte order of its EXIF."""
    if not isinstance(comment, bytes) or not comment.startswith(b"UNICODE"):
        return comment
    name, text = comment[:8], comment[8:]
    marks = {">": codecs.BOM_UTF16_BE, "<": codecs.BOM_UTF16_LE}
    return comment if text.startswith(tuple(marks.values())) else name + marks[exif.endian or "<"] + text


def _user_comment(text: str) -> bytes:
    return b"ASCII\0\0\0" + text.encode() if text.isascii() else b"UNICODE\0" + text.encode("utf-16", "replace")

"""What files say beside their pixels: what is kept, in every format, and what never is."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from picture_files import psd, scene
from stylize.images.metadata import Metadata
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.images.writing import SUFFIXES, encode, write_image
from stylize.output import OutputConfig

BASE = ExifTags.Base
DATE = "2024:05:06 07:08:09"
SECRETS = (b"SN-1234567", b"LN-7654321", b"maker's note", b"51.5", b"a secret place")


def _exif() -> Image.Exif:
    exif = Image.Exif()
    for tag, value in {
        BASE.Artist: "Ann Author", BASE.Copyright: "(c) 2024 Ann", BASE.Make: "Camera Inc.", BASE.Orientation: 6,
        BASE.ImageDescription: "A holiday", BASE.XResolution: 300.0, BASE.YResolution: 300.0, BASE.ResolutionUnit: 2,
        BASE.XMLPacket: b"<x:xmpmeta>a secret place</x:xmpmeta>", BASE.CameraSerialNumber: "SN-1234567",
    }.items():  # fmt: skip
        exif[tag] = value
    exif.get_ifd(ExifTags.IFD.Exif).update(
        {
            BASE.DateTimeOriginal: DATE, BASE.FNumber: 2.8, BASE.LensModel: "50 mm", BASE.MakerNote: b"maker's note",
            BASE.BodySerialNumber: "SN-1234567", BASE.LensSerialNumber: "LN-7654321", BASE.ExifImageWidth: 6000,
            BASE.UserComment: b"ASCII\0\0\0by the sea",
        }
    )  # fmt: skip
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({ExifTags.GPS.GPSMapDatum: "51.5"})
    return exif


def _file(suffix: str) -> bytes:
    """A picture of a camera."""
    beside: dict[str, Any] = {"dpi": (300, 300)}
    if suffix == "png":
        texts = PngImagePlugin.PngInfo()
        for name, text in (
            ("Title", "Été"), ("XML:com.adobe.xmp", "<x:xmpmeta>a secret place</x:xmpmeta>"),
            ("exif:GPSLatitude", "51.5"),
            ("Raw profile type xmp", "a secret place"), ("Serial number", "SN-1234567"),
        ):  # fmt: skip
            texts.add_itxt(name, text)
        beside["pnginfo"] = texts
    elif suffix == "jpg":
        beside["comment"] = "Été".encode()
    buffer = io.BytesIO()
    form = Image.registered_extensions()[f".{suffix}"]
    Image.fromarray(scene()).save(buffer, form, exif=_exif().tobytes(), **beside)
    return buffer.getvalue()


def _written(suffix: str, metadata: Metadata, which: Literal["safe", "all", "none"]) -> tuple[bytes, Metadata]:
    data = encode(scene() / 255, suffix, metadata=metadata, output=OutputConfig(metadata=which), provenance={"a": 1})
    return data, read_image(data).metadata


@pytest.mark.parametrize("source", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_author_copyright_date_and_resolution_are_kept(source: str, suffix: str) -> None:
    metadata = read_image(_file(source)).metadata
    data, again = _written(suffix, metadata, "safe")
    assert again.dpi == pytest.approx((300, 300), rel=1e-4)
    assert again.main == {BASE.Artist: "Ann Author", BASE.Copyright: "(c) 2024 Ann"}
    assert again.photo == {BASE.DateTimeOriginal: DATE}
    assert again.texts == {}
    assert not [secret for secret in (*SECRETS, b"Camera Inc.") if secret in data]
    with Image.open(io.BytesIO(data)) as image:
        assert image.getexif()[BASE.XResolution] == pytest.approx(300, rel=1e-4)


@pytest.mark.parametrize("source", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_is_all_but_places_and_serial_numbers(source: str, suffix: str) -> None:
    metadata = read_image(_file(source)).metadata
    data, again = _written(suffix, metadata, "all")
    assert again.main == {BASE.Artist: "Ann Author", BASE.Copyright: "(c) 2024 Ann", BASE.Make: "Camera Inc."}
    assert again.photo.keys() == {BASE.DateTimeOriginal, BASE.FNumber, BASE.LensModel, BASE.UserComment}
    comment = again.photo[BASE.UserComment]
    comment = comment[8:].decode("utf-16" if comment.startswith(b"UNICODE") else "ascii")
    text = {"png": "Title: Été", "jpg": "Comment: Été"}.get(source)
    told = [*([text] if text else []), "Description: A holiday"]
    if suffix == "png":
        assert [f"{name}: {value}" for name, value in again.texts.items()] == told
        assert comment == "by the sea"
    else:
        assert comment.splitlines() == ["by the sea", *told]
    with Image.open(io.BytesIO(data)) as image:
        assert BASE.Orientation not in image.getexif() or image.getexif()[BASE.Orientation] == 1
        assert ExifTags.IFD.GPSInfo not in image.getexif()
    assert not [secret for secret in SECRETS if secret in data]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_none_is_nothing(tmp_path: Path, suffix: str) -> None:
    metadata = read_image(_file("jpg")).metadata
    path = tmp_path / f"out.{suffix}"
    nothing = OutputConfig(metadata="none", provenance=False)
    write_image(path, scene() / 255, metadata=metadata, output=nothing, provenance={"command": "fast"})
    assert read_provenance(path) is None
    assert read_image(path).metadata == Metadata()
    assert not [secret for secret in (*SECRETS, b"Ann Author", b"stylize") if secret in path.read_bytes()]


def test_an_own_record_of_the_content_is_never_handed_on(tmp_path: Path) -> None:
    write_image(tmp_path / "first.png", scene() / 255, provenance={"command": "fast"})
    metadata = read_image(tmp_path / "first.png").metadata
    output = OutputConfig(metadata="all", provenance=False)
    assert b"stylize" not in encode(scene() / 255, "png", metadata=metadata, output=output, provenance={"a": 1})


@pytest.mark.parametrize("name", ["Zoë 東京", "Zoë"])
def test_names_of_any_script_are_kept(name: str) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("Author", name)
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "PNG", pnginfo=texts)
    data, again = _written("jpg", read_image(buffer.getvalue()).metadata, "safe")
    assert name.encode() in data
    assert again.main[BASE.Artist].encode() == name.encode()
    assert name.encode() in _written("tif", again, "safe")[0]


def test_a_resolution_is_never_made_up() -> None:
    exif = Image.Exif()
    exif[BASE.Artist] = "Ann Author"
    for form in ("JPEG", "PNG", "TIFF", "BMP"):
        buffer = io.BytesIO()
        Image.fromarray(scene()).save(buffer, form, **({} if form == "BMP" else {"exif": exif}))
        dpi = read_image(buffer.getvalue()).metadata.dpi
        assert dpi is None or form == "BMP"  # Pillow writes 96 dpi into BMP
    exif[BASE.XResolution], exif[BASE.YResolution], exif[BASE.ResolutionUnit] = 100.0, 100.0, 3  # centimetres
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "WEBP", exif=exif)
    assert read_image(buffer.getvalue()).metadata.dpi == pytest.approx((254, 254))


def test_long_values_are_named_and_left_out() -> None:
    exif = _exif()
    exif[BASE.HostComputer] = "x" * 5000
    buffer = io.BytesIO()
    texts = PngImagePlugin.PngInfo()
    for number in range(60):
        texts.add_text(f"text {number}", "y" * 1000)
    Image.fromarray(scene()).save(buffer, "PNG", exif=exif, pnginfo=texts)
    metadata = read_image(buffer.getvalue()).metadata
    assert metadata.left_out[0] == "HostComputer"
    assert metadata.left_out[-1] == "text 59"
    assert metadata.main[BASE.Artist] == "Ann Author"
    _written("jpg", metadata, "all")


def test_damaged_exif_costs_no_picture() -> None:
    data = _file("webp")
    random = np.random.default_rng(0)
    start = data.index(b"MM\0*", data.index(b"EXIF"))
    for _ in range(200):
        damaged = bytearray(data)
        for place in random.integers(start + 8, len(data), 6):
            damaged[place] = random.integers(0, 256)
        picture = read_image(bytes(damaged))
        for suffix in ("jpg", "tif", "png"):
            encode(picture.pixels, suffix, metadata=picture.metadata, output=OutputConfig(metadata="all"))


def test_paths_of_a_record_name_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "ann"
    elsewhere = tmp_path / "disk"
    for folder in (home / "photos", home / "out", elsewhere):
        folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(home)

    def recorded(output: Path, path: str | Path) -> str:
        record = {"content": {"path": os.fspath(path)}, "options": {"init": os.fspath(path)}}
        write_image(output, scene() / 255, provenance=record, overwrite=True)
        found = read_provenance(output)
        assert found is not None
        assert found["content"]["path"] == found["options"]["init"]
        return str(found["content"]["path"])

    photo = home / "photos" / "a.jpg"
    assert recorded(home / "out" / "x.png", photo) == "../photos/a.jpg"
    assert recorded(home / "photos" / "x.png", "photos/a.jpg") == "a.jpg"
    assert recorded(elsewhere / "x.png", photo) == "~/photos/a.jpg"
    assert recorded(home / "out" / "x.png", elsewhere / "a.jpg") == "../../../disk/a.jpg"
    assert recorded(elsewhere / "x.png", "/nowhere/a.jpg") == "/nowhere/a.jpg"
    assert recorded(elsewhere / "x.png", "https://example.org/a.jpg") == "https://example.org/a.jpg"
    (elsewhere / "link").symlink_to(home / "out")
    assert recorded(elsewhere / "link" / "x.png", photo) == "../photos/a.jpg"


def test_places_in_texts_are_never_kept() -> None:
    texts = PngImagePlugin.PngInfo()
    places = ("Latitude", "Sub-location", "Location Created", "lat", "Long", "GeoTag", "Home address", "City", "place")
    places += ("GeoPosition", "LatLong", "latlng", "coords", "PlaceName", "CityName", "CountryCode", "ProvinceState")
    others = ("Title", "Composition", "George", "Statement", "Long description")
    for name in (*places, *others):
        texts.add_text(name, "51.5 N")
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "PNG", pnginfo=texts)
    assert tuple(read_image(buffer.getvalue()).metadata.texts) == others


@pytest.mark.parametrize(("mark", "encoding"), [("MM", "utf-16-be"), ("II", "utf-16-le"), ("MM", "utf-16")])
@pytest.mark.parametrize("texts", [{}, {"Comment": "more"}])
def test_a_comment_has_the_byte_order_of_its_exif(mark: str, encoding: str, texts: dict[str, str]) -> None:
    exif = Image.Exif()
    exif.endian = ">" if mark == "MM" else "<"
    exif.get_ifd(ExifTags.IFD.Exif)[BASE.UserComment] = b"UNICODE\0" + "Zoë 東京".encode(encoding)
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "JPEG", exif=exif.tobytes())
    assert b"Exif\0\0" + mark.encode() in buffer.getvalue()
    metadata = read_image(buffer.getvalue()).metadata
    output = OutputConfig(metadata="all", provenance=False)
    written = read_image(encode(scene() / 255, "jpg", metadata=replace(metadata, texts=texts), output=output)).metadata
    comment = written.photo[BASE.UserComment]
    assert comment[8:].decode("utf-16").splitlines()[0] == "Zoë 東京"


@pytest.mark.parametrize(("text", "expected"), [("A lake", "A lake\nA holiday"), ("A holiday", "A holiday")])
def test_both_descriptions_of_a_png_are_kept(text: str, expected: str) -> None:
    texts, exif = PngImagePlugin.PngInfo(), Image.Exif()
    texts.add_text("Description", text)
    exif[BASE.ImageDescription] = "A holiday"
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "PNG", pnginfo=texts, exif=exif)
    _, again = _written("png", read_image(buffer.getvalue()).metadata, "all")
    assert again.texts == {"Description": expected}


def test_a_psd_has_author_and_resolution() -> None:
    exif = Image.Exif()
    exif[BASE.Artist] = "Ann Author"
    resolution = struct.pack(">IHHIHH", 300 << 16, 1, 1, 150 << 16, 1, 1)
    metadata = read_image(psd(scene(), resources={1005: resolution, 1058: exif.tobytes()})).metadata
    assert metadata.main == {BASE.Artist: "Ann Author"}
    assert metadata.dpi == (300, 150)

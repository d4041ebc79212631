"""The provenance inside pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from picture_files import scene, single_line
from stylize.errors import ImageError
from stylize.images.provenance import found_path, provenance_text, read_provenance
from stylize.images.reading import read_image
from stylize.images.writing import SUFFIXES, write_image

PROVENANCE = {
    "command": "refine",
    "content": "été à 東京 🌊.jpg",
    "style_weight": 1e-2,
    "layers": ["relu1_1", "relu4_2"],
    "nested": {"null": None, "quote": "\"'\\ \n\t\0"},
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("padding", [0, 1, 60000])
def test_provenance_round_trip(tmp_path: Path, suffix: str, padding: int) -> None:
    path = tmp_path / f"out.{suffix}"
    provenance = {**PROVENANCE, "padding": "é" * (padding // 6)}
    write_image(path, scene() / 255, provenance=provenance)
    assert read_provenance(path) == provenance


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_very_long_provenance(tmp_path: Path, suffix: str) -> None:
    path, provenance = tmp_path / f"out.{suffix}", {"padding": "x" * 200_000}
    if suffix in ("jpg", "jpeg"):
        with pytest.raises(ImageError, match="65533 bytes"):
            write_image(path, scene() / 255, provenance=provenance)
        assert os.listdir(tmp_path) == []
    else:
        write_image(path, scene() / 255, provenance=provenance)
        assert read_provenance(path) == provenance


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=25)
@given(
    st.dictionaries(st.text(max_size=8), json_values, min_size=1, max_size=4), st.sampled_from(["png", "jpg", "tif"])
)
def test_any_provenance_round_trips(tmp_path_factory: pytest.TempPathFactory, provenance: dict, suffix: str) -> None:
    path = tmp_path_factory.mktemp("provenance") / f"out.{suffix}"
    write_image(path, scene(4, 4) / 255, provenance=provenance)
    assert read_provenance(path) == provenance


def test_read_provenance_of_others(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    Image.fromarray(scene()).save(path)
    assert read_provenance(path) is None
    for text, damaged in (("A holiday", False), ("stylize provenance: {", True), ("stylize provenance: [1]", True)):
        exif = Image.Exif()
        exif[ExifTags.Base.ImageDescription] = text
        Image.fromarray(scene()).save(path, exif=exif)
        if damaged:
            with pytest.raises(ImageError, match="expected a provenance as a JSON object"):
                read_provenance(path)
        else:
            assert read_provenance(path) is None
    path.write_bytes(b"no picture")
    for unreadable in (path, tmp_path / "missing.png", tmp_path):
        with pytest.raises(ImageError) as error:
            read_provenance(unreadable)
        single_line(error)


def test_no_foreign_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "someone"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    Image.fromarray(scene()).save(tmp_path / "in.jpg", exif=exif, comment=b"secret")
    write_image(tmp_path / "out.jpg", read_image(tmp_path / "in.jpg").pixels, provenance=PROVENANCE)
    with Image.open(tmp_path / "out.jpg") as image:
        assert list(image.getexif()) == [ExifTags.Base.ImageDescription]
        assert "comment" not in image.info


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_pictures_of_earlier_versions_are_read(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "stylize recipe: " + json.dumps(PROVENANCE)
    Image.fromarray(scene()).save(tmp_path / f"out.{suffix}", exif=exif)
    assert read_provenance(tmp_path / f"out.{suffix}") == PROVENANCE


def recorded(path: str | Path, folder: str | Path | None) -> str:
    text = provenance_text({"content": {"path": str(path)}, "options": {"init": str(path)}}, folder and str(folder))
    provenance = json.loads(text.partition(": ")[2])
    assert provenance["content"]["path"] == provenance["options"]["init"]
    return str(provenance["content"]["path"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home" / "ann"
    for folder in (home / "photos", home / "out", tmp_path / "disk"):
        folder.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    return home


@pytest.mark.parametrize("folder", [None, "out"])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://ann:pass@host:8080/a.jpg?X-Amz-Signature=1#x", "https://host:8080/a.jpg"),
        ("https://ann:p@ss@host/@a.jpg", "https://host/@a.jpg"),
        ("https://ann:my pass@host/a.jpg", "https://host/a.jpg"),
        ("s3://bucket/folder/a#1?.jpg", "s3://bucket/folder/a#1?.jpg"),
        ("zip://a?b.png::https://ann@host/a.zip?sig=1", "zip://a?b.png::https://host/a.zip"),
        ("simplecache::https://token@host/a.jpg?sig=1", "simplecache::https://host/a.jpg"),
        ("HTTPS://ann@host/a.jpg?sig=1", "HTTPS://host/a.jpg"),
        ("https://host/a.jpg?x=1::2&sig=1", "https://host/a.jpg"),
        # Here no user stands before the `@`.
        ("abfs://container@account.net/a.jpg", "abfs://container@account.net/a.jpg"),
        ("github://org:repo@main/a.jpg", "github://org:repo@main/a.jpg"),
        ("zip://a@2x.png::https://ann@host/a.zip", "zip://a@2x.png::https://host/a.zip"),
    ],
)
def test_urls_are_recorded_without_secrets(url: str, expected: str, folder: str | None) -> None:
    assert recorded(url, folder) == expected


def test_urls_of_local_files_are_paths(home: Path) -> None:
    photo, out = home / "photos" / "a.jpg", home / "out"
    photo.touch()
    assert recorded(f"file://{photo}", None) == "~/photos/a.jpg"
    assert recorded(f"zip://a.png::file://{home}/a.zip", None) == "zip://a.png::file://~/a.zip"
    path = recorded(f"file://{photo}", out)
    assert path == "../photos/a.jpg"
    assert found_path(path, str(out)) == str(photo)


def test_paths_of_a_picture_without_a_file_name_no_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photo, disk = home / "photos" / "a.jpg", home.parents[1] / "disk"
    monkeypatch.chdir(disk)
    assert recorded("../home/ann/photos/a.jpg", None) == "~/photos/a.jpg"
    assert recorded("b/a.jpg", None) == "b/a.jpg"
    monkeypatch.chdir(home.parent)
    assert recorded("ann/photos/a.jpg", None) == "~/photos/a.jpg"
    monkeypatch.chdir(home / "out")
    assert recorded("../../ann/photos/a.jpg", None) == "../photos/a.jpg"
    assert recorded("../../ann/../../disk/a.jpg", None) == "../../../disk/a.jpg"
    assert recorded(photo, None) == "~/photos/a.jpg"
    assert recorded("a.jpg", None) == "a.jpg"

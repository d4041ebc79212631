"""HEIC and camera raw: read with the extras, and one line says how to install them."""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from picture_files import scene, single_line
from samples import TESTS
from stylize.errors import ImageError
from stylize.images.reading import read_image
from tiff_files import RGB, UNSIGNED, Tiff

RAW = TESTS / "data" / "camera.dng"
HEIC = b"\0\0\0\x18ftypheic" + bytes(40)


def heic(**options: object) -> bytes:
    pytest.importorskip("pillow_heif", reason="the extra heif is not installed").register_heif_opener()
    buffer = io.BytesIO()
    Image.fromarray(scene(64, 96)).save(buffer, "HEIF", quality=-1, chroma=444, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("file", "package", "what"),
    [
        (HEIC, "pillow_heif", 'received HEIC; install the extra that reads it (pip install "stylize-art[heif]")'),
        (
            RAW.read_bytes(),
            "rawpy",
            'a camera\'s raw file; install the extra that develops it (pip install "stylize-art[raw]")',
        ),
    ],
)
def test_without_the_extra(file: bytes, package: str, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImageError) as error:
        read_image(file, name="content")
    assert what in single_line(error)


def test_heic() -> None:
    picture = read_image(heic())
    assert picture.notes == ()
    np.testing.assert_allclose(picture.pixels * 255, scene(64, 96), atol=4)


def test_heic_is_upright() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    pixels = read_image(heic(exif=exif.tobytes())).pixels
    np.testing.assert_allclose(pixels * 255, np.rot90(scene(64, 96), -1), atol=4)


def test_damaged_heic() -> None:
    pytest.importorskip("pillow_heif", reason="the extra heif is not installed")
    whole = heic()
    for file in (HEIC, whole[: len(whole) // 2]):
        with pytest.raises(ImageError) as error:
            read_image(file)
        single_line(error)


def test_raw_is_developed() -> None:
    pytest.importorskip("rawpy", reason="the extra raw is not installed")
    picture = read_image(RAW)
    assert picture.pixels.shape == (64, 96, 3)  # the preview has 24 x 16 px
    assert picture.notes == ("raw file of a camera: developed with the camera's white balance",)
    assert picture.pixels.std() > 0.1


@pytest.mark.parametrize(
    "tags",
    [
        ((254, "I", [1]), (330, "I", [16])),  # the first picture is a preview
        ((50706, "B", [1, 4, 0, 0]),),  # DNG
    ],
)
def test_previews_are_never_taken_for_the_picture(tags: tuple[tuple[int, str, list[int]], ...]) -> None:
    pytest.importorskip("rawpy", reason="the extra raw is not installed")
    with pytest.raises(
        ImageError, match="expected a raw file of a camera that LibRaw knows, received another or a damaged"
    ):
        read_image(Tiff(8, UNSIGNED, RGB, tags=tags).file(scene() / 255))


def test_the_suffix_of_raw_files_counts(tmp_path: Path) -> None:
    pytest.importorskip("rawpy", reason="the extra raw is not installed")
    (tmp_path / "in.KDC").write_bytes(Tiff(8, UNSIGNED, RGB).file(scene() / 255))
    with pytest.raises(ImageError, match="expected a raw file of a camera that LibRaw knows"):
        read_image(tmp_path / "in.KDC")


@pytest.mark.parametrize(
    "head", [b"FUJIFILMCCD-RAW 0201", b"IIRO\x08\0\0\0", b"IIU\0\x18\0\0\0", b"\0\0\0\x18ftypcrx \0\0\0\1"]
)
def test_other_raw_files_are_recognised(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImageError) as error:
        read_image(head + bytes(200))
    assert "raw file" in single_line(error)
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(ImageError, match="stylize-art\\[raw\\]"):
        read_image(head + bytes(200))


def _with_author(tiff: bytes) -> bytes:
    """Append a directory that has an author and an orientation, too."""
    start = struct.unpack_from("<I", tiff, 4)[0]
    count = struct.unpack_from("<H", tiff, start)[0]
    entries = {tiff[at : at + 2]: tiff[at : at + 12] for at in range(start + 2, start + 2 + 12 * count, 12)}
    entries[struct.pack("<H", 274)] = struct.pack("<HHIHxx", 274, 3, 1, 6)
    entries[struct.pack("<H", 315)] = struct.pack("<HHI4s", 315, 2, 4, b"Ann")
    ordered = sorted(entries.values(), key=lambda entry: struct.unpack_from("<H", entry))
    directory = struct.pack("<H", len(ordered)) + b"".join(ordered) + bytes(4)
    return tiff[:4] + struct.pack("<I", len(tiff)) + tiff[8:] + directory


def test_the_author_of_a_raw_file_is_read() -> None:
    pytest.importorskip("rawpy", reason="the extra raw is not installed")
    picture = read_image(_with_author(RAW.read_bytes()))
    assert picture.metadata.main[ExifTags.Base.Artist] == "Ann"
    assert picture.pixels.shape == (96, 64, 3)  # turned once, by LibRaw

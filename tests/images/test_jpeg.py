"""JPEGs without their end marker are read if all pixels are there, and only then."""

from __future__ import annotations

import io
import re
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from picture_files import scene, single_line
from samples import TESTS
from stylize.errors import ImageError
from stylize.images.reading import read_image

DATA = TESTS / "data"
NOTE = "the JPEG lacks its end marker; all pixels are there"


def jpeg(progressive: bool, height: int = 120, width: int = 90, **options: int) -> bytes:
    noise = np.random.default_rng(7).integers(0, 60, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(scene(height, width) // 2 + noise).save(buffer, "JPEG", progressive=progressive, **options)
    return buffer.getvalue()


def test_reported_file() -> None:
    picture = read_image(DATA / "jpg_no_eoi.jpg")
    assert picture.notes == (NOTE,)
    np.testing.assert_allclose(picture.pixels * 255, np.load(DATA / "jpg_no_eoi_expected.npy"), atol=5)


@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"quality": 100, "subsampling": 0}])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("missing", [1, 2])
def test_without_end_marker(progressive: bool, missing: int, options: dict[str, int]) -> None:
    whole = jpeg(progressive, **options)
    picture = read_image(whole[:-missing])
    assert picture.notes == (NOTE,)
    np.testing.assert_array_equal(picture.pixels, read_image(whole).pixels)


def test_reduced_without_end_marker() -> None:
    whole = jpeg(False, 1200, 900)
    picture = read_image(whole[:-2], long_side_px=150)
    assert picture.notes == (NOTE,)
    assert picture.full_size == (1200, 900)
    assert picture.height == 300


@settings(max_examples=80)
@given(st.booleans(), st.booleans(), st.floats(0, 1))
def test_really_cut_off(progressive: bool, restarts: bool, share: float) -> None:
    whole = jpeg(progressive, **({"restart_marker_rows": 1} if restarts else {}))
    start = whole.index(b"\xff\xda") + 20
    cut = whole[: start + int(share * (len(whole) - 6 - start))]
    with pytest.raises(ImageError) as error:
        read_image(cut)
    assert "cut-off" in single_line(error)


@pytest.mark.parametrize("progressive", [False, True])
def test_cut_before_a_restart(progressive: bool) -> None:
    whole = jpeg(progressive, restart_marker_rows=1)
    restarts = [found.start() for found in re.finditer(rb"\xff[\xd0-\xd7]", whole)]
    assert len(restarts) >= 7
    for cut in restarts:
        for kept in (cut, cut + 2):
            with pytest.raises(ImageError, match="cut-off"):
                read_image(whole[:kept])


def test_cut_between_the_scans_of_a_progressive_jpeg() -> None:
    whole = jpeg(True)
    at = -1
    scans = [at := whole.index(b"\xff\xda", at + 1) for _ in range(whole.count(b"\xff\xda"))]
    assert len(scans) > 5
    for cut in scans[1:]:
        with pytest.raises(ImageError, match="cut-off"):
            read_image(whole[:cut])


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def test_damaged_metadata_cost_no_picture() -> None:
    whole = jpeg(False)
    exif = struct.pack("<2sHIHHHIB3x", b"II", 42, 8, 3, 282, 1, 1, 72) + struct.pack("<HHIHxx", 296, 3, 1, 2)
    exif += struct.pack("<HHI4sI", 315, 2, 4, b"Ann", 0)
    without_jfif = whole[:2] + whole[20:]
    for start in (
        _segment(0xE1, b"Exif\0\0" + exif),  # a resolution of type BYTE
        _segment(0xE0, b"JFIF\0"),
        _segment(0xEE, b"Adobe"),
        _segment(0xE2, b"ICC_PROFILE\0"),
    ):
        picture = read_image(without_jfif[:2] + start + without_jfif[2:])
        assert picture.notes == ("the JPEG's metadata are damaged, and are read in part",)
        assert picture.metadata.main == ({315: "Ann"} if b"Exif" in start else {})
        np.testing.assert_array_equal(picture.pixels, read_image(whole).pixels)

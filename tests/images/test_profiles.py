"""Colour profiles are converted to sRGB."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from picture_files import scene
from stylize.images.reading import read_image


def wide_gamut_profile(kind: bytes = b"RGB ", curve: float = 2.2) -> bytes:
    """An ICC 2 profile: Adobe RGB (1998)'s primaries, or gray, with a pure power curve."""
    gamma = b"curv" + bytes(4) + struct.pack(">IH", 1, round(curve * 256)) + bytes(2)

    def xyz(*values: float) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))

    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(79),
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
    }
    if kind == b"GRAY":
        tags |= {b"kTRC": gamma}
    else:
        tags |= {b"rXYZ": xyz(0.60974, 0.31111, 0.01947), b"gXYZ": xyz(0.20528, 0.62567, 0.06087)}
        tags |= {b"bXYZ": xyz(0.14919, 0.06322, 0.74457), b"rTRC": gamma, b"gTRC": gamma, b"bTRC": gamma}
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        data += bytes(-len(data) % 4)
        table += tag + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(body), len(data))
        body += data
    header = struct.pack(
        ">I4sI4s4s4s12s4s",
        132 + 12 * len(tags) + len(body),
        b"lcms",
        0x02100000,
        b"mntr",
        kind,
        b"XYZ ",
        struct.pack(">6H", 2000, 1, 1, 0, 0, 0),
        b"acsp",
    )
    header += bytes(28) + struct.pack(">3i", 63190, 65536, 54061)  # the D50 white
    return header.ljust(128, b"\0") + table + body


rng = np.random.default_rng(7)


def test_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    samples = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(samples).save(tmp_path / "in.png", icc_profile=profile)
    picture = read_image(tmp_path / "in.png")
    assert picture.notes == ()
    np.testing.assert_array_equal(np.rint(picture.pixels * 255), samples)


def test_wide_gamut_profile_is_converted(tmp_path: Path) -> None:
    samples = np.array([[[100, 150, 100], [128, 128, 128], [255, 255, 255], [0, 255, 0]]], np.uint8)
    Image.fromarray(samples).save(tmp_path / "in.png", icc_profile=wide_gamut_profile())
    picture = read_image(tmp_path / "in.png")
    assert picture.notes == ()
    converted = np.rint(picture.pixels[0] * 255)
    # From the published matrix between the two: sRGB needs more saturated numbers for the same green.
    np.testing.assert_allclose(converted[0], [66, 151, 97], atol=2)
    np.testing.assert_allclose(converted[1:3], [[128] * 3, [255] * 3], atol=2)
    assert converted[3].tolist() == [0, 255, 0]


@pytest.mark.parametrize("bits", [8, 16])
def test_gray_profile_is_a_curve(tmp_path: Path, bits: int) -> None:
    samples = np.arange(256, dtype=np.uint8)[None] if bits == 8 else np.arange(0, 65536, 16, dtype=np.uint16)[None]
    Image.fromarray(samples).save(tmp_path / "in.png", icc_profile=wide_gamut_profile(b"GRAY", 1.0))
    picture = read_image(tmp_path / "in.png")
    assert picture.notes == ()
    linear = samples[0] / (2**bits - 1)
    expected = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(picture.pixels[0, :, 1], expected, atol=0.003 if bits == 8 else 0.015)
    if bits == 16:  # no 8-bit steps
        assert len(np.unique(picture.pixels[0, :, 1])) > 2000


def test_bad_profiles_are_notes(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for icc in (b"no profile at all", lab, wide_gamut_profile()[:200], wide_gamut_profile(b"GRAY")):
        Image.fromarray(scene()).save(tmp_path / "in.png", icc_profile=icc)
        picture = read_image(tmp_path / "in.png")
        assert len(picture.notes) == 1
        assert "profile" in picture.notes[0]
        np.testing.assert_array_equal(np.rint(picture.pixels * 255), scene())


def test_cmyk(tmp_path: Path) -> None:
    Image.fromarray(scene()).convert("CMYK").save(tmp_path / "in.jpg", quality=100)
    picture = read_image(tmp_path / "in.jpg")
    assert "approximate" in picture.notes[0]
    np.testing.assert_allclose(picture.pixels * 255, scene(), atol=6)
    Image.fromarray(scene()).convert("CMYK").save(tmp_path / "in.jpg", quality=100, icc_profile=wide_gamut_profile())
    assert "profile ignored" in read_image(tmp_path / "in.jpg").notes[0]

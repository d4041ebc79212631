"""Colour profiles are converted to sRGB."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from picture_files import scene, wide_gamut_profile
from stylize.images.reading import read_image

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

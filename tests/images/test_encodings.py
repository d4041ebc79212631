"""Colour spaces that are named without a colour profile are converted, or a note says that they are not."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, features

from picture_files import png, scene, wide_gamut_profile
from samples import TESTS
from stylize.images.reading import read_image

DATA = TESTS / "data"

COLORS = np.array(
    [[255, 255, 255], [128, 128, 128], [100, 150, 100], [200, 120, 90], [60, 70, 160], [0, 0, 0]], np.uint8
)


def linear(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def encoded(light: NDArray[np.float64]) -> NDArray[np.float64]:
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


# The published matrices from linear light to that of sRGB.
P3 = np.array([[1.2249, -0.2249, 0], [-0.0420, 1.0420, 0], [-0.0196, -0.0786, 1.0983]])
BT2020 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]])
ADOBE = np.array([[1.3984, -0.3984, 0], [0, 1, 0], [0, -0.0429, 1.0429]])


def png_of(colors: NDArray[np.uint8], *chunks: tuple[bytes, bytes]) -> bytes:
    return png(8, 2, (len(colors), 1), b"\0" + colors.tobytes(), *chunks)


def check(picture_bytes: bytes, expected: NDArray[np.float64], notes: tuple[str, ...] = (), units: float = 2) -> None:
    picture = read_image(picture_bytes)
    assert picture.notes == notes
    np.testing.assert_allclose(picture.pixels[0] * 255, expected * 255, atol=units)


def test_adobe_rgb_of_exif() -> None:
    picture = read_image(DATA / "adobe_r03.jpg")
    assert picture.notes == ()
    with Image.open(DATA / "adobe_r03.jpg") as image:
        stored = np.asarray(image) / 255
    exact = encoded(stored ** (563 / 256) @ ADOBE.T)
    np.testing.assert_allclose(picture.pixels * 255, exact * 255, atol=1.5)
    # The expected pixels are those before the JPEG was compressed.
    error = np.abs(picture.pixels * 255 - np.load(DATA / "adobe_r03_expected.npy"))
    assert error.mean() < 1.5
    assert np.percentile(error, 98) < 10


@pytest.mark.parametrize("suffix", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("space", "rule", "adobe"), [(0xFFFF, "R03", True), (2, "R03", True), (1, "R03", False), (0xFFFF, "R98", False)]
)
def test_exif_in_all_formats(suffix: str, space: int, rule: str, adobe: bool) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "camera"  # Pillow drops EXIF data without such an entry
    exif.get_ifd(ExifTags.IFD.Exif).update({0xA001: space, ExifTags.IFD.Interop: {1: rule}})
    buffer = io.BytesIO()
    options = {
        "JPEG": {"quality": 100, "exif": exif},
        "PNG": {"exif": exif},
        "TIFF": {"tiffinfo": {int(ExifTags.IFD.Exif): {0xA001: space, int(ExifTags.IFD.Interop): {1: rule}}}},
        "WEBP": {"lossless": True, "exif": exif},
    }
    Image.new("RGB", (16, 16), (100, 150, 100)).save(buffer, suffix, **options[suffix])
    pixel = np.rint(read_image(buffer.getvalue()).pixels[8, 8] * 255)
    np.testing.assert_allclose(pixel, [66, 151, 97] if adobe else [100, 150, 100], atol=2)


def test_a_profile_counts_more_than_exif() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "camera"
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    buffer = io.BytesIO()
    from stylize.images.profiles import srgb_profile

    Image.fromarray(scene()).save(buffer, "PNG", exif=exif, icc_profile=srgb_profile())
    np.testing.assert_array_equal(np.rint(read_image(buffer.getvalue()).pixels * 255), scene())


@pytest.mark.parametrize(
    ("numbers", "matrix"), [((12, 13), P3), ((12, 1), P3), ((9, 13), BT2020), ((1, 13), np.eye(3)), ((2, 2), np.eye(3))]
)
def test_cicp_of_png(numbers: tuple[int, int], matrix: NDArray[np.float64]) -> None:
    file = png_of(COLORS, (b"cICP", bytes([*numbers, 0, 1])))
    check(file, encoded(linear(COLORS / 255) @ matrix.T), units=1.5 if numbers[0] > 2 else 0.01)


def test_hdr_of_png() -> None:
    # 203 cd/m2 is white: 58 % of PQ, 75 % of HLG.
    grays = np.array([[0, 0, 0], [148, 148, 148], [255, 255, 255]], np.uint8)
    for number, name, white in ((16, "PQ", 148), (18, "HLG", 192)):
        grays[1] = white
        note = f"HDR ({name}): clipped at 203 cd/m2, paper white"
        check(
            png_of(grays, (b"cICP", bytes([9, number, 0, 1]))), np.array([[0.0] * 3, [1.0] * 3, [1.0] * 3]), (note,), 3
        )
    # 20.3 cd/m2 in PQ is 10 % of white.
    grays[1] = 93
    note = "HDR (PQ): clipped at 203 cd/m2, paper white"
    expected = np.array([0, encoded(np.array(0.1)).item(), 1])[:, None].repeat(3, axis=1)
    check(png_of(grays, (b"cICP", bytes([1, 16, 0, 1]))), expected, (note,), 3)


def test_unknown_spaces_are_notes() -> None:
    for numbers, name in (((12, 17), "12/17"), ((10, 13), "10/13")):
        note = f"colour space {name} of H.273: not converted, taken as sRGB"
        check(png_of(COLORS, (b"cICP", bytes([*numbers, 0, 1]))), COLORS / 255, (note,), 0.01)
    check(
        png_of(COLORS, (b"gAMA", struct.pack(">I", 1))),
        COLORS / 255,
        ("gamma 1e-05: not converted, taken as sRGB",),
        0.01,
    )
    same = struct.pack(">8I", *[33333] * 8)
    note = "impossible primaries: not converted, taken as sRGB"
    check(png_of(COLORS, (b"cHRM", same)), COLORS / 255, (note,), 0.01)


def test_gamma_and_primaries_of_png() -> None:
    srgb = struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    p3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
    unit = COLORS / 255
    for chunks, expected in (
        ([(b"gAMA", struct.pack(">I", 45455))], unit),
        ([(b"gAMA", struct.pack(">I", 45455)), (b"cHRM", srgb)], unit),
        ([(b"gAMA", struct.pack(">I", 100000))], encoded(unit)),
        ([(b"gAMA", struct.pack(">I", 55556)), (b"cHRM", srgb)], encoded(unit**1.8)),
        ([(b"cHRM", p3)], encoded(linear(unit) @ P3.T)),
        ([(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 100000)), (b"cHRM", p3)], unit),
    ):
        check(png_of(COLORS, *chunks), expected, units=2)


@pytest.mark.parametrize(("depth", "top"), [(8, 255), (16, 65535)])
def test_gamma_of_gray_png(depth: int, top: int) -> None:
    samples = np.linspace(0, top, 9).astype(">u2" if depth == 16 else "u1")
    file = png(depth, 0, (9, 1), b"\0" + samples.tobytes(), (b"gAMA", struct.pack(">I", 100000)))
    check(file, np.repeat(encoded(samples / top)[:, None], 3, axis=1), units=2)


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_nclx(format: str) -> None:
    if format == "HEIF":
        pytest.importorskip("pillow_heif", reason="the extra heif is not installed").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    buffer = io.BytesIO()
    options = {"quality": 100, "subsampling": "4:4:4"} if format == "AVIF" else {"quality": -1, "chroma": 444}
    Image.new("RGB", (64, 64), (100, 150, 100)).save(buffer, format, **options)
    whole = buffer.getvalue()
    if b"nclx" not in whole:
        pytest.skip("this pillow-heif writes no nclx")
    at = whole.index(b"nclx") + 4
    for numbers, expected in (
        ((1, 13), [100, 150, 100]),
        ((12, 13), encoded(linear(np.array([100, 150, 100]) / 255) @ P3.T) * 255),
        ((9, 13), encoded(linear(np.array([100, 150, 100]) / 255) @ BT2020.T) * 255),
    ):
        picture = read_image(whole[:at] + struct.pack(">2H", *numbers) + whole[at + 4 :])
        assert picture.notes == ()
        np.testing.assert_allclose(picture.pixels[32, 32] * 255, expected, atol=6)  # of a lossy file
    picture = read_image(whole[:at] + struct.pack(">2H", 9, 16) + whole[at + 4 :])
    assert picture.notes == ("HDR (PQ): clipped at 203 cd/m2, paper white",)


def test_profile_of_jpeg_2000() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (100, 150, 100)).save(buffer, "JPEG2000")
    whole = buffer.getvalue()
    at = whole.index(b"colr") - 4
    profile = wide_gamut_profile()
    box = struct.pack(">I4s3B", 11 + len(profile), b"colr", 2, 0, 0) + profile
    (size,) = struct.unpack_from(">I", whole, at)
    header = whole.index(b"jp2h") - 4
    (header_size,) = struct.unpack_from(">I", whole, header)
    changed = whole[:header] + struct.pack(">I", header_size + len(box) - size) + whole[header + 4 : at] + box
    picture = read_image(changed + whole[at + size :])
    assert picture.notes == ()
    np.testing.assert_allclose(picture.pixels[32, 32] * 255, [66, 151, 97], atol=3)


def test_profile_of_bmp() -> None:
    profile = wide_gamut_profile()
    pixels = bytes([100, 150, 100, 0])
    size = 14 + 124 + len(pixels) + len(profile)
    head = b"BM" + struct.pack("<IIIIiiHH", size, 0, 138, 124, 1, 1, 1, 24)
    head = head.ljust(34, b"\0") + struct.pack("<I", 4)
    head = head.ljust(70, b"\0") + b"DEBM"
    head = head.ljust(126, b"\0") + struct.pack("<II", 124 + len(pixels), len(profile))
    picture = read_image(head.ljust(138, b"\0") + pixels + profile)
    assert picture.notes == ()
    np.testing.assert_allclose(picture.pixels[0, 0] * 255, [66, 151, 97], atol=2)


def test_linear_qoi() -> None:
    file = b"qoif" + struct.pack(">IIBB", 1, 1, 3, 1) + bytes([0xFE, 100, 150, 0]) + bytes(7) + b"\1"
    check(file, encoded(np.array([[100, 150, 0]]) / 255))
    check(file[:13] + b"\0" + file[14:], np.array([[100, 150, 0]]) / 255)


def test_the_color_space_of_a_png_counts_more_than_its_profile() -> None:
    profile = (b"iCCP", b"test\0\0" + zlib.compress(wide_gamut_profile()))
    by_profile, by_numbers = png_of(COLORS, profile), png_of(COLORS, (b"cICP", bytes([9, 16, 0, 1])))
    both = read_image(png_of(COLORS, (b"cICP", bytes([9, 16, 0, 1])), profile))
    assert both.notes == ("HDR (PQ): clipped at 203 cd/m2, paper white",)
    np.testing.assert_array_equal(both.pixels, read_image(by_numbers).pixels)
    check(png_of(COLORS, profile, (b"cICP", bytes([1, 13, 0, 1]))), COLORS / 255)
    # Numbers that are not converted.
    unknown = read_image(png_of(COLORS, profile, (b"cICP", bytes([99, 13, 0, 1]))))
    np.testing.assert_array_equal(unknown.pixels, read_image(by_profile).pixels)
    assert unknown.notes == ()

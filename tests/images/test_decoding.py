"""Every mode of Pillow, 8-bit and deep samples, orientation, animations."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps

from picture_files import png, psd, scene, wide_gamut_profile
from stylize.images.reading import read_image

rng = np.random.default_rng(7)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"])
def test_modes(mode: str) -> None:
    source = Image.fromarray(scene())
    source = source.convert(mode) if mode not in ("PA", "LAB") else source
    if mode == "PA":
        source = source.convert("P").convert("PA")
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        converted = ImageCms.profileToProfile(source, srgb, lab, outputMode="LAB")
        assert converted is not None
        source = converted
    picture = read_image(source)
    assert picture.pixels.shape == (24, 36, 3)
    assert picture.pixels.dtype == np.float32
    assert picture.alpha is None
    if mode in ("RGB", "RGBA", "RGBX", "CMYK"):
        np.testing.assert_array_equal(picture.pixels, scene().astype(np.float32) / 255)
    elif mode not in ("1", "L", "LA"):
        assert np.abs(picture.pixels - scene() / 255).mean() < (0.1 if mode in ("P", "PA") else 0.03)  # dithered
    else:
        assert np.ptp(picture.pixels, axis=2).max() == 0


def test_premultiplied_modes() -> None:
    rgba = np.dstack([scene(), np.full((24, 36), 128, np.uint8)])
    for mode in ("RGBa", "La"):
        source = Image.fromarray(rgba).convert("LA" if mode == "La" else "RGBA").convert(mode)
        picture = read_image(source)
        assert picture.alpha is not None
        np.testing.assert_allclose(picture.alpha, 128 / 255)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_orientation(tmp_path: Path, orientation: int, suffix: str) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"in.{suffix}"
    Image.fromarray(scene()).save(path, exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    pixels = read_image(path).pixels
    assert pixels.shape[:2] == ((24, 36) if orientation < 5 else (36, 24))
    np.testing.assert_array_equal(np.rint(pixels * 255), expected)


def test_orientation_turns_alpha_too(tmp_path: Path) -> None:
    rgba = np.dstack([scene(), np.tile(np.arange(36, dtype=np.uint8) * 7, (24, 1))])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(rgba).save(tmp_path / "in.png", exif=exif)
    alpha = read_image(tmp_path / "in.png").alpha
    assert alpha is not None
    np.testing.assert_array_equal(np.rint(alpha * 255), np.rot90(rgba[..., 3], -1))


def test_damaged_exif_is_a_note(tmp_path: Path) -> None:
    path = tmp_path / "in.jpg"
    Image.fromarray(scene()).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    picture = read_image(path)
    assert picture.pixels.shape == (24, 36, 3)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_gray_16_bit_keeps_its_precision(tmp_path: Path, suffix: str) -> None:
    samples = rng.integers(0, 65536, (9, 11), dtype=np.uint16)
    Image.fromarray(samples).save(tmp_path / f"in.{suffix}")
    pixels = read_image(tmp_path / f"in.{suffix}").pixels
    np.testing.assert_array_equal(np.rint(pixels[..., 0] * 65535), samples)
    np.testing.assert_allclose(read_image(samples).pixels, pixels, atol=1e-7)


def test_gray_32_bit_and_float(tmp_path: Path) -> None:
    samples = rng.integers(0, 65536, (9, 11)).astype(np.int32)
    Image.fromarray(samples).save(tmp_path / "i.tif")
    np.testing.assert_array_equal(np.rint(read_image(tmp_path / "i.tif").pixels[..., 1] * 65535), samples)

    floats = rng.random((9, 11), dtype=np.float32)
    Image.fromarray(floats).save(tmp_path / "f.tif")
    picture = read_image(tmp_path / "f.tif")
    np.testing.assert_array_equal(picture.pixels[..., 2], floats)
    assert picture.notes == ()

    Image.fromarray(floats * 255).save(tmp_path / "g.tif")
    picture = read_image(tmp_path / "g.tif")
    np.testing.assert_allclose(picture.pixels[..., 2], floats, atol=1e-6)
    assert "taken as 0 to 255" in picture.notes[0]

    floats[0, 0] = np.nan
    Image.fromarray(floats).save(tmp_path / "n.tif")
    picture = read_image(tmp_path / "n.tif")
    assert np.isfinite(picture.pixels).all()
    assert "taken as black" in picture.notes[0]


def test_16_bit_rgb_png(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(png(16, 2, (2, 1), b"\0" + struct.pack(">6H", 65535, 32896, 0, 257, 514, 65535)))
    np.testing.assert_allclose(read_image(path).pixels[0] * 255, [[255, 128, 0], [1, 2, 255]], atol=1e-4)


@pytest.mark.parametrize(
    ("depth", "color", "rows", "transparent"),
    [
        (1, 0, b"\0\x80", b"\0\x01"),
        (2, 0, b"\0\xc0", b"\0\x03"),
        (4, 0, b"\0\xf0", b"\0\x0f"),
        (8, 0, b"\0\xff\0", b"\0\xff"),
        (16, 0, b"\0\xff\xfe\0\0", b"\xff\xfe"),
        (8, 2, b"\0\x01\x02\x03\0\0\0", b"\0\x01\0\x02\0\x03"),
        (16, 2, b"\0\x11\x22\x33\x44\x55\x66" + bytes(6), b"\x11\x22\x33\x44\x55\x66"),
    ],
)
def test_png_transparent_sample(tmp_path: Path, depth: int, color: int, rows: bytes, transparent: bytes) -> None:
    path = tmp_path / "in.png"
    path.write_bytes(png(depth, color, (2, 1), rows, (b"tRNS", transparent)))
    picture = read_image(path)
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0, 1]]
    np.testing.assert_array_equal(picture.pixels[0, 0], picture.pixels[0, 1])  # filled from its neighbour


def test_palette_transparency(tmp_path: Path) -> None:
    for transparency, expected in ((0, [0.0, 1.0, 1.0]), (bytes([0, 51]), [0.0, 0.2, 1.0])):
        image = Image.new("P", (3, 1))
        image.putpalette([0, 255, 0, 255, 0, 0, 0, 0, 255])
        image.putdata([0, 1, 2])
        image.save(tmp_path / "in.png", transparency=transparency)
        picture = read_image(tmp_path / "in.png")
        assert picture.alpha is not None
        np.testing.assert_allclose(picture.alpha[0], expected, atol=1e-6)
        np.testing.assert_allclose(picture.pixels[0, 1:], [[1, 0, 0], [0, 0, 1]], atol=1e-6)
        assert picture.pixels[0, 0, 1] == 0


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "avif"])
def test_animated_uses_the_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "lime", "blue")]
    path = tmp_path / f"in.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50)
    picture = read_image(path)
    assert picture.notes == ("animated: the first of 3 frames is used",)
    np.testing.assert_allclose(picture.pixels, np.broadcast_to([1, 0, 0], (10, 20, 3)), atol=0.03)


def test_pages_of_tiff(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (20, 10), "red"), Image.new("RGB", (20, 10), "blue")
    first.save(tmp_path / "in.tif", save_all=True, append_images=[second])
    picture = read_image(tmp_path / "in.tif")
    assert picture.notes == ("2 pages: the first is used",)
    assert picture.pixels[0, 0].tolist() == [1, 0, 0]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("selections", [0, 1, 2])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_transparency_of_a_psd_is_told_from_saved_selections(mode: str, selections: int, packed: bool) -> None:
    alpha = np.tile(np.arange(36, dtype=np.uint8) * 7 + 10, (24, 1))
    alpha[:6] = 255
    selection = np.zeros((24, 36, selections), np.uint8)
    colors = np.asarray(Image.fromarray(scene()).convert(mode)).reshape(24, 36, -1)
    number = {"L": 1, "RGB": 3}[mode]
    for layers in (None, 1):
        picture = read_image(psd(np.dstack([colors, selection]), mode=number, layers=layers, packed=packed))
        assert (picture.alpha, picture.notes) == (None, ())
        np.testing.assert_array_equal(picture.pixels, np.broadcast_to(colors, scene().shape) / np.float32(255))
    # Photoshop blends the flattened picture with white.
    cover = alpha[..., None] / 255
    blended = np.rint(cover * colors + (1 - cover) * 255).astype(np.uint8)
    picture = read_image(psd(np.dstack([blended, alpha, selection]), mode=number, layers=-1, packed=packed))
    assert picture.alpha is not None
    np.testing.assert_array_equal(np.rint(picture.alpha * 255), alpha)
    error = np.abs(picture.pixels * 255 - colors) * cover  # alpha magnifies the rounding of the file
    assert error[alpha > 255 // 16].max() <= 1
    np.testing.assert_array_equal(picture.pixels[:6] * 255, np.broadcast_to(colors, scene().shape)[:6])


def test_colours_of_a_psd_that_are_not_blended_with_white_stay() -> None:
    samples = np.dstack([scene(), np.tile(np.arange(36, dtype=np.uint8) * 7, (24, 1))])
    samples[:, 0] = 0  # as ImageMagick writes transparent pixels
    picture = read_image(psd(samples, layers=-1))
    np.testing.assert_allclose(picture.pixels[:, 5:], scene()[:, 5:] / 255, atol=1e-6)
    np.testing.assert_array_equal(np.rint(picture.alpha * 255), samples[..., 3])


def test_transparency_of_a_psd_that_is_not_read_is_a_note() -> None:
    samples = np.zeros((8, 8, 5), np.uint8)
    note = "a PSD of CMYK: its transparency is not used"
    assert note not in read_image(psd(samples, mode=4, layers=1)).notes
    picture = read_image(psd(samples, mode=4, layers=-1))
    assert picture.alpha is None
    assert note in picture.notes


def test_a_dark_16_bit_png_with_a_transparent_color_is_not_wholly_transparent() -> None:
    samples = np.arange(1, 13, dtype=">u2").reshape(2, 6)  # the high bytes are those of the transparent colour
    rows = b"".join(b"\0" + row.tobytes() for row in samples)
    picture = read_image(png(16, 2, (2, 2), rows, (b"tRNS", bytes([0, 4, 0, 5, 0, 6]))))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[1, 0], [1, 1]]
    assert read_image(png(16, 2, (2, 2), rows, (b"tRNS", bytes([0, 4, 0, 5, 1, 6])))).alpha is None


def test_an_orientation_of_a_wrong_type_costs_the_orientation_alone() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription], exif[ExifTags.Base.Artist] = "right side", "Ann Author"
    exif[ExifTags.Base.XResolution] = exif[ExifTags.Base.YResolution] = 300.0
    buffer = io.BytesIO()
    # The description becomes the orientation, as text.
    Image.fromarray(scene()).save(buffer, "WEBP", exif=exif.tobytes().replace(b"\x01\x0e\0\2", b"\x01\x12\0\2"))
    picture = read_image(buffer.getvalue())
    assert picture.notes == ("EXIF orientation unreadable: taken as upright",)
    assert picture.metadata.main == {ExifTags.Base.Artist: "Ann Author"}
    assert picture.metadata.dpi == (300, 300)


def test_the_first_frame_is_used_and_not_the_picture_for_other_programs() -> None:
    first, *others = (Image.new("RGB", (8, 8), color) for color in ("red", (100, 150, 200), "blue"))
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Ann Author"
    buffers = [io.BytesIO(), io.BytesIO()]
    options = {"icc_profile": wide_gamut_profile(), "exif": exif}
    first.save(buffers[0], "PNG", save_all=True, append_images=others, default_image=True, **options)
    others[0].save(buffers[1], "PNG", **options)
    picture, expected = (read_image(buffer.getvalue()) for buffer in buffers)
    assert (picture.frames, picture.notes) == (2, ("animated: the first of 2 frames is used",))
    np.testing.assert_array_equal(picture.pixels, expected.pixels)
    assert np.abs(picture.pixels[0, 0] - np.float32([100, 150, 200]) / 255).max() > 0.02, "the profile counts"
    assert picture.metadata == expected.metadata
    # Of an image of Pillow, the user chose the frame.
    picture = read_image(Image.open(buffers[0]))
    assert (picture.frames, picture.notes) == (1, ())
    assert picture.pixels[0, 0, 0] > 0.9


@pytest.mark.parametrize("cut", ["removed", "cut off"])
def test_an_apng_without_its_frames_is_the_picture_for_other_programs(cut: str) -> None:
    first, *others = (Image.fromarray(np.roll(scene(), by, 0)) for by in (0, 3, 5))
    buffer = io.BytesIO()
    first.save(buffer, "PNG", save_all=True, append_images=others, default_image=True)
    data = buffer.getvalue()
    at = data.index(b"fcTL") - 4 if cut == "removed" else data.index(b"fdAT") + 60
    picture = read_image(data[:at] + (data[-12:] if cut == "removed" else b""))
    np.testing.assert_array_equal(picture.pixels, scene() / np.float32(255))
    assert picture.frames == 1
    assert picture.notes == (
        "the frames of the APNG are missing or damaged: its picture for programs without animations is used",
    )


def _jpeg_with(*tags: bytes, camera: bytes = b"") -> bytes:
    """A lying JPEG whose EXIF has these entries of the first directory, and another directory behind."""
    first = struct.pack("<H", len(tags)) + b"".join(tags) + bytes(4)
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + first + camera)
    return buffer.getvalue()


@pytest.mark.parametrize("part", ["camera", "interoperability"])
def test_damage_in_the_part_of_the_camera_costs_that_part_alone(part: str) -> None:
    nowhere = struct.pack("<HIi", 9, 1, -1)
    camera = struct.pack("<HHIi", 0x8769, 4, 1, 38)
    data = _jpeg_with(
        struct.pack("<HHIHH", 274, 3, 1, 6, 0),
        b"\x69\x87" + nowhere if part == "camera" else camera,
        camera=struct.pack("<HH", 1, 0xA005) + nowhere + bytes(4),
    )
    picture = read_image(data)
    assert picture.pixels.shape == (36, 24, 3)
    assert picture.notes == ("EXIF unreadable in part: author, dates and colour space may be missing",)


@pytest.mark.parametrize("orientation", [0, 9, 60000])
def test_an_orientation_that_does_not_exist_is_upright(orientation: int) -> None:
    data = _jpeg_with(struct.pack("<HHIHH", 274, 3, 1, orientation, 0))
    picture = read_image(data, long_side_px=9)
    assert picture.pixels.shape == (12, 18, 3)
    assert picture.full_size == (24, 36)

"""Pictures in and out, on files that the tests make themselves; `real` tests read the awkward set."""

from __future__ import annotations

import io
import os
import stat
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image, ImageCms, ImageOps

from stylize.errors import ImageError, OptionError
from stylize.images import reading as images
from stylize.images.color import with_colors_of, with_palette_of
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.images.resizing import resized, size_for_long_side, with_change_of
from stylize.images.writing import SUFFIXES, check_output, encode, write_image

LOSSLESS = ("png", "tif", "tiff")
AWKWARD = Path(__file__).parents[2] / "shared" / "images" / "awkward"
rng = np.random.default_rng(7)


def scene(height: int = 24, width: int = 36) -> np.ndarray:
    """A smooth picture, uint8 (H, W, 3), without symmetry: lossy formats hardly change it."""
    y, x = np.mgrid[:height, :width]
    red, green = 40 + 180 * x / width, 30 + 150 * y / height
    return np.stack([red, green, 220 - 0.6 * red], axis=2).astype(np.uint8)


def png(depth: int, color: int, size: tuple[int, int], rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of any kind, also of those that Pillow can't write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", *size, depth, color, 0, 0, 0)
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in body)


def one_line(error: pytest.ExceptionInfo[ImageError]) -> str:
    message = str(error.value)
    assert message
    assert "\n" not in message
    return message


# ---------------------------------------------------------------------------------------------------- reading


def test_import_is_light() -> None:
    code = "import sys, stylize.images; print({'tensorflow', 'scipy', 'PIL.ImageCms'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


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


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "avif", "gif", "bmp", "ppm", "jp2"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in.{suffix}"
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(suffix, {})
    Image.fromarray(scene()).save(path, **options)
    picture = read_image(path)
    assert (picture.height, picture.width) == (24, 36)
    assert picture.path == str(path)
    assert picture.notes == ()
    assert np.abs(picture.pixels - scene() / 255).mean() < 0.03
    assert picture.sha256 == images.hashlib.sha256(path.read_bytes()).hexdigest()


def test_picture_is_returned_unchanged() -> None:
    picture = read_image(scene())
    assert read_image(picture) is picture


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


def test_opaque_alpha_is_none(tmp_path: Path) -> None:
    Image.fromarray(scene()).convert("RGBA").save(tmp_path / "in.png")
    assert read_image(tmp_path / "in.png").alpha is None


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


def test_srgb_profile_changes_nothing(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    samples = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(samples).save(tmp_path / "in.png", icc_profile=profile)
    picture = read_image(tmp_path / "in.png")
    assert picture.notes == ()
    np.testing.assert_array_equal(np.rint(picture.pixels * 255), samples)


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


def test_draft_only_on_a_hint(tmp_path: Path) -> None:
    Image.fromarray(scene(1200, 1600)).save(tmp_path / "in.jpg")
    assert read_image(tmp_path / "in.jpg").width == 1600
    picture = read_image(tmp_path / "in.jpg", long_side_px=200)
    assert (picture.height, picture.width) == (300, 400)
    assert picture.full_size == (1200, 1600)
    whole = read_image(tmp_path / "in.jpg", long_side_px=1000)
    assert whole.width == 1600
    assert whole.full_size is None


def test_a_reduced_picture_knows_its_full_size_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(scene(1203, 1601)).save(tmp_path / "in.jpg", exif=exif)
    picture = read_image(tmp_path / "in.jpg", long_side_px=200)
    assert picture.full_size == (1601, 1203)
    assert picture.height > picture.width
    assert picture.sha256 == read_image(tmp_path / "in.jpg").sha256


def test_bytes_are_a_file(tmp_path: Path) -> None:
    Image.fromarray(scene()).save(tmp_path / "in.png")
    from_bytes, from_file = read_image((tmp_path / "in.png").read_bytes()), read_image(tmp_path / "in.png")
    np.testing.assert_array_equal(from_bytes.pixels, from_file.pixels)
    assert (from_bytes.sha256, from_bytes.path) == (from_file.sha256, None)
    with pytest.raises(ImageError, match=r"content -: expected a picture .* received an empty file"):
        read_image(b"", name="content -")


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
def test_arrays(shape: tuple[int, ...], dtype: type) -> None:
    unit = rng.uniform(0.2, 1, shape)
    array = unit.astype(dtype) if np.issubdtype(dtype, np.floating) else (unit * np.iinfo(dtype).max).astype(dtype)
    picture = read_image(array)
    assert picture.pixels.shape == (5, 7, 3)
    assert picture.pixels.dtype == np.float32
    assert picture.pixels.flags.c_contiguous
    assert (picture.alpha is not None) == (shape == (5, 7, 4))
    expected = np.broadcast_to(np.atleast_3d(unit)[..., :3], (5, 7, 3))
    np.testing.assert_allclose(picture.pixels, expected, atol=1 / 255)
    before = picture.pixels.copy()
    array[:] = 0
    np.testing.assert_array_equal(picture.pixels, before)  # a copy, not a view


@pytest.mark.parametrize(
    "array",
    [
        np.full((4, 4, 3), np.nan),
        np.full((4, 4, 3), np.inf),
        np.full((4, 4, 3), 255.0),
        np.full((4, 4, 3), -0.5),
        np.zeros((4, 4, 2)),
        np.zeros((4, 4, 5)),
        np.zeros(4),
        np.zeros((0, 4, 3)),
        np.zeros((2, 4, 4, 3)),
        np.zeros((4, 4, 3), np.int64),
        np.zeros((4, 4, 3), bool),
    ],
)
def test_arrays_refused(array: np.ndarray) -> None:
    with pytest.raises(ImageError) as error:
        read_image(array, name="content")
    message = one_line(error)
    assert message.startswith("content: expected")
    assert "received" in message


def test_paths_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "page.png").write_text("<!DOCTYPE html><p>Not found")
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (tmp_path / "bomb.png").write_bytes(png(8, 2, (20000, 20000), b""))
    (tmp_path / "monster.png").write_bytes(png(8, 2, (2**30, 2**30), b""))
    (tmp_path / "cut.png").write_bytes(encode(scene() / 255, "png")[:-300])
    reasons = {
        "truncated.jpg": "cut-off",
        "empty.png": "empty file",
        "page.png": "unknown or damaged format (it begins b'<!DOCTYP')",
        "phone.heic": "received HEIC; export it as JPEG",
        "bomb.png": "expected 1 pixel to 300 megapixels, received 20000 x 20000",
        "monster.png": "expected at most 300 megapixels",
        "cut.png": "cut-off",
        "missing.png": "no such file",
        ".": "received a folder",
        "null\0byte.png": "null",
    }
    for name, reason in reasons.items():
        with pytest.raises(ImageError) as error:
            read_image(os.path.join(tmp_path, name), name="style")
        message = one_line(error)
        assert message.startswith("style ")
        assert reason in message
    with pytest.raises(ImageError, match="received int"):
        read_image(42)  # type: ignore[arg-type]

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)  # the tests may run as root, whom no mode stops
    with pytest.raises(ImageError, match="no permission"):
        read_image(tmp_path / "whole.jpg")


def test_size_limit_is_ours_and_pillows_is_restored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(scene()).save(tmp_path / "in.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert read_image(tmp_path / "in.png").width == 36
    assert Image.MAX_IMAGE_PIXELS == 100
    monkeypatch.setattr("stylize.images.reading.MAX_PIXELS", 800)
    with pytest.raises(ImageError, match="megapixels"):
        read_image(tmp_path / "in.png")


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP"]), st.data())
def test_damaged_files_decode_or_say_so(tmp_path_factory: pytest.TempPathFactory, junk: bytes, kind: str, data) -> None:
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, kind)
    whole = bytearray(buffer.getvalue())
    at = data.draw(st.integers(0, len(whole)))
    whole[at : at + len(junk)] = junk
    path = tmp_path_factory.mktemp("damaged") / "in"
    path.write_bytes(whole)
    try:
        pixels = read_image(path).pixels
    except ImageError as error:
        message = str(error)
    else:
        message = "fine"
        assert np.isfinite(pixels).all()
    assert "\n" not in message


# ----------------------------------------------------------------------------------------------- transparency


def disc(size: int = 64) -> np.ndarray:
    """A hard red disc; its transparent surroundings hide green."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    inside = np.hypot(x, y) < size * 0.3
    rgba = np.where(inside[..., None], [255, 0, 0, 255], [0, 255, 0, 0])
    return rgba.astype(np.uint8)


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", None])
@pytest.mark.parametrize("size", [16, 23, 64, 150])
def test_no_halo(tmp_path: Path, suffix: str | None, size: int) -> None:
    source: np.ndarray | Path = disc()
    if suffix:
        source = tmp_path / f"in.{suffix}"
        Image.fromarray(disc()).save(source, **({"lossless": True, "exact": True} if suffix == "webp" else {}))
    picture = read_image(source)
    np.testing.assert_allclose(picture.pixels, np.broadcast_to([1, 0, 0], (64, 64, 3)), atol=1e-5)
    small = resized(picture, size, size)
    assert small.alpha is not None
    assert small.alpha.shape == (size, size)
    assert small.pixels[..., 1].max() < 1e-5
    assert small.alpha.min() == 0
    assert small.alpha.max() == 1


def test_fill_takes_the_nearest_colors_and_keeps_the_visible() -> None:
    rgba = np.zeros((41, 61, 4))
    rgba[:, :20] = [1, 0, 0, 1]
    rgba[:, -20:] = [0, 0, 1, 1]
    picture = read_image(rgba)
    np.testing.assert_array_equal(picture.pixels[:, :20], rgba[:, :20, :3])
    assert picture.pixels[:, 21, 0].min() > 0.8  # beside red
    assert picture.pixels[:, 39, 2].min() > 0.8  # beside blue
    np.testing.assert_allclose(picture.pixels.sum(axis=2), 1, atol=1e-4)  # nothing of the hidden black
    assert np.abs(np.diff(picture.pixels[20, :, 0])).max() < 0.2  # smooth


def test_soft_alpha_keeps_its_colors() -> None:
    rgba = rng.random((16, 16, 4))
    rgba[..., 3] = rng.uniform(0.1, 0.9, (16, 16))
    np.testing.assert_allclose(read_image(rgba).pixels, rgba[..., :3], atol=1e-6)


def test_wholly_transparent_shows_nothing_hidden() -> None:
    picture = read_image(np.zeros((3, 5, 4), np.uint8))
    assert "wholly transparent" in picture.notes[0]
    assert (picture.pixels == 0.5).all()


@settings(deadline=None, max_examples=30)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(4))),
)
def test_fill_stays_within_the_visible_colors(rgba: np.ndarray) -> None:
    picture = read_image(rgba)
    assert np.isfinite(picture.pixels).all()
    visible = rgba[rgba[..., 3] > 0][:, :3] / 255
    if len(visible):
        assert (picture.pixels <= visible.max(axis=0) + 1e-4).all()
        assert (picture.pixels >= visible.min(axis=0) - 1e-4).all()


# ------------------------------------------------------------------------------------------- size and colour

sides = st.integers(1, 40)


@settings(deadline=None, max_examples=40)
@given(sides, sides, sides, sides, st.floats(0, 1, width=32))
def test_resized_keeps_constants(h: int, w: int, height: int, width: int, value: float) -> None:
    out = resized(np.full((h, w, 3), value, np.float32), height, width)
    assert out.shape == (height, width, 3)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, value, atol=1e-5)


def test_resized_is_antialiased_and_not_rounded() -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2).astype(np.float32)
    np.testing.assert_allclose(resized(checks, 8, 8)[1:-1, 1:-1], 0.5, atol=0.01)
    ramp = np.linspace(0.5, 0.5 + 1 / 255, 64, dtype=np.float32)[None].repeat(64, axis=0)
    assert len(np.unique(resized(ramp, 32, 32)[16])) == 32
    edge = np.repeat([0.0, 1.0], 32)[None].repeat(64, axis=0).astype(np.float32)
    out = resized(edge, 100, 100)
    assert out.min() == 0  # Lanczos overshoots: clipped
    assert out.max() == 1


def test_resized_copies_and_refuses() -> None:
    pixels = rng.random((4, 4, 3), dtype=np.float32)
    same = resized(pixels, 4, 4)
    np.testing.assert_array_equal(same, pixels)
    assert not np.shares_memory(same, pixels)
    with pytest.raises(OptionError, match="at least 1 x 1"):
        resized(pixels, 0, 4)


@given(st.integers(1, 10000), st.integers(1, 10000), st.integers(1, 4000))
def test_size_for_long_side(height: int, width: int, long_side: int) -> None:
    new_height, new_width = size_for_long_side(height, width, long_side)
    assert max(new_height, new_width) == long_side
    assert min(new_height, new_width) >= 1
    # The short side is off by half a pixel at most, or held up at one.
    short = min(height, width) * long_side / max(height, width)
    assert abs(min(new_height, new_width) - short) <= (0.5 + 1e-9 if short >= 1 else 1)
    assert (new_height >= new_width) == (height >= width) or new_height == new_width


def test_size_for_long_side_refuses() -> None:
    with pytest.raises(OptionError, match="at least 1 px"):
        size_for_long_side(10, 10, 0)


unit_pixels = hnp.arrays(np.float32, (3, 4, 3), elements=st.floats(0, 1, width=32))


@given(unit_pixels, unit_pixels)
def test_with_colors_of(stylized: np.ndarray, content: np.ndarray) -> None:
    out = with_colors_of(stylized, content)
    weights = np.array([0.299, 0.587, 0.114])
    assert out.min() >= 0
    assert out.max() <= 1
    np.testing.assert_allclose(out @ weights, stylized @ weights, atol=1e-5)
    chroma, wanted = out - (out @ weights)[..., None], content - (content @ weights)[..., None]
    # The chroma is the content's, or less of it, in the same direction: no hue shift.
    np.testing.assert_allclose(np.cross(chroma, wanted), 0, atol=1e-5)
    assert ((chroma * wanted).sum(axis=2) >= -1e-6).all()
    assert (np.linalg.norm(chroma, axis=2) <= np.linalg.norm(wanted, axis=2) + 1e-5).all()


def test_a_change_is_laid_over_a_larger_picture() -> None:
    content = np.random.default_rng(0).random((61, 83, 3), np.float32)
    small = resized(content, 20, 28)
    np.testing.assert_array_equal(with_change_of(content, small, small), content)
    brighter = with_change_of(content, small, small + np.float32(0.25))
    np.testing.assert_allclose(brighter, np.minimum(content + 0.25, 1), atol=1e-6)


def test_with_colors_of_itself_and_of_another_shape() -> None:
    pixels = rng.random((5, 6, 3), dtype=np.float32)
    np.testing.assert_allclose(with_colors_of(pixels, pixels), pixels, atol=1e-6)
    with pytest.raises(ImageError, match=r"expected two pictures .* alike"):
        with_colors_of(pixels, pixels[:4])


# ---------------------------------------------------------------------------------------------------- writing


@settings(deadline=None, max_examples=30)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))))
def test_png_and_tiff_round_trip(tmp_path_factory: pytest.TempPathFactory, samples: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("trip")
    for suffix in LOSSLESS:
        write_image(folder / f"out.{suffix}", samples / np.float32(255))
        picture = read_image(folder / f"out.{suffix}")
        np.testing.assert_array_equal(np.rint(picture.pixels * 255), samples)
        assert picture.alpha is None
        assert picture.notes == ()


def test_rounds_to_the_nearest() -> None:
    pixels = np.full((1, 1, 3), [99.4, 99.6, 254.9]) / 255
    assert Image.open(io.BytesIO(encode(pixels, "png"))).getpixel((0, 0)) == (99, 100, 255)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_written_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out.{suffix.upper()}"
    alpha = np.tile(np.linspace(0, 1, 36, dtype=np.float32), (24, 1))
    write_image(path, scene() / 255, alpha)
    with Image.open(path) as image:
        assert ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"])))
        assert image.mode == ("RGB" if suffix in ("jpg", "jpeg") else "RGBA")
        if suffix in ("jpg", "jpeg"):
            np.testing.assert_allclose(np.asarray(image)[:, 0], 255, atol=8)  # on white
        else:
            np.testing.assert_allclose(np.asarray(image)[..., 3] / 255, alpha, atol=0.02)
    picture = read_image(path)
    if picture.alpha is not None:
        visible = alpha > 0.2
        assert np.abs(picture.pixels - scene() / 255)[visible].mean() < 0.02
    assert sorted(os.listdir(tmp_path)) == [path.name]
    assert encode(scene() / 255, suffix) == encode(scene() / 255, "." + suffix)


def test_opaque_alpha_is_not_written() -> None:
    image = Image.open(io.BytesIO(encode(scene() / 255, "png", np.ones((24, 36)))))
    assert image.mode == "RGB"


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


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4), st.sampled_from(["png", "jpg", "tif"]))
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
            with pytest.raises(ImageError, match="damaged"):
                read_provenance(path)
        else:
            assert read_provenance(path) is None
    path.write_bytes(b"no picture")
    for unreadable in (path, tmp_path / "missing.png", tmp_path):
        with pytest.raises(ImageError) as error:
            read_provenance(unreadable)
        one_line(error)


def test_no_foreign_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "someone"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    Image.fromarray(scene()).save(tmp_path / "in.jpg", exif=exif, comment=b"secret")
    write_image(tmp_path / "out.jpg", read_image(tmp_path / "in.jpg").pixels, provenance=PROVENANCE)
    with Image.open(tmp_path / "out.jpg") as image:
        assert list(image.getexif()) == [ExifTags.Base.ImageDescription]
        assert "comment" not in image.info


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.full((4, 4, 3), np.nan), None),
        (np.full((4, 4, 3), 2.0), None),
        (np.zeros((4, 4)), None),
        (np.zeros((4, 4, 4)), None),
        (np.zeros((4, 4, 3)), np.ones((4, 5))),
        (np.zeros((4, 4, 3)), np.full((4, 4), np.inf)),
    ],
)
def test_encode_refuses(pixels: np.ndarray, alpha: np.ndarray | None) -> None:
    with pytest.raises(ImageError) as error:
        encode(pixels, "png", alpha)
    one_line(error)


def test_encode_refuses_sizes_that_the_format_cannot_hold() -> None:
    for suffix, side in (("webp", 16384), ("jpg", 65501), ("avif", 32769)):
        with pytest.raises(ImageError, match="write PNG or TIFF"):
            encode(np.zeros((1, side, 3), np.float32), suffix)


@pytest.mark.parametrize("broken", ["save", "write", "replace", "interrupt"])
def test_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt if broken == "interrupt" else OSError(28, "No space left on device")

    if broken == "save":
        monkeypatch.setattr(Image.Image, "save", fail)
    elif broken == "write":
        real_open = open

        def short_open(file: str, *args: str) -> object:
            handle = real_open(file, *args)
            handle.write(b"half")
            handle.close()
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("builtins.open", short_open)
    else:
        monkeypatch.setattr(os, "replace", fail)
    expected: type[BaseException] = KeyboardInterrupt if broken == "interrupt" else ImageError
    with pytest.raises(expected) as error:
        write_image(path, scene() / 255, overwrite=True)
    monkeypatch.undo()
    if broken != "interrupt":
        assert "No space left on device" in str(error.value)
    assert os.listdir(tmp_path) == ["out.png"]
    assert path.read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_umask_and_links(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_image(tmp_path / "out.png", scene() / 255)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out.png").stat().st_mode) == 0o640
    (tmp_path / "link.png").symlink_to("out.png")
    write_image(tmp_path / "link.png", scene() / 510, overwrite=True)
    assert (tmp_path / "link.png").is_symlink()
    assert read_image(tmp_path / "out.png").pixels.max() < 0.5


def test_check_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.png").write_bytes(b"old")
    (tmp_path / "folder.png").mkdir()
    for suffix in SUFFIXES:
        check_output(tmp_path / f"new.{suffix}", overwrite=False)
    check_output(tmp_path / "there.png", overwrite=True)
    reasons = {
        "there.png": "is there already",
        "new.bmp": "expected a suffix of png, jpg, jpeg, webp, tif, tiff, avif, received .bmp",
        "new": "received none",
        "missing/new.png": "expected an existing folder",
        "there.png/new.png": "expected an existing folder",
        "folder.png": "received a folder",
    }
    for name, reason in reasons.items():
        with pytest.raises(ImageError) as error:
            check_output(tmp_path / name, overwrite=False)
        assert reason in one_line(error)
    with pytest.raises(ImageError, match="is there already"):
        write_image(tmp_path / "there.png", scene() / 255)
    assert (tmp_path / "there.png").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["folder.png", "there.png"]

    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ImageError, match="no permission to write"):
        check_output(tmp_path / "new.png", overwrite=False)
    with pytest.raises(ImageError, match="write-protected"):
        check_output(tmp_path / "there.png", overwrite=True)


def test_format_missing_from_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import features

    monkeypatch.setattr(features, "check", lambda _: False)
    with pytest.raises(ImageError, match="built without AVIF"):
        check_output(tmp_path / "out.avif", overwrite=False)
    check_output(tmp_path / "out.png", overwrite=False)


# ------------------------------------------------------------------------------------------------ real files

# name: (height, width), mean of alpha (None where opaque)
FACTS: dict[str, tuple[tuple[int, int], float | None]] = {
    "cmyk_no_profile.jpg": ((532, 510), None),
    "cmyk_swop_profile.jpg": ((333, 500), None),
    "exif_orient3.jpg": ((1800, 1200), None),
    "exif_orient6.jpg": ((1200, 1800), None),
    "gif_animated.gif": ((285, 370), None),
    "gray_flower.jpg": ((1512, 2268), None),
    "icc_adobe_rgb.jpg": ((1072, 2000), None),
    "icc_p3_ring.png": ((1000, 1000), None),
    "jpeg_progressive.jpg": ((1512, 2268), None),
    "palette_photo.gif": ((533, 800), None),
    "panorama_3to1.jpg": ((1333, 4000), None),
    "png16_flag.png": ((600, 900), None),
    "rgba_mostly_transparent.png": ((1536, 2048), 0.007),
    "rgba_soft_alpha_tulips.png": ((500, 500), 0.713),
    "strip_wide_alpha.png": ((169, 928), 0.179),
    "tiny_32x32_16bit_trns.png": ((32, 32), 0.558),
    "tiny_32x32_rgb.png": ((32, 32), None),
    "webp_alpha.webp": ((300, 300), 0.243),
    "webp_tree.webp": ((772, 1024), None),
}


def awkward(name: str) -> Path:
    path = AWKWARD / name
    if not path.exists():
        pytest.skip(f"{path} is absent")
    return path


@pytest.mark.real
@pytest.mark.parametrize("name", FACTS)
def test_awkward_sizes_and_alpha(name: str, tmp_path: Path) -> None:
    picture = read_image(awkward(name))
    size, opacity = FACTS[name]
    assert (picture.height, picture.width) == size
    assert (picture.alpha is None) == (opacity is None)
    if picture.alpha is not None:
        assert picture.alpha.mean() == pytest.approx(opacity, abs=0.002)
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 1
    small = resized(picture, *size_for_long_side(*size, 64))
    write_image(tmp_path / "out.png", small.pixels, small.alpha, provenance={"content": name})
    assert read_provenance(tmp_path / "out.png") == {"content": name}


@pytest.mark.real
def test_awkward_set_is_covered() -> None:
    awkward("")
    names = {path.name for path in AWKWARD.iterdir()} - {"bad_corrupt_header.jpg"}
    for name in names - set(FACTS):
        read_image(AWKWARD / name)
    assert set(FACTS) <= names


@pytest.mark.real
def test_awkward_corrupt_header() -> None:
    with pytest.raises(ImageError) as error:
        read_image(awkward("bad_corrupt_header.jpg"), name="content")
    message = one_line(error)
    assert "bad_corrupt_header.jpg" in message
    assert "damaged" in message


@pytest.mark.real
def test_awkward_orientation() -> None:
    upside_down = read_image(awkward("exif_orient3.jpg")).pixels
    assert upside_down[:200].mean() > upside_down[-400:-200].mean()  # sky above, shore below
    on_its_side = read_image(awkward("exif_orient6.jpg")).pixels
    sky, ground = on_its_side[:250, :600].mean((0, 1)), on_its_side[-250:, -500:].mean((0, 1))
    assert sky[2] > sky[0] + 0.1
    assert sky.mean() > ground.mean()


@pytest.mark.real
def test_awkward_colors() -> None:
    daisy = read_image(awkward("cmyk_no_profile.jpg"))
    assert "approximate" in daisy.notes[0]
    heart = daisy.pixels[250:330, 385:460].mean((0, 1))
    assert heart[0] > 0.6  # yellow
    assert heart[1] > 0.45
    assert heart[2] < 0.35

    park = read_image(awkward("cmyk_swop_profile.jpg"))
    assert park.notes == ()
    grass = park.pixels[200:240, 20:100].mean((0, 1))
    assert grass[1] > grass[0] > grass[2]

    with Image.open(awkward("icc_adobe_rgb.jpg")) as image:
        plain = np.asarray(image.convert("RGB"), np.float32) / 255
    converted = read_image(awkward("icc_adobe_rgb.jpg")).pixels
    assert np.ptp(converted, axis=2).mean() > 1.1 * np.ptp(plain, axis=2).mean()  # more saturated numbers
    np.testing.assert_allclose(converted.mean(), plain.mean(), atol=0.02)

    flag = read_image(awkward("png16_flag.png")).pixels
    np.testing.assert_allclose(flag[300, 450], 1, atol=1e-6)  # white between red and blue
    assert flag[100, 450, 0] > 0.6 > flag[100, 450, 2]
    assert flag[500, 450, 2] > 0.5 > flag[500, 450, 0]

    assert read_image(awkward("gif_animated.gif")).notes == ("animated: the first of 10 frames is used",)
    assert np.ptp(read_image(awkward("gray_flower.jpg")).pixels, axis=2).max() == 0


def test_exported_names_exist() -> None:
    for name in images.__all__:
        assert getattr(images, name, None) is not None
    public = {
        n for n, v in vars(images).items() if not n.startswith("_") and getattr(v, "__module__", "") == images.__name__
    }
    assert public <= set(images.__all__)


def test_with_palette_of_takes_over_mean_and_covariance():
    random = np.random.default_rng(0)
    mix = np.array([[0.05, 0.02, 0.0], [0.0, 0.04, 0.01], [0.01, 0.0, 0.06]])
    content = (0.4 + random.normal(size=(40, 50, 3)) @ mix).clip(0, 1).astype(np.float32)
    styles = [
        ((0.6 + random.normal(size=(30, 30, 3)) @ mix.T[::-1]).clip(0, 1).astype(np.float32), w) for w in (0.3, 0.7)
    ]
    moved = with_palette_of(content, styles).reshape(-1, 3)
    flat = [style.reshape(-1, 3) for style, _ in styles]
    np.testing.assert_allclose(moved.mean(0), 0.3 * flat[0].mean(0) + 0.7 * flat[1].mean(0), atol=2e-3)
    covariance = 0.3 * np.cov(flat[0].T) + 0.7 * np.cov(flat[1].T)
    np.testing.assert_allclose(np.cov(moved.T), covariance, atol=1e-4)
    assert moved.dtype == np.float32


def test_with_palette_of_survives_pictures_of_one_colour():
    grey, red = np.full((4, 5, 3), 0.5, np.float32), np.zeros((3, 3, 3), np.float32)
    red[..., 0] = 1
    np.testing.assert_allclose(with_palette_of(grey, [(red, 1.0)]), np.broadcast_to([1.0, 0, 0], (4, 5, 3)), atol=1e-5)


def test_with_palette_of_itself_changes_nothing():
    picture = np.random.default_rng(1).random((12, 9, 3)).astype(np.float32)
    np.testing.assert_allclose(with_palette_of(picture, [(picture, 1.0)]), picture, atol=1e-5)

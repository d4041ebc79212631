"""PNGs: every kind of samples; chunks beside the pixels never keep a picture from being read."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from picture_files import png, scene, single_line, wide_gamut_profile
from samples import REPOSITORY, TESTS
from stylize.errors import ImageError
from stylize.images.reading import read_image

DATA = TESTS / "data"

GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
KINDS = [
    *((depth, GRAY) for depth in (1, 2, 4, 8, 16)),
    *((depth, PALETTE) for depth in (1, 2, 4, 8)),
    *((depth, color) for depth in (8, 16) for color in (RGB, GRAY_ALPHA, RGBA)),
]


def documented(depth: int, color: int) -> str:
    """What docs/pictures.md says of the precision of a kind of samples."""
    text = (REPOSITORY / "docs" / "pictures.md").read_text(encoding="utf-8")
    heads, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text[text.index("| bits |") : text.index("## TIFF")].splitlines()
        if line.startswith("|")
    )
    column = heads.index(
        {GRAY: "gray", PALETTE: "palette", GRAY_ALPHA: "gray with alpha", RGB: "RGB", RGBA: "RGB with alpha"}[color]
    )
    return next(row[column] for row in rows if str(depth) in row[0].split(", "))


@pytest.mark.parametrize(("depth", "color"), KINDS)
def test_every_kind_of_samples(depth: int, color: int) -> None:
    channels = {GRAY: 1, PALETTE: 1, RGB: 3, GRAY_ALPHA: 2, RGBA: 4}[color]
    top = 2**depth - 1
    random = np.random.default_rng(depth + color)
    stored = random.integers(0, top + 1, (5, 8, channels))
    if depth == 16:
        rows = stored.astype(">u2").reshape(5, -1).view(np.uint8)
    else:
        digits = stored.reshape(5, -1, 1) >> np.arange(depth - 1, -1, -1) & 1
        rows = np.packbits(digits.reshape(5, -1).astype(np.uint8), axis=1)
    palette = random.integers(0, 256, (top + 1 if color == PALETTE else 1, 3), dtype=np.uint8)
    chunks = [(b"PLTE", palette.tobytes())] if color == PALETTE else []
    picture = read_image(png(depth, color, (8, 5), b"".join(b"\0" + row.tobytes() for row in rows), *chunks))

    unit = stored / top
    alpha = unit[..., -1] if color in (GRAY_ALPHA, RGBA) else np.ones((5, 8))
    colors = palette[stored[..., 0]] / 255 if color == PALETTE else unit[..., : 3 if color in (RGB, RGBA) else 1]
    tolerance = {"in full": 1e-6, "8 bits": 1.01 / 255}[documented(depth, color)]
    visible = alpha > 0.1  # the colours of other pixels are filled
    expected = np.broadcast_to(colors, (5, 8, 3))
    np.testing.assert_allclose(picture.pixels[visible], expected[visible], atol=tolerance)
    if picture.alpha is not None:
        np.testing.assert_allclose(picture.alpha, alpha, atol=tolerance)
    assert (picture.alpha is None) == (color not in (GRAY_ALPHA, RGBA))
    assert picture.notes == ()


@pytest.mark.parametrize("name", ["png_big_ztxt.png", "png_icc_huge.png"])
def test_reported_files(name: str) -> None:
    picture = read_image(DATA / name)
    assert picture.notes == ()
    np.testing.assert_allclose(picture.pixels * 255, np.load(DATA / "jpg_no_eoi_expected.npy"), atol=6)


def scene_png(*chunks: tuple[bytes, bytes]) -> bytes:
    rows = b"".join(b"\0" + row.tobytes() for row in scene())
    return png(8, RGB, (36, 24), rows, *chunks)


def with_wrong_checksum(file: bytes, kind: bytes) -> bytes:
    at = file.index(kind)
    (length,) = struct.unpack_from(">I", file, at - 4)
    end = at + 4 + length
    return file[:end] + bytes(byte ^ 0xFF for byte in file[end : end + 4]) + file[end + 4 :]


BOMB = zlib.compress(bytes(1 << 26), 9)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (b"tEXt", b"Comment\0" + b"x" * (3 << 20)),
        (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3 << 20))),
        (b"zTXt", b"Comment\0\0" + BOMB),
        (b"zTXt", b"Comment\0\0no zlib data"),
        (b"zTXt", b"Comment"),
        (b"zTXt", b""),
        (b"iTXt", b"Comment\0\1\0\0\0" + BOMB),
        (b"iTXt", b"Comment\0\0\0\0\0" + b"\xff" * (3 << 20)),
        (b"pHYs", b"\0\0"),
        (b"zzZz", b"anything"),
    ],
)
def test_texts_of_any_size_are_left_aside(kind: bytes, data: bytes) -> None:
    picture = read_image(scene_png((kind, data)))
    assert picture.notes == ()
    np.testing.assert_array_equal(np.rint(picture.pixels * 255), scene())


def test_many_texts() -> None:
    texts = [(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 20)))] * 80
    assert read_image(scene_png(*texts)).notes == ()


@pytest.mark.parametrize("kind", [b"tEXt", b"tIME", b"bKGD", b"gAMA", b"iCCP", b"tRNS", b"eXIf", b"cICP"])
def test_a_wrong_checksum_beside_the_pixels(kind: bytes) -> None:
    data = {b"gAMA": struct.pack(">I", 100000), b"tRNS": bytes(6), b"cICP": bytes([12, 13, 0, 1])}.get(kind, b"a\0bc")
    picture = read_image(with_wrong_checksum(scene_png((kind, data)), kind))
    assert len(picture.notes) == (kind not in (b"tEXt", b"tIME", b"bKGD"))
    if picture.notes:
        assert picture.notes[0].startswith(f"the PNG's {kind.decode()} is damaged, and with it the ")
    np.testing.assert_array_equal(np.rint(picture.pixels * 255), scene())


def test_chunks_behind_the_pixels() -> None:
    file = scene_png()
    text = b"zTXtComment\0\0" + BOMB
    chunk = struct.pack(">I", len(text) - 4) + text + b"nope"
    picture = read_image(file[:-12] + chunk + file[-12:])
    np.testing.assert_array_equal(np.rint(picture.pixels * 255), scene())


def test_huge_profiles_are_used() -> None:
    padded = wide_gamut_profile() + bytes(2 << 20)
    padded = struct.pack(">I", len(padded)) + padded[4:]
    picture = read_image(scene_png((b"iCCP", b"p\0\0" + zlib.compress(padded))))
    small = read_image(scene_png((b"iCCP", b"p\0\0" + zlib.compress(wide_gamut_profile()))))
    assert picture.notes == ()
    np.testing.assert_array_equal(picture.pixels, small.pixels)
    assert np.abs(picture.pixels - scene() / 255).max() > 0.05


@pytest.mark.parametrize("profile", [BOMB, b"no zlib data", zlib.compress(b"no profile")])
def test_profiles_that_cannot_be_used_are_notes(profile: bytes) -> None:
    picture = read_image(scene_png((b"iCCP", b"p\0\0" + profile)))
    assert picture.notes == ("colour profile unreadable: taken as sRGB",)
    np.testing.assert_array_equal(np.rint(picture.pixels * 255), scene())


def test_damaged_pixels_are_refused() -> None:
    for file in (with_wrong_checksum(scene_png(), b"IHDR"), scene_png()[:60] + bytes(20) + scene_png()[80:]):
        with pytest.raises(ImageError) as error:
            read_image(file)
        single_line(error)


def test_texts_that_pillow_reads_still_count() -> None:
    """An orientation in XMP, in a file from which another chunk is left out."""
    xmp = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp)
    info.add_text("Comment", "x" * (3 << 20), zip=True)
    buffer = io.BytesIO()
    Image.fromarray(scene()).save(buffer, "PNG", pnginfo=info)
    assert read_image(buffer.getvalue()).pixels.shape == (36, 24, 3)

"""Pictures to files: formats, values, and failures that leave the old file."""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from picture_files import scene, single_line
from stylize.errors import ImageError, OptionError
from stylize.images.profiles import srgb_profile
from stylize.images.reading import read_image
from stylize.images.writing import SUFFIXES, check_output, encode, write_image
from stylize.output import OutputConfig

LOSSLESS = ("png", "tif", "tiff")


@settings(max_examples=30)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))))
def test_png_and_tiff_round_trip(tmp_path_factory: pytest.TempPathFactory, samples: np.ndarray) -> None:
    folder = tmp_path_factory.mktemp("trip")
    for suffix in LOSSLESS:
        write_image(folder / f"out.{suffix}", samples / np.float32(255))
        picture = read_image(folder / f"out.{suffix}")
        np.testing.assert_array_equal(np.rint(picture.pixels * 255), samples)
        assert picture.alpha is None
        assert picture.notes == ()


def _deep_png_samples(data: bytes) -> np.ndarray:
    """Decode a PNG of 16-bit colours whose rows have the filter "differences to the left"."""
    start, packed = 8, b""
    while start < len(data):
        length, kind = struct.unpack(">I4s", data[start : start + 8])
        body = data[start + 8 : start + 8 + length]
        assert zlib.crc32(kind + body) == int.from_bytes(data[start + 8 + length : start + 12 + length], "big")
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        start += 12 + length
    assert depth == 16
    channels = {2: 3, 6: 4}[color]
    rows = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, -1)
    assert (rows[:, 0] == 1).all()
    bytes_ = np.cumsum(rows[:, 1:].reshape(height, width, 2 * channels), axis=1, dtype=np.uint8)
    return np.ascontiguousarray(bytes_).view(">u2")


def _tiff_samples(data: bytes) -> np.ndarray:
    """Decode a TIFF of deflated strips of differences."""
    with Image.open(io.BytesIO(data)) as image:
        tags = {tag: image.tag_v2[tag] for tag in image.tag_v2}
    assert (tags[259], tags[262], tags[317]) == (8, 2, 2)
    places = zip(tags[273], tags[279], strict=True)
    raw = b"".join(zlib.decompress(data[offset : offset + size]) for offset, size in places)
    samples = np.frombuffer(raw, f"<u{tags[258][0] // 8}").reshape(tags[257], tags[256], tags[277])
    return np.cumsum(samples, axis=1, dtype=samples.dtype)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (700, 333)])
@pytest.mark.parametrize("transparent", [False, True])
def test_sixteen_bits(shape: tuple[int, int], transparent: bool) -> None:
    random = np.random.default_rng(0)
    samples = random.integers(0, 65536, (*shape, 4 if transparent else 3), np.uint16)
    samples[..., 3:] //= 2
    alpha = samples[..., 3] / 65535 if transparent else None
    pixels = samples[..., :3] / 65535
    deep = OutputConfig(bit_depth=16)
    png, tiff = (encode(pixels, suffix, alpha, output=deep, provenance={"a": 1}) for suffix in ("png", "tif"))
    np.testing.assert_array_equal(_deep_png_samples(png), samples)
    np.testing.assert_array_equal(_tiff_samples(tiff), samples)
    for data in (png, tiff):
        with Image.open(io.BytesIO(data)) as image:
            assert image.mode == ("RGBA" if transparent else "RGB")
            np.testing.assert_array_equal(np.asarray(image), samples >> 8)
            assert image.info["icc_profile"] == srgb_profile()
        again = read_image(data)
        assert again.notes == ()
        visible = np.ones(shape, bool) if alpha is None else alpha > 0.1
        np.testing.assert_allclose(again.pixels[visible], pixels[visible], atol=1 / 255)


def test_sixteen_bits_hold_more_than_eight() -> None:
    ramp = np.linspace(0.5, 0.51, 1000)[None, :, None].repeat(3, axis=2)
    data = encode(ramp, "tif", output=OutputConfig(bit_depth=16))
    assert len(np.unique(_tiff_samples(data))) > 600
    assert len(np.unique(_tiff_samples(encode(ramp, "tif")))) < 5


def test_quality() -> None:
    noise = np.random.default_rng(0).random((64, 64, 3))
    for suffix in ("jpg", "webp", "avif"):
        sizes = [len(encode(noise, suffix, output=OutputConfig(quality=quality))) for quality in (10, 60, 100)]
        assert sizes == sorted(set(sizes))
    assert encode(noise, "jpg", output=OutputConfig(quality=95)) == encode(noise, "jpg")


@pytest.mark.parametrize(
    ("suffix", "options", "words"),
    [
        ("png", {"quality": 50}, "quality: expected an output of jpg, webp or avif, received png, which is lossless"),
        ("jpg", {"bit_depth": 16}, "bit_depth: expected an output of png or tif for 16 bits, received jpg"),
    ],
)
def test_options_that_a_format_does_not_have(tmp_path: Path, suffix: str, options: dict, words: str) -> None:
    output = OutputConfig(**options)
    for write in (
        lambda: check_output(tmp_path / f"out.{suffix}", output, overwrite=False),
        lambda: write_image(tmp_path / f"out.{suffix}", scene() / 255, output=output),
        lambda: encode(scene() / 255, suffix, output=output),
    ):
        with pytest.raises(OptionError, match=words):
            write()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("options", [{"quality": 0}, {"quality": 101}, {"bit_depth": 12}, {"metadata": "some"}])
def test_options_without_meaning(options: dict) -> None:
    with pytest.raises(OptionError, match="expected"):
        OutputConfig(**options)


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
    single_line(error)


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
        assert reason in single_line(error)
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

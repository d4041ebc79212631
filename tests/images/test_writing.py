"""Pictures to files: formats, values, and failures that leave the old file."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms

from picture_files import scene, single_line
from stylize.errors import ImageError
from stylize.images.reading import read_image
from stylize.images.writing import SUFFIXES, check_output, encode, write_image

LOSSLESS = ("png", "tif", "tiff")


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

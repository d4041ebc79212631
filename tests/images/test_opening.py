"""Picture files that cannot be opened, are no pictures, are damaged or too large."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from picture_files import png, scene, single_line
from stylize.errors import ImageError
from stylize.images.reading import read_image
from stylize.images.writing import encode


def test_paths_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "page.png").write_text("<!DOCTYPE html><p>Not found")
    (tmp_path / "bomb.png").write_bytes(png(8, 2, (20000, 20000), b""))
    (tmp_path / "monster.png").write_bytes(png(8, 2, (2**30, 2**30), b""))
    (tmp_path / "cut.png").write_bytes(encode(scene() / 255, "png")[:-300])
    reasons = {
        "truncated.jpg": "cut-off",
        "empty.png": "empty file",
        "page.png": "received text, such as a web page",
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
        message = single_line(error)
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
    monkeypatch.setattr("stylize.images.opening.MAX_PIXELS", 800)
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

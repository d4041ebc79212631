"""Picture files that cannot be opened, are no pictures, are damaged or too large."""

from __future__ import annotations

import io
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from picture_files import png, psd, scene, single_line
from servers import clear_proxies
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


class _Refusing(BaseHTTPRequestHandler):
    """Answers each path with the status that the path names."""

    def do_GET(self) -> None:
        self.send_error(int(self.path[1:]))

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_web_server_that_refuses_is_told_from_a_missing_file(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    clear_proxies(monkeypatch)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        messages = {}
        for status in (403, 404, 500):
            with pytest.raises(ImageError) as error:
                read_image(f"{base}/{status}", name="content")
            messages[status] = single_line(error)
        server.shutdown()
        thread.join()
    assert messages[404].startswith(f"content {base}/404: no such file; expected a picture")
    for status in (403, 500):
        assert f"received no file: HTTP status {status}; check the address" in messages[status]
        assert "no such file" not in messages[status]
    with pytest.raises(ImageError, match=r"received no file: Cannot connect to host 127\.0\.0\.1") as error:
        read_image(f"{base}/200")
    single_line(error)


class _Pipe(io.RawIOBase):
    """A stream without an end."""

    def __init__(self, head: bytes) -> None:
        self.head, self.taken = head, 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        assert size > 0
        assert self.taken < 1 << 24, "it is read on and on"
        block = (self.head[self.taken :] + b"a" * size)[: min(size, 50_000)]
        self.taken += len(block)
        return block


def test_a_pipe_without_an_end_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = _Pipe(b"")
    monkeypatch.setattr("stylize.images.opening.opened", lambda _: endless)
    with pytest.raises(ImageError, match="received text, such as a web page") as error:
        read_image("pipe")
    single_line(error)
    assert endless.taken < 1000
    endless = _Pipe(b"\x89PNG\r\n\x1a\n")
    monkeypatch.setattr("stylize.images.opening.MAX_PIXELS", 30_000)
    with pytest.raises(ImageError, match="received more bytes than these take") as error:
        read_image("pipe")
    single_line(error)
    assert endless.taken < 3_000_000


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000", "PSD", "QOI"])
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_pictures_come_out_of_pipes(form: str, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    if form == "PSD":
        buffer.write(psd(scene()))
    else:
        Image.fromarray(scene()).save(buffer, form)
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(buffer.getvalue(),))
    writer.start()
    pixels = read_image(tmp_path / "pipe").pixels
    writer.join()
    np.testing.assert_array_equal(pixels, read_image(buffer.getvalue()).pixels)

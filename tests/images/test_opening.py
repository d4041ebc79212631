"""Picture files that cannot be opened, are no pictures, are damaged or too large."""

from __future__ import annotations

import contextlib
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
from servers import clear_proxies, serving
from stylize import urls
from stylize.errors import ImageError
from stylize.images.opening import long_side_px_of
from stylize.images.provenance import read_provenance
from stylize.images.reading import read_image
from stylize.images.writing import encode


def test_paths_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "page.png").write_text("<!DOCTYPE html><p>Not found")
    (tmp_path / "alpha.pam").write_bytes(
        b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n????"
    )
    (tmp_path / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'></svg>")
    (tmp_path / "bomb.png").write_bytes(png(8, 2, (20000, 20000), b""))
    (tmp_path / "monster.png").write_bytes(png(8, 2, (2**30, 2**30), b""))
    (tmp_path / "cut.png").write_bytes(encode(scene() / 255, "png")[:-300])
    reasons = {
        "truncated.jpg": "cut-off",
        "empty.png": "empty file",
        "page.png": "received text, such as a web page",
        "alpha.pam": "received a PAM, which is not supported; export it as PNG or JPEG",
        "drawing.svg": "received an SVG, which is not supported; export it as PNG or JPEG",
        "bomb.png": "expected 1 pixel to 300 megapixels, received 20000 x 20000",
        "monster.png": "expected 1 pixel to 300 megapixels, received 1073741824 x",
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


@settings(max_examples=60)
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
        assert f"received: HTTP status {status}; check the address" in messages[status]
        assert "no such file" not in messages[status]
    with pytest.raises(ImageError, match=r"received: Cannot connect to host 127\.0\.0\.1") as error:
        read_image(f"{base}/200")
    single_line(error)


class _Streaming(BaseHTTPRequestHandler):
    """Sends a picture in chunks or in one piece, whole or cut off, as the path says. It sends no parts of a file."""

    protocol_version = "HTTP/1.1"
    body = b""

    def do_HEAD(self) -> None:
        self.send_response(200)
        if "chunked" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        sent, chunked = self.body[: len(self.body) // 2] if "cut" in self.path else self.body, "chunked" in self.path
        with contextlib.suppress(OSError):  # the client goes away
            self.wfile.write(b"%x\r\n%b\r\n" % (len(sent), sent) if chunked else sent)
            if chunked and "cut" not in self.path:
                self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize("way", ["chunked", "in-one-piece"])
def test_a_web_server_may_send_a_picture_in_any_way(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    clear_proxies(monkeypatch)
    noise = np.random.default_rng(7).integers(0, 256, (1400, 1400, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG", compress_level=0)
    assert buffer.tell() > 5 * 2**20, "more than fsspec asks for at once"
    monkeypatch.setattr(_Streaming, "body", buffer.getvalue())
    with ThreadingHTTPServer(("127.0.0.1", 0), _Streaming) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        base = f"http://127.0.0.1:{server.server_address[1]}/{way}"
        try:
            np.testing.assert_array_equal(read_image(f"{base}.png").pixels, read_image(buffer.getvalue()).pixels)
            assert long_side_px_of(f"{base}.png") == 1400
            for read in (read_image, long_side_px_of, read_provenance):
                with pytest.raises(ImageError, match=r"not completed.*; check the address and the connection") as error:
                    read(f"{base}-cut.png")
                assert "damaged" not in single_line(error)
        finally:
            server.shutdown()
            thread.join()


def test_a_web_server_that_falls_silent_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    clear_proxies(monkeypatch)
    monkeypatch.setattr(urls, "_READ_TIMEOUT_S", 0.3)
    with serving() as server:
        server.bodies["/a.png"] = encode(scene() / 255, "png")
        server.stalled.add("/a.png")
        with pytest.raises(ImageError, match=r"received: nothing came for 0\.3 s; check the address") as error:
            read_image(f"{server.base}/a.png")
    single_line(error)


class _ClientError(Exception):
    """As many clients of stores have them: no OSError."""


class _Store:
    """A file system of fsspec with one file, from which so many bytes can be read."""

    def __init__(self, data: bytes, limit_bytes: int) -> None:
        self.data, self.left_bytes = data, limit_bytes

    def open(self, path: str, mode: str) -> io.BytesIO:
        store = self

        class File(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                data = super().read(size)
                store.left_bytes -= len(data)
                if store.left_bytes < 0:
                    raise _ClientError
                return data

        return File(self.data)


def test_a_store_that_breaks_off_is_no_damaged_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (600, 700, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG", compress_level=0)
    data = buffer.getvalue()
    store = _Store(data, len(data))
    monkeypatch.setattr(urls, "system_of", lambda url: (store, url))
    assert long_side_px_of("s3://bucket/a.png") == 700
    assert store.left_bytes > len(data) / 2, "for the header alone, not the whole file is read"
    store.left_bytes = len(data) * 10
    np.testing.assert_array_equal(read_image("s3://bucket/a.png").pixels, read_image(data).pixels)
    store.left_bytes = len(data) // 2
    with pytest.raises(ImageError, match=r"received: _ClientError; check the address and the connection") as error:
        read_image("s3://bucket/a.png")
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


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there are no devices")
def test_a_device_without_an_end_is_not_read_on() -> None:
    with pytest.raises(ImageError, match=r"^picture /dev/zero: expected a picture") as error:
        read_image("/dev/zero", name="picture")
    single_line(error)


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

"""Downloads: one URL to one file, from a server on the loopback address; one archive to one folder."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stylize.errors import WeightsError
from stylize.networks import download as downloads
from stylize.networks.download import fetch, unpack

BODY = bytes(range(256)) * 40
MEMBERS = {"model.pb": b"graph", "variables/data": b"numbers" * 100}


def tar_gz(members: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in extra:
            tar.addfile(info)
    return buffer.getvalue()


class Server(ThreadingHTTPServer):
    """Answers each path as told; `stalled` paths send half of the body and then wait."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: dict[str, bytes] = {}
        self.missing_bytes: dict[str, int] = {}
        self.redirects: dict[str, str] = {}
        self.stalled: set[str] = set()
        self.requests: list[str] = []
        self.release = threading.Event()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request, client_address):
        pass  # a client that goes away is part of the tests


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.end_headers()
            return
        if self.path not in self.server.bodies:
            self.send_error(404)
            return
        body = self.server.bodies[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + self.server.missing_bytes.get(self.path, 0)))
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if self.path in self.server.stalled:
            self.server.release.wait(30)
        self.wfile.write(body[half:])

    def log_message(self, format, *args):
        pass


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


def clear_proxies(monkeypatch) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)


def message(call, *args, **kwargs) -> str:
    """The one line of the WeightsError that the call must raise."""
    with pytest.raises(WeightsError) as caught:
        call(*args, **kwargs)
    text = str(caught.value)
    assert text
    assert "\n" not in text
    return text


@pytest.fixture
def server(monkeypatch):
    clear_proxies(monkeypatch)
    with serving() as server:
        server.bodies["/file"] = BODY
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.bin"


# One URL to one verified file


def test_fetch(server, path):
    sha256, md5 = hashlib.sha256(BODY).hexdigest(), hashlib.md5(BODY).hexdigest()
    heard = []
    found = fetch(f"{server.base}/file", path, lambda *event: heard.append(event), sha256=sha256, md5=md5)
    assert found == sha256
    assert path.read_bytes() == BODY
    assert heard[0] == ("file.bin", 0, len(BODY))
    assert heard[-1] == ("file.bin", len(BODY), len(BODY))


def test_fetch_replaces_no_file(server, path):
    path.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        fetch(f"{server.base}/file", path)
    assert path.read_bytes() == b"mine"


@pytest.mark.parametrize("expected", [{"sha256": "0" * 64}, {"md5": "0" * 32}])
def test_another_file_than_published(server, path, expected):
    assert "its hash differs" in message(fetch, f"{server.base}/file", path, **expected)


def test_truncated(server, path):
    server.missing_bytes["/file"] = 1000
    text = message(fetch, f"{server.base}/file", path)
    assert text == f"{server.base}/file: broke off after {len(BODY)} of {len(BODY) + 1000} bytes"


def test_not_found(server, path):
    assert message(fetch, f"{server.base}/other", path) == f"{server.base}/other answers 404 Not Found"
    assert not path.exists()


def test_too_large(server, path, monkeypatch):
    monkeypatch.setattr(downloads, "_MAX_BYTES", 700)
    assert "is larger than 700 bytes" in message(fetch, f"{server.base}/file", path)


def test_stalled(server, path, monkeypatch):
    monkeypatch.setattr(downloads, "_READ_TIMEOUT_S", 0.3)
    server.stalled.add("/file")
    assert "nothing came for 0.3 s" in message(fetch, f"{server.base}/file", path)


def test_connection_that_never_comes(server, path, monkeypatch):
    monkeypatch.setattr(downloads, "_CONNECT_TIMEOUT_S", 0.2)
    release = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: release.wait(10) and [])
    began = time.monotonic()
    assert "no connection within 0.2 s" in message(fetch, f"{server.base}/file", path)
    assert time.monotonic() - began < 5
    release.set()


def test_refused(server, path):
    # Port 1 of the loopback address has no server.
    assert "Connection refused" in message(fetch, "http://127.0.0.1:1/file", path)


def test_unresolved_name(server, path):
    assert "https://nowhere.invalid/file: " in message(fetch, "https://nowhere.invalid/file", path)


def test_proxy_error(server, path, monkeypatch):
    monkeypatch.setenv("https_proxy", server.base)  # knows no CONNECT
    text = message(fetch, "https://example.invalid/file", path)
    assert "https://example.invalid/file: Tunnel connection failed: 501" in text


def test_redirect(server, path):
    server.redirects["/moved"] = f"{server.base}/file"
    assert fetch(f"{server.base}/moved", path) == hashlib.sha256(BODY).hexdigest()


def test_only_https_beyond_loopback(server, path):
    server.redirects["/moved"] = "http://example.invalid/file"
    for url in (f"{server.base}/moved", "http://example.invalid/file", "file:///etc/passwd"):
        assert "expected https" in message(fetch, url, path)
    assert not path.exists()


# One archive to one folder


def unpacked(tmp_path, body: bytes):
    (tmp_path / "archive").write_bytes(body)
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    unpack(tmp_path / "archive", folder)
    return folder


def test_unpack(tmp_path):
    folder = unpacked(tmp_path, tar_gz({f"./{name}": data for name, data in MEMBERS.items()}))
    found = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    assert {name: file.read_bytes() for name, file in found.items()} == MEMBERS


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "../../outside"
    return info


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (tar_gz({**MEMBERS, "../escape": b"x"}), "leaves the folder"),
        (tar_gz({**MEMBERS, "variables/../../escape": b"x"}), "leaves the folder"),
        (tar_gz({**MEMBERS, "/tmp/escape": b"x"}), "leaves the folder"),
        (tar_gz({**MEMBERS, "C:\\escape": b"x"}), "leaves the folder"),
        (tar_gz(MEMBERS, link("assets", tarfile.SYMTYPE)), "neither a file nor a folder"),
        (tar_gz(MEMBERS, link("assets", tarfile.LNKTYPE)), "neither a file nor a folder"),
        (tar_gz(MEMBERS, link("null", tarfile.CHRTYPE)), "neither a file nor a folder"),
        (tar_gz(MEMBERS)[:-30], "not a whole tar.gz"),
        (b"<html>log in to this network</html>", "not a whole tar.gz"),
        (b"", "not a whole tar.gz"),
    ],
)
def test_bad_archive(tmp_path, body, reason):
    assert reason in message(unpacked, tmp_path, body)
    assert not list(tmp_path.rglob("escape"))


def test_archive_that_names_a_file_as_a_folder(tmp_path):
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        unpacked(tmp_path, tar_gz({**MEMBERS, "model.pb/inner": b"x"}))


def test_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_MAX_BYTES", 700)
    assert "unpacks to more than 700 bytes" in message(unpacked, tmp_path, tar_gz(MEMBERS))

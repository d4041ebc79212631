"""Downloads: one URL to one file, from a server on the loopback address; one archive to one folder."""

from __future__ import annotations

import gc
import hashlib
import socket
import tarfile
import threading
import time
from pathlib import Path

import pytest

from made_up_weights import message, tar_gz
from servers import clear_proxies, serving
from stylize.networks import download
from stylize.networks.download import fetch, unpack

BODY = bytes(range(256)) * 40
MEMBERS = {"model.pb": b"graph", "variables/data": b"numbers" * 100}


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
    monkeypatch.setattr(download, "MAX_BYTES", 700)
    assert "is larger than 700 bytes" in message(fetch, f"{server.base}/file", path)


def test_stalled(server, path, monkeypatch):
    monkeypatch.setattr(download, "READ_TIMEOUT_S", 0.3)
    server.stalled.add("/file")
    assert "nothing came for 0.3 s" in message(fetch, f"{server.base}/file", path)


def test_connection_that_never_comes(server, path, monkeypatch):
    monkeypatch.setattr(download, "CONNECT_TIMEOUT_S", 0.2)
    release = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: release.wait(10) and [])
    began = time.monotonic()
    assert "no connection within 0.2 s" in message(fetch, f"{server.base}/file", path)
    assert time.monotonic() - began < 5
    release.set()


SILENT = ("192.0.2.1", 80)


@pytest.fixture
def resolve_to(monkeypatch):
    """Give localhost these addresses, each with its family. Nothing ever comes from the address SILENT."""
    resolve, connect = socket.getaddrinfo, socket.create_connection

    def create_connection(address, timeout, *args, **kwargs):
        if address == SILENT:
            time.sleep(timeout)
            raise TimeoutError("timed out")
        return connect(address, timeout, *args, **kwargs)

    def set_addresses(*found):
        def getaddrinfo(host, port, *args, **kwargs):
            if host != "localhost":
                return resolve(host, port, *args, **kwargs)
            return [(family, socket.SOCK_STREAM, 6, "", address) for family, address in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return set_addresses


def test_a_silent_address_leaves_time_for_the_next(server, resolve_to, path, monkeypatch):
    monkeypatch.setattr(download, "CONNECT_TIMEOUT_S", 1.0)
    resolve_to((socket.AF_INET6, SILENT), (socket.AF_INET6, SILENT), (socket.AF_INET, server.server_address))
    assert fetch(f"http://localhost:{server.server_address[1]}/file", path) == hashlib.sha256(BODY).hexdigest()


def test_silent_addresses_are_named_as_such(server, resolve_to, path, monkeypatch):
    monkeypatch.setattr(download, "CONNECT_TIMEOUT_S", 0.3)
    resolve_to((socket.AF_INET, SILENT), (socket.AF_INET, SILENT))
    assert "no connection within 0.3 s" in message(fetch, "http://localhost:80/file", path)


def test_where_all_addresses_are_of_one_family_the_first_has_all_the_time(monkeypatch):
    given = []

    def create_connection(address, timeout, source_address):
        given.append(timeout)
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", create_connection)
    for others, expected in ((socket.AF_INET, [1, 1]), (socket.AF_INET6, [0.5, 1])):
        found = [(family, socket.SOCK_STREAM, 6, "", SILENT) for family in (socket.AF_INET, others)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, found=found, **kwargs: found)
        given.clear()
        with pytest.raises(TimeoutError):
            download._connected(("localhost", 80), 1.0)
        assert given == pytest.approx(expected, abs=0.1)


def test_refused(server, path):
    # Port 1 of the loopback address has no server.
    assert "Connection refused" in message(fetch, "http://127.0.0.1:1/file", path)


def test_unresolved_name(server, path):
    assert "nowhere.invalid can't be reached: " in message(fetch, "https://nowhere.invalid/file", path)


# Python 3.10 leaves the proxy's answer open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_proxy_error(server, path, monkeypatch):
    monkeypatch.setenv("https_proxy", server.base)  # knows no CONNECT
    text = message(fetch, "https://example.invalid/file", path)
    assert "example.invalid can't be reached: Tunnel connection failed: 501" in text
    gc.collect()


def test_redirect(server, path):
    server.redirects["/moved"] = f"{server.base}/file"
    assert fetch(f"{server.base}/moved", path) == hashlib.sha256(BODY).hexdigest()


def test_only_https_beyond_loopback(server, path):
    server.redirects["/moved"] = "http://example.invalid/file"
    for url in (f"{server.base}/moved", "http://example.invalid/file", "file:///etc/passwd"):
        assert "expected https" in message(fetch, url, path)
    assert not path.exists()


# One archive to one folder


def unpacked(tmp_path: Path, body: bytes) -> Path:
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
        (tar_gz(MEMBERS)[:-30], "not a complete tar.gz"),
        (b"<html>log in to this network</html>", "not a complete tar.gz"),
        (b"", "not a complete tar.gz"),
    ],
)
def test_bad_archive(tmp_path, body, reason):
    assert reason in message(unpacked, tmp_path, body)
    assert not list(tmp_path.rglob("escape"))


def test_archive_that_names_a_file_as_a_folder(tmp_path):
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        unpacked(tmp_path, tar_gz({**MEMBERS, "model.pb/inner": b"x"}))


def test_archive_that_unpacks_to_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MAX_BYTES", 700)
    assert "unpacks to more than 700 bytes" in message(unpacked, tmp_path, tar_gz(MEMBERS))

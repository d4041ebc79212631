"""Files at URLs: stamps, and one type for the errors of all clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import Server, clear_proxies, serving
from stylize import files, urls
from stylize.errors import StylizeError


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    clear_proxies(monkeypatch)
    with serving() as server:
        yield server


@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_a_stamp_of_the_web_changes_with_the_file(server: Server, header: str) -> None:
    server.bodies["/a.png"] = b"same size"
    server.headers["/a.png"] = {header: "one"}
    first = files.stamp(f"{server.base}/a.png")
    assert first == files.stamp(f"{server.base}/a.png") == "9-one"
    server.headers["/a.png"] = {header: "two"}
    assert files.stamp(f"{server.base}/a.png") != first


def test_where_nothing_tells_of_a_change_there_is_no_stamp(server: Server) -> None:
    server.bodies["/a.png"] = b"any"
    assert files.stamp(f"{server.base}/a.png") == ""


@pytest.mark.parametrize("status", [403, 500])
def test_a_web_server_that_refuses_is_an_error_of_the_system(server: Server, status: int) -> None:
    server.statuses["/a.png"] = status
    for call in (files.opened, files.stamp, files.sha256):
        with pytest.raises(OSError, match=f"HTTP status {status}") as caught:
            call(f"{server.base}/a.png")
        assert not isinstance(caught.value, FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        files.opened(f"{server.base}/b.png")
    server.is_read_only = True
    with pytest.raises(OSError, match="HTTP status 405"):
        files.write(f"{server.base}/b.png", b"data")


def test_what_breaks_off_is_an_error_of_the_system(server: Server) -> None:
    server.bodies["/a.csv"] = b"content\n"
    server.missing_bytes["/a.csv"] = 9
    with files.opened(f"{server.base}/a.csv") as file, pytest.raises(OSError, match="not completed"):
        file.read()


def test_a_file_is_read_in_parts(server: Server) -> None:
    server.bodies["/a"] = bytes(range(256)) * 100
    with files.opened(f"{server.base}/a") as file:
        assert file.read(3) == b"\0\1\2"
        assert file.seek(-2, 2) == 25_598
        assert file.read() == b"\xfe\xff"


def test_an_error_of_any_client_is_one_of_the_system() -> None:
    class NoCredentialsError(Exception):  # as botocore has it
        pass

    url = "s3://bucket/a.png"
    with pytest.raises(OSError, match="NoCredentialsError"), urls.client_errors(url):
        raise NoCredentialsError
    with pytest.raises(FileNotFoundError), urls.client_errors(url):
        raise FileNotFoundError
    with pytest.raises(FileNotFoundError), urls.client_errors(url):
        raise FileNotFoundError from NoCredentialsError()  # such as a 404 of the store's own client
    with pytest.raises(StylizeError), urls.client_errors(url):
        raise StylizeError


@pytest.mark.parametrize("cause", [TimeoutError(), ConnectionResetError("reset"), ValueError("no length")])
def test_a_web_server_that_fails_in_any_way_is_not_taken_for_one_without_the_file(cause: Exception) -> None:
    reason = str(cause) or type(cause).__name__
    with pytest.raises(OSError, match=reason) as caught, urls.client_errors("https://example.org/a.png"):
        raise FileNotFoundError("a.png") from cause
    assert not isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("cause", [None, FileNotFoundError()])
def test_a_web_server_without_the_file(cause: Exception | None) -> None:
    with pytest.raises(FileNotFoundError), urls.client_errors("https://example.org/a.png"):
        raise FileNotFoundError("a.png") from cause


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("fsspec")
    (tmp_path / "a.zip").write_bytes(b"no archive")
    with pytest.raises(OSError, match="not a zip file"):
        files.opened(f"zip://a.png::file://{tmp_path}/a.zip")
    with pytest.raises(FileNotFoundError):
        files.opened(f"zip://a.png::file://{tmp_path}/b.zip")

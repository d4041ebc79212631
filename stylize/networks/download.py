"""Download one URL to one verified file; unpack one archive into one folder.

This module knows nothing about networks and their folders. After a failure, the caller deletes the unfinished files.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import socket
import tarfile
import time
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from stylize._version import __version__
from stylize.errors import WeightsError

__all__ = ["CONNECT_TIMEOUT_S", "MAX_BYTES", "READ_TIMEOUT_S", "fetch", "unpack"]

#: Time to resolve the host's name and to connect. Short, because a user without internet waits for it.
CONNECT_TIMEOUT_S = 3.0
#: Time to wait for the next data.
READ_TIMEOUT_S = 20.0
#: The greatest size of a download and of an unpacked archive. The largest network has some 90 MB.
MAX_BYTES = 1 << 30

_CHUNK_BYTES = 1 << 18


def fetch(
    url: str,
    path: Path,
    on_progress: Callable[[str, int, int | None], None] | None = None,
    *,
    sha256: str | None = None,
    md5: str | None = None,
    size_bytes: int | None = None,
) -> str:
    """Download a URL to a new file.

    Args:
        url: The address: https, or http on this machine.
        path: The file to make.
        on_progress: Called with the file's name, the bytes so far and the bytes in total: those that the server
            announces, else `size_bytes`.
        sha256: The hash that the file must have, in lower-case hex; None: any.
        md5: The same for MD5.
        size_bytes: The file's approximate size.

    Returns:
        The file's SHA-256 in lower-case hex.

    Raises:
        WeightsError: The address is refused, the server fails or is silent for too long, or the file is cut short, too
            large, or not the expected file.
        OSError: `path` can't be written.
    """
    _check_url(url)
    response = _open(url)
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha256", "md5")}
    with response, path.open("xb") as out:
        length = response.headers.get("Content-Length")
        announced = int(length) if length and length.isdecimal() else None
        done = 0
        while True:
            if on_progress is not None:
                on_progress(path.name, done, announced or size_bytes)
            try:
                chunk = response.read1(_CHUNK_BYTES)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise WeightsError(f"{url}: broke off after {done} bytes: {_network_reason(error)}") from error
            if not chunk:
                break
            done += len(chunk)
            if done > MAX_BYTES:
                raise WeightsError(f"{url} is larger than {MAX_BYTES} bytes")
            out.write(chunk)
            for digest in digests.values():
                digest.update(chunk)
    if announced is not None and done != announced:
        raise WeightsError(f"{url}: broke off after {done} of {announced} bytes")
    found = digests["sha256"].hexdigest()
    if sha256 not in (None, found) or md5 not in (None, digests["md5"].hexdigest()):
        raise WeightsError(f"what came from {url} is not the published file (its hash differs)")
    return found


def _open(url: str) -> http.client.HTTPResponse:
    """Return the server's answer, which follows redirects and honours the proxies of the environment."""
    opener = urllib.request.build_opener(_Handler, _RedirectHandler)
    request = urllib.request.Request(url, headers={"User-Agent": f"stylize/{__version__}"})
    try:
        response: http.client.HTTPResponse = opener.open(request)
    except HTTPError as error:
        error.close()
        raise WeightsError(f"{url} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WeightsError(f"{urlsplit(url).netloc} can't be reached: {_network_reason(error)}") from error
    return response


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar.gz archive of files and folders into an existing folder.

    Args:
        archive: The archive.
        folder: Where the files are written; no file is replaced.

    Raises:
        WeightsError: The archive is damaged or too large, would write outside of `folder`, or holds something else than
            files and folders.
        OSError: A file can't be written, or is already there.
    """
    # The files are written here, without links, owners and permissions, because some releases of Python 3.10 and 3.11
    # lack the safe filter of `tarfile`.
    total = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                _check_member(member)
                total += member.size
                if total > MAX_BYTES:
                    raise WeightsError(f"the archive unpacks to more than {MAX_BYTES} bytes")
                target = folder / member.name
                (target if member.isdir() else target.parent).mkdir(parents=True, exist_ok=True)
                if member.isfile():
                    source = tar.extractfile(member)
                    assert source is not None
                    with source, target.open("xb") as out:
                        shutil.copyfileobj(source, out)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # An error of the disk, not of the archive.
        raise WeightsError(f"not a complete tar.gz archive ({error})") from error


def _check_member(member: tarfile.TarInfo) -> None:
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name:
        raise WeightsError(f"the archive is unsafe: {member.name!r} leaves the folder")
    if not (member.isfile() or member.isdir()):
        raise WeightsError(f"the archive is unsafe: {member.name!r} is neither a file nor a folder")


def _network_reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, socket.gaierror):
        return "no internet connection, or no such name"
    if isinstance(reason, TimeoutError):
        return str(reason) if "within" in str(reason) else f"nothing came for {READ_TIMEOUT_S:g} s"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not loopback:
        raise WeightsError(f"{url} is refused: expected https")


class _Connection(http.client.HTTPConnection):
    """A connection with two time-outs: one to connect, another for each wait for data.

    A thread makes the connection, because resolving a name has no time-out.
    """

    _given_up = False

    def connect(self) -> None:
        base_connect = super().connect
        self.timeout = CONNECT_TIMEOUT_S
        self._create_connection = _connected
        failure: list[Exception] = []

        def work() -> None:
            try:
                base_connect()
            except Exception as error:
                failure.append(error)
            if self._given_up:
                self.close()

        thread = Thread(target=work, daemon=True)
        thread.start()
        thread.join(CONNECT_TIMEOUT_S)
        self._given_up = thread.is_alive()
        if self._given_up or any(isinstance(error, TimeoutError) for error in failure):
            raise TimeoutError(f"no connection within {CONNECT_TIMEOUT_S:g} s")
        if failure:
            raise failure[0]
        self.sock.settimeout(READ_TIMEOUT_S)


def _connected(address: tuple[str, int], timeout: float, source_address: Any = None) -> socket.socket:
    """As `socket.create_connection`, but IPv6 and IPv4 leave time for each other: a broken IPv6 is silent."""
    found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)
    families = [family for family, *_ in found]
    # IPv6 and IPv4 in turn, because all addresses of one of them may be silent.
    turns = sorted(range(len(found)), key=lambda index: families[:index].count(families[index]))
    end, failure = time.monotonic() + timeout, OSError("no address")
    for turn, index in enumerate(turns):
        place: Any = found[index][4][:2]
        left = max(0.1, end - time.monotonic())
        if any(families[later] != families[index] for later in turns[turn + 1 :]):
            left /= 2
        try:
            connected = socket.create_connection(place, left, source_address)
        except OSError as error:
            failure = error
        else:
            connected.settimeout(timeout)
            return connected
    raise failure


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    pass


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req)


class _RedirectHandler(urllib.request.HTTPRedirectHandler):
    """Refuses redirects to an address that `_check_url` refuses."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], *details: Any
    ) -> urllib.request.Request | None:
        # The details are code, message, headers, and the new URL.
        try:
            _check_url(details[-1])
        except WeightsError:
            fp.close()
            raise
        return super().redirect_request(req, fp, *details)

"""One URL to one verified file; one archive to one folder.

Nothing here knows of networks or of where they are kept. What a failure leaves half written is the caller's
to delete.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import socket
import tarfile
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from stylize._version import __version__
from stylize.errors import WeightsError

__all__ = ["fetch", "unpack"]

_CONNECT_TIMEOUT_S = 3.0
_READ_TIMEOUT_S = 20.0
_MAX_BYTES = 1 << 30
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
    """Download `url` to the new file `path` and return its SHA-256 in lower-case hex.

    `sha256` and `md5` are what the file must have, in lower-case hex. `on_progress` hears the file's name,
    the bytes so far and the bytes in all: those the server promises, else `size_bytes`, which may be
    approximate. A connection is waited for 3 s, data each time 20 s. Raises WeightsError if the address is
    neither https nor on this machine, the server fails, or the file is cut short, larger than 1 GiB or not
    the one expected; OSError if `path` can't be written.
    """
    _check_url(url)
    opener = urllib.request.build_opener(_Handler, _RedirectHandler)  # honours proxies
    request = urllib.request.Request(url, headers={"User-Agent": f"stylize/{__version__}"})
    try:
        response = opener.open(request)
    except HTTPError as error:
        error.close()
        raise WeightsError(f"{url} answers {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WeightsError(f"{url}: {_network_reason(error)}") from error
    digests = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha256", "md5")}
    with response, path.open("xb") as out:
        length = response.headers.get("Content-Length")
        promised = int(length) if length and length.isdecimal() else None
        done = 0
        while True:
            if on_progress is not None:
                on_progress(path.name, done, promised or size_bytes)
            try:
                chunk = response.read1(_CHUNK_BYTES)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise WeightsError(f"{url}: broke off after {done} bytes: {_network_reason(error)}") from error
            if not chunk:
                break
            done += len(chunk)
            if done > _MAX_BYTES:
                raise WeightsError(f"{url} is larger than {_MAX_BYTES} bytes")
            out.write(chunk)
            for digest in digests.values():
                digest.update(chunk)
    if promised is not None and done != promised:
        raise WeightsError(f"{url}: broke off after {done} of {promised} bytes")
    found = digests["sha256"].hexdigest()
    if sha256 not in (None, found) or md5 not in (None, digests["md5"].hexdigest()):
        raise WeightsError(f"what came from {url} is not the published file (its hash differs)")
    return found


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar.gz of plain files and folders, at most 1 GiB in all, into an existing folder.

    Raises WeightsError if the archive is damaged, too large, holds anything else or would write outside
    `folder`; OSError if the disk fails, or a file is there already.
    """
    # Files are written by hand, without links, owners or modes: `tarfile`'s own safe filter is not in every
    # Python 3.10.
    total = 0
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts or "\\" in member.name or ":" in member.name:
                    raise WeightsError(f"the archive is unsafe: {member.name!r} leaves the folder")
                if not (member.isfile() or member.isdir()):
                    raise WeightsError(f"the archive is unsafe: {member.name!r} is neither a file nor a folder")
                total += member.size
                if total > _MAX_BYTES:
                    raise WeightsError(f"the archive unpacks to more than {_MAX_BYTES} bytes")
                target = folder / path
                (target if member.isdir() else target.parent).mkdir(parents=True, exist_ok=True)
                if member.isfile():
                    source = tar.extractfile(member)
                    assert source is not None
                    with source, target.open("xb") as out:
                        shutil.copyfileobj(source, out)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not the archive's
        raise WeightsError(f"not a whole tar.gz archive ({error})") from error


def _network_reason(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, socket.gaierror):
        return "the host's name can't be resolved; is there a network?"
    if isinstance(reason, TimeoutError):
        return str(reason) if "within" in str(reason) else f"nothing came for {_READ_TIMEOUT_S:g} s"
    return getattr(reason, "strerror", None) or str(reason) or type(reason).__name__


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    loopback = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "localhost", "::1")
    if parts.scheme != "https" and not loopback:
        raise WeightsError(f"{url} is refused: expected https")


class _Connection(http.client.HTTPConnection):
    """One time-out to connect, another for each wait for data.

    The connection is made in a thread, because resolving a name knows no time-out, and a name with several
    addresses would have the time-out several times.
    """

    _given_up = False

    def connect(self) -> None:
        base_connect = super().connect
        self.timeout = _CONNECT_TIMEOUT_S
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
        thread.join(_CONNECT_TIMEOUT_S)
        if thread.is_alive():
            self._given_up = True
            raise TimeoutError(f"no connection within {_CONNECT_TIMEOUT_S:g} s")
        if failure:
            raise failure[0]
        self.sock.settimeout(_READ_TIMEOUT_S)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    pass


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req)


class _RedirectHandler(urllib.request.HTTPRedirectHandler):
    """Follows no redirect away from https."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _check_url(newurl)
        except WeightsError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)

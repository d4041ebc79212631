"""Files at URLs (s3://, gs://, https://, file:// ...), by fsspec."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from typing import Any, cast

from stylize.errors import StylizeError
from stylize.text import one_line, without_users

__all__ = ["client_errors", "is_web", "links_of", "opened", "stamp", "system_of", "without_secrets", "without_users_of"]

_WEB = ("http://", "https://")

# What web servers answer for a file that is not there.
_MISSING = (404, 410)

# How long to wait for a connection, and for the next data. A large file may take any time as long as something comes.
_CONNECT_TIMEOUT_S, _READ_TIMEOUT_S = 30.0, 60.0


def without_secrets(place: str) -> str:
    """Return a URL, or a chain of URLs, without what may be a password or a token; a path as given.

    Of each URL the user is left out; of those on the web query and fragment, too. In object stores `?` and `#` are
    letters of a name.
    """
    return "::".join(
        re.sub(r"[?#].*", "", link, flags=re.DOTALL) if link.lower().startswith(_WEB) else link
        for link in map(_without_user, links_of(place))
    )


def without_users_of(place: str) -> str:
    """Return a URL, or a chain of URLs, without users and passwords; a path as given."""
    return "::".join(map(_without_user, links_of(place)))


def links_of(place: str) -> list[str]:
    """Return the URLs of a chain such as zip://a.png::https://host/a.zip; a path or a single URL alone."""
    return re.split(r"::(?=[a-zA-Z][a-zA-Z0-9+.-]*://)", place)


def _without_user(link: str) -> str:
    return without_users(link, is_url=True)


def system_of(url: str) -> tuple[Any, str]:
    """Return the fsspec file system of a URL, and the path in that file system.

    Raises:
        OSError: The archive that holds the file is missing or unreachable.
        StylizeError: fsspec or the package for this kind of URL is not installed, or the kind is unknown.
    """
    options: dict[str, Any] = {}
    try:
        from fsspec.core import url_to_fs

        if url.startswith(_WEB):
            options = {"client_kwargs": _web_client()}
        with client_errors(url, but=(ImportError, ValueError)):
            return cast("tuple[Any, str]", url_to_fs(url, **options))
    except ImportError as error:
        needed = f"{url}: reading URLs needs more packages"
        if url.startswith(_WEB) or str(error.name).startswith("fsspec"):
            raise StylizeError(f'{needed}: pip install "stylize-art[batch]"') from error
        raise StylizeError(f"{needed}: {one_line(error)}") from error  # names the package for an object store
    except ValueError as error:  # an unknown protocol
        raise StylizeError(f"{url}: {one_line(error)}") from error


def _web_client() -> dict[str, Any]:
    from aiohttp import ClientTimeout

    timeout = ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S, sock_read=_READ_TIMEOUT_S)
    return {"trust_env": True, "timeout": timeout}  # as other programs do, ask the environment's proxies


@contextlib.contextmanager
def client_errors(url: str, but: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn what the clients of stores raise (aiohttp, botocore ...) into OSError. Only calls of fsspec belong inside.

    Args:
        url: What the calls are about.
        but: Types of errors that stay as they are, beside OSError and StylizeError.

    Raises:
        OSError: With the reason as its text; FileNotFoundError only for a file that is not there.
    """
    try:
        yield
    except Exception as error:  # each client has types of its own
        cause = error.__cause__
        # fsspec gives any failure of a web server the type FileNotFoundError, and timeouts no text.
        is_failure = isinstance(error, FileNotFoundError) and is_web(url) and not _is_missing(cause)
        if is_failure or (_is_timeout(error) and _is_of_aiohttp(cause)):
            raise OSError(_text(cause)) from error
        if isinstance(error, (OSError, StylizeError, *but)):
            raise
        raise OSError(_text(error)) from error


def is_web(url: str) -> bool:
    """Whether a URL, or the last of a chain, is of a web server."""
    return url.rpartition("::")[2].startswith(_WEB)


def _is_missing(cause: BaseException | None) -> bool:
    """Whether the cause of a FileNotFoundError says that a web server does not have the file."""
    return cause is None or isinstance(cause, FileNotFoundError) or getattr(cause, "status", None) in _MISSING


def _is_timeout(error: BaseException | None) -> bool:
    return "Timeout" in type(error).__name__  # in Python 3.10 not each is a TimeoutError


def _is_of_aiohttp(error: BaseException | None) -> bool:
    return type(error).__module__.startswith("aiohttp")


def _text(error: BaseException | None) -> str:
    if _is_timeout(error) and _is_of_aiohttp(error):
        never_connected = "Connection" in type(error).__name__
        return (
            f"no connection within {_CONNECT_TIMEOUT_S:g} s"
            if never_connected
            else f"nothing came for {_READ_TIMEOUT_S:g} s"
        )
    status = getattr(error, "status", None)  # of aiohttp's ClientResponseError, whose text repeats the address
    return one_line(error) or type(error).__name__ if status is None else f"HTTP status {status}"


def opened(url: str, **options: Any) -> io.BufferedReader:
    """Open a file for reading bytes, with options of fsspec's `open`.

    Raises:
        OSError: As the built-in `open`; later, as `read` of a file.
        StylizeError: As `system_of`.
    """
    with client_errors(url):
        system, path = system_of(url)
        return io.BufferedReader(_Reader(system.open(path, "rb", **options), url))


def stamp(url: str) -> str:
    """Return what the store reports that changes with the file; an empty text if it reports no such thing.

    Raises:
        OSError: The file is missing or unreachable.
    """
    with client_errors(url):
        system, path = system_of(url)
        if not is_web(url):
            return f"{system.size(path)}-{system.ukey(path)[:16]}"
        about = system.info(path)
    # fsspec's own key of a file on the web is the address alone.
    mark = about.get("ETag") or about.get("Last-Modified")
    return f"{about['size']}-{mark}" if mark else ""


class _Reader(io.RawIOBase):
    """A file of fsspec whose failures are of type OSError."""

    def __init__(self, file: Any, url: str) -> None:
        self._file = file
        self._url = url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return bool(self._file.seekable())

    def readinto(self, buffer: Any) -> int:
        with client_errors(self._url):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with client_errors(self._url):
            self._file.seek(offset, whence)
        return self.tell()

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()
        super().close()

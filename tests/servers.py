"""A web server on the loopback address for the tests of downloads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

#: Seconds for which a stalled answer waits for `Server.release`.
_STALL_S = 120


class Server(ThreadingHTTPServer):
    """Answers each path as the test says.

    Attributes:
        bodies: The body of each path; any other path is answered with 404.
        missing_bytes: By path, how many bytes more the server announces than it sends.
        headers: By path, more headers of the answer.
        statuses: By path, the status of an answer that refuses to send.
        is_read_only: Whether the server refuses to take files.
        redirects: By path, where the server redirects to.
        stalled: Paths whose second half is sent only after `release` is set.
        requests: The paths that were requested.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: dict[str, bytes] = {}
        self.missing_bytes: dict[str, int] = {}
        self.headers: dict[str, dict[str, str]] = {}
        self.statuses: dict[str, int] = {}
        self.is_read_only = False
        self.redirects: dict[str, str] = {}
        self.stalled: set[str] = set()
        self.requests: list[str] = []
        self.release = threading.Event()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # Some tests let the client go away.


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.is_read_only:
            self.send_error(405)
            return
        self.server.bodies[self.path] = body
        self.send_response(201)
        self.end_headers()

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.end_headers()
            return
        if self.path in self.server.statuses or self.path not in self.server.bodies:
            self.send_error(self.server.statuses.get(self.path, 404))
            return
        body = self.server.bodies[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) + self.server.missing_bytes.get(self.path, 0)))
        for name, value in self.server.headers.get(self.path, {}).items():
            self.send_header(name, value)
        self.end_headers()
        half = len(body) // 2
        self.wfile.write(body[:half])
        self.wfile.flush()
        if self.path in self.server.stalled:
            self.server.release.wait(_STALL_S)
        self.wfile.write(body[half:])

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[Server]:
    """Run a server for the duration of the block."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()


def clear_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the environment's proxies, which would not reach the loopback address."""
    for variable in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)

"""`stylize app`."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

from stylize.cli.commands import app
from stylize.config import AppConfig
from stylize.errors import StylizeError


@pytest.mark.parametrize(("system", "reuses"), [("nt", False), ("posix", True)])
def test_an_address_that_is_in_use_is_not_taken_on_windows(system, reuses, monkeypatch):
    """On Windows SO_REUSEADDR would take an address on which another program listens."""
    asked = []

    class Socket(socket.socket):
        def setsockopt(self, *option):
            asked.append(option)

    monkeypatch.setattr(app, "os", SimpleNamespace(name=system))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(socket, "socket", Socket)
        with pytest.raises(StylizeError, match="can't be listened on"):
            app._check_address(AppConfig(host="127.0.0.1", port=taken.getsockname()[1]))
    assert asked == [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)] * reuses

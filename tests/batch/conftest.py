"""Pictures for the tests of batches."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batches import InlineEngine, picture
from servers import Server, clear_proxies, serving
from stylize.batch import local_engine, worker
from stylize.images import formats


@pytest.fixture
def no_heif(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installation without the extra that reads HEIC."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pillow_heif" else real(name))
    formats.picture_suffixes.cache_clear()
    yield
    formats.picture_suffixes.cache_clear()


@pytest.fixture
def folders(tmp_path: Path, traced_networks: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three photographs, one of them in a folder of its own, and two styles, 24 to 32 px, in the current folder.

    `stylize batch` paints in this process.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local_engine, "LocalEngine", InlineEngine)
    worker.loaded.cache_clear()
    for number, name in enumerate(
        ("photos/a.png", "photos/b.png", "photos/cats/c.png", "styles/s.png", "styles/t.png")
    ):
        picture(name, number)
    yield tmp_path
    worker.loaded.cache_clear()


@pytest.fixture
def server(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A web server on this machine, which the batch may use."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    clear_proxies(monkeypatch)
    monkeypatch.delenv("STYLIZE_OFFLINE")
    with serving() as server:
        yield server

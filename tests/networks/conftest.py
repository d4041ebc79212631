"""A machine without networks, a server that has some, and a count of interpreters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ai_edge_litert.interpreter
import pytest

from made_up_weights import PREDICT, SAVED_MODEL, TRANSFER, specs, tar_gz
from servers import Server, clear_proxies, serving
from stylize.networks import local, registry


@pytest.fixture
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, no proxies and no embedded networks; returns the home's folder."""
    clear_proxies(monkeypatch)
    monkeypatch.delenv("STYLIZE_OFFLINE", raising=False)
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(local, "EMBEDDED", tmp_path / "nothing embedded")
    return tmp_path / "home"


@pytest.fixture
def served(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The made-up registry, and a server that has all of its files but VGG-19's."""
    with serving() as server:
        monkeypatch.setattr(registry, "REGISTRY", specs(server.base))
        server.bodies = {
            "/p_prediction_1.tflite": PREDICT,
            "/p_transfer_1.tflite": TRANSFER,
            "/hub": tar_gz({f"./{name}": data for name, data in SAVED_MODEL.items()}),
        }
        yield server


@pytest.fixture
def embedded(tmp_path: Path, isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the made-up registry's embedded networks, with their files."""
    folder = tmp_path / "embedded"
    folder.mkdir()
    (folder / "tiny.tflite").write_bytes(PREDICT)
    (folder / "slim.safetensors").write_bytes(b"slim")
    monkeypatch.setattr(local, "EMBEDDED", folder)
    return folder


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The interpreters that are opened during the test."""
    interpreters: list[Any] = []

    class Interpreter(ai_edge_litert.interpreter.Interpreter):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            interpreters.append(self)

    monkeypatch.setattr(ai_edge_litert.interpreter, "Interpreter", Interpreter)
    return interpreters

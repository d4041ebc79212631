"""The interpreter of LiteRT files, with the stylizer that the package ships."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import ai_edge_litert.interpreter
import numpy as np
import pytest

from samples import MODELS, painting
from stylize.networks import litert
from stylize.networks.litert import LiteRTNetwork

STYLE = MODELS / "mini_style.tflite"
TRANSFER = MODELS / "mini_transfer.tflite"


def test_a_file_and_its_bytes_are_the_same_network() -> None:
    picture = painting(40, 56, 0)[None]
    one, other = LiteRTNetwork(STYLE).run(picture), LiteRTNetwork(STYLE.read_bytes()).run(picture)
    np.testing.assert_array_equal(one, other)
    assert one.dtype == np.float32


def test_inputs_are_matched_by_dimensions_and_channels() -> None:
    picture, vector = painting(40, 56, 0)[None], LiteRTNetwork(STYLE).run(painting(64, 64, 1)[None])
    noise = np.random.default_rng(0).standard_normal((1, 40, 56, 1), np.float32)
    painter = LiteRTNetwork(TRANSFER)
    np.testing.assert_array_equal(painter.run(picture, vector, noise), painter.run(picture, noise, vector))
    with pytest.raises(ValueError, match="expected inputs like"):
        painter.run(picture, vector, vector)


def test_the_file_is_opened_once_and_late(opened: list[Any]) -> None:
    network = LiteRTNetwork(STYLE)
    assert not opened
    network.load()
    network.run(painting(40, 56, 0)[None])
    network.run(painting(20, 30, 0)[None])
    assert len(opened) == 1


def test_the_memory_of_a_large_picture_is_given_back(opened: list[Any]) -> None:
    network, picture = LiteRTNetwork(STYLE, max_kept_px=40 * 56 - 1), painting(40, 56, 0)[None]
    first = network.run(picture)
    np.testing.assert_array_equal(network.run(picture), first)
    assert len(opened) == 2
    network.run(painting(20, 30, 0)[None])
    network.run(painting(20, 30, 0)[None])
    assert len(opened) == 3


@pytest.mark.parametrize("data", [b"", b"not a flatbuffer", STYLE.read_bytes()[:1000]])
def test_a_damaged_file_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "network.tflite").write_bytes(data)
    with pytest.raises(ValueError):
        LiteRTNetwork(tmp_path / "network.tflite").load()


def test_threads_share_a_network() -> None:
    network, pictures = LiteRTNetwork(STYLE), [painting(20 + 4 * n, 30, n)[None] for n in range(4)]
    expected = [network.run(picture) for picture in pictures]
    wrong: list[int] = []

    def work() -> None:
        for number in [0, 1, 2, 3] * 3:
            if not np.array_equal(network.run(pictures[number]), expected[number]):
                wrong.append(number)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_on_windows_a_file_of_any_name_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "żółć.tflite"
    path.write_bytes(STYLE.read_bytes())

    class OfWindows(ai_edge_litert.interpreter.Interpreter):  # type: ignore[misc]
        def __init__(self, model_path: str | None = None, **settings: Any) -> None:
            if model_path is not None:
                model_path.encode("cp1252")
            super().__init__(model_path, **settings)

    monkeypatch.setattr(ai_edge_litert.interpreter, "Interpreter", OfWindows)
    monkeypatch.setattr(litert, "_OPENS_ANY_PATH", False)
    LiteRTNetwork(path).load()

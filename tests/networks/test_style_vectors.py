"""Style vectors between runs: never a wrong one, never a failed run."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import stylize
from samples import MODELS, painting
from stylize.networks import style_vectors
from stylize.networks.litert import LiteRTNetwork
from stylize.networks.mini import MiniStylizer
from stylize.networks.style_vectors import StyleVectors


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Encoder:
    """Stands in for a network: a vector that tells pictures apart, and a count."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        self.calls += 1
        return np.array([picture.mean(), picture.std(), *picture.shape], np.float32)


def test_a_vector_is_made_once_in_memory_and_on_disk():
    encode, picture = Encoder(), painting(20, 30, 0)
    known = StyleVectors("a" * 64)
    first = known.of(picture, encode)
    np.testing.assert_array_equal(known.of(picture.copy(), encode), first)
    np.testing.assert_array_equal(StyleVectors("a" * 64).of(picture, encode), first)
    assert encode.calls == 1


def test_another_picture_size_or_network_is_another_vector():
    encode, picture = Encoder(), painting(20, 30, 0)
    known = StyleVectors("a" * 64)
    known.of(picture, encode)
    other = picture.copy()
    other[3, 4, 1] = np.nextafter(other[3, 4, 1], 2, dtype=np.float32)
    turned = np.ascontiguousarray(picture.reshape(30, 20, 3))
    for another in (other, turned, picture[:10]):
        np.testing.assert_array_equal(known.of(another, encode), Encoder()(another))
    StyleVectors("b" * 64).of(picture, encode)
    assert encode.calls == 5


@pytest.mark.parametrize("damage", [b"", b"x", b"x" * 40, None])
def test_a_damaged_file_is_made_anew(home, damage):
    encode, picture = Encoder(), painting(20, 30, 0)
    right = StyleVectors("a" * 64).of(picture, encode)
    (file,) = (home / "vectors").iterdir()
    if damage is None:
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        damage = bytes(data)
    file.write_bytes(damage)
    np.testing.assert_array_equal(StyleVectors("a" * 64).of(picture, encode), right)
    assert encode.calls == 2
    np.testing.assert_array_equal(StyleVectors("a" * 64).of(picture, encode), right)
    assert encode.calls == 2


def test_a_home_that_can_not_be_written_to_fails_no_run(home):
    home.write_text("a file where the folder should be")
    encode, picture = Encoder(), painting(20, 30, 0)
    known = StyleVectors("a" * 64)
    np.testing.assert_array_equal(known.of(picture, encode), known.of(picture, encode))
    assert encode.calls == 1


def test_what_is_kept_is_bounded(home, monkeypatch):
    monkeypatch.setattr(style_vectors, "MAX_FILES", 5)
    monkeypatch.setattr(style_vectors, "MAX_IN_MEMORY", 3)
    encode, known = Encoder(), StyleVectors("a" * 64)
    for seed in range(9):
        picture = painting(8, 8, seed)
        known.of(picture, encode)
        for path in (home / "vectors").iterdir():
            os.utime(path, ns=(path.stat().st_mtime_ns - 10**9,) * 2)
    assert len(list((home / "vectors").iterdir())) == 5
    known.of(picture, encode)
    assert StyleVectors("a" * 64).of(picture, encode).shape == (5,)
    assert encode.calls == 9


def test_many_threads_get_the_right_vectors():
    encode, known = Encoder(), StyleVectors("a" * 64)
    pictures = [painting(8, 8, seed) for seed in range(6)]
    wrong = []

    def work():
        for picture in pictures * 5:
            if not np.array_equal(known.of(picture, encode), Encoder()(picture)):
                wrong.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_next_run_does_not_encode_the_style_again(tiny_networks, pictures, monkeypatch):
    content, style = pictures
    first = stylize.fast(content, style, size=64, network="mini")

    # The style encoder is the network with one input; the painter has three.
    run = LiteRTNetwork.run

    def run_without_encoder(self, *inputs):
        assert len(inputs) > 1, "encoded again"
        return run(self, *inputs)

    monkeypatch.setattr(LiteRTNetwork, "run", run_without_encoder)
    again = stylize.fast(content, style, size=64, network="mini")
    np.testing.assert_array_equal(first.image, again.image)
    other = painting(64, 96, 7)
    stylize.fast(other, style, size=64, network="mini")
    with pytest.raises(AssertionError):
        stylize.fast(content, style, size=48, network="mini")  # its strokes have another scale


def test_vectors_from_the_cache_give_the_picture_that_the_network_gives(tiny_networks):
    models = MODELS
    plain = MiniStylizer(models / "mini_style.tflite", models / "mini_transfer.tflite")
    content, style = painting(40, 60, 1), painting(64, 64, 2)
    for _ in range(2):
        known = StyleVectors("a" * 64)
        kept = MiniStylizer(models / "mini_style.tflite", models / "mini_transfer.tflite", known.of)
        for strength in (0.5, 1.0):
            np.testing.assert_array_equal(
                kept.stylize(content, [(style, 1.0)], strength), plain.stylize(content, [(style, 1.0)], strength)
            )

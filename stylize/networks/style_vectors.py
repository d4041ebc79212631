"""Style vectors, kept between runs: in memory, and as small files in `home()/vectors`.

A vector is found again by what the network saw, pixel for pixel, and by the network's own hash, so that a hit is
never of another style, size or network. What can't be read is made anew, and what can't be written is not kept.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stylize.networks import store

__all__ = ["Recall", "StyleVectors"]

#: A picture, and what makes its vector, to its vector.
Recall = Callable[[np.ndarray, Callable[[np.ndarray], np.ndarray]], np.ndarray]

_KEPT_FILES = 512
_KEPT_IN_MEMORY = 2048


class StyleVectors:
    """The vectors of one network. May be used from several threads, and by several processes at once.

    Args:
        network_sha256: of the file that makes them.
        in_files: whether they are read from files, and left in them.
    """

    def __init__(self, network_sha256: str, *, in_files: bool = True) -> None:
        self._network = network_sha256
        self._in_files = in_files
        self._known: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def of(self, picture: np.ndarray, encode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return the vector (D,) of a picture, float32 (H, W, 3), by `encode` unless it is known."""
        digest = hashlib.sha256(f"{self._network} {picture.shape} {picture.dtype}".encode())
        digest.update(np.ascontiguousarray(picture).data)
        key = digest.hexdigest()
        vector = self._known.get(key)
        if vector is None:
            vector = _read(_folder() / key) if self._in_files else None
            if vector is None:
                vector = encode(picture)
                # A folder that is not there, full or write-protected: the next run makes the vector again.
                with contextlib.suppress(OSError):
                    if self._in_files:
                        _write(_folder() / key, vector)
            with self._lock:
                if len(self._known) >= _KEPT_IN_MEMORY:
                    del self._known[next(iter(self._known))]
                self._known[key] = vector
        return vector


def _folder() -> Path:
    return store.home() / "vectors"


def _read(path: Path) -> np.ndarray | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, vector = data[:32], data[32:]
    return np.frombuffer(vector, "<f4") if hashlib.sha256(vector).digest() == digest else None


def _write(path: Path, vector: np.ndarray) -> None:
    """Write whole or not at all; the oldest files go when there are too many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = vector.astype("<f4").tobytes()
    temporary = path.with_name(f".{secrets.token_hex(8)}")
    try:
        temporary.write_bytes(hashlib.sha256(data).digest() + data)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    with os.scandir(path.parent) as entries:
        # Other processes may delete the same ones.
        aged = sorted((entry.stat().st_mtime, entry.path) for entry in entries)
    for _, surplus in aged[: max(0, len(aged) - _KEPT_FILES)]:
        with contextlib.suppress(OSError):
            os.unlink(surplus)

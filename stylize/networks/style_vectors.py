"""Style vectors, kept between runs: in memory, and as small files in `home()/vectors`.

The key of a vector is the hash of the pixels that the network read and of the network's own file. So a vector is never
used for another style, size or network. A damaged file is computed again.
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
from numpy.typing import NDArray

from stylize.networks.local import home

__all__ = ["MAX_FILES", "MAX_IN_MEMORY", "Recall", "StyleVectors"]

#: Takes a picture and the function that computes its vector; returns the vector, known or computed.
Recall = Callable[[NDArray[np.float32], Callable[[NDArray[np.float32]], NDArray[np.float32]]], NDArray[np.float32]]

#: Vectors kept in files, some 300 bytes each.
MAX_FILES = 512
#: Vectors kept in memory.
MAX_IN_MEMORY = 2048

_HASH_BYTES = 32


class StyleVectors:
    """The vectors of one network. Several threads and several processes may use them at once.

    Args:
        network_sha256: Hash of the network's file.
        in_files: Whether vectors are read from files and written to files.
    """

    def __init__(self, network_sha256: str, *, in_files: bool = True) -> None:
        self._network = network_sha256
        self._in_files = in_files
        self._known: dict[str, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def of(
        self, picture: NDArray[np.float32], encode: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        """Return the vector (D,) of a picture.

        Args:
            picture: (H, W, 3), exactly as the network reads it.
            encode: Computes the vector; called only if the vector is not known.
        """
        digest = hashlib.sha256(f"{self._network} {picture.shape} {picture.dtype}".encode())
        digest.update(np.ascontiguousarray(picture).data)
        key = digest.hexdigest()
        vector = self._known.get(key)
        if vector is None:
            vector = self._read_or_encode(_folder() / key, picture, encode)
            with self._lock:
                if len(self._known) >= MAX_IN_MEMORY:
                    del self._known[next(iter(self._known))]
                self._known[key] = vector
        return vector

    def _read_or_encode(
        self, path: Path, picture: NDArray[np.float32], encode: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    ) -> NDArray[np.float32]:
        if not self._in_files:
            return encode(picture)
        if (vector := _read(path)) is not None:
            return vector
        vector = encode(picture)
        # If the folder can't be made, is full or write-protected, the next run computes the vector again.
        with contextlib.suppress(OSError):
            _write(path, vector)
        return vector


def _folder() -> Path:
    return home() / "vectors"


def _read(path: Path) -> NDArray[np.float32] | None:
    """Return the vector in a file, None if the file is absent or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, vector = data[:_HASH_BYTES], data[_HASH_BYTES:]
    return np.frombuffer(vector, "<f4") if hashlib.sha256(vector).digest() == digest else None


def _write(path: Path, vector: NDArray[np.float32]) -> None:
    """Write a vector after its hash, completely or not at all. If there are too many files, delete the oldest ones."""
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
        # Another process may delete the same files at the same time; the caller ignores the OSError.
        oldest_first = sorted((entry.stat().st_mtime, entry.path) for entry in entries)
    for _, surplus in oldest_first[: max(0, len(oldest_first) - MAX_FILES)]:
        with contextlib.suppress(OSError):
            os.unlink(surplus)

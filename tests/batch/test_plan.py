"""What a worker needs."""

from __future__ import annotations

from stylize.batch.plan import memory_bytes
from stylize.config import FastConfig, RefineConfig


def test_memory_per_worker_grows_with_the_size():
    assert memory_bytes(FastConfig(size="200%"), 512) == memory_bytes(FastConfig(size=1024))
    for config in (FastConfig, RefineConfig):
        sizes = [memory_bytes(config(size=size)) for size in (256, 512, 1024)]
        assert sizes == sorted(set(sizes))

"""Cores and memory, as containers limit them."""

from __future__ import annotations

import pytest

from stylize.machine import available_cores, available_memory_bytes


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000"}, 8),
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "1000 100000"}, 1),
        ({"cpu.max": "6400000 100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ({"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        ({"cpu.max": "nonsense"}, 8),
    ],
)
def test_threads_are_the_cores_that_the_process_may_use(files, expected, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert available_cores(tmp_path) == expected


def test_threads_are_limited(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = available_cores()
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert available_cores() == 3
    for nonsense in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
        assert available_cores() == cores


def test_memory_is_known_here():
    assert 2**26 < available_memory_bytes() < 2**46


@pytest.mark.parametrize(
    ("limit", "used", "statistics", "cache"),
    [
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ],
)
def test_a_containers_memory_counts(limit, used, statistics, cache, tmp_path):
    unlimited = available_memory_bytes(tmp_path)
    (tmp_path / "memory").mkdir()
    (tmp_path / limit).write_text("3000000\n")
    (tmp_path / used).write_text("1000000\n")
    assert available_memory_bytes(tmp_path) == 2_000_000 < unlimited
    (tmp_path / statistics).write_text(f"anon 100\n{cache} 500000\nactive_file 100\n")
    assert available_memory_bytes(tmp_path) == 2_500_000, "the kernel frees the file cache first"
    (tmp_path / statistics).unlink()
    (tmp_path / used).write_text("4000000\n")
    assert available_memory_bytes(tmp_path) == 0
    (tmp_path / limit).write_text("max\n")
    assert available_memory_bytes(tmp_path) > 2_000_000

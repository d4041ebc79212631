"""Cores and memory, as containers limit them."""

from __future__ import annotations

import pytest

from stylize.machine import available_cores, available_memory_bytes


@pytest.fixture
def own_groups(tmp_path):
    """The file in which Linux names the groups of a process, here of both versions."""
    path = tmp_path / "own"
    path.write_text("4:memory:/slurm/job\n3:cpu,cpuacct:/slurm\n1:name=systemd:/other\n0::/job/step\n")
    return path


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
        ({"job/step/cpu.max": "150000 100000"}, 2),
        ({"job/cpu.max": "200000 100000", "job/step/cpu.max": "max 100000"}, 2),
        ({"cpu.max": "400000 100000", "job/cpu.max": "500000 100000"}, 4),
        ({"other/cpu.max": "100000 100000"}, 8),
        ({"cpu/slurm/cpu.cfs_quota_us": "300000", "cpu/slurm/cpu.cfs_period_us": "100000"}, 3),
    ],
)
def test_threads_are_the_cores_that_the_process_may_use(files, expected, own_groups, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(8)), raising=False)
    assert available_cores(tmp_path, own_groups) == expected


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


VERSION_2 = ("memory.max", "memory.current", "inactive_file")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("", VERSION_2),
        ("job", VERSION_2),
        ("job/step", VERSION_2),
        ("memory", VERSION_1),
        ("memory/slurm", VERSION_1),
        ("memory/slurm/job", VERSION_1),
    ],
)
def test_the_memory_of_a_container_or_job_counts(group, names, own_groups, tmp_path):
    def available():
        return available_memory_bytes(tmp_path, own_groups)

    unlimited = available()
    folder = tmp_path / group
    folder.mkdir(parents=True, exist_ok=True)
    limit, used, cache = names
    (folder / limit).write_text("3000000\n")
    (folder / used).write_text("1000000\n")
    assert available() == 2_000_000 < unlimited
    (folder / "memory.stat").write_text(f"anon 100\n{cache} 500000\nactive_file 100\n")
    assert available() == 2_500_000, "the kernel frees the file cache first"
    (folder / "memory.stat").unlink()
    (folder / used).write_text("4000000\n")
    assert available() == 0
    (folder / limit).write_text("max\n")
    assert available() > 2_000_000


def test_the_smallest_memory_of_all_groups_counts(own_groups, tmp_path):
    for group, left in (("job/step", 5_000_000), ("job", 4_000_000), (".", 6_000_000), ("other", 1_000_000)):
        (tmp_path / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / group / "memory.max").write_text(f"{left + 100}\n")
        (tmp_path / group / "memory.current").write_text("100\n")
    assert available_memory_bytes(tmp_path, own_groups) == 4_000_000


@pytest.mark.parametrize("text", [None, "", "nonsense\n", "0::/\n", "0::/../gone\n"])
def test_without_groups_of_its_own_the_limit_of_the_container_counts(text, tmp_path):
    own_groups = tmp_path / "own"
    if text is not None:
        own_groups.write_text(text)
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert available_memory_bytes(tmp_path, own_groups) == 2_000_000

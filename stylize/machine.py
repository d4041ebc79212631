"""The cores, CPU instructions and memory that this process may use on this machine or in its container."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

__all__ = ["available_cores", "available_memory_bytes", "has_native_bfloat16"]

# Where Linux mounts the control groups, which limit the CPU time and the memory of a container.
_CGROUP = Path("/sys/fs/cgroup")


def available_cores(cgroup: Path = _CGROUP) -> int:
    """Return the number of cores that this process may use, at least 1.

    The environment variable OMP_NUM_THREADS takes precedence. Otherwise, the number is that of the cores in the
    process's affinity mask (set by `taskset`), limited by the CPU quota of the container.

    Args:
        cgroup: folder with the files of the control groups, version 2 or 1.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) >= 1:
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota(cgroup)
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def _container_quota(cgroup: Path) -> float | None:
    """Return the CPU time that the control groups allow, in cores. None if there is no limit."""
    version_2 = [cgroup / "cpu.max"]
    version_1 = [cgroup / "cpu" / f"cpu.cfs_{name}_us" for name in ("quota", "period")]
    for paths in (version_2, version_1):
        # Missing files, the word `max` and the quota -1 mean no limit.
        with contextlib.suppress(OSError, ValueError):
            quota, period = map(int, " ".join(path.read_text("ascii") for path in paths).split())
            if quota > 0 and period > 0:
                return quota / period
    return None


def has_native_bfloat16() -> bool:
    """Return whether the CPU has instructions for bfloat16. Known on Linux only, False elsewhere."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return " avx512_bf16" in flags or " amx_bf16" in flags


def available_memory_bytes(cgroup: Path = _CGROUP) -> int:
    """Return the number of bytes that this process may still allocate.

    The number is the smaller of the free memory of the system and of the container.

    Args:
        cgroup: folder with the files of the control groups, version 2 or 1.
    """
    import psutil

    free: int = psutil.virtual_memory().available
    files = [
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ]
    for limit, used, statistics, cache in files:
        # Missing files and the word `max` mean no limit.
        with contextlib.suppress(OSError, ValueError):
            left = int((cgroup / limit).read_text("ascii")) - int((cgroup / used).read_text("ascii"))
            # The file cache counts as used, but the kernel frees it before it refuses an allocation.
            with contextlib.suppress(OSError):
                lines = (cgroup / statistics).read_text("ascii").splitlines()
                left += sum(int(value) for name, value in map(str.split, lines) if name == cache)
            free = min(free, left)
    return max(0, free)

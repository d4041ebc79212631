"""What this machine, and its container, let a process use: cores, their instructions, memory."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

__all__ = ["available_cores", "available_memory_bytes", "has_native_bfloat16"]

_CGROUP = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores that this process may use: OMP_NUM_THREADS, or those of `taskset`, as far as a container's quota pays."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) >= 1:
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota()
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def _container_quota() -> float | None:
    """Return the cores' worth of time that control groups (version 2, then 1) allow, None if there is no limit."""
    files = [[_CGROUP / "cpu.max"], [_CGROUP / "cpu" / f"cpu.cfs_{name}_us" for name in ("quota", "period")]]
    for paths in files:
        # No such files, `max`, or -1: no limit.
        with contextlib.suppress(OSError, ValueError):
            quota, period = map(int, " ".join(path.read_text("ascii") for path in paths).split())
            if quota > 0 and period > 0:
                return quota / period
    return None


def has_native_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16, by the flags that Linux tells."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return " avx512_bf16" in flags or " amx_bf16" in flags


def available_memory_bytes() -> int:
    """Bytes that this process may still take: what the system has free, and no more than its container's limit."""
    import psutil

    free: int = psutil.virtual_memory().available
    files = [
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
    ]
    for limit, used, statistics, cache in files:
        # No such files, or `max`: no limit.
        with contextlib.suppress(OSError, ValueError):
            left = int((_CGROUP / limit).read_text("ascii")) - int((_CGROUP / used).read_text("ascii"))
            # What files were read counts as used, and is given up before anything is refused.
            with contextlib.suppress(OSError):
                lines = (_CGROUP / statistics).read_text("ascii").splitlines()
                left += sum(int(value) for name, value in map(str.split, lines) if name == cache)
            free = min(free, left)
    return max(0, free)

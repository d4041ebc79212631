"""The cores, CPU instructions and memory that this process may use on this machine or in its container."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

__all__ = ["available_cores", "available_memory_bytes", "has_native_bfloat16"]

# Where Linux mounts the control groups, which limit the CPU time and the memory of a container or a job; and where
# Linux tells the groups of this process.
_CGROUP, _OWN_GROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def available_cores(cgroup: Path = _CGROUP, own_groups: Path = _OWN_GROUPS) -> int:
    """Return the number of cores that this process may use, at least 1.

    The environment variable OMP_NUM_THREADS takes precedence. Otherwise, the number is that of the cores in the
    process's affinity mask (set by `taskset`), limited by the CPU quota of the container or job.

    Args:
        cgroup: folder of the control groups, version 2 or 1.
        own_groups: file that names the groups of this process.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) >= 1:
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    folders_2, folders_1 = _groups("", cgroup, own_groups), _groups("cpu", cgroup, own_groups)
    files = [[folder / "cpu.max"] for folder in folders_2]
    files += [[folder / f"cpu.cfs_{name}_us" for name in ("quota", "period")] for folder in folders_1]
    return max(1, min(cores, *(math.ceil(_quota(each, cores)) for each in files)))


def _groups(controller: str, cgroup: Path, own_groups: Path) -> list[Path]:
    """Return the folders of this process's control group and of the groups around it. Each of them may set a limit.

    Args:
        controller: cpu or memory for version 1, empty for version 2.
        cgroup: folder of the control groups.
        own_groups: file that names the groups of this process.
    """
    own: tuple[str, ...] = ()
    with contextlib.suppress(OSError, ValueError):
        for line in own_groups.read_text("utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            if controller in controllers.split(","):
                own = PurePosixPath(path).parts[1:]
    return [cgroup.joinpath(controller, *own[:depth]) for depth in range(len(own) + 1)]


def _quota(paths: Sequence[Path], unlimited: float) -> float:
    """Return the CPU time that a control group allows, in cores; `unlimited` if there is no limit."""
    # Missing files, the word `max` and the quota -1 mean no limit.
    with contextlib.suppress(OSError, ValueError):
        quota, period = map(int, " ".join(path.read_text("ascii") for path in paths).split())
        if quota > 0 and period > 0:
            return quota / period
    return unlimited


def has_native_bfloat16() -> bool:
    """Return whether the CPU has instructions for bfloat16. Known on Linux only, False elsewhere."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return " avx512_bf16" in flags or " amx_bf16" in flags


def available_memory_bytes(cgroup: Path = _CGROUP, own_groups: Path = _OWN_GROUPS) -> int:
    """Return the number of bytes that this process may still allocate.

    The number is the smaller of the free memory of the system and of the container or job.

    Args:
        cgroup: folder of the control groups, version 2 or 1.
        own_groups: file that names the groups of this process.
    """
    import psutil

    free: int = psutil.virtual_memory().available
    version_2 = "memory.max", "memory.current", "inactive_file"
    version_1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
    for controller, (limit, used, cache) in (("", version_2), ("memory", version_1)):
        for folder in _groups(controller, cgroup, own_groups):
            # Missing files and the word `max` mean no limit.
            with contextlib.suppress(OSError, ValueError):
                left = int((folder / limit).read_text("ascii")) - int((folder / used).read_text("ascii"))
                # The file cache counts as used, but the kernel frees it before it refuses an allocation.
                with contextlib.suppress(OSError):
                    lines = (folder / "memory.stat").read_text("ascii").splitlines()
                    left += sum(int(value) for name, value in map(str.split, lines) if name == cache)
                free = min(free, left)
    return max(0, free)

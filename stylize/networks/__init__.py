"""The networks: feature encoders (vgg) and stylizers (magenta, mini)."""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["available_cores", "native_stderr_silenced"]


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


@contextlib.contextmanager
def native_stderr_silenced() -> Iterator[None]:
    """Turn file descriptor 2 to the null device: the frameworks' C++ start-up lines heed no logging setting."""
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        saved = os.dup(2)
    except OSError:  # no standard error at all, as under pythonw
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)

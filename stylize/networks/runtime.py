"""TensorFlow, imported once and quietly, on the cores that this process may use."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from pathlib import Path
from typing import Any, Literal

from stylize.machine import available_cores
from stylize.networks import native_stderr_silenced

__all__ = ["faster_precision", "tf"]


@functools.lru_cache(maxsize=1)
def faster_precision() -> Literal["float32", "bfloat16"]:
    """Return the precision in which this machine convolves faster, by a trial of some 0.2 s.

    The CPU's flags do not tell: bfloat16 takes a quarter of float32's time where there are matrix units (AMX), and
    over one and a half times as long on some CPUs that have instructions for it, but no such units.
    """
    if not _has_native_bfloat16():
        return "float32"  # emulated, there it is many times slower
    seconds = {name: _seconds_of_convolution(tf.as_dtype(name)) for name in ("float32", "bfloat16")}
    return "bfloat16" if seconds["bfloat16"] < _WORTH_ROUNDING * seconds["float32"] else "float32"


# What bfloat16 must take of float32's time, since it rounds, and the trial is noisy.
_WORTH_ROUNDING = 0.8
_TRIALS = 3


def _has_native_bfloat16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return " avx512_bf16" in flags or " amx_bf16" in flags


def _seconds_of_convolution(dtype: Any) -> float:
    """Return the least time of a convolution as in the middle of VGG-19."""
    picture, kernel = tf.ones((1, 64, 64, 128), dtype), tf.ones((3, 3, 128, 128), dtype)

    def once() -> float:
        began = time.perf_counter()
        tf.reduce_max(tf.nn.conv2d(picture, kernel, 1, "SAME")).numpy()
        return time.perf_counter() - began

    once()  # sets up
    return min(once() for _ in range(_TRIALS))


def _import_tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_silenced():
        import tensorflow as tf
    # A host program that has used TensorFlow already chose its own threads.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    return tf


tf = _import_tensorflow()

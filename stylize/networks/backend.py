"""TensorFlow, imported once and quietly, on the cores that this process may use."""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, Literal

from stylize.machine import available_cores, has_native_bfloat16
from stylize.networks import native_stderr_silenced

__all__ = ["faster_precision", "tf"]


@functools.lru_cache(maxsize=1)
def faster_precision() -> Literal["float32", "bfloat16"]:
    """Return the precision in which this machine convolves faster, by a trial of some 0.1 s.

    The CPU's flags do not tell: bfloat16 takes a quarter of float32's time where there are matrix units (AMX), and
    over one and a half times as long on some CPUs that have instructions for it, but no such units.
    """
    if not has_native_bfloat16():
        return "float32"  # emulated, there it is many times slower
    exact, rounded = (_convolution(tf.as_dtype(name)) for name in ("float32", "bfloat16"))
    # In turn, since cores wake up, and are taken away, for some milliseconds at a time: one after the other, one in
    # five trials had chosen the slower.
    ratios = [_seconds(rounded) / _seconds(exact) for _ in range(_TRIALS)]
    return "bfloat16" if statistics.median(ratios) < _WORTH_ROUNDING else "float32"


# What bfloat16 must take of float32's time, since it rounds.
_WORTH_ROUNDING = 0.8
_TRIALS = 9


def _convolution(dtype: Any) -> Callable[[], Any]:
    """Return a convolution as in the middle of VGG-19, set up."""
    picture, kernel = tf.ones((1, 64, 64, 128), dtype), tf.ones((3, 3, 128, 128), dtype)

    def convolve() -> Any:
        return tf.reduce_max(tf.nn.conv2d(picture, kernel, 1, "SAME")).numpy()

    convolve()
    return convolve


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _import_tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_silenced():
        import tensorflow as tf
    # A host program that has used TensorFlow already chose its own threads.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    return tf


tf = _import_tensorflow()

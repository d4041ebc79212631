"""TensorFlow, imported once and without start-up messages, on the cores that this process may use."""

from __future__ import annotations

import contextlib
import functools
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, Literal

from stylize.machine import available_cores, has_native_bfloat16
from stylize.native_stderr import native_stderr_silenced

__all__ = ["Precision", "compare_precisions", "faster_precision", "tf"]

Precision = Literal["float32", "bfloat16"]

#: bfloat16 must take less than this share of float32's time, because bfloat16 rounds.
_MAX_TIME_RATIO = 0.8
_TRIALS = 9


@functools.lru_cache(maxsize=1)
def faster_precision() -> Precision:
    """Return the precision in which this machine computes convolutions faster, by a trial of about 0.1 s.

    The CPU's instruction flags are not sufficient: bfloat16 takes a quarter of float32's time on CPUs with matrix units
    (AMX), but more than one and a half times as long on some CPUs that have bfloat16 instructions and no matrix units.
    """
    if not has_native_bfloat16():
        return "float32"  # Emulated bfloat16 is many times slower.
    convolutions: dict[Precision, Callable[[], None]] = {
        "float32": _convolution(tf.float32),
        "bfloat16": _convolution(tf.bfloat16),
    }

    def seconds(precision: Precision) -> float:
        began = time.perf_counter()
        convolutions[precision]()
        return time.perf_counter() - began

    return compare_precisions(seconds)


def compare_precisions(seconds: Callable[[Precision], float]) -> Precision:
    """Return the faster precision.

    Args:
        seconds: Computes in a precision and returns the time that this took.
    """
    # The two precisions alternate, because cores wake up and are taken away for some milliseconds at a time. When all
    # trials of one precision came first, one choice in five was wrong.
    ratios = [seconds("bfloat16") / seconds("float32") for _ in range(_TRIALS)]
    return "bfloat16" if statistics.median(ratios) < _MAX_TIME_RATIO else "float32"


def _convolution(dtype: Any) -> Callable[[], None]:
    """Return a function that computes one convolution as in the middle of VGG-19; the first call is already done."""
    picture, kernel = tf.ones((1, 64, 64, 128), dtype), tf.ones((3, 3, 128, 128), dtype)

    def convolve() -> None:
        tf.reduce_max(tf.nn.conv2d(picture, kernel, 1, "SAME")).numpy()

    convolve()
    return convolve


def _import_tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_silenced():
        import tensorflow as tf
    # A host program that has already used TensorFlow has chosen its own number of threads.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    return tf


tf = _import_tensorflow()

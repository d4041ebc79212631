"""The choice between float32 and bfloat16, by a trial on the device."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from typing import Literal

from stylize.machine import has_native_bfloat16
from stylize.networks.backend import framework, on, ops, spec
from stylize.networks.devices import Device

__all__ = ["Precision", "compare_precisions", "faster_precision"]

Precision = Literal["float32", "bfloat16"]

# bfloat16 must take less than this share of float32's time, because bfloat16 rounds.
_MAX_TIME_RATIO = 0.8
_TRIALS = 9


@functools.cache
def faster_precision(device: Device) -> Precision:
    """Return the precision in which a device computes convolutions faster, by a trial of about 0.1 s.

    The CPU's instruction flags are not sufficient: bfloat16 takes a quarter of float32's time on CPUs with matrix units
    (AMX), but more than one and a half times as long on some CPUs that have bfloat16 instructions and no matrix units.
    float32 is never rounded to TF32: what TF32 would save, bfloat16 saves twice.
    """
    if not device.is_gpu and not has_native_bfloat16():
        return "float32"  # Emulated bfloat16 is many times slower.
    with on(device):
        convolutions: dict[Precision, Callable[[], None]] = {
            "float32": _convolution("float32", device),
            "bfloat16": _convolution("bfloat16", device),
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


def _convolution(precision: Precision, device: Device) -> Callable[[], None]:
    """Return a function that computes one convolution as in the middle of VGG-19; the first call is already done."""
    # A GPU needs more to do, or its start is all that is measured.
    side = 512 if device.is_gpu else 64
    picture, kernel = ops.ones((1, side, side, 128), precision), ops.ones((3, 3, 128, 128), precision)
    bias = ops.zeros(128, precision)
    convolved = framework.compiled(
        lambda x, kernel, bias: ops.cast(ops.max(framework.convolved(x, kernel, bias, "zeros")), "float32"),
        [spec(*each.shape, dtype=precision) for each in (picture, kernel, bias)],
    )

    def convolve() -> None:
        float(convolved(picture, kernel, bias))

    convolve()
    return convolve

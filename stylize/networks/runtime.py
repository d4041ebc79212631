"""TensorFlow, imported once and quietly, on the cores that this process may use."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from stylize.machine import available_cores
from stylize.networks import native_stderr_silenced

__all__ = ["has_native_bfloat16", "tf"]


def has_native_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively (elsewhere it is emulated, and slower than float32)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return " avx512_bf16" in flags or " amx_bf16" in flags


def _import_tensorflow() -> Any:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_silenced():
        import tensorflow as tf
    # A host program that has used TensorFlow already chose its own threads.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    return tf


tf = _import_tensorflow()

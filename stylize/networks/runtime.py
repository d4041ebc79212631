"""TensorFlow, imported once and quietly, on the cores that this process may use."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from stylize.networks import available_cores

__all__ = ["has_native_bfloat16", "tf"]


def has_native_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 natively (elsewhere it is emulated, and slower than float32)."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return " avx512_bf16" in flags or " amx_bf16" in flags


def _import_tensorflow() -> Any:
    # TensorFlow's C++ start-up lines go straight to file descriptor 2, before any logging setting is read.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # no standard error at all, as under pythonw
        import tensorflow as tf

        return tf
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        import tensorflow as tf
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)
    try:
        tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    except RuntimeError:
        pass  # the host program has used TensorFlow already, and chose its own threads
    return tf


tf = _import_tensorflow()

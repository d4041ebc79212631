"""Which backends of Keras are installed, which devices they see, and the choice of one before Keras is imported."""

from __future__ import annotations

import contextlib
import contextvars
import ctypes.util
import functools
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from stylize.errors import OptionError
from stylize.machine import available_cores
from stylize.native_stderr import native_stderr_silenced

__all__ = [
    "BACKENDS",
    "Backend",
    "Device",
    "choose",
    "chosen",
    "device_label",
    "free_bytes",
    "gpus",
    "installed_backends",
    "jax",
    "keras_backend_set",
    "tensorflow",
]

Backend = Literal["tensorflow", "torch", "jax"]
#: In the order of preference.
BACKENDS: tuple[Backend, ...] = get_args(Backend)

_HOW_TO_INSTALL = (
    'refine and compare need TensorFlow, PyTorch or JAX, and found none: `pip install "stylize-art[torch]"` or '
    '`pip install "stylize-art[jax]"` (TensorFlow comes with stylize up to Python 3.13)'
)


@dataclass(frozen=True)
class Device:
    """Where a refinement computes.

    Attributes:
        backend: the backend of Keras.
        name: Keras' name of the device, such as `cpu:0`, `gpu:0`, `mps:0`.
    """

    backend: Backend
    name: str

    @property
    def is_gpu(self) -> bool:
        """Whether the device is not the CPU."""
        return not self.name.startswith("cpu")

    @property
    def record(self) -> dict[str, str]:
        """What a picture's provenance keeps."""
        return {"backend": self.backend, "device": self.name}

    @property
    def index(self) -> int:
        """The device's number among those of its kind."""
        return int(self.name.partition(":")[2] or 0)


# Several threads may compute at once, each on its own device. A thread that has chosen none takes the last choice.
_chosen: contextvars.ContextVar[Device | None] = contextvars.ContextVar("chosen", default=None)
_last_chosen: Device | None = None


def chosen() -> Device:
    """Return the device of the last `choose` in this thread, else in any thread, or choose one by default."""
    return _chosen.get() or _last_chosen or choose()


def choose(backend: str = "auto", device: str = "auto") -> Device:
    """Choose backend and device for what this thread computes from now on, and threads that choose nothing.

    `auto` takes a GPU if an installed backend sees one, TensorFlow first, and the CPU otherwise. The environment
    variable KERAS_BACKEND stands for the backend where `backend` is `auto`. Keras keeps its backend: a second call may
    change the device only.

    Args:
        backend: auto, tensorflow, torch or jax.
        device: auto, cpu, gpu, or a name such as gpu:1, cuda:1 or mps.

    Raises:
        OptionError: the backend is not installed, another one is in use, or there is no such device.
    """
    global _last_chosen
    if not isinstance(device, str):
        raise OptionError(f"device: expected auto, cpu or a name such as gpu:1, received {device!r}")
    candidates, device = _candidates(backend), device.lower()
    name = candidates[0]
    if device in ("cpu", "cpu:0"):
        choice = Device(name, "cpu:0")
    else:
        if len(candidates) > 1 and has_gpu_hardware():
            name = next((each for each in candidates if _gpu_index(device) in range(len(gpus(each)))), name)
        choice = Device(name, _device_name(name, device))
    _chosen.set(choice)
    _last_chosen = choice
    return choice


@contextlib.contextmanager
def keras_backend_set() -> Iterator[None]:
    """Set KERAS_BACKEND to the chosen backend while Keras is imported; processes started later choose anew.

    The backend's threads and memory are set before: an operation of Keras starts the backend, which then keeps them.
    """
    before = os.environ.get("KERAS_BACKEND")
    backend = chosen().backend
    os.environ["KERAS_BACKEND"] = backend
    try:
        if backend in _STARTED_BY:
            _STARTED_BY[backend]()
        yield
    finally:
        del os.environ["KERAS_BACKEND"]
        if before is not None:
            os.environ["KERAS_BACKEND"] = before


def _candidates(backend: str) -> Sequence[Backend]:
    known = ", ".join(BACKENDS)
    if backend not in ("auto", *BACKENDS):
        raise OptionError(f"backend: expected one of auto, {known}, received {backend!r}")
    installed, in_use = installed_backends(), _in_use()
    if in_use not in (None, *BACKENDS):
        raise OptionError(f"backend: expected one of {known}; this process uses {in_use} already: start a new process")
    wanted = backend if backend != "auto" else in_use or os.environ.get("KERAS_BACKEND", "")
    if wanted not in ("", *BACKENDS):
        raise OptionError(f"KERAS_BACKEND: expected one of {known}, received {wanted!r}: change it or leave it out")
    if in_use is not None and wanted != in_use:
        raise OptionError(
            f"backend: expected {in_use}, which this process uses already, received {backend}: start a new process"
        )
    if not installed:
        raise OptionError(_HOW_TO_INSTALL)
    if not wanted:
        return installed
    found = [each for each in installed if each == wanted]
    if not found:
        others = ", ".join(installed)
        raise OptionError(f'backend: {wanted} is not installed, found {others}: `pip install "stylize-art[{wanted}]"`')
    return found


def installed_backends() -> list[Backend]:
    """Return the backends that are installed, the preferred one first. Imports nothing."""
    return [each for each in BACKENDS if importlib.util.find_spec(each) is not None]


def runs_saved_models() -> bool:
    """Return whether TensorFlow and TF-Hub are installed. Imports nothing."""
    return all(importlib.util.find_spec(name) is not None for name in ("tensorflow", "tensorflow_hub"))


def _in_use() -> str | None:
    """Return the backend that Keras was imported with, which may be one that is not among `BACKENDS`."""
    keras = sys.modules.get("keras")
    if keras is None or not hasattr(keras, "backend"):
        return None
    name: str = keras.backend.backend()
    return name


def _device_name(backend: Backend, device: str) -> str:
    found = gpus(backend)
    if device == "auto":
        return f"{_gpu_kind(backend)}:0" if found else "cpu:0"
    index = _gpu_index(device)
    if index is None or index >= len(found):
        seen = ", ".join(f"gpu:{index}" for index in range(len(found))) or "no GPU"
        raise OptionError(
            f"device: expected auto, cpu or a GPU that {backend} sees (it sees {seen}), received {device!r}"
        )
    return f"{_gpu_kind(backend)}:{index}"


def _gpu_index(device: str) -> int | None:
    """Return the number of the GPU that a name stands for, such as auto, gpu, cuda:1; None for other names."""
    kind, _, number = device.partition(":")
    if kind not in ("auto", "gpu", "cuda", "mps") or not (number == "" or number.isdecimal()):
        return None
    return int(number or 0)


def _gpu_kind(backend: Backend) -> str:
    return "mps" if backend == "torch" and platform.system() == "Darwin" else "gpu"


def has_gpu_hardware() -> bool:
    """Return whether this machine may have a GPU. The answer is quick; to ask a backend means to import it."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1"):
        return False
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    if platform.system() == "Windows":
        return ctypes.util.find_library("nvcuda") is not None
    return any(Path(path).exists() for path in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg"))


@functools.cache
def gpus(backend: Backend) -> tuple[str, ...]:
    """Return the names of the GPUs that a backend can use. Imports the backend where there may be one."""
    if not has_gpu_hardware():
        return ()
    if backend == "tensorflow":
        tf = tensorflow()
        details = tf.config.experimental.get_device_details
        return tuple(details(each).get("device_name", each.name) for each in tf.config.list_physical_devices("GPU"))
    if backend == "torch":
        import torch

        if torch.cuda.is_available():
            return tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))
        return ("Apple Metal",) if torch.backends.mps.is_available() else ()
    return tuple(each.device_kind for each in jax().devices() if each.platform != "cpu")


def device_label(device: Device) -> str:
    """Return the device for people, such as `NVIDIA H100 by torch` or `the CPU by tensorflow`."""
    return f"{gpus(device.backend)[device.index] if device.is_gpu else 'the CPU'} by {device.backend}"


def free_bytes(device: Device) -> int | None:
    """Return the free memory of a GPU, None if unknown."""
    if device.backend == "torch":
        import torch

        if device.name.startswith("mps"):
            most: int = torch.mps.recommended_max_memory()
            return most - int(torch.mps.current_allocated_memory())
        free: int = torch.cuda.mem_get_info(device.index)[0]
        # What PyTorch keeps for later is free for us.
        return free + int(torch.cuda.memory_reserved(device.index) - torch.cuda.memory_allocated(device.index))
    if device.backend == "jax":
        known = jax().devices()[device.index].memory_stats() or {}
        return known["bytes_limit"] - known["bytes_in_use"] if "bytes_limit" in known else None
    free_by_driver = _free_bytes_by_driver(device.index)
    if free_by_driver is None:
        return None
    # What TensorFlow keeps for later is free for us; at least what it used once and no longer uses.
    used = tensorflow().config.experimental.get_memory_info(f"GPU:{device.index}")
    return free_by_driver + int(used["peak"] - used["current"])


def _free_bytes_by_driver(index: int) -> int | None:
    """Ask NVIDIA's own tool, because TensorFlow tells only what it took itself."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    identifier = visible[index] if index < len(visible) and visible[index] else str(index)
    query = [tool, f"--id={identifier}", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, subprocess.SubprocessError, ValueError):
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
        return int(answer.stdout) * 1024**2
    return None


@functools.lru_cache(maxsize=1)
def tensorflow() -> Any:
    """Import TensorFlow without start-up messages, on the cores that this process may use."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with native_stderr_silenced(), _without_keras():
        import tensorflow as tf
    # A host program that has already used TensorFlow has chosen its own number of threads.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(available_cores())
    # Otherwise TensorFlow takes all memory of a GPU at once.
    if has_gpu_hardware():  # The question for devices prints a line where there are none.
        with contextlib.suppress(RuntimeError, ValueError):
            for gpu in tf.config.list_physical_devices("GPU"):
                tf.config.experimental.set_memory_growth(gpu, True)
    return tf


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """Keep TensorFlow from importing Keras, which would take TensorFlow as its backend before one is chosen.

    TensorFlow looks for the folder of `keras`, and passes over an ImportError.
    """
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras.src"] = None  # type: ignore[assignment]  # An import of this raises ImportError.
    try:
        yield
    finally:
        del sys.modules["keras.src"]


@functools.lru_cache(maxsize=1)
def jax() -> Any:
    """Import JAX without start-up messages."""
    # Otherwise JAX takes three quarters of a GPU's memory at once.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    with native_stderr_silenced():
        import jax as module

        module.devices()
    return module


# By backend, what must be called before its first operation. PyTorch is set up in `stylize.networks.backend`.
_STARTED_BY: dict[Backend, Callable[[], Any]] = {"tensorflow": tensorflow, "jax": jax}

"""The choice of a backend and a device, and what is known of devices."""

from __future__ import annotations

import contextvars
import importlib.util
import os
import platform
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from stylize.errors import OptionError
from stylize.networks import devices
from stylize.networks.devices import Backend, Device


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not imported Keras, without a GPU, in which nothing is chosen yet."""
    monkeypatch.setattr(devices, "_chosen", contextvars.ContextVar("chosen", default=None))
    monkeypatch.setattr(devices, "_last_chosen", None)
    monkeypatch.setattr(devices, "has_gpu_hardware", lambda: False)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "")
    _install(monkeypatch, "tensorflow", "torch", "jax")
    devices.gpus.cache_clear()


def _install(monkeypatch: pytest.MonkeyPatch, *backends: Backend) -> None:
    """Make these backends the installed ones."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in backends else None)


def _give_gpus(monkeypatch: pytest.MonkeyPatch, **names: tuple[str, ...]) -> None:
    """Let backends see GPUs."""
    monkeypatch.setattr(devices, "has_gpu_hardware", lambda: True)
    monkeypatch.setattr(devices, "gpus", lambda backend: names.get(backend, ()))


def _refused(*choice: str) -> str:
    """Return the one line of the error that a choice must raise."""
    with pytest.raises(OptionError) as caught:
        devices.choose(*choice)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_without_a_wish_the_preferred_backend_computes_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_STARTED_BY", {})
    assert devices.choose() == devices.chosen() == Device("tensorflow", "cpu:0")
    with devices.keras_backend_set():
        assert os.environ["KERAS_BACKEND"] == "tensorflow", "for Keras, which is imported then"
    assert os.environ["KERAS_BACKEND"] == "", "for other processes, as before"
    _install(monkeypatch, "torch", "jax")
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert devices.choose() == Device("torch", "cpu:0")


def test_the_environment_chooses_the_backend_unless_an_argument_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert devices.choose().backend == "jax"
    assert devices.choose("torch").backend == "torch"


def test_the_backend_that_keras_uses_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    keras = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "torch"))
    monkeypatch.setitem(sys.modules, "keras", keras)  # type: ignore[arg-type]
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert devices.choose() == devices.choose("torch") == Device("torch", "cpu:0")
    assert _refused("jax") == (
        "backend: expected torch, which this process uses already, received jax: start a new process"
    )


def test_a_backend_that_is_unknown_or_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _refused("numpy") == "backend: expected one of auto, tensorflow, torch, jax, received 'numpy'"
    _install(monkeypatch, "torch")
    assert _refused("jax") == 'backend: jax is not installed, found torch: `pip install "stylize-art[jax]"`'
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert _refused() == 'backend: jax is not installed, found torch: `pip install "stylize-art[jax]"`'


def test_a_backend_of_keras_that_is_not_ours_is_named_by_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "openvino")
    assert _refused() == (
        "KERAS_BACKEND: expected one of tensorflow, torch, jax, received 'openvino': change it or leave it out"
    )
    assert devices.choose("torch").backend == "torch"
    keras = SimpleNamespace(backend=SimpleNamespace(backend=lambda: "numpy"))
    monkeypatch.setitem(sys.modules, "keras", keras)  # type: ignore[arg-type]
    for choice in ("auto", "torch"):
        assert _refused(choice) == (
            "backend: expected one of tensorflow, torch, jax; this process uses numpy already: start a new process"
        )


def test_no_backend_at_all_is_one_line_that_says_how_to_install_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _install(monkeypatch)
    for choice in ("auto", "torch"):
        assert 'pip install "stylize-art[torch]"' in _refused(choice)


@pytest.mark.parametrize("device", ["gpu", "gpu:0", "mps", "cuda:1", "tpu", "gpu:x", "cpu:7", ""])
def test_a_device_that_is_not_there_is_one_line(device: str) -> None:
    assert _refused("torch", device) == (
        f"device: expected auto, cpu or a GPU that torch sees (it sees no GPU), received {device!r}"
    )


def test_a_gpu_is_taken_where_a_backend_sees_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _give_gpus(monkeypatch, torch=("NVIDIA H100", "NVIDIA L4"))
    for device in ("auto", "gpu"):
        assert devices.choose(device=device) == Device("torch", "gpu:0"), "TensorFlow sees none"
    assert devices.choose("tensorflow") == Device("tensorflow", "cpu:0")
    for device in ("gpu:1", "cuda:1", "GPU:1"):
        assert devices.choose(device=device) == Device("torch", "gpu:1"), "TensorFlow sees none"
    for device in ("cpu", "cpu:0", "CPU"):
        assert devices.choose(device=device) == Device("tensorflow", "cpu:0")
    for device in ("gpu:1", "cuda:1", "GPU:1"):
        second = devices.choose("torch", device)
        assert (second, second.is_gpu, second.index) == (Device("torch", "gpu:1"), True, 1)
    assert devices.device_label(second) == "NVIDIA L4 by torch"
    assert devices.device_label(Device("jax", "cpu:0")) == "the CPU by jax"
    assert "(it sees gpu:0, gpu:1)" in _refused("torch", "gpu:2")
    assert second.record == {"backend": "torch", "device": "gpu:1"}


@pytest.mark.slow
def test_to_ask_tensorflow_for_gpus_does_not_choose_the_backend_of_keras() -> None:
    script = (
        "import sys; from stylize.networks import devices; tf = devices.tensorflow(); "
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'keras'], 'Keras is imported'; "
        "assert devices.choose('tensorflow', 'cpu').backend == 'tensorflow'; "
        "from stylize.networks.backend import keras; from tensorflow.keras import layers; import tensorflow_hub; "
        "assert tf.keras.layers.Dense is layers.Dense is keras.layers.Dense"
    )
    environment = {**os.environ, "KERAS_BACKEND": ""}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)


def test_threads_compute_each_on_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    _give_gpus(monkeypatch, torch=("NVIDIA H100", "NVIDIA L4"))
    both_chose, seen = threading.Barrier(2), {}

    def compute(device: str) -> None:
        devices.choose("torch", device)
        both_chose.wait(10)
        seen[device] = devices.chosen().name

    threads = [threading.Thread(target=compute, args=(device,)) for device in ("cpu:0", "gpu:1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"cpu:0": "cpu:0", "gpu:1": "gpu:1"}
    assert devices.chosen().name in seen, "where nothing is chosen, the last choice counts"
    devices.choose("torch", "gpu:0")
    helper = threading.Thread(target=lambda: seen.update(helper=devices.chosen().name))
    helper.start()
    helper.join()
    assert seen["helper"] == "gpu:0"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi is a shell script")
@pytest.mark.parametrize(
    ("script", "free"),
    [
        ('test "$1" = --id=3 && echo 81000', 81000 * 1024**2),
        ("echo no devices were found", None),
        ("exit 9", None),
    ],
)
def test_the_driver_tells_how_much_memory_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, free: int | None
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.free_bytes(Device("tensorflow", "gpu:1")) is None, "there is no nvidia-smi"
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    tool.chmod(0o755)
    # The second of the GPUs that the process may see.
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    # What TensorFlow used once, and no longer uses, is free for us.
    memory = SimpleNamespace(get_memory_info=lambda name: {"GPU:1": {"peak": 700, "current": 200}}[name])
    monkeypatch.setattr(devices, "tensorflow", lambda: SimpleNamespace(config=SimpleNamespace(experimental=memory)))
    assert devices.free_bytes(Device("tensorflow", "gpu:1")) == (None if free is None else free + 500)


_has_gpu_hardware = devices.has_gpu_hardware


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_gpus_are_no_hardware(monkeypatch: pytest.MonkeyPatch, hidden: str) -> None:
    _any_path_exists(monkeypatch)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert not _has_gpu_hardware()
    monkeypatch.setattr(devices, "has_gpu_hardware", _has_gpu_hardware)
    assert devices.gpus("torch") == ()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert _has_gpu_hardware()


def _any_path_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a Linux machine with a GPU."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    exists: Any = lambda self: True  # noqa: E731
    monkeypatch.setattr(Path, "exists", exists)

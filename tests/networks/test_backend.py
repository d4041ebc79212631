"""What Keras lacks on its backends."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest

from samples import refused_allocation
from stylize.networks import backend, devices
from stylize.networks.backend import (
    array_of,
    framework,
    is_out_of_memory,
    numpy_of,
    ops,
    spec,
)
from stylize.networks.devices import Device


@pytest.mark.skipif(devices.chosen().backend != "tensorflow", reason="PyTorch and JAX count their threads elsewhere")
def test_tensorflow_computes_on_the_cores_that_the_process_may_use() -> None:
    """An operation of Keras starts TensorFlow, which then keeps its number of threads."""
    script = (
        "from stylize.networks import backend, devices\n"
        "print(devices.tensorflow().config.threading.get_intra_op_parallelism_threads())"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "3"}
    told = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "3\n"


CPU = Device(devices.chosen().backend, "cpu:0")


@pytest.mark.parametrize("size", [(1, 1), (4, 6), (5, 7), (16, 9)])
def test_the_spectrum_is_orthonormal_and_can_be_turned_back(size: tuple[int, int]) -> None:
    planes = np.random.default_rng(0).random((3, *size), np.float32)
    real, imaginary = framework.spectrum(array_of(planes))
    expected = np.fft.rfft2(planes, norm="ortho")
    np.testing.assert_allclose(numpy_of(real) + 1j * numpy_of(imaginary), expected, atol=1e-5)
    np.testing.assert_allclose(numpy_of(framework.from_spectrum(real, imaginary, size[1])), planes, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 3), (6, 7)])
def test_an_edge_counts_as_often_as_it_is_repeated(size: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    picture, kernel = (random.normal(size=shape).astype(np.float32) for shape in ((1, *size, 2), (3, 3, 2, 4)))
    upstream = random.normal(size=(1, *size, 4)).astype(np.float32)

    def weighted(x: Any) -> tuple[Any, Any]:
        convolved = framework.convolved(x, array_of(kernel), array_of(np.zeros(4)), "edge")
        return ops.sum(convolved * array_of(upstream)), convolved

    _, convolved, gradient = framework.value_and_gradient(weighted)(array_of(picture))
    edged = np.pad(picture, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
    windows = np.lib.stride_tricks.sliding_window_view(edged, (3, 3), (1, 2))
    np.testing.assert_allclose(numpy_of(convolved), np.einsum("nhwcij,ijcd->nhwd", windows, kernel), atol=1e-5)
    rows, columns = (np.clip(np.arange(-1, side + 1), 0, side - 1) for side in size)
    of_edged = np.zeros_like(edged)
    for i, j in np.ndindex(3, 3):
        of_edged[:, i : i + size[0], j : j + size[1]] += upstream @ kernel[i, j].T
    expected = np.zeros_like(picture)
    np.add.at(expected, (0, rows[:, None], columns), of_edged[0])
    np.testing.assert_allclose(numpy_of(gradient), expected, atol=1e-4)


def test_one_row_is_replaced() -> None:
    rows = framework.set_row(ops.zeros((4, 3)), 2, array_of([[1.0, 2.0, 3.0]]))
    rows = framework.set_row(rows, 0, array_of([[4.0, 5.0, 6.0]]))
    np.testing.assert_array_equal(numpy_of(rows), [[4, 5, 6], [0, 0, 0], [1, 2, 3], [0, 0, 0]])
    np.testing.assert_array_equal(numpy_of(framework.used_rows(rows, 3))[:3], [[4, 5, 6], [0, 0, 0], [1, 2, 3]])


def test_windows_are_added_where_they_lie() -> None:
    random = np.random.default_rng(0)
    expected, canvas = np.zeros((9, 11, 3), np.float32), ops.zeros((9, 11, 3))
    for top, left, height, width in ((0, 0, 9, 11), (2, 3, 4, 5), (6, 0, 3, 11), (0, 8, 9, 3), (8, 10, 1, 1)):
        window = random.random((height, width, 3), np.float32)
        expected[top : top + height, left : left + width] += window
        canvas = framework.add_window(canvas, array_of(window), top, left)
    np.testing.assert_allclose(numpy_of(canvas), expected, rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_the_gradient_has_the_structure_of_the_argument(compiled: bool) -> None:
    def function(x: Any, factor: Any) -> tuple[Any, Any]:
        first, (second,) = x["first"], x["rest"]
        return factor * ops.sum(first**2) + ops.sum(second), {"sum": ops.sum(first)}

    both = framework.value_and_gradient(function)
    if compiled:
        both = framework.compiled(both, [{"first": spec(None), "rest": [spec(None, None)]}, spec()])
    x = {"first": array_of([1.0, 2.0]), "rest": [array_of([[3.0]])]}
    value, rest, gradient = both(x, array_of(5.0))
    assert (float(value), float(rest["sum"])) == (5 * 5 + 3, 3)
    np.testing.assert_array_equal(numpy_of(gradient["first"]), [10, 20])
    np.testing.assert_array_equal(numpy_of(gradient["rest"][0]), [[1]])


def test_a_graph_that_nobody_uses_is_freed_with_its_weights(tensorflow: Any) -> None:
    graphs: list[weakref.ref[Any]] = []

    def paint() -> None:
        kernel, bias = array_of(np.ones((3, 3, 2, 4))), array_of(np.zeros(4))

        def total(x: Any) -> tuple[Any, Any]:
            convolved = framework.convolved(x, kernel, bias, "edge")
            graphs.append(weakref.ref(convolved.graph))
            return ops.sum(convolved), convolved

        step = framework.compiled(framework.value_and_gradient(total), [spec(1, None, None, 2)])
        step(array_of(np.ones((1, 5, 6, 2))))
        assert graphs[-1]() is not None

    paint()
    gc.collect()
    assert [graph() for graph in graphs] == [None]


def test_integers_are_known_where_a_function_is_compiled() -> None:
    function = framework.compiled(lambda x, edges: x[edges[0] : edges[1]], [spec(None), (spec(dtype="int32"),) * 2])
    for start, stop in ((1, 3), (0, 4), (2, 2)):
        np.testing.assert_array_equal(numpy_of(function(array_of([0, 1, 2, 3]), (start, stop))), range(start, stop))


def test_float32_is_never_rounded_to_tf32() -> None:
    """JAX is asked for the highest precision in each program instead."""
    if CPU.backend == "tensorflow":
        assert not devices.tensorflow().config.experimental.tensor_float_32_execution_enabled()
    elif CPU.backend == "torch":
        torch = pytest.importorskip("torch")
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.allow_tf32
    else:
        pytest.skip(f"the backend is {CPU.backend}")


@pytest.mark.slow  # TensorFlow waits ten seconds for memory.
def test_memory_that_is_refused_is_told_from_other_errors() -> None:
    refused = refused_allocation()
    assert is_out_of_memory(refused), refused
    assert is_out_of_memory(MemoryError())
    with pytest.raises(Exception) as mistaken:
        numpy_of(ops.matmul(ops.ones((2, 3)), ops.ones((2, 3))))
    assert not is_out_of_memory(mistaken.value), mistaken.value
    assert not is_out_of_memory(ValueError("allocation"))


@pytest.mark.parametrize(
    "message",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "MPS backend out of memory (MPS allocated: 9.05 GB, other allocations: 1.20 KB, max allowed: 9.07 GB)",
    ],
)
def test_pytorch_refuses_memory_on_gpus_in_these_words(message: str) -> None:
    if CPU.backend != "torch":
        pytest.skip(f"the backend is {CPU.backend}")
    assert is_out_of_memory(RuntimeError(message))


def test_jax_keeps_no_more_programs_than_a_process_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each program has memory mappings of its own, of which Linux gives a process 65530."""
    if CPU.backend != "jax":
        pytest.skip(f"the backend is {CPU.backend}")
    cleared: list[int] = []
    monkeypatch.setattr(backend, "_MOST_PROGRAMS", 5)
    monkeypatch.setattr(devices.jax(), "clear_caches", lambda: cleared.append(1))
    doubled = framework.compiled(lambda x: 2 * x, [spec(None)])
    for size in range(100, 120):
        doubled(ops.ones(size))
    assert 2 <= len(cleared) <= 20

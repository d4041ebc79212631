"""What Keras lacks on its backends TensorFlow, PyTorch and JAX: value and gradient, compilation, writing in place.

Everything else of the optimisation is written once, on `keras.ops`. `stylize.networks.devices` chooses the backend
before this module imports Keras.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stylize.machine import available_cores
from stylize.native_stderr import native_stderr_silenced
from stylize.networks import devices
from stylize.networks.devices import Device

with devices.keras_backend_set(), native_stderr_silenced():
    import keras
    from keras import ops

    ops.zeros(())  # The first operation looks for devices, and prints lines where there are none.

__all__ = [
    "Array",
    "Padding",
    "array_of",
    "framework",
    "is_out_of_memory",
    "keras",
    "numpy_of",
    "on",
    "ops",
    "spec",
]

#: What lies beyond the border of a picture: zeros, or its border pixels again.
Padding = Literal["zeros", "edge"]
# The same in the words of the backends. An edge is added before the convolution.
_PADDINGS = {"zeros": "SAME", "edge": "VALID"}
#: An array of the backend.
Array = Any


class Framework(Protocol):
    """What a backend of Keras does beside `keras.ops`. Pictures are (1, H, W, C), planes (..., H, W)."""

    def compiled(self, function: Callable[..., Any], signature: Any = None) -> Callable[..., Any]:
        """Return a function of arrays, compiled. It has no gradient: compile the result of `value_and_gradient`.

        Args:
            function: of nested arrays, written on `keras.ops`.
            signature: a `spec` for each array. TensorFlow makes one graph for all sizes. JAX compiles once for each
                size, and for each value of an argument whose specs are int32. PyTorch runs the function as it is.
                Without a signature, all compile once for each size.
        """

    def value_and_gradient(self, function: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any, Any]]:
        """Return a function of the same arguments that returns value, rest and gradient.

        Args:
            function: returns a scalar and anything else. The gradient is that of the scalar with respect to the first
                argument, nested arrays.
        """

    def convolved(self, picture: Any, kernel: Any, bias: Any, padding: Padding) -> Any:
        """Return the convolution of a picture with a kernel (3, 3, in, out), as large, and the bias (out,) added."""

    def spectrum(self, planes: Any) -> tuple[Any, Any]:
        """Return real and imaginary part of the orthonormal transform of real planes: (..., H, W // 2 + 1) each."""

    def from_spectrum(self, real: Any, imaginary: Any, width: int) -> Any:
        """Return the planes of a `spectrum`, (..., H, width)."""

    def argmax(self, rows: Any) -> Any:
        """Return the index of the largest number of each row of (n, m): (n,). `ops.argmax` makes three copies."""

    def set_row(self, rows: Any, index: int, row: Any) -> Any:
        """Return `rows` (n, ...) with `row` (1, ...) at an index. Written in place: do not use `rows` again."""

    def used_rows(self, rows: Any, count: int) -> Any:
        """Return at least the first `count` rows; where a new size would be compiled anew, all."""

    def add_window(self, canvas: Any, window: Any, top: int, left: int) -> Any:
        """Return `canvas` (H, W, C) with `window` (h, w, C) added there. `canvas` is written in place."""

    def is_out_of_memory(self, error: Exception) -> bool:
        """Return whether an exception tells that an allocation was refused."""


class _TensorFlow:
    def __init__(self) -> None:
        self._tf = devices.tensorflow()
        # TF32 keeps 10 bits of 23. Whoever asks for float32 gets float32; bfloat16 is the faster choice.
        self._tf.config.experimental.enable_tensor_float_32_execution(False)
        self._edged = self._tf.custom_gradient(self._edged_and_gradient)
        registry = getattr(importlib.import_module("tensorflow.python.framework.ops"), "gradient_registry", None)
        self._named_gradients: dict[str, Any] = getattr(registry, "_registry", {})

    def compiled(self, function: Callable[..., Any], signature: Any = None) -> Callable[..., Any]:
        # `wraps`, because TensorFlow counts graphs by the code of the function, and warns of many.
        @functools.wraps(function)
        def traced(*arguments: Any) -> Any:
            try:
                return function(*arguments)
            finally:
                self._forget_named_gradients()

        if signature is None:
            unbound: Callable[..., Any] = self._tf.function(traced, autograph=False)
            return unbound
        specifications = keras.tree.map_structure(lambda each: self._tf.TensorSpec(each.shape, each.dtype), signature)
        graph: Callable[..., Any] = self._tf.function(traced, input_signature=specifications, autograph=False)
        constants = _integers(signature)
        if not constants:
            return graph

        def with_tensors(*arguments: Any) -> Any:
            # Numbers of Python would be constants of the graph, and each new one would make a new graph.
            return graph(
                *(
                    keras.tree.map_structure(self._tf.constant, argument) if index in constants else argument
                    for index, argument in enumerate(arguments)
                )
            )

        return with_tensors

    def _forget_named_gradients(self) -> None:
        """Remove the names of the custom gradients of the graph that is being made.

        TensorFlow gives each use of a custom gradient a name, for good, and the name holds the graph with its weights,
        which are constants. Our graphs hold their gradients when they are made: nobody looks the names up again.
        """
        for operation in self._tf.compat.v1.get_default_graph().get_operations():
            if operation.type == "IdentityN" and "_gradient_op_type" in operation.node_def.attr:
                self._named_gradients.pop(operation.get_attr("_gradient_op_type").decode(), None)

    def value_and_gradient(self, function: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any, Any]]:
        @functools.wraps(function)
        def both(x: Any, *others: Any) -> tuple[Any, Any, Any]:
            with self._tf.GradientTape() as tape:
                tape.watch(x)
                value, rest = function(x, *others)
            return value, rest, tape.gradient(value, x)

        return both

    def convolved(self, picture: Any, kernel: Any, bias: Any, padding: Padding) -> Any:
        if padding == "edge":
            picture = self._edged(picture)
        # BiasAdd, and not an addition: TensorFlow computes the two as one, and the gradient takes fewer operations.
        return self._tf.nn.bias_add(self._tf.nn.conv2d(picture, kernel, 1, _PADDINGS[padding]), bias)

    def _edged_and_gradient(self, picture: Any) -> tuple[Any, Callable[[Any], Any]]:
        # `tf.pad` does the same, in twice the time and more; its gradient is quick.
        rows = self._tf.concat([picture[:, :1], picture, picture[:, -1:]], 1)
        edged = self._tf.concat([rows[:, :, :1], rows, rows[:, :, -1:]], 2)
        sides = ((0, 0), (1, 1), (1, 1), (0, 0))
        return edged, lambda slope: self._tf.raw_ops.MirrorPadGrad(input=slope, paddings=sides, mode="SYMMETRIC")

    def spectrum(self, planes: Any) -> tuple[Any, Any]:
        transformed = self._tf.signal.rfft2d(planes)
        scale = self._scale(planes)
        return scale * self._tf.math.real(transformed), scale * self._tf.math.imag(transformed)

    def from_spectrum(self, real: Any, imaginary: Any, width: int) -> Any:
        height = self._tf.shape(real)[-2]
        planes = self._tf.signal.irfft2d(self._tf.complex(real, imaginary), self._tf.stack([height, width]))
        return planes / self._scale(planes)

    def _scale(self, planes: Any) -> Any:
        return self._tf.math.rsqrt(self._tf.cast(self._tf.reduce_prod(self._tf.shape(planes)[-2:]), "float32"))

    def argmax(self, rows: Any) -> Any:
        return self._tf.argmax(rows, 1, "int32")

    def set_row(self, rows: Any, index: int, row: Any) -> Any:
        return self._tf.raw_ops.InplaceUpdate(x=rows, i=[index], v=row)

    def used_rows(self, rows: Any, count: int) -> Any:
        return rows[:count]  # not a copy

    def add_window(self, canvas: Any, window: Any, top: int, left: int) -> Any:
        right = canvas.shape[1] - left - window.shape[1]
        whole_rows = self._tf.pad(window, [[0, 0], [left, right], [0, 0]])
        return self._tf.raw_ops.InplaceAdd(x=canvas, i=range(top, top + window.shape[0]), v=whole_rows)

    def is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, self._tf.errors.ResourceExhaustedError)


class _Torch:
    def __init__(self) -> None:
        import torch

        self._torch = torch
        # Only by OMP_NUM_THREADS and the affinity, as for the other backends.
        torch.set_num_threads(available_cores())
        # As for TensorFlow.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False

    def compiled(self, function: Callable[..., Any], signature: Any = None) -> Callable[..., Any]:
        def without_graph(*arguments: Any) -> Any:
            with self._torch.no_grad():
                return function(*arguments)

        return without_graph

    def value_and_gradient(self, function: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any, Any]]:
        def both(x: Any, *others: Any) -> tuple[Any, Any, Any]:
            with self._torch.enable_grad():
                x = keras.tree.map_structure(lambda each: each.detach().requires_grad_(), x)
                value, rest = function(x, *others)
                flat = keras.tree.flatten(x)
                slopes = self._torch.autograd.grad(value, flat)
            value, rest = keras.tree.map_structure(lambda each: each.detach(), (value, rest))
            return value, rest, keras.tree.pack_sequence_as(x, slopes)

        return both

    def convolved(self, picture: Any, kernel: Any, bias: Any, padding: Padding) -> Any:
        # Views: the memory stays channels-last, which PyTorch knows.
        planes, kernels = picture.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1)
        if padding == "edge":
            planes = self._torch.nn.functional.pad(planes, (1, 1, 1, 1), mode="replicate")
        convolved = self._torch.nn.functional.conv2d(planes, kernels, bias, padding=_PADDINGS[padding].lower())
        return convolved.permute(0, 2, 3, 1)

    def spectrum(self, planes: Any) -> tuple[Any, Any]:
        transformed = self._torch.fft.rfft2(planes, norm="ortho")
        return transformed.real, transformed.imag

    def from_spectrum(self, real: Any, imaginary: Any, width: int) -> Any:
        transformed = self._torch.complex(real, imaginary)
        return self._torch.fft.irfft2(transformed, (real.shape[-2], width), norm="ortho")

    def argmax(self, rows: Any) -> Any:
        return self._torch.argmax(rows, 1)

    def set_row(self, rows: Any, index: int, row: Any) -> Any:
        rows[index] = row[0]
        return rows

    def used_rows(self, rows: Any, count: int) -> Any:
        return rows[:count]

    def add_window(self, canvas: Any, window: Any, top: int, left: int) -> Any:
        canvas[top : top + window.shape[0], left : left + window.shape[1]] += window
        return canvas

    def is_out_of_memory(self, error: Exception) -> bool:
        if isinstance(error, self._torch.cuda.OutOfMemoryError):
            return True
        # On the CPU, under Metal and where cuBLAS or cuDNN allocate, PyTorch raises a plain RuntimeError.
        refusals = ("not enough memory", "out of memory", "can't allocate memory", "_STATUS_ALLOC_FAILED")
        return isinstance(error, RuntimeError) and any(words in str(error) for words in refusals)


# A program of JAX on the CPU takes some ten memory mappings, a large one hundreds, of 65530 that Linux gives a process.
# XLA crashes where none is left: after some fifty sizes of pictures in one process.
_MOST_PROGRAMS = 1000


class _Jax:
    def __init__(self) -> None:
        self._jax = devices.jax()
        self._programs = 0
        self._jax.monitoring.register_event_duration_secs_listener(self._count_program)
        self._set = self._jax.jit(lambda rows, index, row: rows.at[index].set(row[0]), donate_argnums=0)
        self._add = self._jax.jit(self._added, donate_argnums=0)

    def compiled(self, function: Callable[..., Any], signature: Any = None) -> Callable[..., Any]:
        def exactly(*arguments: Any) -> Any:
            with self._exact():
                return function(*arguments)

        compiled = self._jax.jit(exactly, static_argnums=_integers(signature))

        def within_limits(*arguments: Any) -> Any:
            if self._programs > _MOST_PROGRAMS:
                self._jax.clear_caches()
                self._programs = 0
            return compiled(*arguments)

        return within_limits

    def _exact(self) -> AbstractContextManager[None]:
        # By default, products of float32 on a GPU are rounded to TF32, which keeps 10 bits of 23.
        exact: AbstractContextManager[None] = self._jax.default_matmul_precision("highest")
        return exact

    def _count_program(self, event: str, seconds: float, **details: Any) -> None:
        self._programs += event == "/jax/core/compile/backend_compile_duration"

    def value_and_gradient(self, function: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any, Any]]:
        differentiated = self._jax.value_and_grad(function, has_aux=True)

        def both(*arguments: Any) -> tuple[Any, Any, Any]:
            with self._exact():
                (value, rest), gradient = differentiated(*arguments)
            return value, rest, gradient

        return both

    def convolved(self, picture: Any, kernel: Any, bias: Any, padding: Padding) -> Any:
        layout = ("NHWC", "HWIO", "NHWC")
        convolve = self._jax.lax.conv_general_dilated
        if padding == "edge":
            picture = self._jax.numpy.pad(picture, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
        return convolve(picture, kernel, (1, 1), _PADDINGS[padding], dimension_numbers=layout) + bias

    def spectrum(self, planes: Any) -> tuple[Any, Any]:
        transformed = self._jax.numpy.fft.rfft2(planes, norm="ortho")
        return transformed.real, transformed.imag

    def from_spectrum(self, real: Any, imaginary: Any, width: int) -> Any:
        transformed = self._jax.lax.complex(real, imaginary)
        return self._jax.numpy.fft.irfft2(transformed, (real.shape[-2], width), norm="ortho")

    def argmax(self, rows: Any) -> Any:
        return self._jax.numpy.argmax(rows, 1)

    def set_row(self, rows: Any, index: int, row: Any) -> Any:
        return self._set(rows, index, row)

    def used_rows(self, rows: Any, count: int) -> Any:
        return rows

    def add_window(self, canvas: Any, window: Any, top: int, left: int) -> Any:
        return self._add(canvas, window, top, left)

    def _added(self, canvas: Any, window: Any, top: Any, left: Any) -> Any:
        sliced = self._jax.lax.dynamic_slice(canvas, (top, left, 0), window.shape)
        return self._jax.lax.dynamic_update_slice(canvas, sliced + window, (top, left, 0))

    def is_out_of_memory(self, error: Exception) -> bool:
        return isinstance(error, self._jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def _integers(signature: Any) -> list[int]:
    """Return the places of the arguments that are integers."""
    types = [{each.dtype for each in keras.tree.flatten(argument)} for argument in signature or ()]
    return [index for index, dtypes in enumerate(types) if dtypes == {"int32"}]


_FRAMEWORKS: dict[str, Callable[[], Framework]] = {"tensorflow": _TensorFlow, "torch": _Torch, "jax": _Jax}
#: What the backend of this process does beside `keras.ops`.
framework: Framework = _FRAMEWORKS[keras.backend.backend()]()


def on(device: Device) -> AbstractContextManager[None]:
    """Return a context in which new arrays lie on a device."""
    context: AbstractContextManager[None] = keras.device(device.name)
    return context


def array_of(numbers: Any) -> Array:
    """Return numbers as a float32 array on the device."""
    return ops.convert_to_tensor(numbers, "float32")


def numpy_of(array: Array) -> NDArray[np.float32]:
    """Return an array as NumPy's, on the host. May be a view: copy the array to change it."""
    copied: NDArray[np.float32] = ops.convert_to_numpy(array)
    return copied


def spec(*shape: int | None, dtype: str = "float32") -> Any:
    """Return what stands for an array in the signature of `Framework.compiled`; None is any size."""
    return keras.KerasTensor(shape, dtype)


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an exception tells that the system or the device refused memory."""
    return isinstance(error, MemoryError) or framework.is_out_of_memory(error)

"""VGG-19's weights as Keras publishes them: an HDF5 file in Keras' legacy layout, without the classifier."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import WeightsError
from stylize.layers import VGG19_LAYERS

__all__ = ["check", "read", "shapes"]

_BLOCK_CHANNELS = (64, 128, 256, 512, 512)


def shapes() -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return the shapes of kernel and bias of each convolution by its name in Keras (`block4_conv2`), in order."""
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    channels = 3
    for layer in VGG19_LAYERS:
        width = _BLOCK_CHANNELS[int(layer[len("relu")]) - 1]
        shapes[_keras_name(layer)] = (3, 3, channels, width), (width,)
        channels = width
    return shapes


def read(path: Path) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return the kernel (3, 3, in, out) and the bias (out,) of each convolution by the paper's name (`conv4_2`).

    The first kernel expects Caffe's pixels: BGR, from 0 to 255, minus the mean.

    Raises:
        WeightsError: The file can't be read.
    """
    # keras.applications would build its network first, which takes twice as long.
    import h5py  # type: ignore[import-untyped]

    convolutions = {}
    try:
        with h5py.File(path, "r") as file:
            root = _root(file)
            for name in VGG19_LAYERS:
                layer = root[_keras_name(name)]
                kernel, bias = (np.asarray(layer[weight], np.float32) for weight in layer.attrs["weight_names"])
                convolutions[name.replace("relu", "conv")] = (kernel, bias)
    except (OSError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"vgg19: expected Keras' weights without the classifier, received {path.name}, which can't be read "
            f"({str(error).splitlines()[0]}): run `stylize models verify vgg19`"
        ) from error
    return convolutions


def check(path: Path) -> None:
    """Check that a file holds VGG-19 without the classifier: each layer, each shape, and finite numbers.

    Raises:
        WeightsError: The file holds something else.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            _check_layers(_layers(_root(file)))
    except (OSError, LookupError, AttributeError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(f"not a readable HDF5 file ({error})") from error


def _keras_name(layer: str) -> str:
    """`relu4_2` to `block4_conv2`."""
    block, index = layer.removeprefix("relu").split("_")
    return f"block{block}_conv{index}"


def _root(file: Any) -> Any:
    """Return the group of the layers: files of whole models hold them one level deeper."""
    return file.get("model_weights", file)


def _layers(root: Any) -> dict[str, list[Any]]:
    """Return the HDF5 datasets of each layer that has weights, in the file's order."""
    if "layer_names" not in root.attrs:
        raise WeightsError("not a weights file in Keras' legacy HDF5 layout (it has no layer_names)")
    layers = {}
    for layer in map(os.fsdecode, root.attrs["layer_names"]):
        if names := [os.fsdecode(name) for name in root[layer].attrs["weight_names"]]:
            layers[layer] = [root[layer][name] for name in names]
    return layers


def _check_layers(layers: dict[str, list[Any]]) -> None:
    expected = shapes()
    for layer, expected_shapes in expected.items():
        if layer not in layers:
            raise WeightsError(f"not VGG-19: {layer} is missing")
        found = tuple(weight.shape for weight in layers[layer])
        if found != expected_shapes:
            raise WeightsError(f"not VGG-19: {layer} has kernel and bias {found}, expected {expected_shapes}")
        if not all(np.isfinite(weight[()]).all() for weight in layers[layer]):
            raise WeightsError(f"{layer} holds values that are not finite")
    if list(layers) != list(expected):  # Keras assigns weights to layers by their position.
        raise WeightsError(f"expected only VGG-19's convolutions, in order, received {', '.join(layers)}")

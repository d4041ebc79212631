"""What both trainings share: the convolution layer, VGG-19, its slim copy, and statistics of activations."""

import json
from pathlib import Path

import keras
import numpy as np
from config import CONVOLUTIONS, TAPS
from keras import ops
from safetensors.numpy import load_file

INPUT_MEAN, INPUT_STD = 0.45, 0.25
VGG19_WIDTHS = (64, 128, 256, 512, 512)
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


class Convolution(keras.layers.Layer):
    """3x3 convolution. The kernel is a matrix (9 * in, out), because the optimizer Muon takes matrices only."""

    def __init__(
        self,
        channels: int,
        strides: int = 1,
        edges: bool = False,
        initializer: str = "he_normal",
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.channels, self.strides, self.edges = channels, strides, edges
        self.initializer = initializer

    def build(self, shape) -> None:
        self.kernel_shape = (3, 3, shape[-1], self.channels)
        self.kernel = self.add_weight(shape=(9 * shape[-1], self.channels), initializer=self.initializer, name="kernel")
        self.bias = self.add_weight(shape=(self.channels,), initializer="zeros", name="bias")

    def call(self, images):
        padding = "same"
        if self.edges:  # repeat the edges: zeros would give a dark frame
            images, padding = repeat_edges(images), "valid"
        kernel = ops.reshape(self.kernel, self.kernel_shape)
        return ops.conv(images, kernel, self.strides, padding) + self.bias


class VggEncoder(keras.Model):
    """The layers of VGG-19 up to `last`, with any numbers of channels: RGB in [0, 1] to the activations of TAPS."""

    def __init__(self, widths: tuple[int, ...], last: str = "conv5_1", dtype: str = "float32", **kwargs) -> None:
        super().__init__(**kwargs)  # in float32, so that pictures are not rounded; activations may be
        self.convolutions = [
            Convolution(width, edges=name == "conv1_1", name=name, dtype=dtype)
            for names, width in zip(CONVOLUTIONS, widths, strict=True)
            for name in names
            if name <= last
        ]

    def normalize(self, images):
        return (images - INPUT_MEAN) / INPUT_STD

    def call(self, images):
        taps = []
        x = self.normalize(images)
        for layer in self.convolutions:
            if layer.name.endswith("_1") and layer.name != "conv1_1":
                x = ops.max_pool(x, 2, 2, "valid")
            x = ops.relu(layer(x))
            if layer.name.replace("conv", "relu") in TAPS:
                taps.append(x)
        return taps


class Vgg19(VggEncoder):
    """The teacher: VGG-19 with ImageNet weights, see `vgg19_tensors`."""

    def __init__(self, weights: Path, dtype: str = "mixed_bfloat16") -> None:
        super().__init__(VGG19_WIDTHS, dtype=dtype)
        self(symbolic_picture())
        tensors = vgg19_tensors(weights)
        for layer in self.convolutions:
            kernel, bias = tensors[f"{layer.name}/kernel"], tensors[f"{layer.name}/bias"]
            layer.set_weights([kernel.reshape(-1, kernel.shape[-1]), bias])
        self.trainable = False

    def normalize(self, images):
        return ops.flip(images, -1) * 255.0 - ops.convert_to_tensor(CAFFE_MEAN_BGR, images.dtype)


def vgg19_tensors(weights: Path) -> dict[str, np.ndarray]:
    """Read `conv1_1/kernel` (3, 3, in, out), `conv1_1/bias` and so on up to conv5_1 from Keras' file or a pack."""
    if weights.suffix == ".safetensors":
        return load_file(weights)
    source = keras.applications.VGG19(include_top=False, weights=str(weights), input_shape=(None, None, 3))
    tensors = {}
    for name in (name for block in CONVOLUTIONS for name in block):
        kernel, bias = source.get_layer(f"block{name[4]}_conv{name[-1]}").get_weights()
        tensors[f"{name}/kernel"], tensors[f"{name}/bias"] = kernel, bias
    return tensors


class Slim(VggEncoder):
    """An exported vgg19-slim without its lifts. Its first convolution includes the normalisation of the input."""

    def __init__(self, weights: Path, last: str = "conv5_1", dtype: str = "mixed_bfloat16") -> None:
        tensors = {name: value.astype(np.float32) for name, value in load_file(weights).items()}
        widths = tuple(tensors[f"{names[0]}/bias"].size for names in CONVOLUTIONS)
        super().__init__(widths, last, dtype)
        self(symbolic_picture())
        for layer in self.convolutions:
            kernel, bias = tensors[f"{layer.name}/kernel"], tensors[f"{layer.name}/bias"]
            layer.set_weights([kernel.reshape(-1, kernel.shape[-1]), bias])

    def normalize(self, images):
        return images


def symbolic_picture():
    """Return a symbolic picture (1, 64, 64, 3). It builds a network without running any operation."""
    return keras.KerasTensor((1, 64, 64, 3))


def save_weights(model: keras.Model, path: Path) -> None:
    """Write `x.weights.h5` under another name, then rename the file. An interrupted run keeps the last checkpoint."""
    written = path.with_name(f"new-{path.name}")
    model.save_weights(written)
    written.replace(path)


def write_json(path: Path, content: dict) -> None:
    """Write under another name, then rename the file."""
    written = path.with_name(f"new-{path.name}")
    written.write_text(json.dumps(content))
    written.replace(path)


def repeat_edges(images):
    """Pad (N, H, W, C) to (N, H + 2, W + 2, C). LiteRT's symmetric padding takes longer than a convolution."""
    images = ops.concatenate([images[:, :1], images, images[:, -1:]], 1)
    return ops.concatenate([images[:, :, :1], images, images[:, :, -1:]], 2)


def per_pixel(images, matrix):
    """Multiply each pixel (N, H, W, C) by a matrix (C, D).

    This is a convolution, because after the reshaping for a matrix product, LiteRT would not know the later shapes.
    """
    return ops.conv(images, ops.cast(matrix, images.dtype)[None, None])


def positions(activation):
    """Reshape (N, H, W, C) to (N, H * W, C) in float32."""
    shape = ops.shape(activation)
    return ops.cast(ops.reshape(activation, (shape[0], -1, shape[3])), "float32")


def mean_and_covariance(flat):
    """Return the mean (N, C) and the covariance (N, C, C) of each picture's activations (N, P, C)."""
    mean = ops.mean(flat, axis=1)
    second = ops.matmul(ops.transpose(flat, (0, 2, 1)), flat) / ops.cast(ops.shape(flat)[1], flat.dtype)
    return mean, second - mean[:, :, None] * mean[:, None, :]


def relative_error(ours, target, axes):
    """Return |ours - target|^2 / |target|^2, summed over axes."""
    return ops.sum(ops.square(ours - target), axes) / ops.sum(ops.square(target), axes)

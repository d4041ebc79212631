"""VGG feature encoders: VGG-19 itself (Simonyan and Zisserman, arXiv 1409.1556) and our narrow stand-in.

One class serves both: they differ in their kernels, in how pixels are normalised, in what lies beyond the border, and
in the stand-in's lifts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stylize.config import VGG19_LAYERS, LayerWeights
from stylize.errors import WeightsError
from stylize.networks.backend import faster_precision, tf
from stylize.networks.store import LocalWeights

__all__ = ["EncoderWeights", "FeatureEncoder", "content_layers_under", "load_encoder_weights"]

# By eye: under the total variation that VGG-19 needs against its noise, the stand-in loses fine strokes.
_SLIM_GRAIN = 0.5
# Three tenths of what VGG-19 sees at relu4_2 are lost on the stand-in, and meeting the rest alone smears. What it sees
# at shallow layers holds edges and faces at little weight (models/vgg19_slim.md).
_STAND_INS: Mapping[str, Mapping[str, LayerWeights]] = {
    "vgg19-slim": {"relu4_2": (("relu2_1", 0.12), ("relu3_1", 0.12), ("relu4_2", 0.45))}
}
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class EncoderWeights:
    """Kernels (3, 3, in, out) and biases (out,) by the paper's convolution name (`conv4_2`), for RGB in [0, 1]."""

    convolutions: Mapping[str, tuple[np.ndarray, np.ndarray]]
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Pixels are multiplied by `scale` and shifted by `offset`, channel by channel, before the first convolution."""
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    edge_padding: bool = False
    """Whether the first convolution was trained on pictures whose border is repeated, and knows no other."""
    grain: float = 1.0
    """How much of a style's fine grain these features ask for, beside VGG-19: smoothing is to be scaled by it."""
    lifts: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Per layer (`relu4_1`) a matrix (channels, channels) that takes the activation into its teacher's geometry."""


def content_layers_under(network: str, layers: LayerWeights) -> LayerWeights:
    """Return the layers of a feature network of the registry that hold a scene as VGG-19's `layers` do, and weights.

    For losses relative to their targets, as weights then mean the same at all layers.
    """
    weights: dict[str, float] = {}
    for name, weight in layers:
        for layer, share in _STAND_INS.get(network, {}).get(name, ((name, 1.0),)):
            weights[layer] = weights.get(layer, 0.0) + weight * share
    return tuple(weights.items())


def load_encoder_weights(weights: LocalWeights) -> EncoderWeights:
    """Read a feature network of the registry from its verified files. Raises WeightsError for a damaged file."""
    if weights.name == "vgg19":
        return _vgg19(weights.files[0])
    return _safetensors(weights.files[0])


def _vgg19(path: Path) -> EncoderWeights:
    # Not by keras.applications, which builds its network first and takes twice as long.
    import h5py  # type: ignore[import-untyped]

    convolutions = {}
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            for name in (layer.replace("relu", "conv") for layer in VGG19_LAYERS):
                block, index = name.removeprefix("conv").split("_")
                layer = root[f"block{block}_conv{index}"]
                kernel, bias = (np.asarray(layer[weight], np.float32) for weight in layer.attrs["weight_names"])
                convolutions[name] = (kernel, bias)
    except (OSError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"vgg19: expected Keras' weights without the classifier, received {path.name}, which can't be read "
            f"({str(error).splitlines()[0]}): run `stylize models verify vgg19`"
        ) from error
    # Caffe's convention (BGR, 0 to 255, mean-subtracted), turned round so that everything outside sees RGB.
    kernel, bias = convolutions["conv1_1"]
    convolutions["conv1_1"] = (kernel[:, :, ::-1], bias)
    blue, green, red = _CAFFE_MEAN_BGR
    return EncoderWeights(convolutions, scale=(255.0, 255.0, 255.0), offset=(-red, -green, -blue))


def _safetensors(path: Path) -> EncoderWeights:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            tensors = {key: file.get_tensor(key).astype(np.float32) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(
            f"{path.name}: expected a safetensors file, received something unreadable ({error})"
        ) from error
    convolutions = {
        key.removesuffix("/kernel"): (value, tensors[key.replace("/kernel", "/bias")])
        for key, value in tensors.items()
        if key.endswith("/kernel")
    }
    lifts = {key.removesuffix("/lift"): value for key, value in tensors.items() if key.endswith("/lift")}
    return EncoderWeights(convolutions, edge_padding=True, lifts=lifts, grain=_SLIM_GRAIN)


class FeatureEncoder:
    """Maps RGB pixels in [0, 1] to activations after the ReLU, up to the deepest layer asked for."""

    def __init__(
        self,
        weights: EncoderWeights,
        layers: Sequence[str],
        *,
        pooling: Literal["max", "avg"] = "max",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        edge_padding: bool = False,
    ) -> None:
        """Build the encoder cut after the deepest of `layers` (`relu4_2`).

        `edge_padding` repeats the picture's border for the first convolution, as weights that were trained so always
        do, instead of padding it with the mean colour, whose step at the border the optimisation would otherwise paint
        a frame against.
        Raises WeightsError for a layer that these weights do not have.
        """
        names = ["conv" + layer.removeprefix("relu") for layer in VGG19_LAYERS]
        depth = _depth(layers)
        missing = [name for name in names[:depth] if name not in weights.convolutions]
        if missing:
            ends = [layer for layer, name in zip(VGG19_LAYERS, names, strict=True) if name in weights.convolutions][-1]
            raise WeightsError(
                f"expected a feature network that reaches {VGG19_LAYERS[depth - 1]}, received one that ends at {ends}: "
                "choose other layers, or --features vgg19 (`stylize models pull vgg19` downloads it, `stylize models "
                "add vgg19 PATH` takes a copy that you have)"
            )
        if precision == "auto":
            precision = faster_precision()
        self.layers = tuple(layer for layer in VGG19_LAYERS if layer in layers)
        self.precision = precision
        self.grain = weights.grain
        self._dtype = tf.as_dtype(precision)
        self._pool = tf.nn.max_pool2d if pooling == "max" else tf.nn.avg_pool2d
        self._edge_padding = edge_padding or weights.edge_padding
        self._scale = tf.constant(weights.scale, tf.float32)
        self._offset = tf.constant(weights.offset, tf.float32)
        self._convolutions = [
            (VGG19_LAYERS[i], *(tf.constant(array, self._dtype) for array in weights.convolutions[names[i]]))
            for i in range(depth)
        ]
        self.channels = {
            layer: int(kernel.shape[-1]) for layer, kernel, _ in self._convolutions if layer in self.layers
        }
        """Channels of each layer's activation."""
        self.strides, self.grid_px, self.reach_px = _geometry(self.layers)
        """Each layer's stride, the largest stride, and how far in pixels an activation sees, a multiple of it."""
        self._lifts = {
            layer: tf.constant(matrix[None, None], tf.float32)
            for layer, matrix in weights.lifts.items()
            if layer in self.layers
        }

    @property
    def activations_per_pixel(self) -> float:
        """Activations (numbers) that a pixel takes, from the first layer to the deepest."""
        return sum(kernel.shape[-1] / 4.0 ** (int(layer[len("relu")]) - 1) for layer, kernel, _ in self._convolutions)

    def __call__(self, image: Any) -> dict[str, Any]:
        """Encode float32 (1, H, W, 3) in [0, 1], at least 16 px a side; return (1, h, w, C) by layer name.

        Activations are of the encoder's precision, where lifted float32.
        """
        x = image * self._scale + self._offset
        if self._edge_padding:
            x = tf.concat([x[:, :1], x, x[:, -1:]], axis=1)
            x = tf.concat([x[:, :, :1], x, x[:, :, -1:]], axis=2)
        x = tf.cast(x, self._dtype)
        features = {}
        block = "relu1"
        for index, (layer, kernel, bias) in enumerate(self._convolutions):
            if not layer.startswith(block):
                x = self._pool(x, 2, 2, "VALID")
                block = layer.split("_")[0]
            padding = "VALID" if index == 0 and self._edge_padding else "SAME"
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, padding), bias))
            if layer in self.layers:
                features[layer] = x
                if layer in self._lifts:
                    features[layer] = tf.nn.conv2d(tf.cast(x, tf.float32), self._lifts[layer], 1, "VALID")
        return features


def _depth(layers: Sequence[str]) -> int:
    """Return how many convolutions it takes to get to the deepest of `layers`."""
    return max(1 + VGG19_LAYERS.index(layer) for layer in layers)


def _geometry(layers: Sequence[str]) -> tuple[dict[str, int], int, int]:
    """Return each layer's stride, the largest stride, and how far in pixels an activation sees, a multiple of it."""
    strides: dict[str, int] = {}
    stride, reach = 1, 0
    for layer in VGG19_LAYERS[: _depth(layers)]:
        if layer.endswith("_1") and layer != "relu1_1":
            reach += stride  # pooling looks at one more
            stride *= 2
        reach += stride
        if layer in layers:
            strides[layer] = stride
    return strides, stride, -(-reach // stride) * stride

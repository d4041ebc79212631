"""VGG feature encoders: VGG-19 (Simonyan and Zisserman, arXiv 1409.1556) and the embedded, narrower vgg19-slim.

`FeatureEncoder` runs both. They differ in their kernels, in how pixels are normalised, in how the border is padded, and
in the lifts of vgg19-slim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stylize.errors import WeightsError
from stylize.layers import VGG19_LAYERS, LayerWeights
from stylize.networks import vgg19_file
from stylize.networks.backend import Padding, array_of, framework, ops
from stylize.networks.devices import chosen
from stylize.networks.precision import faster_precision
from stylize.networks.store import LocalWeights

__all__ = ["EncoderWeights", "FeatureEncoder", "content_layers_under", "load_encoder_weights"]

#: Grain of vgg19-slim, chosen by looking at pictures: with the total variation weight that suppresses the noise of
#: VGG-19's features, pictures under vgg19-slim lose fine strokes.
_SLIM_GRAIN = 0.5

#: By network and by layer of VGG-19: the layers that replace it as content layer, and their shares of its weight.
#: vgg19-slim reproduces only about 70 % of VGG-19's relu4_2, and pictures that match only this part are smeared. The
#: shallow layers preserve edges and faces at a small weight (models/vgg19_slim.md).
_CONTENT_SUBSTITUTES: Mapping[str, Mapping[str, LayerWeights]] = {
    "vgg19-slim": {"relu4_2": (("relu2_1", 0.12), ("relu3_1", 0.12), ("relu4_2", 0.45))}
}

#: Caffe's mean colour of ImageNet (blue, green, red), from 0 to 255.
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)


@dataclass(frozen=True)
class EncoderWeights:
    """The weights of an encoder for RGB pixels in [0, 1].

    Attributes:
        convolutions: Kernel (3, 3, in, out) and bias (out,) by the paper's name of the convolution (`conv4_2`).
        scale: Pixels are multiplied by `scale`, per channel (RGB), before the first convolution.
        offset: Then `offset` is added, per channel.
        edge_padding: Whether the first convolution was trained on pictures whose border pixels are repeated. Such
            weights need this padding.
        grain: How much fine grain the features add to a picture, relative to VGG-19. The total variation weight is
            multiplied by this number.
        lifts: By layer (`relu4_1`), a matrix (channels, channels) that maps the activation so that its inner products
            are like VGG-19's.
    """

    convolutions: Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    edge_padding: bool = False
    grain: float = 1.0
    lifts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def content_layers_under(network: str, layers: LayerWeights) -> LayerWeights:
    """Return the content layers that preserve a content under a network as VGG-19's layers do.

    Under vgg19-slim, several layers replace relu4_2 (see `_CONTENT_SUBSTITUTES`). The shares are only valid for a loss
    that is relative to its targets, where a weight means the same at every layer.

    Args:
        network: The name of a feature network.
        layers: VGG-19's layers and their weights.
    """
    substitutes = _CONTENT_SUBSTITUTES.get(network, {})
    weights: dict[str, float] = {}
    for name, weight in layers:
        for layer, share in substitutes.get(name, ((name, 1.0),)):
            weights[layer] = weights.get(layer, 0.0) + weight * share
    return tuple(weights.items())


def load_encoder_weights(weights: LocalWeights) -> EncoderWeights:
    """Read a feature network's weights.

    Raises:
        WeightsError: The file is damaged.
    """
    if weights.name == "vgg19":
        return _read_vgg19(weights.files[0])
    return _read_slim(weights.files[0])


def _read_vgg19(path: Path) -> EncoderWeights:
    convolutions = vgg19_file.read(path)
    # The file expects BGR. Reversing the input channels of the first kernel makes the encoder expect RGB.
    kernel, bias = convolutions["conv1_1"]
    convolutions["conv1_1"] = (kernel[:, :, ::-1], bias)
    blue, green, red = _CAFFE_MEAN_BGR
    return EncoderWeights(convolutions, scale=(255.0, 255.0, 255.0), offset=(-red, -green, -blue))


def _read_slim(path: Path) -> EncoderWeights:
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
    """Maps RGB pixels to the activations of chosen layers: after the ReLU, times the layer's lift where there is one.

    Activations are 0 or more; with a lift, as in `vgg19-slim`, they may be negative.

    Args:
        weights: The encoder's weights.
        layers: The layers whose activations are returned (`relu4_2`). Convolutions after the deepest are left out.
        pooling: How the encoder halves the picture between blocks.
        precision: Numeric precision of the convolutions; "auto" chooses the faster one on this machine.
        padding: What convolutions see beyond the border of their input: with `edge` the border again, with `zeros` the
            mean colour of the weights, and zeros in deeper layers, with `first` the border in the first convolution
            and zeros in deeper layers. Where there are zeros, activations tell that they are at a border, and the
            optimisation paints a frame there. Weights that were trained with `first` use it instead of `zeros`.

    Attributes:
        layers: The chosen layers, in the order of the forward pass.
        precision: The precision in use.
        grain: See `EncoderWeights`.
        channels: Number of channels of each layer's activation.
        strides: Pixels between neighbouring positions of each layer's activation.
        grid_px: The largest stride.
        reach_px: How far in pixels an activation sees, rounded up to a multiple of `grid_px`.

    Raises:
        WeightsError: The weights lack a layer.
    """

    def __init__(
        self,
        weights: EncoderWeights,
        layers: Sequence[str],
        *,
        pooling: Literal["max", "avg"] = "max",
        precision: Literal["auto", "float32", "bfloat16"] = "auto",
        padding: Literal["edge", "first", "zeros"] = "zeros",
    ) -> None:
        needed = VGG19_LAYERS[: _depth(layers)]
        _check_reaches(weights, needed)
        self.layers = tuple(layer for layer in VGG19_LAYERS if layer in layers)
        self.precision = faster_precision(chosen()) if precision == "auto" else precision
        self.grain = weights.grain
        self._pool = ops.max_pool if pooling == "max" else ops.average_pool
        # Of the first convolution, and of all others.
        first: Padding = "edge" if weights.edge_padding or padding != "zeros" else "zeros"
        self._paddings: tuple[Padding, Padding] = (first, "edge" if padding == "edge" else "zeros")
        self._scale = array_of(weights.scale)
        self._offset = array_of(weights.offset)
        self._convolutions = [
            (layer, *(ops.cast(array_of(array), self.precision) for array in weights.convolutions[_convolution(layer)]))
            for layer in needed
        ]
        self.channels = {
            layer: int(kernel.shape[-1]) for layer, kernel, _ in self._convolutions if layer in self.layers
        }
        self.strides, self.grid_px, self.reach_px = _geometry(self.layers)
        self._lifts = {
            layer: array_of(matrix[None, None]) for layer, matrix in weights.lifts.items() if layer in self.layers
        }

    @property
    def activations_per_pixel(self) -> float:
        """Number of activations per pixel of the picture, over all layers up to the deepest."""
        return sum(
            int(kernel.shape[-1]) / 4.0 ** (int(layer[len("relu")]) - 1) for layer, kernel, _ in self._convolutions
        )

    def __call__(self, image: Any) -> dict[str, Any]:
        """Encode a picture.

        Args:
            image: float32 (1, H, W, 3) in [0, 1], at least 16 px a side.

        Returns:
            By layer, a tensor (1, h, w, C) in the encoder's precision; float32 for a layer with a lift.
        """
        x = image * self._scale + self._offset
        x = ops.cast(x, self.precision)
        features = {}
        block = "relu1"
        for index, (layer, kernel, bias) in enumerate(self._convolutions):
            if not layer.startswith(block):
                x = self._pool(x, 2, 2, "valid", data_format="channels_last")
                block = layer.split("_")[0]
            x = ops.relu(framework.convolved(x, kernel, bias, self._paddings[min(index, 1)]))
            if layer in self._lifts:
                lifted = ops.cast(x, "float32"), self._lifts[layer]
                features[layer] = ops.conv(*lifted, padding="valid", data_format="channels_last")
            elif layer in self.layers:
                features[layer] = x
        return features


def _convolution(layer: str) -> str:
    """`relu4_2` to `conv4_2`."""
    return layer.replace("relu", "conv")


def _depth(layers: Sequence[str]) -> int:
    """Return the number of convolutions up to the deepest of `layers`."""
    return max(1 + VGG19_LAYERS.index(layer) for layer in layers)


def _check_reaches(weights: EncoderWeights, needed: Sequence[str]) -> None:
    if all(_convolution(layer) in weights.convolutions for layer in needed):
        return
    last = [layer for layer in VGG19_LAYERS if _convolution(layer) in weights.convolutions][-1]
    raise WeightsError(
        f"features: expected a network that reaches {needed[-1]}, received a network that ends at {last}: "
        "choose other layers, or the feature network vgg19 (`stylize models pull vgg19` downloads it, "
        "`stylize models add vgg19 PATH` takes a copy that you have)"
    )


def _geometry(layers: Sequence[str]) -> tuple[dict[str, int], int, int]:
    """Return the attributes `strides`, `grid_px` and `reach_px` of an encoder."""
    strides: dict[str, int] = {}
    stride, reach = 1, 0
    for layer in VGG19_LAYERS[: _depth(layers)]:
        if layer.endswith("_1") and layer != "relu1_1":
            reach += stride  # Pooling reads one more position.
            stride *= 2
        reach += stride
        if layer in layers:
            strides[layer] = stride
    return strides, stride, -(-reach // stride) * stride

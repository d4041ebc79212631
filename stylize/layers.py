"""The layers of VGG-19: their names, and those that losses look at."""

from __future__ import annotations

from stylize.errors import OptionError
from stylize.schema import shown

__all__ = ["GATYS_STYLE_LAYERS", "PLACES_LAYERS", "VGG19_LAYERS", "LayerWeights", "canonical_layer"]

#: Layers of VGG-19, by the names in `VGG19_LAYERS`, with their weights.
LayerWeights = tuple[tuple[str, float], ...]

_CONVOLUTIONS_PER_BLOCK = (2, 2, 4, 4, 4)

#: Every activation of VGG-19 in the papers' names, in the order of the forward pass.
VGG19_LAYERS = tuple(
    f"relu{block}_{index}"
    for block, count in enumerate(_CONVOLUTIONS_PER_BLOCK, start=1)
    for index in range(1, count + 1)
)

#: The style layers of Gatys et al. 2015: the first activation of each block.
GATYS_STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

#: The layers at which places of pictures are compared, with equal weights: strokes, lines, and what they are made of.
PLACES_LAYERS = ("relu2_1", "relu3_1", "relu4_1")


def canonical_layer(name: str) -> str:
    """Return the papers' name of a VGG-19 layer.

    Args:
        name: the name in the papers (`relu4_2`), in Keras (`block4_conv2`) or in Caffe (`conv4_2`). All three mean the
            activation after the ReLU.

    Raises:
        OptionError: VGG-19 has no such layer.
    """
    plain = name.strip().lower().replace("block", "relu").replace("_conv", "_")
    if plain.startswith("conv"):
        plain = "relu" + plain[len("conv") :]
    if plain not in VGG19_LAYERS:
        raise OptionError(f"layer {shown(name)}: expected one of VGG-19's activations, relu1_1 to relu5_4")
    return plain

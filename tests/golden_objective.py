"""Losses and gradients of `refine` that every backend must repeat, in `golden/objective.npz`.

`python tests/golden_objective.py` makes the file by `equation.Equation`: NumPy in float64, and gradients as differences
along random directions. Pictures are noisy, so that no two neighbours are equal, between which a maximum would choose.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from equation import Equation
from samples import GOLDEN, MODELS, left_half, painting, tiny_convolutions
from stylize.config import PerceptualLossConfig
from stylize.networks.local import LocalWeights
from stylize.networks.vgg import EncoderWeights, content_layers_under, load_encoder_weights
from stylize.presets import PRESETS

__all__ = ["CASES", "FILE", "Case", "directions"]

FILE = GOLDEN / "objective.npz"
_DIRECTIONS = 32


@dataclass(frozen=True)
class Case:
    """A loss under a network, on made-up pictures.

    Attributes:
        config: the loss.
        network: `tiny`, random convolutions of a few channels, or `vgg19-slim`, which comes with the project.
        size: height and width of picture and content.
        masked: whether each of the two styles has a mask. Otherwise they are blended.
        padding: of the convolutions.
    """

    config: PerceptualLossConfig
    network: Literal["tiny", "vgg19-slim"] = "tiny"
    size: tuple[int, int] = (64, 96)
    masked: bool = False
    padding: Literal["edge", "zeros"] = "edge"

    @property
    def weights(self) -> EncoderWeights:
        """The network."""
        if self.network == "tiny":
            return EncoderWeights(tiny_convolutions())
        path = MODELS / "vgg19_slim.safetensors"
        return load_encoder_weights(LocalWeights(self.network, path.parent, (path,), {}, "embedded", published=True))

    @property
    def image(self) -> NDArray[np.float32]:
        """The picture whose loss it is, (1, H, W, 3)."""
        return _picture(self.size, 0)

    @property
    def content(self) -> NDArray[np.float32]:
        """The content, (1, H, W, 3)."""
        return _picture(self.size, 1)

    @property
    def styles(self) -> list[tuple[NDArray[np.float32], float]]:
        """Two styles of other sizes, and their weights."""
        return [(0.5 * _picture((48, 64), 2), 0.25), (0.2 + 0.8 * _picture((72, 50), 3) ** 2, 0.75)]

    @property
    def masks(self) -> NDArray[np.float32] | None:
        """The left half, and a grey right half, (2, H, W); or None."""
        left = left_half(*self.size)
        return np.stack([left, 0.5 - 0.5 * left]) if self.masked else None


def _slim(config: PerceptualLossConfig) -> PerceptualLossConfig:
    return dataclasses.replace(config, content_layers=content_layers_under("vgg19-slim", config.content_layers))


# Fixed weights, so that a new default does not change the file.
_DEFAULT = PerceptualLossConfig(light_weight=0.0, light_detail=0.0, saliency=0.0, places_weight=1.0, enough_positions=0)
CASES: Mapping[str, Case] = {
    "default": Case(_DEFAULT),
    "light": Case(dataclasses.replace(_DEFAULT, light_weight=0.8, light_detail=2.0)),
    "light of means": Case(dataclasses.replace(_DEFAULT, light_weight=0.4)),
    "saliency": Case(dataclasses.replace(_DEFAULT, saliency=1.5), size=(40, 288)),
    "masks": Case(_DEFAULT, masked=True),
    "few positions": Case(dataclasses.replace(_DEFAULT, enough_positions=200), masked=True),
    "zeros": Case(_DEFAULT, size=(64, 80), padding="zeros"),
    "gatys": Case(PRESETS["gatys"].config.loss, padding="zeros"),
    "neighbors": Case(PRESETS["neighbors"].config.loss),
    "slim": Case(_slim(dataclasses.replace(_DEFAULT, octaves=2)), "vgg19-slim", (48, 64)),
    "slim, masks": Case(_slim(dataclasses.replace(_DEFAULT, octaves=2)), "vgg19-slim", (48, 64), masked=True),
}


def _picture(size: tuple[int, int], seed: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).random((*size, 3))
    return (0.1 + 0.6 * painting(*size, seed) + 0.3 * noise).astype(np.float32)[None]


def directions(case: Case) -> NDArray[np.float32]:
    """Return directions (n, 1, H, W, 3) of +-1. The slopes along them tell the norm of a gradient's error."""
    random = np.random.default_rng(4).random((_DIRECTIONS, *case.image.shape))
    return np.where(random < 0.5, -1, 1).astype(np.float32)


def _golden(case: Case) -> dict[str, Any]:
    equation = Equation(case.config, case.weights, case.padding, case.content, case.styles, case.masks)
    found = equation.find_prices(case.content)
    prices = {f"prices {name}": each.astype(np.float32) for name, each in found.items()}
    slopes = [equation.slope(case.image, direction) for direction in directions(case)]
    return {**equation.terms(case.image), **prices, "slopes": slopes}


if __name__ == "__main__":
    arrays = {f"{name}/{key}": value for name, case in CASES.items() for key, value in _golden(case).items()}
    np.savez_compressed(FILE, allow_pickle=False, **{name: np.asarray(value) for name, value in arrays.items()})

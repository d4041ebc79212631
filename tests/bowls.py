"""Losses of pixels whose minimum is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.config import PyramidConfig, RefineConfig
from stylize.images.resizing import resized
from stylize.networks.backend import Array, numpy_of
from stylize.optimize.history import LossTerms
from stylize.optimize.optimizer import Optimizer
from stylize.optimize.pyramid import PyramidLevel, level_size, pyramid_levels
from stylize.optimize.run import LevelLoss, optimize

TARGET = np.linspace(-0.3, 1.3, 6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3)
SCALES = np.geomspace(1, 100, TARGET.size).astype(np.float32).reshape(TARGET.shape)

#: As of `LevelLoss.value_and_gradient`.
LossOfPixels = Callable[[Array], tuple[LossTerms, Array]]

Loss = Callable[[NDArray[np.float32]], tuple[float, NDArray[np.float32]]]


def quadratic(x: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
    """Return an ill-conditioned bowl, whose minimum lies partly outside the box [0, 1], and its gradient."""
    difference = x - TARGET
    # The sum is in float64: near the minimum, a float32 sum goes up and down by itself.
    return float((SCALES * difference.astype(np.float64) ** 2).sum() / 2), SCALES * difference


def take_steps(optimizer: Optimizer, function: Loss, steps: int) -> NDArray[np.float32]:
    """Return the result of an optimiser after some steps."""
    for _ in range(steps):
        optimizer.tell(*function(numpy_of(optimizer.ask())))
    return numpy_of(optimizer.result)


#: A content for the pyramid, and a run of 30 steps over three levels, without a margin.
PICTURE = np.random.default_rng(5).random((24, 32, 3), np.float32)
CONFIG = RefineConfig(steps=30, pyramid=PyramidConfig(coarsest_px=16), padding="edge")


def distance_at(height: int, width: int) -> LossOfPixels:
    """Return the loss at one size: the distance to a fixed picture."""
    return distance_to(resized(PICTURE, height, width))


def distance_to(target: NDArray[np.float32]) -> LossOfPixels:
    """Return half the squared distance to `target` as a loss."""

    def loss(pixels: Array) -> tuple[LossTerms, Array]:
        difference = numpy_of(pixels) - target
        value = float((difference**2).sum() / 2)
        return LossTerms(value, value, 0.0, 0.0, {}, {}), difference

    return loss


def photos_at(content: NDArray[np.float32], levels: tuple[PyramidLevel, ...]) -> list[NDArray[np.float32]]:
    """Return the content at each level's size, and at its own."""
    sizes = [level_size((content.shape[0], content.shape[1]), level.long_side_px) for level in levels]
    return [*(resized(content, *size) for size in sizes), content]


def optimize_picture(
    config: RefineConfig = CONFIG, loss_of_size: Callable[[int, int], LossOfPixels] = distance_at, **options: Any
) -> Any:
    """Run the pyramid from grey to a loss of each level's size, by default the distance to the picture."""
    levels = pyramid_levels(32, config.steps, config.pyramid)
    photos = photos_at(PICTURE, levels)
    start = np.full((24, 32, 3), 0.5, np.float32)
    return optimize(
        start, photos, levels, lambda index, *_: LevelLoss(loss_of_size(*photos[index].shape[:2])), config, **options
    )

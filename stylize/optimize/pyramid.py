"""The pyramid: the sizes that a refinement goes through, coarse to fine, and what happens between two of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.config import SMALLEST_PX, OptimizationConfig, PyramidConfig
from stylize.images.resizing import resized, size_for_long_side, with_change_of

__all__ = ["PyramidLevel", "at_size_of", "level_size", "optimization_at", "pyramid_levels"]


@dataclass(frozen=True)
class PyramidLevel:
    """One size of the pyramid, and the number of evaluations at this size."""

    long_side_px: int
    max_steps: int


def pyramid_levels(
    long_side_px: int, steps: int, config: PyramidConfig, painted_px: int = 0
) -> tuple[PyramidLevel, ...]:
    """Divide `steps` evenly over sizes from `coarsest_px` to `long_side_px`, each `ratio` times the size before.

    Every level gets at least two steps: the first only evaluates the level's start. If the picture is smaller than the
    coarsest size, or if there are too few steps, the coarsest sizes are left out.

    Args:
        long_side_px: the output's longer side.
        steps: the evaluations of all levels.
        config: the sizes to use.
        painted_px: the longer side of a start that is a painted picture already. Sizes up to about this size, closer
            to it than to the next size, are left out, because they would undo the painting.
    """
    sizes = [long_side_px]
    if config.coarsest_px is not None:
        # A tolerance of 1 %, because rounding may push a size just below the coarsest.
        while sizes[0] / config.ratio > config.coarsest_px * 0.99:
            sizes.insert(0, round(sizes[0] / config.ratio))
    sizes = [size for size in sizes[-max(1, steps // 2) :] if size > painted_px * config.ratio**0.5] or sizes[-1:]
    each, left = divmod(steps, len(sizes))
    # The coarsest level gets the rest of the division: there a step costs least.
    return tuple(PyramidLevel(size, each if index else each + left) for index, size in enumerate(sizes))


def level_size(size: tuple[int, int], long_side_px: int) -> tuple[int, int]:
    """Return the (height, width) in px of an output of `size` (height, width) at a level of the pyramid."""
    height, width = size_for_long_side(*size, long_side_px)
    # Smaller pictures would have no positions left in the deeper layers of the network.
    return max(SMALLEST_PX, height), max(SMALLEST_PX, width)


def at_size_of(
    photo: NDArray[np.float32],
    pixels: NDArray[np.float32],
    photos: Sequence[NDArray[np.float32]],
    *,
    keep_detail: bool,
) -> NDArray[np.float32]:
    """Return `pixels` at the size of `photo`: the start of a finer level from the result of a coarser one.

    A larger picture needs detail that `pixels` lack. The photo has this detail, so we enlarge only the change of the
    photo, and add the change to the photo at the new size:

        photo + enlarged(pixels - photo at the size of pixels)

    The result is sharp, and closer to the scene from the start than enlarged pixels would be.

    Args:
        photo: the content at the new size, float32 (h, w, 3) in [0, 1].
        pixels: the picture so far, float32 (h', w', 3) in [0, 1] of any size.
        photos: the content at all sizes; the last one is at the output's size.
        keep_detail: False enlarges the pixels themselves. A texture, whose loss has no content, uses nothing of the
            photo.
    """
    height, width = photo.shape[:2]
    if not keep_detail or max(pixels.shape[:2]) >= max(height, width):
        return resized(pixels, height, width)
    before = next((each for each in photos if each.shape == pixels.shape), None)
    if before is None:
        # These pixels come from outside the pyramid, such as the preview.
        before = resized(photos[-1], *pixels.shape[:2])
    return with_change_of(photo, before, pixels)


def optimization_at(level: int, config: OptimizationConfig) -> OptimizationConfig:
    """Return the settings of the optimiser at a level, counted from 0: finer levels begin L-BFGS with smaller steps."""
    if level == 0 or config.optimizer != "lbfgs":
        return config
    return dataclasses.replace(config, learning_rate=_FINER_FIRST_STEP * config.learning_rate)


# The factor of L-BFGS' first step at levels that begin with the picture of the level before: only detail is missing.
# From 512 px on, the full first step was too long and cost one of the few steps that large pictures get.
_FINER_FIRST_STEP = 0.3

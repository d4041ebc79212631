"""The sizes that a refinement goes through, coarse to fine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stylize.config import PyramidConfig
from stylize.images.resizing import resized, with_change_of

__all__ = ["PyramidLevel", "pyramid_levels", "with_detail_of"]


@dataclass(frozen=True)
class PyramidLevel:
    """One size of the pyramid and the evaluations that it may spend."""

    long_side_px: int
    max_steps: int


def pyramid_levels(
    long_side_px: int, steps: int, config: PyramidConfig, painted_px: int = 0
) -> tuple[PyramidLevel, ...]:
    """Divide `steps` evenly over sizes from `coarsest_px` to `long_side_px`, each `ratio` larger than the one before.

    Every level gets at least one step; a picture smaller than the coarsest level, or fewer steps than levels, leaves
    out the coarsest ones. So does a start that is painted already, at `painted_px`: sizes up to about that one, nearer
    to it than to the next, would undo it.
    """
    sizes = [long_side_px]
    if config.coarsest_px is not None:
        while sizes[0] / config.ratio > config.coarsest_px * 0.99:
            sizes.insert(0, round(sizes[0] / config.ratio))
    sizes = [size for size in sizes[-steps:] if size > painted_px * config.ratio**0.5] or sizes[-1:]
    each, left = divmod(steps, len(sizes))
    # What is left over goes to the coarsest, where a step is cheapest.
    return tuple(PyramidLevel(size, each if index else each + left) for index, size in enumerate(sizes))


def with_detail_of(content: np.ndarray, pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """The detail that a smaller picture can't have is the content's: sharp, and nearer to the scene from the start."""
    return with_change_of(resized(content, height, width), resized(content, *pixels.shape[:2]), pixels)

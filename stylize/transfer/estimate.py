"""What a refinement will take: time and memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylize.config import (
    RefineConfig,
)
from stylize.images.resizing import size_for_long_side
from stylize.networks.store import LocalWeights
from stylize.optimize.pace import TARGETS_STEPS, step_costs
from stylize.optimize.pyramid import PyramidLevel
from stylize.transfer.inputs import Inputs

if TYPE_CHECKING:
    from stylize.losses.objective import PerceptualLoss
    from stylize.transfer.memory import Tiling

__all__ = ["expected_s", "outlook"]


def outlook(
    config: RefineConfig,
    found: LocalWeights,
    loss: PerceptualLoss,
    levels: Sequence[PyramidLevel],
    tiling: Tiling,
    seconds: float | None,
) -> str:
    """Return one line on what the run will do and take."""
    sizes = ", ".join(str(level.long_side_px) for level in levels)
    length = f"{config.steps} steps" if config.time_budget is None else f"{config.time_budget:g} s"
    time_ = "" if seconds is None else f"about {_rounded_time(seconds)}, "
    tiles = f", in tiles of {tiling.tile_px} px" if tiling.is_needed else ""
    return (
        f"{found.name} in {loss.precision}, {config.optimization.optimizer}, {length} over {sizes} px, "
        f"{time_}up to {tiling.peak_bytes / 1e9:.1f} GB{tiles}"
    )


def _rounded_time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


# As many octaves as any picture has, so that the graph traced for the probes is that of the run. A pixel of a small
# picture takes longer than one of a large: for a long run there is time to measure better.
_PROBES_PX, _LARGE_PROBES_PX, _LARGE_PX = (96, 192), (192, 448), 1000


def expected_s(loss: PerceptualLoss, inputs: Inputs, levels: Sequence[PyramidLevel], tiling: Tiling) -> float:
    """Return about how many seconds the levels will take, by those of one step on two small pictures."""
    smaller_px, larger_px = _LARGE_PROBES_PX if max(inputs.size) > _LARGE_PX else _PROBES_PX
    # No larger than what the memory is for.
    sides = smaller_px, max(smaller_px + 16, min(larger_px, tiling.crop_px))
    first_s, warm_s = zip(*(_probe_s(loss, inputs.mask_count, side) for side in sides), strict=True)
    small, large = (side**2 for side in sides)
    step_s, pixel_s = step_costs((warm_s[1] - warm_s[0]) / (large - small), large, warm_s[1])
    sizes = [size_for_long_side(*inputs.size, level.long_side_px) for level in levels]
    # The smallest pictures have fewer octaves, and so a graph of their own.
    octaves = {loss.octaves(np.empty((1, *size))) for size in sizes}
    graphs = len(octaves - {loss.octaves(np.empty((1, smaller_px, smaller_px)))})
    return graphs * max(0.0, first_s[0] - warm_s[0]) + sum(
        (level.max_steps + TARGETS_STEPS) * (tiling.pixels_a_step(*size) * pixel_s + step_s)
        for level, size in zip(levels, sizes, strict=True)
    )


def _probe_s(loss: PerceptualLoss, regions: int, side: int) -> tuple[float, float]:
    """Return the seconds of a first and of a warm step on noise."""
    probe = np.random.default_rng(0).random((1, side, side, 3), np.float32)
    guidance = loss.guidance(loss.octaves(probe), np.ones((regions, side, side), np.float32) if regions else None)
    own = loss.guided_targets(probe, guidance)
    targets = loss.joined_targets(probe, [[(region, 1.0)] for region in own], guidance)
    times = [time.perf_counter()]
    for _ in range(3):
        loss.value_and_gradient(probe, targets)
        times.append(time.perf_counter())
    first_s, *warm_s = np.diff(times).tolist()
    return first_s, min(warm_s)

"""What a refinement will take: seconds, measured by a few steps on small pictures, and memory."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

import numpy as np

from stylize.config import RefineConfig
from stylize.losses.objective import Objective
from stylize.networks.backend import numpy_of
from stylize.networks.devices import chosen, device_label
from stylize.networks.store import LocalWeights
from stylize.optimize.pace import TARGETS_STEPS, step_costs
from stylize.optimize.pyramid import PyramidLevel, level_size
from stylize.text import rough_duration
from stylize.transfer.inputs import Inputs
from stylize.transfer.tiling import Tiling

__all__ = ["expected_seconds", "run_summary"]

# Sides of the two small pictures in px. They have as many octaves as any picture by default, so that the graph that is
# traced for them is that of the run.
_PROBES_PX = (96, 192)
# A pixel of a small picture takes longer than one of a large picture. Before a long run there is time to measure on
# larger ones.
_LARGE_PROBES_PX = (192, 448)
_LARGE_PX = 1000


def run_summary(
    config: RefineConfig,
    features: LocalWeights,
    objective: Objective,
    levels: Sequence[PyramidLevel],
    tiling: Tiling,
    inputs: Inputs,
    *,
    resumed: bool,
    clock: Callable[[], float] = time.perf_counter,
) -> str:
    """Return one line on what a run will do and take.

    The line names no time where a time budget sets the time, for resumed runs, of which a part is done, and with JAX,
    which would compile for half a minute for each measurement.

    Args:
        config: the options.
        features: the feature network.
        objective: the loss that the run minimises.
        levels: the sizes of the run.
        tiling: the tiles of the run.
        inputs: the pictures.
        resumed: whether an interrupted run goes on.
        clock: returns seconds; measures a few steps on small pictures.
    """
    timed = config.time_budget is None and not resumed and chosen().backend != "jax"
    seconds = expected_seconds(objective, inputs, levels, tiling, clock=clock) if timed else None
    sizes = ", ".join(str(level.long_side_px) for level in levels)
    length = f"{config.steps} steps" if config.time_budget is None else f"{config.time_budget:g} s"
    about = "" if seconds is None else f"about {rough_duration(seconds)}, "
    tiles = f", in tiles of {tiling.tile_px} px" if tiling.is_needed else ""
    where = f"{features.name} in {objective.precision} on {device_label(chosen())}"
    return (
        f"{where}, {config.optimization.optimizer}, {length} over {sizes} px, {about}"
        f"up to {tiling.peak_bytes / 1e9:.1f} GB{tiles}"
    )


def expected_seconds(
    objective: Objective,
    inputs: Inputs,
    levels: Sequence[PyramidLevel],
    tiling: Tiling,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Return about how many seconds the levels will take. `clock` times steps on two small pictures."""
    smaller_px, larger_px = _LARGE_PROBES_PX if max(inputs.size) > _LARGE_PX else _PROBES_PX
    # Not larger than the memory is planned for.
    sides = smaller_px, max(smaller_px + 16, min(larger_px, tiling.crop_px))
    first_s, warm_s = zip(*(_probe_s(objective, inputs.mask_count, side, clock) for side in sides), strict=True)
    small, large = (side**2 for side in sides)
    step_s, pixel_s = step_costs((warm_s[1] - warm_s[0]) / (large - small), large, warm_s[1])
    margins_px = 2 * tiling.margin_px
    sizes = [
        (height + margins_px, width + margins_px)
        for height, width in (level_size(inputs.size, level.long_side_px) for level in levels)
    ]
    # Of more than three octaves, larger pictures have more and need graphs of their own.
    octaves = {objective.targets.octaves(np.empty((1, *size))) for size in sizes}
    graphs = len(octaves - {objective.targets.octaves(np.empty((1, smaller_px, smaller_px)))})
    seconds: float = graphs * max(0.0, first_s[0] - warm_s[0]) + sum(
        (level.max_steps + TARGETS_STEPS) * (tiling.pixels_per_step(*size) * pixel_s + step_s)
        for level, size in zip(levels, sizes, strict=True)
    )
    return seconds


def _probe_s(objective: Objective, regions: int, side: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Return the seconds of a first and of a warm step on noise of so many px a side."""
    probe = np.random.default_rng(0).random((1, side, side, 3), np.float32)
    masks = np.ones((regions, side, side), np.float32) if regions else None
    targets = objective.targets.encode(probe, [(probe, 1.0)] * max(1, regions), masks=masks)
    times = [clock()]
    for _ in range(3):
        _, gradient = objective.value_and_gradient(probe, targets)
        numpy_of(gradient[0, 0, 0])  # A GPU may still be at work.
        times.append(clock())
    first_s, *warm_s = (after - before for before, after in itertools.pairwise(times))
    return first_s, min(warm_s)

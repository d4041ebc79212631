"""How much memory a refinement may take, and the tiles that fit into it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import psutil

from stylize.errors import OptionError, StylizeError
from stylize.losses.objective import PerceptualLoss
from stylize.machine import available_memory_bytes
from stylize.networks.backend import tf
from stylize.optimize.lbfgs import bytes_per_pixel

__all__ = ["SMALLEST_TILE_PX", "Tiling"]

_T = TypeVar("_T")

SMALLEST_TILE_PX = 128
# The estimate is one, and of what is free others want some.
_SHARE = 0.9
_LARGEST_TILE_PX = 2048  # beyond it, halos are thin already


class Tiling:
    """The tiles of one refinement: none for a picture that fits, and smaller ones after an allocation that failed."""

    def __init__(
        self,
        loss: PerceptualLoss,
        size: tuple[int, int],
        memory_gb: float | None,
        on_message: Callable[[str], None],
        regions: int = 0,
        optimizer: str | None = None,
    ) -> None:
        """Choose tiles for a picture of `size` (height, width), in `memory_gb` for the whole process or what is free.

        `regions` are those that masks make, `optimizer` is what moves the pixels; None where they are scored only.

        Raises OptionError if `memory_gb` is too little for an optimisation with the smallest tiles.
        """
        if memory_gb is not None and not 0 < memory_gb < math.inf:
            raise OptionError(f"--memory: expected a finite number of GB, more than 0; received {memory_gb:g}")
        taken = psutil.Process().memory_info().rss
        free = available_memory_bytes() if memory_gb is None else round(memory_gb * 1e9) - taken
        pixels = size[0] * size[1]
        whole = 0 if optimizer is None else pixels * bytes_per_pixel(pixels, optimizer)
        room = _SHARE * free - whole - pixels * loss.target_bytes_per_pixel
        each = loss.step_bytes_per_pixel + regions * loss.region_bytes_per_pixel
        smallest = min(pixels, (SMALLEST_TILE_PX + 2 * loss.reach_px) ** 2) * each
        if memory_gb is not None and optimizer is not None and room < smallest:
            least = math.ceil((taken + (whole + pixels * loss.target_bytes_per_pixel + smallest) / _SHARE) / 1e8) / 10
            raise OptionError(f"--memory: {size[1]} x {size[0]} px need at least {least:g} GB, received {memory_gb:g}")
        crop = math.isqrt(int(max(room, smallest) / each))
        self._reach_px = loss.reach_px
        self._say = on_message
        self._pixels = pixels
        self.tile_px = crop
        """Pictures of more pixels than its square are computed in tiles of so many px a side, styles, too."""
        if self.is_needed:
            # Within the room, but no smaller than what is worth its halo.
            self.tile_px = max(SMALLEST_TILE_PX, min(_LARGEST_TILE_PX, crop - 2 * loss.reach_px))
        self.peak_bytes = round(taken + whole + pixels * loss.target_bytes_per_pixel + self.crop_px**2 * each)
        """What the process is expected to take at the largest size."""

    @property
    def is_needed(self) -> bool:
        """Whether the output does not fit as a whole."""
        return self.tile_px**2 < self._pixels

    @property
    def crop_px(self) -> int:
        """A side of what goes through the network at once, at most."""
        return self.tile_px + 2 * self._reach_px if self.is_needed else math.isqrt(self._pixels)

    def pixels_a_step(self, height: int, width: int) -> float:
        """Return the pixels that go forward and back through the network in a step, halos and second passes counted."""
        pixels = height * width
        if pixels <= self.tile_px**2:
            return pixels
        # Forward once more, for the sums: half of what forward and back take.
        return 1.5 * pixels * (1 + 2 * self._reach_px / self.tile_px) ** 2

    def within(self, compute: Callable[[int], _T]) -> _T:
        """Return compute(tile_px), with smaller tiles from now on where the system refuses memory."""
        while True:
            try:
                return compute(self.tile_px)
            except (MemoryError, tf.errors.ResourceExhaustedError) as error:
                smaller = min(self.tile_px, math.isqrt(self._pixels), 2 * _LARGEST_TILE_PX) // 2
                if smaller < SMALLEST_TILE_PX:
                    raise StylizeError(
                        "out of memory with the smallest tiles: choose a smaller --size, or close other programs"
                    ) from error
                self.tile_px = smaller
                self._say(f"out of memory: going on in tiles of {smaller} px")

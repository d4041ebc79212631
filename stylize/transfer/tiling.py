"""The tiles in which a refinement fits into the memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import psutil

from stylize.errors import OptionError, StylizeError
from stylize.losses.objective import Objective
from stylize.machine import available_memory_bytes
from stylize.networks import devices
from stylize.networks.backend import is_out_of_memory
from stylize.optimize.lbfgs import bytes_per_pixel
from stylize.transfer.inputs import Inputs
from stylize.transfer.session import Session

__all__ = ["SMALLEST_TILE_PX", "Tiling"]

_T = TypeVar("_T")

SMALLEST_TILE_PX = 128
# In larger tiles the halo is only a small part.
_LARGEST_TILE_PX = 2048
# The part of the memory that is planned for: the need is an estimate, and other programs want memory, too.
_USABLE_SHARE = 0.9
# Where a GPU does not tell; if this is too much, the tiles become smaller once the GPU refuses.
_GUESSED_GPU_BYTES = 8_000_000_000


class Tiling:
    """The tiles of one refinement: none for a picture that fits, and smaller ones after an allocation that failed.

    Attributes:
        tile_px: pictures of more than tile_px^2 pixels, styles too, are computed in tiles of so many px a side.
        peak_bytes: the memory that the process is expected to take at the largest size.
        margin_px: what the losses see of each picture beyond its borders.
    """

    def __init__(
        self,
        objective: Objective,
        size: tuple[int, int],
        memory_gb: float | None,
        on_message: Callable[[str], None],
        *,
        regions: int = 0,
        optimizer: str | None = None,
        margin_px: int = 0,
    ) -> None:
        """Choose tiles.

        Args:
            objective: the loss that is computed.
            size: height and width of the picture in px.
            memory_gb: memory of the device that the whole process may take; None for what is free.
            on_message: receives a message where smaller tiles become necessary.
            regions: the number of masks.
            optimizer: what moves the pixels; None where a picture is only scored.
            margin_px: as the attribute.

        Raises:
            OptionError: `memory_gb` is too little for an optimisation with the smallest tiles. Scoring is tried in
                any case: a painted picture is not to be lost for lack of its score.
            StylizeError: so is the free memory.
        """
        if memory_gb is not None and not 0 < memory_gb < math.inf:
            raise OptionError(f"memory_gb: expected a finite number of GB, more than 0; received {memory_gb:g}")
        taken, free = _memory_bytes(memory_gb)
        pixels = (size[0] + 2 * margin_px) * (size[1] + 2 * margin_px)
        # What is needed whatever the tiles: the optimiser's state, and what is kept of the content.
        whole = pixels * objective.target_bytes_per_pixel
        whole += 0 if optimizer is None else pixels * bytes_per_pixel(pixels, optimizer)
        room = _USABLE_SHARE * free - whole
        each = objective.step_bytes_per_pixel + regions * objective.region_bytes_per_pixel
        smallest = min(pixels, (SMALLEST_TILE_PX + 2 * objective.reach_px) ** 2) * each
        if optimizer is not None:
            _check_room(size, memory_gb, taken, free, whole + smallest)
        crop = math.isqrt(int(max(room, smallest) / each))
        self._reach_px = objective.reach_px
        self.margin_px = margin_px
        self._say = on_message
        self._pixels = pixels
        self.tile_px = crop
        if self.is_needed:
            # Within the room, but not so small that the halo is most of the tile.
            self.tile_px = max(SMALLEST_TILE_PX, min(_LARGEST_TILE_PX, crop - 2 * objective.reach_px))
        self.peak_bytes = round(taken + whole + self.crop_px**2 * each)

    @staticmethod
    def of_run(
        objective: Objective, inputs: Inputs, session: Session, optimizer: str | None = None, margin_px: int = 0
    ) -> Tiling:
        """Return the tiles for a run's output, in the session's memory; other arguments as of `Tiling`."""
        return Tiling(
            objective, inputs.size, session.memory_gb, session.say,
            regions=inputs.mask_count, optimizer=optimizer, margin_px=margin_px,
        )  # fmt: skip

    @property
    def is_needed(self) -> bool:
        """Whether the output does not fit as a whole."""
        return self.tile_px**2 < self._pixels

    @property
    def crop_px(self) -> int:
        """The longest side of what goes through the network at once."""
        return self.tile_px + 2 * self._reach_px if self.is_needed else math.isqrt(self._pixels)

    def pixels_per_step(self, height: int, width: int) -> float:
        """Return the pixels that a step takes forward and back through the network, halos and second passes included.

        Args:
            height: of the picture in px.
            width: of the picture in px.
        """
        pixels = height * width
        if pixels <= self.tile_px**2:
            return pixels
        # One more pass forward, for the sums, is half of what forward and back take.
        return 1.5 * pixels * (1 + 2 * self._reach_px / self.tile_px) ** 2

    def within(self, compute: Callable[[int], _T]) -> _T:
        """Return compute(tile_px), with smaller tiles from now on where the system refuses memory.

        Raises:
            StylizeError: the memory does not suffice for the smallest tiles.
        """
        while True:
            try:
                return compute(self.tile_px)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                half = min(self.tile_px, math.isqrt(self._pixels), 2 * _LARGEST_TILE_PX) // 2
                smaller = max(SMALLEST_TILE_PX, half)
                if smaller >= self.tile_px:
                    raise StylizeError(
                        "out of memory with the smallest tiles: choose a smaller size, or close other programs"
                    ) from error
                self.tile_px = smaller
                self._say(f"out of memory: going on in tiles of {smaller} px")


def _check_room(size: tuple[int, int], memory_gb: float | None, taken: int, free: int, needed: float) -> None:
    """Raise OptionError or StylizeError for an optimisation that needs more bytes than it may take."""
    # One digit up, and one more: the process may have taken a little more when it comes here again.
    least = (math.ceil((taken + needed / _USABLE_SHARE) / 1e8) + 1) / 10
    text = f"memory_gb: {size[1]} x {size[0]} px need at least {least:g} GB"
    if memory_gb is not None and _USABLE_SHARE * (memory_gb * 1e9 - taken) < needed:
        raise OptionError(f"{text}, received {memory_gb:g}")
    # A GPU's backend keeps memory that it may still give, and does not always tell what is free.
    if memory_gb is None and free < needed and not devices.chosen().is_gpu:
        raise StylizeError(
            f"{text}, {(taken + free) / 1e9:.1f} GB are at hand; choose a smaller size, close other programs, or give "
            "that number to try all the same"
        )


def _memory_bytes(memory_gb: float | None) -> tuple[int, int]:
    """Return the bytes that this process has taken on the device, and those that it may still take."""
    device = devices.chosen()
    if not device.is_gpu:
        taken = psutil.Process().memory_info().rss
        return taken, available_memory_bytes() if memory_gb is None else round(memory_gb * 1e9) - taken
    free = devices.free_bytes(device)
    if free is None:
        free = _GUESSED_GPU_BYTES
    return 0, free if memory_gb is None else min(free, round(memory_gb * 1e9))

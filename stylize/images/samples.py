"""What stored numbers mean: the sample of white, and numbers that are none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["finite", "white_of_floats", "white_of_integers"]

# Floats of a bright scene go beyond 1. Above this limit, white is more likely 255 or 65535.
_BRIGHTEST_SCENE = 16


def white_of_integers(bits: int, peak: int) -> float:
    """The sample of white: all bits set. Many programs store 16-bit samples in 32 bits: the largest sample decides.

    Args:
        bits: Bits of a sample, without a sign bit.
        peak: The largest sample.
    """
    return 65535.0 if bits > 30 and peak <= 65535 else float(2**bits - 1)


def white_of_floats(peak: float) -> tuple[float, list[str]]:
    """The sample of white, guessed from the largest sample, since files do not state it; and notes for the user."""
    if peak <= 1:
        return 1.0, []
    if peak <= _BRIGHTEST_SCENE:
        return 1.0, [f"float samples up to {peak:g}: clipped at 1"]
    white = next((white for white in (255.0, 65535.0) if peak <= white), peak)
    return white, [f"float samples up to {peak:g}: taken as 0 to {white:g}"]


def finite(samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[str]]:
    """Turn samples that are infinite or not a number into 0; return a note if there were any."""
    if np.isfinite(samples).all():
        return samples, []
    note = "not-a-number or infinite samples: taken as black"
    return np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0), [note]

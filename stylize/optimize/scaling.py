"""The first guess of the inverse Hessian, from which L-BFGS starts.

L-BFGS (see `lbfgs.py`) multiplies the gradient by an approximation of the inverse Hessian. The approximation starts
from a matrix H_0, and the pairs of the history then correct H_0. A pair is a step s and the change y of the gradient
along this step. The usual first guess has one scale for all variables:

    H_0 = c I,    c = s·y / y·y,    with the newest pair s, y    (Nocedal and Wright, equation 7.20)

With 20 pairs for a million pixels, the history corrects little of H_0. Style losses curve up to a hundred times more
along some directions than along others, so one scale is a bad guess for most directions. We use two families of parts
in which the loss curves about evenly, and measure one scale for each part:

- **Bands** of spatial frequency, apart for light and colour. The scales of bands form a matrix B, which is diagonal
  after a Fourier transform.
- **Blocks** of about 8 x 8 px. Their scales form a matrix D, which is diagonal in pixels.

The scale of a part p comes from the pairs k = 1..m of the history. P_p takes a picture to its share in the part:

    c_p² = Σ_k |P_p s_k|² / (s_k·y_k)  /  Σ_k |P_p y_k|² / (s_k·y_k)

If the Hessian multiplied the part by a number h, then P_p y = h P_p s, and c_p = 1/h, which is right. Each pair is
divided by s·y, its curvature, so that long and short steps count alike. The first guess is

    H_0 = t √D B √D

D is split into two halves around B, so that H_0 is symmetric. The factor t makes y·(H_0 y) = s·y for the newest pair,
as the usual guess does. H_0 has only positive scales, so it is positive definite, and -H_0 g is a direction of descent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.images.resizing import resized

__all__ = ["Blocks", "Energies", "FirstGuess", "FrequencyBands"]


@dataclass(frozen=True, eq=False)
class Energies:
    """The squared lengths of a step s and of the change y of the gradient in each part."""

    bands: NDArray[np.floating]
    """(2, 2, 8): s and y, light and colour, bands."""
    blocks: NDArray[np.floating]
    """(2, rows, columns): s and y, blocks."""


class FirstGuess:
    """The first guess H_0 of the inverse Hessian, for pictures of one size."""

    def __init__(self, height: int, width: int) -> None:
        self._bands = FrequencyBands(height, width)
        self._blocks = Blocks(height, width)

    def energies(self, step: NDArray[np.float32], change: NDArray[np.float32]) -> Energies:
        """Return what `times` needs to know of a pair.

        Args:
            step: s, (H, W, 3).
            change: y, (H, W, 3), 0 where no pixel moved.
        """
        of_bands, of_blocks = (
            np.stack([parts.energies(step), parts.energies(change)]) for parts in (self._bands, self._blocks)
        )
        return Energies(of_bands, of_blocks)

    def times(
        self,
        q: NDArray[np.float32],
        energies: Sequence[Energies],
        curvatures: NDArray[np.float64],
        change: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Return H_0 q.

        Args:
            q: the vector to multiply, (H, W, 3); overwritten.
            energies: of each pair in the history, oldest first.
            curvatures: s·y of each pair.
            change: y of the newest pair, (H, W, 3), 0 where no pixel moved; overwritten.
        """
        by_block = self._blocks.spread(np.sqrt(_scales([each.blocks for each in energies], curvatures)))
        by_band = _scales([each.bands for each in energies], curvatures)
        change *= by_block
        by_band *= curvatures[-1] / (by_band * self._bands.energies(change)).sum()
        q *= by_block
        q = self._bands.scaled(q, by_band)
        q *= by_block
        return q


# Each part has at least this share of the parts' mean energy. Without a least energy, a part that has not moved gets
# the scale 0, and never moves.
_LEAST_ENERGY = 1e-3


def _scales(energies: Sequence[NDArray[np.floating]], curvatures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scale c_p of each part, up to a common factor.

    The products P_p s · P_p y in place of squared lengths reach a higher loss (benchmarks/notes/035).
    """
    moved, changed = np.tensordot(1 / curvatures, energies, 1)
    scales: NDArray[np.float64] = np.sqrt(
        (moved + _LEAST_ENERGY * moved.mean()) / (changed + _LEAST_ENERGY * changed.mean())
    )
    return scales


class FrequencyBands:
    """A picture's spatial frequencies in 8 bands, apart for light (the mean of R, G, B) and colour (the rest).

    Losses under VGG curve up to a hundred times less along coarse light and the finest colour than along other bands.
    """

    # Two thirds of an octave each: the finest band is at the Nyquist frequency, the coarsest has all below 1/22 of it.
    # A cosine transform, which sees no jump at the picture's border, was no better (benchmarks/notes/035).
    _count, _per_octave = 8, 1.5

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        of_nyquist = 2 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
        below = self._per_octave * np.log2(of_nyquist.clip(1e-9))  # clipped, because the mean has no logarithm
        self._band = np.clip(np.rint(below) + self._count - 1, 0, self._count - 1).astype(np.uint8)

    def energies(self, picture: NDArray[np.float32]) -> NDArray[np.floating]:
        """Return about the squared length of each band's part of a picture.

        The transform of real numbers stores one half of the frequencies, so each band has about half of its energy.
        The factor is almost the same for all bands, and only ratios matter.

        Args:
            picture: (H, W, 3).

        Returns:
            (2, 8): light and colour.
        """
        light, color = self._split(picture)
        squares = (3 * _squared(light), _squared(color).sum(axis=0))
        return np.stack([np.bincount(self._band.ravel(), each.ravel(), self._count) for each in squares])

    def scaled(self, picture: NDArray[np.float32], by: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return a picture (H, W, 3) with each band's part multiplied by its number in `by` (2, 8)."""
        light, color = self._split(picture)
        of_light, of_color = by.astype(np.float32)[:, self._band]
        color *= of_color
        color += of_light * light
        planes = np.fft.irfft2(color, self._size, norm="ortho")
        return np.ascontiguousarray(planes.transpose(1, 2, 0), np.float32)

    @staticmethod
    def _split(picture: NDArray[np.float32]) -> tuple[NDArray[np.complexfloating], NDArray[np.complexfloating]]:
        # With "ortho", NumPy stays in single precision; otherwise it takes eight times as long in double precision.
        color = np.fft.rfft2(np.ascontiguousarray(picture.transpose(2, 0, 1)), norm="ortho")
        light = color.mean(axis=0)
        color -= light
        return light, color


def _squared(values: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    squares: NDArray[np.floating] = np.square(values.real) + np.square(values.imag)
    return squares


class Blocks:
    """A picture in blocks of about 8 x 8 px: losses curve less in a flat sky than in places with many details."""

    _side_px = 8

    # The least scale, as a share of the largest: resampling may overshoot down to 0, and pixels of scale 0 never move.
    _least_scale = 0.01

    def __init__(self, height: int, width: int) -> None:
        self._size = height, width
        counts = (max(1, side // self._side_px) for side in self._size)
        self._firsts = [np.arange(count) * side // count for count, side in zip(counts, self._size, strict=True)]

    def energies(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the squared length of each block of a picture (H, W, 3), as (rows, columns)."""
        # We sum over rows first, because a sum over an axis of three colours alone is slow.
        rows = np.add.reduceat(np.square(picture), self._firsts[0], axis=0)
        blocks: NDArray[np.float32] = np.add.reduceat(rows, self._firsts[1], axis=1).sum(axis=2)
        return blocks

    def spread(self, by: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return one number a pixel, (H, W, 1), that changes smoothly between the numbers of blocks in `by`.

        The result is divided by the largest number of `by`. Smooth changes leave no edges of blocks in the picture.
        """
        spread: NDArray[np.float32] = resized(by / by.max(), *self._size)[..., None].clip(self._least_scale)
        return spread

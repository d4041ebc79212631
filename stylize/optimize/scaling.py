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

D is split into two halves around B, so that H_0 is symmetric. The factor t makes y·(H_0 y) nearly 2 s·y for the newest
pair, where the usual guess makes it s·y: `FrequencyBands.energies` counts half of the frequencies. Half of this t ends
with a higher loss. H_0 has only positive scales, so it is positive definite, and -H_0 g is a direction of descent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.images.resizing import resampled
from stylize.networks.backend import Array, array_of, framework, ops, spec

__all__ = ["BANDS", "Blocks", "Energies", "FirstGuess", "FrequencyBands"]


class Energies(NamedTuple):
    """The squared lengths of steps s and of changes y of the gradient in each part, of K pairs."""

    bands: Array
    """(K, 2, 2, 8): s and y, light and colour, bands."""
    blocks: Array
    """(K, 2, rows, columns): s and y, blocks."""


# --------------------------------------------------------------------------------------------------------------------
# Bands

# Two thirds of an octave each: the finest band is at the Nyquist frequency, the coarsest has all below 1/20 of it.
# A cosine transform, which sees no jump at the picture's border, was no better (benchmarks/notes/035).
#: The number of bands.
BANDS = 8
_BANDS_PER_OCTAVE = 1.5


class FrequencyBands(NamedTuple):
    """A picture's spatial frequencies in 8 bands, apart for light (the mean of R, G, B) and colour (the rest).

    Losses under VGG curve up to a hundred times less along coarse light and the finest colour than along other bands.
    """

    members: Array
    """(8, H (W // 2 + 1)): 1 for the frequencies of a band, 0 for the others."""

    @classmethod
    def of(cls, height: int, width: int) -> FrequencyBands:
        """Return the bands of pictures of one size."""
        of_nyquist = 2 * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
        below = _BANDS_PER_OCTAVE * np.log2(of_nyquist.clip(1e-9))  # clipped, because the mean has no logarithm
        band = np.clip(np.rint(below) + BANDS - 1, 0, BANDS - 1).ravel()
        return cls(array_of(band == np.arange(BANDS)[:, None]))

    def energies(self, picture: Array) -> Array:
        """Return about the squared length of each band's part of a picture.

        The transform of real numbers stores one half of the frequencies, so each band has about half of its energy.
        The factor is almost the same for all bands: ratios of bands do not depend on it, but the length of H_0 does.

        Args:
            picture: (H, W, 3).

        Returns:
            (2, 8): light and colour.
        """
        squares = sum(ops.square(part) for part in framework.spectrum(_planes(picture)))
        of_axes = ops.matmul(ops.reshape(squares, (3, -1)), ops.transpose(self.members))
        return ops.stack([of_axes[0], of_axes[1] + of_axes[2]])

    def scaled(self, picture: Array, by: Array) -> Array:
        """Return a picture (H, W, 3) with each band's part multiplied by its number in `by` (2, 8)."""
        real, imaginary = framework.spectrum(_planes(picture))
        scales = ops.matmul(ops.take(by, (0, 1, 1), 0), self.members)
        scales = ops.reshape(scales, ops.shape(real))
        planes = framework.from_spectrum(real * scales, imaginary * scales, ops.shape(picture)[1])
        pixels = ops.matmul(ops.transpose(ops.reshape(planes, (3, -1))), _LIGHT_AND_COLOR)
        return ops.reshape(pixels, ops.shape(picture))


# Orthonormal: light, and two axes of colour.
_LIGHT_AND_COLOR = np.array([[2, 2, 2], [6**0.5, 0, -(6**0.5)], [-(2**0.5), 8**0.5, -(2**0.5)]], np.float32) / 12**0.5


def _planes(picture: Array) -> Array:
    """Return light and the two axes of colour of a picture (H, W, 3), as planes (3, H, W)."""
    height, width, _ = ops.shape(picture)
    planes = ops.matmul(_LIGHT_AND_COLOR, ops.transpose(ops.reshape(picture, (-1, 3))))
    return ops.reshape(planes, (3, height, width))


# --------------------------------------------------------------------------------------------------------------------
# Blocks

_BLOCK_PX = 8
# The least scale, as a share of the largest: resampling may overshoot down to 0, and pixels of scale 0 never move.
_LEAST_BLOCK_SCALE = 0.01


class Blocks(NamedTuple):
    """A picture in blocks of about 8 x 8 px: losses curve less in a flat sky than in places with many details."""

    row_members: Array
    """(rows, H): 1 for the pixels of a row of blocks."""
    column_members: Array
    """(columns, W)."""
    row_weights: Array
    """(H, rows): how a pixel's number is mixed from those of the blocks around."""
    column_weights: Array
    """(W, columns)."""

    @classmethod
    def of(cls, height: int, width: int) -> Blocks:
        """Return the blocks of pictures of one size."""
        sides = [(side, max(1, side // _BLOCK_PX)) for side in (height, width)]
        members = [np.arange(count)[:, None] == _block_of_each(side, count) for side, count in sides]
        weights = [resampled(np.eye(count), side, count, Image.Resampling.LANCZOS) for side, count in sides]
        return cls(*map(array_of, (*members, *weights)))

    def energies(self, picture: Array) -> Array:
        """Return the squared length of each block of a picture (H, W, 3), as (rows, columns)."""
        height, width, _ = ops.shape(picture)
        # Rows first, because a sum over three colours alone is slow.
        rows = ops.matmul(self.row_members, ops.reshape(ops.square(picture), (height, -1)))
        rows = ops.sum(ops.reshape(rows, (-1, width, 3)), 2)
        return ops.matmul(rows, ops.transpose(self.column_members))

    def spread(self, by: Array) -> Array:
        """Return one number a pixel, (H, W, 1), that changes smoothly between the numbers of blocks in `by`.

        The result is divided by the largest number of `by`. Smooth changes leave no edges of blocks in the picture.
        """
        spread = ops.matmul(ops.matmul(self.row_weights, by / ops.max(by)), ops.transpose(self.column_weights))
        return ops.clip(spread, _LEAST_BLOCK_SCALE, 1)[..., None]


def _block_of_each(side: int, count: int) -> NDArray[np.intp]:
    """Return the number of the block for each of `side` pixels."""
    firsts = np.arange(count) * side // count
    return np.searchsorted(firsts, np.arange(side), side="right") - 1


# --------------------------------------------------------------------------------------------------------------------
# The first guess


class FirstGuess(NamedTuple):
    """The parts of pictures of one size."""

    bands: FrequencyBands
    blocks: Blocks

    @classmethod
    def of(cls, height: int, width: int) -> FirstGuess:
        """Return the parts of pictures of one size."""
        return cls(FrequencyBands.of(height, width), Blocks.of(height, width))

    @classmethod
    def signature(cls) -> FirstGuess:
        """Return what stands for the parts of any size in the signature of a compiled function."""
        return cls(FrequencyBands(spec(BANDS, None)), Blocks(*[spec(None, None)] * 4))

    def energies(self, step: Array, change: Array) -> Energies:
        """Return what `times` needs to know of a pair.

        Args:
            step: s, (H, W, 3).
            change: y, (H, W, 3), 0 where no pixel moved.
        """
        of_bands, of_blocks = (
            ops.stack([parts.energies(step), parts.energies(change)])[None] for parts in (self.bands, self.blocks)
        )
        return Energies(of_bands, of_blocks)

    def times(self, q: Array, energies: Energies, weights: Array, curvature: Array, change: Array) -> Array:
        """Return H_0 q.

        Args:
            q: the vector to multiply, (H, W, 3).
            energies: of the K pairs in the history.
            weights: (K,), of each pair 1 / s·y, up to a common factor; 0 for a pair that does not count.
            curvature: s·y of the newest pair.
            change: y of the newest pair, (H, W, 3), 0 where no pixel moved.
        """
        by_block = self.blocks.spread(ops.sqrt(_scales(energies.blocks, weights)))
        by_band = _scales(energies.bands, weights)
        by_band = by_band * curvature / ops.sum(by_band * self.bands.energies(change * by_block))
        return self.bands.scaled(q * by_block, by_band) * by_block


# Each part has at least this share of the parts' mean energy. Without a least energy, a part that has not moved gets
# the scale 0, and never moves.
_LEAST_ENERGY = 1e-3


def _scales(energies: Array, weights: Array) -> Array:
    """Return the scale c_p of each part, up to a common factor.

    The products P_p s · P_p y in place of squared lengths reach a higher loss (benchmarks/notes/035).
    """
    sums = ops.tensordot(weights, energies, 1)
    moved, changed = sums[0], sums[1]
    return ops.sqrt((moved + _LEAST_ENERGY * ops.mean(moved)) / (changed + _LEAST_ENERGY * ops.mean(changed)))

"""Colours of pictures: luma, chroma, and the mean and covariance of a palette."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import ImageError

__all__ = ["LUMA", "with_colors_of", "with_contrast_of", "with_palette_of"]

#: Weights of R, G and B in the luma of ITU-R BT.601, the Y of YIQ.
LUMA = (0.299, 0.587, 0.114)

_LUMA_ROW = np.array(LUMA, np.float32)

# Rows computed at once: the intermediate arrays together are several times as large as the rows.
_BAND_PX = 256

# Variance of a weak noise: pictures of one colour have no covariance, and a singular matrix has no inverse.
_NOISE_VARIANCE = 1e-5


def with_colors_of(stylized: NDArray[np.floating[Any]], content: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Combine the luma of one picture with the chroma of another picture.

    Luminance-only transfer of Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer", in
    YIQ. Colours outside the gamut lose saturation until they fit; hue and luma stay.

    Args:
        stylized: The picture that gives the luma, float (H, W, 3), sRGB, [0, 1].
        content: The picture that gives the chroma, the same shape and range.

    Returns:
        float32 (H, W, 3), sRGB, [0, 1].

    Raises:
        ImageError: The shapes differ.
    """
    if stylized.shape != content.shape or stylized.shape[2:] != (3,):
        raise ImageError(
            f"keeping colours: expected two pictures shaped (H, W, 3) alike, "
            f"received {stylized.shape} and {content.shape}"
        )
    result = np.empty(content.shape, np.float32)
    for top in range(0, len(content), _BAND_PX):
        rows = slice(top, top + _BAND_PX)
        luma = np.clip(stylized[rows].astype(np.float32) @ _LUMA_ROW, 0, 1)[..., None]
        # With fixed I and Q, a change of Y adds the same number to R, G and B: the offsets from gray are the chroma.
        chroma = content[rows].astype(np.float32) - (content[rows].astype(np.float32) @ _LUMA_ROW)[..., None]
        room = np.where(chroma > 0, 1 - luma, luma)
        fits = room / np.maximum(np.abs(chroma), np.finfo(np.float32).eps)
        saturation = np.minimum(fits.min(axis=2, keepdims=True), 1)
        result[rows] = np.clip(luma + saturation * chroma, 0, 1)
    return result


def with_palette_of(
    content: NDArray[np.float32],
    styles: Sequence[tuple[NDArray[np.float32], float]],
    within: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Move the colours of a picture to the mean and covariance of the colours of styles.

    The linear Monge-Kantorovich map (Pitie and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for
    example-based colour transfer"): of all linear maps with this result, this map changes the colours least.

    Args:
        content: float32 (H, W, 3) in [0, 1].
        styles: Pairs of float32 (h, w, 3) in [0, 1] and a weight. If the weights sum to less than 1, the colours of
            `content` have the remaining weight.
        within: Weights of the content's pixels for its mean and covariance, float32 (H, W), not 0 everywhere; None
            weighs all pixels alike. The map moves all pixels in any case.

    Returns:
        float32 (H, W, 3) in [0, 1].
    """
    flat = content.reshape(-1, 3).astype(np.float64)
    mean, covariance = _color_moments(flat, None if within is None else within.reshape(-1))
    moments = [(*_color_moments(style.reshape(-1, 3).astype(np.float64)), weight) for style, weight in styles]
    own = 1 - sum(weight for _, weight in styles)
    target_mean = own * mean + sum(weight * each for each, _, weight in moments)
    target_covariance = own * covariance + sum(weight * each for _, each, weight in moments)
    root = _matrix_power(covariance, 0.5)
    inverse = _matrix_power(covariance, -0.5)
    transport = inverse @ _matrix_power(root @ target_covariance @ root, 0.5) @ inverse
    moved = (flat - mean) @ transport + target_mean
    return np.clip(moved, 0, 1).astype(np.float32).reshape(content.shape)


def with_contrast_of(
    content: NDArray[np.float32],
    styles: Sequence[tuple[NDArray[np.float32], float]],
    limit: float,
    within: NDArray[np.float32] | None = None,
    *,
    luma: bool = False,
) -> NDArray[np.float32]:
    """Blend a picture with the mean colour of styles until its contrast is at most `limit` times theirs.

    Contrast is the root of the variances of red, green and blue together, or that of luma.

    Args:
        content: float32 (H, W, 3) in [0, 1].
        styles: Pairs of float32 (h, w, 3) in [0, 1] and a weight. If the weights sum to less than 1, less is blended.
        limit: Over 0. No contrast is lowered to less than an eighth, so that no scene is lost.
        within: As of `with_palette_of`.
        luma: Whether contrast is that of luma.

    Returns:
        float32 (H, W, 3) in [0, 1]; `content` itself where its contrast is within the limit.
    """
    strength = sum(weight for _, weight in styles)
    if strength <= 0:
        return content
    _, variance = _mean_and_variance(content, within, luma=luma)
    moments = [(*_mean_and_variance(style, luma=luma), weight / strength) for style, weight in styles]
    target_variance = sum(weight * each for _, each, weight in moments)
    if variance <= limit**2 * target_variance:
        return content
    kept = max(limit * float(np.sqrt(target_variance / variance)), _LEAST_CONTRAST)
    mean = np.sum([weight * each for each, _, weight in moments], axis=0)
    share = 1 - min(1.0, strength) * (1 - kept)
    blended: NDArray[np.float32] = content * np.float32(share) + ((1 - share) * mean).astype(np.float32)
    return blended


_LEAST_CONTRAST = 1 / 8


def _mean_and_variance(
    pixels: NDArray[np.float32], weights: NDArray[np.float32] | None = None, *, luma: bool
) -> tuple[NDArray[np.float64], float]:
    """Return the mean colour and the variance, of luma or summed over channels, without a copy in float64."""
    weights = np.broadcast_to(np.float32(1), pixels.shape[:2]) if weights is None else weights
    total = weights.sum(dtype=np.float64)
    mean = np.einsum("hw,hwc->c", weights, pixels, dtype=np.float64) / total
    values = pixels @ np.array(LUMA, np.float32)[:, None] if luma else pixels
    means = np.einsum("hw,hwc->c", weights, values, dtype=np.float64) / total
    squares = np.einsum("hw,hwc,hwc->c", weights, values, values, dtype=np.float64) / total
    return mean, max(0.0, float(np.sum(squares - means**2)))


def _color_moments(
    flat: NDArray[np.float64], weights: NDArray[np.float32] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean (3,) and covariance (3, 3) of colours (N, 3), by weights (N,) if given."""
    shares = np.full(len(flat), 1 / len(flat)) if weights is None else weights / weights.sum(dtype=np.float64)
    mean = shares @ flat
    centred = flat - mean
    return mean, centred.T @ (centred * shares[:, None]) + _NOISE_VARIANCE * np.eye(3)


def _matrix_power(symmetric: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Return a power of a positive definite matrix, as covariances with the weak noise are."""
    values, vectors = np.linalg.eigh(symmetric)
    powered: NDArray[np.float64] = (vectors * values**exponent) @ vectors.T
    return powered

"""Colours of pictures: luminance and chroma, means and covariances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stylize.errors import ImageError

__all__ = ["with_colors_of", "with_palette_of"]

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, the Y of YIQ

_ROWS = 256


def with_colors_of(stylized: np.ndarray, content: np.ndarray) -> np.ndarray:
    """The luminance of `stylized` with the chroma of `content`.

    Luminance-only transfer of Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer", in
    YIQ. Where the sum leaves the gamut, its saturation is lowered until it fits; hue and luminance stay.

    Args:
        stylized: float (H, W, 3), sRGB, [0, 1].
        content: the same shape and range.

    Returns:
        float32 (H, W, 3), sRGB, [0, 1].

    Raises:
        ImageError: the shapes differ.
    """
    if stylized.shape != content.shape or stylized.shape[2:] != (3,):
        raise ImageError(
            f"keeping colours: expected two pictures shaped (H, W, 3) alike, "
            f"received {stylized.shape} and {content.shape}"
        )
    result = np.empty(content.shape, np.float32)
    # By rows, as what is computed on the way is several times the picture.
    for top in range(0, len(content), _ROWS):
        rows = slice(top, top + _ROWS)
        luma = np.clip(stylized[rows].astype(np.float32) @ _LUMA, 0, 1)[..., None]
        # With I and Q fixed, a change of Y adds the same to R, G and B: the offsets from gray are the chroma.
        chroma = content[rows].astype(np.float32) - (content[rows].astype(np.float32) @ _LUMA)[..., None]
        room = np.where(chroma > 0, 1 - luma, luma)
        fits = room / np.maximum(np.abs(chroma), np.finfo(np.float32).eps)
        saturation = np.minimum(fits.min(axis=2, keepdims=True), 1)
        result[rows] = np.clip(luma + saturation * chroma, 0, 1)
    return result


def with_palette_of(
    content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], within: np.ndarray | None = None
) -> np.ndarray:
    """The content's colours moved to the mean and covariance of the styles' colours, float32 (H, W, 3) in [0, 1].

    The linear Monge-Kantorovich map (Pitie and Kokaram 2007, "The linear Monge-Kantorovitch linear colour mapping for
    example-based colour transfer"): of all linear maps with this result, the one that changes colours least.

    Args:
        content: float32 (H, W, 3) in [0, 1].
        styles: pairs of float32 (h, w, 3) in [0, 1] and a weight; what the weights leave to 1 is the content's own.
        within: weights of the content's pixels (H, W), not all 0: the colours that are moved, as all others are.
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


def _color_moments(flat: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    shares = np.full(len(flat), 1 / len(flat)) if weights is None else weights / weights.sum(dtype=np.float64)
    mean = shares @ flat
    centred = flat - mean
    # A picture of one colour has no covariance; a little noise gives it one.
    return mean, centred.T @ (centred * shares[:, None]) + 1e-5 * np.eye(3)


def _matrix_power(symmetric: np.ndarray, exponent: float) -> np.ndarray:
    values, vectors = np.linalg.eigh(symmetric)
    powered: np.ndarray = (vectors * np.maximum(values, 1e-12) ** exponent) @ vectors.T
    return powered

"""The stylizer that comes with the package: two LiteRT files, run without TensorFlow."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize.images.resizing import resized, with_change_of
from stylize.networks.litert import LiteRTNetwork
from stylize.networks.style_vectors import Recall

__all__ = ["MAX_CONTENT_PX", "MAX_KEPT_PX", "MiniStylizer"]

#: Long side, in pixels, up to which a style is encoded. Larger sizes do not change the style's statistics, and their
#: activations would fill the memory.
_MAX_STYLE_PX = 512
#: How much a style smaller than the painted picture is enlarged at most: its strokes would be too fine. Enlarged more,
#: the style is blurred, and so is the painting (benchmarks/notes/055).
_MAX_ENLARGEMENT = 1.75
#: Short side, in pixels, to which a small style is padded: the last statistics come after three poolings.
_MIN_STYLE_PX = 16
#: Long side, in pixels, up to which a content is painted. For a larger content, the change of a smaller painting is
#: enlarged: strokes have a fixed size in pixels, and memory is limited.
MAX_CONTENT_PX = 2048
#: Pixels up to which the painter's memory is kept for the next picture. A large preview takes 2 GB, which the
#: refinement needs.
MAX_KEPT_PX = 1024**2
#: The smallest strength at which the style vector itself is interpolated. Below this strength, normalisation suddenly
#: amplifies channels that were almost silent; there, a painting of this strength is faded into the content instead.
_MIN_INTERPOLATED_STRENGTH = 0.1


class MiniStylizer:
    """Paints a content picture with the vector of a style.

    A vector of D numbers describes a style. It begins with the mean and the covariance of the style's colours, which
    a closed-form colour transfer uses. The rest conditions the network that adds the strokes. Vectors of several
    styles can be averaged. Several threads may share a stylizer.

    Args:
        style_path: LiteRT file of the style encoder, (1, H, W, 3) to (1, D).
        transfer_path: LiteRT file of the painter, (1, H, W, 3), (1, D) and noise (1, H, W, 1) to (1, H, W, 3).
        recall: Returns the vector of a picture: a known vector, or what the encoder returns. None: encode always.
    """

    def __init__(self, style_path: Path, transfer_path: Path, recall: Recall | None = None) -> None:
        self._encoder = LiteRTNetwork(style_path)  # opened by the first style without a known vector
        self._painter = LiteRTNetwork(transfer_path, max_kept_px=MAX_KEPT_PX)
        self._painter.load()
        self._recall = recall or (lambda style, encode: encode(style))
        # Of the last content: its hash, its own vector, and the content minus its painting with this vector.
        self._last_own: tuple[bytes, NDArray[np.float32], NDArray[np.float32]] | None = None

    def encode_style(self, style: NDArray[np.float32]) -> NDArray[np.float32]:
        """Describe a style.

        The vector depends on the size of the strokes in pixels: give the style at the scale at which the content is
        painted. A style with a long side of more than 512 px is shrunk.

        Args:
            style: (H, W, 3) sRGB in [0, 1].

        Returns:
            The style's vector, (D,).
        """
        return self._recall(_encoder_input(style), self._encode)

    def encode_style_for(self, content: NDArray[np.float32], style: NDArray[np.float32]) -> NDArray[np.float32]:
        """Describe a style at the scale at which a content is painted, as far as the style has the pixels for that.

        Args:
            content: (H, W, 3).
            style: (H, W, 3) sRGB in [0, 1].

        Returns:
            The style's vector, (D,).
        """
        return self.encode_style(_at_scale_of(style, content))

    def _encode(self, style: NDArray[np.float32]) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = self._encoder.run(style[None])[0]
        return vector

    def transfer(self, content: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Paint a content picture with a style vector.

        Args:
            content: (H, W, 3) sRGB in [0, 1], of any size.
            vector: (D,), from `encode_style`, or a weighted mean of such vectors.

        Returns:
            (H, W, 3) in [0, 1].
        """
        return _at_bounded_size(content, lambda small: self._transfer(small, vector))

    def _transfer(self, content: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
        # The noise distinguishes places in a flat area, so that strokes are not repeated. The seed is fixed, so that
        # a picture can be repeated.
        noise = np.random.default_rng(0).standard_normal((1, *content.shape[:2], 1), np.float32)
        painted: NDArray[np.float32] = self._painter.run(content[None], vector[None], noise)[0]
        return painted

    def stylize(
        self, content: NDArray[np.float32], styles: Sequence[tuple[NDArray[np.float32], float]], strength: float
    ) -> NDArray[np.float32]:
        """Paint a content picture with a blend of styles.

        Args:
            content: (H, W, 3) sRGB in [0, 1].
            styles: Pairs of a style, (H, W, 3) sRGB in [0, 1], and its weight; the weights sum to 1.
            strength: 0 returns the content, 1 paints the full style; between them, the vector is interpolated between
                the content's own vector and the style's.

        Returns:
            (H, W, 3) in [0, 1].
        """
        if strength == 0.0:
            unchanged: NDArray[np.float32] = content.copy()
            return unchanged
        return _at_bounded_size(content, lambda small: self._stylize(small, styles, strength))

    def _stylize(
        self, content: NDArray[np.float32], styles: Sequence[tuple[NDArray[np.float32], float]], strength: float
    ) -> NDArray[np.float32]:
        weights = np.array([weight for _, weight in styles], np.float32)
        # Strokes are measured in pixels, so each style is encoded at the scale of the painted picture.
        vector = weights @ np.stack([self.encode_style_for(content, style) for style, _ in styles])
        if strength == 1.0:
            return self.transfer(content, vector)
        own, remainder = self._own_vector(content)
        interpolation = max(strength, _MIN_INTERPOLATED_STRENGTH)
        painted = self.transfer(content, own + np.float32(interpolation) * (vector - own))
        # Painting with the content's own vector changes the content a little. Add this difference back as the strength
        # falls, so that strength 0 is exactly the content.
        painted += np.float32(1.0 - interpolation) * remainder
        result: NDArray[np.float32] = content + np.float32(strength / interpolation) * (painted - content)
        return np.clip(result, 0.0, 1.0)

    def _own_vector(self, content: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the content's own vector, and the content minus its painting with this vector.

        The values of the last content are kept, because a user often tries several strengths in a row.
        """
        digest = hashlib.sha256(np.ascontiguousarray(content).data).digest() + bytes(str(content.shape), "ascii")
        last = self._last_own  # read once: another thread may replace it
        if last is not None and last[0] == digest:
            return last[1:]
        own = self._encode(_encoder_input(content))
        remainder = content - self.transfer(content, own)
        self._last_own = digest, own, remainder
        return own, remainder


def _at_bounded_size(
    content: NDArray[np.float32], paint: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Paint `content`, or, if it is large, paint a smaller version and enlarge the change."""
    small = _shrink(content, MAX_CONTENT_PX)
    return with_change_of(content, small, paint(small))


def _at_scale_of(style: NDArray[np.float32], content: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a style (H, W, 3) as large as the painted picture, as far as the style has the pixels for that."""
    painted_px = max(content.shape[:2])
    height, width = style.shape[:2]
    scale = min(_MAX_ENLARGEMENT, min(painted_px, _MAX_STYLE_PX) / max(height, width))
    if scale <= 1.0:
        return _shrink(style, painted_px)
    return resized(style, round(height * scale), round(width * scale))


def _encoder_input(style: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a style (H, W, 3) at a size that the encoder accepts."""
    style = _shrink(style, _MAX_STYLE_PX)
    height, width = style.shape[:2]
    missing = ((0, max(0, _MIN_STYLE_PX - height)), (0, max(0, _MIN_STYLE_PX - width)), (0, 0))
    return np.pad(style, missing, mode="edge")


def _shrink(image: NDArray[np.float32], long_side: int) -> NDArray[np.float32]:
    """Average (H, W, 3) over areas so that its long side has at most `long_side` pixels."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1.0:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    channels = [Image.fromarray(np.ascontiguousarray(image[..., c], dtype=np.float32)) for c in range(3)]
    return np.stack([np.asarray(c.resize(size, Image.Resampling.BOX)) for c in channels], axis=-1)

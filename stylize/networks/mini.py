"""The embedded feed-forward stylizer: two LiteRT files of our own, run without TensorFlow."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from stylize.images.resizing import with_change_of
from stylize.machine import available_cores
from stylize.networks import native_stderr_silenced
from stylize.networks.style_vectors import Recall

__all__ = ["MiniStylizer"]

# A style's statistics say no more at larger sizes, and its activations would fill the memory.
_MAX_STYLE_PX = 512
# Beyond it the painting's change is enlarged instead: strokes have a fixed size in pixels, and memory has an end.
_MAX_CONTENT_PX = 2048
# LiteRT gives memory back with the interpreter alone, and 2 GB of a large preview would be in a refinement's way.
_MOST_KEPT_PX = 1024**2
# The least way from a content's own vector that is painted: below it a step sets in, where normalisation makes channels
# loud that were silent. Fainter paintings are faded ones.
_FAINTEST = 0.1
# Three poolings lie before the last style statistics.
_MIN_STYLE_PX = 16
_NOTHING = np.empty(0, np.float32)


class MiniStylizer:
    """Paints a content picture with a style that was seen once, as a vector of D numbers.

    The vector begins with the style's colour mean and covariance, which a closed-form colour transfer uses; the rest
    conditions the network that adds the strokes. Vectors of several styles can be averaged. Calls from several threads
    wait for each other.

    Args:
        style_path: LiteRT file of the style encoder, (1, H, W, 3) to (1, D).
        transfer_path: LiteRT file of the painter, (1, H, W, 3), (1, D) and noise (1, H, W, 1) to (1, H, W, 3).
        recall: returns the vector of what the encoder is to see, if it is known, else calls the encoder for it.
    """

    def __init__(self, style_path: Path, transfer_path: Path, recall: Recall | None = None) -> None:
        self._style_path = style_path
        self._transfer_path = transfer_path
        self._painter = self._opened(transfer_path)
        self._recall = recall or (lambda style, encode: encode(style))
        self._lock = threading.Lock()
        self._last_own: tuple[bytes, np.ndarray, np.ndarray] = b"", _NOTHING, _NOTHING

    @functools.cached_property
    def _encoder(self) -> Interpreter:
        return self._opened(self._style_path)

    @staticmethod
    def _opened(path: Path) -> Interpreter:
        return Interpreter(model_path=str(path), num_threads=available_cores())

    def encode_style(self, style: np.ndarray) -> np.ndarray:
        """Describe a style.

        The vector depends on the scale of the strokes in pixels: give the style at the scale at which the content is
        painted. Beyond 512 px (long side) it is shrunk.

        Args:
            style: (H, W, 3) float32 sRGB in [0, 1].

        Returns:
            (D,) float32 vector.
        """
        return self._recall(_as_seen(style), self._encoded)

    def _encoded(self, style: np.ndarray) -> np.ndarray:
        with self._lock:
            code: np.ndarray = _run(self._encoder, style[None])[0]
            return code

    def transfer(self, content: np.ndarray, code: np.ndarray) -> np.ndarray:
        """Paint a content picture with a style vector.

        Args:
            content: (H, W, 3) float32 sRGB in [0, 1], of any size.
            code: (D,) float32 vector of `encode_style`, or a weighted mean of such vectors.

        Returns:
            (H, W, 3) float32 in [0, 1].
        """
        return _bounded(content, lambda small: self._transferred(small, code))

    def _transferred(self, content: np.ndarray, code: np.ndarray) -> np.ndarray:
        # What tells places in a flat area apart, so that not one stroke is repeated; always the same.
        noise = np.random.default_rng(0).standard_normal((1, *content.shape[:2], 1), np.float32)
        with self._lock:
            painted: np.ndarray = _run(self._painter, content[None], code[None], noise)[0]
            if noise.size > _MOST_KEPT_PX:
                self._painter = self._opened(self._transfer_path)
            return painted

    def stylize(self, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], strength: float) -> np.ndarray:
        """Paint a content picture with a blend of styles.

        Args:
            content: (H, W, 3) float32 sRGB in [0, 1].
            styles: pairs of a style (H, W, 3) float32 in [0, 1] and its weight; the weights sum to 1.
            strength: 0 gives the content, 1 the full style; between them the vector moves from the content's own to
                the style's.

        Returns:
            (H, W, 3) float32 in [0, 1].
        """
        if strength == 0.0:
            return content.copy()
        return _bounded(content, lambda small: self._stylized(small, styles, strength))

    def _stylized(self, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], strength: float) -> np.ndarray:
        weights = np.array([weight for _, weight in styles], np.float32)
        # Strokes are measured in pixels: a style is seen at the scale of the picture that it is to paint.
        scaled = [_shrink(style, max(content.shape[:2])) for style, _ in styles]
        code = weights @ np.stack([self.encode_style(style) for style in scaled])
        if strength == 1.0:
            return self.transfer(content, code)
        own, remainder = self._own(content)
        towards = max(strength, _FAINTEST)
        painted = self.transfer(content, own + np.float32(towards) * (code - own))
        # What painting with its own vector changes in the content fades out with the strength, so that 0 is exact.
        painted += np.float32(1.0 - towards) * remainder
        return np.clip(content + np.float32(strength / towards) * (painted - content), 0.0, 1.0)

    def _own(self, content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the content's own vector, and the content less its painting with it.

        The last are kept, for the next strength; contents are many, so no more and nowhere else.
        """
        digest = hashlib.sha256(np.ascontiguousarray(content).data).digest() + bytes(str(content.shape), "ascii")
        known, own, remainder = self._last_own
        if known != digest:
            own = self._encoded(_as_seen(content))
            remainder = content - self.transfer(content, own)
            self._last_own = digest, own, remainder
        return own, remainder


def _bounded(content: np.ndarray, paint: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return what `paint` makes of the content, or of a smaller version where the content is large."""
    small = _shrink(content, _MAX_CONTENT_PX)
    return with_change_of(content, small, paint(small))


def _as_seen(style: np.ndarray) -> np.ndarray:
    """Return what the encoder is given of a style (H, W, 3)."""
    style = _shrink(style, _MAX_STYLE_PX)
    height, width = style.shape[:2]
    missing = ((0, max(0, _MIN_STYLE_PX - height)), (0, max(0, _MIN_STYLE_PX - width)), (0, 0))
    return np.pad(style, missing, mode="edge")


def _shrink(image: np.ndarray, long_side: int) -> np.ndarray:
    """Area-average (H, W, 3) so that its long side is at most `long_side` px."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1.0:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    channels = [Image.fromarray(np.ascontiguousarray(image[..., c], dtype=np.float32)) for c in range(3)]
    return np.stack([np.asarray(c.resize(size, Image.Resampling.BOX)) for c in channels], axis=-1)


def _run(interpreter: Interpreter, *inputs: np.ndarray) -> np.ndarray:
    """Run a LiteRT model on its inputs, told apart by their number of dimensions and of channels."""
    by_kind = {(array.ndim, array.shape[-1]): np.ascontiguousarray(array, dtype=np.float32) for array in inputs}
    details = interpreter.get_input_details()
    values = [by_kind[len(detail["shape_signature"]), int(detail["shape_signature"][-1])] for detail in details]
    for detail, value in zip(details, values, strict=True):
        interpreter.resize_tensor_input(detail["index"], value.shape)
    with native_stderr_silenced():
        interpreter.allocate_tensors()
    for detail, value in zip(details, values, strict=True):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    output: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return output

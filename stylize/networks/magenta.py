"""Magenta's arbitrary image stylization (Ghiasi et al. 2017, arXiv 1705.06830): TF-Hub's SavedModel and the int8 pair.

A stylizer is called with content (H, W, 3), weighted styles and a strength, all pictures float32 RGB in [0, 1], and
returns float32 (H, W, 3). The weights of the styles sum to 1; strength 0 gives the content back, 1 the full style.
"""

from __future__ import annotations

import functools
import math
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylize.errors import WeightsError
from stylize.images import resized
from stylize.networks import available_cores, native_stderr_silenced
from stylize.vectors import Recall

__all__ = ["Int8Stylizer", "MagentaStylizer"]

_STYLE_PX = 256
_TRANSFER_PX = 384


class MagentaStylizer:
    """The SavedModel. Its style bottleneck is hidden, so blends and strength act on pixels."""

    def __init__(self, folder: Path) -> None:
        """Load the SavedModel in `folder` through tensorflow-hub; raises WeightsError if it is not one."""
        from stylize.networks.runtime import tf

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
            import tensorflow_hub

        try:
            self._module = tensorflow_hub.load(str(folder))
        except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
            # Each of these was seen from a damaged folder: no graph, no variables, cut-off variables.
            raise WeightsError(
                f"magenta: expected a SavedModel in {folder}, received one that does not load "
                f"({str(error).splitlines()[0]}): run `stylize models remove magenta`, then `stylize models pull "
                "magenta`"
            ) from error
        self._tf = tf

    def stylize(self, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], strength: float) -> np.ndarray:
        """Stylize `content`; see the module."""
        result = (1 - strength) * content
        for style, weight in styles if strength > 0 else ():
            result = result + strength * weight * self._painted(content, style)
        return np.clip(result, 0, 1).astype(np.float32)

    def _painted(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        height, width = style.shape[:2]
        shrink = _STYLE_PX / min(height, width)
        small = resized(style, max(_STYLE_PX, round(height * shrink)), max(_STYLE_PX, round(width * shrink)))
        outputs: Any = self._module(self._tf.constant(content[None]), self._tf.constant(small[None]))
        painted: np.ndarray = outputs[0].numpy()[0]
        # The network's strides round the size up to a multiple of four.
        return painted if painted.shape == content.shape else resized(painted, *content.shape[:2])


class Int8Stylizer:
    """The published int8 TFLite pair, run by LiteRT: style prediction at 256 px, transfer at 384 px, both fixed.

    The bottleneck (100 numbers) is open here: blends are weighted means of bottlenecks, and strength moves from the
    content's own bottleneck to the style's, as the paper does.
    """

    def __init__(self, predict: Path, transfer: Path, recall: Recall | None = None) -> None:
        """Load the part that paints, the other at the first style whose bottleneck `recall` does not know.

        Raises WeightsError, then too, for a file that LiteRT can't run.
        """
        self._predict_path = predict
        self._transfer = _int8_interpreter(transfer)
        self._recall = recall or (lambda square, encode: encode(square))
        self._lock = threading.Lock()

    @functools.cached_property
    def _predict(self) -> Any:
        return _int8_interpreter(self._predict_path)

    def encode_style(self, style: np.ndarray) -> np.ndarray:
        """Return the style bottleneck (100,) of a picture (H, W, 3).

        The network sees squares of 256 px; a longer picture is covered by several squares, and their bottlenecks are
        averaged, rather than squashed or cut.
        """
        height, width = style.shape[:2]
        shrink = _STYLE_PX / min(height, width)
        height, width = (max(_STYLE_PX, round(side * shrink)) for side in (height, width))
        small = resized(style, height, width)
        count = min(_MAX_SQUARES, math.ceil(max(height, width) / _STYLE_PX))
        codes = []
        for top, left in zip(
            np.linspace(0, height - _STYLE_PX, count).round().astype(int),
            np.linspace(0, width - _STYLE_PX, count).round().astype(int),
            strict=True,
        ):
            square = small[top : top + _STYLE_PX, left : left + _STYLE_PX]
            codes.append(self._recall(square, self._encoded))
        return np.stack(codes).mean(axis=0, dtype=np.float32)

    def _encoded(self, square: np.ndarray) -> np.ndarray:
        with self._lock:
            return _run(self._predict, square[None]).ravel()

    def transfer(self, content: np.ndarray, code: np.ndarray) -> np.ndarray:
        """Paint `content` (H, W, 3) with a bottleneck (100,): fitted into 384 px, its border mirrored, cut out."""
        height, width = content.shape[:2]
        shrink = _TRANSFER_PX / max(height, width)
        inner_height, inner_width = (max(1, round(side * shrink)) for side in (height, width))
        small = resized(content, inner_height, inner_width)
        top, left = (_TRANSFER_PX - inner_height) // 2, (_TRANSFER_PX - inner_width) // 2
        square = np.pad(
            small,
            (
                (top, _TRANSFER_PX - inner_height - top),
                (left, _TRANSFER_PX - inner_width - left),
                (0, 0),
            ),
            mode="symmetric",
        )
        with self._lock:
            painted = _run(self._transfer, square[None], code.reshape(1, 1, 1, -1))[0]
        return resized(painted[top : top + inner_height, left : left + inner_width], height, width)

    def stylize(self, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], strength: float) -> np.ndarray:
        """Stylize `content`; see the module."""
        if strength == 0:
            return content
        code = np.sum([weight * self.encode_style(style) for style, weight in styles], axis=0)
        if strength < 1:
            code = strength * code + (1 - strength) * self.encode_style(content)
        painted = self.transfer(content, code.astype(np.float32))
        # Even with its own bottleneck the network softens the content: the lower half of the scale leads back to it.
        keep = max(0.0, 1 - 2 * strength)
        return np.clip(keep * content + (1 - keep) * painted, 0, 1).astype(np.float32)


_MAX_SQUARES = 4


def _int8_interpreter(path: Path) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        with native_stderr_silenced():
            interpreter = Interpreter(str(path), num_threads=available_cores())
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise WeightsError(
            f"magenta-int8: expected two TFLite networks, received one that does not load "
            f"({str(error).splitlines()[0]}): run `stylize models verify magenta-int8`"
        ) from error
    return interpreter


def _run(interpreter: Any, *inputs: np.ndarray) -> np.ndarray:
    # Converters decorate the tensors' names; their shapes tell them apart as well.
    index = {tuple(detail["shape"]): detail["index"] for detail in interpreter.get_input_details()}
    for value in inputs:
        interpreter.set_tensor(index[value.shape], np.ascontiguousarray(value, np.float32))
    interpreter.invoke()
    result: np.ndarray = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return result

"""Magenta's arbitrary image stylization (Ghiasi et al. 2017, arXiv 1705.06830).

TF-Hub's SavedModel, the same converted to LiteRT, and the published int8 pair.

A stylizer is called with content (H, W, 3), weighted styles and a strength, all pictures float32 RGB in [0, 1], and
returns float32 (H, W, 3). The weights of the styles sum to 1; strength 0 gives the content back, 1 the full style.
"""

from __future__ import annotations

import functools
import math
import threading
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylize.errors import WeightsError
from stylize.images.resizing import resized, size_for_long_side, with_change_of
from stylize.machine import available_cores
from stylize.networks import native_stderr_silenced
from stylize.networks.style_vectors import Recall

__all__ = ["ConvertedStylizer", "Int8Stylizer", "MagentaStylizer", "convert"]

_STYLE_PX = 256
_TRANSFER_PX = 384
# The network takes 3 kB a pixel: beyond it the painting's change is enlarged instead.
_MAX_CONTENT_PX = 1280
_MOST_KEPT_PX = 512**2
#: How far, in [0, 1], a pixel of the converted network may be from the SavedModel's.
_TOLERANCE = 0.02


class _WholeStylizer:
    """Content and style to picture, the style bottleneck hidden: blends and strength act on pixels."""

    def stylize(self, content: np.ndarray, styles: Sequence[tuple[np.ndarray, float]], strength: float) -> np.ndarray:
        """Stylize `content`; see the module."""
        result = (1 - strength) * content
        for style, weight in styles if strength > 0 else ():
            result = result + strength * weight * self._painted(content, style)
        return np.clip(result, 0, 1).astype(np.float32)

    def _painted(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        height, width = style.shape[:2]
        shrink = _STYLE_PX / min(height, width)
        seen = resized(style, max(_STYLE_PX, round(height * shrink)), max(_STYLE_PX, round(width * shrink)))
        height, width = content.shape[:2]
        most = min(_MAX_CONTENT_PX, max(height, width))
        small = resized(content, *size_for_long_side(height, width, most))
        painted = self.run(small[None], seen[None])[0]
        # The network's strides round the size up to a multiple of four.
        painted = painted if painted.shape == small.shape else resized(painted, *small.shape[:2])
        return with_change_of(content, small, painted)

    def run(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Run the network: (1, H, W, 3) and (1, h, w, 3) to (1, H', W', 3)."""
        raise NotImplementedError


class MagentaStylizer(_WholeStylizer):
    """The SavedModel, by TensorFlow."""

    def __init__(self, folder: Path) -> None:
        """Load the SavedModel in `folder` through tensorflow-hub; raises WeightsError if it is not one."""
        from stylize.networks.backend import tf

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

    def run(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Run the network; see above."""
        outputs: Any = self._module(self._tf.constant(content), self._tf.constant(style))
        painted: np.ndarray = outputs[0].numpy()
        return painted

    def converted(self) -> bytes:
        """Return the network as a LiteRT file of any height and width. Raises what TensorFlow's converter raises."""
        tf = self._tf
        picture = tf.TensorSpec((1, None, None, 3), tf.float32)

        @tf.function(input_signature=[picture, picture])
        def transfer(content: Any, style: Any) -> Any:
            return self._module(content, style)[0]

        converter = tf.lite.TFLiteConverter.from_concrete_functions([transfer.get_concrete_function()], self._module)
        data: bytes = converter.convert()
        return data


class ConvertedStylizer(_WholeStylizer):
    """The SavedModel as LiteRT runs it: no TensorFlow to import."""

    def __init__(self, model: Path | bytes) -> None:
        """Take a LiteRT file, or its bytes. Raises ValueError if it is none."""
        self._source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        self._interpreter = self._opened()
        self._lock = threading.Lock()

    def _opened(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter(**self._source, num_threads=available_cores())

    def run(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Run the network; see above."""
        with self._lock:
            # The names hold those of the arguments that were converted.
            details = sorted(self._interpreter.get_input_details(), key=lambda detail: "style" in detail["name"])
            for detail, value in zip(details, (content, style), strict=True):
                self._interpreter.resize_tensor_input(detail["index"], value.shape)
            with native_stderr_silenced():
                self._interpreter.allocate_tensors()
            for detail, value in zip(details, (content, style), strict=True):
                self._interpreter.set_tensor(detail["index"], np.ascontiguousarray(value, np.float32))
            self._interpreter.invoke()
            painted: np.ndarray = self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])
            if content.size > 3 * _MOST_KEPT_PX:
                self._interpreter = self._opened()  # LiteRT gives its memory back with the interpreter alone
            return painted


def convert(stylizer: MagentaStylizer) -> tuple[bytes | None, str]:
    """Convert to LiteRT and compare on a probe pair: (the file, what was found), or (None, why it does not serve)."""
    # Whatever a converter fails with, the SavedModel goes on serving.
    try:
        with warnings.catch_warnings(), native_stderr_silenced():
            warnings.simplefilter("ignore")
            data = stylizer.converted()
            converted = ConvertedStylizer(data)
            difference = max(_difference(stylizer, converted, *shapes) for shapes in _PROBES)
    except Exception as error:
        return None, f"conversion to LiteRT failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
    if not difference <= _TOLERANCE:
        return None, f"LiteRT's pictures differ by {difference:.3g}, more than {_TOLERANCE}"
    return data, f"LiteRT's pictures differ by at most {difference:.2g}"


# Content and style, height and width: two of each, as a converted network has to take any.
_PROBES = (((192, 256), (256, 320)), ((130, 90), (300, 256)))


def _difference(one: _WholeStylizer, other: _WholeStylizer, *shapes: tuple[int, int]) -> float:
    content, style = (_probe(*shape) for shape in shapes)
    ours, theirs = one.run(content, style), other.run(content, style)
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else math.inf


def _probe(height: int, width: int) -> np.ndarray:
    """Return (1, height, width, 3) with all that a picture has: soft and hard edges, colours, grain."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(x / 9 + y / 31), np.sin(y / 7) * np.cos(x / 13), np.sign(np.sin((x + y) / 23))]
    grain = np.random.default_rng(0).normal(0, 0.1, (height, width, 3))
    return np.clip(np.stack(waves, -1) * 0.4 + 0.5 + grain, 0, 1)[None].astype(np.float32)


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
        self._recall = recall or _forget
        self._lock = threading.Lock()

    @functools.cached_property
    def _predict(self) -> Any:
        return _int8_interpreter(self._predict_path)

    def encode_style(self, style: np.ndarray) -> np.ndarray:
        """Return the style bottleneck (100,) of a picture (H, W, 3).

        The network sees squares of 256 px; a longer picture is covered by several squares, and their bottlenecks are
        averaged, rather than squashed or cut.
        """
        return self._code(style, self._recall)

    def _code(self, style: np.ndarray, recall: Recall) -> np.ndarray:
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
            codes.append(recall(square, self._encoded))
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
            # Contents are many: theirs are not worth keeping.
            code = strength * code + (1 - strength) * self._code(content, _forget)
        painted = self.transfer(content, code.astype(np.float32))
        # Even with its own bottleneck the network softens the content: the lower half of the scale leads back to it.
        keep = max(0.0, 1 - 2 * strength)
        return np.clip(keep * content + (1 - keep) * painted, 0, 1).astype(np.float32)


_MAX_SQUARES = 4


def _forget(square: np.ndarray, encode: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    return encode(square)


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

"""Magenta's arbitrary image stylization (Ghiasi et al. 2017, arXiv 1705.06830), in three forms.

`MagentaStylizer` runs TF-Hub's SavedModel, `ConvertedStylizer` the same network converted to LiteRT, and
`Int8Stylizer` the published pair of int8 files.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import WeightsError
from stylize.images.resizing import resized, size_for_long_side, with_change_of
from stylize.native_stderr import native_stderr_silenced
from stylize.networks.litert import LiteRTNetwork
from stylize.networks.style_vectors import Recall

__all__ = ["MAX_CONTENT_PX", "ConvertedStylizer", "Int8Stylizer", "MagentaStylizer", "convert"]

#: Long side, in pixels, up to which a content is painted. The network takes 3 kB of memory per pixel. For a larger
#: content, the change of a smaller painting is enlarged.
MAX_CONTENT_PX = 1280
#: Pixels up to which the converted network's memory is kept for the next picture.
_MAX_KEPT_PX = 512**2
#: Side, in pixels, of the squares from which the network reads a style.
_STYLE_PX = 256
#: The greatest difference, in [0, 1], that a pixel of the converted network may have from the SavedModel's.
_MAX_DIFFERENCE = 0.02
#: Sizes (height, width) of content and style for which both networks are compared; two, because a converted network
#: has to accept any size.
_PROBE_SIZES = (((192, 256), (256, 320)), ((130, 90), (300, 256)))
#: Side, in pixels, of the picture that the int8 network paints.
_INT8_CONTENT_PX = 384
#: The greatest number of squares that cover a long style. Of a longer style the middle is read: the whole, with a short
#: side of 256 px, might fill the memory.
_MAX_SQUARES = 4


class _EndToEndStylizer:
    """A network from content and style to a picture. Its style vector is hidden, so pixels are blended instead."""

    def stylize(
        self, content: NDArray[np.float32], styles: Sequence[tuple[NDArray[np.float32], float]], strength: float
    ) -> NDArray[np.float32]:
        """Paint a content picture with a blend of styles.

        Args:
            content: (H, W, 3) RGB in [0, 1].
            styles: Pairs of a style, (H, W, 3) RGB in [0, 1], and its weight; the weights sum to 1.
            strength: 0 returns the content, 1 the full style; between them, both are mixed.

        Returns:
            (H, W, 3) in [0, 1].
        """
        result: NDArray[np.float32] = (1 - strength) * content
        for style, weight in styles if strength > 0 else ():
            result = result + strength * weight * self._paint(content, style)
        return np.clip(result, 0, 1).astype(np.float32)

    def _paint(self, content: NDArray[np.float32], style: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = content.shape[:2]
        small = resized(content, *size_for_long_side(height, width, min(MAX_CONTENT_PX, max(height, width))))
        painted = self.run(small[None], _style_input(style)[None])[0]
        if painted.shape != small.shape:  # The network's strides round its output up to a multiple of four.
            painted = resized(painted, *small.shape[:2])
        return with_change_of(content, small, painted)

    def run(self, content: NDArray[np.float32], style: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network.

        Args:
            content: (1, H, W, 3) in [0, 1].
            style: (1, h, w, 3) in [0, 1], at least 256 px a side.

        Returns:
            (1, H', W', 3) in [0, 1]: H and W, rounded up to a multiple of four.
        """
        raise NotImplementedError


class MagentaStylizer(_EndToEndStylizer):
    """TF-Hub's SavedModel, run by TensorFlow.

    Args:
        folder: The SavedModel's folder.

    Raises:
        WeightsError: There is no intact SavedModel in the folder, or TensorFlow or TF-Hub is not installed.
    """

    def __init__(self, folder: Path) -> None:
        from stylize.networks import devices

        if not devices.runs_saved_models():
            raise WeightsError(
                "magenta: needs TensorFlow and tensorflow-hub, which are not installed; take mini or magenta-int8"
            )
        tf = devices.tensorflow()

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
            import tensorflow_hub

        try:
            self._module = tensorflow_hub.load(str(folder))
        except (OSError, ValueError, IndexError, tf.errors.OpError) as error:
            # Damaged folders caused each of these: no graph, no variables, variables cut short.
            raise WeightsError(
                f"magenta: expected a SavedModel in {folder}, received files that do not load "
                f"({str(error).splitlines()[0]}): run `stylize models remove magenta`, then `stylize models pull "
                "magenta`"
            ) from error
        self._tf = tf

    def run(self, content: NDArray[np.float32], style: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network; see the base class."""
        outputs: Any = self._module(self._tf.constant(content), self._tf.constant(style))
        painted: NDArray[np.float32] = outputs[0].numpy()
        return painted

    def to_litert(self) -> bytes:
        """Return the network as a LiteRT file for any height and width.

        Raises:
            Exception: Whatever TensorFlow's converter raises.
        """
        tf = self._tf
        picture = tf.TensorSpec((1, None, None, 3), tf.float32)

        def transfer(content: Any, style: Any) -> Any:
            return self._module(content, style)[0]

        concrete = tf.function(transfer, input_signature=[picture, picture]).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], self._module)
        data: bytes = converter.convert()
        return data


class ConvertedStylizer(_EndToEndStylizer):
    """The SavedModel converted to LiteRT. TensorFlow is not imported.

    Args:
        model: The LiteRT file, or its bytes.

    Raises:
        ValueError: This is not a LiteRT file.
    """

    def __init__(self, model: Path | bytes) -> None:
        self._network = LiteRTNetwork(model, max_kept_px=_MAX_KEPT_PX)
        self._network.load()

    def run(self, content: NDArray[np.float32], style: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network; see the base class."""
        return self._network.run(content, style)


def convert(stylizer: MagentaStylizer) -> tuple[bytes | None, str]:
    """Convert a SavedModel to LiteRT, and compare both networks on made-up pictures.

    Returns:
        The LiteRT file and the measured difference in words; or None and the reason why the conversion is not usable.
    """
    # The SavedModel works without a conversion, so no failure of the converter may end the program.
    try:
        with warnings.catch_warnings(), native_stderr_silenced():
            warnings.simplefilter("ignore")
            data = stylizer.to_litert()
            converted = ConvertedStylizer(data)
            difference = max(_difference(stylizer, converted, *sizes) for sizes in _PROBE_SIZES)
    except Exception as error:
        return None, f"conversion to LiteRT failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
    if not difference <= _MAX_DIFFERENCE:
        return None, f"LiteRT's pictures differ by {difference:.3g}, more than {_MAX_DIFFERENCE}"
    return data, f"LiteRT's pictures differ by at most {difference:.2g}"


def _difference(
    one: _EndToEndStylizer, other: _EndToEndStylizer, content_size: tuple[int, int], style_size: tuple[int, int]
) -> float:
    """Return the greatest difference of a pixel, infinite if the shapes differ."""
    content, style = _probe(*content_size), _probe(*style_size)
    ours, theirs = one.run(content, style), other.run(content, style)
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else math.inf


def _probe(height: int, width: int) -> NDArray[np.float32]:
    """Return a made-up picture (1, height, width, 3) with soft and hard edges, colours and grain."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin(x / 9 + y / 31), np.sin(y / 7) * np.cos(x / 13), np.sign(np.sin((x + y) / 23))]
    grain = np.random.default_rng(0).normal(0, 0.1, (height, width, 3))
    return np.clip(np.stack(waves, -1) * 0.4 + 0.5 + grain, 0, 1)[None].astype(np.float32)


class Int8Stylizer:
    """The published pair of int8 files: style prediction at 256 px and transfer at 384 px.

    The style vector (the paper's bottleneck of 100 numbers) is accessible here. A blend is the weighted mean of the
    styles' vectors, and the strength interpolates between the content's own vector and the style's, as in the paper.

    Args:
        predict: The file from a style to its vector. It is opened when `recall` asks for a vector.
        transfer: The file from a content and a vector to a picture.
        recall: Returns the vector of a picture: a known vector, or what the network returns. None: predict always.

    Raises:
        WeightsError: LiteRT can't run a file; also raised by the methods.
    """

    def __init__(self, predict: Path, transfer: Path, recall: Recall | None = None) -> None:
        self._predict_network = LiteRTNetwork(predict)
        self._transfer_network = LiteRTNetwork(transfer)
        self._recall = recall or _predict_always
        with _int8_errors():
            self._transfer_network.load()

    def encode_style(self, style: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the style vector (100,) of a picture (H, W, 3) in [0, 1].

        The network reads squares of 256 px. Up to four squares cover a longer picture, and their vectors are averaged,
        so that the picture is not distorted.
        """
        return self._vector(style, self._recall)

    def _vector(self, style: NDArray[np.float32], recall: Recall) -> NDArray[np.float32]:
        small = _style_input(style)
        height, width = small.shape[:2]
        count = math.ceil(max(height, width) / _STYLE_PX)
        vectors = []
        for top, left in zip(
            np.linspace(0, height - _STYLE_PX, count).round().astype(int),
            np.linspace(0, width - _STYLE_PX, count).round().astype(int),
            strict=True,
        ):
            square = small[top : top + _STYLE_PX, left : left + _STYLE_PX]
            vectors.append(recall(square, self._predict))
        mean: NDArray[np.float32] = np.stack(vectors).mean(axis=0, dtype=np.float32)
        return mean

    def _predict(self, square: NDArray[np.float32]) -> NDArray[np.float32]:
        with _int8_errors():
            return self._predict_network.run(square[None]).ravel()

    def transfer(self, content: NDArray[np.float32], vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Paint a content picture with a style vector.

        The content is scaled to a long side of 384 px, and its border is mirrored to fill the square.

        Args:
            content: (H, W, 3) in [0, 1].
            vector: (100,), from `encode_style`, or a weighted mean of such vectors.

        Returns:
            (H, W, 3) in [0, 1].
        """
        height, width = content.shape[:2]
        scale = _INT8_CONTENT_PX / max(height, width)
        inner_height, inner_width = (max(1, round(side * scale)) for side in (height, width))
        small = resized(content, inner_height, inner_width)
        top, left = (_INT8_CONTENT_PX - inner_height) // 2, (_INT8_CONTENT_PX - inner_width) // 2
        bottom, right = _INT8_CONTENT_PX - inner_height - top, _INT8_CONTENT_PX - inner_width - left
        square = np.pad(small, ((top, bottom), (left, right), (0, 0)), mode="symmetric")
        with _int8_errors():
            painted = self._transfer_network.run(square[None], vector.reshape(1, 1, 1, -1))[0]
        return resized(painted[top : top + inner_height, left : left + inner_width], height, width)

    def stylize(
        self, content: NDArray[np.float32], styles: Sequence[tuple[NDArray[np.float32], float]], strength: float
    ) -> NDArray[np.float32]:
        """Paint a content picture with a blend of styles.

        Args:
            content: (H, W, 3) RGB in [0, 1].
            styles: Pairs of a style, (H, W, 3) RGB in [0, 1], and its weight; the weights sum to 1.
            strength: 0 returns the content, 1 paints the full style.

        Returns:
            (H, W, 3) in [0, 1].
        """
        if strength == 0:
            return content
        vector = np.sum([weight * self.encode_style(style) for style, weight in styles], axis=0)
        if strength < 1:
            # A content's vector is not recalled: keeping the vectors of many contents is not worth the space.
            vector = strength * vector + (1 - strength) * self._vector(content, _predict_always)
        painted = self.transfer(content, vector.astype(np.float32))
        # The network blurs the content even with the content's own vector, so below strength 0.5 the content itself is
        # mixed in.
        content_share = max(0.0, 1 - 2 * strength)
        return np.clip(content_share * content + (1 - content_share) * painted, 0, 1).astype(np.float32)


def _style_input(style: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a style (H, W, 3) with a short side of 256 px; of a style that is too long, its middle."""
    longest = _MAX_SQUARES * min(style.shape[:2])
    top, left = (max(0, side - longest) // 2 for side in style.shape[:2])
    style = style[top : top + longest, left : left + longest]
    height, width = style.shape[:2]
    scale = _STYLE_PX / min(height, width)
    return resized(style, max(_STYLE_PX, round(height * scale)), max(_STYLE_PX, round(width * scale)))


def _predict_always(
    square: NDArray[np.float32], predict: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    return predict(square)


@contextlib.contextmanager
def _int8_errors() -> Iterator[None]:
    """Turn LiteRT's errors into a WeightsError that says what to do."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise WeightsError(
            "magenta-int8: expected two TFLite networks, received a file that does not load "
            f"({str(error).splitlines()[0]}): run `stylize models verify magenta-int8`"
        ) from error

"""Made-up pictures and tiny random networks for the tests."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import stylize
from stylize.config import PerceptualLossConfig
from stylize.networks import local

if TYPE_CHECKING:
    from stylize.losses.objective import Objective
    from stylize.networks.vgg import FeatureEncoder

TESTS = Path(__file__).resolve().parent
GOLDEN = TESTS / "golden"
# What is tested is the package that is installed: in a checkout that is not installed as editable, another folder.
PACKAGE = Path(stylize.__file__).parent
MODELS = local.EMBEDDED
REPOSITORY = TESTS.parent
SHARED = REPOSITORY.parent / "shared"


def _examples() -> Path:
    spec = importlib.util.find_spec("stylize.examples")
    assert spec is not None, "the package is not installed"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


EXAMPLES = _examples()
TINY_CHANNELS = {"1": 4, "2": 6, "3": 8, "4": 8, "5": 8}


def tiny_convolutions(seed: int = 0) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Random kernels and biases of a VGG with a few channels, He-initialised, up to conv5_1."""
    random = np.random.default_rng(seed)
    layers = ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4", "4_1", "4_2", "4_3", "4_4", "5_1"]
    convolutions, channels = {}, 3
    for layer in layers:
        width = TINY_CHANNELS[layer[0]]
        kernel = random.normal(0, np.sqrt(2 / (9 * channels)), (3, 3, channels, width)).astype(np.float32)
        convolutions[f"conv{layer}"] = (kernel, random.normal(0, 0.1, width).astype(np.float32))
        channels = width
    return convolutions


@functools.cache  # Tracing a graph takes longer than all the arithmetic of a test.
def tiny_objective(
    config: PerceptualLossConfig | None = None,
    *,
    padding: Literal["edge", "zeros"] = "zeros",
    pooling: Literal["max", "avg"] = "max",
) -> Objective:
    """An objective on the tiny convolutions, in float32; without a config the default one."""
    from stylize.losses.objective import Objective

    config = config or PerceptualLossConfig()
    return Objective(tiny_encoder(config, padding=padding, pooling=pooling), config)


def tiny_encoder(
    config: PerceptualLossConfig, *, padding: Literal["edge", "zeros"] = "zeros", pooling: Literal["max", "avg"] = "max"
) -> FeatureEncoder:
    """The tiny convolutions up to the layers of a config, in float32."""
    from stylize.networks.vgg import EncoderWeights, FeatureEncoder

    weights = EncoderWeights(tiny_convolutions())
    return FeatureEncoder(weights, config.layers, pooling=pooling, precision="float32", padding=padding)


def value_and_gradient(
    function: Callable[[Any], Any], x: NDArray[np.floating[Any]]
) -> tuple[float, NDArray[np.float32]]:
    """The value of a loss at x, and its gradient as the backend derives it."""
    from stylize.networks.backend import array_of, framework, numpy_of

    value, _, gradient = framework.value_and_gradient(lambda there: (function(there), ()))(array_of(x))
    return float(value), numpy_of(gradient)


def refused_allocation() -> Exception:
    """What the backend raises where there is not enough memory: here for a petabyte."""
    from stylize.networks.backend import numpy_of, ops

    try:
        numpy_of(ops.ones((1 << 24, 1 << 24)))
    except Exception as error:
        return error
    raise AssertionError("a petabyte was there")


# What the default was before places: rounding makes no difference that grows.
EARLIER_RECIPE: dict[str, Any] = {
    "places_weight": 0.0, "light_weight": 0.0, "light_detail": 0.0, "saliency": 0.0, "enough_positions": 0,
    "contrast_limit": 0.0, "content_range_px": (0, 65535), "padding": "first",
}  # fmt: skip


def assert_tiled_is_untiled(
    monkeypatch: pytest.MonkeyPatch, content: NDArray[np.float32], styles: Any, options: dict[str, Any]
) -> None:
    """Assert that `refine` in tiles computes what `refine` computes of the whole picture.

    Each picture that the tiled run visits is computed as a whole, too; then the results of both runs are compared. A
    gradient jumps where a ReLU, a maximum or the nearest place of a style changes: rounding is enough for jumps of
    .002 of its length. So two runs of the default drift apart with every step.

    Args:
        monkeypatch: sets the memory at hand to 0.
        content: (H, W, 3).
        styles: one or several, as of `refine`.
        options: of `refine`; those of `EARLIER_RECIPE` paint to the same picture.
    """
    from stylize.images.resizing import with_margin
    from stylize.losses.objective import Objective
    from stylize.losses.tiles import fits_whole
    from stylize.networks.backend import numpy_of
    from stylize.transfer.tiling import SMALLEST_TILE_PX

    result = stylize.refine(content, styles, **options)
    assert isinstance(result.config, stylize.RefineConfig)
    whole, margin_px = result.image, result.config.margin_px
    value_and_gradient = Objective.value_and_gradient
    sizes, far = set(), []

    def both_ways(objective: Objective, image: Any, targets: Any, tile_px: int | None = None) -> tuple[Any, Any]:
        terms, gradient = value_and_gradient(objective, image, targets, tile_px)
        if not fits_whole(image, tile_px):
            sizes.add(image.shape)
            wanted, of_whole = value_and_gradient(objective, image, targets)
            for name in ("total", "content", "style", "total_variation"):
                assert terms[name] == pytest.approx(wanted[name], rel=1e-5)
            ours, theirs = numpy_of(gradient), numpy_of(of_whole)
            far.append(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
        return terms, gradient

    monkeypatch.setattr(Objective, "value_and_gradient", both_ways)
    monkeypatch.setattr("stylize.transfer.tiling.available_memory_bytes", lambda: 0)
    # With that, no run would begin.
    monkeypatch.setattr("stylize.transfer.tiling._check_room", lambda *arguments: None)
    messages: list[str] = []
    tiled = stylize.refine(content, styles, **options, on_message=messages.append).image
    assert any(f"in tiles of {SMALLEST_TILE_PX} px" in message for message in messages)
    assert with_margin(whole, margin_px).shape in {shape[1:] for shape in sizes}
    assert np.median(far) < 1e-4
    assert max(far) < 5e-3
    apart = np.abs(tiled - whole)
    is_earlier = EARLIER_RECIPE.items() <= options.items()
    if is_earlier:
        assert apart.max() < 5e-3
    assert np.mean(apart > 2e-3) < (5e-5 if is_earlier else 0.02)
    assert apart.mean() < 5e-4


def painting(height: int, width: int, seed: int) -> NDArray[np.float32]:
    """A smooth, colourful, structured picture, float32 (height, width, 3) in [0, 1]."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32) / max(height, width)
    picture = np.zeros((height, width, 3), np.float32)
    for channel in range(3):
        for _ in range(4):
            fy, fx, phase = random.uniform(2, 14), random.uniform(2, 14), random.uniform(0, 6)
            picture[..., channel] += np.sin(fy * y * 6 + fx * x * 6 + phase)
    return (picture / 8 + 0.5).clip(0, 1)


def left_half(height: int, width: int) -> NDArray[np.float32]:
    """A mask whose left half is white, float32 (height, width)."""
    mask = np.zeros((height, width), np.float32)
    mask[:, : width // 2] = 1
    return mask


def small_hub_network(folder: Path, *, brightness: float = 0.0, unknown_to_litert: bool = False) -> Path:
    """A SavedModel of Magenta's signature and kinds of layers."""
    from stylize.networks.devices import tensorflow

    tf = tensorflow()
    random = np.random.default_rng(0)

    class Module(tf.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            shapes = [(3, 3, 3, 8), (3, 3, 8, 8), (3, 3, 8, 3)]
            self.kernels = [tf.Variable(random.normal(0, 0.2, shape).astype(np.float32)) for shape in shapes]

        @tf.function(  # type: ignore[untyped-decorator]
            input_signature=[
                tf.TensorSpec([None, None, None, 3], tf.float32, name="placeholder"),
                tf.TensorSpec([None, None, None, 3], tf.float32, name="placeholder_1"),
            ]
        )
        def __call__(self, content: Any, style: Any) -> list[Any]:
            x = content
            for kernel in self.kernels[:2]:
                x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "REFLECT")
                x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "VALID"))
            mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
            x = (x - mean) * tf.math.rsqrt(variance + 1e-3)
            for _ in range(2):  # up to a multiple of four, as the real network
                x = tf.image.resize(x, 2 * tf.shape(x)[1:3], "nearest")
            x = tf.nn.conv2d(x, self.kernels[2], 1, "SAME") + tf.reduce_mean(style, [1, 2], keepdims=True)
            if unknown_to_litert:
                x += 1e-9 * tf.linalg.det(tf.eye(2) * x[0, 0, 0, 0])
            return [tf.clip_by_value(tf.sigmoid(x) + brightness, 0.0, 1.0)]

    tf.saved_model.save(Module(), str(folder))
    return folder

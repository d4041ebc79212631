"""The embedded stylizer, with the files that the package ships."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from samples import EXAMPLES, MODELS
from stylize.images.reading import read_image
from stylize.images.resizing import resized
from stylize.networks.mini import MiniStylizer


@pytest.fixture(scope="module")
def stylizer() -> MiniStylizer:
    return MiniStylizer(MODELS / "mini_style.tflite", MODELS / "mini_transfer.tflite")


def scene(height: int, width: int) -> NDArray[np.float32]:
    """A bright disc over a gradient: the parts of a photo that a stylizer must keep apart."""
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    picture = np.stack([0.2 + 0.5 * x, 0.3 + 0.3 * y, 0.7 - 0.4 * x], axis=-1)
    picture[(x - 0.4) ** 2 + (y - 0.4) ** 2 < 0.05] = (0.9, 0.8, 0.3)
    return picture.astype(np.float32)


def stripes(height: int, width: int, colour: tuple[float, float, float] = (0.8, 0.2, 0.1)) -> NDArray[np.float32]:
    wave = 0.5 + 0.5 * np.sin(np.arange(width) * 0.7)
    return (np.ones((height, 1, 1)) * wave[:, None] * np.asarray(colour)).astype(np.float32)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (17, 31), (97, 64), (128, 129)])
def test_output_has_the_content_s_size_and_range(stylizer, size):
    painted = stylizer.stylize(scene(*size), [(stripes(64, 48), 1.0)], 1.0)
    assert painted.shape == (*size, 3)
    assert painted.dtype == np.float32
    assert painted.min() >= 0.0
    assert painted.max() <= 1.0


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (33, 15), (900, 600)])
def test_a_style_of_any_size_has_a_vector_of_one_length(stylizer, size):
    code = stylizer.encode_style(stripes(*size))
    assert code.shape == stylizer.encode_style(stripes(64, 64)).shape
    assert np.isfinite(code).all()


def test_same_pictures_give_the_same_result_whatever_ran_between(stylizer):
    content, style = scene(60, 81), stripes(64, 64)
    first = stylizer.stylize(content, [(style, 1.0)], 1.0)
    stylizer.stylize(scene(33, 40), [(stripes(40, 40, (0.1, 0.5, 0.9)), 1.0)], 0.5)
    np.testing.assert_array_equal(first, stylizer.stylize(content, [(style, 1.0)], 1.0))


def test_strength_zero_is_the_content_and_more_is_further_away(stylizer):
    content, style = scene(96, 96), stripes(96, 96)
    distances = [
        float(np.abs(stylizer.stylize(content, [(style, 1.0)], strength) - content).mean())
        for strength in (0.0, 0.02, 0.5, 1.0)
    ]
    assert distances[0] == 0.0
    assert distances[1] < 0.03
    assert distances == sorted(distances)


def test_full_strength_takes_over_the_style_s_colours(stylizer):
    content, style = scene(128, 128), stripes(128, 128)
    painted = stylizer.stylize(content, [(style, 1.0)], 1.0)
    before = np.abs(content.mean((0, 1)) - style.mean((0, 1))).mean()
    assert np.abs(painted.mean((0, 1)) - style.mean((0, 1))).mean() < 0.4 * before


def test_a_blend_lies_between_its_styles(stylizer):
    content = scene(64, 64)
    red, blue = stripes(64, 64), stripes(64, 64, (0.1, 0.3, 0.9))
    means = [
        stylizer.stylize(content, styles, 1.0).mean((0, 1))
        for styles in ([(red, 1.0)], [(red, 0.5), (blue, 0.5)], [(blue, 1.0)])
    ]
    assert means[0][0] > means[1][0] > means[2][0]
    assert means[0][2] < means[1][2] < means[2][2]


def test_a_flat_content_stays_finite(stylizer):
    painted = stylizer.stylize(np.full((40, 40, 3), 0.5, np.float32), [(stripes(64, 64), 1.0)], 1.0)
    assert np.isfinite(painted).all()


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_a_large_content_is_painted_at_a_bounded_size(stylizer, monkeypatch, strength):
    monkeypatch.setattr("stylize.networks.mini.MAX_CONTENT_PX", 96)
    content, style = scene(288, 384), [(stripes(96, 96), 1.0)]
    painted = stylizer.stylize(content, style, strength)
    assert painted.shape == content.shape
    small = stylizer.stylize(resized(content, 72, 96), style, strength)
    assert np.abs(small - resized(content, 72, 96)).mean() > 0.05
    assert np.abs(resized(painted, 72, 96) - small).mean() < 0.02


def test_runs_without_tensorflow():
    program = (
        "import sys, numpy as np; from pathlib import Path; from stylize.networks.mini import MiniStylizer;"
        f"folder = Path({str(MODELS)!r});"
        "mini = MiniStylizer(folder / 'mini_style.tflite', folder / 'mini_transfer.tflite');"
        "grey = np.full((20, 20, 3), 0.5, np.float32); mini.stylize(grey, [(grey, 1.0)], 1.0);"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)


def test_a_row_of_strengths_paints_the_content_with_its_own_vector_once(stylizer, monkeypatch):
    content, style = scene(40, 56), stripes(64, 64)
    strengths = (0.3, 0.6, 0.9)
    alone = []
    for strength in strengths:
        stylizer.stylize(scene(24, 24), [(style, 1.0)], 0.5)
        alone.append(stylizer.stylize(content, [(style, 1.0)], strength))
    transfers, transfer = [], stylizer.transfer
    monkeypatch.setattr(stylizer, "transfer", lambda *inputs: transfers.append(1) or transfer(*inputs))
    stylizer.stylize(scene(24, 24), [(style, 1.0)], 0.5)
    transfers.clear()
    for strength, expected in zip(strengths, alone, strict=True):
        np.testing.assert_array_equal(stylizer.stylize(content, [(style, 1.0)], strength), expected)
    assert len(transfers) == len(strengths) + 1


def test_another_thread_may_paint_another_content_between():
    class Raced(MiniStylizer):
        """Between two looks at what is kept, another thread keeps something else."""

        kept: ClassVar[list[Any]] = []

        @property
        def _last_own(self):
            return self.kept.pop(0) if len(self.kept) > 1 else self.kept[0]

        @_last_own.setter
        def _last_own(self, value):
            self.kept[:] = [value]

    stylizer = Raced(MODELS / "mini_style.tflite", MODELS / "mini_transfer.tflite")
    content, style = scene(40, 56), stripes(64, 64)
    first = stylizer.stylize(content, [(style, 1.0)], 0.5)
    of_content = stylizer.kept[0]
    stylizer.stylize(scene(24, 24), [(style, 1.0)], 0.5)
    stylizer.kept[:] = [of_content, of_content, *stylizer.kept]
    np.testing.assert_array_equal(stylizer.stylize(content, [(style, 1.0)], 0.5), first)


def test_the_memory_of_a_large_painting_is_given_back(opened, monkeypatch):
    monkeypatch.setattr("stylize.networks.mini.MAX_KEPT_PX", 40 * 56 - 1)
    stylizer = MiniStylizer(MODELS / "mini_style.tflite", MODELS / "mini_transfer.tflite")
    content, style = scene(40, 56), [(stripes(64, 64), 1.0)]
    before = stylizer.stylize(content, style, 1.0)
    for count in (3, 4):  # the encoder's, and one of the painter for each painting
        np.testing.assert_array_equal(stylizer.stylize(content, style, 1.0), before)
        assert len(opened) == count


@pytest.mark.parametrize("name", ["swirls", "woodcut"])
@pytest.mark.parametrize("style_px", [192, 256])
def test_a_small_style_paints_nearly_as_the_large_one(stylizer: MiniStylizer, name: str, style_px: int) -> None:
    style = read_image(EXAMPLES / f"style_{name}.jpg").pixels
    content = resized(read_image(EXAMPLES / "scene_still_life.jpg").pixels, 384, 512)
    scale = np.array(style.shape[:2]) / max(style.shape[:2])
    large, small = (resized(style, *(scale * px).round().astype(int)) for px in (512, style_px))
    expected = stylizer.stylize(content, [(large, 1.0)], 1.0)
    ours = stylizer.stylize(content, [(small, 1.0)], 1.0)
    unscaled = stylizer.transfer(content, stylizer.encode_style(small))
    assert np.square(ours - expected).mean() < 0.75 * np.square(unscaled - expected).mean()


def test_an_enlarged_style_is_no_larger_than_the_painted_picture(stylizer: MiniStylizer) -> None:
    content, style = scene(80, 100), stripes(90, 96)
    own_size = stylizer.transfer(content, stylizer.encode_style(resized(style, 94, 100)))
    np.testing.assert_array_equal(stylizer.stylize(content, [(style, 1.0)], 1.0), own_size)

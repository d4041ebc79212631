"""`fast` end to end on the embedded stylizer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

import stylize
from samples import EXAMPLES, GOLDEN, painting
from stylize.errors import OptionError


def test_fast_paints_at_the_size_asked_for(tiny_networks: Path, pictures: tuple[Path, Path]) -> None:
    content, style = pictures
    result = stylize.fast(content, style, size=75)
    assert result.image.shape == (50, 75, 3)
    assert result.image.dtype == np.float32
    assert 0 <= result.image.min() <= result.image.max() <= 1
    assert [network.name for network in result.networks] == ["mini"]


@pytest.mark.parametrize(("size", "shape"), [("original", (64, 96)), ("50%", (32, 48)), ("150%", (96, 144))])
def test_a_size_may_be_relative_to_the_content(
    tiny_networks: Path, pictures: tuple[Path, Path], tmp_path: Path, size: str, shape: tuple[int, int]
) -> None:
    assert stylize.fast(*pictures, size=size, keep_colors="histogram").image.shape == (*shape, 3)
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    Image.open(pictures[0]).save(tmp_path / "turned.jpg", exif=turned)
    assert stylize.fast(tmp_path / "turned.jpg", pictures[1], size=size).image.shape == (*shape[::-1], 3)


def test_paths_images_and_arrays_give_the_same(tiny_networks: Path, pictures: tuple[Path, Path]) -> None:
    content, style = pictures
    by_path = stylize.fast(content, style, size=64).image
    by_image = stylize.fast(Image.open(content), Image.open(style), size=64).image
    by_array = stylize.fast(np.asarray(Image.open(content)), np.asarray(Image.open(style)), size=64).image
    np.testing.assert_array_equal(by_path, by_image)
    np.testing.assert_array_equal(by_path, by_array)


def test_blend_of_one_style_with_itself_is_that_style(tiny_networks: Path, pictures: tuple[Path, Path]) -> None:
    content, style = pictures
    alone = stylize.fast(content, style, size=64).image
    blend = stylize.fast(content, [(style, 3.0), (style, 1.0)], size=64).image
    np.testing.assert_allclose(blend, alone, atol=2e-3)


def test_transparency_travels_beside_the_colours(tiny_networks: Path) -> None:
    pixels = np.dstack([painting(40, 60, 0), np.linspace(0, 1, 60, dtype=np.float32)[None].repeat(40, 0)])
    result = stylize.fast(pixels, painting(40, 40, 1), size=30)
    assert result.alpha.shape == (20, 30)
    np.testing.assert_allclose(result.alpha[5], np.linspace(0, 1, 30), atol=0.05)


def test_keep_colors_keeps_chroma(tiny_networks: Path) -> None:
    content = painting(40, 60, 0) * 0.3 + 0.35
    result = stylize.fast(content, painting(40, 40, 1), size=60, keep_colors=True)
    for a, b in ((0, 1), (2, 1)):
        difference = (result.image[..., a] - result.image[..., b]) - (content[..., a] - content[..., b])
        assert np.abs(difference).mean() < 0.02


@pytest.mark.parametrize(
    "options",
    [
        {"network": "vgg19"},
        {"network": "nothing"},
        {"size": 0},
        {"strength": 2.0},
    ],
)
def test_misuse_of_fast_is_one_line(tiny_networks: Path, pictures: tuple[Path, Path], options: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as caught:
        stylize.fast(*pictures, **options)
    assert "\n" not in str(caught.value)


def test_style_weights_must_make_sense(tiny_networks: Path, pictures: tuple[Path, Path]) -> None:
    for styles in ([], [(pictures[1], 0.0)], [(pictures[1], -1.0)], [(pictures[1], float("nan"))]):
        with pytest.raises(OptionError):
            stylize.fast(pictures[0], styles)


def test_fast_repeats_the_golden_picture(tiny_networks: Path) -> None:
    """The shipped stylizer on the project's own pictures; kernels of other CPUs differ by rounding."""
    examples = EXAMPLES
    result = stylize.fast(examples / "scene_lake.jpg", examples / "style_swirls.jpg", size=128)
    golden = stylize.read_image(GOLDEN / "fast_mini.png").pixels
    assert np.abs(result.image - golden).mean() < 2 / 255


def test_a_jpeg_decoded_at_reduced_size_gives_the_same_preview(tiny_networks: Path, tmp_path: Path) -> None:
    big = (painting(1504, 2000, 3) * 255).round().astype(np.uint8)
    Image.fromarray(big).save(tmp_path / "big.jpg", quality=95)
    Image.fromarray(big).save(tmp_path / "style.jpg", quality=95)
    paths = [tmp_path / name for name in ("big.jpg", "style.jpg")]
    small = stylize.fast(*paths, size=100, network="mini")
    whole = stylize.fast(*(stylize.read_image(path) for path in paths), size=100, network="mini")
    assert small.image.shape == whole.image.shape
    assert np.abs(small.image - whole.image).mean() < 2 / 255
    assert small.provenance["content"] == whole.provenance["content"]

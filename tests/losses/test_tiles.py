"""Tiles: their geometry, and losses and gradients that are those of the whole picture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samples import left_half, painting, tiny_objective
from stylize.config import PerceptualLossConfig, RefineConfig
from stylize.images.resizing import resized
from stylize.losses.tiles import fits_whole, tiles
from stylize.networks.backend import Array, numpy_of
from stylize.transfer.levels import make_objective
from stylize.transfer.session import Session

GRID = 16
sides = st.integers(1, 700)


@given(height=sides, width=sides, core=st.integers(1, 12), halo=st.integers(0, 6), stride=st.sampled_from([1, 4, 16]))
def test_cores_cover_every_activation_once_and_lie_in_their_crops(
    height: int, width: int, core: int, halo: int, stride: int
) -> None:
    rows, columns = height // stride, width // stride
    covered = np.zeros((rows, columns), int)
    for tile in tiles(height, width, core * GRID, halo * GRID):
        place, inside = tile.place_at(stride, rows, columns), tile.core_at(stride, rows, columns)
        covered[place] += 1
        crop = tile.crop
        for axis, whole in enumerate((height, width)):
            assert crop[axis].start % GRID == 0
            assert 0 <= crop[axis].start <= crop[axis].stop <= whole
            size = (crop[axis].stop - crop[axis].start) // stride
            assert 0 <= inside[axis].start <= inside[axis].stop <= size
            assert inside[axis].stop - inside[axis].start == place[axis].stop - place[axis].start
    assert (covered == 1).all()


def test_a_halo_surrounds_every_core_inside_the_picture() -> None:
    for tile in tiles(500, 300, 128, 48):
        for core, crop, size in (
            (tile.core_rows, tile.crop_rows, 500),
            (tile.core_columns, tile.crop_columns, 300),
        ):
            assert crop == (max(0, core[0] - 48), min(size, core[1] + 48))


@pytest.mark.parametrize(("height", "ends"), [(128, [128]), (304, [128, 304]), (305, [128, 256, 305])])
def test_the_last_core_takes_a_rest_up_to_the_width_of_a_halo(height: int, ends: list[int]) -> None:
    assert [tile.core_rows[1] for tile in tiles(height, 100, 128, 48)] == ends


def test_a_picture_of_as_many_pixels_as_a_tile_fits() -> None:
    assert [fits_whole(np.empty((1, 32, width, 3)), 64) for width in (128, 129)] == [True, False]
    assert fits_whole(np.empty((1, 32, 129, 3)), None)


@pytest.mark.slow
@settings(max_examples=6)
@given(
    height=st.integers(130, 220), width=st.integers(130, 220), tile_px=st.sampled_from([48, 100]),
    normalization=st.sampled_from(["relative", "mean", "sum"]), pooling=st.sampled_from(["max", "avg"]),
    statistics=st.sampled_from(["gram", "moments"]),
)  # fmt: skip
def test_tiles_change_neither_loss_nor_gradient(
    height: int,
    width: int,
    tile_px: int,
    normalization: Literal["relative", "mean", "sum"],
    pooling: Literal["max", "avg"],
    statistics: Literal["gram", "moments"],
) -> None:
    config = PerceptualLossConfig(normalization=normalization, octaves=3, statistics=statistics)
    # Covariances come out of sums by subtraction, which costs digits.
    exactness = {"gram": 1e-4, "moments": 1e-3}[statistics]
    loss = tiny_objective(config, padding="edge" if normalization == "relative" else "zeros", pooling=pooling)
    image, content, style = (painting(height, width, seed)[None] for seed in range(3))
    whole, gradient = loss.value_and_gradient(image, loss.targets.encode(content, [(style, 1.0)]))
    targets = loss.targets.encode(content, [(style, 1.0)], tile_px=tile_px)
    tiled, tiled_gradient = loss.value_and_gradient(image, targets, tile_px=tile_px)
    for terms in ("content_per_layer", "style_per_layer"):
        # A layer whose loss is near 0 has lost more digits than the total.
        assert tiled[terms] == pytest.approx(whole[terms], rel=3 * exactness)
    assert tiled["total"] == pytest.approx(whole["total"], rel=exactness)
    _assert_near(tiled_gradient, gradient, exactness)


def _assert_near(array: Array, expected: Array, exactness: float) -> None:
    ours, wanted = numpy_of(array), numpy_of(expected)
    assert np.linalg.norm(ours - wanted) < exactness * np.linalg.norm(wanted)


def test_tiles_agree_without_content() -> None:
    loss = tiny_objective(PerceptualLossConfig(content_layers=(), content_weight=0.0, statistics="gram"))
    image, style = painting(150, 140, 0)[None], painting(90, 96, 1)[None]
    whole, gradient = loss.value_and_gradient(image, loss.targets.encode(image, [(style, 1.0)]))
    tiled, tiled_gradient = loss.value_and_gradient(image, loss.targets.encode(image, [(style, 1.0)], 64), 64)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-5)
    wanted = numpy_of(gradient)
    np.testing.assert_allclose(numpy_of(tiled_gradient), wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.slow
@pytest.mark.parametrize("style_weight", [0.0, 1.0], ids=["content", "content and places"])
def test_tiles_agree_without_style_layers(style_weight: float) -> None:
    loss = tiny_objective(PerceptualLossConfig(style_layers=(), style_weight=style_weight, places_weight=style_weight))
    image, content, style = (
        painting(*size, seed)[None] for seed, size in enumerate([(150, 140), (150, 140), (90, 96)])
    )
    whole, gradient = loss.value_and_gradient(image, loss.targets.encode(content, [(style, 1.0)]))
    tiled, tiled_gradient = loss.value_and_gradient(image, loss.targets.encode(content, [(style, 1.0)], 64), 64)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-4)
    _assert_near(tiled_gradient, gradient, 1e-3)


@pytest.mark.parametrize(
    ("normalization", "regions"),
    [
        ("relative", 2),
        ("mean", 1),
        pytest.param("relative", 1, marks=pytest.mark.slow),
        pytest.param("mean", 2, marks=pytest.mark.slow),
    ],
)
def test_tiles_change_neither_loss_nor_gradient_within_masks(
    normalization: Literal["relative", "mean", "sum"], regions: int
) -> None:
    loss = tiny_objective(PerceptualLossConfig(octaves=3, normalization=normalization), padding="edge")
    image, content, *styles = (painting(150, 190, seed)[None] for seed in range(4))
    soft = resized(left_half(30, 38), 150, 190)
    masks = np.stack([soft, 1 - soft][:regions])
    whole, gradient = loss.value_and_gradient(
        image, loss.targets.encode(content, [(s, 0.5) for s in styles], None, masks)
    )
    targets = loss.targets.encode(content, [(s, 0.5) for s in styles], 48, masks)
    tiled, of_tiles = loss.value_and_gradient(image, targets, 48)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-3)
    assert tiled["style_per_layer"] == pytest.approx(whole["style_per_layer"], rel=1e-3)
    _assert_near(of_tiles, gradient, 1e-3)
    own = [loss.targets.of_regions(image, loss.targets.regions([image], masks), tile_px) for tile_px in (None, 48)]
    for plain, tiled in zip(*own, strict=True):
        ours, wanted = (numpy_of(each.statistics[0]["relu3_1"]) for each in (tiled, plain))
        np.testing.assert_allclose(ours, wanted, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
def test_bands_of_rows_change_nothing_in_the_losses_of_pixels(masked: bool) -> None:
    """A picture of three bands, under losses of pixels that outweigh the others."""
    config = PerceptualLossConfig(
        content_weight=1e-6, light_weight=1e7, style_weight=1.0, total_variation_weight=10.0, frame_weight=10.0,
        palette_weight=10.0, statistics="gram",
    )  # fmt: skip
    objective = tiny_objective(config)
    image, style, content = painting(530, 40, 0)[None], painting(64, 64, 1)[None], painting(530, 40, 2)[None]
    masks = left_half(530, 40)[None] if masked else None
    targets = objective.targets.encode(content, [(style, 1.0)], None, masks)
    whole, gradient = objective.value_and_gradient(image, targets)
    tiled, of_bands = objective.value_and_gradient(image, targets, 64)
    assert tiled["total_variation"] == pytest.approx(whole["total_variation"], rel=1e-5)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-5)
    _assert_near(of_bands, gradient, 1e-4)


@pytest.mark.real
def test_tiles_agree_under_vgg19(real_networks: Path) -> None:

    session = Session()
    loss = make_objective(RefineConfig(precision="float32"), session.network("vgg19", "features"), session)
    image, content, style = (painting(200, 180, seed)[None] for seed in range(3))
    whole, gradient = loss.value_and_gradient(image, loss.targets.encode(content, [(style, 1.0)]))
    tiled, of_tiles = loss.value_and_gradient(image, loss.targets.encode(content, [(style, 1.0)], 128), 128)
    assert tiled["total"] == pytest.approx(whole["total"], rel=1e-5)
    _assert_near(of_tiles, gradient, 1e-3)

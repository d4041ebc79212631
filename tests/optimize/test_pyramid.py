"""The sizes of the pyramid, and the pictures that finer levels begin with."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bowls import photos_at
from stylize.config import OptimizationConfig, PyramidConfig, RefineConfig
from stylize.images.resizing import resized
from stylize.networks.backend import ops
from stylize.optimize.history import LossTerms
from stylize.optimize.pyramid import at_size_of, level_size, optimization_at, pyramid_levels
from stylize.optimize.run import LevelLoss, optimize


@given(
    size=st.integers(1, 5000),
    steps=st.integers(1, 3000),
    coarsest=st.one_of(st.none(), st.integers(16, 512)),
)
def test_pyramid_spends_all_steps_and_ends_at_full_size(size, steps, coarsest):
    levels = pyramid_levels(size, steps, PyramidConfig(coarsest_px=coarsest))
    assert levels[-1].long_side_px == size
    assert sum(level.max_steps for level in levels) == steps
    assert all(level.max_steps >= 2 for level in levels) or len(levels) == 1, "one step only evaluates"
    sizes = [level.long_side_px for level in levels]
    assert sizes == sorted(set(sizes))
    if coarsest is None or size <= coarsest:
        assert len(levels) == 1


def test_sizes_up_to_that_of_a_painted_start_are_left_out():
    sizes = {
        painted_px: [level.long_side_px for level in pyramid_levels(512, 60, PyramidConfig(), painted_px)]
        for painted_px in (0, 250, 256, 300, 320, 512, 4000)
    }
    assert sizes.pop(0) == [64, 91, 128, 181, 256, 362, 512]
    assert sizes == {250: [362, 512], 256: [362, 512], 300: [362, 512], 320: [512], 512: [512], 4000: [512]}
    assert pyramid_levels(512, 60, PyramidConfig(), 256)[0].max_steps == 30, "the remaining levels share all steps"


def test_no_side_of_a_level_is_too_small_for_the_network():
    assert [level_size(size, 48) for size in ((1, 40), (90, 2), (64, 96))] == [(16, 48), (48, 16), (32, 48)]


def test_the_coarsest_level_gets_the_rest_of_the_steps():
    assert [level.max_steps for level in pyramid_levels(512, 60, PyramidConfig())] == [12, *[8] * 6]


def test_finer_levels_begin_lbfgs_with_smaller_steps():
    for optimizer, share in (("lbfgs", 0.3), ("adam", 1.0)):
        config = OptimizationConfig(optimizer=optimizer, learning_rate=0.5)
        assert optimization_at(0, config) == config
        assert optimization_at(1, config) == dataclasses.replace(config, learning_rate=share * 0.5)


@pytest.mark.parametrize(("size", "sizes"), [(128, [64, 128]), (127, [64, 127]), (126, [126])])
def test_the_coarsest_size_may_be_rounded(size, sizes):
    levels = pyramid_levels(size, 10, PyramidConfig(coarsest_px=64, ratio=2.0))
    assert [level.long_side_px for level in levels] == sizes


def test_finer_levels_begin_with_the_detail_of_the_content_if_the_loss_has_a_content():
    content = np.random.default_rng(0).random((32, 48, 3), np.float32)
    start = resized(content, 16, 24)
    levels = pyramid_levels(48, 4, PyramidConfig(coarsest_px=24, ratio=2.0))
    flat = LossTerms(1.0, 1.0, 0.0, 0.0, {}, {})
    loss = LevelLoss(lambda x: (flat, ops.zeros_like(x)))
    config = RefineConfig()
    texture = dataclasses.replace(config, loss=dataclasses.replace(config.loss, content_weight=0.0))
    for asked, expected in ((config, content), (texture, resized(start, 32, 48))):
        photos = photos_at(content, levels)
        pixels, _, _ = optimize(start, photos, levels, lambda *_: loss, asked)
        np.testing.assert_allclose(pixels, expected, atol=1e-6)


@pytest.mark.parametrize("height_before", [12, 20])
def test_pixels_from_a_level_and_from_elsewhere_keep_the_detail_of_the_photo(height_before):
    photo = np.random.default_rng(0).random((36, 48, 3), np.float32)
    photos = [resized(photo, 12, 16), photo]
    # The photo itself, at a size that the pyramid has or has not, becomes the photo again.
    pixels = resized(photo, height_before, height_before * 4 // 3)
    np.testing.assert_allclose(at_size_of(photo, pixels, photos, keep_detail=True), photo, atol=1e-6)
    enlarged = resized(pixels, 36, 48)
    np.testing.assert_array_equal(at_size_of(photo, pixels, photos, keep_detail=False), enlarged)


def test_pixels_that_are_larger_are_made_smaller():
    photo = np.random.default_rng(0).random((12, 16, 3), np.float32)
    pixels = np.random.default_rng(1).random((30, 40, 3), np.float32)
    np.testing.assert_array_equal(at_size_of(photo, pixels, [photo], keep_detail=True), resized(pixels, 12, 16))

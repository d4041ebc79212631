"""Statistics of a picture: those of the activations, and the same tile by tile."""

from __future__ import annotations

import functools
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from samples import painting, tiny_convolutions, tiny_encoder
from stylize.config import PerceptualLossConfig
from stylize.losses.regions import masked_regions, whole_picture
from stylize.losses.statistics import StatisticsEncoder
from stylize.networks.backend import array_of, numpy_of
from stylize.networks.vgg import EncoderWeights, FeatureEncoder


@functools.cache
def _statistics(statistics: Literal["gram", "moments"] = "gram") -> StatisticsEncoder:
    config = PerceptualLossConfig(statistics=statistics)
    return StatisticsEncoder(tiny_encoder(config), config)


@pytest.mark.parametrize("statistics", ["gram", "moments"])
def test_statistics_are_means_of_products_of_activations(statistics: Literal["gram", "moments"]) -> None:
    encoder, picture = _statistics(statistics), painting(50, 70, 0)[None]
    (full_size,) = encoder.of_style(picture, whole_picture(encoder.style_layers, 1, 1))
    for name, activation in encoder.encoder(array_of(picture)).items():
        if name not in encoder.style_layers:
            continue
        flat = numpy_of(activation).reshape(-1, activation.shape[-1]).astype(np.float64)
        if statistics == "moments":
            flat = np.hstack([flat, np.ones((len(flat), 1))])
        assert_allclose(numpy_of(full_size[name][0]), flat.T @ flat / len(flat), rtol=1e-4, atol=1e-5)


@settings(max_examples=8)
@given(height=st.integers(16, 260), width=st.integers(16, 260), tile_px=st.sampled_from([16, 48, 100]))
def test_tiles_change_neither_statistics_nor_activations(height: int, width: int, tile_px: int) -> None:
    encoder, picture = _statistics(), painting(height, width, 0)[None]
    masks = np.stack([painting(height, width, seed)[..., 0] for seed in (1, 2)]) + 0.01
    strides = {name: encoder.encoder.strides[name] for name in encoder.style_layers}
    for regions in (whole_picture(encoder.style_layers, 1, 1), masked_regions(masks.clip(0, 1), 1, strides, 1)):
        (whole,), (tiled,) = (encoder.of_style(picture, regions, px) for px in (None, tile_px))
        for name in encoder.style_layers:
            assert_allclose(numpy_of(tiled[name]), numpy_of(whole[name]), rtol=1e-3, atol=1e-5)
    features, in_tiles = (encoder.content_features(picture, px) for px in (None, tile_px))
    for name in encoder.content_layers:
        assert_allclose(numpy_of(in_tiles[name]), numpy_of(features[name]), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("precision", "kept"), [("float32", np.float32), ("bfloat16", np.float16)])
def test_activations_put_together_from_tiles_keep_all_digits(
    precision: Literal["float32", "bfloat16"], kept: type[np.floating]
) -> None:
    config = PerceptualLossConfig()
    network = FeatureEncoder(EncoderWeights(tiny_convolutions()), config.layers, precision=precision)
    features = StatisticsEncoder(network, config).content_features(painting(48, 48, 0)[None], 16)
    assert {each.dtype for each in features.values()} == {np.dtype(kept)}

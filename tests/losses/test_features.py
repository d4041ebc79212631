"""Content and style losses of activations against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from samples import value_and_gradient
from stylize.config import PerceptualLossConfig
from stylize.losses.features import content_scale, gram_loss, gram_sum, moment_loss
from stylize.networks.backend import Array, array_of, numpy_of
from stylize.presets import PRESETS

# Two positions, two channels: f1 = (1, 2), f2 = (3, 4).
FEATURES = np.array([[[[1.0, 2.0], [3.0, 4.0]]]], np.float32)
TARGET = np.array([[[[0.0, 2.0], [3.0, 1.0]]]], np.float32)


def test_gram_sum_by_hand() -> None:
    # f1 f1' + f2 f2' = [1 2; 2 4] + [9 12; 12 16]
    np.testing.assert_allclose(_gram_sum(FEATURES), [[10, 14], [14, 20]])


def test_guided_gram_matrix_by_hand() -> None:
    # f1 = (1, 2), f2 = (3, 4), weighing 3/4 and 1/4: 3/4 [1 2; 2 4] + 1/4 [9 12; 12 16]
    weights = np.array([[0.75, 0.25]], np.float32)
    np.testing.assert_allclose(_gram_sum(FEATURES, weights), [[3, 4.5], [4.5, 7]])


def _gram_sum(*arrays: NDArray[np.float32]) -> NDArray[np.float32]:
    return numpy_of(gram_sum(*map(array_of, arrays)))


def test_content_loss_by_hand() -> None:
    # Differences 1, 0, 0, 3: squares sum to 10; the target's squares to 0 + 4 + 9 + 1 = 14.
    assert _content_loss("sum") == 10
    assert _content_loss("mean") == 2.5
    assert _content_loss("relative") == pytest.approx(10 / 14)


def _content_loss(normalization: str) -> float:
    return float(content_scale(TARGET, normalization)) * float(((FEATURES - TARGET) ** 2).sum())


def test_style_loss_by_hand() -> None:
    gram, target = (array_of(_gram_sum(features) / 2) for features in (FEATURES, TARGET))
    # Target Gram: ([0 0; 0 4] + [9 3; 3 1]) / 2 = [4.5 1.5; 1.5 2.5]; differences .5 5.5 5.5 7.5.
    squares = 0.25 + 30.25 + 30.25 + 56.25
    assert float(gram_loss(gram, target, "mean")) == pytest.approx(squares / 4)
    assert float(gram_loss(gram, target, "relative")) == pytest.approx(squares / (20.25 + 2.25 + 2.25 + 6.25))


def test_moment_loss_by_hand() -> None:
    # Means [2 3] and [1.5 1.5]; covariances [1 1; 1 1] and [2.25 -.75; -.75 .25].
    with_ones = [np.concatenate([each.reshape(2, 2), np.ones((2, 1), np.float32)], 1) for each in (FEATURES, TARGET)]
    moments = [array_of(each.T @ each / 2) for each in with_ones]
    np.testing.assert_allclose(numpy_of(moments[0]), [[5, 7, 2], [7, 10, 3], [2, 3, 1]])
    of_mean, of_covariance = 0.5**2 + 1.5**2, 1.25**2 + 2 * 1.75**2 + 0.75**2
    energy, spread = 2 * 1.5**2, 2.25**2 + 2 * 0.75**2 + 0.25**2
    expected = of_mean / energy + of_covariance / (spread + 0.01 * energy**2)
    assert float(moment_loss(moments[0], moments[1], "relative")) == pytest.approx(expected)
    assert float(moment_loss(moments[0], moments[1], "mean")) == pytest.approx(of_mean / 2 + of_covariance / 4)


@pytest.mark.parametrize("normalization", ["relative", "mean"])
def test_moment_loss_gradient_agrees_with_finite_differences(normalization: str) -> None:
    random = np.random.default_rng(0)
    moments, target = (each.T @ each / 40 for each in random.normal(1, 1, (2, 40, 4)).astype(np.float32))
    direction = random.normal(size=(4, 4)).astype(np.float32)
    direction[-1] = 0  # the last row is the last column again

    def loss(moments: Array) -> Array:
        return 3 * moment_loss(moments, array_of(target), normalization)

    slope = float((value_and_gradient(loss, moments)[1] * direction).sum())
    ends = (float(loss(array_of(moments + sign * 0.01 * direction))) for sign in (1, -1))
    assert slope == pytest.approx((next(ends) - next(ends)) / 0.02, rel=1e-2)


def test_ml_art_combine_formulas_by_hand() -> None:
    """J_content = |F - P|^2 / (4 H W D), J_style = |G - A|^2 / (4 D^2 (H W)^2) with sums for Gram matrices."""
    config = PRESETS["ml-art-combine"].config.loss
    height, width, depth = 1, 2, 2
    by_formula = 10 * 10 / (4 * height * width * depth)  # alpha 10; squares sum to 10
    ours = _content_loss(config.normalization)
    assert _layer_loss(config, "content", "relu5_4", ours) == pytest.approx(by_formula)

    flat, target = FEATURES.reshape(-1, 2), TARGET.reshape(-1, 2)
    squares = ((flat.T @ flat - target.T @ target) ** 2).sum()
    by_formula = 40 * 0.4 * squares / (4 * depth**2 * (height * width) ** 2)  # beta 40, relu3_1 weighted .4
    ours = float(gram_loss(*(array_of(_gram_sum(each) / 2) for each in (FEATURES, TARGET)), config.normalization))
    assert _layer_loss(config, "style", "relu3_1", ours) == pytest.approx(by_formula)


def test_gatys_formulas_by_hand() -> None:
    """L_content = 1/2 |F - P|^2 (equation 1) and E = 1/(4 N^2 M^2) |G - A|^2 (equation 4) of the 2015 paper."""
    config = PRESETS["gatys"].config.loss
    assert config.content_weight / config.style_weight == 1e-3
    ours = _content_loss(config.normalization)
    assert _layer_loss(config, "content", "relu4_2", ours) == pytest.approx(1e-3 * 10 / 2)
    flat, target = FEATURES.reshape(-1, 2), TARGET.reshape(-1, 2)
    squares = ((flat.T @ flat - target.T @ target) ** 2).sum()
    ours = float(gram_loss(*(array_of(_gram_sum(each) / 2) for each in (FEATURES, TARGET)), config.normalization))
    assert _layer_loss(config, "style", "relu1_1", ours) == pytest.approx(0.2 * squares / (4 * 2**2 * 2**2))


def _layer_loss(config: PerceptualLossConfig, kind: str, layer: str, value: float) -> float:
    layers = dict(config.content_layers if kind == "content" else config.style_layers)
    weight = config.content_weight if kind == "content" else config.style_weight
    return weight * layers[layer] * value

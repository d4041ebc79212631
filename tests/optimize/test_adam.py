"""Adam: the formula, and which iterate is kept."""

from __future__ import annotations

import numpy as np
import pytest

from stylize.config import OptimizationConfig
from stylize.networks.backend import numpy_of
from stylize.optimize.adam import Adam


def test_adam_repeats_keras():
    import keras

    config = OptimizationConfig(optimizer="adam", learning_rate=0.02, beta_1=0.99, epsilon=0.1)
    start = np.full((2, 3, 3), 0.5, np.float32)
    gradients = np.random.default_rng(0).normal(size=(5, 2, 3, 3)).astype(np.float32)
    ours = Adam(start, config)
    theirs = keras.Variable(start)
    optimizer = keras.optimizers.Adam(0.02, beta_1=0.99, epsilon=0.1)
    for gradient in gradients:
        ours.tell(1.0, gradient)
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [theirs])
    np.testing.assert_allclose(numpy_of(ours.ask()), keras.ops.convert_to_numpy(theirs), atol=1e-6)


def test_adam_keeps_the_best_if_asked():
    for keep_best, expected in ((True, 0.5), (False, 0.48)):
        optimizer = Adam(np.full((1, 1, 3), 0.5, np.float32), OptimizationConfig(optimizer="adam", keep_best=keep_best))
        optimizer.tell(1.0, np.full((1, 1, 3), 1e6, np.float32))
        optimizer.tell(2.0, np.zeros((1, 1, 3), np.float32))
        assert numpy_of(optimizer.result).mean() == pytest.approx(expected, abs=0.03)
        assert numpy_of(optimizer.best).mean() == 0.5


def test_after_a_loss_that_is_not_finite_adam_begins_anew_with_half_the_rate():
    optimizer = Adam(np.full((1, 1, 3), 0.5, np.float32), OptimizationConfig(optimizer="adam", learning_rate=0.04))
    gradient = np.ones((1, 1, 3), np.float32)
    optimizer.tell(1.0, gradient)
    optimizer.tell(np.nan, -gradient)
    half = Adam(np.full((1, 1, 3), 0.5, np.float32), OptimizationConfig(optimizer="adam", learning_rate=0.02))
    np.testing.assert_array_equal(numpy_of(optimizer.ask()), numpy_of(half.ask()))
    for _ in range(2):
        optimizer.tell(1.0, gradient)
        half.tell(1.0, gradient)
        np.testing.assert_array_equal(numpy_of(optimizer.ask()), numpy_of(half.ask()))


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1.0, 1e6])
def test_by_default_the_size_of_the_gradient_does_not_count(scale):
    # Relative losses have gradients of 1e-3 a pixel and less, those of the tutorial are a million times larger.
    optimizer = Adam(np.full((2, 3, 3), 0.5, np.float32), OptimizationConfig(optimizer="adam", learning_rate=0.02))
    signs = np.random.default_rng(0).choice([-1, 1], (2, 3, 3)).astype(np.float32)
    optimizer.tell(1.0, scale * signs)
    np.testing.assert_allclose(numpy_of(optimizer.ask()), 0.5 - 0.02 * signs, atol=1e-4)

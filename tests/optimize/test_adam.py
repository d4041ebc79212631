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

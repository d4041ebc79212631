"""What every optimiser promises."""

from __future__ import annotations

import numpy as np
import pytest

from bowls import TARGET, quadratic, take_steps
from stylize.config import OptimizationConfig
from stylize.networks.backend import numpy_of
from stylize.optimize.adam import Adam
from stylize.optimize.lbfgs import LBFGS


@pytest.mark.parametrize("kind", [LBFGS, Adam])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_taken_back(kind, bad):
    optimizer = kind(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig())
    take_steps(optimizer, quadratic, 5)
    before = numpy_of(optimizer.result).copy()
    step = np.abs(numpy_of(optimizer.ask()) - before).max()
    assert optimizer.tell(bad, np.full(TARGET.shape, bad, np.float32)) is False
    assert np.isfinite(numpy_of(optimizer.ask())).all()
    if kind is LBFGS:
        assert np.abs(numpy_of(optimizer.ask()) - before).max() < step
    take_steps(optimizer, quadratic, 60)
    assert quadratic(numpy_of(optimizer.result))[0] < quadratic(before)[0]


@pytest.mark.parametrize("kind", [LBFGS, Adam])
def test_state_restores_exactly(kind):
    straight = kind(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig())
    take_steps(straight, quadratic, 9)
    taken_up = kind(np.zeros(TARGET.shape, np.float32), OptimizationConfig())
    taken_up.restore(straight.state())
    np.testing.assert_array_equal(take_steps(straight, quadratic, 7), take_steps(taken_up, quadratic, 7))


@pytest.mark.parametrize("kind", [LBFGS, Adam])
def test_a_state_stays_as_it_was_while_the_optimiser_goes_on(kind):
    """A checkpoint may be kept in memory: the history's rows, which are written in place, are no part of it."""
    straight = kind(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig())
    take_steps(straight, quadratic, 24)
    state = straight.state()
    copied = {name: array.copy() for name, array in state.items()}
    take_steps(straight, quadratic, 30)
    for name, array in copied.items():
        np.testing.assert_array_equal(state[name], array)


@pytest.mark.parametrize("kind", [LBFGS, Adam])
@pytest.mark.parametrize(("loss", "slope"), [(np.nan, 1.0), (1.0, np.nan), (1.0, np.inf)])
def test_a_loss_and_all_of_its_gradient_must_be_finite(kind, loss, slope):
    gradient = np.ones(TARGET.shape, np.float32)
    gradient[2, 3, 1] = slope
    for steps in (0, 5):
        optimizer = kind(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig())
        take_steps(optimizer, quadratic, steps)
        assert optimizer.tell(loss, gradient) is False
        take_steps(optimizer, quadratic, 40)
        assert np.isfinite(numpy_of(optimizer.best)).all()
        assert quadratic(numpy_of(optimizer.best))[0] < quadratic(np.full(TARGET.shape, 0.5, np.float32))[0]


@pytest.mark.parametrize("kind", [LBFGS, Adam])
def test_a_start_outside_the_box_is_clipped(kind):
    np.testing.assert_array_equal(numpy_of(kind(TARGET, OptimizationConfig()).ask()), TARGET.clip(0, 1))

"""L-BFGS on functions whose minimum is known, and its closed form by two loops and by matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from bowls import TARGET, quadratic, take_steps
from samples import refused_allocation
from stylize.config import OptimizationConfig
from stylize.networks.backend import array_of, numpy_of, ops
from stylize.optimize.lbfgs import LBFGS, LOSS_NOISE, _History
from stylize.optimize.scaling import Energies

_Picture = NDArray[np.floating]


def test_lbfgs_finds_the_constrained_minimum():
    best = take_steps(LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig()), quadratic, 80)
    np.testing.assert_allclose(best, TARGET.clip(0, 1), atol=2e-3)


def test_less_memory_means_fewer_pairs(monkeypatch):
    refusal, real, asked = refused_allocation(), ops.zeros, []

    def refuse_many(shape, *others):
        asked.append(shape[0])
        if shape[0] > 5:
            raise refusal
        return real(shape, *others)

    monkeypatch.setattr(ops, "zeros", refuse_many)
    optimizer = LBFGS(np.full((6, 8, 3), 0.5, np.float32), OptimizationConfig())
    asked.clear()
    take_steps(optimizer, quadratic, 12)
    assert asked == [20, 10, 5, 5, 5, 5]  # refused twice; then steps, changes and their energies in bands and blocks
    assert optimizer.pairs == 5
    best = take_steps(optimizer, quadratic, 80)
    np.testing.assert_allclose(best, TARGET.clip(0, 1), atol=5e-3)


def test_lbfgs_on_rosenbrock_reaches_the_valley_floor():
    def rosenbrock(x):
        a, b = x[..., 0].astype(np.float64), x[..., 1].astype(np.float64)
        value = ((0.5 - a) ** 2 + 100 * (b - a**2) ** 2).sum()
        gradient = np.stack([-2 * (0.5 - a) - 400 * a * (b - a**2), 200 * (b - a**2), 0 * a], -1)
        return float(value), gradient.astype(np.float32)

    best = take_steps(LBFGS(np.zeros((1, 1, 3), np.float32), OptimizationConfig()), rosenbrock, 120)
    np.testing.assert_allclose(best.ravel()[:2], [0.5, 0.25], atol=1e-2)


@pytest.mark.parametrize("noise", [0, LOSS_NOISE])
def test_lbfgs_never_gets_worse_but_for_noise_and_stays_in_the_box(noise):
    start = np.full(TARGET.shape, 0.5, np.float32)
    optimizer = LBFGS(start, OptimizationConfig(learning_rate=1.0), loss_noise=noise)
    previous = np.inf
    for _ in range(40):
        point = numpy_of(optimizer.ask())
        assert point.min() >= 0
        assert point.max() <= 1
        optimizer.tell(*quadratic(point))
        value = quadratic(numpy_of(optimizer.best))[0]
        assert value <= previous * (1 + noise)
        previous = value


ONE_PIXEL = np.ones((1, 1, 3), np.float32)


def _after_the_first_point(loss: float, noise: float = 0.0) -> LBFGS:
    """Return an optimiser whose next point lies 0.25 down the gradient: the slope is -0.75."""
    optimizer = LBFGS(0.5 * ONE_PIXEL, OptimizationConfig(learning_rate=0.25), loss_noise=noise)
    optimizer.tell(loss, ONE_PIXEL)
    np.testing.assert_allclose(numpy_of(optimizer.ask()), 0.25 * ONE_PIXEL)
    return optimizer


@pytest.mark.parametrize("loss", [10.0, -10.0])
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_a_point_is_accepted_up_to_the_armijo_condition_and_the_noise(loss, noise):
    bound = loss - 1e-4 * 0.75 + noise * abs(loss)
    for told, expected in ((bound - 1e-6, 0.25), (bound + 1e-6, 0.5)):
        optimizer = _after_the_first_point(loss, noise)
        optimizer.tell(told, ONE_PIXEL)
        np.testing.assert_allclose(numpy_of(optimizer.best), expected * ONE_PIXEL)


@pytest.mark.parametrize(("loss", "share"), [(0.25, 0.375), (100.0, 0.1), (np.inf, 0.1)])
def test_a_step_too_far_is_cut_to_the_minimum_of_a_parabola_or_a_tenth(loss, share):
    """Along the step t, the parabola from 0 with the slope -0.75 through 0.25 is t^2 - 0.75 t."""
    optimizer = _after_the_first_point(0.0)
    optimizer.tell(loss, ONE_PIXEL)
    np.testing.assert_allclose(numpy_of(optimizer.ask()), (0.5 - 0.25 * share) * ONE_PIXEL, rtol=1e-6)


def test_a_step_that_was_cut_is_cut_further_after_a_pause():
    optimizer, resumed = _after_the_first_point(0.0), LBFGS(ONE_PIXEL, OptimizationConfig())
    optimizer.tell(100.0, ONE_PIXEL)
    resumed.restore(optimizer.state())
    for each in (optimizer, resumed):
        each.tell(100.0, ONE_PIXEL)
        assert numpy_of(each.ask()).mean() == pytest.approx(0.5 - 0.25 * 0.01)
    np.testing.assert_array_equal(numpy_of(optimizer.ask()), numpy_of(resumed.ask()))


def test_a_step_that_finds_no_decrease_is_given_up_for_one_down_the_gradient():
    optimizer = LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig(learning_rate=0.01))
    take_steps(optimizer, quadratic, 12)
    assert optimizer.pairs > 2
    best = numpy_of(optimizer.best).copy()
    for _ in range(5):
        optimizer.tell(np.inf, np.ones_like(best))
    assert optimizer.pairs == 0
    gradient = quadratic(best)[1] * ~((best == 0) & (TARGET < 0) | (best == 1) & (TARGET > 1))
    expected = best - 0.01 * gradient / np.abs(gradient).mean()
    np.testing.assert_allclose(numpy_of(optimizer.ask()), expected.clip(0, 1), atol=1e-6)


def test_a_direction_that_the_box_turns_around_is_given_up_for_one_down_the_gradient():
    """The Hessian ties red and green: to lower red by 2.9, green rises by 2.1. But red has only 0.01 to go."""
    hessian = np.array([[1, 0.9, 0], [0.9, 1, 0], [0, 0, 1]])
    x, gradient = (np.float32([[each]]) for each in ([0.01, 0.3, 0.5], [1, 0.5, 0]))
    assert (np.linalg.solve(hessian, gradient[0, 0]) * gradient).sum() > 0
    state = dict.fromkeys(("x", "trial", "gradient", "direction"), x)
    for index, step in enumerate(np.linalg.eigh(hessian)[1].T):
        state |= {f"s{index}": np.float32([[step]]), f"y{index}": np.float32([[hessian @ step]])}
    optimizer = LBFGS(x, OptimizationConfig(learning_rate=0.1))
    optimizer.restore({**state, "scalars": np.array([np.nan, 1.0])})
    assert optimizer.pairs == 3
    optimizer.tell(1.0, gradient)
    assert optimizer.pairs == 0
    np.testing.assert_allclose(numpy_of(optimizer.ask()), [[[0, 0.2, 0.5]]], atol=1e-6)


def test_lbfgs_stays_where_nothing_pulls():
    optimizer = LBFGS(0.5 * ONE_PIXEL, OptimizationConfig())
    for _ in range(3):
        optimizer.tell(1.0, 0 * ONE_PIXEL)
        np.testing.assert_array_equal(numpy_of(optimizer.ask()), 0.5 * ONE_PIXEL)


def test_lbfgs_goes_on_where_the_loss_is_noisy():
    noise = np.random.default_rng(0)

    def noisy(x):
        value, gradient = quadratic(x)
        return value + 1000 * noise.uniform(0.9999, 1.0001), gradient

    best = take_steps(LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig()), noisy, 80)
    np.testing.assert_allclose(best, TARGET.clip(0, 1), atol=5e-3)


def test_pixels_at_their_bounds_tell_lbfgs_nothing_of_curvature():
    # Each pixel pulls at all others: where pixels cannot move, the gradient changes nevertheless.
    target = np.random.default_rng(0).uniform(0.5, 0.9, (16, 32, 3)).astype(np.float32)
    target[:, :16] = -3

    def pulled(x):
        off = x - target
        return float((off**2).sum() + 0.1 * off.sum() ** 2 / off.size), 2 * off + 0.2 * off.sum() / off.size

    optimizer = LBFGS(np.full(target.shape, 0.5, np.float32), OptimizationConfig(learning_rate=1.0))
    take_steps(optimizer, pulled, 6)
    *_, blocks = optimizer._history._rows
    moved, changed = numpy_of(blocks[optimizer.pairs - 1])
    assert (numpy_of(optimizer.best)[:, :16] == 0).all()
    assert (moved[:, :2] == 0).all()
    assert (changed[:, :2] == 0).all()
    assert (changed[:, 2:] > 0).all()


SHAPE = 4, 5, 3


def _history_of(pairs: int, seed: int = 0) -> tuple[_History, _Picture, _Picture]:
    """Return a history, and the steps and changes that it remembers, (K, n) each, oldest first."""
    random = np.random.default_rng(seed)
    steps = random.normal(size=(pairs, 60)).astype(np.float32)
    # A Hessian that is not diagonal: the pairs are not conjugate.
    root = np.eye(60) + 0.1 * random.normal(size=(60, 60))
    changes = (steps @ (root.T @ np.diag(np.linspace(0.5, 2, 60)) @ root)).astype(np.float32)
    history = _History(*SHAPE[:2])
    nothing = array_of(np.zeros(SHAPE))
    for step, change in zip(steps, changes, strict=True):
        step, change = array_of(step.reshape(SHAPE)), array_of(change.reshape(SHAPE))
        history.remember(history.pair((nothing, step), (nothing, change)))
    kept = len(history)
    return history, steps[-kept:], changes[-kept:]


def _first_guess(history: _History, steps: _Picture, changes: _Picture) -> Callable[[_Picture], _Picture]:
    """Return the product with H_0 of these pairs."""
    parts = history._first_guess
    pairs = [(array_of(s.reshape(SHAPE)), array_of(y.reshape(SHAPE))) for s, y in zip(steps, changes, strict=True)]
    bands, blocks = (ops.concatenate(each) for each in zip(*(parts.energies(*pair) for pair in pairs), strict=True))
    curvatures = (steps * changes).sum(axis=1)
    weights = array_of(curvatures[-1] / curvatures)

    def times(q: _Picture) -> _Picture:
        q = array_of(q.reshape(SHAPE))
        return numpy_of(
            parts.times(q, Energies(bands, blocks), weights, array_of(curvatures[-1]), pairs[-1][1])
        ).ravel()

    return times


@pytest.mark.parametrize("pairs", [1, 2, 7, 20, 33])
def test_the_direction_is_that_of_the_two_loops(pairs):
    """Algorithm 7.4 of Nocedal and Wright, for any number of pairs: from the 21st on, the oldest is dropped."""
    history, steps, changes = _history_of(pairs)
    assert len(history) == min(pairs, 20)
    gradient = np.random.default_rng(1).normal(size=SHAPE).astype(np.float32)
    inside = np.full(SHAPE, 0.5, np.float32)
    direction, _, slope = history.direction(array_of(inside), array_of(gradient))

    q, alphas = gradient.ravel().astype(np.float64), []
    for s, y in reversed(list(zip(steps, changes, strict=True))):
        alphas.append(s @ q / (s @ y))
        q = q - alphas[-1] * y
    r = _first_guess(history, steps, changes)(q).astype(np.float64)
    for s, y, alpha in zip(steps, changes, reversed(alphas), strict=True):
        r = r + s * (alpha - y @ r / (s @ y))
    np.testing.assert_allclose(numpy_of(direction).ravel(), -r, rtol=0, atol=1e-4 * np.abs(r).max())
    assert float(slope) < 0


def test_what_is_held_at_its_bound_does_not_move():
    """The direction is -P H P g: P leaves the variables that are free, H is BFGS' inverse Hessian by matrices."""
    history, steps, changes = _history_of(6)
    random = np.random.default_rng(2)
    gradient, x = random.normal(size=60).astype(np.float32), random.choice([0.0, 0.5, 1.0], 60).astype(np.float32)
    held = ((x == 0) & (gradient > 0)) | ((x == 1) & (gradient < 0))
    assert 5 < held.sum() < 30
    direction, trial, slope = map(numpy_of, history.direction(*(array_of(a.reshape(SHAPE)) for a in (x, gradient))))

    # BFGS' update by matrices (Nocedal and Wright, equation 6.17).
    times = _first_guess(history, steps, changes)
    inverse = np.stack([times(each) for each in np.eye(60, dtype=np.float32)], axis=1).astype(np.float64)
    for s, y in zip(steps.astype(np.float64), changes.astype(np.float64), strict=True):
        off = np.eye(60) - np.outer(s, y) / (s @ y)
        inverse = off @ inverse @ off.T + np.outer(s, s) / (s @ y)
    expected = np.where(held, 0, -inverse @ np.where(held, 0, gradient))
    assert (direction.ravel()[held] == 0).all()
    np.testing.assert_allclose(direction.ravel(), expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    np.testing.assert_allclose(trial.ravel(), (x + expected).clip(0, 1), atol=1e-4 * np.abs(expected).max())
    assert slope == pytest.approx(gradient @ (trial.ravel() - x), rel=1e-4)

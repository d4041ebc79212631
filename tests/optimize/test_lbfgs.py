"""L-BFGS on functions whose minimum is known, and its two loops by matrices."""

from __future__ import annotations

import numpy as np
import pytest

from bowls import TARGET, quadratic, take_steps
from stylize.config import OptimizationConfig
from stylize.optimize.lbfgs import LBFGS, LOSS_NOISE, Pair, times_inverse_hessian
from stylize.optimize.scaling import FirstGuess


def test_lbfgs_finds_the_constrained_minimum():
    best = take_steps(LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig()), quadratic, 80)
    np.testing.assert_allclose(best, TARGET.clip(0, 1), atol=2e-3)


def test_lbfgs_on_rosenbrock_reaches_the_valley_floor():
    def rosenbrock(x):
        a, b = x[..., 0].astype(np.float64), x[..., 1].astype(np.float64)
        value = ((0.5 - a) ** 2 + 100 * (b - a**2) ** 2).sum()
        gradient = np.stack([-2 * (0.5 - a) - 400 * a * (b - a**2), 200 * (b - a**2)], -1)
        return float(value), gradient.astype(np.float32)

    best = take_steps(LBFGS(np.zeros((1, 1, 2), np.float32), OptimizationConfig()), rosenbrock, 120)
    np.testing.assert_allclose(best.ravel(), [0.5, 0.25], atol=1e-2)


@pytest.mark.parametrize("noise", [0, LOSS_NOISE])
def test_lbfgs_never_gets_worse_but_for_noise_and_stays_in_the_box(noise):
    start = np.full(TARGET.shape, 0.5, np.float32)
    optimizer = LBFGS(start, OptimizationConfig(learning_rate=1.0), loss_noise=noise)
    previous = np.inf
    for _ in range(40):
        point = optimizer.ask()
        assert point.min() >= 0
        assert point.max() <= 1
        optimizer.tell(*quadratic(point))
        value = quadratic(optimizer.best)[0]
        assert value <= previous * (1 + noise)
        previous = value


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
    moved, changed = optimizer.pairs[-1].energies.blocks
    assert (optimizer.best[:, :16] == 0).all()
    assert (moved[:, :2] == 0).all()
    assert (changed[:, :2] == 0).all()
    assert (changed[:, 2:] > 0).all()


def test_what_is_held_at_its_bound_neither_moves_nor_counts():
    random = np.random.default_rng(0)
    first_guess, pairs = FirstGuess(4, 5), []
    for _ in range(6):
        step = random.normal(size=(4, 5, 3)).astype(np.float32)
        pairs.append(Pair.of(step, step * np.linspace(0.5, 2, 60, dtype=np.float32).reshape(4, 5, 3), first_guess))
    held = np.flatnonzero(random.random(60) < 0.3)
    gradient = random.normal(size=(4, 5, 3)).astype(np.float32)
    gradient.ravel()[held] = 0
    direction = times_inverse_hessian(gradient.copy(), held, pairs, lambda q: q)

    # BFGS' update by matrices (Nocedal and Wright, equation 6.17), for the free variables alone.
    free = np.setdiff1d(np.arange(60), held)
    inverse = np.eye(len(free))
    for pair in pairs:
        s, y = (each.ravel()[free].astype(np.float64) for each in (pair.step, pair.change))
        off = np.eye(len(free)) - np.outer(s, y) / (s @ y)
        inverse = off @ inverse @ off.T + np.outer(s, s) / (s @ y)
    assert (direction.ravel()[held] == 0).all()
    np.testing.assert_allclose(direction.ravel()[free], inverse @ gradient.ravel()[free], rtol=1e-3, atol=1e-4)

"""The optimisers on functions whose minimum is known, and the pyramid's bookkeeping."""

from __future__ import annotations

import dataclasses
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize.checkpoint import read_checkpoint, write_checkpoint
from stylize.config import OptimizationConfig, PyramidConfig, RefineConfig
from stylize.errors import ImageError, StylizeError
from stylize.images import resized
from stylize.optimization import LBFGS, Adam, LossTerms, optimize, pyramid_levels

TARGET = np.linspace(-0.3, 1.3, 6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3)
SCALES = np.geomspace(1, 100, TARGET.size).astype(np.float32).reshape(TARGET.shape)


def _quadratic(x):
    """An ill-conditioned bowl whose minimum lies partly outside the box [0, 1]."""
    difference = x - TARGET
    return float((SCALES * difference**2).sum() / 2), SCALES * difference


def _run(optimizer, function, steps):
    for _ in range(steps):
        optimizer.tell(*function(optimizer.ask()))
    return optimizer.result


def test_lbfgs_finds_the_constrained_minimum():
    best = _run(LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig()), _quadratic, 80)
    np.testing.assert_allclose(best, TARGET.clip(0, 1), atol=2e-3)


def test_lbfgs_on_rosenbrock_reaches_the_valley_floor():
    def rosenbrock(x):
        a, b = x[..., 0].astype(np.float64), x[..., 1].astype(np.float64)
        value = ((0.5 - a) ** 2 + 100 * (b - a**2) ** 2).sum()
        gradient = np.stack([-2 * (0.5 - a) - 400 * a * (b - a**2), 200 * (b - a**2)], -1)
        return float(value), gradient.astype(np.float32)

    best = _run(LBFGS(np.zeros((1, 1, 2), np.float32), OptimizationConfig()), rosenbrock, 120)
    np.testing.assert_allclose(best.ravel(), [0.5, 0.25], atol=1e-2)


def test_lbfgs_never_gets_worse_and_stays_in_the_box():
    optimizer = LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig(learning_rate=1.0))
    previous = np.inf
    for _ in range(40):
        point = optimizer.ask()
        assert point.min() >= 0
        assert point.max() <= 1
        optimizer.tell(*_quadratic(point))
        value = _quadratic(optimizer.best)[0]
        assert value <= previous
        previous = value


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
    np.testing.assert_allclose(ours.ask(), keras.ops.convert_to_numpy(theirs), atol=1e-6)


def test_adam_keeps_the_best_if_asked():
    for keep_best, expected in ((True, 0.5), (False, 0.48)):
        optimizer = Adam(np.full((1, 1, 3), 0.5, np.float32), OptimizationConfig(optimizer="adam", keep_best=keep_best))
        optimizer.tell(1.0, np.full((1, 1, 3), 1e6, np.float32))
        optimizer.tell(2.0, np.zeros((1, 1, 3), np.float32))
        assert optimizer.result.mean() == pytest.approx(expected, abs=0.03)
        assert optimizer.best.mean() == 0.5


@pytest.mark.parametrize("kind", [LBFGS, Adam])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_taken_back(kind, bad):
    optimizer = kind(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig())
    _run(optimizer, _quadratic, 5)
    before = optimizer.result.copy()
    step = np.abs(optimizer.ask() - before).max()
    assert optimizer.tell(bad, np.full(TARGET.shape, bad, np.float32)) is False
    assert np.isfinite(optimizer.ask()).all()
    if kind is LBFGS:
        assert np.abs(optimizer.ask() - before).max() < step
    _run(optimizer, _quadratic, 60)
    assert _quadratic(optimizer.result)[0] < _quadratic(before)[0]


@pytest.mark.parametrize("kind", [LBFGS, Adam])
def test_state_restores_exactly(kind):
    straight = kind(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig())
    _run(straight, _quadratic, 9)
    taken_up = kind(np.zeros(TARGET.shape, np.float32), OptimizationConfig())
    taken_up.restore(straight.state())
    np.testing.assert_array_equal(_run(straight, _quadratic, 7), _run(taken_up, _quadratic, 7))


@given(
    size=st.integers(1, 5000),
    steps=st.integers(1, 3000),
    coarsest=st.one_of(st.none(), st.integers(16, 512)),
    share=st.floats(0.3, 1.0),
)
def test_pyramid_spends_all_steps_and_ends_at_full_size(size, steps, coarsest, share):
    levels = pyramid_levels(size, steps, PyramidConfig(coarsest_px=coarsest, share=share))
    assert levels[-1].long_side_px == size
    assert sum(level.max_steps for level in levels) == steps
    assert all(level.max_steps >= 1 for level in levels)
    sizes = [level.long_side_px for level in levels]
    assert sizes == sorted(set(sizes))
    if coarsest is None or size <= coarsest:
        assert len(levels) == 1


# A loss of the pyramid's kind: the distance to a fixed picture, at any size.
PICTURE = np.random.default_rng(5).random((24, 32, 3), np.float32)
CONFIG = RefineConfig(steps=30, pyramid=PyramidConfig(coarsest_px=16))


def _distance_at(height, width):
    target = resized(PICTURE, height, width)

    def loss(pixels):
        difference = pixels - target
        value = float((difference**2).sum() / 2)
        return LossTerms(value, value, 0.0, 0.0, {}, {}), difference

    return loss


def _optimize(config=CONFIG, loss_at=_distance_at, start=None, **options):
    levels = pyramid_levels(32, config.steps, config.pyramid)
    start = np.full((24, 32, 3), 0.5, np.float32) if start is None else start
    return optimize(start, (24, 32), levels, loss_at, config, **options)


def test_pyramid_reaches_the_target():
    pixels, history, checkpoint = _optimize()
    np.testing.assert_allclose(pixels, PICTURE, atol=1e-2)
    assert checkpoint is None
    assert [entry.step for entry in history] == list(range(1, 31))
    assert history[-1].level == 3


def test_interrupted_run_goes_on_where_it_was(tmp_path):
    whole, history, _ = _optimize()
    for stop_after in (0, 1, 11, 12, 13, 29):
        seen = []
        _, _, checkpoint = _optimize(on_iterate=seen.append, should_stop=lambda n=stop_after, s=seen: len(s) >= n)
        assert len(seen) == stop_after
        write_checkpoint(tmp_path / "run.npz", checkpoint)
        pixels, resumed, _ = _optimize(resume_from=read_checkpoint(tmp_path / "run.npz"))
        np.testing.assert_array_equal(pixels, whole)
        assert [entry.losses for entry in resumed] == [entry.losses for entry in history]
        assert [entry.step for entry in resumed] == list(range(1, 31))


def test_damaged_or_missing_checkpoint_is_one_line(tmp_path):
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 not really")
    for path in (broken, tmp_path / "missing.npz"):
        with pytest.raises(ImageError, match="without --resume") as caught:
            read_checkpoint(path)
        assert "\n" not in str(caught.value)


def test_time_budget_ends_the_run_in_time():
    def slow_at(height, width):
        loss = _distance_at(height, width)

        def slow(pixels):
            time.sleep(height * width * 2e-5)
            return loss(pixels)

        return slow

    began = time.perf_counter()
    _, history, _ = _optimize(dataclasses.replace(CONFIG, steps=1000, time_budget=1.5), slow_at)
    assert time.perf_counter() - began == pytest.approx(1.5, rel=0.15)
    assert {entry.level for entry in history} == {1, 2, 3}


def test_not_a_number_is_survived_and_said():
    calls = []

    def fails_once_at(height, width):
        loss = _distance_at(height, width)

        def failing(pixels):
            calls.append(1)
            terms, gradient = loss(pixels)
            return (dataclasses.replace(terms, total=np.nan), gradient) if len(calls) == 7 else (terms, gradient)

        return failing

    messages = []
    pixels, _, _ = _optimize(loss_at=fails_once_at, on_message=messages.append)
    np.testing.assert_allclose(pixels, PICTURE, atol=2e-2)
    assert len(messages) == 1
    assert "not finite" in messages[0]


def test_never_finite_is_an_error_not_a_picture():
    def nan_at(height, width):
        return lambda pixels: (LossTerms(np.nan, 0, 0, 0, {}, {}), pixels * np.nan)

    with pytest.raises(StylizeError, match="finite"):
        _optimize(loss_at=nan_at)


def test_a_run_broken_off_keeps_its_best_picture():
    # A rate far too large: Adam's later iterates are worse than its first ones.
    options = OptimizationConfig(optimizer="adam", learning_rate=1.0, epsilon=1e-7)
    config = dataclasses.replace(CONFIG, optimization=options, pyramid=PyramidConfig(coarsest_px=None))
    seen = []
    pixels, history, _ = _optimize(config, on_iterate=seen.append, should_stop=lambda: len(seen) >= 9)
    losses = [entry.losses.total for entry in history]
    assert min(losses) < losses[-1]
    assert _distance_at(24, 32)(pixels)[0].total == pytest.approx(min(losses), rel=1e-5)

"""The optimisers on functions whose minimum is known, and the pyramid's bookkeeping."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stylize.config import OptimizationConfig, PyramidConfig, RefineConfig
from stylize.errors import ImageError, StylizeError
from stylize.images.resizing import resized
from stylize.optimize import lbfgs
from stylize.optimize.adam import Adam
from stylize.optimize.checkpoint import read_checkpoint, write_checkpoint
from stylize.optimize.lbfgs import LBFGS
from stylize.optimize.progress import LossTerms
from stylize.optimize.pyramid import level_size, pyramid_levels
from stylize.optimize.run import optimize

TARGET = np.linspace(-0.3, 1.3, 6 * 8 * 3, dtype=np.float32).reshape(6, 8, 3)
SCALES = np.geomspace(1, 100, TARGET.size).astype(np.float32).reshape(TARGET.shape)


def _quadratic(x):
    """An ill-conditioned bowl whose minimum lies partly outside the box [0, 1]."""
    difference = x - TARGET
    # In float64: near the minimum, a float32 sum goes up and down by itself.
    return float((SCALES * difference.astype(np.float64) ** 2).sum() / 2), SCALES * difference


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


@pytest.mark.parametrize("noise", [0, LBFGS._noise])
def test_lbfgs_never_gets_worse_but_for_noise_and_stays_in_the_box(noise, monkeypatch):
    monkeypatch.setattr(LBFGS, "_noise", noise)
    optimizer = LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig(learning_rate=1.0))
    previous = np.inf
    for _ in range(40):
        point = optimizer.ask()
        assert point.min() >= 0
        assert point.max() <= 1
        optimizer.tell(*_quadratic(point))
        value = _quadratic(optimizer.best)[0]
        assert value <= previous * (1 + noise)
        previous = value


def _curved_by_frequency(height, width):
    """A bowl that curves hundreds of times more along fine light than along coarse light and along colour."""
    target = np.random.default_rng(0).uniform(0.3, 0.7, (height, width, 3)).astype(np.float32)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width))[..., None]
    scales = np.concatenate([0.1 + 100 * frequency, np.full((height, width, 2), 0.1)], axis=-1)
    basis = np.linalg.qr(np.array([[1.0, 1, 1], [1, 0, -1], [-1, 2, -1]]).T)[0]  # light first

    def bowl(x):
        parts = np.fft.fft2((x - target) @ basis, axes=(0, 1))
        gradient = np.fft.ifft2(scales * parts, axes=(0, 1)).real @ basis.T
        return float((gradient * (x - target)).sum() / 2), gradient.astype(np.float32)

    return bowl


def test_lbfgs_learns_how_frequencies_curve(monkeypatch):
    bowl = _curved_by_frequency(24, 40)
    start = np.full((24, 40, 3), 0.5, np.float32)
    learnt = bowl(_run(LBFGS(start, OptimizationConfig()), bowl, 30))[0]
    # One scale for all bands is L-BFGS as it is known.
    monkeypatch.setattr(lbfgs._Bands, "scaled", lambda self, picture, by: picture * np.float32(by.mean()))
    plain = bowl(_run(LBFGS(start, OptimizationConfig()), bowl, 30))[0]
    assert learnt < plain / 2


def test_bands_are_all_of_a_picture():
    picture = np.random.default_rng(0).random((13, 18, 3), np.float32)
    bands = lbfgs._Bands(13, 18)
    np.testing.assert_allclose(bands.scaled(picture, np.ones((2, 8))), picture, atol=1e-6)
    light = np.repeat(picture.mean(axis=-1, keepdims=True), 3, axis=-1)
    np.testing.assert_allclose(bands.scaled(picture, np.repeat([[1], [0]], 8, axis=1)), light, atol=1e-6)
    assert bands.energies(light)[1].sum() < 1e-6 * bands.energies(light)[0].sum()


def test_lbfgs_learns_how_places_curve(monkeypatch):
    target = np.random.default_rng(0).uniform(0.3, 0.7, (40, 64, 3)).astype(np.float32)
    curvature = np.geomspace(0.1, 30, 64, dtype=np.float32)[None, :, None]

    def bowl(x):
        return float((curvature * (x - target) ** 2).sum() / 2), curvature * (x - target)

    start = np.full(target.shape, 0.5, np.float32)
    learnt = bowl(_run(LBFGS(start, OptimizationConfig()), bowl, 30))[0]
    monkeypatch.setattr(lbfgs._Blocks, "spread", lambda self, by: np.float32(1))
    plain = bowl(_run(LBFGS(start, OptimizationConfig()), bowl, 30))[0]
    assert learnt < plain / 2


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (16, 16), (29, 50)])
def test_blocks_are_all_of_a_picture(size):
    picture = np.random.default_rng(0).random((*size, 3), np.float32)
    blocks = lbfgs._Blocks(*size)
    energies = blocks.energies(picture)
    assert energies.shape == tuple(max(1, side // 8) for side in size)
    assert energies.sum() == pytest.approx(np.square(picture).sum(), rel=1e-5)
    spread = blocks.spread(energies / energies.max())
    assert spread.shape == (*size, 1)
    assert (spread > 0).all()
    # Smoothly, so that no step shows the blocks.
    assert np.abs(np.diff(spread, axis=1)).max(initial=0) < 0.6 * np.ptp(spread) + 1e-6


def test_pixels_at_their_bounds_tell_lbfgs_nothing_of_curvature():
    # All pull at all: where pixels can't move, the gradient changes nevertheless.
    target = np.random.default_rng(0).uniform(0.5, 0.9, (16, 32, 3)).astype(np.float32)
    target[:, :16] = -3

    def pulled(x):
        off = x - target
        return float((off**2).sum() + 0.1 * off.sum() ** 2 / off.size), 2 * off + 0.2 * off.sum() / off.size

    optimizer = LBFGS(np.full(target.shape, 0.5, np.float32), OptimizationConfig(learning_rate=1.0))
    _run(optimizer, pulled, 6)
    moved, changed = optimizer._pairs[-1].of_blocks
    assert (optimizer.best[:, :16] == 0).all()
    assert (moved[:, :2] == 0).all()
    assert (changed[:, :2] == 0).all()
    assert (changed[:, 2:] > 0).all()


def test_what_is_held_at_its_bound_neither_moves_nor_counts(monkeypatch):
    random = np.random.default_rng(0)
    optimizer = LBFGS(np.zeros((4, 5, 3), np.float32), OptimizationConfig())
    monkeypatch.setattr(optimizer, "_times_first_guess", lambda q: q)
    for _ in range(6):
        step = random.normal(size=(4, 5, 3)).astype(np.float32)
        optimizer._remember(step, step * np.linspace(0.5, 2, 60, dtype=np.float32).reshape(4, 5, 3))
    held = np.flatnonzero(random.random(60) < 0.3)
    gradient = random.normal(size=(4, 5, 3)).astype(np.float32)
    gradient.ravel()[held] = 0
    direction = optimizer._times_inverse_hessian(gradient.copy(), held)

    # BFGS' update by matrices (Nocedal and Wright, equation 6.17), of the free variables alone.
    free = np.setdiff1d(np.arange(60), held)
    inverse = np.eye(len(free))
    for pair in optimizer._pairs:
        s, y = (each.ravel()[free].astype(np.float64) for each in (pair.step, pair.change))
        off = np.eye(len(free)) - np.outer(s, y) / (s @ y)
        inverse = off @ inverse @ off.T + np.outer(s, s) / (s @ y)
    assert (direction.ravel()[held] == 0).all()
    np.testing.assert_allclose(direction.ravel()[free], inverse @ gradient.ravel()[free], rtol=1e-3, atol=1e-4)


def test_lbfgs_goes_on_where_the_loss_is_noisy():
    noise = np.random.default_rng(0)

    def noisy(x):
        value, gradient = _quadratic(x)
        return value + 1000 * noise.uniform(0.9999, 1.0001), gradient

    best = _run(LBFGS(np.full(TARGET.shape, 0.5, np.float32), OptimizationConfig()), noisy, 80)
    np.testing.assert_allclose(best, TARGET.clip(0, 1), atol=5e-3)


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
)
def test_pyramid_spends_all_steps_and_ends_at_full_size(size, steps, coarsest):
    levels = pyramid_levels(size, steps, PyramidConfig(coarsest_px=coarsest))
    assert levels[-1].long_side_px == size
    assert sum(level.max_steps for level in levels) == steps
    assert all(level.max_steps >= 1 for level in levels)
    sizes = [level.long_side_px for level in levels]
    assert sizes == sorted(set(sizes))
    if coarsest is None or size <= coarsest:
        assert len(levels) == 1


def test_what_is_painted_already_is_left_out():
    sizes = {
        painted_px: [level.long_side_px for level in pyramid_levels(512, 60, PyramidConfig(), painted_px)]
        for painted_px in (0, 250, 256, 300, 320, 512, 4000)
    }
    assert sizes.pop(0) == [64, 91, 128, 181, 256, 362, 512]
    assert sizes == {250: [362, 512], 256: [362, 512], 300: [362, 512], 320: [512], 512: [512], 4000: [512]}
    assert pyramid_levels(512, 60, PyramidConfig(), 256)[0].max_steps == 30, "those that are left share all steps"


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


def _photos(content, levels):
    return [*(resized(content, *level_size(content.shape[:2], level)) for level in levels), content]


def _optimize(config=CONFIG, loss_of_size=_distance_at, start=None, **options):
    levels = pyramid_levels(32, config.steps, config.pyramid)
    start = np.full((24, 32, 3), 0.5, np.float32) if start is None else start
    photos = _photos(PICTURE, levels)
    return optimize(start, photos, levels, lambda index: loss_of_size(*photos[index].shape[:2]), config, **options)


def test_pyramid_reaches_the_target():
    pixels, history, checkpoint = _optimize()
    np.testing.assert_allclose(pixels, PICTURE, atol=1e-2)
    assert checkpoint is None
    assert [entry.step for entry in history] == list(range(1, 31))
    assert history[-1].level == 3


def test_larger_sizes_begin_with_the_contents_detail_where_there_is_a_content():
    content = np.random.default_rng(0).random((32, 48, 3), np.float32)
    start = resized(content, 16, 24)
    levels = pyramid_levels(48, 2, PyramidConfig(coarsest_px=24, ratio=2.0))
    flat = LossTerms(1.0, 1.0, 0.0, 0.0, {}, {})
    config = RefineConfig()
    texture = dataclasses.replace(config, loss=dataclasses.replace(config.loss, content_weight=0.0))
    for asked, expected in ((config, content), (texture, resized(start, 32, 48))):
        photos = _photos(content, levels)
        pixels, _, _ = optimize(start, photos, levels, lambda _: lambda x: (flat, np.zeros_like(x)), asked)
        np.testing.assert_allclose(pixels, expected, atol=1e-6)


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


class _Machine:
    """A clock, and a loss that takes fixed + per_pixel * pixels of its seconds; the first two graphs are traced."""

    def __init__(self, fixed, per_pixel, *, targets=1.7, tracing=(3.0, 2.0)):
        self.now = 1000.0
        self.targets = targets
        self.tracing = dict(enumerate(tracing))
        self.made = []
        self.step_s = lambda px: fixed + per_pixel * px**2

    def loss_at(self, px):
        index, seconds = len(self.made), self.step_s(px)
        self.made.append(px)
        self.now += self.targets * seconds

        def loss(pixels):
            self.now += seconds + self.tracing.pop(index, 0.0)
            return LossTerms(1.0, 1.0, 0.0, 0.0, {}, {}), np.zeros_like(pixels)

        return loss

    def run(self, px, budget, **options):
        """Return the seconds, the steps at each level, the messages and the checkpoint of a run."""
        config, messages, began = RefineConfig(time_budget=budget), [], self.now
        self.now += 0.5  # until all is loaded
        levels = pyramid_levels(px, config.steps, config.pyramid)
        # Only the clock counts here, so that the pictures of all levels may have one pixel.
        pixel = np.zeros((1, 1, 3), np.float32)
        _, history, checkpoint = optimize(
            pixel, [pixel] * (len(levels) + 1), levels, lambda index: self.loss_at(levels[index].long_side_px), config,
            started_at=began, clock=lambda: self.now, on_message=messages.append, **options,
        )  # fmt: skip
        steps = [sum(entry.level == number for entry in history) for number in range(1, len(levels) + 1)]
        return self.now - began, steps, messages, checkpoint


MACHINES = {
    "VGG-19 on two cores": (0.07, 7.7e-6), "a smaller network": (0.02, 2e-6), "an accelerator": (0.02, 5e-8),
    "nothing fixed": (0.0, 2e-5), "a slow one": (0.3, 3e-5),
}  # fmt: skip


@settings(deadline=None)
@given(
    fixed=st.floats(0.02, 0.4),
    per_pixel=st.floats(1e-8, 5e-5),
    targets=st.floats(0.0, 4.0),
    px=st.integers(256, 4096),
    budget=st.floats(5, 600),
)
def test_time_budget_is_met_within_a_tenth(fixed, per_pixel, targets, px, budget):
    machine = _Machine(fixed, per_pixel, targets=targets)
    # What no schedule can help: loading, the first graph, and steps that are slow even at the coarsest level.
    first_s = 3.5 + (1 + targets) * machine.step_s(90)
    assume(first_s < budget and machine.step_s(90) < budget / 5)
    assert machine.run(px, budget)[0] == pytest.approx(budget, rel=0.1)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("budget", [40, 165])  # 150 s all but pay for one more level at 2e-5 s a pixel: plans waver
@pytest.mark.parametrize("px", [256, 512, 1024, 4096])
def test_time_budget_is_spent_in_the_presets_proportions(machine, budget, px):
    _, steps, _, _ = _Machine(*machine).run(px, budget)
    visited = [count for count in steps if count]
    assert min(visited) >= 5
    # The coarsest level is left when only its own speed is known, and the finest takes what time there is.
    for coarser, finer in itertools.pairwise(visited[1:-1]):
        assert finer == pytest.approx(coarser, rel=0.15, abs=1.5)


@pytest.mark.parametrize("budget", [20, 60, 200])
def test_steps_under_a_budget_are_those_of_a_preset_of_as_many(budget):
    _, steps, _, _ = _Machine(*MACHINES["VGG-19 on two cores"]).run(256, budget)
    preset = [level.max_steps for level in pyramid_levels(256, sum(steps), PyramidConfig())]
    assert steps == pytest.approx(preset, rel=0.15, abs=2)


def test_levels_beyond_a_budget_are_left_out_and_told():
    machine = _Machine(*MACHINES["VGG-19 on two cores"])
    seconds, steps, messages, _ = machine.run(1024, 60)
    assert seconds == pytest.approx(60, rel=0.1)
    assert steps[-2:] == [0, 0]
    assert machine.made[-1] == 512
    assert messages == ["time budget: 60 s end at 512 px, enlarged to 1024, where a step takes about 8.1 s"]
    # A picture comes of it even where the first step takes longer.
    assert _Machine(1.0, 1e-4).run(128, 2)[1:3] == ([1, 0, 0], ["time budget: 2 s end at 64 px, enlarged to 128"])


def test_a_budget_that_pays_for_all_levels_says_nothing():
    assert _Machine(*MACHINES["VGG-19 on two cores"]).run(512, 120)[2] == []


def test_tracing_and_a_hiccup_do_not_spoil_the_plan():
    usual = _Machine(0.1, 8e-6, tracing=()).run(256, 60)[1]
    for late in ({0: 9.0}, {0: 9.0, 1: 9.0}):
        slow = _Machine(0.1, 8e-6)
        slow.tracing = late
        # The time itself is lost, to all levels alike.
        steps = slow.run(256, 60 + sum(late.values()))[1]
        assert steps[1:] == pytest.approx(usual[1:], rel=0.25)


def test_time_budget_counts_what_was_spent_before_a_run_was_taken_up():
    machine = _Machine(*MACHINES["VGG-19 on two cores"])
    stop_at = machine.now + 25
    before_s, before, _, checkpoint = machine.run(512, 60, should_stop=lambda: machine.now >= stop_at)
    assert 0 < checkpoint.elapsed_s == before_s < 27
    # In another process, which loads and traces anew.
    again = _Machine(*MACHINES["VGG-19 on two cores"])
    seconds, steps, messages, _ = again.run(512, 60, resume_from=checkpoint)
    assert before_s + seconds == pytest.approx(60, rel=0.1)
    assert all(now >= then for now, then in zip(steps, before, strict=True))
    assert (steps[-1] >= 5, messages) == (True, [])
    whole = again.run(512, 20, resume_from=checkpoint)
    assert whole[1] == before


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
    pixels, _, _ = _optimize(loss_of_size=fails_once_at, on_message=messages.append)
    np.testing.assert_allclose(pixels, PICTURE, atol=2e-2)
    assert len(messages) == 1
    assert "not finite" in messages[0]


def test_never_finite_is_an_error_not_a_picture():
    def nan_at(height, width):
        return lambda pixels: (LossTerms(np.nan, 0, 0, 0, {}, {}), pixels * np.nan)

    with pytest.raises(StylizeError, match="finite"):
        _optimize(loss_of_size=nan_at)


def test_a_run_broken_off_keeps_its_best_picture():
    # A rate far too large: Adam's later iterates are worse than its first ones.
    options = OptimizationConfig(optimizer="adam", learning_rate=1.0, epsilon=1e-7)
    config = dataclasses.replace(CONFIG, optimization=options, pyramid=PyramidConfig(coarsest_px=None))
    seen = []
    pixels, history, _ = _optimize(config, on_iterate=seen.append, should_stop=lambda: len(seen) >= 9)
    losses = [entry.losses.total for entry in history]
    assert min(losses) < losses[-1]
    assert _distance_at(24, 32)(pixels)[0].total == pytest.approx(min(losses), rel=1e-5)

"""The loop over the pyramid: where it ends, and what it does about losses that are not finite."""

from __future__ import annotations

import dataclasses
import functools
import gc
import weakref

import numpy as np
import pytest

from bowls import CONFIG, PICTURE, distance_at, distance_to, optimize_picture
from samples import refused_allocation
from stylize.config import OptimizationConfig, PyramidConfig
from stylize.errors import StylizeError
from stylize.images.resizing import resized, with_margin
from stylize.optimize.history import LossTerms
from stylize.optimize.lbfgs import LBFGS


def test_pyramid_reaches_the_target():
    pixels, history, checkpoint = optimize_picture()
    np.testing.assert_allclose(pixels, PICTURE, atol=1e-2)
    assert checkpoint is None
    assert [entry.step for entry in history] == list(range(1, 31))
    assert history[-1].level == 3


def test_the_loss_sees_a_margin_and_nobody_else_does():
    config = dataclasses.replace(CONFIG, padding="mirror")
    margin_px, seen, iterates = config.margin_px, [], []
    target = functools.partial(with_margin, margin_px=margin_px)

    def distance_with_margin(height, width):
        loss = distance_to(target(resized(PICTURE, height, width)))

        def noted(pixels):
            seen.append(pixels.shape)
            return loss(pixels)

        return noted

    pixels, _, checkpoint = optimize_picture(
        config, distance_with_margin, on_iterate=iterates.append, should_stop=lambda: len(iterates) >= 29
    )
    np.testing.assert_allclose(pixels, PICTURE, atol=1e-2)
    assert seen[-1] == (24 + 2 * margin_px, 32 + 2 * margin_px, 3)
    assert [(height + 2 * margin_px, width + 2 * margin_px) for height, width in (each.size for each in iterates)] == [
        shape[:2] for shape in seen
    ]
    assert all(each.pixels.shape[:2] == each.size for each in iterates)
    # The margin is painted, too, and a run that goes on needs the margin.
    np.testing.assert_allclose(checkpoint.pixels, target(PICTURE), atol=1e-2)
    resumed, history, _ = optimize_picture(config, distance_with_margin, resume_from=checkpoint)
    assert len(history) == 30
    np.testing.assert_allclose(resumed, PICTURE, atol=1e-2)


def test_a_checkpoint_is_had_until_the_next_step():
    iterates, checkpoints = [], []

    def note(iterate):
        iterates.append(iterate)
        checkpoints.append(iterate.checkpoint())

    optimize_picture(on_iterate=note)
    assert [len(each.history) for each in checkpoints] == list(range(1, 31))
    assert [each.level for each in checkpoints] == [each.level for each in iterates]
    with pytest.raises(StylizeError, match="before the next step, received that of step 7 after step 30"):
        iterates[6].checkpoint()


def test_a_resumed_run_of_more_steps_tells_how_many_it_takes():
    iterates = []
    _, _, checkpoint = optimize_picture(on_iterate=iterates.append, should_stop=lambda: len(iterates) >= 12)
    assert checkpoint.level == 2
    longer, resumed = dataclasses.replace(CONFIG, steps=60), []
    _, history, _ = optimize_picture(longer, resume_from=checkpoint, on_iterate=resumed.append)
    # The first level is done, after 10 steps.
    assert {each.steps for each in resumed} == {len(history)} == {10 + 20 + 20}


def test_a_run_resumed_where_a_level_ended_goes_on_with_the_level_after():
    seen = []
    _, _, checkpoint = optimize_picture(should_stop=lambda: False, on_iterate=seen.append)
    assert checkpoint is None
    seen.clear()
    # Asked before the first step of the second level.
    _, _, checkpoint = optimize_picture(should_stop=lambda: len(seen) >= 10, on_iterate=seen.append)
    assert (len(checkpoint.history), checkpoint.level) == (10, 2)
    longer, resumed = dataclasses.replace(CONFIG, steps=60), []
    _, history, _ = optimize_picture(longer, resume_from=checkpoint, on_iterate=resumed.append)
    assert {each.steps for each in resumed} == {len(history)} == {10 + 20 + 20}


def test_a_resumed_run_of_fewer_steps_takes_no_more_where_it_has_enough():
    iterates, resumed = [], []
    _, _, checkpoint = optimize_picture(on_iterate=iterates.append, should_stop=lambda: len(iterates) >= 18)
    shorter = dataclasses.replace(CONFIG, steps=15)
    _, history, _ = optimize_picture(shorter, resume_from=checkpoint, on_iterate=resumed.append)
    assert {each.steps for each in resumed} == {len(history)} == {10 + 8 + 5}


def test_a_checkpoint_knows_the_seconds_up_to_the_stop():
    now_s = [100.0]

    def shown(iterate):
        now_s[0] += 5

    _, history, checkpoint = optimize_picture(
        on_iterate=shown, should_stop=lambda: now_s[0] >= 110, clock=lambda: now_s[0]
    )
    assert [entry.elapsed_s for entry in history] == [0, 5]
    assert checkpoint.elapsed_s == 10


def test_no_memory_for_the_optimiser_is_one_line(monkeypatch):
    refusal = refused_allocation()

    def refuse(*arguments):
        raise refusal

    monkeypatch.setattr(LBFGS, "tell", refuse)
    with pytest.raises(StylizeError, match="out of memory for the optimiser: choose a smaller size"):
        optimize_picture()


def test_not_a_number_is_survived_and_said():
    calls = []

    def fails_once_at(height, width):
        loss = distance_at(height, width)

        def failing(pixels):
            calls.append(1)
            terms, gradient = loss(pixels)
            return (dataclasses.replace(terms, total=np.nan), gradient) if len(calls) == 7 else (terms, gradient)

        return failing

    messages = []
    pixels, _, _ = optimize_picture(loss_of_size=fails_once_at, on_message=messages.append)
    np.testing.assert_allclose(pixels, PICTURE, atol=2e-2)
    assert len(messages) == 1
    assert "not finite" in messages[0]


def test_never_finite_is_an_error_not_a_picture():
    seen = []

    def nan_at(height, width):
        return lambda pixels: (LossTerms(np.nan, 0, 0, 0, {}, {}), np.full((height, width, 3), np.nan))

    with pytest.raises(StylizeError, match="finite loss, received none: use precision float32"):
        optimize_picture(loss_of_size=nan_at, on_iterate=seen.append)
    assert not seen, "the first picture would be as bad at a second try"


def test_a_loss_that_stays_infinite_is_an_error_after_ten_smaller_steps():
    seen, messages = [], []

    def nan_beyond(height, width):
        loss, calls = distance_at(height, width), []

        def failing(pixels):
            calls.append(1)
            terms, gradient = loss(pixels)
            return (terms if len(calls) <= 3 else dataclasses.replace(terms, total=np.inf)), gradient

        return failing

    config = dataclasses.replace(CONFIG, pyramid=PyramidConfig(coarsest_px=None))
    with pytest.raises(StylizeError, match="finite loss, received none in 10 tries"):
        optimize_picture(config, nan_beyond, on_iterate=seen.append, on_message=messages.append)
    assert len(seen) == 3 + 9
    assert len(messages) == 1


def test_a_level_is_gone_when_the_next_one_begins(monkeypatch):
    """The optimiser of a level takes most of the memory."""
    kept, alive = [], []
    plain = LBFGS.__init__

    def noted(self, *arguments, **options):
        alive.append(sum(each() is not None for each in kept))
        kept.append(weakref.ref(self))
        plain(self, *arguments, **options)

    monkeypatch.setattr(LBFGS, "__init__", noted)
    # A cycle of references would keep the level until the collector comes by.
    gc.disable()
    try:
        optimize_picture(on_iterate=lambda iterate: None)
    finally:
        gc.enable()
    assert alive == [0, 0, 0]


def test_a_run_broken_off_keeps_its_best_picture():
    # With a rate that is far too large, Adam's later iterates are worse than its first ones.
    options = OptimizationConfig(optimizer="adam", learning_rate=1.0, beta_1=0.99, epsilon=1e-7)
    config = dataclasses.replace(CONFIG, optimization=options, pyramid=PyramidConfig(coarsest_px=None))
    seen = []
    pixels, history, _ = optimize_picture(config, on_iterate=seen.append, should_stop=lambda: len(seen) >= 9)
    losses = [entry.losses.total for entry in history]
    assert min(losses) < losses[-1]
    assert distance_at(24, 32)(pixels)[0].total == pytest.approx(min(losses), rel=1e-5)

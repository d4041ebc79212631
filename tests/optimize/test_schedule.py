"""Time budgets, on machines whose clock and costs are known."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stylize.config import PyramidConfig, RefineConfig
from stylize.optimize.checkpoint import Checkpoint
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.optimizer import State
from stylize.optimize.pyramid import pyramid_levels
from stylize.optimize.run import LevelLoss, optimize
from stylize.optimize.schedule import Schedule


class _Unmoved:
    """An optimiser that takes no time and no step: the real ones ask the device at each step."""

    def __init__(self, start: NDArray[np.float32]) -> None:
        self.best = self.result = start

    def ask(self) -> NDArray[np.float32]:
        return self.best

    def tell(self, loss: float, gradient: NDArray[np.float32]) -> bool:
        return True

    def state(self) -> State:
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        pass


class _Machine:
    """A clock, and a loss that takes fixed + per_pixel * pixels seconds. The first steps of two levels trace graphs."""

    def __init__(
        self,
        fixed: float,
        per_pixel: float,
        *,
        targets: float = 1.7,
        tracing: Sequence[float] = (3.0, 2.0),
        padding: Literal["edge", "mirror"] = "edge",
    ) -> None:
        self.config = RefineConfig(padding=padding)
        self.now = 1000.0
        self.targets = targets
        self.tracing = dict(enumerate(tracing))
        self.made: list[int] = []
        self.step_s: Callable[[int], float] = lambda px: fixed + per_pixel * (px + 2 * self.config.margin_px) ** 2

    def loss_at(self, px: int) -> LevelLoss:
        """Return a loss for pictures of px pixels a side, after the time that its targets take."""
        index, seconds = len(self.made), self.step_s(px)
        self.made.append(px)
        self.now += self.targets * seconds

        def loss(pixels: NDArray[np.float32]) -> tuple[LossTerms, NDArray[np.float32]]:
            self.now += seconds + self.tracing.pop(index, 0.0)
            return LossTerms(1.0, 1.0, 0.0, 0.0, {}, {}), pixels

        return LevelLoss(loss)

    def run(self, px: int, budget: float, **options: Any) -> tuple[float, list[int], list[str], Checkpoint | None]:
        """Return the seconds, the steps at each level, the messages and the checkpoint of a run."""
        config, began = self.config.replace(time_budget=budget), self.now
        messages: list[str] = []
        self.now += 0.5  # until all is loaded
        levels = pyramid_levels(px, config.steps, config.pyramid)
        # Only the clock counts here, so that the pictures of all levels may have one pixel, and need not move.
        pixel = np.zeros((1, 1, 3), np.float32)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("stylize.optimize.run._make_optimizer", lambda start, config: _Unmoved(start))
            _, history, checkpoint = optimize(
                pixel, [pixel] * (len(levels) + 1), levels, lambda index, *_: self.loss_at(levels[index].long_side_px),
                config, started_at=began, clock=lambda: self.now, on_message=messages.append, **options,
            )  # fmt: skip
        steps = [sum(entry.level == number for entry in history) for number in range(1, len(levels) + 1)]
        return self.now - began, steps, messages, checkpoint


MACHINES = {
    "VGG-19 on two cores": (0.07, 7.7e-6), "a smaller network": (0.02, 2e-6), "an accelerator": (0.02, 5e-8),
    "nothing fixed": (0.0, 2e-5), "a slow one": (0.3, 3e-5),
}  # fmt: skip


@given(
    fixed=st.floats(0.02, 0.4),
    per_pixel=st.floats(1e-8, 5e-5),
    targets=st.floats(0.0, 4.0),
    px=st.integers(256, 4096),
    budget=st.floats(5, 600),
)
def test_time_budget_is_met_within_a_tenth(fixed, per_pixel, targets, px, budget):
    machine = _Machine(fixed, per_pixel, targets=targets)
    # No schedule can change the time for loading and the first graph, nor steps that are slow at the coarsest level.
    first_s = 3.5 + (1 + targets) * machine.step_s(90)
    assume(first_s < budget and machine.step_s(90) < budget / 5)
    assert machine.run(px, budget)[0] == pytest.approx(budget, rel=0.1)


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("budget", [40, 165])  # at 150 s, "nothing fixed" is close to one more level: plans change
@pytest.mark.parametrize("px", [256, 512, 1024, 4096])
def test_time_budget_is_spent_in_the_presets_proportions(machine, budget, px):
    _, steps, _, _ = _Machine(*machine).run(px, budget)
    visited = [count for count in steps if count]
    assert min(visited) >= 5
    # The coarsest level ends when only its own speed is known, and the finest takes the rest of the time.
    for coarser, finer in itertools.pairwise(visited[1:-1]):
        assert finer == pytest.approx(coarser, rel=0.15, abs=1.5)


def test_the_pixels_of_the_margin_are_in_the_plan():
    machine = _Machine(0.0, 2e-5, tracing=(), padding="mirror")
    seconds, steps, messages, _ = machine.run(512, 300)
    assert machine.config.margin_px > 0
    assert seconds == pytest.approx(300, rel=0.01)
    assert messages == []
    # The coarsest level ends when only its own speed is known.
    assert steps[1:] == pytest.approx([steps[1]] * (len(steps) - 1), abs=1)


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
    # A run gives a picture even if its first step takes longer than the budget.
    assert _Machine(1.0, 1e-4).run(128, 2)[1:3] == ([1, 0, 0], ["time budget: 2 s end at 64 px, enlarged to 128"])


def test_a_budget_that_pays_for_all_levels_says_nothing():
    assert _Machine(*MACHINES["VGG-19 on two cores"]).run(512, 120)[2] == []


def test_tracing_and_a_hiccup_do_not_spoil_the_plan():
    usual = _Machine(0.1, 8e-6, tracing=()).run(256, 60)[1]
    for late in ({0: 9.0}, {0: 9.0, 1: 9.0}):
        slow = _Machine(0.1, 8e-6)
        slow.tracing = late
        # All levels share the lost time.
        steps = slow.run(256, 60 + sum(late.values()))[1]
        assert steps[1:] == pytest.approx(usual[1:], rel=0.25)


def test_time_budget_counts_the_time_before_a_run_was_interrupted():
    machine = _Machine(*MACHINES["VGG-19 on two cores"])
    stop_at = machine.now + 25
    before_s, before, _, checkpoint = machine.run(512, 60, should_stop=lambda: machine.now >= stop_at)
    assert 0 < checkpoint.elapsed_s == before_s < 27
    # Another process loads and traces again.
    again = _Machine(*MACHINES["VGG-19 on two cores"])
    seconds, steps, messages, _ = again.run(512, 60, resume_from=checkpoint)
    assert before_s + seconds == pytest.approx(60, rel=0.1)
    assert all(now >= then for now, then in zip(steps, before, strict=True))
    assert (steps[-1] >= 5, messages) == (True, [])
    whole = again.run(512, 20, resume_from=checkpoint)
    assert whole[1] == before


@pytest.mark.parametrize("budget_s", [None, 60.0])
def test_steps_without_time_between_them_are_no_division_by_zero(budget_s: float | None) -> None:
    """The clock of a checkpoint may stand still."""
    levels = pyramid_levels(64, 12, PyramidConfig(coarsest_px=32))
    losses = LossTerms(1.0, 0.0, 1.0, 0.0, {}, {})
    history = [HistoryEntry(level, 2 * level + step, 5.0, losses) for level in (1, 2) for step in (0, 1)]
    schedule = Schedule(levels, budget_s, history=history, now_s=lambda: 6.0)
    assert schedule.wants_step(1)
    assert 0 <= schedule.remaining_s(1, 6.0) <= 60

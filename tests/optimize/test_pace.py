"""What steps cost, and how long the rest of a run takes, by histories whose times are known."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from stylize.config import PyramidConfig
from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.optimize.pace import Pace, step_costs
from stylize.optimize.pyramid import PyramidLevel, pyramid_levels
from stylize.optimize.schedule import Schedule

# 32, 45 and 64 px, four steps each.
LEVELS = pyramid_levels(64, 12, PyramidConfig(coarsest_px=32))


def history(*steps: tuple[int, float]) -> list[HistoryEntry]:
    """Return the record of steps: of each its level, and its seconds."""
    losses = LossTerms(1.0, 0.0, 1.0, 0.0, {}, {})
    ends = itertools.accumulate(seconds for _, seconds in steps)
    numbered = enumerate(zip(steps, ends, strict=True), start=1)
    return [HistoryEntry(level, number, end, losses) for number, ((level, _), end) in numbered]


def pace(steps: Iterable[tuple[int, float]], sides: Iterable[int] = (32, 45, 64), margin_px: int = 0) -> Pace:
    found = Pace([PyramidLevel(side, 4) for side in sides], [], margin_px)
    for entry in history(*steps):
        found.add(entry)
    return found


def test_until_two_levels_are_measured_10000_pixels_cost_as_much_as_the_fixed_part() -> None:
    assert pace([(1, 9.0), (1, 2.0)], (100, 200)).step_s(1) == pytest.approx(1 + 4)
    with_margin = pace([(1, 9.0), (1, 2.0)], (80, 180), margin_px=10)
    assert [with_margin.step_s(index) for index in (0, 1)] == pytest.approx([2, 5])


def test_two_levels_make_a_line() -> None:
    measured = pace([(1, 9.0), (1, 2.0), (2, 9.0), (2, 5.0)], (100, 200, 300))
    assert [measured.step_s(index) for index in range(3)] == pytest.approx([2, 5, 10])


@pytest.mark.parametrize(("slope", "costs"), [(-1.0, (5.0, 0.0)), (0.25, (2.5, 0.25)), (9.0, (0.0, 0.5))])
def test_no_cost_is_below_zero(slope: float, costs: tuple[float, float]) -> None:
    assert step_costs(slope, 10, 5.0) == costs


def test_a_single_slow_step_and_old_steps_do_not_count() -> None:
    assert pace([(1, 9.0), (1, 1.0), (1, 1.0), (1, 7.0)]).step_s(0) == pytest.approx(1)
    assert pace([(1, 9.0), *[(1, 1.0)] * 30, *[(1, 3.0)] * 20]).step_s(0) == pytest.approx(3)


def test_targets_cost_what_the_first_steps_of_levels_take_beyond_a_step() -> None:
    one = [(1, 9.0), (1, 1.0), (2, 4.0), (2, 1.0)]
    assert pace(one).targets_s(2) == pytest.approx(2), "a guess: the second level may have traced a graph"
    assert pace([*one, (3, 8.0), (3, 1.0)]).targets_s(2) == pytest.approx(3), "the third one may, too"
    assert pace([*one, (3, 1.5), (3, 1.0)]).targets_s(2) == pytest.approx(0.5)


def test_the_pause_of_an_interrupted_run_is_no_step() -> None:
    before = history((1, 9.0), (1, 1.0))
    resumed = Pace(LEVELS, before, 0)
    resumed.add(HistoryEntry(1, 3, 500.0, before[0].losses))
    assert resumed.step_s(0) == pytest.approx(1)
    resumed.add(HistoryEntry(1, 4, 503.0, before[0].losses))
    assert resumed.step_s(0) == pytest.approx(2)


def test_what_remains_are_steps_of_all_levels_and_targets_of_finer_ones() -> None:
    schedule = Schedule(LEVELS, None, now_s=lambda: 0.0)
    remaining = []
    for entry in history((1, 5.0), *[(1, 1.0)] * 3, (2, 3.0), (2, 1.0)):
        schedule.add(entry, 1.0)
        remaining.append(schedule.remaining_s(entry.level - 1, entry.elapsed_s))
    assert remaining[0] == pytest.approx(11 * 5), "as if each step took as long as the first one"
    # Steps of one second at all sizes, and targets of two: two levels measured say so.
    assert remaining[-1] == pytest.approx(2 + (2 + 4))


class _Budget:
    """A schedule under a budget, whose clock shows the end of the last step."""

    def __init__(self, seconds: float) -> None:
        self.now_s = 0.0
        self.said: list[str] = []
        self.schedule = Schedule(LEVELS, seconds, now_s=lambda: self.now_s, on_message=self.said.append)

    def take(self, *steps: tuple[int, float]) -> None:
        for entry in history(*steps):
            self.schedule.add(entry, 1e-6)  # No time for tracing is set aside.
            self.now_s = entry.elapsed_s


def test_a_level_whose_targets_took_all_the_time_is_not_the_last_one() -> None:
    budget = _Budget(20.0)
    budget.take((1, 5.0), *[(1, 1.0)] * 6)
    budget.now_s = 20.0
    assert not budget.schedule.wants_step(1)
    assert budget.schedule.last == 0
    assert budget.said == ["time budget: 20 s end at 32 px, enlarged to 64, where a step takes about 1.3 s"]


def test_a_few_slow_steps_leave_out_no_level() -> None:
    budget = _Budget(40.0)
    budget.take((1, 5.0), (1, 6.0))
    assert budget.schedule.wants_step(0), "no finer level can be paid for"
    budget.take((1, 5.0), (1, 6.0), *[(1, 0.1)] * 4)
    assert budget.schedule.wants_step(0)
    assert (budget.schedule.last, budget.said) == (2, [])


@pytest.mark.parametrize(("left_s", "ends"), [(8.0, False), (5.0, True)])
def test_no_level_begins_for_fewer_than_five_steps(left_s: float, ends: bool) -> None:
    budget = _Budget(41.0 + left_s)
    budget.take((1, 1.0), *[(1, 1.0)] * 40)
    # A step of the next level costs 1.1 s by the first guess, and its targets as much as two steps.
    assert budget.schedule.wants_step(0) == ends
    assert budget.schedule.last == (0 if ends else 2)

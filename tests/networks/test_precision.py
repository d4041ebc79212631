"""Which precision is taken where none is asked for."""

from __future__ import annotations

import itertools

import pytest

from stylize.networks import precision
from stylize.networks.devices import chosen as chosen_device
from stylize.networks.precision import Precision, compare_precisions, faster_precision

CPU = chosen_device()


@pytest.mark.parametrize(("seconds", "chosen"), [(0.5, "bfloat16"), (0.95, "float32"), (1.6, "float32")])
@pytest.mark.parametrize("asleep_for", range(9))
def test_precision_is_chosen_by_a_trial(seconds: float, chosen: Precision, asleep_for: int) -> None:
    """bfloat16 must be clearly faster."""
    # For some milliseconds, half of the cores are asleep: a measured time is then twice as long.
    asleep = itertools.chain([2.0] * asleep_for, itertools.repeat(1.0))
    spent = {"float32": 1.0, "bfloat16": seconds}
    assert compare_precisions(lambda tried: spent[tried] * next(asleep)) == chosen


def test_bfloat16_is_not_tried_without_instructions_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda: False)
    monkeypatch.setattr(precision, "compare_precisions", lambda seconds: pytest.fail("a trial"))
    faster_precision.cache_clear()
    try:
        assert faster_precision(CPU) == "float32"
    finally:
        faster_precision.cache_clear()


def test_the_trial_runs_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_native_bfloat16", lambda: True)
    faster_precision.cache_clear()
    try:
        assert faster_precision(CPU) in ("float32", "bfloat16")
    finally:
        faster_precision.cache_clear()

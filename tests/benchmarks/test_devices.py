"""The script for a lent GPU: its steps, on the CPU."""

from __future__ import annotations

import sys
import time

import pytest

from samples import REPOSITORY
from stylize.networks.devices import chosen

sys.path.insert(0, str(REPOSITORY / "benchmarks"))
import devices as script


@pytest.mark.slow
def test_a_step_and_its_floor_are_measured() -> None:
    clock = script.Clock(time.perf_counter() + 1000)
    row = script.steps_at(chosen(), 64, {"float32": 1e11, "bfloat16": 1e11}, clock)
    assert row["step_s"] > 0
    assert row["ratio"] == pytest.approx(row["step_s"] / row["floor_s"])
    assert clock.left_out == []
    assert "step_s" not in script.steps_at(chosen(), 64, {}, script.Clock(time.perf_counter()))

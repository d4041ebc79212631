"""What a refinement will take, said before the run starts."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import stylize
from samples import tiny_encoder
from stylize.config import PerceptualLossConfig, RefineConfig
from stylize.losses.objective import Objective
from stylize.networks.backend import array_of
from stylize.optimize.pace import TARGETS_STEPS
from stylize.optimize.pyramid import PyramidLevel
from stylize.transfer.estimate import expected_seconds, run_summary
from stylize.transfer.inputs import Inputs
from stylize.transfer.session import Session
from stylize.transfer.start import InitPicture, plan_levels
from stylize.transfer.tiling import Tiling


class _TimedObjective(Objective):
    """The default objective on the tiny network, by whose clock a step takes the time that `timed_objective` sets.

    Attributes:
        sides: the height of each picture that a step was taken on.
    """

    def __init__(self) -> None:
        super().__init__(tiny_encoder(PerceptualLossConfig()), PerceptualLossConfig())
        self.start_clock(0.0, 0.0)

    def start_clock(self, step_s: float, pixel_s: float) -> None:
        self.sides: list[int] = []
        self._step_s, self._pixel_s, self._now_s = step_s, pixel_s, 0.0

    def clock(self) -> float:
        """Return the seconds that all steps took."""
        return self._now_s

    def value_and_gradient(self, image: NDArray[np.float32], *rest: Any) -> tuple[dict[str, Any], NDArray[np.float32]]:
        """Take a step and move the clock."""
        self.sides.append(image.shape[1])
        self._now_s += self._step_s + self._pixel_s * image.shape[1] * image.shape[2]
        return super().value_and_gradient(image, *rest)


@functools.cache  # Its graphs are traced once.
def _one_objective() -> _TimedObjective:
    return _TimedObjective()


def timed_objective(*, step_s: float, pixel_s: float) -> _TimedObjective:
    """Return the objective, whose steps take `step_s` and `pixel_s` for each pixel from now on."""
    objective = _one_objective()
    objective.start_clock(step_s, pixel_s)
    return objective


def _summary(
    objective: _TimedObjective,
    config: RefineConfig,
    pictures: tuple[Path, Path],
    *,
    masks: Sequence[NDArray[np.float32]] = (),
) -> str:
    """Return what is said of a run on the content in as many copies of the style as there are masks."""
    inputs = Inputs.read(pictures[0], [pictures[1]] * max(1, len(masks)), masks, config.size, on_message=print)
    session = Session()
    return run_summary(
        config,
        session.network("vgg19-slim", "features"),
        objective,
        plan_levels(inputs, config, InitPicture()),
        Tiling.of_run(objective, inputs, session, config.optimization.optimizer, config.margin_px),
        inputs,
        resumed=False,
        clock=objective.clock,
    )


@pytest.mark.parametrize("masked", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_how_long_a_run_will_take_is_said_before_it_starts(
    tiny_networks: Path, pictures: tuple[Path, Path], masked: bool
) -> None:
    objective = timed_objective(step_s=1.0, pixel_s=1e-4)
    masks = [np.eye(32, 48, k, dtype=np.float32) for k in (0, 5)] if masked else []
    config = RefineConfig(size=48, steps=12)
    said = _summary(objective, config, pictures, masks=masks)
    margins_px = 2 * config.margin_px
    expected = (config.steps + TARGETS_STEPS) * (1e-4 * (32 + margins_px) * (48 + margins_px) + 1.0)
    assert f" about {expected:.0f} s, up to " in said
    said = _summary(objective, RefineConfig(size=48, time_budget=0.1), pictures, masks=masks)
    assert "about" not in said, "it was given"


@pytest.mark.parametrize("time_budget", [None, 0.1])
def test_refine_says_what_it_will_take_unless_the_time_is_given(
    traced_networks: Path, pictures: tuple[Path, Path], time_budget: float | None
) -> None:
    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        stylize.refine(
            *pictures, size=48, steps=12, time_budget=time_budget, on_message=said.append, on_start=_interrupt
        )
    assert (" about " in said[-1]) == (time_budget is None)
    assert "up to " in said[-1]


def test_nothing_is_measured_where_nobody_is_told(
    traced_networks: Path, pictures: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylize.transfer.refine.run_summary", lambda *_, **__: pytest.fail("seconds were measured"))
    with pytest.raises(KeyboardInterrupt):
        stylize.refine(*pictures, size=48, steps=12, on_start=_interrupt)


def _interrupt(start: NDArray[np.float32]) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("size", "sides", "about"), [(300, [96, 192], "about 2 s"), (1200, [192, 448], "about 30 s")])
def test_a_long_run_is_foretold_by_larger_probes(
    tiny_networks: Path, pictures: tuple[Path, Path], size: int, sides: list[int], about: str
) -> None:
    objective = timed_objective(step_s=0.0, pixel_s=1e-5)
    said = _summary(objective, RefineConfig(size=size, steps=1), pictures)
    assert list(dict.fromkeys(objective.sides)) == sides
    # A step and the targets, which count as two, of 3:2 pictures with their margins: 10 us a pixel.
    assert about in said


class _Steps:
    """An objective whose steps on the first probe, and then on the second, take the given seconds."""

    def __init__(self, *seconds: float) -> None:
        self._seconds, self._now_s, self.sides = list(seconds), 0.0, []

        # From 400 px on, a picture has an octave more, which needs a graph of its own.
        def octaves(picture: NDArray[np.float32]) -> int:
            return 3 + (max(picture.shape) >= 400)

        self.targets = SimpleNamespace(encode=lambda *_, **__: None, octaves=octaves)

    def value_and_gradient(self, image: NDArray[np.float32], targets: None) -> tuple[None, Any]:
        self.sides.append(image.shape[1])
        self._now_s += self._seconds.pop(0)
        return None, array_of(np.zeros((1, 1, 1, 3), np.float32))

    def expected(self, *sides: int, crop_px: int = 1000) -> float:
        """Return the seconds of three steps at each size, all of which cost the same."""
        tiling = SimpleNamespace(crop_px=crop_px, margin_px=0, pixels_per_step=lambda height, width: 0)
        inputs, levels = SimpleNamespace(size=(600, 600), mask_count=0), [PyramidLevel(side, 3) for side in sides]
        return expected_seconds(self, inputs, levels, tiling, clock=lambda: self._now_s)  # type: ignore[arg-type]


def test_the_fastest_step_after_the_first_one_counts() -> None:
    assert _Steps(9.0, 3.0, 2.0, 7.0, 2.0, 5.0).expected(200) == pytest.approx((3 + TARGETS_STEPS) * 2)


def test_each_further_graph_takes_the_time_of_the_first_one() -> None:
    steps = 2 * (3 + TARGETS_STEPS) * 2
    assert _Steps(9.0, 2.0, 2.0, 7.0, 2.0, 2.0).expected(100, 200) == pytest.approx(steps)
    assert _Steps(9.0, 2.0, 2.0, 7.0, 2.0, 2.0).expected(200, 600) == pytest.approx(steps + (9 - 2))


@pytest.mark.parametrize(("crop_px", "sides"), [(1000, {96, 192}), (150, {96, 150}), (100, {96, 112})])
def test_probes_are_no_larger_than_the_tiles(crop_px: int, sides: set[int]) -> None:
    objective = _Steps(*[1.0] * 6)
    objective.expected(200, crop_px=crop_px)
    assert set(objective.sides) == sides

"""Tiles that fit into the memory at hand."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import psutil
import pytest

from samples import EARLIER_RECIPE, TESTS, assert_tiled_is_untiled, painting, refused_allocation, tiny_objective
from stylize.config import PerceptualLossConfig
from stylize.errors import OptionError, StylizeError
from stylize.losses.objective import Objective
from stylize.networks import devices
from stylize.networks.devices import Device
from stylize.transfer import tiling as tiling_module
from stylize.transfer.tiling import SMALLEST_TILE_PX, Tiling


@pytest.fixture(scope="module")
def loss() -> Objective:
    return tiny_objective()


def _never(message: str) -> None:
    raise AssertionError(message)


def test_a_small_picture_needs_no_tiles(loss: Objective) -> None:
    tiling = Tiling(loss, (256, 256), None, _never)
    assert not tiling.is_needed
    assert tiling.within(lambda tile_px: tile_px) ** 2 >= 256**2, "and a style that is larger than this is cut"


def test_a_full_gpu_is_not_taken_for_one_that_does_not_tell(loss: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "chosen", lambda: Device("torch", "gpu:0"))
    sizes = []
    for free in (None, 0):
        monkeypatch.setattr(devices, "free_bytes", lambda device, free=free: free)
        sizes.append(Tiling(loss, (3000, 4000), None, _never).tile_px)
        assert Tiling(loss, (3000, 4000), None, _never, optimizer="lbfgs").tile_px, "tried: a GPU may give more"
    assert sizes[0] > sizes[1] == SMALLEST_TILE_PX


def test_less_memory_means_smaller_tiles(loss: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: type("", (), {"rss": 500_000_000}))
    tilings = [Tiling(loss, (3000, 4000), gb, _never, optimizer="lbfgs") for gb in (16.0, 6.0, 5.5)]
    assert [tiling.is_needed for tiling in tilings] == [False, True, True]
    sizes = [tiling.tile_px for tiling in tilings]
    assert sizes[0] > sizes[1] > sizes[2] >= SMALLEST_TILE_PX
    assert tilings[1].peak_bytes < 6.0e9
    assert Tiling(loss, (3000, 4000), 6.0, _never, optimizer="adam").tile_px > sizes[1], "Adam keeps no pairs"
    with pytest.raises(OptionError, match=r"memory_gb: 4000 x 3000 px need at least [\d.]+ GB, received 1"):
        Tiling(loss, (3000, 4000), 1.0, _never, optimizer="lbfgs")
    assert Tiling(loss, (3000, 4000), 0.1, _never).tile_px == SMALLEST_TILE_PX, "a score is no reason to fail"


def test_a_run_that_needs_more_than_is_free_does_not_begin(loss: Objective, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiling_module, "available_memory_bytes", lambda: 100_000_000)
    message = r"^memory_gb: 4000 x 3000 px need at least ([\d.]+) GB, [\d.]+ GB are at hand; choose a smaller size"
    with pytest.raises(StylizeError, match=message) as caught:
        Tiling(loss, (3000, 4000), None, _never, optimizer="lbfgs")
    assert not isinstance(caught.value, OptionError), "no misuse"
    least = re.match(message, str(caught.value))[1]
    assert Tiling(loss, (3000, 4000), float(least), _never, optimizer="lbfgs").is_needed, "the number that is named"
    assert Tiling(loss, (3000, 4000), None, _never).tile_px == SMALLEST_TILE_PX, "a score is tried"


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let the process have taken these bytes."""
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: type("", (), {"rss": 500_000_000}))
    return 500_000_000


@pytest.mark.parametrize("crop_px", [1000, 2500, 5000])
def test_a_crop_takes_what_the_content_leaves_of_the_memory(loss: Objective, taken: int, crop_px: int) -> None:
    side, each = 20_000, loss.step_bytes_per_pixel
    whole = side**2 * loss.target_bytes_per_pixel
    memory_gb = (taken + (whole + crop_px**2 * each) / 0.9) / 1e9
    tiling = Tiling(loss, (side, side), memory_gb, _never)
    expected_px = min(2048, crop_px - 2 * loss.reach_px)
    assert tiling.tile_px == pytest.approx(expected_px, abs=1)
    assert tiling.crop_px == tiling.tile_px + 2 * loss.reach_px
    assert tiling.peak_bytes == pytest.approx(taken + whole + tiling.crop_px**2 * each)


def test_a_margin_takes_the_memory_of_its_pixels(loss: Objective, taken: int) -> None:
    with_margin = Tiling(loss, (300, 200), None, _never, optimizer="lbfgs", margin_px=16)
    assert with_margin.peak_bytes == Tiling(loss, (332, 232), None, _never, optimizer="lbfgs").peak_bytes


def test_a_refused_allocation_of_a_huge_picture_makes_tiles_of_the_usual_size(loss: Objective) -> None:
    tried: list[int] = []
    tiling = Tiling(loss, (9000, 9000), 1e6, lambda message: None)

    def compute(tile_px: int) -> None:
        tried.append(tile_px)
        if len(tried) == 1:
            raise MemoryError

    tiling.within(compute)
    assert tried[0] > 9000
    assert tried[1:] == [2048]


def test_a_gpu_gives_what_is_free_or_less_where_less_is_asked_for(
    loss: Objective, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "chosen", lambda: Device("torch", "gpu:0"))
    monkeypatch.setattr(devices, "free_bytes", lambda device: 4_000_000_000)
    free, more, less = (Tiling(loss, (6000, 6000), gb, _never).tile_px for gb in (None, 99.0, 2.0))
    assert free == more > less
    monkeypatch.setattr(devices, "free_bytes", lambda device: 1000)
    for gb in (None, 99.0):
        assert Tiling(loss, (6000, 6000), gb, _never, optimizer="lbfgs").tile_px == SMALLEST_TILE_PX, "it is tried"


def test_the_least_memory_that_is_named_is_enough(loss: Objective) -> None:
    with pytest.raises(OptionError, match="need at least") as caught:
        Tiling(loss, (2000, 2000), 0.1, _never, optimizer="lbfgs")
    least = float(str(caught.value).split("at least ")[1].split(" GB")[0])
    assert Tiling(loss, (2000, 2000), least, _never, optimizer="lbfgs").is_needed


@pytest.mark.parametrize("refusal", [MemoryError(), refused_allocation()], ids=["system", "backend"])
def test_a_refused_allocation_makes_smaller_tiles_and_says_so(loss: Objective, refusal: Exception) -> None:
    said: list[str] = []
    tried: list[int] = []
    tiling = Tiling(loss, (1000, 1000), None, said.append)

    def compute(tile_px: int) -> str:
        tried.append(tile_px)
        if tile_px > 300:
            raise refusal
        return "done"

    assert tiling.within(compute) == "done"
    assert tried[1:] == [500, 250], "half of the picture, not of the room there was thought to be"
    assert said[-1] == "out of memory: going on in tiles of 250 px"
    assert tiling.within(compute) == "done"
    assert tried[-1] == 250, "tiles stay small"


def test_a_style_that_is_too_large_is_cut_beside_a_small_output(loss: Objective) -> None:
    tried: list[int] = []

    def compute(tile_px: int) -> str:
        tried.append(tile_px)
        if tile_px > SMALLEST_TILE_PX:
            raise MemoryError
        return "done"

    assert Tiling(loss, (200, 200), None, lambda message: None).within(compute) == "done"
    assert tried[1:] == [SMALLEST_TILE_PX]


@pytest.mark.parametrize("memory_gb", [float("nan"), float("inf"), -1.0])
def test_memory_is_a_finite_number(loss: Objective, memory_gb: float) -> None:
    with pytest.raises(OptionError, match="memory_gb: expected a finite number of GB"):
        Tiling(loss, (64, 64), memory_gb, _never)


def test_no_tile_small_enough_is_one_line(loss: Objective) -> None:
    def compute(tile_px: int) -> str:
        raise MemoryError

    with pytest.raises(StylizeError, match="out of memory with the smallest tiles"):
        Tiling(loss, (256, 256), None, lambda message: None).within(compute)


_PEAK = """
import resource, sys
sys.path.insert(0, {tests!r})
from samples import *
from stylize.config import PerceptualLossConfig
loss = tiny_objective(PerceptualLossConfig(content_layers=(("relu4_2", 1.0),)))
side = int(sys.argv[1])
image, style = np.full((1, side, side, 3), 0.5, np.float32), painting(64, 64, 0)[None]
targets = loss.targets.encode(image, [(style, 1.0)], tile_px=256)
loss.value_and_gradient(image, targets, tile_px=256)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_memory_grows_by_the_pixels_alone() -> None:
    """From 1024 to 2048 px: a few arrays of pixels more, none of the activations (some 450 bytes a pixel)."""
    pytest.importorskip("resource")
    code = _PEAK.format(tests=str(TESTS))
    peaks = [
        float(
            subprocess.run([sys.executable, "-c", code, str(side)], capture_output=True, text=True, check=True).stdout
        )
        for side in (1024, 2048)
    ]
    pixels = (2048**2 - 1024**2) / 2**20
    assert (peaks[1] - peaks[0]) / pixels < 12 * 8, "bytes a pixel"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "networks"),
    # In the tiny random network, places of the style are equally near, and few steps make much of it.
    [({**EARLIER_RECIPE, "steps": 6}, "traced_networks"), ({"steps": 4}, "shipped_networks")],
    ids=["earlier", "default"],
)
def test_refine_in_tiles_paints_the_same_picture(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, recipe: dict[str, Any], networks: str
) -> None:
    request.getfixturevalue(networks)
    content, style = painting(300, 340, 0), painting(120, 120, 1)
    options = {"size": 344, "precision": "float32", "coarsest_px": 220, "network": "mini"}
    assert_tiled_is_untiled(monkeypatch, content, style, {**options, **recipe})


def test_light_takes_memory_for_the_luma_of_the_content() -> None:
    with_light, without = (
        tiny_objective(PerceptualLossConfig(light_weight=weight)).target_bytes_per_pixel for weight in (0.8, 0.0)
    )
    assert with_light - without == 4, "one float32 a pixel"


def test_a_content_layer_takes_memory_for_its_activations_and_their_saliency() -> None:
    layers = (("relu4_2", 1.0),)
    config = PerceptualLossConfig(content_layers=layers, light_weight=0.0)
    assert tiny_objective(config).target_bytes_per_pixel == (8 + 1) * 4 / 8**2, "8 channels, a position each 8 x 8 px"


def test_tiles_cost_their_halos_and_a_second_pass(loss: Objective) -> None:
    tiling = Tiling(loss, (3000, 4000), None, _never)
    tiling.tile_px = 4000
    assert tiling.pixels_per_step(3000, 4000) == 12e6
    tiling.tile_px = 512
    assert tiling.pixels_per_step(512, 512) == 512**2, "a picture of one tile is not computed in tiles"
    halo = (512 + 2 * loss.reach_px) ** 2 / 512**2
    assert tiling.pixels_per_step(3000, 4000) == pytest.approx(12e6 * halo * 3 / 2)

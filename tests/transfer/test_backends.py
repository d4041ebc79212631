"""Whole refinements on TensorFlow, PyTorch and JAX, and runs that go on under another backend."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import stylize
from samples import EXAMPLES, left_half
from stylize.images.resizing import resized
from stylize.networks import devices
from stylize.optimize.checkpoint import read_checkpoint, write_checkpoint
from stylize.transfer.results import TransferResult

# Both levels, 68 and 96 px, ask for statistics; the last one asks for places, too.
OPTIONS: dict[str, Any] = {"size": 96, "steps": 24, "features": "vgg19-slim", "network": "mini", "precision": "float32"}
RUNS = ("default", "everything", "six steps")
STOPPED_AFTER = 15  # in the last level, whose prices the checkpoint keeps
# Many steps enlarge differences of rounding, and where two places of the style are equally near, rounding decides.
LOSS_TOLERANCE = 0.01
# Pixels are compared after six steps: .024 apart in the mean after 24, where the losses are .3 % apart.
PIXEL_TOLERANCE = 2 / 255


def refine(name: str = "default", **more: Any) -> TransferResult:
    """Refine the lake: with the default options, in six steps, or with two styles, masks and the photo's colours."""
    styles = [EXAMPLES / "style_swirls.jpg", EXAMPLES / "style_woodcut.jpg"]
    if name == "everything":
        left = resized(left_half(40, 60), 80, 120)
        more = {"mask": [left, 1 - left], "keep_colors": "histogram", **more}
    if name == "six steps":
        more = {"steps": 6, **more}
    chosen = styles if name == "everything" else styles[0]
    return stylize.refine(EXAMPLES / "scene_lake.jpg", chosen, **{**OPTIONS, **more})


def stopped(path: Path) -> None:
    """Write the checkpoint of a refinement that was interrupted."""
    result = refine(should_stop=iter([False] * STOPPED_AFTER + [True]).__next__)
    write_checkpoint(path, result.checkpoint)


def resumed(path: Path) -> dict[str, Any]:
    """Go on from a checkpoint and return the last loss, the messages and the backend of the provenance."""
    said: list[str] = []
    result = refine(resume_from=read_checkpoint(path), on_message=said.append)
    steps, backend = len(result.history), result.provenance["backend"]
    return {"loss": last_loss(result), "said": said, "backend": backend, "steps": steps}


def last_loss(result: TransferResult) -> float:
    """Return the total loss of the picture that a refinement ends with."""
    return min(entry.losses.total for entry in result.history if entry.level == result.history[-1].level)


@pytest.mark.slow
@pytest.mark.parametrize("other", devices.BACKENDS)
def test_other_backends_paint_the_same_and_go_on_with_a_run(other: str, shipped_networks: None, tmp_path: Path) -> None:
    ours = devices.chosen().backend
    if other == ours:
        pytest.skip("this process computes with it")
    if other not in devices.installed_backends():
        pytest.skip(f"{other} is not installed")
    stopped(tmp_path / "ours.npz")
    process = subprocess.run(
        [sys.executable, __file__, tmp_path],
        env={**os.environ, "KERAS_BACKEND": other, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    there: dict[str, Any] = json.loads(process.stdout)

    for name in RUNS:
        whole = refine(name)
        assert there[name] == pytest.approx(last_loss(whole), rel=LOSS_TOLERANCE), name
        if name == "six steps":
            theirs = stylize.read_image(tmp_path / f"{name}.png").pixels
            assert np.abs(whole.image - theirs).max() < PIXEL_TOLERANCE
        if name == "default":
            ends = [(there["resumed"], ours, other), (resumed(tmp_path / "theirs.npz"), other, ours)]
            for end, begun, goes_on in ends:
                assert end["loss"] == pytest.approx(last_loss(whole), rel=LOSS_TOLERANCE)
                assert (end["steps"], end["backend"]) == (OPTIONS["steps"], goes_on)
                expected = f"begun with {begun} on cpu:0, going on with {goes_on} on cpu:0"
                assert any(line.startswith(expected) for line in end["said"]), end["said"]


def _paint_for_another_process(folder: Path) -> dict[str, Any]:
    """Paint all pictures, go on from `ours.npz`, and leave `theirs.npz`."""
    found: dict[str, Any] = {"resumed": resumed(folder / "ours.npz")}
    for name in RUNS:
        result = refine(name)
        result.save(folder / f"{name}.png")
        found[name] = last_loss(result)
    stopped(folder / "theirs.npz")
    return found


if __name__ == "__main__":
    print(json.dumps(_paint_for_another_process(Path(sys.argv[1]))))

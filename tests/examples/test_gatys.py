"""The method of Gatys et al. in one file: the losses fall, and the picture is written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import stylize
from samples import EXAMPLES


@pytest.mark.slow
def test_the_style_comes_nearer_while_the_scene_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZE_HOME", str(tmp_path / "no networks"))
    lake, swirls, output = EXAMPLES / "scene_lake.jpg", EXAMPLES / "style_swirls.jpg", tmp_path / "painted.png"
    program = [sys.executable, EXAMPLES / "gatys.py", lake, swirls, output, "--steps", "20"]
    told = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    losses = [
        [float(number) for number in re.findall(r"\d+\.\d+", line)]
        for line in told.splitlines()
        if line.startswith("step")
    ]
    (_, before), (content, after) = losses
    assert after < 0.8 * before
    assert content < 1
    assert stylize.read_image(output).pixels.shape == (171, 256, 3)

"""The programs in examples/ give the pictures that are committed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import stylize
from samples import EXAMPLES


# Those that take some seconds; impression, chalk, swirls and watercolour take longer.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["cubism", "ink", "mosaic", "points", "riso"])
def test_a_painter_paints_the_committed_picture(name: str, tmp_path: Path) -> None:
    picture = f"style_{name}"
    subprocess.run([sys.executable, EXAMPLES / "paint.py", picture, "-o", tmp_path], check=True, capture_output=True)
    painted, committed = (stylize.read_image(folder / f"{picture}.jpg").pixels for folder in (tmp_path, EXAMPLES))
    assert np.abs(painted - committed).mean() < 1 / 255

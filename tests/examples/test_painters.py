"""The programs in examples/painters give the pictures that are committed."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from PIL import Image

from stylize.styles import StyleName


# Those that take some seconds; impression, chalk, swirls and watercolour take longer.
@pytest.mark.slow
@pytest.mark.parametrize("name", ["cubism", "ink", "mosaic", "points", "riso"])
def test_a_painter_paints_the_committed_picture(name: str) -> None:
    painter = getattr(importlib.import_module(f"stylize.examples.painters.{name}"), name)
    painted = np.asarray(painter())
    with Image.open(StyleName(f"@{name}").file) as committed:
        assert painted.shape == (committed.height, committed.width, 3)
        # A quarter of the size: JPEG changes single pixels, but not their mean.
        small = [
            np.asarray(image.convert("RGB").reduce(4), np.float32)
            for image in (Image.fromarray((np.clip(painted, 0, 1) * 255 + 0.5).astype(np.uint8)), committed)
        ]
    assert np.abs(small[0] - small[1]).mean() < 2.5

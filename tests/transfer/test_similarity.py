"""The structural similarity of two pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from samples import painting
from stylize.transfer.similarity import ssim


@pytest.mark.parametrize(
    ("size", "window_px"), [((40, 52), 11), ((11, 30), 11), ((16, 16), 7), ((3, 9), 3), ((1, 1), 1)]
)
def test_similarity_is_that_of_tensorflow(tensorflow: Any, size: tuple[int, int], window_px: int) -> None:
    random = np.random.default_rng(0)
    one, noise = painting(*size, 0), random.random((*size, 3), np.float32)
    for other in (noise, 0.7 * one + 0.3 * noise, 1 - one):
        pair = [tensorflow.constant(each) for each in (one, other)]
        expected = float(tensorflow.image.ssim(*pair, 1.0, filter_size=window_px))
        assert ssim(one, other, window_px) == pytest.approx(expected, abs=1e-5)


def test_equal_pictures_are_most_similar() -> None:
    one, other = painting(40, 52, 0), painting(40, 52, 1)
    assert ssim(one, one) == pytest.approx(1, abs=1e-6)
    assert -1 < ssim(one, other) < 0.9
    assert ssim(other, one) == pytest.approx(ssim(one, other), abs=1e-6)
    faint = (0.9 * one + 0.1 * other).astype(np.float32)
    assert ssim(one, other) < ssim(one, faint) < 1
    assert ssim(np.zeros_like(one), np.zeros_like(one)) == pytest.approx(1)

"""Resampling, sizes, and changes laid over a larger picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylize.errors import ImageError, OptionError
from stylize.images.resizing import (
    long_side_of,
    resized,
    size_for_long_side,
    with_change_of,
    with_margin,
    without_margin,
)

rng = np.random.default_rng(7)


sides = st.integers(1, 40)


@settings(max_examples=40)
@given(sides, sides, sides, sides, st.floats(0, 1, width=32))
def test_resized_keeps_constants(h: int, w: int, height: int, width: int, value: float) -> None:
    out = resized(np.full((h, w, 3), value, np.float32), height, width)
    assert out.shape == (height, width, 3)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, value, atol=1e-5)


def test_resized_is_antialiased_and_not_rounded() -> None:
    checks = (np.indices((64, 64)).sum(axis=0) % 2).astype(np.float32)
    np.testing.assert_allclose(resized(checks, 8, 8)[1:-1, 1:-1], 0.5, atol=0.01)
    ramp = np.linspace(0.5, 0.5 + 1 / 255, 64, dtype=np.float32)[None].repeat(64, axis=0)
    assert len(np.unique(resized(ramp, 32, 32)[16])) == 32
    edge = np.repeat([0.0, 1.0], 32)[None].repeat(64, axis=0).astype(np.float32)
    out = resized(edge, 100, 100)
    assert out.min() == 0  # Lanczos overshoots: clipped
    assert out.max() == 1


@pytest.mark.parametrize(
    ("size", "full_px", "expected"),
    [(64, 999, 64), ("original", 999, 999), ("200%", 999, 1998), ("12.5%", 100, 12), ("50%", 999, 500), ("1%", 5, 1)],
)
def test_long_side_of_a_size(size: int | str, full_px: int, expected: int) -> None:
    assert long_side_of(size, full_px) == expected


def test_percent_end_at_the_largest_size() -> None:
    assert long_side_of("100%", 65535) == 65535
    with pytest.raises(ImageError, match="size: expected a long side of up to 65535 px, received 200% of 40000 px"):
        long_side_of("200%", 40000)


def test_resized_copies_and_refuses() -> None:
    pixels = rng.random((4, 4, 3), dtype=np.float32)
    same = resized(pixels, 4, 4)
    np.testing.assert_array_equal(same, pixels)
    assert not np.shares_memory(same, pixels)
    with pytest.raises(OptionError, match="at least 1 x 1"):
        resized(pixels, 0, 4)


@given(st.integers(1, 10000), st.integers(1, 10000), st.integers(1, 4000))
def test_size_for_long_side(height: int, width: int, long_side: int) -> None:
    new_height, new_width = size_for_long_side(height, width, long_side)
    assert max(new_height, new_width) == long_side
    assert min(new_height, new_width) >= 1
    # The short side is off by half a pixel at most, or held up at one.
    short = min(height, width) * long_side / max(height, width)
    assert abs(min(new_height, new_width) - short) <= (0.5 + 1e-9 if short >= 1 else 1)
    assert (new_height >= new_width) == (height >= width) or new_height == new_width


def test_size_for_long_side_refuses() -> None:
    with pytest.raises(OptionError, match="at least 1 px"):
        size_for_long_side(10, 10, 0)


def test_a_change_is_laid_over_a_larger_picture() -> None:
    content = np.random.default_rng(0).random((61, 83, 3), np.float32)
    small = resized(content, 20, 28)
    np.testing.assert_array_equal(with_change_of(content, small, small), content)
    brighter = with_change_of(content, small, small + np.float32(0.25))
    np.testing.assert_allclose(brighter, np.minimum(content + 0.25, 1), atol=1e-6)


def test_an_enlarged_change_does_not_overshoot() -> None:
    content = np.full((64, 64, 3), 0.5, np.float32)
    after = np.repeat(np.float32([0.4, 0.6]), 8)[None, :, None].repeat(16, 0).repeat(3, 2)
    changed = with_change_of(content, np.full_like(after, 0.5), after)
    assert changed.min() == pytest.approx(0.4)
    assert changed.max() == pytest.approx(0.6)


def test_a_margin_is_a_mirror_at_the_border() -> None:
    row = np.float32([[1, 2, 3]])
    np.testing.assert_array_equal(with_margin(row, 2), np.float32([[2, 1, 1, 2, 3, 3, 2]]).repeat(5, 0))
    masks = rng.random((2, 5, 7)).astype(np.float32)
    mirrored = with_margin(masks, 4, axis=1)
    np.testing.assert_array_equal(mirrored[1], with_margin(masks[1], 4))
    assert mirrored.shape == (2, 13, 15)
    pixels = rng.random((5, 7, 3)).astype(np.float32)
    np.testing.assert_array_equal(without_margin(with_margin(pixels, 4), 4), pixels)
    assert with_margin(pixels, 0) is pixels

"""Curves of a history and their plot: every loss, every level, no number that a logarithm can't show."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from PIL import Image

from stylize.errors import OptionError, StylizeError
from stylize.optimize.progress import HistoryEntry, LossTerms
from stylize.optimize.pyramid import PyramidLevel
from stylize.reports.plots import charts, check_plot, write_plot

LEVELS = (PyramidLevel(64, 3), PyramidLevel(128, 2))


def terms(total, content_layers=("relu3_1", "relu4_2"), style_layers=("relu1_1", "relu2_1")):
    return LossTerms(
        total, total / 2, total / 4, 0.1,
        dict.fromkeys(content_layers, total / 8), dict.fromkeys(style_layers, total / 16),
    )  # fmt: skip


def history(totals=(8.0, 4.0, 2.0, 3.0, 1.0), **layers):
    return [
        HistoryEntry(1 if step <= 3 else 2, step, step * 0.5, terms(total, **layers))
        for step, total in enumerate(totals, start=1)
    ]


def test_charts_hold_every_loss_and_layer():
    first, style, content = charts(history((8.0, 4.0, 2.0, 3.0, 1.0)), LEVELS, fast=terms(6.0))
    assert [curve.name for curve in first.curves] == ["total", "style", "content"]
    assert [curve.name for curve in style.curves] == ["relu1_1", "relu2_1"]
    assert [curve.name for curve in content.curves] == ["relu3_1", "relu4_2"]
    assert [curve.fast for curve in first.curves] == [6.0, 1.5, 3.0]
    np.testing.assert_array_equal(first.curves[0].values, [8, 4, 2, 3, 1])
    np.testing.assert_array_equal(first.seconds, [0.5, 1, 1.5, 2, 2.5])


def test_a_step_that_was_taken_back_is_not_shown():
    (chart, *_) = charts(history((math.nan, 4.0, 5.0, 9.0, 3.0)), LEVELS)
    np.testing.assert_array_equal(chart.curves[0].values, [math.nan, 4, 4, 9, 3])  # a larger size begins anew
    np.testing.assert_array_equal(chart.curves[1].values, [math.nan, 1, 1, 2.25, 0.75])


def test_a_level_begins_where_the_one_before_ended():
    (first, second) = charts(history(), LEVELS)[0].levels
    assert (first.long_side_px, first.begins_s, first.ends_s, first.steps) == (64, 0.5, 1.5, slice(0, 3))
    assert (second.long_side_px, second.begins_s, second.ends_s, second.steps) == (128, 1.5, 2.5, slice(3, 5))


def test_a_run_that_ended_before_the_full_size_is_not_compared_with_the_preview():
    (chart, *_) = charts(history()[:2], LEVELS, fast=terms(6.0))
    assert len(chart.levels) == 1
    assert [curve.fast for curve in chart.curves] == [None] * 3


def test_a_single_layer_gets_no_chart():
    assert len(charts(history(content_layers=["relu4_2"]), LEVELS)) == 2
    assert len(charts(history(content_layers=[], style_layers=["relu1_1"]), LEVELS)) == 1


def test_what_a_logarithm_cannot_show_is_left_out():
    (chart, *_) = charts(history((0.0, math.nan, math.inf, 3.0, 1.0)), LEVELS, fast=terms(0.0))
    np.testing.assert_array_equal(np.isnan(chart.curves[0].values), [True, True, True, False, False])
    assert chart.curves[0].fast is None
    low, high = chart.range
    assert 0 < low < 0.25 < 3 < high < 4


@pytest.mark.parametrize("totals", [(1.0,), (0.0,), (1e-9, 1e9), (5.0, 5.0, 5.0), (0.3, 0.28), (1.0, 1e-5)])
def test_ticks_are_few_and_in_range(totals):
    for chart in charts(history(totals), LEVELS):
        low, high = chart.range
        assert 0 < low < high < math.inf
        assert 1 <= len(chart.ticks) <= 12
        assert all(low <= tick <= high for tick in chart.ticks)


@pytest.mark.parametrize("totals", [(8.0, 4.0, 2.0, 3.0, 1.0), (1.0,), (0.0,)])
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".webp", ".jpg"])
def test_a_plot_is_written(totals, suffix, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    path = tmp_path / f"losses{suffix}"
    write_plot(path, history(totals), LEVELS, fast=terms(6.0))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    if suffix == ".png":
        with Image.open(path) as image:
            assert image.width >= 900
            assert len(image.convert("RGB").getcolors(1 << 24)) > 10
    elif suffix == ".svg":
        assert "relu2_1" in path.read_text("utf-8") or "<path" in path.read_text("utf-8")


def test_a_plot_is_refused_up_front(tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"expected a suffix out of .*; received \.txt"):
        check_plot(tmp_path / "losses.txt", overwrite=False)
    with pytest.raises(StylizeError, match="expected an existing folder"):
        check_plot(tmp_path / "absent" / "losses.png", overwrite=False)
    (tmp_path / "losses.png").write_bytes(b"mine")
    with pytest.raises(StylizeError, match="is there already"):
        check_plot(tmp_path / "losses.png", overwrite=False)
    check_plot(tmp_path / "losses.png", overwrite=True)
    with pytest.raises(StylizeError, match="at least one step, received none"):
        write_plot(tmp_path / "losses.png", [], LEVELS, overwrite=True)
    assert (tmp_path / "losses.png").read_bytes() == b"mine"
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(StylizeError, match=r'pip install "stylize\[plot\]"'):
        check_plot(tmp_path / "other.png", overwrite=False)

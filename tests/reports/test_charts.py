"""Charts of a history: every loss, every level, no number that a logarithmic axis cannot show."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence

import numpy as np
import pytest

from stylize.optimize.history import HistoryEntry, LossTerms
from stylize.reports.charts import charts
from stylize.reports.curves import curves_html

SIZES = (64, 128)


def terms(
    total: float,
    content_layers: Sequence[str] = ("relu3_1", "relu4_2"),
    style_layers: Sequence[str] = ("relu1_1", "relu2_1"),
) -> LossTerms:
    return LossTerms(
        total, total / 2, total / 4, 0.1,
        dict.fromkeys(content_layers, total / 8), dict.fromkeys(style_layers, total / 16),
    )  # fmt: skip


def history(totals: Sequence[float] = (8.0, 4.0, 2.0, 3.0, 1.0), **layers: Sequence[str]) -> list[HistoryEntry]:
    """A step each half second; the first three steps are of the first level."""
    return [
        HistoryEntry(1 if step <= 3 else 2, step, step * 0.5, terms(total, **layers))
        for step, total in enumerate(totals, start=1)
    ]


def test_charts_hold_every_loss_and_layer():
    first, style, content = charts(history((8.0, 4.0, 2.0, 3.0, 1.0)), SIZES, preview=terms(6.0))
    assert [curve.name for curve in first.curves] == ["total", "style", "content"]
    assert [curve.name for curve in style.curves] == ["relu1_1", "relu2_1"]
    assert [curve.name for curve in content.curves] == ["relu3_1", "relu4_2"]
    assert [curve.preview for curve in first.curves] == [6.0, 1.5, 3.0]
    np.testing.assert_array_equal(first.curves[0].values, [8, 4, 2, 3, 1])
    np.testing.assert_array_equal(first.seconds, [0.5, 1, 1.5, 2, 2.5])


def test_a_step_that_was_taken_back_is_not_shown():
    (chart, *_) = charts(history((math.nan, 4.0, 5.0, 9.0, 3.0)), SIZES)
    np.testing.assert_array_equal(chart.curves[0].values, [math.nan, 4, 4, 9, 3])  # a larger size begins anew
    np.testing.assert_array_equal(chart.curves[1].values, [math.nan, 1, 1, 2.25, 0.75])


def test_a_level_begins_where_the_one_before_ended():
    (first, second) = charts(history(), SIZES)[0].levels
    assert (first.long_side_px, first.begins_s, first.ends_s, first.steps) == (64, 0.5, 1.5, slice(0, 3))
    assert (second.long_side_px, second.begins_s, second.ends_s, second.steps) == (128, 1.5, 2.5, slice(3, 5))


def test_a_run_that_ended_before_the_full_size_is_not_compared_with_the_preview():
    (chart, *_) = charts(history()[:2], SIZES, preview=terms(6.0))
    assert len(chart.levels) == 1
    assert [curve.preview for curve in chart.curves] == [None] * 3


def test_a_single_layer_gets_no_chart():
    assert len(charts(history(content_layers=["relu4_2"]), SIZES)) == 2
    assert len(charts(history(content_layers=[], style_layers=["relu1_1"]), SIZES)) == 1


def test_a_loss_that_is_nothing_all_the_time_has_no_curve():
    """As the style loss of the preset `neighbors`, which has no layers."""
    without = [dataclasses.replace(entry, losses=dataclasses.replace(entry.losses, style=0.0)) for entry in history()]
    (chart, *_) = charts(without, SIZES)
    assert [curve.name for curve in chart.curves] == ["total", "content"]
    page = curves_html(chart)
    assert "nan" not in page
    assert "style" not in re.findall("curve-(\\w+)", page)
    assert page.count("--hue: 255") == 2  # the content keeps its colour
    # There is a chart even so: of the total.
    (chart,) = charts(history((0.0, 0.0)), SIZES)
    assert [curve.name for curve in chart.curves] == ["total"]


def test_a_loss_without_an_end_ends_in_a_dash():
    (chart, *_) = charts([*history((3.0,)), *history((math.nan,))], SIZES[:1])
    without_end = dataclasses.replace(chart.curves[0], values=np.array([3.0, math.nan]))
    page = curves_html(dataclasses.replace(chart, curves=(without_end, *chart.curves[1:])))
    assert "nan" not in page
    assert "total –" in re.search('aria-label="([^"]*)"', page)[1]


def test_what_a_logarithm_cannot_show_is_left_out():
    (chart, *_) = charts(history((0.0, math.nan, math.inf, 3.0, 1.0)), SIZES, preview=terms(0.0))
    np.testing.assert_array_equal(np.isnan(chart.curves[0].values), [True, True, True, False, False])
    assert chart.curves[0].preview is None
    low, high = chart.range
    assert 0 < low < 0.25 < 3 < high < 4


@pytest.mark.parametrize(
    "totals", [(1.0,), (0.0,), (1e-9, 1e9), (5.0, 5.0, 5.0), (0.3, 0.28), (1.0, 1e-5), (2.58, 2.34), (12, 8.2)]
)
def test_ticks_are_few_and_in_range(totals):
    for chart in charts(history(totals), SIZES):
        low, high = chart.range
        assert 0 < low < high < math.inf
        assert 2 <= len(chart.ticks) <= 12
        assert all(low <= tick <= high for tick in chart.ticks)

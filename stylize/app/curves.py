"""The loss curves of the report as a component of the page: Streamlit's own HTML element removes SVG."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from stylize.optimize.history import HistoryEntry
from stylize.reports.charts import charts
from stylize.reports.curves import curves_css, curves_html

__all__ = ["loss_curves"]

#: The colours of Streamlit's theme for the variables of the report's style; the lines suit a light and a dark page.
_CSS = """
.chart {
  --ink: var(--st-text-color); --quiet: color-mix(in srgb, var(--st-text-color) 70%, transparent);
  --line: var(--st-border-color); --shade: var(--st-secondary-background-color); --curve: 0.66 0.14;
}
.chart.chart { margin: 0 }
.chart .plot { height: 10rem }
"""

#: Streamlit wraps the component's HTML and style in an element of its own: the class finds ours.
_HTML = '<div class="losses"></div>'
_JS = 'export default ({ parentElement, data }) => { parentElement.querySelector(".losses").innerHTML = data; };'

_component = st.components.v2.component("stylize.curves", html=_HTML, css=curves_css() + _CSS, js=_JS)


def loss_curves(history: Sequence[HistoryEntry], sizes_px: Sequence[int], *, key: str) -> None:
    """Show the total, style and content losses over time.

    Args:
        history: all steps so far; without a step nothing is shown.
        sizes_px: the long side of each level so far, coarse to fine.
        key: of the component.
    """
    for chart in charts(history, sizes_px)[:1]:
        _component(key=key, data=curves_html(chart))

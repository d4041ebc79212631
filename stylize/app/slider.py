"""A slider that reports its value while it moves; Streamlit's own slider reports when the visitor lets go."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

__all__ = ["slider"]

_HTML = '<label><span></span><output></output><input type="range" autocomplete="off"></label>'

_CSS = """
label {
  display: grid; grid-template-columns: 1fr auto; gap: .4rem; padding-bottom: .25rem;
  font-size: .875rem; color: var(--st-text-color);
}
output { font-variant-numeric: tabular-nums; opacity: .75 }
input {
  grid-column: 1 / -1; width: 100%; height: 1.25rem; margin: 0;
  color-scheme: light dark; accent-color: var(--st-primary-color);
}
"""

_JS = """
const MIN_INTERVAL_MS = 150; // between two reports

export default function ({ parentElement, data, setStateValue }) {
  const input = parentElement.querySelector("input");
  const showValue = () => {
    const text = `${data.values[input.value]} ${data.unit}`;
    parentElement.querySelector("output").textContent = text;
    input.setAttribute("aria-valuetext", text);
  };
  parentElement.querySelector("span").textContent = data.label;
  input.setAttribute("aria-label", data.label);
  input.max = data.values.length - 1;
  if (input.reported === undefined) { // later the visitor moves the slider, never the page
    input.value = data.values.indexOf(data.value);
    input.reported = 0;
  }
  input.oninput = () => {
    showValue();
    clearTimeout(input.timer);
    input.timer = setTimeout(() => {
      input.reported = Date.now();
      setStateValue("value", data.values[input.value]);
    }, Math.max(0, input.reported + MIN_INTERVAL_MS - Date.now()));
  };
  showValue();
}
"""

_component = st.components.v2.component("stylize.slider", html=_HTML, css=_CSS, js=_JS)


def slider(label: str, values: Sequence[int], value: int, *, unit: str, key: str, on_change: Callable[[], None]) -> int:
    """Show a slider and return its value.

    Args:
        label: above the slider.
        values: the positions of the slider, from left to right.
        value: the position at first.
        unit: shown after the value.
        key: of the component.
        on_change: called before the page runs with a new value.
    """
    now = st.session_state.get(key, {}).get("value", value)
    data = {"label": label, "values": list(values), "value": now, "unit": unit}
    return int(_component(key=key, data=data, default={"value": value}, on_value_change=on_change).value)

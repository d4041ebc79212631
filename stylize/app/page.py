"""The page that Streamlit shows: one visitor's photo, style, preview and refinement.

Streamlit runs this file for every visitor and after every change. A visitor's state lies in the session state; all
visitors share the `Studio`.
"""

from __future__ import annotations

import functools

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from stylize.app import server, slider
from stylize.app.markup import escaped, page_css, show_picture
from stylize.app.panels import choose_picture, refinement_settings, show_preview_next
from stylize.app.queue import QueuedRun
from stylize.app.refinement import show_progress, show_result, show_results
from stylize.app.studio import (
    MAX_SIZE_PX,
    Painted,
    Studio,
    WeightedStyles,
    example_pictures,
    file_stem,
    preview_jpeg,
)
from stylize.config import FastConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.images.picture import Picture
from stylize.text import duration

__all__ = ["main"]

_SIZES = (256, 320, 384, 448, 512, 640, 768, 896, MAX_SIZE_PX)
_PERCENT = range(0, 101, 5)
#: How often the page shows the progress of a refinement.
_UPDATE_S = 1.0

ss = st.session_state


def main() -> None:
    """Show the page."""
    icon = example_pictures("style")["Swirls"][1]
    st.set_page_config(page_title="stylize", page_icon=icon, layout="wide", menu_items={})
    studio = server.studio or _own_studio()
    ss.setdefault("history", [])
    ss.setdefault("view", "Preview")
    st.html(f"<style>{page_css()}</style>")
    st.html("<header><h1>stylize</h1><p>Paint a photograph in the style of a picture.</p></header>")
    left, right = st.columns([2, 5], gap="large")
    with left:
        content = choose_picture(studio, "photo", "Photo", "scene", "Lake")
        style = choose_picture(studio, "style", "Style", "style", "Swirls")
        second = None
        if st.toggle("Blend with a second style", key="blended", on_change=show_preview_next):
            second = choose_picture(studio, "second", "Second style", "style", "Woodcut")
    with right:
        _canvas_and_controls(studio, content, style, second)


@st.cache_resource(show_spinner=False)
def _own_studio() -> Studio:
    """Return a studio for a server that `streamlit run` started without `serve`."""
    return Studio(is_connected=server.is_connected)


def _visitor() -> str:
    context = get_script_run_ctx()
    assert context is not None
    return context.session_id


def _canvas_and_controls(
    studio: Studio, content: Picture | None, style: Picture | None, second: Picture | None
) -> None:
    canvas = st.container(key="canvas")
    with st.container(key="controls"):
        size, strength, second_share = _sliders(blended=second is not None)
        keep_colors = st.checkbox("Keep the photo's own colours", key="keep_colors", on_change=show_preview_next)
        button = st.empty()
        preset, config = refinement_settings(studio, size, strength, keep_colors)
    weighted = [(style, 100 - second_share), (second, second_share)]
    styles = [(picture, weight / 100) for picture, weight in weighted if picture is not None and weight]
    ready = content is not None and bool(styles) and config is not None and strength > 0
    # A callback keeps the request: when another change interrupts this run of the page, the next run still sees it.
    button.button(
        "Generate", type="primary", key="generate", width="stretch", icon=":material/brush:", on_click=_request_run,
        disabled=not ready or ss.get("run") is not None,
        help="Refines the picture by optimisation: minutes, not moments, for a much better one.",
    )  # fmt: skip
    if "requested" in ss:
        _generate(studio, content, styles, config, preset)
    with canvas:
        _canvas(studio, content, styles, FastConfig(size=size, strength=strength, keep_colors=keep_colors))
    show_results()


def _sliders(*, blended: bool) -> tuple[int, float, int]:
    """Return the size in px, the strength from 0 to 1, and the share of the second style in percent."""
    columns = st.columns(3 if blended else 2, gap="medium")
    with columns[0]:
        size = slider.slider("Size", _SIZES, 512, unit="px", key="size", on_change=show_preview_next)
    with columns[1]:
        strength = slider.slider("Strength", _PERCENT, 100, unit="%", key="strength", on_change=show_preview_next)
    if not blended:
        return size, strength / 100, 0
    with columns[2]:
        label = "Share of the second style"
        share = slider.slider(label, _PERCENT, 50, unit="%", key="blend", on_change=show_preview_next)
    return size, strength / 100, share


def _request_run() -> None:
    ss.requested = []  # for the run


def _generate(
    studio: Studio, content: Picture | None, styles: WeightedStyles, config: RefineConfig | None, preset: str
) -> None:
    """Queue the run that was asked for.

    Another change interrupts the page at any access to the session state. So the run goes into a list that is there
    already: the next run of the page finds it.
    """
    requested: list[QueuedRun] = ss.requested
    try:
        if not requested and content is not None and styles and config is not None:
            requested.append(studio.refine(_visitor(), content, styles, config, preset))
    except StylizeError as error:
        ss.notice = str(error)
    if requested:
        ss.run = requested[0]
        ss.next_view = "Refined"
    del ss.requested
    st.rerun()


def _canvas(studio: Studio, content: Picture | None, styles: WeightedStyles, config: FastConfig) -> None:
    """Show the preview, the run or the result."""
    run: QueuedRun | None = ss.get("run")
    shown: Painted | None = ss.get("shown")
    if "next_view" in ss:
        ss.view = ss.pop("next_view")
    if "notice" in ss:
        st.error(escaped(ss.pop("notice")))
    if "news" in ss:
        st.toast(ss.pop("news"))
    if run is not None or shown is not None:
        st.segmented_control("View", ["Preview", "Refined"], key="view", label_visibility="collapsed", required=True)
    if run is not None:
        st.fragment(show_progress, run_every=_UPDATE_S)(studio, run)
    if ss.view == "Preview" or (run is None and shown is None):
        if content is not None and styles:
            _preview(studio, content, styles, config)
    elif run is None and shown is not None:
        show_result(shown)


def _preview(studio: Studio, content: Picture, styles: WeightedStyles, config: FastConfig) -> None:
    key = (content.sha256, tuple((style.sha256, weight) for style, weight in styles), config)
    if ss.get("preview", (None,))[0] != key:
        try:
            result = studio.preview(content, styles, config)
        except StylizeError as error:
            st.error(escaped(str(error)))
            return
        ss.preview = (key, preview_jpeg(Picture(result.image, result.alpha)), result)
    _, jpeg, result = ss.preview
    show_picture(jpeg, result.image, "Preview")
    with st.container(key="under_preview", horizontal=True, vertical_alignment="center"):
        st.caption(escaped(f"Preview by {result.networks[0].name}, {duration(result.seconds)}"))
        st.download_button(
            "Picture", functools.partial(result.encode, "png"),
            f"{file_stem(result)}.png", "image/png", key="download_preview", on_click="ignore",
            icon=":material/download:", type="tertiary",
        )  # fmt: skip


if __name__ == "__main__":
    main()

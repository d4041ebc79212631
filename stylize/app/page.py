"""The page that Streamlit shows: one visitor's photo, style, preview, refinement and history.

Streamlit runs this file anew for every visitor and at every change; what a visitor has lies in the session's state,
what all share in the `Studio`.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable
from typing import Any

import altair
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from stylize.app import server
from stylize.app import studio as studios
from stylize.app.jobs import Job
from stylize.app.studio import MOST_PX, Painted, Progress, Studio
from stylize.config import RECIPES, VGG19_LAYERS, FastConfig, RefineConfig
from stylize.errors import StylizeError
from stylize.images import Picture, encode
from stylize.options import refine_config_of

__all__ = ["main"]

_SUFFIXES = ["jpg", "jpeg", "png", "webp", "avif", "tif", "tiff", "gif", "bmp", "jp2", "psd"]
_SIZES = (256, 320, 384, 448, 512, 640, 768, 896, MOST_PX)
_MOST_STEPS = 2000
_HISTORY = 12
_LIVE_S = 1.0

ss = st.session_state


def main() -> None:
    """Show the page."""
    swirls = studios.examples("style")["Swirls"][1]
    st.set_page_config(page_title="stylize", page_icon=swirls, layout="wide", menu_items={})
    studio = _studio()
    ss.setdefault("history", [])
    ss.setdefault("view", "Preview")
    st.html(f"<style>{_CSS}{_thumbnail_css()}</style>")
    st.html("<header><h1>stylize</h1><p>Paint a photograph in the style of a picture.</p></header>")
    left, right = st.columns([2, 5], gap="large")
    with left:
        content = _choose(studio, "photo", "Photo", "scene", "Lake")
        style = _choose(studio, "style", "Style", "style", "Swirls")
        second = None
        if st.toggle("Blend with a second style", key="blended", on_change=_look_at_preview):
            second = _choose(studio, "second", "Second style", "style", "Woodcut")
    with right:
        _canvas_and_controls(studio, content, style, second)


@st.cache_resource(show_spinner=False)
def _studio() -> Studio:
    return server.studio or Studio(present=server.present)


def _visitor() -> str:
    context = get_script_run_ctx()
    assert context is not None
    return context.session_id


# --------------------------------------------------------------------------------------------------------------------
# Photo and style


def _choose(studio: Studio, role: str, title: str, kind: str, default: str) -> Picture | None:
    """Let the visitor drop a picture or choose an example; return it, or None after an error was shown."""
    examples = studios.examples(kind)
    chosen = ss.setdefault(f"{role}_chosen", default)
    st.html(f"<h2>{title}</h2>")
    upload = st.file_uploader(
        f"Drop a {title.lower()}",
        type=_SUFFIXES,
        max_upload_size=studio.config.max_upload_mb,
        key=f"{role}_upload_{ss.setdefault(f'{role}_round', 0)}",
        label_visibility="collapsed",
        on_change=_look_at_preview,
    )
    own = None
    if upload is not None:
        own = _read(studio, role, upload)
    with st.container(key=f"{role}_grid", horizontal=True, gap="small"):
        if isinstance(own, Picture):
            _own_css(role, own)
            st.button(f"Your {title.lower()}", key=f"{role}_own", type="primary")
        for label in examples:
            st.button(
                label,
                key=f"{role}_example_{_slug(label)}",
                type="primary" if upload is None and label == chosen else "secondary",
                on_click=_choose_example,
                args=(role, label),
            )
    if isinstance(own, str):
        st.error(_plain(own))
        return None
    return own or examples[chosen][0]


def _choose_example(role: str, label: str) -> None:
    ss[f"{role}_chosen"] = label
    ss[f"{role}_round"] += 1  # another uploader, an empty one
    _look_at_preview()


def _look_at_preview() -> None:
    ss.view = "Preview"


def _read(studio: Studio, role: str, upload: Any) -> Picture | str:
    """Return the uploaded picture, decoded once, or what is wrong with it."""
    if ss.get(f"{role}_read", (None,))[0] != upload.file_id:
        outcome: Picture | str
        try:
            outcome = studio.read(upload.getvalue(), upload.name)
        except StylizeError as error:
            outcome = str(error)
        ss[f"{role}_read"] = (upload.file_id, outcome)
    read: Picture | str = ss[f"{role}_read"][1]
    return read


# --------------------------------------------------------------------------------------------------------------------
# Picture and controls


def _canvas_and_controls(
    studio: Studio, content: Picture | None, style: Picture | None, second: Picture | None
) -> None:
    canvas = st.container(key="canvas")
    with st.container(key="controls"):
        columns = st.columns(3 if second is not None else 2, gap="medium")
        size = columns[0].select_slider(
            "Size", _SIZES, 512, format_func=lambda px: f"{px} px", key="size", on_change=_look_at_preview,
            help="Long side of the picture.",
        )  # fmt: skip
        strength = columns[1].slider(
            "Strength of the preview", 0, 100, 100, 5, format="%d %%", key="strength", on_change=_look_at_preview
        )
        share = 0
        if second is not None:
            share = columns[2].slider(
                "Blend", 0, 100, 50, 5, format="%d %%", key="blend", on_change=_look_at_preview,
                help="How much of the second style.",
            )  # fmt: skip
        keep_colors = st.checkbox("Keep the photo's own colours", key="keep_colors", on_change=_look_at_preview)
        config = _refine_panel(studio, size, keep_colors)
        job: Job | None = ss.get("job")
        generate = st.button(
            "Generate", type="primary", key="generate", width="stretch", icon=":material/brush:",
            disabled=job is not None or content is None or style is None or config is None,
            help="Refine the picture by optimisation: minutes, not moments, for a much better one.",
        )  # fmt: skip
    styles = [] if style is None else [(style, 1.0 - share / 100)]
    if second is not None and share:
        styles.append((second, share / 100))
    styles = [(picture, weight) for picture, weight in styles if weight > 0]
    if generate and content is not None and config is not None:
        try:
            ss.job = studio.refine(_visitor(), content, styles, config)
            ss.wanted_view = "Refined"
        except StylizeError as error:
            ss.notice = str(error)
        st.rerun()
    with canvas:
        _canvas(studio, content, styles, FastConfig(size=size, strength=strength / 100, keep_colors=keep_colors))
    _history()


def _canvas(studio: Studio, content: Picture | None, styles: Any, config: FastConfig) -> None:
    if "wanted_view" in ss:
        ss.view = ss.pop("wanted_view")
    job: Job | None = ss.get("job")
    shown: Painted | None = ss.get("shown")
    if "notice" in ss:
        st.error(_plain(ss.pop("notice")))
    if job is not None or shown is not None:
        st.segmented_control("View", ["Preview", "Refined"], key="view", label_visibility="collapsed", required=True)
    if job is not None:
        st.fragment(_live, run_every=_LIVE_S)(studio, job)
    if ss.view == "Preview" or (job is None and shown is None):
        if content is not None and styles:
            _preview(studio, content, styles, config)
    elif job is None and shown is not None:
        _result(shown)


def _preview(studio: Studio, content: Picture, styles: Any, config: FastConfig) -> None:
    key = (content.sha256, tuple((style.sha256, weight) for style, weight in styles), config)
    if ss.get("preview", (None,))[0] != key:
        try:
            result = studio.preview(content, styles, config)
        except StylizeError as error:
            st.error(_plain(str(error)))
            return
        ss.preview = (key, studios.for_eyes(result.image, result.alpha), result)
    _, picture, result = ss.preview
    st.image(picture, width="stretch")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Preview by {result.networks[0].name}, {result.seconds:.1f} s")
        st.download_button(
            "Picture",
            functools.partial(encode, result.image, "png", result.alpha, recipe=result.recipe),
            "preview.png",
            "image/png",
            on_click="ignore",
            icon=":material/download:",
            type="tertiary",
        )


# --------------------------------------------------------------------------------------------------------------------
# Refinement


def _refine_panel(studio: Studio, size: int, keep_colors: bool) -> RefineConfig | None:
    """Return what the panel says, or None after an error was shown."""
    with st.expander("Refinement settings", icon=":material/tune:"):
        recipe = st.selectbox("Recipe", list(RECIPES), key="recipe") or "default"
        st.caption(_plain(RECIPES[recipe].description))
        config = RECIPES[recipe].config

        def key(name: str) -> str:
            return f"{recipe}_{name}"  # another recipe, other defaults

        one, two, three = st.columns(3)
        steps = one.number_input("Steps", 1, _MOST_STEPS, config.steps, 50, key=key("steps"))
        optimizers = ["lbfgs", "adam"]
        optimizer = two.selectbox(
            "Optimiser", optimizers, optimizers.index(config.optimization.optimizer), key=key("optimizer")
        )
        rate = three.number_input(
            "Learning rate", 0.0001, 1.0, config.optimization.learning_rate, 0.01, "%.4g", key=key("rate"),
            help="Adam's step on pixels from 0 to 1; of L-BFGS only the first step.",
        )  # fmt: skip
        weight = functools.partial(_weight, key=key)
        content_weight = weight(one, "Content weight", config.loss.content_weight)
        style_weight = weight(two, "Style weight", config.loss.style_weight)
        smoothness = weight(three, "Smoothness", config.loss.total_variation_weight)
        content_layers = _layers("Content layers", config.loss.content_layers, key)
        style_layers = _layers("Style layers", config.loss.style_layers, key)
        one, two, _ = st.columns(3)
        features = one.selectbox("Features", studio.feature_networks(), key="features")
        seed = two.number_input("Seed", 0, 2**31 - 1, 0, 1, key="seed")
        try:
            return refine_config_of(
                recipe,
                {
                    "size": size, "keep_colors": keep_colors or None, "steps": steps, "optimizer": optimizer,
                    "learning_rate": rate, "content_weight": content_weight, "style_weight": style_weight,
                    "total_variation_weight": smoothness, "content_layers": content_layers,
                    "style_layers": style_layers, "features": features, "seed": seed,
                },
            )  # fmt: skip
        except StylizeError as error:
            st.error(_plain(str(error)))
            return None


def _weight(column: Any, label: str, default: float, key: Callable[[str], str]) -> float:
    value: float = column.number_input(label, 0.0, None, float(default), max(default / 4, 0.01), "%.4g", key=key(label))
    return value


def _layers(label: str, recipe: Any, key: Callable[[str], str]) -> Any:
    """Return the layers as the command line has them: the recipe's weights, unless others are chosen."""
    default = [name for name, _ in recipe]
    names = st.multiselect(label, VGG19_LAYERS, default, key=key(label))
    return recipe if names == default else tuple((name, None) for name in names)


def _live(studio: Studio, job: Job) -> None:
    """Show a job under way; run again and again until it has ended."""
    if not job.active:
        ss.job = None
        if job.state == "done" and job.result is not None:
            ss.shown = job.result
            ss.history = [job.result, *ss.history][:_HISTORY]
            ss.wanted_view = "Refined"
        elif job.state == "failed":
            ss.notice = job.error
        st.rerun()
    place = studio.queue.place(job)
    progress: Progress | None = job.progress
    with st.container(key="live", horizontal=True, vertical_alignment="center"):
        if place:
            st.progress(0.0, f"Waiting for others: number {place} in the queue")
        elif progress is None:
            st.progress(0.0, "Starting")
        else:
            share = progress.step / progress.steps if progress.steps else 0.0
            left = "stopping" if job.stopping else f"{_duration(progress.remaining_s)} left"
            st.progress(min(1.0, share), f"Step {progress.step} of {progress.steps}, {left}")
        st.button(
            "Stop", key="stop", icon=":material/stop:", on_click=studio.queue.stop, args=(job,), disabled=job.stopping,
            help="Ends now; the best picture so far is kept.",
        )  # fmt: skip
    if ss.view == "Refined" and progress is not None:
        st.image(studios.for_eyes(progress.picture), width="stretch")
        _curve(progress.history)


def _curve(history: Any) -> None:
    points = [
        {"step": entry.step, "loss": value, "term": term}
        for entry in list(history)
        for term, value in (
            ("total", entry.losses.total), ("content", entry.losses.content), ("style", entry.losses.style)
        )
        if value > 0
    ]  # fmt: skip
    chart = (
        altair.Chart(altair.Data(values=points))
        .mark_line()
        .encode(
            altair.X("step:Q", title="Step"),
            altair.Y("loss:Q", title="Loss", scale=altair.Scale(type="log")),
            altair.Color("term:N", title=None),
        )
        .properties(height=180)
    )
    st.altair_chart(chart, width="stretch")


def _result(painted: Painted) -> None:
    st.image(painted.refined, width="stretch")
    ended = f"stopped after {len(painted.history)} steps" if painted.stopped else f"{len(painted.history)} steps"
    st.caption(f"{ended}, {_duration(painted.seconds)}")
    with st.container(horizontal=True):
        st.download_button(
            "Picture", painted.picture, f"{painted.name}.png", "image/png", on_click="ignore",
            icon=":material/download:", key="download_picture",
        )  # fmt: skip
        st.download_button(
            "Recipe", painted.recipe, f"{painted.name}.json", "application/json", on_click="ignore",
            icon=":material/description:", key="download_recipe",
        )  # fmt: skip
    _curve(painted.history)


def _history() -> None:
    if not ss.history:
        return
    st.html("<h2>This visit</h2>")
    columns = st.columns(6)
    for index, painted in enumerate(ss.history):
        with columns[index % 6]:
            st.image(painted.thumbnail, width="stretch")
            st.button("Show", key=f"history_{index}", on_click=_show, args=(painted,), type="tertiary")


def _show(painted: Painted) -> None:
    ss.shown = painted
    ss.view = "Refined"


# --------------------------------------------------------------------------------------------------------------------
# Words and looks


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _plain(text: str) -> str:
    """Return text that Markdown leaves as it is: file names are the visitors' own."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!<>|~$:])", r"\\\1", text)


def _slug(label: str) -> str:
    return label.lower().replace(" ", "_")


@functools.cache
def _thumbnail_css() -> str:
    return "".join(
        f'[class*="_example_{_slug(label)}"] button {{ background-image: url({_data_url(thumbnail)}) }}'
        for kind in ("scene", "style")
        for label, (_, thumbnail) in studios.examples(kind).items()
    )


def _own_css(role: str, picture: Picture) -> None:
    if ss.get(f"{role}_thumbnail", (None,))[0] != picture.sha256:
        ss[f"{role}_thumbnail"] = (picture.sha256, _data_url(studios.thumbnail(picture.pixels)))
    st.html(f"<style>.st-key-{role}_own button {{ background-image: url({ss[f'{role}_thumbnail'][1]}) }}</style>")


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


_CSS = """
.stMainBlockContainer { max-width: 80rem; padding-top: 2rem; padding-bottom: 4rem }
header h1 { font-size: 1.75rem; font-weight: 650; letter-spacing: -0.02em; padding: 0; margin: 0 }
header p { opacity: .7; margin: .1rem 0 0 }
h2 { font-size: .95rem !important; font-weight: 600; padding: 0; margin: 0 }
[class*="_grid"] button {
  width: 5rem; height: 5rem; padding: 0; border-radius: .5rem; background-size: cover; background-position: center;
  color: transparent; overflow: hidden;
}
[class*="_grid"] button p { color: transparent; font-size: .7rem }
[class*="_grid"] button[kind="primary"] { outline: 3px solid var(--st-primary-color); outline-offset: 2px }
[data-testid="stImage"] img { border-radius: .5rem }
"""

if __name__ == "__main__":
    main()

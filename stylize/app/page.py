"""The page that Streamlit shows: one visitor's photo, style, preview, refinement and history.

Streamlit runs this file anew for every visitor and at every change. What a visitor has lies in the session's state,
what all share in the `Studio`.
"""

from __future__ import annotations

import base64
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from stylize.app import server
from stylize.app import slider as live
from stylize.app import studio as studios
from stylize.app.queue import Job
from stylize.app.studio import MOST_PX, Painted, Progress, Studio, Styles
from stylize.config import VGG19_LAYERS, FastConfig, LayerWeights, RefineConfig
from stylize.errors import OptionError, StylizeError
from stylize.images.picture import Picture
from stylize.images.writing import encode
from stylize.optimize.progress import HistoryEntry
from stylize.presets import PRESETS, preset_config

__all__ = ["main"]

_SUFFIXES = ["jpg", "jpeg", "png", "webp", "avif", "tif", "tiff", "gif", "bmp", "jp2", "psd"]
_SIZES = (256, 320, 384, 448, 512, 640, 768, 896, MOST_PX)
_PERCENT = range(0, 101, 5)
_MOST_STEPS = 2000
_MOST_KEPT = 12
_LIVE_S = 1.0
_TALLEST = "64vh"

ss = st.session_state


def main() -> None:
    """Show the page."""
    icon = studios.examples("style")["Swirls"][1]
    st.set_page_config(page_title="stylize", page_icon=icon, layout="wide", menu_items={})
    studio = server.studio or _own_studio()
    ss.setdefault("history", [])
    ss.setdefault("view", "Preview")
    st.html(f"<style>{_CSS}{_example_css()}</style>")
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
def _own_studio() -> Studio:
    # Streamlit was started by other hands than ours.
    return Studio(present=server.present)


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
    upload = st.file_uploader(
        f"**{title}**: drop yours, or choose one of ours", type=_SUFFIXES, on_change=_look_at_preview,
        key=f"{role}_upload_{ss.setdefault(f'{role}_round', 0)}",
    )  # fmt: skip
    own = None if upload is None else _read(studio, role, upload)
    with st.container(key=f"{role}_grid"):
        if isinstance(own, Picture):
            _background(f"{role}_own", ss[f"{role}_read"][2])
            st.button(f"Your {title.lower()}", key=f"{role}_own", type="primary", width="stretch")
        for label in examples:
            is_chosen = upload is None and label == chosen
            st.button(
                f"{label}, chosen" if is_chosen else label, key=f"{role}_example_{_slug(label)}", width="stretch",
                type="primary" if is_chosen else "secondary", on_click=_choose_example, args=(role, label),
            )  # fmt: skip
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
        try:
            picture = studio.read(upload.getvalue(), upload.name)
            ss[f"{role}_read"] = (upload.file_id, picture, studios.thumbnail(picture.pixels))
        except StylizeError as error:
            ss[f"{role}_read"] = (upload.file_id, str(error), b"")
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
        with columns[0]:
            size = live.slider("Size", _SIZES, 512, unit="px", key="size", on_change=_look_at_preview)
        with columns[1]:
            strength = live.slider("Strength", _PERCENT, 100, unit="%", key="strength", on_change=_look_at_preview)
        share = 0
        if second is not None:
            with columns[2]:
                label = "Share of the second style"
                share = live.slider(label, _PERCENT, 50, unit="%", key="blend", on_change=_look_at_preview)
        keep_colors = st.checkbox("Keep the photo's own colours", key="keep_colors", on_change=_look_at_preview)
        button = st.empty()
        preset, config = _refine_panel(studio, size, strength / 100, keep_colors)
    weighted = [(style, 100 - share), (second, share)]
    styles = [(picture, weight / 100) for picture, weight in weighted if picture is not None and weight]
    ready = content is not None and bool(styles) and config is not None and strength > 0
    # Asked for by a callback: a run of the page that another change cuts short would forget that it was pressed.
    button.button(
        "Generate", type="primary", key="generate", width="stretch", icon=":material/brush:", on_click=_ask_to_generate,
        disabled=not ready or ss.get("job") is not None,
        help="Refines the picture by optimisation: minutes, not moments, for a much better one.",
    )  # fmt: skip
    if ss.pop("asked", False) and content is not None and styles and config is not None:
        _generate(studio, content, styles, config, preset)
    with canvas:
        _canvas(studio, content, styles, FastConfig(size=size, strength=strength / 100, keep_colors=keep_colors))
    _history()


def _ask_to_generate() -> None:
    ss.asked = True


def _generate(studio: Studio, content: Picture, styles: Styles, config: RefineConfig, preset: str) -> None:
    try:
        ss.job = studio.refine(_visitor(), content, styles, config, preset)
        ss.next_view = "Refined"
    except StylizeError as error:
        ss.notice = str(error)
    st.rerun()


def _canvas(studio: Studio, content: Picture | None, styles: Styles, config: FastConfig) -> None:
    job: Job | None = ss.get("job")
    shown: Painted | None = ss.get("shown")
    if "next_view" in ss:
        ss.view = ss.pop("next_view")
    if "notice" in ss:
        st.error(_plain(ss.pop("notice")))
    if "news" in ss:
        st.toast(ss.pop("news"))
    if job is not None or shown is not None:
        st.segmented_control("View", ["Preview", "Refined"], key="view", label_visibility="collapsed", required=True)
    if job is not None:
        st.fragment(_live, run_every=_LIVE_S)(studio, job)
    if ss.view == "Preview" or (job is None and shown is None):
        if content is not None and styles:
            _preview(studio, content, styles, config)
    elif job is None and shown is not None:
        _result(shown)


def _preview(studio: Studio, content: Picture, styles: Styles, config: FastConfig) -> None:
    key = (content.sha256, tuple((style.sha256, weight) for style, weight in styles), config)
    if ss.get("preview", (None,))[0] != key:
        try:
            result = studio.preview(content, styles, config)
        except StylizeError as error:
            st.error(_plain(str(error)))
            return
        ss.preview = (key, studios.for_eyes(result.image, result.alpha), result)
    _, jpeg, result = ss.preview
    _image(jpeg, result.image, "Preview")
    with st.container(key="under_preview", horizontal=True, vertical_alignment="center"):
        st.caption(f"Preview by {result.networks[0].name}, {result.seconds:.1f} s")
        st.download_button(
            "Picture", functools.partial(encode, result.image, "png", result.alpha, provenance=result.provenance),
            f"{studios.name_of(result)}.png", "image/png", key="download_preview", on_click="ignore",
            icon=":material/download:", type="tertiary",
        )  # fmt: skip


def _image(jpeg: bytes, pixels: np.ndarray, alt: str) -> None:
    """Show a picture as large as the screen has room for, whatever its own size and shape."""
    height, width = pixels.shape[:2]
    fit = f"width: min(100%, calc({_TALLEST} * {width} / {height})); aspect-ratio: {width} / {height}"
    st.html(f'<img class="picture" style="{fit}" alt="{alt}" src="{_data_url(jpeg, "jpeg")}">')


# --------------------------------------------------------------------------------------------------------------------
# Refinement


def _refine_panel(studio: Studio, size: int, strength: float, keep_colors: bool) -> tuple[str, RefineConfig | None]:
    """Return the preset's name and what the panel says, or None after an error was shown."""
    with st.expander("Refinement settings", icon=":material/tune:"):
        preset = st.selectbox("Preset", list(PRESETS), key="preset") or "default"
        st.caption(_plain(PRESETS[preset].description))
        config = PRESETS[preset].config

        def key(name: str) -> str:
            return f"{preset}_{name}"  # another preset, other defaults

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
        content_weight = _weight(one, "Content weight", config.loss.content_weight, key)
        style_weight = _weight(two, "Style weight", config.loss.style_weight, key)
        smoothness = _weight(three, "Smoothness", config.loss.total_variation_weight, key)
        content_layers = _layers("Content layers", config.loss.content_layers, key)
        style_layers = _layers("Style layers", config.loss.style_layers, key)
        one, two, _ = st.columns(3)
        features = one.selectbox("Features", studio.feature_networks(), key="features")
        seed = two.number_input("Seed", 0, 2**31 - 1, 0, 1, key="seed")
        options = {
            "size": size, "strength": strength, "keep_colors": keep_colors, "steps": steps, "seed": seed,
            "optimizer": optimizer, "learning_rate": rate, "content_weight": content_weight,
            "style_weight": style_weight, "total_variation_weight": smoothness, "features": features,
            "content_layers": content_layers, "style_layers": style_layers,
        }  # fmt: skip
        try:
            for label, layers in (("content layers", content_layers), ("style layers", style_layers)):
                if not layers:
                    raise OptionError(f"{label}: expected at least one")
            return preset, preset_config(preset, options)
        except StylizeError as error:
            st.error(_plain(str(error)))
            return preset, None


def _weight(column: Any, label: str, default: float, key: Callable[[str], str]) -> float:
    step = max(default / 4, 0.0001)
    value: float = column.number_input(label, 0.0, None, float(default), step, "%.4g", key=key(label))
    return value


def _layers(label: str, preset: LayerWeights, key: Callable[[str], str]) -> LayerWeights | tuple[tuple[str, None], ...]:
    """Return the layers as the command line has them: with the preset's weights, or others without."""
    default = [name for name, _ in preset]
    names = st.multiselect(label, VGG19_LAYERS, default, key=key(label))
    return preset if names == default else tuple((name, None) for name in names)


def _live(studio: Studio, job: Job) -> None:
    """Show a job under way; runs again and again until it has ended."""
    if not job.active:
        _take_home(job)
        st.rerun()
    place = studio.queue.place(job)
    progress: Progress | None = job.progress
    if place:
        share, text = 0.0, f"In the queue: number {place}"
    elif progress is None or progress.steps is None:
        share, text = 0.0, "Starting"
    elif progress.step == progress.steps:
        share, text = 1.0, "Finishing"
    else:
        share, text = progress.step / progress.steps, f"Step {progress.step} of {progress.steps}"
        # The first steps also build the network's graph: they say little about those to come.
        text += f", {_duration(progress.remaining_s)} left" if progress.step > 5 and not job.stopping else ""
    with st.container(key="live", horizontal=True, vertical_alignment="center"):
        st.progress(share, f"{text}, stopping" if job.stopping else text)
        st.button(
            "Stop", key="stop", icon=":material/stop:", on_click=studio.queue.stop, args=(job,), disabled=job.stopping,
            help="Ends now and keeps the best so far.",
        )  # fmt: skip
    if ss.view == "Refined" and progress is not None:
        _image(studios.for_eyes(progress.picture), progress.picture, f"Step {progress.step}")
        _curve(progress.history)


def _take_home(job: Job) -> None:
    """Keep what has become of a job."""
    ss.job = None
    if job.state == "failed":
        ss.notice = job.error
    elif job.result is not None:
        ss.shown = job.result
        ss.history = [job.result, *ss.history][:_MOST_KEPT]
        ss.news = "Your picture is ready"
    elif job.state == "done":
        ss.news = "Stopped before there was a picture to keep"


def _curve(history: Sequence[HistoryEntry]) -> None:
    """Show the losses of all steps on a logarithmic scale, and the last ones in numbers."""
    losses = {
        term: np.array([getattr(entry.losses, term) for entry in list(history)])
        for term in ("total", "content", "style")
    }
    drawn = {term: np.log(values) for term, values in losses.items() if np.all(values > 0)}
    if not drawn:
        return
    low, high = min(map(np.min, drawn.values())), max(map(np.max, drawn.values()))
    lines, legend = [], []
    for color, (term, values) in zip(("#2f8f8a", "#d98a2b", "#8067c8"), drawn.items(), strict=False):
        x = np.linspace(0, 100, len(values))
        y = 98 - 96 * (values - low) / max(high - low, 1e-9)
        points = " ".join(f"{left:.2f},{top:.2f}" for left, top in zip(x, y, strict=True))
        lines.append(f'<polyline points="{points}" stroke="{color}"/>')
        legend.append(f'<span><b style="background:{color}"></b>{term} {losses[term][-1]:.3g}</span>')
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" preserveAspectRatio="none" fill="none" '
        f'stroke-width="2" stroke-linejoin="round"><style>*{{vector-effect:non-scaling-stroke}}</style>{"".join(lines)}'
        "</svg>"
    )
    st.html(
        f'<figure class="losses"><figcaption><span>Losses</span>{"".join(legend)}</figcaption>'
        f'<img alt="Losses over {len(history)} steps, logarithmic" src="{_data_url(svg.encode(), "svg+xml")}"></figure>'
    )


def _result(painted: Painted) -> None:
    st.html(painted.slider, unsafe_allow_javascript=True)
    st.caption(_plain(_settings(painted)))
    with st.container(key="under_result", horizontal=True):
        for label, data, suffix, mime, icon in (
            ("Picture", painted.picture, "png", "image/png", "image"),
            ("Film", painted.film, "webp", "image/webp", "movie"),
            ("Provenance", painted.provenance, "json", "application/json", "description"),
        ):
            st.download_button(
                label, data, f"{painted.name}.{suffix}", mime, key=f"download_{suffix}", on_click="ignore",
                icon=f":material/{icon}:",
            )  # fmt: skip
    _curve(painted.history)


def _settings(painted: Painted) -> str:
    config, loss = painted.config, painted.config.loss
    parts = [
        f"{config.size} px",
        f"preset {painted.preset_name}",
        f"{len(painted.history)} steps of {config.optimization.optimizer}" + (" (stopped)" if painted.stopped else ""),
        f"content {loss.content_weight:g}, style {loss.style_weight:g}, smoothness {loss.total_variation_weight:g}",
        *(["own colours"] if config.keep_colors else []),
        f"seed {config.seed}",
        _duration(painted.seconds),
    ]
    return ", ".join(parts)


def _history() -> None:
    if not ss.history:
        return
    st.html("<h2>This visit</h2>")
    with st.container(key="history_grid"):
        for index, painted in enumerate(ss.history):
            with st.container():
                _background(f"history_{index}", painted.thumbnail)
                st.button(
                    f"Show {_plain(painted.name)}", key=f"history_{index}", on_click=_show, args=(painted,),
                    type="primary" if painted is ss.get("shown") else "secondary", width="stretch",
                )  # fmt: skip
                st.caption(f"{painted.config.size} px, {len(painted.history)} steps")


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
def _example_css() -> str:
    return "".join(
        _button_css(f'[class*="_example_{_slug(label)}"]', thumbnail)
        for kind in ("scene", "style")
        for label, (_, thumbnail) in studios.examples(kind).items()
    )


def _background(key: str, jpeg: bytes) -> None:
    """Show a picture on the button of that key."""
    st.html(f"<style>{_button_css(f'.st-key-{key}', jpeg)}</style>")


def _button_css(selector: str, jpeg: bytes) -> str:
    return f"{selector} button {{ background-image: url({_data_url(jpeg, 'jpeg')}) }}"


def _data_url(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


_CSS = """
.stMainBlockContainer { max-width: 84rem; padding-top: 1.5rem; padding-bottom: 4rem }
header { display: flex; flex-wrap: wrap; align-items: baseline; column-gap: 1rem }
header h1 { font-size: 1.6rem; font-weight: 650; letter-spacing: -0.02em; padding: 0; margin: 0 }
header p { opacity: .7; margin: 0 }
h2 { font-size: 1rem !important; font-weight: 600; padding: 0; margin: 0 }
[class*="_grid"] button {
  width: 100%; aspect-ratio: 1; padding: 0; border-radius: .5rem; overflow: hidden;
  background-size: cover; background-position: center; color: transparent !important;
}
[class*="_grid"] button p { font-size: .1rem }
[class*="_grid"] button[kind="primary"] { border-color: transparent; outline: 3px solid #2f8f8a; outline-offset: 2px }
[class*="_grid"] button:hover { opacity: .85 }
[class*="_grid"] button:focus-visible { box-shadow: 0 0 0 5px #e0a030 }
[class*="_grid"] { display: grid !important; grid-template-columns: repeat(4, 1fr); gap: .75rem }
.st-key-history_grid { grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)) }
.picture { display: block; margin: 0 auto; border-radius: .5rem }
.losses { margin: 0 }
.losses figcaption { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; font-size: .85rem }
.losses b { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .4rem }
.losses img { width: 100%; height: 6rem; margin-top: .4rem; border-bottom: 1px solid rgb(128 128 128 / .4) }
.before-after { font-family: inherit !important; max-width: calc(TALLEST * (var(--ba-ratio))); margin: 0 auto }
.before-after .stage { border-radius: .5rem }
""".replace("TALLEST", _TALLEST)

if __name__ == "__main__":
    main()

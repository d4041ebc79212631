"""A visitor's refinement on the page: its progress, its result, and the results of the visit."""

from __future__ import annotations

import streamlit as st

from stylize.app.curves import loss_curves
from stylize.app.markup import button_picture, escaped, show_picture
from stylize.app.queue import QueuedRun
from stylize.app.studio import Painted, Progress, Studio, preview_jpeg
from stylize.text import duration, rough_duration

__all__ = ["show_progress", "show_result", "show_results"]

_MAX_RESULTS = 12

ss = st.session_state


def show_progress(studio: Studio, run: QueuedRun) -> None:
    """Show a run that waits or runs; the page calls this function until the run has ended."""
    if not run.active:
        _receive(run)
        st.rerun()
    progress: Progress | None = run.progress
    with st.container(key="live", horizontal=True, vertical_alignment="center"):
        share, text = _progress_bar(studio.queue.position(run), progress, run.stopping)
        st.progress(share, f"{text}, stopping" if run.stopping else text)
        st.button(
            "Stop", key="stop", icon=":material/stop:", on_click=studio.queue.stop, args=(run,), disabled=run.stopping,
            help="Ends now and keeps the best so far.",
        )  # fmt: skip
    if ss.view == "Refined" and progress is not None:
        show_picture(preview_jpeg(progress.picture), progress.picture.pixels, f"Step {progress.step}")
        loss_curves(progress.history, progress.sizes_px, key="live_curves")


def _progress_bar(position: int, progress: Progress | None, stopping: bool) -> tuple[float, str]:
    """Return the share that is done, 0 to 1, and a text."""
    if position:
        return 0.0, f"In the queue: number {position}"
    if progress is None:
        return 0.0, "Starting"
    if progress.step == progress.steps:
        return 1.0, "Finishing"
    text = f"Step {progress.step} of {progress.steps}"
    # The first steps include the construction of the network's graph: an estimate from them would be too long.
    if progress.step > 5 and not stopping:
        text += f", {rough_duration(progress.remaining_s)} left"
    return progress.step / progress.steps, text


def _receive(run: QueuedRun) -> None:
    """Keep the result of a run that has ended.

    Another change interrupts the page at any access to the session state. Until the last one, the run is received anew.
    """
    if run.state == "failed":
        ss.notice = run.error
    elif run.result is not None:
        ss.shown = run.result
        if run.result not in ss.history:
            ss.history = [run.result, *ss.history][:_MAX_RESULTS]
        ss.news = "Your picture is ready"
    elif run.state == "done":
        ss.news = "Stopped before there was a picture to keep"
    ss.run = None


def show_result(painted: Painted) -> None:
    """Show a finished refinement and its files."""
    st.html(painted.slider, unsafe_allow_javascript=True)
    st.caption(escaped(_settings(painted)))
    for message in painted.messages:
        st.caption(escaped(message))
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
    loss_curves(painted.history, painted.sizes_px, key="curves")


def _settings(painted: Painted) -> str:
    config, loss = painted.config, painted.config.loss
    parts = [
        f"{config.size} px",
        f"preset {painted.preset_name}",
        f"{len(painted.history)} steps of {config.optimization.optimizer}" + (" (stopped)" if painted.stopped else ""),
        f"content {loss.content_weight:g}, style {loss.style_weight:g}, smoothness {loss.total_variation_weight:g}",
        *(["own colours"] if config.keep_colors else []),
        f"seed {config.seed}",
        duration(painted.seconds),
    ]
    return ", ".join(parts)


def show_results() -> None:
    """Show the refinements of the visit, the newest first. They wait while another is shown that runs."""
    if not ss.history:
        return
    running = ss.get("run") is not None
    st.html("<h2>This visit</h2>")
    with st.container(key="history_grid"):
        for index, painted in enumerate(ss.history):
            name = f"{painted.name}, {painted.config.size} px, preset {painted.preset_name}"
            is_shown = painted is ss.get("shown") and not running
            with st.container():
                button_picture(f"history_{index}", painted.thumbnail)
                st.button(
                    f"Show {len(ss.history) - index}: {escaped(name)}", key=f"history_{index}", on_click=_show,
                    args=(painted,), type="primary" if is_shown else "secondary", width="stretch", disabled=running,
                )  # fmt: skip
                st.caption(f"{painted.config.size} px, {len(painted.history)} steps")


def _show(painted: Painted) -> None:
    ss.shown = painted
    ss.view = "Refined"

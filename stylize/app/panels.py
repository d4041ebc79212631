"""What a visitor sets: the photo, the styles, and the settings of the refinement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from stylize.app.markup import button_picture, escaped, slug
from stylize.app.studio import Studio, example_pictures, thumbnail
from stylize.config import RefineConfig
from stylize.errors import StylizeError
from stylize.images.formats import picture_suffixes
from stylize.images.picture import Picture
from stylize.layers import VGG19_LAYERS, LayerWeights
from stylize.presets import PRESETS, preset_config

__all__ = ["choose_picture", "refinement_settings", "show_preview_next"]

_MAX_STEPS = max(preset.config.steps for preset in PRESETS.values())

ss = st.session_state


def _suffixes() -> list[str]:
    return sorted(suffix.lstrip(".") for suffix in picture_suffixes())


def show_preview_next() -> None:
    """Switch to the preview: a visitor who changes an input wants to see its effect."""
    ss.view = "Preview"


# --------------------------------------------------------------------------------------------------------------------
# Photo and style


def choose_picture(studio: Studio, role: str, title: str, kind: str, default: str) -> Picture | None:
    """Let the visitor upload a picture or choose an example.

    Args:
        studio: reads the upload.
        role: of the picture on the page: `photo`, `style` or `second`.
        title: the role in words.
        kind: of the examples: `scene` or `style`.
        default: the label of the example that is chosen at first.

    Returns:
        The picture, or None if the upload cannot be read; then an error is shown.
    """
    examples = example_pictures(kind)
    chosen = ss.setdefault(f"{role}_chosen", default)
    upload = st.file_uploader(
        f"**{title}**: drop yours, or choose one of ours", type=_suffixes(), on_change=show_preview_next,
        key=f"{role}_upload_{ss.setdefault(f'{role}_round', 0)}",
    )  # fmt: skip
    own = None if upload is None else _read(studio, role, upload)
    if isinstance(own, Picture) and own.notes:
        st.caption(escaped("; ".join(own.notes)))
    with st.container(key=f"{role}_grid"):
        if isinstance(own, Picture):
            button_picture(f"{role}_own", ss[f"{role}_read"][2])
            st.button(f"Your {title.lower()}", key=f"{role}_own", type="primary", width="stretch")
        for label in examples:
            is_chosen = upload is None and label == chosen
            st.button(
                f"{label}, chosen" if is_chosen else label, key=f"{role}_example_{slug(label)}", width="stretch",
                type="primary" if is_chosen else "secondary", on_click=_choose_example, args=(role, label),
            )  # fmt: skip
    if isinstance(own, str):
        st.error(escaped(own))
        return None
    return own or examples[chosen][0]


def _choose_example(role: str, label: str) -> None:
    ss[f"{role}_chosen"] = label
    ss[f"{role}_round"] += 1  # a new key makes a new uploader, which is empty
    show_preview_next()


def _read(studio: Studio, role: str, upload: Any) -> Picture | str:
    """Return the uploaded picture or an error message; an upload is decoded once."""
    if ss.get(f"{role}_read", (None,))[0] != upload.file_id:
        try:
            picture = studio.read(upload.getvalue(), upload.name)
            ss[f"{role}_read"] = (upload.file_id, picture, thumbnail(picture))
        except StylizeError as error:
            ss[f"{role}_read"] = (upload.file_id, str(error), b"")
    read: Picture | str = ss[f"{role}_read"][1]
    return read


# --------------------------------------------------------------------------------------------------------------------
# Refinement


# The presets of the slider, from the scene to the style.
_BALANCE = ["faithful", "default", "bold"]


def refinement_settings(
    studio: Studio, size: int, strength: float, keep_colors: bool
) -> tuple[str, RefineConfig | None]:
    """Show the settings of the refinement.

    Returns:
        The name of the preset, and the configuration; None if the settings are not valid, then an error is shown.
    """
    others = [name for name in PRESETS if name not in _BALANCE]
    balance = st.select_slider(
        "Scene or style", _BALANCE, "default", key="balance", disabled=ss.get("preset") in others,
        help="More of the photo, or more of the style. Other presets have a balance of their own.",
    )  # fmt: skip
    with st.expander("Refinement settings", icon=":material/tune:"):
        preset = st.selectbox("Preset", [balance, *others], key="preset") or balance
        st.caption(escaped(PRESETS[preset].description))
        options = _optimization(preset) | _losses(preset) | _run(studio)
        options |= {"size": size, "strength": strength, "keep_colors": keep_colors}
        try:
            return preset, preset_config(preset, options)
        except StylizeError as error:
            st.error(escaped(str(error)))
            return preset, None


def _keys(preset: str) -> Callable[[str], str]:
    """Return a function from names to widget keys: with the keys of its own, each preset shows its defaults."""
    return lambda name: f"{preset}_{name}"


def _optimization(preset: str) -> dict[str, Any]:
    config, key = PRESETS[preset].config, _keys(preset)
    one, two, three = st.columns(3)
    optimizers = ["lbfgs", "adam"]
    chosen = optimizers.index(config.optimization.optimizer)
    return {
        "steps": one.number_input("Steps", 1, _MAX_STEPS, config.steps, 50, key=key("steps")),
        "optimizer": two.selectbox("Optimiser", optimizers, chosen, key=key("optimizer")),
        "learning_rate": three.number_input(
            "Learning rate", 0.0001, 1.0, config.optimization.learning_rate, 0.01, "%.4g", key=key("rate"),
            help="Adam's step on pixels from 0 to 1; of L-BFGS only the first step.",
        ),
    }  # fmt: skip


def _losses(preset: str) -> dict[str, Any]:
    loss, key = PRESETS[preset].config.loss, _keys(preset)
    one, two, three = st.columns(3)
    return {
        "content_weight": _weight(one, "Content weight", loss.content_weight, key),
        "style_weight": _weight(two, "Style weight", loss.style_weight, key),
        "total_variation_weight": _weight(three, "Smoothness", loss.total_variation_weight, key),
        "content_layers": _layers("Content layers", loss.content_layers, key),
        "style_layers": _layers("Style layers", loss.style_layers, key),
    }


def _run(studio: Studio) -> dict[str, Any]:
    one, two, _ = st.columns(3)
    return {
        "features": one.selectbox("Features", studio.feature_networks(), key="features"),
        "seed": two.number_input("Seed", 0, 2**31 - 1, 0, 1, key="seed"),
    }


def _weight(column: Any, label: str, default: float, key: Callable[[str], str]) -> float:
    step = max(default / 4, 0.0001)
    value: float = column.number_input(label, 0.0, None, float(default), step, "%.4g", key=key(label))
    return value


def _layers(label: str, default: LayerWeights, key: Callable[[str], str]) -> LayerWeights:
    """Return the chosen layers: the preset's layers keep their weights, others have the mean of these."""
    weights = dict(default)
    further = sum(weights.values()) / len(weights) if weights else 1.0
    names = st.multiselect(
        label, VGG19_LAYERS, list(weights), key=key(label),
        help=f"Layers of the preset keep their weights. A further layer weighs {further:.3g}.",
    )  # fmt: skip
    return tuple((name, weights.get(name, further)) for name in names)

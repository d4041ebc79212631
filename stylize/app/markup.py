"""HTML, CSS and Markdown of the page."""

from __future__ import annotations

import base64
import functools
import re
from importlib import resources

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from stylize.app.studio import example_pictures

__all__ = ["button_picture", "escaped", "page_css", "show_picture", "slug"]


def escaped(text: str) -> str:
    """Return text that Markdown shows unchanged; visitors' file names may contain Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!<>|~$:&])", r"\\\1", text)


def slug(label: str) -> str:
    """Return a label as a part of a widget's key."""
    return label.lower().replace(" ", "_")


def show_picture(jpeg: bytes, pixels: NDArray[np.float32], alt: str) -> None:
    """Show a picture as large as the window allows, independent of its size.

    Args:
        jpeg: the picture's file.
        pixels: (H, W, 3), for the shape.
        alt: the text for readers who do not see the picture.
    """
    height, width = pixels.shape[:2]
    fit = f"width: min(100%, calc(var(--tallest) * {width} / {height})); aspect-ratio: {width} / {height}"
    st.html(f'<img class="picture" style="{fit}" alt="{alt}" src="{_data_url(jpeg)}">')


def button_picture(key: str, jpeg: bytes) -> None:
    """Show a picture on the button with that key."""
    st.html(f"<style>{_button_css(f'.st-key-{key}', jpeg)}</style>")


@functools.cache
def page_css() -> str:
    """Return the style of the page, with the pictures of the examples' buttons."""
    examples = "".join(
        _button_css(f'[class*="_example_{slug(label)}"]', thumbnail)
        for kind in ("scene", "style")
        for label, (_, thumbnail) in example_pictures(kind).items()
    )
    return resources.files("stylize.app").joinpath("style.css").read_text("utf-8") + examples


def _button_css(selector: str, jpeg: bytes) -> str:
    return f"{selector} button {{ background-image: url({_data_url(jpeg)}) }}"


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"

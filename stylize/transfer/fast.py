"""`fast`: a picture by one pass of a feed-forward network."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stylize.config import (
    FastConfig,
)
from stylize.errors import OptionError
from stylize.images.masks import MaskSource
from stylize.images.picture import ImageSource
from stylize.networks.loaded import Networks, OnDownload, OnMessage
from stylize.transfer.inputs import STYLE_PX, Inputs, StyleSource, Surroundings
from stylize.transfer.results import TransferResult, network_use

if TYPE_CHECKING:
    pass

__all__ = ["fast", "run_fast"]


def fast(
    content: ImageSource,
    style: StyleSource,
    *,
    mask: MaskSource = (),
    config: FastConfig | None = None,
    networks: Networks | None = None,
    offline: bool = False,
    on_message: OnMessage | None = None,
    on_download: OnDownload | None = None,
    **options: Any,
) -> TransferResult:
    """Paint `content` in the style of `style` by one pass of a feed-forward network.

    Both are paths, PIL images, arrays or Pictures; `style` may be a sequence of them, or of pairs with a weight.
    `mask` is a picture that is white where to paint and black where the content stays, or one for each style.
    `options` are the fields of FastConfig; `networks` keeps what is loaded for the next call.
    Raises ImageError, WeightsError, OptionError.
    """
    config = _fast_config(config, options)
    began = time.perf_counter()
    surroundings = Surroundings(networks or Networks(), offline, on_message, on_download)
    inputs = Inputs.read(content, style, mask, config.size, surroundings, reduced=True)
    return run_fast(inputs, config, surroundings, began)


def _fast_config(config: FastConfig | None, options: Mapping[str, Any]) -> FastConfig:
    known = [field.name for field in dataclasses.fields(FastConfig)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise OptionError(f"fast: expected options among {', '.join(known)}; received {', '.join(unknown)}")
    return dataclasses.replace(config or FastConfig(), **options)


def run_fast(inputs: Inputs, config: FastConfig, surroundings: Surroundings, began: float) -> TransferResult:
    found = surroundings.network(config.network, "stylizer")
    stylizer = surroundings.networks.stylizer(found, surroundings.say)
    photo = inputs.content_pixels
    paintings = [
        stylizer.stylize(photo, [(style.pixels, weight) for style, weight in styles], config.strength)
        for styles in inputs.regions(config.keep_colors, max(config.size, STYLE_PX))
    ]
    networks = (network_use(found),)
    return TransferResult(
        mode="fast",
        image=inputs.finished(photo, paintings, config),
        alpha=inputs.alpha,
        config=config,
        networks=networks,
        seconds=time.perf_counter() - began,
        provenance=inputs.provenance("fast", config, networks),
    )

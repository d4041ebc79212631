"""`fast`: a picture by one pass of a feed-forward network."""

from __future__ import annotations

import time

from stylize.config import FastConfig
from stylize.transfer.inputs import STYLE_PX, Inputs
from stylize.transfer.results import NetworkUse, TransferResult
from stylize.transfer.session import Session

__all__ = ["run_fast"]


def run_fast(inputs: Inputs, config: FastConfig, session: Session, *, began: float | None = None) -> TransferResult:
    """Paint the content in its styles.

    Args:
        inputs: the pictures.
        config: the options.
        session: networks and messages.
        began: the `time.perf_counter` that seconds count from; now, if None.

    Raises:
        OptionError: the network has no known name.
        WeightsError: its files cannot be had.
    """
    began = time.perf_counter() if began is None else began
    found = session.network(config.network, "stylizer")
    stylizer = session.loaded.stylizer(found, session.say)
    photo = inputs.content_pixels
    paintings = [
        stylizer.stylize(photo, [(style.pixels, weight) for style, weight in styles], config.strength)
        for styles in inputs.region_styles(config.keep_colors, max(*inputs.size, STYLE_PX))
    ]
    networks = (NetworkUse.of(found),)
    return TransferResult(
        mode="fast",
        image=inputs.finished(photo, paintings, config),
        alpha=inputs.alpha,
        config=config,
        networks=networks,
        seconds=time.perf_counter() - began,
        provenance=inputs.provenance("fast", config, networks),
        metadata=inputs.content.metadata,
    )

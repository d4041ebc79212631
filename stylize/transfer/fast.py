"""`fast`: a picture, or each frame of an animation, by one pass of a feed-forward network."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stylize.config import FastConfig
from stylize.images.resizing import resized
from stylize.transfer.inputs import STYLE_PX, Inputs
from stylize.transfer.results import NetworkUse, TransferResult
from stylize.transfer.session import Session

if TYPE_CHECKING:
    from stylize.images.animation import Animation, Frames

__all__ = ["run_fast", "run_fast_frames"]


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
    network, paint = _painter(inputs, config, session)
    return _result(inputs, config, network, paint(inputs.content_pixels), began)


def run_fast_frames(
    inputs: Inputs, animation: Animation, config: FastConfig, session: Session
) -> tuple[TransferResult, Frames]:
    """Paint an animation frame by frame: all frames with the same style vectors, noise, masks and palette.

    Args:
        inputs: the pictures; the content is the first frame.
        animation: the open animation. It has to stay open until the frames are written.
        config: the options.
        session: networks and messages.

    Returns:
        The result of the first frame, with the provenance of the animation; and the frames, each of which is painted
        when it is asked for.

    Raises:
        OptionError: the network has no known name.
        WeightsError: its files cannot be had.
    """
    from stylize.images.animation import Frames

    network, paint = _painter(inputs, config, session)
    count = len(animation.durations_ms)
    first = _result(inputs, config, network, paint(inputs.content_pixels), time.perf_counter(), frames=count)

    def painted(index: int) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        image, alpha = first.image, first.alpha
        if index > 0:
            frame = animation.frame(index)
            image = paint(resized(frame.pixels, *inputs.size))
            alpha = None if frame.alpha is None else resized(frame.alpha, *inputs.size)
        return image, alpha

    return first, Frames(inputs.size, animation.durations_ms, animation.plays, animation.transparent, painted)


def _painter(
    inputs: Inputs, config: FastConfig, session: Session
) -> tuple[NetworkUse, Callable[[NDArray[np.float32]], NDArray[np.float32]]]:
    """Return the stylizer, and a function that paints a photo (H, W, 3) of the output's size in the inputs' styles."""
    found = session.network(config.network, "stylizer")
    stylizer = session.loaded.stylizer(found, session.say)
    regions = inputs.region_styles(config.keep_colors, max(*inputs.size, STYLE_PX))

    def paint(photo: NDArray[np.float32]) -> NDArray[np.float32]:
        paintings = [
            stylizer.stylize(photo, [(style.pixels, weight) for style, weight in styles], config.strength)
            for styles in regions
        ]
        return inputs.finished(photo, paintings, config)

    return NetworkUse.of(found), paint


def _result(
    inputs: Inputs, config: FastConfig, network: NetworkUse, image: NDArray[np.float32], began: float, **more: int
) -> TransferResult:
    return TransferResult(
        mode="fast",
        image=image,
        alpha=inputs.alpha,
        config=config,
        networks=(network,),
        seconds=time.perf_counter() - began,
        provenance=inputs.provenance("fast", config, (network,), **more),
        metadata=inputs.content.metadata,
    )

"""`compare`: `fast` and `refine` side by side, with numbers."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stylize.config import (
    GATYS_STYLE_LAYERS,
    SMALLEST_PX,
    PerceptualLossConfig,
    RefineConfig,
)
from stylize.images.masks import MaskSource
from stylize.images.picture import ImageSource
from stylize.images.reading import read_image
from stylize.images.resizing import resized
from stylize.networks.loaded import Networks, OnDownload, OnMessage
from stylize.networks.store import LocalWeights
from stylize.optimize.progress import Iterate, LossTerms
from stylize.presets import preset_config
from stylize.transfer.fast import run_fast
from stylize.transfer.inputs import Inputs, StyleSource, Surroundings
from stylize.transfer.refine import level_losses, run_refine, style_at
from stylize.transfer.results import Comparison, Scored, TransferResult, network_use

if TYPE_CHECKING:
    pass

__all__ = ["compare"]


def compare(
    content: ImageSource,
    style: StyleSource,
    *,
    mask: MaskSource = (),
    images: Sequence[ImageSource] | None = None,
    preset: str = "default",
    refine_config: RefineConfig | None = None,
    offline: bool = False,
    on_start: Callable[[np.ndarray], None] | None = None,
    on_iterate: Callable[[Iterate], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    memory_gb: float | None = None,
    networks: Networks | None = None,
    on_message: OnMessage | None = None,
    on_download: OnDownload | None = None,
    **options: Any,
) -> Comparison:
    """Run `fast` and `refine` on one pair (or take finished `images`) and score all under the same features.

    `options` and `mask` are as of `refine`. Raises ImageError, WeightsError, OptionError.
    """
    config = refine_config.replace(**options) if refine_config is not None else preset_config(preset, options)
    surroundings = Surroundings(networks or Networks(), offline, on_message, on_download, memory_gb)
    inputs = Inputs.read(content, style, mask, config.size, surroundings)
    candidates: list[tuple[str, np.ndarray, TransferResult | None, int | None]] = []
    results: tuple[TransferResult, ...] = ()
    if images is not None:
        for number, image in enumerate(images, start=1):
            picture = read_image(image)
            label = Path(picture.path).name if picture.path else f"image {number}"
            candidates.append((label, resized(picture.pixels, *inputs.size), None, None))
    else:
        began = time.perf_counter()
        preview = run_fast(inputs, config.preview, surroundings, began)
        candidates.append(("fast", preview.image, preview, _peak_memory_bytes()))
        refined = run_refine(
            inputs, config, surroundings, time.perf_counter(), preview, on_start, on_iterate, should_stop, None
        )
        candidates.append(("refined", refined.image, refined, _peak_memory_bytes()))
        results = (preview, refined)
    found = surroundings.network(config.features, "features")
    score = _Yardstick(inputs, surroundings, found)
    losses: list[LossTerms | None] = [None] * len(candidates)
    if results:
        height, width = (max(SMALLEST_PX, side) for side in inputs.size)
        loss = surroundings.networks.loss(found, config)
        tiling = surroundings.tiling(loss, inputs)
        evaluate = level_losses(inputs, config, surroundings.networks, loss, tiling)(height, width)
        losses = [evaluate(resized(image, height, width))[0] for _, image, _, _ in candidates]
    return Comparison(
        content=dataclasses.replace(inputs.content, pixels=inputs.content_pixels, alpha=inputs.alpha),
        styles=inputs.styles,
        features=network_use(found),
        scores=tuple(
            dataclasses.replace(score(label, resized(image, *inputs.size), result, memory), losses=terms)
            for (label, image, result, memory), terms in zip(candidates, losses, strict=True)
        ),
        results=results,
    )


_SSIM_WINDOW_PX = 11


class _Yardstick:
    """Scores pictures of one pair: relative losses at relu1_1 to relu5_1 and relu4_2, in float32, and SSIM."""

    def __init__(self, inputs: Inputs, surroundings: Surroundings, found: LocalWeights) -> None:
        from stylize.losses.objective import PerceptualLoss

        config = PerceptualLossConfig(
            content_layers=(("relu4_2", 1.0),),
            style_layers=tuple((name, 0.2) for name in GATYS_STYLE_LAYERS),
            octaves=1,
            statistics="gram",
            relative_to_content=False,
        )
        encoder = surroundings.networks.encoder(found, ["relu4_2", *GATYS_STYLE_LAYERS], precision="float32")
        self._loss = PerceptualLoss(encoder, config)
        self._content = self._enlarged(inputs.content_pixels)
        styles = [(style_at(style, max(inputs.size)), weight) for style, weight in inputs.styles]
        self._tiling = surroundings.tiling(self._loss, inputs)
        masks = inputs.masks_at(*self._content.shape[:2])
        self._targets = self._tiling.within(
            lambda tile_px: self._loss.targets(self._content[None], styles, tile_px, masks)
        )

    @staticmethod
    def _enlarged(pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        return resized(pixels, max(SMALLEST_PX, height), max(SMALLEST_PX, width))

    def __call__(
        self, label: str, image: np.ndarray, result: TransferResult | None, peak_memory_bytes: int | None
    ) -> Scored:
        from stylize.networks.backend import tf

        # As the file will hold it: eight bits a channel.
        pixels = self._enlarged(np.round(image * 255) / 255).astype(np.float32)
        terms = self._tiling.within(lambda tile_px: self._loss.value(pixels[None], self._targets, tile_px))
        window = min(_SSIM_WINDOW_PX, *pixels.shape[:2])
        return Scored(
            label=label,
            image=image,
            content_loss=terms["content"],
            style_loss=terms["style"],
            style_loss_per_layer=terms["style_per_layer"],
            ssim=float(tf.image.ssim(tf.constant(self._content), tf.constant(pixels), 1.0, filter_size=window)),
            seconds=None if result is None else result.seconds,
            peak_memory_bytes=peak_memory_bytes,
            networks=() if result is None else result.networks,
        )


def _peak_memory_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)

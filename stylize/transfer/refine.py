"""`refine`: a picture by optimisation of its pixels."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stylize.config import (
    INITS,
    SMALLEST_PX,
    RefineConfig,
)
from stylize.errors import OptionError, WeightsError
from stylize.images.color import with_palette_of
from stylize.images.masks import MaskSource
from stylize.images.picture import ImageSource, Picture
from stylize.images.reading import read_image
from stylize.images.resizing import resized, size_for_long_side, with_change_of
from stylize.networks.loaded import Networks, OnDownload, OnMessage
from stylize.networks.store import LocalWeights
from stylize.optimize.checkpoint import Checkpoint, RunContext
from stylize.optimize.progress import Iterate, LossTerms
from stylize.optimize.pyramid import PyramidLevel, level_size, pyramid_levels
from stylize.optimize.run import LevelLoss, optimize
from stylize.presets import preset_config
from stylize.transfer.estimate import expected_s, outlook
from stylize.transfer.fast import run_fast
from stylize.transfer.inputs import Inputs, StyleSource, Surroundings
from stylize.transfer.results import NetworkUse, TransferResult, network_use

if TYPE_CHECKING:
    from stylize.losses.objective import PerceptualLoss, PerceptualTargets
    from stylize.transfer.memory import Tiling

__all__ = ["level_losses", "refine", "refine_config", "run_refine", "style_at"]


def refine_config(preset: str = "default", **options: Any) -> RefineConfig:
    """Return a preset's configuration with explicit options over it. Raises OptionError for unknown names."""
    return preset_config(preset, options)


def refine(
    content: ImageSource,
    style: StyleSource,
    *,
    mask: MaskSource = (),
    preset: str = "default",
    config: RefineConfig | None = None,
    offline: bool = False,
    on_start: Callable[[np.ndarray], None] | None = None,
    on_iterate: Callable[[Iterate], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    resume_from: Checkpoint | None = None,
    memory_gb: float | None = None,
    networks: Networks | None = None,
    on_message: OnMessage | None = None,
    on_download: OnDownload | None = None,
    **options: Any,
) -> TransferResult:
    """Paint `content` in the style of `style` by optimising its pixels under a VGG network, from the preview of `fast`.

    `options` are the fields of RefineConfig and of its parts, over those of `preset`; `mask` is as of `fast`, each
    style counting in its own region. `on_start` sees what the optimisation starts from, float32 (h, w, 3), such as the
    preview, and `on_iterate` every step; when `should_stop` returns True the best picture so far is returned, with a
    checkpoint to go on from. The process stays within `memory_gb`, or what is free, by computing large pictures in
    tiles, which changes nothing in them.
    Raises ImageError, WeightsError, OptionError.
    """
    began = time.perf_counter()
    config = config.replace(**options) if config is not None else preset_config(preset, options)
    surroundings = Surroundings(networks or Networks(), offline, on_message, on_download, memory_gb)
    inputs = Inputs.read(content, style, mask, config.size, surroundings)
    return run_refine(inputs, config, surroundings, began, None, on_start, on_iterate, should_stop, resume_from)


_CONTENT_NOISE = 0.25

# 8 px did better on some pairs, but took a third more steps on the mosaic (benchmarks/README.md).
_LARGE_SHAPE_PX = 16

# A time budget plans the steps as it goes; this many leave out no size.
_MANY_STEPS = 10_000


def run_refine(
    inputs: Inputs,
    config: RefineConfig,
    surroundings: Surroundings,
    began: float,
    preview: TransferResult | None,
    on_start: Callable[[np.ndarray], None] | None,
    on_iterate: Callable[[Iterate], None] | None,
    should_stop: Callable[[], bool] | None,
    resume_from: Checkpoint | None,
) -> TransferResult:
    # The features first: without them there is nothing to refine with, and a preview would be made for nothing.
    found = surroundings.network(config.features, "features")
    networks = [network_use(found)]
    before: Mapping[str, Any] = {} if resume_from is None else resume_from.context.provenance
    init, picture = before.get("init", {}), None
    if resume_from is None and config.init not in INITS:
        picture = read_image(config.init, name="init")
        long_side_px = max(picture.height, picture.width)
        init = {"path": picture.path, "sha256": picture.sha256, "long_side_px": long_side_px}
    levels = _levels(inputs, config, painted_px=init.get("long_side_px", 0))
    fingerprint = _fingerprint(inputs, config, found, levels)
    if resume_from is not None:
        if resume_from.context.fingerprint != fingerprint:
            changed = _changed_options(before["options"], config)
            raise OptionError(
                "resume: expected the inputs, options and networks of the interrupted run, received different ones"
                f"{f' ({changed})' if changed else ''}: repeat its options, or run without --resume"
            )
        start = resume_from.pixels
        networks = [NetworkUse(**network) for network in before["networks"]]
    elif picture is not None:
        start = picture.pixels
    elif config.starts_from_preview:
        if preview is None:
            preview = _preview(inputs, config, surroundings)
        start = inputs.content_pixels if preview is None else preview.image
        if config.init == "preview+content":
            start = _with_large_shapes_of(start, inputs.content_pixels)
        networks += [] if preview is None else preview.networks
    else:
        start = _start(inputs, config, levels)

    if config.strength == 0:
        start, levels = inputs.content_pixels, ()
    # What was begun in one precision goes on in it, whichever is the faster now.
    precision = before.get("precision_used", config.precision)
    loss = surroundings.networks.loss(found, dataclasses.replace(config, precision=precision))
    tiling = surroundings.tiling(loss, inputs, config.optimization.optimizer)
    if levels:
        known = config.time_budget is not None or resume_from is not None
        seconds = None if known else expected_s(loss, inputs, levels, tiling)
        surroundings.say(outlook(config, found, loss, levels, tiling, seconds))
    started_from = {"init": init} if init else {}
    provenance = inputs.provenance("refine", config, networks, precision_used=loss.precision, **started_from)
    on_start, on_iterate = _as_results(inputs, config, on_start, on_iterate)
    if on_start is not None:
        on_start(start)
    photos = [resized(inputs.content_pixels, *level_size(inputs.size, level.long_side_px)) for level in levels]
    loss_at = level_losses(inputs, config, surroundings.networks, loss, tiling)
    image, history, checkpoint = optimize(
        start,
        [*photos, inputs.content_pixels],
        levels,
        lambda index: loss_at(*photos[index].shape[:2]),
        config,
        context=RunContext(fingerprint, inputs.size, provenance),
        resume_from=resume_from,
        on_iterate=on_iterate,
        on_message=surroundings.say,
        should_stop=should_stop,
        started_at=began,
    )
    return TransferResult(
        mode="refine",
        image=inputs.finished(inputs.content_pixels, [image], config),
        alpha=inputs.alpha,
        config=config,
        networks=tuple(networks),
        seconds=time.perf_counter() - began,
        provenance={**provenance, "steps_taken": len(history)} if levels else provenance,
        history=history,
        stopped=None if checkpoint is None else "interrupted",
        checkpoint=checkpoint,
        levels=levels,
    )


def _preview(inputs: Inputs, config: RefineConfig, surroundings: Surroundings) -> TransferResult | None:
    try:
        return run_fast(inputs, config.preview, surroundings, time.perf_counter())
    except WeightsError as error:
        if config.network != "auto":
            raise
        surroundings.say(f"no preview to start from, starting from the content instead ({error})")
        return None


def _as_results(
    inputs: Inputs,
    config: RefineConfig,
    on_start: Callable[[np.ndarray], None] | None,
    on_iterate: Callable[[Iterate], None] | None,
) -> tuple[Callable[[np.ndarray], None] | None, Callable[[Iterate], None] | None]:
    """Return callbacks that see pictures on the way as the result will be: in its colours, within the masks."""
    if config.keep_colors != "luminance" and inputs.masks is None:
        return on_start, on_iterate

    @functools.lru_cache(maxsize=1)
    def content_at(height: int, width: int) -> np.ndarray:
        return resized(inputs.content_pixels, height, width)

    def seen(pixels: np.ndarray) -> np.ndarray:
        return inputs.finished(content_at(*pixels.shape[:2]), [pixels], config)

    return (
        on_start and (lambda pixels: on_start(seen(pixels))),
        on_iterate and (lambda iterate: on_iterate(dataclasses.replace(iterate, pixels=seen(iterate.pixels)))),
    )


def _levels(inputs: Inputs, config: RefineConfig, painted_px: int) -> tuple[PyramidLevel, ...]:
    steps = config.steps if config.time_budget is None else _MANY_STEPS
    return pyramid_levels(max(inputs.size), steps, config.pyramid, painted_px)


def _with_large_shapes_of(preview: np.ndarray, content: np.ndarray) -> np.ndarray:
    """What is larger than some strokes changes slowest under the loss: that is the preview's, and the detail not."""
    height, width = (max(1, round(side / _LARGE_SHAPE_PX)) for side in content.shape[:2])
    return with_change_of(content, resized(content, height, width), resized(preview, height, width))


def _start(inputs: Inputs, config: RefineConfig, levels: Sequence[PyramidLevel]) -> np.ndarray:
    if config.init == "content":
        return inputs.content_pixels
    random = np.random.default_rng(config.seed)
    if config.init == "content+noise":
        noise = random.uniform(-_CONTENT_NOISE, _CONTENT_NOISE, inputs.content_pixels.shape)
        return np.clip(inputs.content_pixels + noise, 0, 1).astype(np.float32)
    # At the coarsest level's own size: shrunk from the output's size, noise would average out to grey.
    return random.random((*size_for_long_side(*inputs.size, levels[0].long_side_px), 3), np.float32)


def level_losses(
    inputs: Inputs, config: RefineConfig, networks: Networks, loss: PerceptualLoss, tiling: Tiling
) -> Callable[[int, int], LevelLoss]:
    photo = content = inputs.content_pixels
    regions = inputs.regions(config.keep_colors, round(max(inputs.size) * max(1, config.style_scale)))
    # Less than the full style is a blend with the style that the content itself has, in each region its own.
    own = 1 - config.strength
    if config.recolor and config.keep_colors != "luminance":
        masks = inputs.masks_at(*inputs.size)
        recolored = [
            with_palette_of(
                photo, [(style.pixels, weight * config.strength) for style, weight in styles], within=within
            )
            for styles, within in zip(regions, [None] if masks is None else masks, strict=True)
        ]
        # Grey is for the end: until then, all that is painted is painted in full.
        content = recolored[0] if inputs.masks is None else inputs.masks.composite(photo, recolored, grey=False)

    def at(height: int, width: int) -> LevelLoss:
        level = resized(content, height, width)[None]
        photo_here, masks = resized(photo, height, width), inputs.masks_at(height, width)
        free = None if masks is None else np.max(masks, axis=0)[..., None] > 0
        long_side_px = max(height, width) * config.style_scale
        styles = [[(style.sha256, style_at(style, long_side_px), weight) for style, weight in each] for each in regions]
        octaves = loss.octaves(level, *(pixels for each in styles for _, pixels, _ in each))
        guidance = loss.guidance(octaves, masks)

        def encode(tile_px: int | None) -> PerceptualTargets:
            targets = [
                [
                    (networks.style_targets(loss, sha256, pixels, octaves, tile_px), weight * config.strength)
                    for sha256, pixels, weight in each
                ]
                for each in styles
            ]
            if own:
                of_content = loss.guided_targets(photo_here[None], guidance, tile_px)
                targets = [[*each, (mine, own)] for each, mine in zip(targets, of_content, strict=True)]
            return loss.joined_targets(level, targets, guidance, tile_px)

        targets = tiling.within(encode)

        def evaluate(pixels: np.ndarray) -> tuple[LossTerms, np.ndarray]:
            # Outside the masks is the photograph, which the border is to fit to.
            seen = pixels if free is None else np.where(free, pixels, photo_here)
            terms, gradient = tiling.within(lambda tile_px: loss.value_and_gradient(seen[None], targets, tile_px))
            return LossTerms(**terms), gradient[0] if free is None else gradient[0] * free

        return evaluate

    return at


def style_at(style: Picture, long_side_px: float) -> np.ndarray:
    # Never enlarged: an enlarged style has no fine strokes, and the output would be blurred to match it.
    long_side_px = min(round(long_side_px), max(style.height, style.width))
    height, width = size_for_long_side(style.height, style.width, max(1, long_side_px))
    return resized(style.pixels, max(SMALLEST_PX, height), max(SMALLEST_PX, width))[None]


def _changed_options(before: Mapping[str, Any], config: RefineConfig) -> str:
    """Return the names of the options that an earlier run had otherwise, with commas between them."""

    def flat(options: Mapping[str, Any]) -> dict[str, Any]:
        # As JSON gives them back: a checkpoint comes from a file.
        parts = json.loads(json.dumps({**options, "steps": 1, "time_budget": None})).items()
        return {
            name: value
            for part, each in parts
            for name, value in (each.items() if isinstance(each, dict) else [(part, each)])
        }

    earlier, now = flat(before), flat(dataclasses.asdict(config))
    return ", ".join(name for name in now if earlier.get(name) != now[name])


def _fingerprint(inputs: Inputs, config: RefineConfig, found: LocalWeights, levels: Sequence[PyramidLevel]) -> str:
    # A longer run may take up a shorter one: how long it goes on is no part of what it is, but its sizes are.
    options = dataclasses.asdict(dataclasses.replace(config, steps=1, time_budget=None))
    identity = [
        options,
        inputs.content.sha256,
        [(style.sha256, weight) for style, weight in inputs.styles],
        dict(found.sha256),
        [level.long_side_px for level in levels],
        *([] if inputs.masks is None else [[mask.sha256 for mask in inputs.masks.pictures]]),
    ]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

"""fast, refine, compare: pictures in, results out. Nothing here writes a file of the user's."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from stylize import weights
from stylize._version import __version__
from stylize.config import (
    GATYS_STYLE_LAYERS,
    INITS,
    RECIPES,
    SMALLEST_PX,
    FastConfig,
    KeepColors,
    PerceptualLossConfig,
    RefineConfig,
)
from stylize.errors import OptionError, WeightsError
from stylize.images import (
    ImageSource,
    Picture,
    read_image,
    resized,
    size_for_long_side,
    with_change_of,
    with_colors_of,
    with_palette_of,
    write_image,
)
from stylize.loaded import Networks, OnDownload, OnMessage
from stylize.masks import Masks, MaskSource
from stylize.optimization import (
    TARGETS_STEPS,
    Checkpoint,
    HistoryEntry,
    Iterate,
    LevelLoss,
    LossTerms,
    PyramidLevel,
    optimize,
    pyramid_levels,
    step_costs,
)
from stylize.weights import LocalWeights

if TYPE_CHECKING:
    from stylize.losses import PerceptualLoss, PerceptualTargets
    from stylize.memory import Tiling

__all__ = [
    "STYLE_PX",
    "Comparison",
    "NetworkUse",
    "Scored",
    "StyleSource",
    "TransferResult",
    "compare",
    "fast",
    "refine",
    "refine_config",
]

StyleSource = ImageSource | Sequence[ImageSource] | Sequence[tuple[ImageSource, float]]


@dataclass(frozen=True)
class NetworkUse:
    """Which network was used, where it came from (embedded, added, downloaded), and its files' SHA-256 by name."""

    name: str
    origin: str
    sha256: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class TransferResult:
    """What `fast` and `refine` return."""

    mode: str
    """fast or refine."""
    image: np.ndarray
    """Float32 (H, W, 3), sRGB in [0, 1]; its long side is the size asked for."""
    alpha: np.ndarray | None
    """The content's transparency at the output's size, float32 (H, W), or None."""
    config: FastConfig | RefineConfig
    networks: tuple[NetworkUse, ...]
    seconds: float
    recipe: Mapping[str, Any]
    """JSON-serialisable: command, options, inputs with hashes, networks, version, seed. Enough to run it again."""
    history: tuple[HistoryEntry, ...] = ()
    stopped: str | None = None
    """`interrupted` if should_stop ended it; then `checkpoint` says where to go on."""
    checkpoint: Checkpoint | None = None
    levels: tuple[PyramidLevel, ...] = ()
    """The sizes that the refinement went through, coarse to fine."""

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the picture, its recipe inside; the suffix chooses the format. Raises ImageError."""
        write_image(path, self.image, self.alpha, recipe=self.recipe, overwrite=overwrite)


@dataclass(frozen=True, eq=False)
class Scored:
    """One picture under the yardstick: relative losses in float32 (see `PerceptualLossConfig`)."""

    label: str
    image: np.ndarray
    content_loss: float
    style_loss: float
    style_loss_per_layer: Mapping[str, float]
    ssim: float
    """Structural similarity to the content (Wang et al. 2004)."""
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    """The process' high-water mark when the picture was done."""
    networks: tuple[NetworkUse, ...] = ()
    losses: LossTerms | None = None
    """Under the loss that the refinement minimised, at the output's size; None for a finished picture."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` returns."""

    content: Picture
    """At the output's size."""
    styles: tuple[tuple[Picture, float], ...]
    features: NetworkUse
    """The network that all pictures are scored under."""
    scores: tuple[Scored, ...]
    results: tuple[TransferResult, ...] = ()
    """fast and refine; empty when finished pictures were scored."""

    def metrics(self) -> dict[str, Any]:
        """Return the numbers, JSON-serialisable."""
        return {
            "version": __version__,
            "size": [self.content.width, self.content.height],
            "features": dataclasses.asdict(self.features),
            "content": self.content.path,
            "styles": [{"path": style.path, "weight": weight} for style, weight in self.styles],
            "pictures": [
                {
                    field.name: _plain(getattr(score, field.name))
                    for field in dataclasses.fields(Scored)
                    if field.name != "image"
                }
                for score in self.scores
            ],
        }


def refine_config(recipe: str = "default", **options: Any) -> RefineConfig:
    """Return a recipe's configuration with explicit options over it. Raises OptionError for unknown names."""
    return _recipe_config(recipe, options)


def _recipe_config(recipe: str, options: Mapping[str, Any]) -> RefineConfig:
    if recipe not in RECIPES:
        raise OptionError(f"recipe: expected one of {', '.join(RECIPES)}, received {recipe!r}")
    return RECIPES[recipe].config.replace(**options)


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
    surroundings = _Surroundings(networks or Networks(), offline, on_message, on_download)
    inputs = _Inputs.read(content, style, mask, config.size, surroundings, reduced=True)
    return _fast(inputs, config, surroundings, began)


def refine(
    content: ImageSource,
    style: StyleSource,
    *,
    mask: MaskSource = (),
    recipe: str = "default",
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

    `options` are the fields of RefineConfig and of its parts, over those of `recipe`; `mask` is as of `fast`, each
    style counting in its own region. `on_start` sees what the optimisation starts from, float32 (h, w, 3), such as the
    preview, and `on_iterate` every step; when `should_stop` returns True the best picture so far is returned, with a
    checkpoint to go on from. The process stays within `memory_gb`, or what is free, by computing large pictures in
    tiles, which changes nothing in them.
    Raises ImageError, WeightsError, OptionError.
    """
    began = time.perf_counter()
    config = config.replace(**options) if config is not None else _recipe_config(recipe, options)
    surroundings = _Surroundings(networks or Networks(), offline, on_message, on_download, memory_gb)
    inputs = _Inputs.read(content, style, mask, config.size, surroundings)
    return _refine(inputs, config, surroundings, began, None, on_start, on_iterate, should_stop, resume_from)


def compare(
    content: ImageSource,
    style: StyleSource,
    *,
    mask: MaskSource = (),
    images: Sequence[ImageSource] | None = None,
    recipe: str = "default",
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
    config = refine_config.replace(**options) if refine_config is not None else _recipe_config(recipe, options)
    surroundings = _Surroundings(networks or Networks(), offline, on_message, on_download, memory_gb)
    inputs = _Inputs.read(content, style, mask, config.size, surroundings)
    candidates: list[tuple[str, np.ndarray, TransferResult | None, int | None]] = []
    results: tuple[TransferResult, ...] = ()
    if images is not None:
        for number, image in enumerate(images, start=1):
            picture = read_image(image)
            label = Path(picture.path).name if picture.path else f"image {number}"
            candidates.append((label, resized(picture.pixels, *inputs.size), None, None))
    else:
        began = time.perf_counter()
        preview = _fast(inputs, config.preview, surroundings, began)
        candidates.append(("fast", preview.image, preview, _peak_memory_bytes()))
        refined = _refine(
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
        evaluate = _losses(inputs, config, surroundings.networks, loss, tiling)(height, width)
        losses = [evaluate(resized(image, height, width))[0] for _, image, _, _ in candidates]
    return Comparison(
        content=dataclasses.replace(inputs.content, pixels=inputs.content_pixels, alpha=inputs.alpha),
        styles=inputs.styles,
        features=_use(found),
        scores=tuple(
            dataclasses.replace(score(label, resized(image, *inputs.size), result, memory), losses=terms)
            for (label, image, result, memory), terms in zip(candidates, losses, strict=True)
        ),
        results=results,
    )


# --------------------------------------------------------------------------------------------------------------------
# Inputs and surroundings


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The pictures of one run, read once."""

    content: Picture
    styles: tuple[tuple[Picture, float], ...]
    """Weights sum to 1."""
    size: tuple[int, int]
    content_pixels: np.ndarray
    alpha: np.ndarray | None
    masks: Masks | None

    @staticmethod
    def read(
        content: ImageSource,
        style: StyleSource,
        mask: MaskSource,
        long_side_px: int,
        surroundings: _Surroundings,
        *,
        reduced: bool = False,
    ) -> _Inputs:
        """Read all pictures; `reduced` lets JPEGs be decoded smaller, as far as a preview does not show it.

        What saves `fast` half of its time would save a refinement, which takes minutes, a moment, and cost it detail:
        decoders halve by a rougher filter than ours.
        """
        picture = read_image(content, name="content", long_side_px=long_side_px if reduced else None)
        full_size = picture.full_size or (picture.height, picture.width)
        styles = _weighted_styles(style, max(long_side_px, STYLE_PX) if reduced else None)
        size = size_for_long_side(*full_size, long_side_px)
        masks = Masks.read(mask, [weight for _, weight in styles], full_size, size)
        read = [("content", picture), *(("style", each) for each, _ in styles)]
        read += [] if masks is None else [("mask", each) for each in masks.pictures]
        for role, each in read:
            for note in each.notes:
                surroundings.say(f"{role}: {note}")
        alpha = None if picture.alpha is None else resized(picture.alpha, *size)
        return _Inputs(picture, styles, size, resized(picture.pixels, *size), alpha, masks)

    def regions(self, keep_colors: KeepColors, style_px: int) -> list[tuple[tuple[Picture, float], ...]]:
        """Return each region's styles, weights summing to 1, in the colours that they are to be painted in.

        Styles whose colours are changed come with a long side of `style_px` at most.
        """
        masks = self.masks_at(*self.size)
        alone = masks is not None and len(masks) > 1
        regions: list[tuple[tuple[Picture, float], ...]] = (
            [((style, 1.0),) for style, _ in self.styles] if alone else [self.styles]
        )
        if keep_colors != "histogram":
            return regions

        def recolored(style: Picture, colors: np.ndarray) -> Picture:
            size = size_for_long_side(style.height, style.width, min(style_px, max(style.height, style.width)))
            return Picture(with_palette_of(resized(style.pixels, *size), [(colors, 1.0)]))

        photo = self.content_pixels
        palettes = [photo] if masks is None else [photo[mask >= mask.max() / 2][None] for mask in masks]
        return [
            tuple((recolored(style, colors), weight) for style, weight in styles)
            for styles, colors in zip(regions, palettes, strict=True)
        ]

    @property
    def mask_count(self) -> int:
        """How many masks there are."""
        return 0 if self.masks is None else len(self.masks.pictures)

    def masks_at(self, height: int, width: int) -> np.ndarray | None:
        """Return each region's mask, (R, height, width), or None if all is painted."""
        return None if self.masks is None else self.masks.at(height, width)

    def over_photo(self, photo: np.ndarray, paintings: Sequence[np.ndarray]) -> np.ndarray:
        """Return the regions' paintings, or one of all, laid over the photo, (H, W, 3), through the masks."""
        return paintings[0] if self.masks is None else self.masks.composite(photo, paintings)

    def finished(
        self, photo: np.ndarray, paintings: Sequence[np.ndarray], config: FastConfig | RefineConfig
    ) -> np.ndarray:
        """As `over_photo`, of paintings in the photo's colours if they are to be kept."""
        if config.keep_colors == "luminance":
            paintings = [with_colors_of(painting, photo) for painting in paintings]
        return self.over_photo(photo, paintings)

    def recipe(self, mode: str, config: Any, networks: Sequence[NetworkUse], **more: Any) -> dict[str, Any]:
        masks = () if self.masks is None else self.masks.pictures
        if masks:
            more = {"masks": [{"path": mask.path, "sha256": mask.sha256} for mask in masks], **more}
        return {
            "command": mode,
            "version": __version__,
            "content": {"path": self.content.path, "sha256": self.content.sha256},
            "styles": [{"path": style.path, "sha256": style.sha256, "weight": weight} for style, weight in self.styles],
            "options": dataclasses.asdict(config),
            "seed": getattr(config, "seed", None),
            "networks": [dataclasses.asdict(network) for network in networks],
            **more,
        }


#: Stylizers look at a style at 256 px (short side) or at up to 512 px (long side).
STYLE_PX = 512


def _weighted_styles(style: StyleSource, long_side_px: int | None) -> tuple[tuple[Picture, float], ...]:
    items: Sequence[Any] = style if isinstance(style, (list, tuple)) else [style]
    if not items:
        raise OptionError("style: expected at least one picture, received none")
    pairs = [item if isinstance(item, tuple) else (item, 1.0) for item in items]
    total = sum(weight for _, weight in pairs)
    if not (all(weight >= 0 for _, weight in pairs) and 0 < total < float("inf")):
        raise OptionError(f"style weights: expected 0 or more, not all 0, received {[weight for _, weight in pairs]}")
    pictures = (read_image(source, name="style", long_side_px=long_side_px) for source, _ in pairs)
    return tuple((picture, weight / total) for picture, (_, weight) in zip(pictures, pairs, strict=True))


class _Surroundings:
    """How a run reaches networks and tells its user things."""

    def __init__(
        self,
        networks: Networks,
        offline: bool,
        on_message: OnMessage | None,
        on_download: OnDownload | None,
        memory_gb: float | None = None,
    ) -> None:
        self.networks = networks
        self._memory_gb = memory_gb
        self._offline = offline
        self._on_download = on_download
        self.say: OnMessage = on_message or (lambda message: None)

    def network(self, name: str, role: weights.Role) -> LocalWeights:
        """Return a network's files."""
        return self.networks.find(name, role, offline=self._offline, on_message=self.say, on_download=self._on_download)

    def tiling(self, loss: PerceptualLoss, inputs: _Inputs, optimizer: str | None = None) -> Tiling:
        """Return the tiles in which the output fits into the memory, or with `optimizer` its optimisation.

        Raises OptionError if an optimisation does not fit: what is painted is not lost for want of a score.
        """
        from stylize.memory import Tiling  # imports TensorFlow, which `fast` does without

        return Tiling(loss, inputs.size, self._memory_gb, self.say, inputs.mask_count, optimizer)


def _use(found: LocalWeights) -> NetworkUse:
    return NetworkUse(found.name, found.origin, dict(found.sha256))


# --------------------------------------------------------------------------------------------------------------------
# fast


def _fast_config(config: FastConfig | None, options: Mapping[str, Any]) -> FastConfig:
    known = [field.name for field in dataclasses.fields(FastConfig)]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise OptionError(f"fast: expected options among {', '.join(known)}; received {', '.join(unknown)}")
    return dataclasses.replace(config or FastConfig(), **options)


def _fast(inputs: _Inputs, config: FastConfig, surroundings: _Surroundings, began: float) -> TransferResult:
    found = surroundings.network(config.network, "stylizer")
    stylizer = surroundings.networks.stylizer(found, surroundings.say)
    photo = inputs.content_pixels
    paintings = [
        stylizer.stylize(photo, [(style.pixels, weight) for style, weight in styles], config.strength)
        for styles in inputs.regions(config.keep_colors, max(config.size, STYLE_PX))
    ]
    networks = (_use(found),)
    return TransferResult(
        mode="fast",
        image=inputs.finished(photo, paintings, config),
        alpha=inputs.alpha,
        config=config,
        networks=networks,
        seconds=time.perf_counter() - began,
        recipe=inputs.recipe("fast", config, networks),
    )


# --------------------------------------------------------------------------------------------------------------------
# refine

_CONTENT_NOISE = 0.25
# 8 px did better on some pairs, but took a third more steps on the mosaic (benchmarks/README.md).
_LARGE_SHAPE_PX = 16
# A time budget plans the steps as it goes; this many leave out no size.
_MANY_STEPS = 10_000


def _refine(
    inputs: _Inputs,
    config: RefineConfig,
    surroundings: _Surroundings,
    began: float,
    preview: TransferResult | None,
    on_start: Callable[[np.ndarray], None] | None,
    on_iterate: Callable[[Iterate], None] | None,
    should_stop: Callable[[], bool] | None,
    resume_from: Checkpoint | None,
) -> TransferResult:
    # The features first: without them there is nothing to refine with, and a preview would be made for nothing.
    found = surroundings.network(config.features, "features")
    networks = [_use(found)]
    before: Mapping[str, Any] = {} if resume_from is None else resume_from.context["recipe"]
    init, picture = before.get("init", {}), None
    if resume_from is None and config.init not in INITS:
        picture = read_image(config.init, name="init")
        long_side_px = max(picture.height, picture.width)
        init = {"path": picture.path, "sha256": picture.sha256, "long_side_px": long_side_px}
    levels = _levels(inputs, config, painted_px=init.get("long_side_px", 0))
    fingerprint = _fingerprint(inputs, config, found, levels)
    if resume_from is not None:
        if resume_from.context["fingerprint"] != fingerprint:
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
        seconds = None if known else _expected_s(loss, inputs, levels, tiling)
        surroundings.say(_outlook(config, found, loss, levels, tiling, seconds))
    started_from = {"init": init} if init else {}
    recipe = inputs.recipe("refine", config, networks, precision_used=loss.precision, **started_from)
    on_start, on_iterate = _as_results(inputs, config, on_start, on_iterate)
    if on_start is not None:
        on_start(start)
    image, history, checkpoint = optimize(
        start,
        inputs.content_pixels,
        levels,
        _losses(inputs, config, surroundings.networks, loss, tiling),
        config,
        context={"fingerprint": fingerprint, "size": inputs.size, "recipe": recipe},
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
        recipe={**recipe, "steps_taken": len(history)} if levels else recipe,
        history=history,
        stopped=None if checkpoint is None else "interrupted",
        checkpoint=checkpoint,
        levels=levels,
    )


def _preview(inputs: _Inputs, config: RefineConfig, surroundings: _Surroundings) -> TransferResult | None:
    try:
        return _fast(inputs, config.preview, surroundings, time.perf_counter())
    except WeightsError as error:
        if config.network != "auto":
            raise
        surroundings.say(f"no preview to start from, starting from the content instead ({error})")
        return None


def _as_results(
    inputs: _Inputs,
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


def _levels(inputs: _Inputs, config: RefineConfig, painted_px: int) -> tuple[PyramidLevel, ...]:
    steps = config.steps if config.time_budget is None else _MANY_STEPS
    return pyramid_levels(max(inputs.size), steps, config.pyramid, painted_px)


def _with_large_shapes_of(preview: np.ndarray, content: np.ndarray) -> np.ndarray:
    """What is larger than some strokes changes slowest under the loss: that is the preview's, and the detail not."""
    height, width = (max(1, round(side / _LARGE_SHAPE_PX)) for side in content.shape[:2])
    return with_change_of(content, resized(content, height, width), resized(preview, height, width))


def _start(inputs: _Inputs, config: RefineConfig, levels: Sequence[PyramidLevel]) -> np.ndarray:
    if config.init == "content":
        return inputs.content_pixels
    random = np.random.default_rng(config.seed)
    if config.init == "content+noise":
        noise = random.uniform(-_CONTENT_NOISE, _CONTENT_NOISE, inputs.content_pixels.shape)
        return np.clip(inputs.content_pixels + noise, 0, 1).astype(np.float32)
    # At the coarsest level's own size: shrunk from the output's size, noise would average out to grey.
    return random.random((*size_for_long_side(*inputs.size, levels[0].long_side_px), 3), np.float32)


def _outlook(
    config: RefineConfig,
    found: LocalWeights,
    loss: PerceptualLoss,
    levels: Sequence[PyramidLevel],
    tiling: Tiling,
    seconds: float | None,
) -> str:
    """Return one line on what the run will do and take."""
    sizes = ", ".join(str(level.long_side_px) for level in levels)
    length = f"{config.steps} steps" if config.time_budget is None else f"{config.time_budget:g} s"
    time_ = "" if seconds is None else f"about {_rounded_time(seconds)}, "
    tiles = f", in tiles of {tiling.tile_px} px" if tiling.is_needed else ""
    return (
        f"{found.name} in {loss.precision}, {config.optimization.optimizer}, {length} over {sizes} px, "
        f"{time_}up to {tiling.peak_bytes / 1e9:.1f} GB{tiles}"
    )


def _rounded_time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


# As many octaves as any picture has, so that the graph traced for the probes is that of the run. A pixel of a small
# picture takes longer than one of a large: for a long run there is time to measure better.
_PROBES_PX, _LARGE_PROBES_PX, _LARGE_PX = (96, 192), (192, 448), 1000


def _expected_s(loss: PerceptualLoss, inputs: _Inputs, levels: Sequence[PyramidLevel], tiling: Tiling) -> float:
    """Return about how many seconds the levels will take, by those of one step on two small pictures."""
    smaller_px, larger_px = _LARGE_PROBES_PX if max(inputs.size) > _LARGE_PX else _PROBES_PX
    # No larger than what the memory is for.
    sides = smaller_px, max(smaller_px + 16, min(larger_px, tiling.crop_px))
    first_s, warm_s = zip(*(_probe_s(loss, inputs.mask_count, side) for side in sides), strict=True)
    small, large = (side**2 for side in sides)
    step_s, pixel_s = step_costs((warm_s[1] - warm_s[0]) / (large - small), large, warm_s[1])
    sizes = [size_for_long_side(*inputs.size, level.long_side_px) for level in levels]
    # The smallest pictures have fewer octaves, and so a graph of their own.
    octaves = {loss.octaves(np.empty((1, *size))) for size in sizes}
    graphs = len(octaves - {loss.octaves(np.empty((1, smaller_px, smaller_px)))})
    return graphs * max(0.0, first_s[0] - warm_s[0]) + sum(
        (level.max_steps + TARGETS_STEPS) * (tiling.pixels_a_step(*size) * pixel_s + step_s)
        for level, size in zip(levels, sizes, strict=True)
    )


def _probe_s(loss: PerceptualLoss, regions: int, side: int) -> tuple[float, float]:
    """Return the seconds of a first and of a warm step on noise."""
    probe = np.random.default_rng(0).random((1, side, side, 3), np.float32)
    guidance = loss.guidance(loss.octaves(probe), np.ones((regions, side, side), np.float32) if regions else None)
    own = loss.guided_targets(probe, guidance)
    targets = loss.joined_targets(probe, [[(region, 1.0)] for region in own], guidance)
    times = [time.perf_counter()]
    for _ in range(3):
        loss.value_and_gradient(probe, targets)
        times.append(time.perf_counter())
    first_s, *warm_s = np.diff(times).tolist()
    return first_s, min(warm_s)


def _losses(
    inputs: _Inputs, config: RefineConfig, networks: Networks, loss: PerceptualLoss, tiling: Tiling
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
        styles = [
            [(style.sha256, _style_at(style, long_side_px), weight) for style, weight in each] for each in regions
        ]
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


def _style_at(style: Picture, long_side_px: float) -> np.ndarray:
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


def _fingerprint(inputs: _Inputs, config: RefineConfig, found: LocalWeights, levels: Sequence[PyramidLevel]) -> str:
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


# --------------------------------------------------------------------------------------------------------------------
# compare


_SSIM_WINDOW_PX = 11


class _Yardstick:
    """Scores pictures of one pair: relative losses at relu1_1 to relu5_1 and relu4_2, in float32, and SSIM."""

    def __init__(self, inputs: _Inputs, surroundings: _Surroundings, found: LocalWeights) -> None:
        from stylize.losses import PerceptualLoss

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
        styles = [(_style_at(style, max(inputs.size)), weight) for style, weight in inputs.styles]
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
        from stylize.networks.runtime import tf

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


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(cast(Any, value))
    return dict(value) if isinstance(value, Mapping) else value

"""The functions of the package: pictures in, results out. They write no file of the user's.

Every option is a keyword. Options of `refine` and `compare` are those of `RefineConfig` and its parts. An option that
is None has the value of the config or preset.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Literal

from stylize.config import FastConfig, KeepColors, RefineConfig
from stylize.errors import OptionError
from stylize.images.masks import MaskSource
from stylize.images.picture import ImageSource
from stylize.networks import devices
from stylize.networks.loaded import LoadedNetworks, OnDownload, OnMessage
from stylize.presets import check_number, chosen, config_of
from stylize.schema import shown
from stylize.transfer.inputs import Inputs, StyleSource
from stylize.transfer.results import Comparison, TransferResult
from stylize.transfer.session import Callbacks, Session

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stylize.optimize.checkpoint import Checkpoint
    from stylize.optimize.iterate import Iterate

__all__ = ["compare", "fast", "refine"]

Layers = Sequence[tuple[str, float]] | Sequence[tuple[str, None]]
# Content, style and masks; and how a run goes, beside them.
_Pictures = tuple[ImageSource, StyleSource, MaskSource]
_Run = tuple[RefineConfig, Session, Callbacks]


def fast(
    content: ImageSource,
    style: StyleSource,
    *,
    mask: MaskSource = (),
    config: FastConfig | None = None,
    size: int | str | None = None,
    strength: float | None = None,
    keep_colors: KeepColors | None = None,
    network: str | None = None,
    offline: bool = False,
    loaded: LoadedNetworks | None = None,
    on_message: OnMessage | None = None,
    on_download: OnDownload | None = None,
) -> TransferResult:
    """Paint a content in the style of pictures, by one pass of a feed-forward network; defaults as of `FastConfig`.

    Args:
        content: a path, a URL, the bytes of a file, a PIL image, a `Picture`, or an array (H, W, 3), uint8 or float in
            [0, 1]; see `read_image`.
        style: the same, or the name of one of the project's own styles such as `@swirls`; or a sequence of pictures, or
            of pairs of a picture and a weight.
        mask: a picture that is white where to paint and black where the content stays, or one for each style.
        config: all options at once; options below replace its own.
        size: long side of the output in px, 1 to 65535; `original` for the content's, or percent of it such as `200%`.
        strength: 0 keeps the content, 1 is the full style.
        keep_colors: True or `luminance` takes only light and dark from the style; `histogram` moves the style to the
            content's colours first.
        network: the stylizer, or auto.
        offline: whether nothing may be downloaded.
        loaded: keeps networks loaded between calls.
        on_message: receives what the user should know, one line a call.
        on_download: receives the progress of downloads: file name, bytes so far, bytes in all or None.

    Returns:
        The picture, float32 (H, W, 3), sRGB in [0, 1], and how it was made.

    Raises:
        ImageError: a picture cannot be read or does not fit.
        OptionError: an option has no meaning.
        WeightsError: the network cannot be had.
    """
    config = dataclasses.replace(config or FastConfig(), **chosen(FastConfig(), locals()))
    from stylize.transfer.fast import run_fast

    began = time.perf_counter()
    session = Session(loaded or LoadedNetworks(), offline, on_message, on_download)
    inputs = Inputs.read(content, style, mask, config.size, reduced=True, on_message=session.say)
    return run_fast(inputs, config, session, began=began)


def refine(
    content: ImageSource,
    style: StyleSource,
    *,
    mask: MaskSource = (),
    preset: str = "default",
    config: RefineConfig | None = None,
    size: int | str | None = None,
    steps: int | None = None,
    time_budget: float | None = None,
    strength: float | None = None,
    style_scale: float | None = None,
    keep_colors: KeepColors | None = None,
    content_weight: float | None = None,
    light_weight: float | None = None,
    light_detail: float | None = None,
    saliency: float | None = None,
    style_weight: float | None = None,
    total_variation_weight: float | None = None,
    frame_weight: float | None = None,
    places_weight: float | None = None,
    palette_weight: float | None = None,
    content_layers: Layers | None = None,
    style_layers: Layers | None = None,
    normalization: Literal["relative", "mean", "sum"] | None = None,
    statistics: Literal["moments", "gram"] | None = None,
    relative_to_content: bool | None = None,
    contrast_limit: float | None = None,
    octaves: int | None = None,
    enough_positions: int | None = None,
    content_range_px: tuple[int, int] | None = None,
    init: str | None = None,
    coarsest_px: int | Literal["none"] | None = None,
    ratio: float | None = None,
    optimizer: Literal["lbfgs", "adam"] | None = None,
    learning_rate: float | None = None,
    beta_1: float | None = None,
    beta_2: float | None = None,
    epsilon: float | None = None,
    keep_best: bool | None = None,
    recolor: bool | None = None,
    pooling: Literal["max", "avg"] | None = None,
    padding: Literal["mirror", "edge", "first", "zeros"] | None = None,
    precision: Literal["auto", "float32", "bfloat16"] | None = None,
    seed: int | None = None,
    features: str | None = None,
    network: str | None = None,
    offline: bool = False,
    memory_gb: float | None = None,
    backend: str = "auto",
    device: str = "auto",
    loaded: LoadedNetworks | None = None,
    resume_from: Checkpoint | None = None,
    on_start: Callable[[NDArray[np.float32]], None] | None = None,
    on_iterate: Callable[[Iterate], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_message: OnMessage | None = None,
    on_download: OnDownload | None = None,
) -> TransferResult:
    """Paint a content in the style of pictures, by optimisation of its pixels under a VGG network.

    Ranges and defaults of the options are those of `RefineConfig` and its parts.

    Args:
        content: as of `fast`.
        style: as of `fast`.
        mask: as of `fast`; each style is compared in its own region.
        preset: a name of `PRESETS`: the options that all others start from.
        config: all options at once, instead of a preset; options below replace its own.
        size: as of `fast`.
        steps: evaluations of loss and gradient over all sizes.
        time_budget: seconds for the whole refinement; replaces `steps`.
        strength: 0 keeps the content, 1 is the full style.
        style_scale: long side of the style relative to the output's; larger gives larger strokes.
        keep_colors: as of `fast`.
        content_weight: weight of the content loss.
        light_weight: weight of the light loss, relative to the content loss.
        light_detail: how much the light inside large cells counts beside their means; 0: no small cells.
        saliency: where a viewer looks first, content counts up to 1 + 4 saliency times as much as elsewhere.
        style_weight: weight of the style loss.
        total_variation_weight: weight of the total variation.
        frame_weight: weight of the loss that keeps stray colours from the border.
        places_weight: weight of the places loss, relative to the style loss.
        palette_weight: weight of the palette loss, relative to the style loss.
        content_layers: pairs such as ("relu4_2", 1.0). If all weights are None, they share the preset's total.
        style_layers: layers of the style loss, likewise.
        normalization: what squares are divided by, see `PerceptualLossConfig`.
        statistics: what the style loss compares: means and covariances, or Gram matrices.
        relative_to_content: whether each layer's style loss is divided by that of the content itself.
        contrast_limit: most contrast of the content relative to the style's; 0 is no limit.
        octaves: sizes (full, half, a quarter, ...) at which style is compared.
        enough_positions: style layers with fewer positions, in a region and octave, count less.
        content_range_px: long sides; below, the content counts more; above, a painting is the content: see the config.
        init: preview, preview+content, content, noise, content+noise, or the path of a picture.
        coarsest_px: long side of the coarsest size in px; `none` for one size only.
        ratio: of each size to the size before.
        optimizer: what moves the pixels.
        learning_rate: Adam's step on pixels in [0, 1]; the first step of L-BFGS.
        beta_1: Adam's decay of the first moments.
        beta_2: Adam's decay of the second moments.
        epsilon: Adam's epsilon.
        keep_best: whether the iterate of the lowest loss is returned instead of the last one.
        recolor: whether the content loss compares with the content in the style's colours.
        pooling: of the feature network.
        padding: what lies beyond the border, see `RefineConfig`.
        precision: of the convolutions.
        seed: of the noise.
        features: the feature network, or auto.
        network: the stylizer that paints the preview, or auto.
        resume_from: the checkpoint of an interrupted run of the same inputs and options.
        offline: whether nothing may be downloaded.
        memory_gb: how much memory of the device the process may take, in GB; what is free, if None. Large pictures are
            computed in tiles, which changes nothing in them.
        backend: auto, tensorflow, torch or jax; auto takes one that sees a GPU. A process keeps its first one.
        device: auto, cpu, gpu, or a name such as gpu:1 or mps.
        loaded: keeps networks loaded between calls.
        on_start: receives the picture that the optimisation starts from, float32 (h, w, 3).
        on_iterate: receives every step.
        should_stop: asked before every step; True ends the run with the best picture so far.
        on_message: receives what the user should know, one line a call.
        on_download: receives the progress of downloads: file name, bytes so far, bytes in all or None.

    Returns:
        The picture, float32 (H, W, 3), sRGB in [0, 1], its losses at every step, and how it was made.

    Raises:
        ImageError: a picture cannot be read or does not fit.
        OptionError: an option has no meaning, or the memory does not suffice.
        StylizeError: the loss was not finite at a level's start or in ten steps in a row, or the memory ran out.
        WeightsError: a network cannot be had.
    """
    return _refine((content, style, mask), _run_of(preset, config, locals()), resume_from, (backend, device))


def compare(
    content: ImageSource,
    style: StyleSource,
    *,
    mask: MaskSource = (),
    images: Sequence[ImageSource] | None = None,
    preset: str = "default",
    config: RefineConfig | None = None,
    size: int | str | None = None,
    steps: int | None = None,
    time_budget: float | None = None,
    strength: float | None = None,
    style_scale: float | None = None,
    keep_colors: KeepColors | None = None,
    content_weight: float | None = None,
    light_weight: float | None = None,
    light_detail: float | None = None,
    saliency: float | None = None,
    style_weight: float | None = None,
    total_variation_weight: float | None = None,
    frame_weight: float | None = None,
    places_weight: float | None = None,
    palette_weight: float | None = None,
    content_layers: Layers | None = None,
    style_layers: Layers | None = None,
    normalization: Literal["relative", "mean", "sum"] | None = None,
    statistics: Literal["moments", "gram"] | None = None,
    relative_to_content: bool | None = None,
    contrast_limit: float | None = None,
    octaves: int | None = None,
    enough_positions: int | None = None,
    content_range_px: tuple[int, int] | None = None,
    init: str | None = None,
    coarsest_px: int | Literal["none"] | None = None,
    ratio: float | None = None,
    optimizer: Literal["lbfgs", "adam"] | None = None,
    learning_rate: float | None = None,
    beta_1: float | None = None,
    beta_2: float | None = None,
    epsilon: float | None = None,
    keep_best: bool | None = None,
    recolor: bool | None = None,
    pooling: Literal["max", "avg"] | None = None,
    padding: Literal["mirror", "edge", "first", "zeros"] | None = None,
    precision: Literal["auto", "float32", "bfloat16"] | None = None,
    seed: int | None = None,
    features: str | None = None,
    network: str | None = None,
    offline: bool = False,
    memory_gb: float | None = None,
    backend: str = "auto",
    device: str = "auto",
    loaded: LoadedNetworks | None = None,
    on_start: Callable[[NDArray[np.float32]], None] | None = None,
    on_iterate: Callable[[Iterate], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    on_message: OnMessage | None = None,
    on_download: OnDownload | None = None,
) -> Comparison:
    """Paint with `fast` and `refine`, or take finished pictures, and score all under the same features.

    Ranges and defaults of the options are those of `RefineConfig` and its parts.

    Args:
        content: as of `fast`.
        style: as of `fast`.
        mask: as of `refine`.
        images: finished pictures to score, resized to the output's size; then options of painting have no
            effect. Without them, `fast` and `refine` paint.
        preset: as of `refine`.
        config: as of `refine`.
        size: as of `fast`.
        steps: evaluations of loss and gradient over all sizes.
        time_budget: seconds for the whole refinement; replaces `steps`.
        strength: 0 keeps the content, 1 is the full style.
        style_scale: long side of the style relative to the output's; larger gives larger strokes.
        keep_colors: as of `fast`.
        content_weight: weight of the content loss.
        light_weight: weight of the light loss, relative to the content loss.
        light_detail: how much the light inside large cells counts beside their means; 0: no small cells.
        saliency: where a viewer looks first, content counts up to 1 + 4 saliency times as much as elsewhere.
        style_weight: weight of the style loss.
        total_variation_weight: weight of the total variation.
        frame_weight: weight of the loss that keeps stray colours from the border.
        places_weight: weight of the places loss, relative to the style loss.
        palette_weight: weight of the palette loss, relative to the style loss.
        content_layers: pairs such as ("relu4_2", 1.0). If all weights are None, they share the preset's total.
        style_layers: layers of the style loss, likewise.
        normalization: what squares are divided by, see `PerceptualLossConfig`.
        statistics: what the style loss compares: means and covariances, or Gram matrices.
        relative_to_content: whether each layer's style loss is divided by that of the content itself.
        contrast_limit: most contrast of the content relative to the style's; 0 is no limit.
        octaves: sizes (full, half, a quarter, ...) at which style is compared.
        enough_positions: style layers with fewer positions, in a region and octave, count less.
        content_range_px: long sides; below, the content counts more; above, a painting is the content: see the config.
        init: preview, preview+content, content, noise, content+noise, or the path of a picture.
        coarsest_px: long side of the coarsest size in px; `none` for one size only.
        ratio: of each size to the size before.
        optimizer: what moves the pixels.
        learning_rate: Adam's step on pixels in [0, 1]; the first step of L-BFGS.
        beta_1: Adam's decay of the first moments.
        beta_2: Adam's decay of the second moments.
        epsilon: Adam's epsilon.
        keep_best: whether the iterate of the lowest loss is returned instead of the last one.
        recolor: whether the content loss compares with the content in the style's colours.
        pooling: of the feature network.
        padding: what lies beyond the border, see `RefineConfig`.
        precision: of the convolutions.
        seed: of the noise.
        features: the feature network, or auto.
        network: the stylizer that paints the preview, or auto.
        offline: whether nothing may be downloaded.
        memory_gb: as of `refine`.
        backend: auto, tensorflow, torch or jax; auto takes one that sees a GPU. A process keeps its first one.
        device: auto, cpu, gpu, or a name such as gpu:1 or mps.
        loaded: keeps networks loaded between calls.
        on_start: receives the picture that the optimisation starts from, float32 (h, w, 3).
        on_iterate: receives every step.
        should_stop: asked before every step; True ends the run with the best picture so far.
        on_message: receives what the user should know, one line a call.
        on_download: receives the progress of downloads: file name, bytes so far, bytes in all or None.

    Returns:
        The pictures and their scores.

    Raises:
        ImageError, OptionError, StylizeError, WeightsError: as of `refine`.
    """
    return _compare((content, style, mask), images, _run_of(preset, config, locals()), (backend, device))


def _refine(pictures: _Pictures, run: _Run, resume_from: Checkpoint | None, where: tuple[str, str]) -> TransferResult:
    """Call `run_refine`, which is imported here, after the backend of Keras is chosen."""
    began, (config, session, callbacks) = time.perf_counter(), run
    from stylize.optimize.checkpoint import Checkpoint

    if not isinstance(resume_from, (Checkpoint, type(None))):
        raise OptionError(f"resume_from: expected a Checkpoint, as of read_checkpoint; received {shown(resume_from)}")
    with _computing_on(*where):
        from stylize.transfer.refine import run_refine

        inputs = Inputs.read(*pictures, config.size, on_message=session.say)
        return run_refine(inputs, config, session, callbacks, resume_from=resume_from, began=began)


def _compare(
    pictures: _Pictures, images: Sequence[ImageSource] | None, run: _Run, where: tuple[str, str]
) -> Comparison:
    """Call `run_compare`, which is imported here, after the backend of Keras is chosen."""
    config, session, callbacks = run
    with _computing_on(*where):
        from stylize.transfer.compare import run_compare

        inputs = Inputs.read(*pictures, config.size, on_message=session.say)
        return run_compare(inputs, config, session, callbacks, images=images)


def _computing_on(backend: str, device: str) -> AbstractContextManager[None]:
    """Choose what computes, before Keras is imported, and return the context in which arrays lie there."""
    chosen = devices.choose(backend, device)
    from stylize.networks.backend import on

    return on(chosen)


def _run_of(preset: str, config: RefineConfig | None, arguments: Mapping[str, Any]) -> _Run:
    """Return what `refine` and `compare` make of their arguments."""
    config = config_of(preset, config, arguments)
    memory_gb = arguments["memory_gb"]
    if memory_gb is not None:
        check_number("memory_gb", memory_gb)
    loaded = arguments["loaded"] or LoadedNetworks()
    session = Session(loaded, *(arguments[name] for name in ("offline", "on_message", "on_download", "memory_gb")))
    return config, session, Callbacks(*(arguments[name] for name in ("on_start", "on_iterate", "should_stop")))

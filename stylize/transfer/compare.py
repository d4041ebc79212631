"""`compare`: `fast` and `refine` side by side, or finished pictures, with numbers."""

from __future__ import annotations

import dataclasses
import itertools
import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from stylize.config import SMALLEST_PX, PerceptualLossConfig, RefineConfig
from stylize.images.picture import ImageSource, Picture
from stylize.images.reading import read_image
from stylize.images.resizing import resized, with_margin
from stylize.layers import GATYS_STYLE_LAYERS
from stylize.losses.objective import Objective
from stylize.networks.store import LocalWeights
from stylize.optimize.history import LossTerms
from stylize.optimize.pyramid import level_size
from stylize.text import one_line
from stylize.transfer.fast import run_fast
from stylize.transfer.inputs import Inputs
from stylize.transfer.levels import level_losses, make_objective, photo_to_paint, picture_pyramid, style_at
from stylize.transfer.refine import run_refine
from stylize.transfer.results import Comparison, NetworkUse, Scored, TransferResult
from stylize.transfer.session import NO_CALLBACKS, Callbacks, Session
from stylize.transfer.similarity import ssim
from stylize.transfer.start import tell_of_another_shape
from stylize.transfer.tiling import Tiling

__all__ = ["run_compare"]

# The window of SSIM in Wang et al. 2004.
_SSIM_WINDOW_PX = 11


def run_compare(
    inputs: Inputs,
    config: RefineConfig,
    session: Session,
    callbacks: Callbacks = NO_CALLBACKS,
    *,
    images: Sequence[ImageSource] | None = None,
) -> Comparison:
    """Paint with `fast` and `refine`, or take finished pictures, and score all under the same features.

    Args:
        inputs: the pictures.
        config: the options of `refine`; the preview is that which `refine` starts from.
        session: networks, messages and memory.
        callbacks: of the refinement.
        images: finished pictures to score; None to paint.

    Raises:
        ImageError: a finished picture cannot be read.
        OptionError: as `run_refine`.
        WeightsError: a network cannot be had.
    """
    candidates = _painted(inputs, config, session, callbacks) if images is None else _finished(images, inputs, session)
    features = session.network(config.features, "features")
    scorer = _Scorer(inputs, session, features)
    # With a strength of 0 nothing is optimised.
    optimised = images is None and config.strength > 0
    losses = _losses(candidates, inputs, config, session, features) if optimised else [None] * len(candidates)
    return Comparison(
        content=dataclasses.replace(inputs.content, pixels=inputs.content_pixels, alpha=inputs.alpha),
        styles=inputs.styles,
        features=NetworkUse.of(features),
        scores=tuple(scorer.score(each, terms) for each, terms in zip(candidates, losses, strict=True)),
        results=tuple(each.result for each in candidates if each.result is not None),
    )


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A picture to score, float32 (H, W, 3) at the output's size; of a finished picture no more is known."""

    label: str
    image: NDArray[np.float32]
    result: TransferResult | None = None
    peak_memory_bytes: int | None = None


def _painted(inputs: Inputs, config: RefineConfig, session: Session, callbacks: Callbacks) -> list[_Candidate]:
    preview = run_fast(inputs, config.preview, session)
    fast = _Candidate("fast", preview.image, preview, _peak_memory_bytes())
    refined = run_refine(inputs, config, session, callbacks, preview=preview)
    return [fast, _Candidate("refined", refined.image, refined, _peak_memory_bytes())]


def _finished(images: Sequence[ImageSource], inputs: Inputs, session: Session) -> list[_Candidate]:
    pictures = [read_image(image) for image in images]
    candidates = []
    for label, picture in zip(_labels(pictures), pictures, strict=True):
        for note in picture.notes:
            session.say(f"{label}: {note}")
        tell_of_another_shape(label, picture.pixels, inputs.content_pixels, session)
        candidates.append(_Candidate(label, resized(picture.pixels, *inputs.size)))
    return candidates


def _labels(pictures: Sequence[Picture]) -> list[str]:
    """Return a name for each picture: of its file, with as many folders as tell it from others, or else a number."""
    paths = [PurePath(one_line(each.path or f"image {number}")) for number, each in enumerate(pictures, start=1)]
    labels = [path.name for path in paths]
    for parts in range(2, max((len(path.parts) for path in paths), default=0) + 1):
        count = Counter(label for _, label in {*zip(paths, labels, strict=True)})
        labels = [
            PurePath(*path.parts[-parts:]).as_posix() if count[label] > 1 else label
            for path, label in zip(paths, labels, strict=True)
        ]
    unique: list[str] = []
    for label in labels:
        numbered = (f"{label} ({number})" for number in itertools.count(2))
        new = (each for each in numbered if each not in labels and each not in unique)
        unique.append(next(new) if label in unique else label)
    return unique


def _losses(
    candidates: Sequence[_Candidate], inputs: Inputs, config: RefineConfig, session: Session, features: LocalWeights
) -> list[LossTerms]:
    """Return the losses under the objective of the refinement, at the output's size.

    The margin that was painted is cut off: a refined picture has the losses that it reached, the preview those with a
    mirrored margin, from which the refinement started. Where the refinement compared with a painting of its own, both
    are compared with the photo.
    """
    size = level_size(inputs.size, max(inputs.size))
    smallest_px, largest_px = config.loss.content_range_px
    with_photo = max(size) <= largest_px
    config = config.replace(content_range_px=(smallest_px, max(largest_px, *size)))
    objective = make_objective(config, features, session)
    pyramid = picture_pyramid(inputs, config, [size], photo_to_paint(inputs, config))
    tiling = Tiling.of_run(objective, inputs, session, margin_px=config.margin_px)

    def on_canvas(candidate: _Candidate) -> NDArray[np.float32]:
        return with_margin(resized(candidate.image, *size), config.margin_px)

    # With the prices that a refinement of the preview would begin with at this size.
    start = on_canvas(candidates[0])
    loss = level_losses(pyramid, config, objective, tiling, session.loaded.style_targets)(0, start, None)
    return [
        (_reached(each) if config.margin_px and with_photo else None) or loss.value_and_gradient(on_canvas(each))[0]
        for each in candidates
    ]


def _reached(candidate: _Candidate) -> LossTerms | None:
    """Return the losses that a refinement reached at the output's size; None where there was no such step."""
    result = candidate.result
    if result is None or not isinstance(result.config, RefineConfig):
        return None
    last = len(result.levels)
    reached = [each.losses for each in result.history if each.level == last and math.isfinite(each.losses.total)]
    optimization = result.config.optimization
    if optimization.optimizer == "adam" and not optimization.keep_best:
        return reached[-1] if reached else None
    return min(reached, key=lambda losses: losses.total, default=None)


class _Scorer:
    """Scores pictures: relative losses at relu1_1 to relu5_1 and relu4_2, in float32, and SSIM."""

    def __init__(self, inputs: Inputs, session: Session, features: LocalWeights) -> None:
        config = PerceptualLossConfig(
            content_layers=(("relu4_2", 1.0),),
            style_layers=tuple((name, 0.2) for name in GATYS_STYLE_LAYERS),
            octaves=1,
            enough_positions=0,
            statistics="gram",
            relative_to_content=False,
            places_weight=0.0,
            light_weight=0.0,
            saliency=0.0,
        )
        encoder = session.loaded.encoder(features, ["relu4_2", *GATYS_STYLE_LAYERS], precision="float32")
        self._objective = session.loaded.keep("objective", (encoder, config), lambda: Objective(encoder, config))
        self._size = inputs.size
        self._content = _large_enough(inputs.content_pixels)
        styles = [(style_at(style, max(inputs.size)), weight) for style, weight in inputs.styles]
        self._tiling = Tiling.of_run(self._objective, inputs, session)
        masks = inputs.masks_at(*self._content.shape[:2])
        self._targets = self._tiling.within(
            lambda tile_px: self._objective.targets.encode(self._content[None], styles, tile_px, masks)
        )

    def score(self, candidate: _Candidate, losses: LossTerms | None) -> Scored:
        """Return the picture with its scores; `losses` are those of the refinement's objective."""
        image, result = resized(candidate.image, *self._size), candidate.result
        # In eight bits a channel, as the file holds the picture.
        pixels = _large_enough((np.round(image * 255) / 255).astype(np.float32))
        terms = self._tiling.within(lambda tile_px: self._objective.value(pixels[None], self._targets, tile_px))
        window = min(_SSIM_WINDOW_PX, *pixels.shape[:2])
        return Scored(
            label=candidate.label,
            image=image,
            content_loss=terms["content"],
            style_loss=terms["style"],
            style_loss_per_layer=terms["style_per_layer"],
            ssim=ssim(self._content, pixels, window),
            seconds=None if result is None else result.seconds,
            peak_memory_bytes=candidate.peak_memory_bytes,
            networks=() if result is None else result.networks,
            losses=losses,
        )


def _large_enough(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Enlarge a picture of under 16 px a side to what the feature network can see."""
    height, width = pixels.shape[:2]
    return resized(pixels, max(SMALLEST_PX, height), max(SMALLEST_PX, width))


def _peak_memory_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)

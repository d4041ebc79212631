"""The pictures at every level of the pyramid, and the loss that they make there."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stylize.config import INITS, SMALLEST_PX, RefineConfig
from stylize.errors import ImageError
from stylize.images.color import with_contrast_of, with_palette_of
from stylize.images.picture import Picture
from stylize.images.resizing import resized, size_for_long_side, with_change_of, with_margin, without_margin
from stylize.losses.objective import Objective, structure_of
from stylize.losses.saliency import at_size
from stylize.losses.targets import StyleTargets, Targets
from stylize.networks.backend import Array, array_of, numpy_of, ops
from stylize.networks.loaded import SizedCache
from stylize.networks.store import LocalWeights
from stylize.networks.vgg import content_layers_under
from stylize.optimize.checkpoint import LEVEL_START
from stylize.optimize.history import LossTerms
from stylize.optimize.run import LevelLoss, LossAt
from stylize.transfer.inputs import Inputs
from stylize.transfer.session import Session
from stylize.transfer.tiling import Tiling

__all__ = [
    "LevelPictures",
    "LevelStyle",
    "level_losses",
    "make_objective",
    "photo_to_paint",
    "picture_pyramid",
    "style_at",
]


# At smaller sizes, places that look like the style's lay out the style's own objects: a river became a cypress, a
# parrot's breast a flower bed. Places alone must begin earlier.
_PLACES_FROM_PX = 512


@dataclass(frozen=True, eq=False)
class LevelStyle:
    """A style at one level.

    Attributes:
        sha256: of the picture, or None where its colours were moved.
        pixels: (1, h, w, 3), sRGB in [0, 1].
        weight: the weights of a region's styles sum to 1.
    """

    sha256: str | None
    pixels: NDArray[np.float32]
    weight: float


@dataclass(frozen=True, eq=False)
class LevelPictures:
    """All pictures at the size (h, w) of one level.

    Attributes:
        photo: the content, (h, w, 3), as `photo_to_paint` returns it.
        content: what the content loss compares with: the photo, or the photo in the colours of the styles.
        masks: each region's mask, (R, h, w), or None.
        styles: the styles of each region.
        start: what the content loss compares with in place of `content`, (1, h, w, 3).
    """

    photo: NDArray[np.float32]
    content: NDArray[np.float32]
    masks: NDArray[np.float32] | None
    styles: Sequence[Sequence[LevelStyle]]
    start: NDArray[np.float32] | None = None

    def with_margin(self, margin_px: int) -> LevelPictures:
        """Return the pictures with photo, content and masks continued beyond the border."""
        photo = with_margin(self.photo, margin_px)
        return dataclasses.replace(
            self,
            photo=photo,
            content=photo if self.content is self.photo else with_margin(self.content, margin_px),
            masks=None if self.masks is None else with_margin(self.masks, margin_px, axis=1),
        )


def make_objective(config: RefineConfig, features: LocalWeights, session: Session) -> Objective:
    """Return the objective that a config describes, under a feature network."""
    content_layers = config.loss.content_layers
    if config.loss.normalization == "relative":
        content_layers = content_layers_under(features.name, content_layers)
    loss = dataclasses.replace(config.loss, content_layers=content_layers)
    padding = "edge" if config.padding == "mirror" else config.padding
    encoder = session.loaded.encoder(
        features, loss.layers, pooling=config.pooling, precision=config.precision, padding=padding
    )
    smoothing = config.loss.total_variation_weight * encoder.grain * config.strength
    loss = dataclasses.replace(loss, total_variation_weight=smoothing)
    structure = structure_of(loss)
    shared = session.loaded.keep("objective", (encoder, structure), lambda: Objective(encoder, structure))
    return shared.with_weights(loss)


def photo_to_paint(inputs: Inputs, config: RefineConfig) -> NDArray[np.float32]:
    """Return the content (H, W, 3), with less contrast where its contrast is far from that of the styles.

    A page of black letters has fifty times the variance of a grey wall: no stone of the wall would show beside them.
    """
    photo, limit = inputs.content_pixels, config.loss.contrast_limit
    if not limit or config.keep_colors == "histogram":  # Then the styles have the contrast of the photo.
        return photo
    regions = inputs.region_styles(config.keep_colors, max(inputs.size))
    lowered = functools.partial(with_contrast_of, limit=limit, luma=config.keep_colors == "luminance")
    return _changed(photo, inputs, regions, config.strength, lowered)


def picture_pyramid(
    inputs: Inputs, config: RefineConfig, sizes: Sequence[tuple[int, int]], photo: NDArray[np.float32]
) -> list[LevelPictures]:
    """Resize content, styles and masks for every level, once.

    Args:
        inputs: the pictures of the run.
        config: tells sizes and colours of the styles, and whether the content is recoloured.
        sizes: height and width of each level, coarse to fine.
        photo: of `photo_to_paint`.
    """
    regions = inputs.region_styles(config.keep_colors, round(max(inputs.size) * max(1, config.style_scale)))
    content = photo
    if config.recolor and config.keep_colors != "luminance":
        content = _changed(photo, inputs, regions, config.strength, with_palette_of)
    pyramid = []
    for height, width in sizes:
        photo_here = _at(photo, height, width)
        long_side_px = max(height, width) * config.style_scale
        pyramid.append(
            LevelPictures(
                photo=photo_here,
                content=photo_here if content is photo else _at(content, height, width),
                masks=inputs.masks_at(height, width),
                styles=[
                    [LevelStyle(style.sha256, style_at(style, long_side_px), weight) for style, weight in styles]
                    for styles in regions
                ],
            )
        )
    return pyramid


def _changed(
    photo: NDArray[np.float32],
    inputs: Inputs,
    regions: Sequence[Sequence[tuple[Picture, float]]],
    strength: float,
    change: Callable[..., NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Return the photo as `change` makes it of photo, styles and `within`: the mask of each region."""
    masks = inputs.masks_at(*inputs.size)
    changed = [
        change(photo, [(style.pixels, weight * strength) for style, weight in styles], within=within)
        for styles, within in zip(regions, [None] if masks is None else masks, strict=True)
    ]
    if inputs.masks is None or all(each is photo for each in changed):
        return changed[0]
    # Grey masks blend the result, and the result only: here all that is painted is changed in full.
    return inputs.masks.composite(photo, changed, grey=False)


def _at(pixels: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    # Not copied at its own size: a picture of 12 megapixels takes 150 MB.
    return pixels if pixels.shape[:2] == (height, width) else resized(pixels, height, width)


def style_at(style: Picture, long_side_px: float) -> NDArray[np.float32]:
    """Return a style as (1, h, w, 3) with a long side of `long_side_px`, or its own where that is smaller.

    A style is never enlarged: an enlarged style has no fine strokes, and the output would be blurred to match it.
    """
    long_side_px = min(round(long_side_px), max(style.height, style.width))
    height, width = size_for_long_side(style.height, style.width, max(1, long_side_px))
    return resized(style.pixels, max(SMALLEST_PX, height), max(SMALLEST_PX, width))[None]


def level_losses(
    pyramid: Sequence[LevelPictures], config: RefineConfig, objective: Objective, tiling: Tiling, cache: SizedCache
) -> LossAt:
    """Return a function that gives the loss of a level, by its index; the level's targets are made on that call.

    Args:
        pyramid: the pictures of each level.
        config: its strength, if below 1, blends the targets with the style that the content itself has, region by
            region; its `content_range_px` tells how levels compare the content; losses are of pictures with its margin.
        objective: the total loss.
        tiling: the tiles in which a step fits into the memory.
        cache: keeps the targets of styles.
    """

    # Once: all levels are the same picture to the network, which looks at 256 px.
    @functools.cache
    def saliency() -> NDArray[np.float32]:
        return objective.targets.saliency(pyramid[-1].content[None])

    starts = _Starts(config.margin_px)

    def loss_at(
        index: int, first: NDArray[np.float32], state: Mapping[str, NDArray[np.float32]] | None = None
    ) -> LevelLoss:
        pictures = pyramid[index].with_margin(config.margin_px)
        here = with_margin(at_size(saliency(), *pyramid[index].photo.shape[:2]), config.margin_px)
        long_side_px, kept = max(pyramid[index].photo.shape[:2]), dict[str, NDArray[np.float32]]()
        # Without masks the photo is not kept: with a margin, the photo is a copy.
        free, photo = None, None
        if pictures.masks is not None:
            free, photo = array_of(np.max(pictures.masks, axis=0)[..., None] > 0), array_of(pictures.photo)

        def seen(pixels: Array) -> Array:
            # Outside the masks stays the photo: the painted part is to fit to it at the border.
            return array_of(pixels) if free is None else ops.where(free > 0, pixels, photo)

        smallest_px, largest_px = config.loss.content_range_px
        # The first level may begin with noise, or with a preview.
        if (index or config.init not in INITS) and long_side_px > largest_px:
            if state is None:
                start = starts.at(pyramid[index].photo, first, seen)
            else:
                start = starts.keep(pyramid[index].photo, _kept_start(state, pictures.photo.shape))
            kept[LEVEL_START] = start
            pictures = dataclasses.replace(pictures, start=start[None])
        targets = tiling.within(lambda tile_px: _targets(pictures, here, config.strength, objective, cache, tile_px))
        # The last level is in full at any size.
        is_last = index == len(pyramid) - 1
        if long_side_px < smallest_px and not is_last:
            targets = targets.with_content_times(smallest_px / long_side_px)
        if long_side_px < _PLACES_FROM_PX and not is_last and objective.has_statistics:
            targets = targets.without_places()
        else:
            if state is None:
                prices = tiling.within(lambda tile_px: objective.targets.prices(targets, seen(first)[None], tile_px))
            else:
                prices = {name: each for name, each in state.items() if name != LEVEL_START}
            targets, kept = _with_prices(targets, prices), {**kept, **prices}

        def value_and_gradient(pixels: Array) -> tuple[LossTerms, Array]:
            picture = seen(pixels)[None]
            terms, gradient = tiling.within(lambda tile_px: objective.value_and_gradient(picture, targets, tile_px))
            return LossTerms(**terms), gradient[0] if free is None else gradient[0] * free

        return LevelLoss(value_and_gradient, kept)

    return loss_at


def _targets(
    pictures: LevelPictures,
    saliency: NDArray[np.float32],
    strength: float,
    objective: Objective,
    cache: SizedCache,
    tile_px: int | None,
) -> Targets:
    content, encoder = pictures.content[None], objective.targets
    regions = encoder.regions([content, *(s.pixels for styles in pictures.styles for s in styles)], pictures.masks)

    def of_style(style: LevelStyle) -> StyleTargets:
        if style.sha256 is None:
            return encoder.of_style(style.pixels, tile_px)
        key = (*encoder.style_key, style.sha256, style.pixels.shape)
        return cache.get(key, lambda: encoder.of_style(style.pixels, tile_px), lambda targets: targets.size_bytes)

    targets = [[(of_style(style), style.weight * strength) for style in styles] for styles in pictures.styles]
    if strength < 1:
        own = encoder.of_regions(pictures.photo[None], regions, tile_px)
        targets = [[*styles, (mine, 1 - strength)] for styles, mine in zip(targets, own, strict=True)]
    return encoder.join(content, targets, regions, saliency, tile_px, compared=pictures.start)


class _Starts:
    """What the large levels compare with: the picture that the first of them begins with, at the size of each."""

    def __init__(self, margin_px: int) -> None:
        self._margin_px = margin_px
        # Of the large level before, without the margin: the photo, and what this level compared with.
        self._before: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def at(
        self, photo: NDArray[np.float32], first: NDArray[np.float32], seen: Callable[[NDArray[np.float32]], Array]
    ) -> NDArray[np.float32]:
        """Return what a level of `photo` compares with, with the margin, if the level begins with `first`.

        Args:
            photo: (h, w, 3).
            first: with the margin.
            seen: puts the photo in place of what lies outside the masks.
        """
        if self._before is not None:
            # Not what these levels have painted since: from level to level, the scene would drift away.
            first = with_margin(with_change_of(photo, *self._before), self._margin_px)
        # A copy of its own: on the CPU, the array may lie in the memory of the picture that is painted.
        return self.keep(photo, np.array(numpy_of(seen(first))))

    def keep(self, photo: NDArray[np.float32], start: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return `start`, and keep it for later levels."""
        self._before = photo, without_margin(start, self._margin_px)
        return start


def _kept_start(state: Mapping[str, NDArray[np.float32]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the picture that an interrupted level compares with."""
    start = state.get(LEVEL_START)
    if start is None or start.shape != shape:
        raise _contradiction(f"start: expected {shape}, received {None if start is None else start.shape}")
    return start


def _with_prices(targets: Targets, prices: Mapping[str, NDArray[np.float32]]) -> Targets:
    try:
        return targets.with_prices(prices)
    except ValueError as error:
        raise _contradiction(error) from error


def _contradiction(what: object) -> ImageError:
    return ImageError(f"resume_from: the checkpoint contradicts itself ({what}): start a new run")

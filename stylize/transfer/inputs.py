"""The pictures of a run, read once, and what becomes of them: regions, colours, provenance."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize._version import __version__
from stylize.config import FastConfig, KeepColors, RefineConfig
from stylize.errors import OptionError
from stylize.images.color import with_colors_of, with_palette_of
from stylize.images.masks import Masks, MaskSource
from stylize.images.picture import ImageSource, Picture
from stylize.images.provenance import with_paths
from stylize.images.reading import read_image
from stylize.images.resizing import long_side_of, resized, size_for_long_side
from stylize.schema import shown
from stylize.styles import named
from stylize.transfer.results import NetworkUse
from stylize.urls import without_secrets

__all__ = ["STYLE_PX", "Inputs", "StyleSource", "WeightedStyles"]

#: A picture, several pictures, or pairs of a picture and a weight. A text such as `@swirls` names one of the project's
#: own styles.
StyleSource = ImageSource | Sequence[ImageSource] | Sequence[tuple[ImageSource, float]]
WeightedStyles = tuple[tuple[Picture, float], ...]

#: Stylizers look at a style at 256 px (short side) or at up to 512 px (long side).
STYLE_PX = 512


@dataclass(frozen=True, eq=False)
class Inputs:
    """The pictures of one run.

    Attributes:
        content: as it was read.
        styles: pictures and weights, which sum to 1.
        size: height and width of the output in px.
        content_pixels: the content at the output's size, float32 (H, W, 3) in [0, 1].
        alpha: the content's transparency at the output's size, float32 (H, W), or None.
        masks: where to paint, or None for everywhere.
    """

    content: Picture
    styles: WeightedStyles
    size: tuple[int, int]
    content_pixels: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    masks: Masks | None

    @staticmethod
    def read(
        content: ImageSource,
        style: StyleSource,
        mask: MaskSource,
        output_size: int | str,
        *,
        reduced: bool = False,
        on_message: Callable[[str], None],
    ) -> Inputs:
        """Read all pictures of a run.

        Args:
            content: the photograph.
            style: one or more styles.
            mask: no mask, one, or one for each style.
            output_size: the size of the output, see `FastConfig`.
            reduced: whether JPEGs may be decoded at a smaller size. For `fast` this takes half of the time away. A
                refinement would lose detail: decoders halve by a coarser filter than ours.
            on_message: receives what the user should know of the pictures.

        Raises:
            ImageError: a picture cannot be read or does not fit.
            OptionError: there are no styles, or weights or masks do not fit them.
        """
        enough_px = output_size if reduced and isinstance(output_size, int) else None
        picture = read_image(content, name="content", long_side_px=enough_px)
        full_size = picture.full_size or (picture.height, picture.width)
        long_side_px = long_side_of(output_size, max(full_size))
        styles = _weighted_styles(style, max(long_side_px, STYLE_PX) if reduced else None)
        size = size_for_long_side(*full_size, long_side_px)
        masks = Masks.read(mask, [weight for _, weight in styles], full_size, size)
        read = [("content", picture), *(("style", each) for each, _ in styles)]
        read += [] if masks is None else [("mask", each) for each in masks.pictures]
        for role, each in read:
            for note in each.notes:
                on_message(f"{role}: {note}")
        alpha = None if picture.alpha is None else resized(picture.alpha, *size)
        return Inputs(picture, styles, size, resized(picture.pixels, *size), alpha, masks)

    @property
    def mask_count(self) -> int:
        """How many masks there are."""
        return 0 if self.masks is None else len(self.masks.pictures)

    def masks_at(self, height: int, width: int) -> NDArray[np.float32] | None:
        """Return each region's mask, (R, height, width) in [0, 1], or None where all is painted."""
        return None if self.masks is None else self.masks.at(height, width)

    def region_styles(self, keep_colors: KeepColors, style_px: int) -> list[WeightedStyles]:
        """Return each region's styles, in the colours that they are to be painted in.

        Args:
            keep_colors: with `histogram`, the styles are moved to the colours of the content in their region.
            style_px: styles whose colours are moved get a long side of at most so many px.

        Returns:
            For each region the styles with weights that sum to 1. With several masks each region has one style.
        """
        masks = self.masks_at(*self.size)
        own_regions = masks is not None and len(masks) > 1
        regions: list[WeightedStyles] = [((style, 1.0),) for style, _ in self.styles] if own_regions else [self.styles]
        if keep_colors != "histogram":
            return regions
        photo = self.content_pixels
        palettes = [photo] if masks is None else [photo[mask >= mask.max() / 2][None] for mask in masks]
        return [
            tuple((_recolored(style, colors, style_px), weight) for style, weight in styles)
            for styles, colors in zip(regions, palettes, strict=True)
        ]

    def finished(
        self,
        photo: NDArray[np.float32],
        paintings: Sequence[NDArray[np.float32]],
        config: FastConfig | RefineConfig,
    ) -> NDArray[np.float32]:
        """Return the result: paintings in the photo's colours, if they are kept, laid over the photo through the masks.

        Args:
            photo: the content, (H, W, 3), at the size of the paintings.
            paintings: one for each region, or one for all, (H, W, 3).
            config: tells whether colours are kept.
        """
        if config.keep_colors == "luminance":
            paintings = [with_colors_of(painting, photo) for painting in paintings]
        return paintings[0] if self.masks is None else self.masks.composite(photo, paintings)

    def provenance(
        self, mode: str, config: FastConfig | RefineConfig, networks: Sequence[NetworkUse], **more: Any
    ) -> dict[str, Any]:
        """Return what the picture will carry of its making, JSON-serialisable; `more` are further entries."""
        masks = () if self.masks is None else self.masks.pictures
        if masks:
            more = {"masks": [{"path": mask.path, "sha256": mask.sha256} for mask in masks], **more}
        provenance = {
            "command": mode,
            "version": __version__,
            "content": {"path": self.content.path, "sha256": self.content.sha256},
            "styles": [{"path": style.path, "sha256": style.sha256, "weight": weight} for style, weight in self.styles],
            "options": dataclasses.asdict(config),
            "seed": getattr(config, "seed", None),
            "networks": [dataclasses.asdict(network) for network in networks],
            **more,
        }
        return dict(with_paths(provenance, without_secrets))


def _weighted_styles(style: StyleSource, long_side_px: int | None) -> WeightedStyles:
    items: Sequence[Any] = style if isinstance(style, (list, tuple)) else [style]
    if not items:
        raise OptionError("style: expected at least one picture, received none")
    given = [item if isinstance(item, tuple) else (item, 1.0) for item in items]
    for pair in given:
        if len(pair) != 2 or not isinstance(pair[1], Real):
            raise OptionError(f"style: expected pairs of a picture and a weight, received {shown(pair)}")
    pairs = [(source, float(weight)) for source, weight in given]
    total = sum(weight for _, weight in pairs)
    if not (all(weight >= 0 for _, weight in pairs) and 0 < total < float("inf")):
        raise OptionError(
            f"style: expected weights of 0 or more, not all 0; received {[weight for _, weight in pairs]}"
        )
    pictures = (read_image(named(source), name="style", long_side_px=long_side_px) for source, _ in pairs)
    return tuple((picture, weight / total) for picture, (_, weight) in zip(pictures, pairs, strict=True))


def _recolored(style: Picture, colors: NDArray[np.float32], long_side_px: int) -> Picture:
    """Return a style moved to the mean and covariance of `colors`, (h, w, 3)."""
    size = size_for_long_side(style.height, style.width, min(long_side_px, max(style.height, style.width)))
    return Picture(with_palette_of(resized(style.pixels, *size), [(colors, 1.0)]))

"""The pictures of a run, read once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from stylize._version import __version__
from stylize.config import (
    FastConfig,
    KeepColors,
    RefineConfig,
)
from stylize.errors import OptionError
from stylize.images.color import with_colors_of, with_palette_of
from stylize.images.masks import Masks, MaskSource
from stylize.images.picture import ImageSource, Picture
from stylize.images.reading import read_image
from stylize.images.resizing import resized, size_for_long_side
from stylize.networks import registry
from stylize.networks.loaded import Networks, OnDownload, OnMessage
from stylize.networks.store import LocalWeights
from stylize.transfer.results import NetworkUse

if TYPE_CHECKING:
    from stylize.losses.objective import PerceptualLoss
    from stylize.transfer.memory import Tiling

__all__ = ["STYLE_PX", "Inputs", "StyleSource", "Surroundings"]

StyleSource = ImageSource | Sequence[ImageSource] | Sequence[tuple[ImageSource, float]]


@dataclass(frozen=True, eq=False)
class Inputs:
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
        surroundings: Surroundings,
        *,
        reduced: bool = False,
    ) -> Inputs:
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
        return Inputs(picture, styles, size, resized(picture.pixels, *size), alpha, masks)

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

    def provenance(self, mode: str, config: Any, networks: Sequence[NetworkUse], **more: Any) -> dict[str, Any]:
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


class Surroundings:
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

    def network(self, name: str, role: registry.Role) -> LocalWeights:
        """Return a network's files."""
        return self.networks.find(name, role, offline=self._offline, on_message=self.say, on_download=self._on_download)

    def tiling(self, loss: PerceptualLoss, inputs: Inputs, optimizer: str | None = None) -> Tiling:
        """Return the tiles in which the output fits into the memory, or with `optimizer` its optimisation.

        Raises OptionError if an optimisation does not fit: what is painted is not lost for want of a score.
        """
        from stylize.transfer.memory import Tiling

        return Tiling(loss, inputs.size, self._memory_gb, self.say, inputs.mask_count, optimizer)

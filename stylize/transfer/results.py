"""What `fast`, `refine` and `compare` return."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from stylize._version import __version__
from stylize.config import (
    FastConfig,
    RefineConfig,
)
from stylize.images.picture import Picture
from stylize.images.writing import write_image
from stylize.networks.store import LocalWeights
from stylize.optimize.checkpoint import Checkpoint
from stylize.optimize.progress import HistoryEntry, LossTerms
from stylize.optimize.pyramid import PyramidLevel

if TYPE_CHECKING:
    pass

__all__ = ["Comparison", "NetworkUse", "Scored", "TransferResult", "network_use"]


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
    provenance: Mapping[str, Any]
    """JSON-serialisable: command, options, inputs with hashes, networks, version, seed. Enough to run it again."""
    history: tuple[HistoryEntry, ...] = ()
    stopped: str | None = None
    """`interrupted` if should_stop ended it; then `checkpoint` says where to go on."""
    checkpoint: Checkpoint | None = None
    levels: tuple[PyramidLevel, ...] = ()
    """The sizes that the refinement went through, coarse to fine."""

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the picture, its provenance inside; the suffix chooses the format. Raises ImageError."""
        write_image(path, self.image, self.alpha, provenance=self.provenance, overwrite=overwrite)


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


def network_use(found: LocalWeights) -> NetworkUse:
    return NetworkUse(found.name, found.origin, dict(found.sha256))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(cast(Any, value))
    return dict(value) if isinstance(value, Mapping) else value

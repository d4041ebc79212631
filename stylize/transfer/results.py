"""What `fast`, `refine` and `compare` return."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from stylize._version import __version__
from stylize.config import FastConfig, RefineConfig
from stylize.images.metadata import NO_METADATA, Metadata
from stylize.images.picture import Picture
from stylize.images.resizing import resized, size_for_long_side
from stylize.images.writing import encode, write_image
from stylize.output import DEFAULT_OUTPUT, OutputConfig
from stylize.text import duration

if TYPE_CHECKING:  # `fast` starts without the modules of the optimisation.
    from stylize.networks.store import LocalWeights
    from stylize.optimize.checkpoint import Checkpoint
    from stylize.optimize.history import HistoryEntry, LossTerms
    from stylize.optimize.pyramid import PyramidLevel

__all__ = ["Comparison", "NetworkUse", "Scored", "TransferResult", "with_sources"]


@dataclass(frozen=True)
class NetworkUse:
    """A network that a picture was painted or scored with.

    Attributes:
        name: of the registry.
        origin: embedded, added or downloaded.
        sha256: hashes of the files, by name.
    """

    name: str
    origin: str
    sha256: Mapping[str, str]

    @staticmethod
    def of(found: LocalWeights) -> NetworkUse:
        """Return the use of a network whose files were found."""
        return NetworkUse(found.name, found.origin, dict(found.sha256))


@dataclass(frozen=True, eq=False)
class TransferResult:
    """What `fast` and `refine` return; a notebook shows the picture.

    Attributes:
        mode: `fast` or `refine`.
        image: float32 (H, W, 3), sRGB in [0, 1]; the long side is the size asked for.
        alpha: the content's transparency at the output's size, float32 (H, W) in [0, 1], or None.
        config: the options.
        networks: the networks that were used.
        seconds: of the whole call.
        provenance: JSON-serialisable: command, options, inputs with hashes, networks, version, seed. Enough to make
            the picture again.
        history: the losses of every step.
        stopped: `interrupted` where `should_stop` ended the run.
        checkpoint: where an interrupted run can go on.
        levels: the sizes that the refinement planned, coarse to fine; a time budget may end before the last one.
        metadata: what the content's file says beside its pixels.
    """

    mode: str
    image: NDArray[np.float32]
    alpha: NDArray[np.float32] | None
    config: FastConfig | RefineConfig
    networks: tuple[NetworkUse, ...]
    seconds: float
    provenance: Mapping[str, Any]
    history: tuple[HistoryEntry, ...] = ()
    stopped: str | None = None
    checkpoint: Checkpoint | None = None
    levels: tuple[PyramidLevel, ...] = ()
    metadata: Metadata = NO_METADATA

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        quality: int | None = None,
        bit_depth: int = 8,
        metadata: Literal["safe", "all", "none"] = "safe",
        provenance: bool = True,
    ) -> None:
        """Write the picture.

        Args:
            path: where to write; the suffix chooses the format.
            overwrite: whether an existing file may be replaced.
            quality: of JPEG, WebP and AVIF, 1 to 100; 95 if None, for AVIF 90.
            bit_depth: 8 or 16; PNG and TIFF hold 16.
            metadata: what is kept of what the content's file says. `safe`: resolution, author, copyright and capture
                date. `all`: all of EXIF and the texts, but never places and serial numbers. `none`: nothing.
            provenance: whether the file carries how the picture was made.

        Raises:
            ImageError: the file cannot be written.
            OptionError: an option has no meaning, or none for this format.
        """
        output = OutputConfig(quality, bit_depth, metadata, provenance)
        write_image(
            path, self.image, self.alpha,
            provenance=self.provenance, metadata=self.metadata, output=output, overwrite=overwrite,
        )  # fmt: skip

    def encode(self, suffix: str, output: OutputConfig = DEFAULT_OUTPUT) -> bytes:
        """Return the bytes of the picture's file. Raises ImageError or OptionError, as `save`.

        Args:
            suffix: of the format, such as png.
            output: how to write.
        """
        return encode(self.image, suffix, self.alpha, provenance=self.provenance, metadata=self.metadata, output=output)

    def _repr_png_(self) -> bytes:
        """Show the picture in a notebook."""
        return encode(self.image, "png", self.alpha)


def with_sources(result: TransferResult, sources: Mapping[str, str]) -> TransferResult:
    """Return the result with a provenance that says where options come from.

    Args:
        result: of `fast` or `refine`.
        sources: where each option comes from which is not a default, by name. Options of another method are left out.
    """
    fields = dataclasses.asdict(result.config)
    parts = [part.items() for part in (fields, *fields.values()) if isinstance(part, dict)]
    # None: a default that another option replaces, such as a time budget beside given steps.
    names = {name for part in parts for name, value in part if value is not None}
    if result.mode == "refine":
        names |= {"preset", "memory_gb", "backend", "device"}
    kept = {name: source for name, source in sources.items() if name in names}
    return dataclasses.replace(result, provenance={**result.provenance, "sources": kept}) if kept else result


@dataclass(frozen=True, eq=False)
class Scored:
    """A picture and its scores: relative losses in float32 (see `PerceptualLossConfig`), and SSIM.

    Attributes:
        label: fast, refined, or the name of a finished picture.
        image: float32 (H, W, 3), sRGB in [0, 1].
        content_loss: at relu4_2.
        style_loss: the mean over relu1_1 to relu5_1.
        style_loss_per_layer: by layer.
        ssim: structural similarity to the content (Wang et al. 2004).
        seconds: that the picture took; None for a finished picture.
        peak_memory_bytes: the most memory that the process had taken when the picture was done.
        networks: that painted the picture.
        losses: under the loss that the refinement minimised, at the output's size, with its margin, before the photo's
            colours come back; above `content_range_px`, content is that of the photo. None for a finished picture, and
            with a strength of 0.
    """

    label: str
    image: NDArray[np.float32]
    content_loss: float
    style_loss: float
    style_loss_per_layer: Mapping[str, float]
    ssim: float
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    networks: tuple[NetworkUse, ...] = ()
    losses: LossTerms | None = None


# Long side of the pictures that a notebook shows side by side, in px.
_NOTEBOOK_PX = 384


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` returns; a notebook shows the pictures side by side, with their scores.

    Attributes:
        content: at the output's size.
        styles: pictures and weights.
        features: the network that all pictures are scored under.
        scores: the pictures and their scores.
        results: of fast and refine; empty where finished pictures were scored.
    """

    content: Picture
    styles: tuple[tuple[Picture, float], ...]
    features: NetworkUse
    scores: tuple[Scored, ...]
    results: tuple[TransferResult, ...] = ()

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
                    field.name: _as_json(getattr(score, field.name))
                    for field in dataclasses.fields(Scored)
                    if field.name != "image"
                }
                for score in self.scores
            ],
        }

    def _repr_html_(self) -> str:
        """Show the pictures in a notebook."""
        alpha = self.content.alpha
        shown = [_figure("content", self.content, "")]
        for score in self.scores:
            seconds = "" if score.seconds is None else f"{duration(score.seconds)}, "
            numbers = f"{seconds}style {score.style_loss:.3f}, content {score.content_loss:.3f}, SSIM {score.ssim:.3f}"
            shown.append(_figure(score.label, Picture(score.image, alpha), numbers))
        return f'<div style="display: flex; flex-wrap: wrap; gap: 1em">{"".join(shown)}</div>'


def _figure(label: str, picture: Picture, numbers: str) -> str:
    import base64
    import html

    long_side_px = min(_NOTEBOOK_PX, max(picture.height, picture.width))
    small = resized(picture, *size_for_long_side(picture.height, picture.width, long_side_px))
    data = base64.b64encode(encode(small.pixels, "jpg", small.alpha)).decode()
    name = html.escape(label)
    image = f'<img alt="{name}" src="data:image/jpeg;base64,{data}">'
    return f'<figure style="margin: 0">{image}<figcaption><b>{name}</b><br>{numbers}</figcaption></figure>'


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_as_json(item) for item in value]
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(cast(Any, value))
    return dict(value) if isinstance(value, Mapping) else value

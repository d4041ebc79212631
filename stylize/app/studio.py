"""Where the page's pictures are made: uploads read within limits, previews, refinements in the queue. No Streamlit."""

from __future__ import annotations

import dataclasses
import functools
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePath

import numpy as np
from PIL import Image

from stylize.api import fast, refine
from stylize.app.queue import Job, Queue
from stylize.config import AppConfig, FastConfig, RefineConfig
from stylize.images.picture import Picture
from stylize.images.reading import read_image
from stylize.images.resizing import resized, size_for_long_side
from stylize.images.writing import encode
from stylize.networks import registry, store
from stylize.networks.loaded import LoadedNetworks
from stylize.optimize.progress import HistoryEntry, Iterate
from stylize.reports.film import Film
from stylize.reports.html import slider
from stylize.transfer import results

__all__ = ["MOST_PX", "Painted", "Progress", "Studio", "examples", "for_eyes", "name_of", "thumbnail"]

#: The largest long side that the page paints, px; uploads are kept no larger, as many visitors share the memory.
MOST_PX = 1024
_THUMBNAIL_PX = 240
_LOOK_S = 0.1

Styles = Sequence[tuple[Picture, float]]


@dataclass(frozen=True, eq=False)
class Progress:
    """A refinement on its way."""

    step: int
    steps: int | None
    remaining_s: float
    picture: np.ndarray
    """Float32 (H, W, 3) in [0, 1], of the output's size: the levels' are small at first."""
    history: Sequence[HistoryEntry]


@dataclass(frozen=True, eq=False)
class Painted:
    """A finished refinement, as the files that its visitor may take home."""

    name: str
    """Of the files, without suffix."""
    picture: bytes
    """PNG, the provenance inside."""
    film: bytes
    """WebP."""
    provenance: str
    """JSON."""
    slider: str
    """HTML that shows any two of photo, preview and refined picture."""
    thumbnail: bytes
    config: RefineConfig
    preset_name: str
    history: tuple[HistoryEntry, ...]
    seconds: float
    stopped: bool


class Studio:
    """What all visitors share: networks that stay loaded, and the queue. Nobody's pictures."""

    def __init__(
        self,
        config: AppConfig | None = None,
        networks: LoadedNetworks | None = None,
        present: Callable[[str], bool] = lambda visitor: True,
    ) -> None:
        self.config = config or AppConfig()
        self._networks = networks or LoadedNetworks(cache_to_disk=False)
        self.queue = Queue(
            self.config.max_refinements, self.config.max_queue, present=present, grace_s=self.config.grace_s
        )

    def read(self, data: bytes, name: str) -> Picture:
        """Decode an upload, shrunk to `MOST_PX`; of its name only the last part is kept. Raises ImageError."""
        name = PurePath(name.replace("\\", "/")).name or "picture"
        picture = read_image(data, name=name, long_side_px=MOST_PX, max_pixels=self.config.max_megapixels * 10**6)
        size = picture.height, picture.width
        if max(size) > MOST_PX:
            small = resized(picture, *size_for_long_side(*size, MOST_PX))
            picture = dataclasses.replace(small, full_size=picture.full_size or size)
        return dataclasses.replace(picture, path=name)

    def feature_networks(self) -> list[str]:
        """Return the names that a visitor may choose among: auto, and what is on this machine."""
        names = [spec.name for spec in registry.REGISTRY.values() if spec.role == "features"]
        return ["auto", *(name for name in names if store.find(name) is not None)]

    def preview(self, content: Picture, styles: Styles, config: FastConfig) -> results.TransferResult:
        """Paint at once. Raises StylizeError."""
        return fast(content, list(styles), config=config, loaded=self._networks, offline=True)

    def refine(
        self, visitor: str, content: Picture, styles: Styles, config: RefineConfig, preset: str = "default"
    ) -> Job:
        """Put a refinement in line; its `progress` is a `Progress`, its `result` a `Painted`.

        `preset` is the name that `config` goes by. The result is None if it was stopped before the first step.
        Raises StylizeError as `Queue.submit`.
        """
        return self.queue.submit(visitor, lambda job: self._refine(job, content, styles, config, preset))

    def _refine(self, job: Job, content: Picture, styles: Styles, config: RefineConfig, preset: str) -> Painted | None:
        preview = self.preview(content, styles, config.preview)
        film = Film()
        history: list[HistoryEntry] = []

        looked_s = -_LOOK_S

        def on_iterate(it: Iterate) -> None:
            nonlocal looked_s
            history.append(HistoryEntry(it.level, it.step, it.elapsed_s, it.losses))
            # Small pictures step quicker than anybody looks, and the machine is also for the others.
            if it.elapsed_s - looked_s >= _LOOK_S or it.step == it.steps:
                looked_s = it.elapsed_s
                film.add(it.pixels, step=it.step, elapsed_s=it.elapsed_s)
                picture = resized(it.pixels, *preview.image.shape[:2])
                job.progress = Progress(it.step, it.steps, it.remaining_s, picture, history)

        result = refine(
            content, list(styles), config=config, loaded=self._networks, offline=True, on_start=film.add,
            on_iterate=on_iterate, should_stop=job.should_stop,
        )  # fmt: skip
        if not history:
            return None
        film.add(result.image, step=len(history), elapsed_s=result.seconds)
        size, alpha = result.image.shape[:2], result.alpha
        views = (("Photo", content.pixels), ("Preview", preview.image), ("Refined", result.image))
        return Painted(
            name=name_of(result),
            picture=encode(result.image, "png", alpha, provenance=result.provenance),
            film=film.encode(".webp", alpha=alpha),
            provenance=json.dumps(result.provenance, indent=1),
            slider=slider([(name, Picture(resized(pixels, *size), alpha)) for name, pixels in views], left=1),
            thumbnail=thumbnail(result.image),
            config=config,
            preset_name=preset,
            history=result.history,
            seconds=result.seconds,
            stopped=result.stopped is not None,
        )


def name_of(result: results.TransferResult) -> str:
    """Return what the command line would call the picture, without suffix: photo-painting-fast."""
    content, styles = result.provenance["content"], result.provenance["styles"]
    stems = [PurePath(picture["path"]).stem for picture in (content, *styles)]
    return f"{stems[0]}-{'+'.join(stems[1:])}-{result.mode}"


def for_eyes(pixels: np.ndarray, alpha: np.ndarray | None = None, quality: int = 90) -> bytes:
    """Return a JPEG to look at; white stands behind what is transparent."""
    seen = pixels if alpha is None else pixels * alpha[..., None] + (1 - alpha[..., None])
    buffer = io.BytesIO()
    Image.fromarray(np.rint(seen * 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def thumbnail(pixels: np.ndarray) -> bytes:
    """Return a small JPEG."""
    height, width = pixels.shape[:2]
    size = size_for_long_side(height, width, min(_THUMBNAIL_PX, max(height, width)))
    return for_eyes(resized(pixels, *size), quality=80)


@functools.cache
def examples(kind: str) -> Mapping[str, tuple[Picture, bytes]]:
    """Return the project's own pictures of a kind, scene or style: label to picture and thumbnail."""
    found = {}
    for file in sorted(resources.files("stylize.examples").iterdir(), key=lambda file: file.name):
        if file.name.startswith(f"{kind}_") and file.name.endswith(".jpg"):
            picture = dataclasses.replace(read_image(file.read_bytes()), path=file.name)
            label = file.name.removeprefix(f"{kind}_").removesuffix(".jpg").replace("_", " ").capitalize()
            found[label] = (picture, thumbnail(picture.pixels))
    return found

"""Makes the pictures of the page: reads uploads within limits, paints previews, queues refinements. No Streamlit."""

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
from stylize.app.queue import Queue, QueuedRun
from stylize.config import AppConfig, FastConfig, RefineConfig
from stylize.images.picture import Picture
from stylize.images.reading import read_image
from stylize.images.resizing import resized, size_for_long_side
from stylize.networks import registry, store
from stylize.networks.loaded import LoadedNetworks
from stylize.optimize.history import HistoryEntry
from stylize.optimize.iterate import Iterate
from stylize.reports.film import Film
from stylize.reports.html import slider
from stylize.styles import is_name, style_stem
from stylize.transfer.results import TransferResult

__all__ = [
    "MAX_SIZE_PX",
    "Painted",
    "Progress",
    "Studio",
    "WeightedStyles",
    "example_pictures",
    "file_stem",
    "preview_jpeg",
    "thumbnail",
]

#: The largest long side that the page paints, px. Larger uploads are shrunk, because many visitors share the memory.
MAX_SIZE_PX = 1024
_THUMBNAIL_PX = 240
#: The shortest time between two updates of a run's progress. On small levels a step takes less time than an update.
_UPDATE_S = 0.1

#: Pictures and their weights.
WeightedStyles = Sequence[tuple[Picture, float]]


@dataclass(frozen=True, eq=False)
class Progress:
    """The state of a refinement that has begun.

    Attributes:
        step: from 1.
        steps: of all levels.
        remaining_s: an estimate.
        picture: enlarged to the output's size.
        history: all steps so far.
        sizes_px: the long side of each level so far, coarse to fine.
    """

    step: int
    steps: int
    remaining_s: float
    picture: Picture
    history: tuple[HistoryEntry, ...]
    sizes_px: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Painted:
    """A finished refinement, as files for its visitor to download.

    Attributes:
        name: of the files, without suffix.
        picture: PNG with the provenance inside.
        film: WebP.
        provenance: JSON.
        slider: HTML that shows any two of photo, preview and refined picture.
        thumbnail: JPEG.
        config: of the refinement.
        preset_name: the name of the preset in `config`.
        history: all steps.
        sizes_px: the long side of each level, coarse to fine.
        seconds: that the refinement took.
        stopped: whether the visitor stopped it.
        messages: what the visitor should know, one line each.
    """

    name: str
    picture: bytes
    film: bytes
    provenance: str
    slider: str
    thumbnail: bytes
    config: RefineConfig
    preset_name: str
    history: tuple[HistoryEntry, ...]
    sizes_px: tuple[int, ...]
    seconds: float
    stopped: bool
    messages: tuple[str, ...]


class Studio:
    """What all visitors share: the loaded networks and the queue.

    A studio keeps no visitor's pictures. What the networks computed from the last ones may stay in memory until the
    server ends: what describes a style, and how a photo differs from its painting.

    Args:
        config: address and limits.
        networks: stay loaded.
        is_connected: whether a visitor is connected now.
    """

    def __init__(
        self,
        config: AppConfig | None = None,
        networks: LoadedNetworks | None = None,
        is_connected: Callable[[str], bool] = lambda visitor: True,
    ) -> None:
        self.config = config or AppConfig()
        self._networks = networks or LoadedNetworks(cache_to_disk=False)
        self.queue = Queue(
            self.config.max_refinements, self.config.max_queue, is_connected=is_connected, grace_s=self.config.grace_s
        )

    def read(self, data: bytes, name: str) -> Picture:
        """Decode an upload and shrink it to `MAX_SIZE_PX`.

        Args:
            data: the file's bytes.
            name: only the last part of the path is kept.

        Raises:
            ImageError: the upload is not a picture, is damaged, or is larger than the limits.
        """
        name = PurePath(name.replace("\\", "/")).name or "picture"
        limit = self.config.max_megapixels * 10**6
        picture = read_image(data, name=name, long_side_px=MAX_SIZE_PX, max_pixels=limit)
        size = picture.height, picture.width
        if max(size) > MAX_SIZE_PX:
            small = resized(picture, *size_for_long_side(*size, MAX_SIZE_PX))
            picture = dataclasses.replace(small, full_size=picture.full_size or size)
        # A file, whatever its name: `@swirls` alone would be the name of one of our styles.
        return dataclasses.replace(picture, path=f"./{name}" if is_name(name) else name)

    def feature_networks(self) -> list[str]:
        """Return the names that a visitor may choose from: auto, and the feature networks on this machine."""
        names = [spec.name for spec in registry.REGISTRY.values() if spec.role == "features"]
        return ["auto", *(name for name in names if store.find(name) is not None)]

    def preview(
        self,
        content: Picture,
        styles: WeightedStyles,
        config: FastConfig,
        on_message: Callable[[str], None] | None = None,
    ) -> TransferResult:
        """Paint a preview at once; `on_message` receives what the visitor should know, one line a call.

        Raises:
            StylizeError: the preview cannot be painted.
        """
        return fast(content, list(styles), config=config, loaded=self._networks, offline=True, on_message=on_message)

    def refine(
        self, visitor: str, content: Picture, styles: WeightedStyles, config: RefineConfig, preset: str = "default"
    ) -> QueuedRun:
        """Queue a refinement.

        Args:
            visitor: the visitor's name.
            content: the photo.
            styles: at least one.
            config: of the refinement.
            preset: the name of the preset in `config`.

        Returns:
            A run whose `progress` is a `Progress` and whose `result` is a `Painted`, or None if the run was stopped
            before the first step.

        Raises:
            StylizeError: the queue refuses the run.
        """
        return self.queue.submit(visitor, lambda run: self._refine(run, content, styles, config, preset))

    def _refine(
        self, run: QueuedRun, content: Picture, styles: WeightedStyles, config: RefineConfig, preset: str
    ) -> Painted | None:
        # The refinement would say the same again, after it had measured for a second how long it will take.
        messages: list[str] = []
        preview = self.preview(content, styles, config.preview, messages.append)
        film = Film()
        history: list[HistoryEntry] = []
        sizes_px: dict[int, int] = {}
        updated_s = -_UPDATE_S

        def on_iterate(it: Iterate) -> None:
            nonlocal updated_s
            assert it.steps is not None  # the page sets no time budget
            history.append(HistoryEntry(it.level, it.step, it.elapsed_s, it.losses))
            sizes_px[it.level] = max(it.size)
            if it.elapsed_s - updated_s >= _UPDATE_S or it.step == it.steps:
                updated_s = it.elapsed_s
                film.add(it.pixels, step=it.step, elapsed_s=it.elapsed_s)
                picture = Picture(resized(it.pixels, *preview.image.shape[:2]), preview.alpha)
                sizes = tuple(sizes_px.values())
                run.progress = Progress(it.step, it.steps, it.remaining_s, picture, tuple(history), sizes)

        result = refine(
            content, list(styles), config=config, loaded=self._networks, offline=True, on_start=film.add,
            on_iterate=on_iterate, should_stop=run.should_stop,
        )  # fmt: skip
        if not history:
            return None
        film.add(result.image, step=len(history), elapsed_s=result.seconds)
        return _painted(content, preview, result, film, preset, messages)


def _painted(
    content: Picture, preview: TransferResult, result: TransferResult, film: Film, preset: str, messages: Sequence[str]
) -> Painted:
    assert isinstance(result.config, RefineConfig)
    size, alpha = result.image.shape[:2], result.alpha
    views = (("Photo", content.pixels), ("Preview", preview.image), ("Refined", result.image))
    return Painted(
        name=file_stem(result),
        picture=result.encode("png"),
        film=film.encode(".webp", alpha=alpha),
        provenance=json.dumps(result.provenance, indent=1),
        slider=slider([(name, Picture(resized(pixels, *size), alpha)) for name, pixels in views], left=1),
        thumbnail=thumbnail(Picture(result.image, alpha)),
        config=result.config,
        preset_name=preset,
        history=result.history,
        sizes_px=tuple(level.long_side_px for level in result.levels),
        seconds=result.seconds,
        stopped=result.stopped is not None,
        messages=tuple(messages),
    )


def file_stem(result: TransferResult) -> str:
    """Return the command line's name for the picture without suffix: photo-painting-fast."""
    content, styles = result.provenance["content"], result.provenance["styles"]
    stems = "+".join(style_stem(style["path"]) for style in styles)
    return f"{PurePath(content['path']).stem}-{stems}-{result.mode}"


def preview_jpeg(picture: Picture, quality: int = 90) -> bytes:
    """Return the picture as a JPEG file for the screen, of quality 1 to 95; transparent parts become white."""
    pixels, alpha = picture.pixels, picture.alpha
    seen = pixels if alpha is None else pixels * alpha[..., None] + (1 - alpha[..., None])
    buffer = io.BytesIO()
    Image.fromarray(np.rint(seen * 255).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def thumbnail(picture: Picture) -> bytes:
    """Return a small JPEG of a picture."""
    long_side_px = min(_THUMBNAIL_PX, max(picture.height, picture.width))
    small = resized(picture, *size_for_long_side(picture.height, picture.width, long_side_px))
    return preview_jpeg(small, quality=80)


@functools.cache
def example_pictures(kind: str) -> Mapping[str, tuple[Picture, bytes]]:
    """Return the project's example pictures.

    Args:
        kind: `scene` or `style`.

    Returns:
        Label to picture and thumbnail.
    """
    found = {}
    for file in sorted(resources.files("stylize.examples").iterdir(), key=lambda file: file.name):
        if file.name.startswith(f"{kind}_") and file.name.endswith(".jpg"):
            name = file.name.removeprefix(f"{kind}_").removesuffix(".jpg")
            path = f"@{name}" if kind == "style" else file.name
            picture = dataclasses.replace(read_image(file.read_bytes()), path=path)
            found[name.replace("_", " ").capitalize()] = (picture, thumbnail(picture))
    return found

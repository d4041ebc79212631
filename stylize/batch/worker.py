"""The worker of a batch: it paints tasks and writes their pictures."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import errno
import functools
import json
import os
import secrets
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stylize import files
from stylize.batch.jobs import Config, Task, init_of
from stylize.batch.manifest import Record, record_of, without_nan
from stylize.batch.output import part_mark
from stylize.config import FastConfig
from stylize.errors import ImageError, StylizeError
from stylize.files import write_errors
from stylize.styles import StyleName, is_name
from stylize.text import one_line, without_users
from stylize.urls import links_of, without_secrets, without_users_of

if TYPE_CHECKING:
    from stylize.images.picture import Picture
    from stylize.networks.loaded import LoadedNetworks
    from stylize.output import OutputConfig
    from stylize.transfer.results import TransferResult

__all__ = ["Loaded", "Painter", "PictureCache", "loaded"]

# Errors after which every further picture fails, too: no space, no quota, a read-only disk.
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

# Bytes of decoded style pictures that a worker keeps.
_STYLES_BYTES = 256_000_000


class PictureCache:
    """The decoded pictures that were used last."""

    def __init__(self, max_bytes: int) -> None:
        """Create an empty cache.

        Args:
            max_bytes: the pictures' size, in bytes of pixels. One picture is kept whatever its size.
        """
        self._max_bytes = max_bytes
        self._kept: collections.OrderedDict[object, Picture] = collections.OrderedDict()

    def get(self, key: object) -> Picture | None:
        """Return a picture, if it is kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, key: object, picture: Picture) -> None:
        """Keep a picture; drop those that were not used for longest."""
        self._kept[key] = picture
        while len(self._kept) > 1 and sum(each.pixels.nbytes for each in self._kept.values()) > self._max_bytes:
            self._kept.popitem(last=False)


@dataclass
class Loaded:
    """What a worker keeps between tasks."""

    networks: LoadedNetworks
    contents: PictureCache = field(default_factory=lambda: PictureCache(0))
    """The last content alone: the jobs of one content follow each other."""
    styles: PictureCache = field(default_factory=lambda: PictureCache(_STYLES_BYTES))


@functools.cache
def loaded() -> Loaded:
    """Return what this process keeps between tasks."""
    from stylize.networks.loaded import LoadedNetworks

    return Loaded(LoadedNetworks())


@dataclass(frozen=True)
class Painter:
    """Paints tasks. A painter is pickled and sent to the workers; each worker's process keeps networks and pictures."""

    output: str
    """Folder or URL of the outputs."""
    cwd: str
    """The folder that relative paths of inputs start from."""
    offline: bool = False
    backend: str = "auto"
    device: str = "auto"
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where the options come from, for the provenance."""
    run: str = field(default_factory=lambda: secrets.token_hex(8))
    """What stands for the stamp of a picture that has none: within a run, such a picture is read once."""

    def __call__(self, tasks: Sequence[Task]) -> list[Record]:
        """Return a line of the manifest for each task.

        A record has one key more than the manifest's line: `full` says whether painting failed because of a full disk.
        """
        return [self._record(task) for task in tasks]

    def _record(self, task: Task) -> Record:
        began = time.perf_counter()
        record = record_of(task)
        try:
            self._paint(task, record)
        except StylizeError as error:
            cause = error.__cause__
            record["full"] = isinstance(cause, OSError) and cause.errno in _DISK_FULL
            record["error"] = self._without_secrets(str(error), task)
        except MemoryError as error:  # NumPy's tells how much was asked for.
            record["error"] = one_line(f"out of memory{f' ({error})' if str(error) else ''}; make the pictures smaller")
            record["traceback"] = self._without_secrets(traceback.format_exc(), task)
        # No failure of one picture (a bug in a decoder) may stop the others.
        except Exception as error:
            record["error"] = self._without_secrets(f"{type(error).__name__}: {error}".splitlines()[0], task)
            record["traceback"] = self._without_secrets(traceback.format_exc(), task)
        record["status"] = "failed" if record["error"] else "done"
        record["seconds"] = round(time.perf_counter() - began, 4)
        return record

    def _without_secrets(self, text: str, task: Task) -> str:
        """Return a message without the secrets of a task's URLs: the manifest is shared."""
        places = [*task.job.inputs, init_of(task.config) or "", self.output]
        links = {link for place in places if files.is_url(place) for link in links_of(place)}
        # The longest first: a URL may be the beginning of another.
        for link in sorted(links, key=len, reverse=True):
            for form in (link, without_users_of(link)):
                text = text.replace(form, without_secrets(link))
        return without_users(text)

    def _paint(self, task: Task, record: Record) -> None:
        """Paint a task, and complete its record."""
        from stylize.transfer.results import with_sources

        content, styles, masks = self._read_inputs(task, record)
        result = self._transfer(task.config, content, styles, masks, record)
        record["networks"] = {network.name: dict(network.sha256) for network in result.networks}
        if task.output_config.metadata == "all" and result.metadata.left_out:
            record["notes"].append(f"metadata too long to be kept: {', '.join(result.metadata.left_out)}")
        record["picture"] = self._write(with_sources(result, self._sources(task)), task)

    def _sources(self, task: Task) -> dict[str, str]:
        """Return where the options of a task come from. What a row's preset sets is not told."""
        cells = [name for name, _ in task.job.cells]
        kept = {
            name: source
            for name, source in self.sources.items()
            if not ("preset" in cells and source.startswith("preset "))
        }
        return {**kept, **dict.fromkeys(cells, "table")}

    def _read_inputs(self, task: Task, record: Record) -> tuple[Picture, list[tuple[Picture, float]], list[Picture]]:
        job, kept = task.job, loaded()
        content_px, style_px = _useful_px(task.config)
        content = self._read(kept.contents, job.content, "content", record["content"], content_px)
        styles = []
        for (path, weight), entry in zip(job.styles, record["styles"], strict=True):
            styles.append((self._read(kept.styles, path, "style", entry, style_px), weight))
        masks = []
        for path, entry in zip(job.masks, record.get("masks", ()), strict=True):
            masks.append(self._read(kept.styles, path, "mask", entry, content_px))
        record["notes"] = [note for each in (content, *(style for style, _ in styles), *masks) for note in each.notes]
        return content, styles, masks

    def _transfer(
        self,
        config: Config,
        content: Picture,
        styles: list[tuple[Picture, float]],
        masks: list[Picture],
        record: Record,
    ) -> TransferResult:
        networks = loaded().networks
        if isinstance(config, FastConfig):
            from stylize.api import fast

            return fast(content, styles, mask=masks, config=config, loaded=networks, offline=self.offline)
        from stylize.api import refine

        if "init" in record:
            record["init"].update(self._seen_init(config.init))
            config = dataclasses.replace(config, init=files.joined(self.cwd, config.init))
        result = refine(
            content,
            styles,
            mask=masks,
            config=config,
            loaded=networks,
            offline=self.offline,
            backend=self.backend,
            device=self.device,
        )
        if result.history:
            record["losses"] = without_nan(dataclasses.asdict(result.history[-1].losses))
        return result

    def _read(self, kept: PictureCache, path: str, role: str, entry: Record, long_side_px: int | None) -> Picture:
        """Return a picture; add its hash and stamp to its entry of the record."""
        own = StyleName(path) if role == "style" and is_name(path) else None
        place = files.joined(self.cwd, path) if own is None else str(own.file)
        try:
            stamp: str | None = files.stamp(place)
        except OSError:
            stamp = None  # reading the picture raises an error with the reason
        key = (place, stamp or self.run, long_side_px)
        picture = None if stamp is None else kept.get(key)
        if picture is None:
            from stylize.images.reading import read_image

            try:
                picture = read_image(place if own is None else own, name=role, long_side_px=long_side_px)
            except ImageError as error:
                raise ImageError(str(error).replace(place, path)) from error
            kept.keep(key, picture)
        entry.update(sha256=picture.sha256, stamp=stamp or "")
        return picture

    def _seen_init(self, path: str) -> Record:
        """Return hash and stamp of the picture that `refine` starts from."""
        place = files.joined(self.cwd, path)
        try:
            return {"sha256": files.sha256(place), "stamp": files.stamp(place)}
        except OSError as error:
            raise ImageError(f"init {path}: could not be read: {error.strerror or error}") from error

    def _write(self, result: TransferResult, task: Task) -> Record:
        """Write a picture, and return its hash and stamp."""
        name = task.job.output
        place = files.joined(self.output, name)
        with write_errors(f"output {place}", ImageError):
            overwrite = task.replace or _is_there_already(place, result, task.output_config)
            if files.is_url(self.output):
                files.write(place, result.encode(name.rpartition(".")[2], task.output_config))
            else:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                with files.part_marked(part_mark(self.output)):
                    result.save(place, overwrite=overwrite, **dataclasses.asdict(task.output_config))
            return {"sha256": files.sha256(place), "stamp": files.stamp(place)}


def _is_there_already(place: str, result: TransferResult, output: OutputConfig) -> bool:
    """Return whether the file that is there is this very picture, as after a run that was killed before it recorded it.

    Raises ImageError for any other file.
    """
    from stylize.images.provenance import read_provenance
    from stylize.images.recorded import PaintingRecord

    if not files.exists(place):
        return False
    with contextlib.suppress(ImageError, ValueError):
        there = PaintingRecord.of(read_provenance(place) or {})
        ours = PaintingRecord.of(json.loads(json.dumps(result.provenance)))
        if there.is_of_same_picture(ours) and there.output == output:
            return True
    raise ImageError(
        f"output {place}: is there already, and is not of this batch; move it away or choose another output"
    )


def _useful_px(config: Config) -> tuple[int | None, int | None]:
    """Return the long sides of content and style beyond which `fast` gains nothing; None: read the full size."""
    from stylize.transfer.inputs import STYLE_PX

    if isinstance(config, FastConfig) and isinstance(config.size, int):
        return config.size, max(config.size, STYLE_PX)
    return None, None

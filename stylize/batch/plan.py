"""What the driver decides before any work: the config and the networks of each job, and the memory of a worker."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

from stylize import files
from stylize.batch.jobs import Cells, Config, ConfigOf, Job, init_of
from stylize.batch.manifest import Record
from stylize.config import FastConfig, RefineConfig
from stylize.errors import ImageError, OptionError
from stylize.images.opening import long_side_px_of
from stylize.images.resizing import long_side_of

__all__ = ["Plan", "memory_bytes"]


def memory_bytes(config: Config, full_px: int = 1) -> int:
    """Return the memory that a worker needs at most, the styles that it keeps included.

    Measured with the networks mini, magenta-int8 and VGG-19.

    Args:
        config: the options of a job.
        full_px: the long side of the job's content in px; of no meaning if the config's size is in px.

    Raises:
        ImageError: the output would be too large.
    """
    pixels = long_side_of(config.size, full_px) ** 2
    if isinstance(config, RefineConfig):
        return 1_200_000_000 + 4_000 * pixels
    # Above 1280 px magenta paints a smaller picture, so that its memory does not grow further.
    magenta = 2_900 * min(pixels, 1280**2) if config.network == "magenta" else 0
    return 500_000_000 + 700 * pixels + magenta


class Plan:
    """The jobs' configs. The driver alone resolves the network `auto`, once for each set of options."""

    def __init__(
        self,
        config_of: ConfigOf,
        *,
        offline: bool,
        on_message: Callable[[str], None],
        on_download: Callable[[str, int, int | None], None] | None,
    ) -> None:
        from stylize.networks.loaded import LoadedNetworks

        self._config_of = config_of
        self._offline = offline
        self._find = functools.partial(
            LoadedNetworks().find, offline=offline, on_message=on_message, on_download=on_download
        )
        self._resolved = functools.lru_cache(maxsize=1024)(self._resolve)
        self._long_side_px = functools.lru_cache(maxsize=1)(long_side_px_of)  # the jobs of a content follow each other
        self.memory_bytes = 0
        """What a worker needs for any job so far."""
        self.refines = False
        """Whether any job so far is one of `refine`."""
        self._has_local_inputs = False

    def consider(self, job: Job) -> None:
        """Take a job into account.

        Raises:
            OptionError: an input is a URL, and nothing may be downloaded.
            WeightsError: a network is not available.
        """
        config = self.config(job)
        init = init_of(config)
        inputs = job.inputs if init is None else (*job.inputs, init)
        remote = [place for place in inputs if files.is_remote(place)]
        if self._offline and remote:
            raise OptionError(f"offline: expected files, received {remote[0]}; download the pictures first")
        self.memory_bytes = max(self.memory_bytes, self._memory_bytes(config, job.content))
        self.refines |= isinstance(config, RefineConfig)
        self._has_local_inputs |= not all(map(files.is_url, inputs))

    def _memory_bytes(self, config: Config, content: str) -> int:
        try:
            return memory_bytes(config, 1 if isinstance(config.size, int) else self._long_side_px(content))
        except ImageError:  # the worker reports a content that is unreadable or too large
            return memory_bytes(config, 1)

    def config(self, job: Job) -> Config:
        """Return a job's config, where a network's name stands in place of `auto`."""
        return self._resolved(job.cells)[0]

    def networks(self, job: Job) -> Record:
        """Return the SHA-256 of the networks' files, by network and file."""
        return self._resolved(job.cells)[1]

    def warn_of_local_paths(self, output: str, on_message: Callable[[str], None]) -> None:
        """Warn the user of a cluster of paths that other machines may not have."""
        if self._has_local_inputs or not files.is_url(output):
            on_message(
                "local paths: every machine has to reach these files by the same names (a shared disk), or use URLs"
            )

    def _resolve(self, cells: Cells) -> tuple[Config, Record]:
        config = self._config_of(cells)
        if isinstance(config, FastConfig):
            stylizer = self._find(config.network, "stylizer")
            return dataclasses.replace(config, network=stylizer.name), {stylizer.name: dict(stylizer.sha256)}
        features = self._find(config.features, "features")
        hashes = {features.name: dict(features.sha256)}
        config = dataclasses.replace(config, features=features.name)
        if config.starts_from_preview:
            stylizer = self._find(config.network, "stylizer")
            hashes[stylizer.name] = dict(stylizer.sha256)
            config = dataclasses.replace(config, network=stylizer.name)
        return config, hashes

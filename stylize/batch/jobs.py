"""What a batch is to paint: pairs of contents and styles, and names of outputs."""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from stylize import files
from stylize.cli.options import batch_config_of, cell
from stylize.config import FastConfig, RefineConfig
from stylize.errors import OptionError, StylizeError

__all__ = [
    "Job",
    "Naming",
    "Pairing",
    "Settings",
    "Subject",
    "WeightedStyles",
    "jobs",
    "styles_of_places",
    "subjects_of_places",
]

WeightedStyles = tuple[tuple[str, float], ...]

Cells = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Subject:
    """A picture to paint, before it meets its style."""

    content: str
    folder: str = ""
    """Where below the output its pictures go, with `/`; where it lay below the folder that was named."""
    styles: WeightedStyles | None = None
    """None: those of the run."""
    cells: Cells = ()
    """A manifest's options, by column and as they stand there."""
    labels: Mapping[str, Any] = field(default_factory=dict)
    """A manifest's other columns."""
    where: str = ""
    """For messages: the manifest's line."""


@dataclass(frozen=True)
class Job:
    """One picture to make."""

    content: str
    styles: WeightedStyles
    output: str
    """Below the output folder, with `/`."""
    cells: Cells = ()
    labels: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return it in one line."""
        return json.dumps([self.content, self.styles, self.output, self.cells, self.labels])

    @staticmethod
    def from_json(text: str) -> Job:
        """Return it again."""
        content, styles, output, cells, labels = json.loads(text)
        return Job(content, tuple(map(tuple, styles)), output, tuple(map(tuple, cells)), labels)


@dataclass(frozen=True)
class Settings:
    """The mode and the options of a run, over which a manifest's cells go."""

    mode: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def _config(self) -> Callable[[Cells], FastConfig | RefineConfig]:
        @functools.lru_cache(maxsize=1024)  # rows may differ all, and be a million
        def config(cells: Cells) -> FastConfig | RefineConfig:
            mine = dict(cells)
            mode = mine.pop("mode", self.mode)
            if mode not in ("fast", "refine"):
                raise OptionError(f"mode: expected fast or refine, received {mode!r}")
            return batch_config_of(mode, {**self.options, **{name: cell(name, text) for name, text in mine.items()}})

        return config

    def config(self, cells: Cells) -> FastConfig | RefineConfig:
        """Return a job's config. Raises OptionError."""
        return self._config(cells)


def subjects_of_places(places: Sequence[str], *, leave_out: str) -> Iterator[Subject]:
    """Yield the pictures of folders, globs, files and URLs in their order, each once."""
    seen: set[bytes] = set()
    for place in places:
        for path, below in files.pictures(place, "content", leave_out=leave_out):
            if len(places) == 1 or _new(path, seen):
                yield Subject(path, folder=below.rpartition("/")[0])


def styles_of_places(places: Iterable[str], *, leave_out: str) -> list[str]:
    """Return the style pictures in their order, each once."""
    seen: set[bytes] = set()
    found = (path for place in places for path, _ in files.pictures(place, "style", leave_out=leave_out))
    return [path for path in found if _new(path, seen)]


def _new(path: str, seen: set[bytes]) -> bool:
    # Hashes, as a million paths would fill the memory.
    key = hashlib.blake2b(os.path.normpath(path).encode(errors="surrogateescape"), digest_size=12).digest()
    known = key in seen
    seen.add(key)
    return not known


@dataclass(frozen=True)
class Pairing:
    """Which pictures meet which styles: `all`, `zip`, or `random`, where each picture draws `count` styles."""

    kind: str = "all"
    count: int = 0
    seed: int = 0

    @staticmethod
    def parse(text: str, seed: int) -> Pairing:
        """Return what `all`, `zip` or `random:N` stands for. Raises OptionError."""
        kind, _, number = text.partition(":")
        if text in ("all", "zip"):
            return Pairing(text)
        if kind == "random" and number.isdecimal() and int(number) >= 1:
            return Pairing(kind, int(number), seed)
        raise OptionError(f"--pairs: expected all, zip or random:N, received {text!r}")

    def check(self, styles: Sequence[str]) -> None:
        """Raise OptionError if no picture can have so many styles."""
        if self.kind == "random" and self.count > len(styles):
            raise OptionError(f"--pairs: expected at most the {len(styles)} styles given, received random:{self.count}")

    def styles_of(self, subject: Subject, number: int, styles: Sequence[str]) -> Sequence[str]:
        """Return the styles of the `number`th subject."""
        if self.kind == "all":
            return styles
        if self.kind == "zip":
            return styles[number : number + 1]
        # By the picture's name, not its place: others may come and go.
        name = f"{subject.folder}/{os.path.basename(subject.content)}"
        return random.Random(f"{self.seed}:{name}").sample(styles, self.count)


@dataclass(frozen=True)
class Naming:
    """The template of the outputs' names, and their suffix."""

    template: str
    suffix: str

    def name(self, job: Subject, styles: WeightedStyles, config: FastConfig | RefineConfig, number: int) -> str:
        """Return an output's path below the output folder. Raises OptionError."""
        fields = {
            **job.labels,
            **vars(config),
            "content": files.stem(job.content),
            "style": "+".join(files.stem(path) for path, _ in styles),
            "mode": "fast" if isinstance(config, FastConfig) else "refine",
            "suffix": job.content.rpartition(".")[2],
            "number": number,
        }
        try:
            name = self.template.format_map(fields)
        except KeyError as error:
            known = ", ".join(f"{{{each}}}" for each in ("content", "style", "mode", "number", "suffix", *job.labels))
            raise OptionError(
                f"--name: expected fields out of {known} and the options' names, received {{{error.args[0]}}}"
            ) from error
        except (ValueError, IndexError, AttributeError, TypeError) as error:
            raise OptionError(f"--name {self.template}: expected a template ({error})") from error
        path = PurePosixPath(job.folder, f"{name}.{self.suffix}")
        if path.is_absolute() or ".." in path.parts or not name or name.endswith("/") or "\0" in name:
            raise OptionError(f"--name: expected names that stay in the output folder, received {str(path)!r}")
        if len(os.fsencode(path.name)) > _MAX_NAME_BYTES:
            raise OptionError(f"--name: expected names of up to {_MAX_NAME_BYTES} bytes, received {path.name!r}")
        return str(path)


_MAX_NAME_BYTES = 255  # as most file systems have it


def jobs(
    subjects: Iterable[Subject],
    styles: Sequence[str],
    pairing: Pairing,
    naming: Naming,
    settings: Settings,
    *,
    output: str,
) -> Iterator[Job]:
    """Yield the jobs, made as they are asked for. Raises OptionError and StylizeError.

    No picture may lie in the folder `output`: it might be painted over, and the next run would paint paintings.
    """

    @functools.lru_cache(maxsize=1024)
    def is_output(folder: str) -> bool:
        return files.within(folder, output)

    numbers = itertools.count(1)
    unpaired = 0
    for subject in subjects:
        try:
            config = settings.config(subject.cells)
            if subject.styles is not None:
                choices: Iterable[WeightedStyles] = [subject.styles]
            elif not styles:
                raise OptionError("expected a style, received none: give -s, or a column style")
            else:
                drawn = pairing.styles_of(subject, unpaired, styles)
                unpaired += 1
                if not drawn:
                    break
                choices = (((style, 1.0),) for style in drawn)
            for choice in choices:
                for path in (subject.content, *(path for path, _ in choice)):
                    if is_output(os.path.dirname(path)):
                        raise OptionError(f"{path}: expected no picture in the output folder {output}; choose another")
                name = naming.name(subject, choice, config, next(numbers))
                yield Job(subject.content, choice, name, subject.cells, subject.labels)
        except OptionError as error:
            raise (StylizeError(f"{subject.where}: {error}") if subject.where else error) from error
    if pairing.kind == "zip" and unpaired and (unpaired != len(styles)):
        more = "more contents than" if unpaired > len(styles) else f"{unpaired} contents and"
        raise OptionError(f"--pairs zip: expected as many contents as styles, received {more} {len(styles)} styles")

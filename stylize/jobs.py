"""What a batch is to paint: pictures and a manifest's rows, paired with styles, each with an output of its own name."""

from __future__ import annotations

import csv
import difflib
import functools
import hashlib
import io
import itertools
import json
import math
import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from stylize import storage
from stylize.config import INITS, FastConfig, RefineConfig
from stylize.errors import OptionError, StylizeError
from stylize.options import batch_config_of, cell, column_names, column_of, split_weight

__all__ = [
    "Job",
    "Naming",
    "Pairing",
    "Settings",
    "Subject",
    "WeightedStyles",
    "jobs",
    "styles_of_places",
    "subjects_of_manifest",
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


# --------------------------------------------------------------------------------------------------------------------
# Subjects


def subjects_of_places(places: Sequence[str], *, leave_out: str) -> Iterator[Subject]:
    """Yield the pictures of folders, globs, files and URLs in their order, each once."""
    seen: set[bytes] = set()
    for place in places:
        for path, below in storage.pictures(place, "content", leave_out=leave_out):
            if len(places) == 1 or _new(path, seen):
                yield Subject(path, folder=below.rpartition("/")[0])


def styles_of_places(places: Iterable[str], *, leave_out: str) -> list[str]:
    """Return the style pictures in their order, each once."""
    seen: set[bytes] = set()
    found = (path for place in places for path, _ in storage.pictures(place, "style", leave_out=leave_out))
    return [path for path in found if _new(path, seen)]


def _new(path: str, seen: set[bytes]) -> bool:
    # Hashes, as a million paths would fill the memory.
    key = hashlib.blake2b(os.path.normpath(path).encode(errors="surrogateescape"), digest_size=12).digest()
    known = key in seen
    seen.add(key)
    return not known


def subjects_of_manifest(
    manifest: str, *, on_message: Callable[[str], None] = lambda message: None
) -> Iterator[Subject]:
    """Yield the rows of a table (.csv, .jsonl, .parquet) as they are read; its paths are relative to its own folder.

    Columns: `content`; `style`, of which several, `FILE:WEIGHT;FILE:WEIGHT`, are blended; `mode`; any option of fast
    and refine. All others are labels; one that looks like a slip of the pen is told of. Raises StylizeError.
    """
    base = manifest.rpartition("/")[0] if storage.is_url(manifest) else os.path.dirname(manifest)
    columns: set[str] = set()
    for number, row in _rows(manifest):
        where = f"{manifest} line {number}"
        for column in [column for column in row if column not in columns]:
            columns.add(column)
            _check_column(manifest, column, on_message)
        cells: dict[str, str] = {}
        labels: dict[str, Any] = {}
        content = styles = None
        for column, value in row.items():
            plain = column.strip().lower()
            option = column_of(column)
            if plain in ("content", "style", "mode") or option is not None:
                text = _text(value)
                if not text:
                    continue
                if plain == "content":
                    content = text
                elif plain == "style":
                    styles = _styles(text, base, where)
                else:
                    cells[option or plain] = text
            else:
                labels[column] = value
        if content is None:
            raise StylizeError(f"{where}: expected a content, received {', '.join(row) or 'nothing'}")
        if "init" in cells and cells["init"] not in INITS:
            cells["init"] = storage.joined(base, cells["init"])
        own = storage.is_url(content) or os.path.isabs(content)
        folder = "" if own else os.path.normpath(os.path.dirname(content)).replace(os.sep, "/")
        yield Subject(
            storage.joined(base, content),
            # What lies beside or above the manifest's folder has no place below the output.
            "" if folder == "." or folder.startswith("..") else folder,
            styles,
            tuple(sorted(cells.items())),
            labels,
            where,
        )
    if not columns:
        raise StylizeError(f"{manifest}: expected at least one row, received none")


def _check_column(manifest: str, column: str, on_message: Callable[[str], None]) -> None:
    known = ["content", "style", "mode", *column_names()]
    plain = column.strip().lower().replace("_", "-").replace(" ", "-")
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.8)
    if close and plain not in known and column_of(column) is None:
        on_message(f"{manifest}: column {column!r} is taken as a label; is {close[0]!r} meant?")


def _styles(text: str, base: str, where: str) -> WeightedStyles:
    styles = []
    for part in text.split(";"):
        path, weight = split_weight(part.strip())
        if weight is not None and not (math.isfinite(weight) and weight > 0):
            raise StylizeError(f"{where}: style {path}: expected a weight over 0, received {weight:g}")
        styles.append((storage.joined(base, path), 1.0 if weight is None else weight))
    return tuple(styles)


def _text(value: Any) -> str:
    """Return a cell as a user writes it in a table; empty where nothing is given."""
    if isinstance(value, (list, tuple)):
        return ";".join(map(_text, value))
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column with gaps becomes one of floats on the way through a data frame
    return str(value).strip()


def _rows(manifest: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield numbered rows; of a Parquet file the first is 1, of a text file its line."""
    suffix = manifest.rpartition(".")[2].lower()
    if suffix not in ("csv", "jsonl", "parquet"):
        raise OptionError(f"--manifest {manifest}: expected a suffix of csv, jsonl, parquet, received {suffix}")
    try:
        with storage.opened(manifest) as file:
            yield from {"csv": _csv_rows, "jsonl": _jsonl_rows, "parquet": _parquet_rows}[suffix](manifest, file)
    except OSError as error:
        raise StylizeError(f"{manifest}: could not be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise StylizeError(f"{manifest}: expected UTF-8, received something else ({error.reason})") from error


def _csv_rows(manifest: str, file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    with io.TextIOWrapper(file, "utf-8-sig", newline="") as text:
        reader = csv.DictReader(text, strict=True)
        try:
            for row in reader:
                if None in row:
                    raise StylizeError(f"{manifest} line {reader.line_num}: expected as many cells as columns")
                yield reader.line_num, {name: value or "" for name, value in row.items()}
        except csv.Error as error:
            raise StylizeError(f"{manifest} line {reader.line_num}: expected CSV ({error})") from error


def _jsonl_rows(manifest: str, file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    with io.TextIOWrapper(file, "utf-8-sig") as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise StylizeError(f"{manifest} line {number}: expected a JSON object ({error})") from error
            if not isinstance(row, dict):
                raise StylizeError(f"{manifest} line {number}: expected a JSON object, received {type(row).__name__}")
            yield number, row


def _parquet_rows(manifest: str, file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise StylizeError(f'{manifest}: reading Parquet needs pyarrow: pip install "stylize[batch]"') from error
    try:
        batches = parquet.ParquetFile(file).iter_batches(batch_size=1024)
        rows = (row for batch in batches for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            # Dates and decimals as text, as JSON has them.
            yield number, json.loads(json.dumps(row, default=str))
    except pyarrow.ArrowException as error:
        raise StylizeError(f"{manifest}: expected a Parquet file ({str(error).splitlines()[0]})") from error


# --------------------------------------------------------------------------------------------------------------------
# Pairs


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


# --------------------------------------------------------------------------------------------------------------------
# Names


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
            "content": storage.stem(job.content),
            "style": "+".join(storage.stem(path) for path, _ in styles),
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


# --------------------------------------------------------------------------------------------------------------------
# Jobs


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
        return storage.within(folder, output)

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

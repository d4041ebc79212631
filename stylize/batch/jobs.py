"""What a batch paints: contents, their pairing with styles, and the names of the outputs."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import os
import random
import re
import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from stylize import files
from stylize.batch.finding import Seen, in_output, pictures
from stylize.batch.left_out import LeftOut
from stylize.config import INITS, FastConfig, RefineConfig, check_mask_count
from stylize.errors import OptionError, StylizeError
from stylize.output import DEFAULT_OUTPUT, OutputConfig
from stylize.styles import StyleName, is_name, names, style_stem

__all__ = [
    "Cells",
    "Config",
    "ConfigOf",
    "Job",
    "Naming",
    "Pairing",
    "Subject",
    "Task",
    "WeightedStyles",
    "init_of",
    "jobs",
    "styles_of_places",
    "subjects_of_places",
]

#: Paths of style pictures, or names of the project's own styles, and their weights.
WeightedStyles = tuple[tuple[str, float], ...]

#: The options that a table's row sets: pairs of an option's name and its text in the table.
Cells = tuple[tuple[str, str], ...]

Config = FastConfig | RefineConfig

#: Makes the config of a row: the options of the run, replaced by those of the row. Raises OptionError.
ConfigOf = Callable[[Cells], Config]


def init_of(config: Config) -> str | None:
    """Return the picture that a refinement starts from; None if that is no picture of the user's."""
    return config.init if isinstance(config, RefineConfig) and config.init not in INITS else None


@dataclass(frozen=True)
class Subject:
    """A content picture, not yet paired with a style."""

    content: str
    """Path or URL."""
    folder: str = ""
    """The folder of its outputs, relative to the output folder, with `/`: the content's folder relative to the input
    folder."""
    styles: WeightedStyles | None = None
    """The styles to blend; None: the styles of the run."""
    masks: tuple[str, ...] = ()
    """Paths of masks: none, one for all styles, or one for each style."""
    cells: Cells = ()
    labels: Mapping[str, Any] = field(default_factory=dict)
    """The table's columns that are no options."""
    where: str = ""
    """The table's line, for error messages."""


@dataclass(frozen=True)
class Job:
    """One picture to paint."""

    content: str
    styles: WeightedStyles
    output: str
    """Path relative to the output folder, with `/`."""
    cells: Cells = ()
    labels: Mapping[str, Any] = field(default_factory=dict)
    masks: tuple[str, ...] = ()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The paths of all pictures that are read, but for `--init` and the project's own styles."""
        return (self.content, *(path for path, _ in self.styles if path not in names()), *self.masks)

    def to_json(self) -> str:
        """Return the job as one line of JSON."""
        return json.dumps([self.content, self.styles, self.output, self.cells, self.labels, self.masks])

    @staticmethod
    def from_json(text: str) -> Job:
        """Return the job that `to_json` wrote."""
        content, styles, output, cells, labels, masks = json.loads(text)
        return Job(content, tuple(map(tuple, styles)), output, tuple(map(tuple, cells)), labels, tuple(masks))


@dataclass(frozen=True)
class Task:
    """A job with all that a worker must know to paint it."""

    job: Job
    config: Config
    replace: bool
    """Whether the manifest lists the output, so that the worker may overwrite the file."""
    output_config: OutputConfig = DEFAULT_OUTPUT
    """How the picture is written."""


def subjects_of_places(
    places: Sequence[str], left_out: LeftOut, *, output: str, repeated: bool = False
) -> Iterator[Subject]:
    """Yield the pictures of folders, globs, files and URLs in their order.

    Args:
        places: where to look.
        left_out: counts what is no picture.
        output: the output folder, whose pictures are skipped.
        repeated: whether a picture that several places name comes once for each, as `Pairing.repeats` says.
    """
    seen = Seen()
    for place in places:
        for path, below in pictures(place, "content", left_out, output=output):
            if repeated or len(places) == 1 or seen.is_new(path):
                yield Subject(path, folder=below.rpartition("/")[0])


def styles_of_places(places: Iterable[str], left_out: LeftOut, *, output: str, repeated: bool = False) -> list[str]:
    """Return the styles of folders, globs, files, URLs and names in their order; `repeated` as for contents."""

    def found(place: str) -> Iterator[str]:
        if is_name(place):
            yield StyleName(place)
            return
        for path, _ in pictures(place, "style", left_out, output=output):
            yield os.path.join(os.curdir, path) if is_name(path) else path

    seen = Seen()
    return [path for place in places for path in found(place) if repeated or seen.is_new(path)]


@dataclass(frozen=True)
class Pairing:
    """Which contents meet which styles."""

    kind: str = "all"
    """`all`: every content meets every style. `zip`: the first content meets the first style, and so on. `random`: each
    content draws `count` styles."""
    count: int = 0
    seed: int = 0

    @property
    def repeats(self) -> bool:
        """Whether a picture that is named twice counts twice."""
        return self.kind == "zip"

    @staticmethod
    def parse(text: str, seed: int) -> Pairing:
        """Return the pairing that `all`, `zip` or `random:N` names. Raises OptionError."""
        kind, _, number = text.partition(":")
        if text in ("all", "zip"):
            return Pairing(text)
        # Python refuses to read numbers of thousands of digits.
        if kind == "random" and number.isdecimal() and len(number) < 10 and int(number) >= 1:
            return Pairing(kind, int(number), seed)
        raise OptionError(f"pairs: expected all, zip or random:N, received {text!r}")

    def check(self, styles: Sequence[str]) -> None:
        """Raise OptionError if there are fewer styles than each content draws."""
        if self.kind == "random" and self.count > len(styles):
            raise OptionError(f"pairs: expected at most the {len(styles)} styles given, received random:{self.count}")

    def styles_of(self, subject: Subject, index: int, styles: Sequence[str]) -> Sequence[str]:
        """Return the styles of a subject, each of which makes a job of its own.

        Args:
            subject: the content.
            index: the subject's place among those that have no styles of their own, from 0.
            styles: the styles of the run.
        """
        if self.kind == "all":
            return styles
        if self.kind == "zip":
            return styles[index : index + 1]
        # The draw depends on the content's name and not on its place: adding other contents does not change it.
        # As bytes, because a name may hold bytes that are no text.
        name = f"{subject.folder}/{os.path.basename(subject.content)}"
        return random.Random(f"{self.seed}:{name}".encode(errors="surrogatepass")).sample(styles, self.count)


@dataclass(frozen=True)
class Naming:
    """The template of the outputs' names, such as `{content}-{style}`, and their suffix, such as `png`."""

    template: str
    suffix: str

    def __post_init__(self) -> None:
        """Raise OptionError for a text that is no template, or that could fill the memory, as `{number:999999999}`."""
        try:
            specs = [spec or "" for _, _, spec, _ in string.Formatter().parse(self.template)]
        except ValueError as error:
            raise self._no_template(error) from error
        for spec in specs:
            if "{" in spec or any(len(digits) > 2 for digits in re.findall("[1-9][0-9]*", spec)):
                raise OptionError(f"name: expected widths of up to 99, received {spec!r} in {self.template!r}")

    def name(self, subject: Subject, styles: WeightedStyles, config: Config, number: int) -> str:
        """Return the path of an output relative to the output folder. Raises OptionError.

        Args:
            subject: the content.
            styles: the styles that the output blends.
            config: the job's config; its fields may stand in the template.
            number: the job's number, from 1.

        Returns:
            The path, with `/`; names that are too long for a file system are shortened.
        """
        fields = {
            **vars(config),
            "content": files.stem(subject.content),
            "style": "+".join(style_stem(path) for path, _ in styles),
            "mode": "fast" if isinstance(config, FastConfig) else "refine",
            "suffix": files.suffix(subject.content),
            "number": number,
        }
        for label in fields.keys() & subject.labels.keys():
            if any(f"{{{label}{end}" in self.template for end in "}:!.["):
                raise OptionError(
                    f"name: expected fields with one meaning, received {{{label}}}, also a column of the table; "
                    "rename the column"
                )
        try:
            name = self.template.format_map({**subject.labels, **fields})
        except KeyError as error:
            known = ", ".join(
                f"{{{each}}}" for each in ("content", "style", "mode", "number", "suffix", *subject.labels)
            )
            raise OptionError(
                f"name: expected fields out of {known} and the options' names, received {{{error.args[0]}}}"
            ) from error
        except (ValueError, IndexError, AttributeError, TypeError, OverflowError) as error:
            raise self._no_template(error) from error
        path = PurePosixPath(subject.folder, name)
        if path.is_absolute() or ".." in path.parts or name in ("", ".") or name.endswith("/") or "\0" in name:
            raise OptionError(f"name: expected names that stay in the output folder, received {str(path)!r}")
        if set(name) & files.FORBIDDEN:
            forbidden = " ".join(sorted(files.FORBIDDEN))
            raise OptionError(f"name: expected names without {forbidden}, received {str(path)!r}")
        folders = map(files.shortened, path.parts[:-1])
        return str(PurePosixPath(*folders, files.shortened(path.name, f".{self.suffix}")))

    def _no_template(self, error: Exception) -> OptionError:
        return OptionError(f"name: expected a template, received {self.template!r} ({error})")


def jobs(
    subjects: Iterable[Subject],
    styles: Sequence[str],
    pairing: Pairing,
    naming: Naming,
    config_of: ConfigOf,
    *,
    output: str,
) -> Iterator[Job]:
    """Pair subjects with styles; yield each job when the caller asks for the next.

    Args:
        subjects: the contents.
        styles: paths of the styles for subjects that have none of their own.
        pairing: which contents meet which styles.
        naming: how the outputs are called.
        config_of: makes the config of a table's row.
        output: the output folder. No input may lie there.

    Raises:
        OptionError: an option is wrong, or no job can be made of the options together.
        StylizeError: a table's row is wrong; the message begins with its line.
    """

    @functools.lru_cache(maxsize=1024)
    def is_output(folder: str) -> bool:
        return files.within(folder, output)

    numbers = itertools.count(1)
    unpaired = 0
    for subject in subjects:
        with _errors_with_place(subject.where):
            config = config_of(subject.cells)
            if subject.styles is not None:
                choices = [subject.styles]
            elif styles:
                choices = [((style, 1.0),) for style in pairing.styles_of(subject, unpaired, styles)]
                unpaired += 1
            else:
                raise OptionError("style: expected a style for every content, received none; a table may name styles")
        if not choices:
            break
        for choice in choices:
            with _errors_with_place(subject.where):
                check_mask_count(len(subject.masks), len(choice))
                name = naming.name(subject, choice, config, next(numbers))
                job = Job(subject.content, choice, name, subject.cells, subject.labels, subject.masks)
                for path in (*job.inputs, *filter(None, [init_of(config)])):
                    if is_output(os.path.dirname(path)):
                        raise in_output(path, output)
            yield job
    if pairing.kind == "zip" and unpaired and unpaired != len(styles):
        more = "more contents than" if unpaired > len(styles) else f"{unpaired} contents and"
        raise OptionError(f"pairs: zip expects as many contents as styles, received {more} {len(styles)} styles")


@contextlib.contextmanager
def _errors_with_place(where: str) -> Iterator[None]:
    """Begin the message of an OptionError with the table's line."""
    try:
        yield
    except OptionError as error:
        if not where:
            raise
        raise StylizeError(f"{where}: {error}") from error

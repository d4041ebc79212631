"""Types of options: files, weights, layers, colours.

A file that cannot be read is not misuse: the code that reads it says so in one line, with exit code 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click
from click.shell_completion import CompletionItem

from stylize.errors import OptionError
from stylize.files import is_remote, is_url, local_path, weighted
from stylize.layers import VGG19_LAYERS, canonical_layer
from stylize.networks import registry
from stylize.styles import StyleName, is_name, names
from stylize.text import split_weight

__all__ = [
    "FILE",
    "SOURCE",
    "Colors",
    "Device",
    "File",
    "KeepColorsOption",
    "Layer",
    "Memory",
    "Number",
    "Size",
    "Source",
    "SourceStyles",
    "Strengths",
    "StyleFile",
    "Styles",
    "Url",
    "complete_files",
    "file_of",
    "network_choice",
]

#: Pictures and weights. A picture is a file, or one of the project's own styles.
Styles: TypeAlias = "Sequence[tuple[Path | StyleName, float]]"


class Url(str):
    """The URL of a picture. A `Path` would drop one of its slashes."""

    __slots__ = ()

    @property
    def is_local(self) -> bool:
        """Whether the file is one of this machine, for which the internet is not needed."""
        return not is_remote(self)


#: What names a picture to read.
Source: TypeAlias = "Path | Url"

SourceStyles: TypeAlias = "Sequence[tuple[Source | StyleName, float]]"


def file_of(source: Source) -> Path | None:
    """Return the file that a path or a file:// URL names; None for other URLs."""
    if isinstance(source, Path):
        return source
    return Path(local_path(source)) if source.is_local and "::" not in source else None


def complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell complete names of files."""
    return [CompletionItem(incomplete, type="file")]


def _beginning(words: Iterable[str], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


class File(click.Path):
    """A file's name. An empty name, as of a shell variable that is not set, is refused."""

    def __init__(self, *, urls: bool = False) -> None:
        """Create the type.

        Args:
            urls: whether URLs are taken, too.
        """
        super().__init__(path_type=Path, readable=False)
        self._urls = urls

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or a `Url`."""
        if value == "":
            self.fail("expected a file's name, received nothing", param, ctx)
        if isinstance(value, str) and is_url(value):
            if self._urls:
                return Url(value)
            self.fail(f"expected a file, received {value}; only the inputs of fast and batch may be URLs", param, ctx)
        return super().convert(value, param, ctx)


FILE = File()

#: A picture that is read from a file or a URL.
SOURCE = File(urls=True)


class StyleFile(click.ParamType):  # type: ignore[type-arg]  # Generic from click 8.3 on alone.
    """FILE[:WEIGHT] or @NAME[:WEIGHT].

    The last colon separates, unless a file has the whole name or the rest is not a number.
    """

    name = "FILE|@NAME[:WEIGHT]"

    def __init__(self, file: File = FILE) -> None:
        self._file = file

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a style of ours, or the file; the shell does the latter."""
        if is_name(incomplete):
            return _beginning(names(), incomplete)
        return self._file.shell_complete(ctx, param, incomplete)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return (path or name, weight). Raises ImageError for the name of no style."""
        if isinstance(value, tuple):
            return value
        path, weight = split_weight(value) if is_name(value) else weighted(value)
        if weight is not None and not (math.isfinite(weight) and weight > 0):
            self.fail(f"{path}: expected a weight over 0, received {value.rpartition(':')[2]}", param, ctx)
        picture = StyleName(path) if is_name(path) else self._file.convert(path, param, ctx)
        return picture, 1.0 if weight is None else weight


class Colors(click.ParamType):  # type: ignore[type-arg]  # Generic from click 8.3 on alone.
    """How the content's colours are kept: luminance or histogram; in a table's cell also yes or no."""

    name = "luminance|histogram"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the two names."""
        return _beginning(("luminance", "histogram"), incomplete)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a config's `keep_colors`."""
        if value in ("luminance", "histogram"):
            return value
        try:
            return click.BOOL.convert(value, param, ctx) and "luminance"
        except click.UsageError:
            self.fail(f"expected luminance or histogram, received {value!r}", param, ctx)


class KeepColorsOption(click.Option):
    """`--keep-colors [HOW]` and `--no-keep-colors`."""

    def __init__(self, names: Sequence[str], **settings: Any) -> None:
        super().__init__(names, type=Colors(), is_flag=False, flag_value="luminance", **settings)
        self.secondary_opts = [f"--no-{option.lstrip('-')}" for option in self.opts]

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Add both forms."""
        super().add_to_parser(parser, ctx)
        parser.add_option(obj=self, opts=self.secondary_opts, dest=self.name, action="store_const", const="no")

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the line of `--help`."""
        return f"{self.opts[0]} [{self.type.name}] / {self.secondary_opts[0]}", self.help or ""


class Layer(click.ParamType):  # type: ignore[type-arg]  # Generic from click 8.3 on alone.
    """NAME[:WEIGHT]; the name becomes that of the papers, such as relu4_2."""

    name = "NAME[:WEIGHT]"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the name."""
        return _beginning(VGG19_LAYERS, incomplete)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return (name, weight or None)."""
        if isinstance(value, tuple):
            return value
        name, colon, number = value.partition(":")
        weight = _number(number)
        if colon and weight is None:
            self.fail(f"{name}: expected a number after the colon, received {number!r}", param, ctx)
        try:
            return canonical_layer(name), weight
        except OptionError as error:
            self.fail(str(error), param, ctx)


class Size(click.ParamType):  # type: ignore[type-arg]  # Generic from click 8.3 on alone.
    """A long side in px, original, or percent such as 200%; in a table's cell also 64.0."""

    name = "PX|original|N%"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Complete the word."""
        return _beginning(("original",), incomplete)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a config's `size`. Its check refuses what has no meaning."""
        if isinstance(value, int):
            return value
        # Spreadsheets and data frames write 64.0. Python refuses to read numbers of thousands of digits.
        whole = re.fullmatch(r"(-?[0-9]{1,9})(\.0*)?", value.strip())
        return int(whole[1]) if whole else value.strip().lower()


class Number(click.types.FloatParamType):
    """A number with a decimal point."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        try:
            return float(value)
        except ValueError:
            self.fail(f"expected a number such as 0.5, received {value!r}", param, ctx)


class Memory(Number):
    """GB of memory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number."""
        number = super().convert(value, param, ctx)
        if not 0 < number < math.inf:
            self.fail(f"expected a finite number of GB, more than 0; received {value}", param, ctx)
        return number


class Device(click.ParamType):  # type: ignore[type-arg]  # Generic from click 8.3 on alone.
    """What computes: auto, the CPU, or a GPU by its number."""

    name = "auto|cpu|gpu[:N]|mps"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the name. Whether there is such a GPU is for the backend to say."""
        if not re.fullmatch(r"auto|cpu(:0)?|(?i:gpu|cuda|mps)(:[0-9]+)?", value):
            self.fail(f"expected auto, cpu, gpu, gpu:1 or mps; received {value!r}", param, ctx)
        return value


class Strengths(click.ParamType):  # type: ignore[type-arg]  # Generic from click 8.3 on alone.
    """Numbers from 0 to 1, separated by commas."""

    name = "S,S,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the numbers."""
        if isinstance(value, tuple):
            return value
        strengths = tuple(_number(part) for part in value.split(","))
        if not all(strength is not None and 0 <= strength <= 1 for strength in strengths):
            self.fail(f"expected numbers of 0 to 1 such as 0.25,0.5,1, received {value!r}", param, ctx)
        return strengths


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def network_choice(role: registry.Role) -> click.Choice[str]:
    """Return the type of a network's name: auto, or a network of the role."""
    return click.Choice(["auto", *(spec.name for spec in registry.REGISTRY.values() if spec.role == role)])

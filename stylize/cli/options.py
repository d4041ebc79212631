"""The options of the command line, each declared once, and the configs that they make.

Defaults, types and choices are read off the fields of `stylize.config`; nothing is said twice.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from stylize.config import AppConfig, FastConfig, RefineConfig, canonical_layer
from stylize.errors import OptionError
from stylize.networks import registry
from stylize.presets import PRESETS, preset_config
from stylize.text import split_weight

__all__ = [
    "FILE",
    "StyleFile",
    "Styles",
    "app_options",
    "arguments_of",
    "common_options",
    "content_option",
    "contents_option",
    "fast_options",
    "given",
    "masks_option",
    "memory_option",
    "output_option",
    "overwrite_option",
    "preview_options",
    "refine_config_of",
    "refine_options",
    "resume_option",
    "styles_option",
]

Styles = Sequence[tuple[Path, float]]
Command = TypeVar("Command", bound=Callable[..., Any])

# Whether it can be read is not misuse: who reads it says so in one line, with exit 1.

# --------------------------------------------------------------------------------------------------------------------
# Types


class _File(click.Path):
    """A file's name; an empty one, of a shell's unset variable, is no name of the folder one stands in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if value == "":
            self.fail("expected a file's name, received nothing", param, ctx)
        return super().convert(value, param, ctx)


FILE = _File(path_type=Path, readable=False)


class StyleFile(click.ParamType):
    """FILE[:WEIGHT], split at the last colon unless a file has the whole name or the rest is no number."""

    name = "FILE[:WEIGHT]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return (path, weight)."""
        if isinstance(value, tuple):
            return value
        path, weight = split_weight(value)
        if weight is None or Path(value).exists():
            return Path(value), 1.0
        if not (math.isfinite(weight) and weight > 0):
            self.fail(f"{path}: expected a weight over 0, received {value.rpartition(':')[2]}", param, ctx)
        return Path(path), weight


class _Colors(click.ParamType):
    """How the content's colours are kept; also, in a table's cell, whether."""

    name = "luminance|histogram"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a config's `keep_colors`."""
        if value in ("luminance", "histogram"):
            return value
        try:
            return click.BOOL.convert(value, param, ctx) and "luminance"
        except click.UsageError:
            self.fail(f"expected luminance or histogram, received {value!r}", param, ctx)


class _KeepColors(click.Option):
    """`--keep-colors [HOW]`, and `--no-keep-colors` to take it back."""

    def __init__(self, names: Sequence[str], **settings: Any) -> None:
        super().__init__(names, type=_Colors(), is_flag=False, flag_value="luminance", **settings)
        self.secondary_opts = [f"--no-{option.lstrip('-')}" for option in self.opts]

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Take both."""
        super().add_to_parser(parser, ctx)
        parser.add_option(obj=self, opts=self.secondary_opts, dest=self.name, action="store_const", const="no")

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the line of `--help`."""
        return f"{self.opts[0]} [{self.type.name}] / {self.secondary_opts[0]}", self.help or ""


class _Layer(click.ParamType):
    """NAME[:WEIGHT]; the name becomes the papers'."""

    name = "NAME[:WEIGHT]"

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


class _Strengths(click.ParamType):
    """Numbers of 0 to 1 with commas between them."""

    name = "S,S,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a tuple of floats."""
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


def _networks(role: str) -> click.Choice:
    return click.Choice(["auto", *(spec.name for spec in registry.REGISTRY.values() if spec.role == role)])


# --------------------------------------------------------------------------------------------------------------------
# Options


def _joined(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Join options into one decorator; `--help` shows them in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _field_option(
    config: AppConfig | FastConfig | RefineConfig, *names: str, help: str, **settings: Any
) -> Callable[[Command], Command]:
    """Return the option that sets the field of `config` which it is named after.

    Type, choices and the default in the help are read off the field. Not given, the option is None, and the
    preset's value stands.
    """
    field = names[-1].lstrip("-").replace("-", "_")
    home = next(part for part in (config, *vars(config).values()) if hasattr(part, field))
    default, kind = getattr(home, field), get_type_hints(type(home))[field]
    if settings.get("cls") is _KeepColors:
        default = None
    elif isinstance(default, bool):
        names = (f"{names[0]}/--no-{names[0].lstrip('-')}", *names[1:])
    elif get_origin(kind) is Literal:
        settings.setdefault("type", click.Choice(get_args(kind)))
    elif default is not None:
        settings.setdefault("type", type(default))
    if default is not None and not isinstance(default, (bool, tuple)):
        help += f"  [default: {default:g}]" if isinstance(default, float) else f"  [default: {default}]"
    return click.option(*names, default=None, help=help, **settings)


_KEEP_COLORS_HELP = (
    "Keep the photo's colours: by taking only light and dark from the style, or with `histogram` by taking the style "
    "in the photo's colours."
)

_fast = functools.partial(_field_option, FastConfig())
_refine = functools.partial(_field_option, RefineConfig())
_app = functools.partial(_field_option, AppConfig())

content_option = click.option("-c", "--content", required=True, type=FILE, help="The photograph to paint.")
contents_option = click.option(
    "-c", "--content", "contents", required=True, multiple=True, type=FILE,
    help="The photograph to paint; repeatable; `-` is standard input.",
)  # fmt: skip
styles_option = click.option(
    "-s", "--style", "styles", required=True, multiple=True, type=StyleFile(),
    help="The picture whose style to take; several are blended by their weights.",
)  # fmt: skip
masks_option = click.option(
    "--mask", "masks", multiple=True, type=FILE,
    help="A picture that is white where to paint and black where the photo stays; repeatable: one for each style.",
)  # fmt: skip
output_option = click.option(
    "-o", "--output", type=FILE,
    help="The picture to write; its suffix chooses the format.  [default: beside the content, such as "
    "photo-painting-fast.png]",
)  # fmt: skip
overwrite_option = click.option("--overwrite", is_flag=True, help="Replace output that is there already.")
resume_option = click.option("--resume", is_flag=True, help="Go on from the output's checkpoint.")

memory_option = click.option(
    "--memory", "memory_gb", type=click.FloatRange(min=0, min_open=True), metavar="GB",
    help="What the process may take; large pictures are computed in tiles.  [default: what is free]",
)  # fmt: skip

fast_options = _joined(
    _fast("--network", type=_networks("stylizer"), help="The network that paints."),
    _fast("--size", help="Long side of the output, px."),
    _fast("--strength", help="0 keeps the content, 1 is the full style."),
    _fast("--keep-colors", cls=_KeepColors, help=_KEEP_COLORS_HELP),
)

preview_options = _joined(
    click.option(
        "--grid", is_flag=True,
        help="Make one labelled sheet of every content in every style, at 256 px each unless --size says otherwise.",
    ),
    click.option(
        "--strengths", type=_Strengths(),
        help="Make one labelled sheet of every content in these strengths, such as 0.25,0.5,1; sizes as above.",
    ),
    click.option("--show", is_flag=True, help="Draw the result in the terminal, too, beside the original."),
    click.option("--watch", is_flag=True, help="Paint again whenever a file changes, until Ctrl-C."),
)  # fmt: skip

refine_options = _joined(
    click.option(
        "--preset", "-p", type=click.Choice(list(PRESETS)), default="default", show_default=True,
        help="A named set of all options below; those given explicitly win over it.",
    ),
    _refine("--features", type=_networks("features"), help="The network whose features are compared."),
    _refine("--network", type=_networks("stylizer"), help="The network that paints the preview."),
    _refine(
        "--init", metavar="preview|preview+content|content|noise|content+noise|FILE",
        help="What to start from; of a FILE, sizes up to its own are taken as painted.",
    ),
    _refine("--size", help="Long side of the output, px."),
    _refine("--steps", help="Evaluations of the loss, over all sizes from coarse to fine."),
    _refine("--time-budget", type=float, metavar="SECONDS", help="Take so long, whatever --steps says."),
    _refine("--optimizer", help="How pixels are moved."),
    _refine("--learning-rate", help="Adam's step on pixels in [0, 1]; of L-BFGS only the first step."),
    _refine("--content-weight", help="How much the scene counts."),
    _refine("--style-weight", help="How much the style counts."),
    _refine("--tv-weight", "total_variation_weight", help="How much smoothness (total variation) counts."),
    _refine(
        "--content-layer", "content_layers", type=_Layer(), multiple=True,
        help="A VGG-19 layer that holds the scene, such as relu4_2; repeatable. Layers named without weights "
        "share the preset's equally.",
    ),
    _refine(
        "--style-layer", "style_layers", type=_Layer(), multiple=True,
        help="A VGG-19 layer that holds the style, as above.",
    ),
    _refine("--pooling", help="Of the feature network."),
    _refine("--recolor", help="Hold on to the scene as it looks in the style's colours."),
    _refine("--strength", help="0 keeps the content, 1 is the full style."),
    _refine("--style-scale", help="Long side of the style relative to the output's; larger: larger strokes."),
    _refine("--keep-colors", cls=_KeepColors, help=_KEEP_COLORS_HELP),
    _refine("--precision", help="Of the convolutions."),
    _refine("--seed", help="Of the noise; the same seed gives the same picture."),
)  # fmt: skip

app_options = _joined(
    _app("--host", help="The address to listen on; 0.0.0.0 lets the whole network in."),
    _app("--port", help="The port to listen on."),
    _app("--max-refinements", help="Refinements at a time, of all visitors."),
    _app("--max-queue", help="Refinements that may wait beyond those."),
    _app("--max-upload-mb", help="The largest file that is taken."),
    _app("--max-megapixels", help="The largest picture that is decoded."),
)

common_options = _joined(
    click.option("--json", "as_json", is_flag=True, help="Print one machine-readable result on stdout."),
    click.option(
        "--progress", type=click.Choice(["auto", "bar", "json", "none"]), default="auto",
        help="On stderr: a bar, one JSON line an iterate, or nothing; auto is the bar on a terminal.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but the result and errors."),
    click.option("-v", "--verbose", is_flag=True, help="Print more about networks, sizes and times."),
    click.option("--offline", is_flag=True, help="Never use the internet; also STYLIZE_OFFLINE=1."),
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------------------
# Configs


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that stand on the command line."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def refine_config_of(preset: str, options: Mapping[str, Any]) -> RefineConfig:
    """Return the preset's config, those of the `refine_options` over it that were given."""
    return preset_config(preset, given(options))


def arguments_of(config: RefineConfig) -> list[str]:
    """Return the options that make `config`, over the preset that leaves the fewest: `refine_config_of`, backwards.

    Raises OptionError for a config that no options make.
    """
    declared = [each for each in click.Command("", params=_declared(refine_options)).params if each.name != "preset"]
    found = []
    for name, preset in PRESETS.items():
        changed = {
            str(option.name): (option, value)
            for option in declared
            if (value := _value(config, option.name)) != _value(preset.config, option.name)
        }
        if preset.config.replace(**{field: value for field, (_, value) in changed.items()}) == config:
            words = [] if name == "default" else ["--preset", name]
            found.append(words + [word for pair in changed.values() for word in _words(*pair)])
    if not found:
        raise OptionError("expected a config that options of refine make, received one with values that have none")
    return min(found, key=len)


def _declared(options: Callable[[Command], Command]) -> list[click.Parameter]:
    return click.command()(options(lambda: None)).params  # type: ignore[arg-type]


def _value(config: RefineConfig, field: str | None) -> Any:
    return next(getattr(part, str(field)) for part in (config, *vars(config).values()) if hasattr(part, str(field)))


def _words(option: click.Parameter, value: Any) -> list[str]:
    """Return an option as it is typed."""
    if isinstance(option, _KeepColors) and value:
        return [option.opts[0], value]
    if isinstance(value, bool):
        return [(option.opts if value else option.secondary_opts)[0]]
    if isinstance(value, tuple):
        return [word for name, weight in value for word in (option.opts[0], f"{name}:{_number_text(weight)}")]
    return [option.opts[0], _number_text(value) if isinstance(value, float) else str(value)]


def _number_text(number: float) -> str:
    """Return the shortest text that is read back as the number."""
    return f"{number:g}" if float(f"{number:g}") == number else repr(number)

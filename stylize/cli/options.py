"""The options of the command line.

Each is declared once. Its default, type and choices come from the field of `stylize.config` that the option sets.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Set
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click

from stylize.cli.types import (
    FILE,
    SOURCE,
    File,
    KeepColorsOption,
    Layer,
    Memory,
    Number,
    Size,
    Strengths,
    StyleFile,
    network_choice,
)
from stylize.config import AppConfig, FastConfig, RefineConfig
from stylize.errors import OptionError
from stylize.output import OutputConfig
from stylize.presets import PRESETS, preset_config

__all__ = [
    "app_options",
    "common_options",
    "content_option",
    "contents_option",
    "fast_options",
    "file_options",
    "given",
    "mask_sources_option",
    "masks_option",
    "memory_option",
    "named_choices",
    "output_config_of",
    "output_option",
    "overwrite_option",
    "preview_options",
    "provenance_option",
    "quality_option",
    "refine_config_of",
    "refine_options",
    "resume_option",
    "steps_or_time",
    "style_sources_option",
    "styles_option",
]

Command = TypeVar("Command", bound=Callable[..., Any])


def _joined(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Join options into one decorator; `--help` shows them in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def named_choices(help: str, kind: Any) -> str:
    """Return a help with the choices of an option's type in the place of `{choices}`."""
    if not isinstance(kind, click.Choice):
        return help
    *others, last = kind.choices
    return help.replace("{choices}", f"{', '.join(others)} or {last}")


def _field_option(
    config: AppConfig | FastConfig | OutputConfig | RefineConfig, *names: str, help: str, **settings: Any
) -> Callable[[Command], Command]:
    """Return the option that sets the field of `config` with the option's name.

    Type, choices and the default in the help come from the field; `{choices}` in the help stands for the choices. An
    option that is not given is None, and the preset's value holds.
    """
    field = names[-1].lstrip("-").replace("-", "_")
    part = next(part for part in (config, *vars(config).values()) if hasattr(part, field))
    default, kind = getattr(part, field), get_type_hints(type(part))[field]
    if settings.get("cls") is KeepColorsOption:
        default = None
    elif isinstance(default, bool):
        names = (f"{names[0]}/--no-{names[0].lstrip('-')}", *names[1:])
    elif get_origin(kind) is Literal:
        settings.setdefault("type", click.Choice(get_args(kind)))
    elif default is not None:
        settings.setdefault("type", Number() if isinstance(default, float) else type(default))
    help = named_choices(help, settings.get("type"))
    if default is not None and not isinstance(default, (bool, tuple)):
        help += f"  [default: {default:g}]" if isinstance(default, float) else f"  [default: {default}]"
    return click.option(*names, default=None, help=help, **settings)


_KEEP_COLORS_HELP = (
    "Keep the photo's colours: luminance takes only light and dark from the style, histogram recolours the style "
    "first. Without a value: luminance."
)

_SIZE_HELP = "Long side in px; N%: of the photo's."

_fast = functools.partial(_field_option, FastConfig())
_refine = functools.partial(_field_option, RefineConfig())
_app = functools.partial(_field_option, AppConfig())
_output = functools.partial(_field_option, OutputConfig())

content_option = click.option(
    "-c", "--content", required=True, type=FILE, metavar="FILE", help="The photograph to paint."
)
contents_option = click.option(
    "-c", "--content", "contents", required=True, multiple=True, type=SOURCE, metavar="FILE|URL",
    help="The photograph to paint; repeatable; `-` is standard input.",
)  # fmt: skip


def _styles_option(kind: File) -> Callable[[Command], Command]:
    return click.option(
        "-s", "--style", "styles", required=True, multiple=True, type=StyleFile(kind),
        help="The picture whose style to take, or one of ours such as @swirls (PowerShell needs quotes); several are "
        "blended. `stylize styles` shows ours.",
    )  # fmt: skip


def _masks_option(kind: File) -> Callable[[Command], Command]:
    return click.option(
        "--mask", "masks", multiple=True, type=kind, metavar="FILE",
        help="White where to paint, black where the photo stays; repeatable: one for each style.",
    )  # fmt: skip


styles_option, style_sources_option = _styles_option(FILE), _styles_option(SOURCE)
masks_option, mask_sources_option = _masks_option(FILE), _masks_option(SOURCE)


def output_option(command: str) -> Callable[[Command], Command]:
    """Return the option of a command's output."""
    return click.option(
        "-o", "--output", type=FILE, metavar="FILE",
        help=f"The picture to write; its suffix chooses the format.  [default: photo-painting-{command}.png]",
    )  # fmt: skip


overwrite_option = click.option("--overwrite", is_flag=True, help="Replace output that is there already.")
# Named as the parameter of `stylize.refine`, so that errors about the checkpoint show this flag.
resume_option = click.option("--resume", "resume_from", is_flag=True, help="Go on where this output's run stopped.")

memory_option = click.option(
    "--memory", "memory_gb", type=Memory(), metavar="GB",
    help="Memory to use; larger pictures are tiled.  [default: what is free]",
)  # fmt: skip

quality_option = _output(
    "--quality", type=int, metavar="1-100", help="Of JPEG, WebP, AVIF.  [default: 95, for AVIF 90]"
)
file_options = _joined(
    _output("--bit-depth", help="8, or 16 for PNG and TIFF."),
    _output(
        "--keep-metadata", "metadata", metavar="WHAT",
        help="What to keep of the photo's EXIF: safe (author, copyright, date, resolution), all or none; never where "
        "it was taken.",
    ),
)  # fmt: skip
provenance_option = _output("--provenance", help="Whether the picture tells how it was made.")

fast_options = _joined(
    _fast(
        "--network",
        type=network_choice("stylizer"),
        metavar="NAME",
        help="The network that paints: {choices}.",
    ),
    _fast("--size", type=Size(), metavar="PX|original|N%", help=_SIZE_HELP),
    _fast("--strength", help="0 keeps the photo, 1 is all style."),
    _fast("--keep-colors", cls=KeepColorsOption, help=_KEEP_COLORS_HELP),
)

preview_options = _joined(
    click.option(
        "--grid", is_flag=True,
        help="Make one sheet of every content in every style, at 256 px each unless --size is given.",
    ),
    click.option(
        "--strengths", type=Strengths(),
        help="Make one sheet of every content in these strengths, such as 0.25,0.5,1, at 256 px each unless --size is "
        "given.",
    ),
    click.option("--show", is_flag=True, help="Also draw the result in the terminal."),
    click.option("--watch", is_flag=True, help="Paint again whenever a file changes, until Ctrl-C."),
)  # fmt: skip

refine_options = _joined(
    click.option(
        "--preset", "-p", type=click.Choice(list(PRESETS)), default="default", show_default=True, metavar="NAME",
        help="A set of options, see below.",
    ),
    _refine(
        "--features", type=network_choice("features"), metavar="NAME",
        help="The network whose features are compared: {choices}.",
    ),
    _refine(
        "--network", type=network_choice("stylizer"), metavar="NAME",
        help="The network that paints the preview: {choices}.",
    ),
    _refine(
        "--init", metavar="WHAT|FILE",
        help="Start from preview, preview+content, content, noise, content+noise, or a picture.",
    ),
    _refine("--size", type=Size(), metavar="PX|original|N%", help=_SIZE_HELP),
    _refine("--steps", help="Steps in total, over all sizes."),
    _refine("--time-budget", type=Number(), metavar="SECONDS", help="Time for the whole run; replaces --steps."),
    _refine("--optimizer", metavar="NAME", help="{choices}."),
    _refine("--learning-rate", help="Adam's step on [0, 1]; L-BFGS: the first step."),
    _refine("--content-weight", help="How much the scene counts."),
    _refine("--style-weight", help="How much the style counts."),
    _refine("--places-weight", help="How much it counts that each place looks like a place of the style."),
    _refine("--tv-weight", "total_variation_weight", help="How much total variation costs."),
    _refine(
        "--content-layer", "content_layers", type=Layer(), multiple=True,
        help="A layer of the scene, such as relu4_2; repeatable.",
    ),
    _refine(
        "--style-layer", "style_layers", type=Layer(), multiple=True,
        help="A layer of the style; layers without WEIGHT count alike.",
    ),
    _refine("--pooling", help="Pooling of the feature network."),
    _refine("--recolor", help="Take the scene from the photo in the style's colours."),
    _refine("--strength", help="0 keeps the photo, 1 is all style."),
    _refine("--style-scale", help="Size of the style relative to the output's; larger: larger strokes."),
    _refine("--keep-colors", cls=KeepColorsOption, help=_KEEP_COLORS_HELP),
    _refine("--precision", metavar="NAME", help="{choices}."),
    _refine("--seed", help="Seed of the noise."),
)  # fmt: skip

app_options = _joined(
    _app("--host", help="The address to listen on; 0.0.0.0 lets the whole network in."),
    _app("--port", help="The port to listen on."),
    _app("--max-refinements", help="Refinements that run at the same time, for all visitors."),
    _app("--max-queue", help="Refinements that may wait for their turn."),
    _app("--max-upload-mb", help="The largest file that may be uploaded."),
    _app("--max-megapixels", help="The largest picture that is decoded."),
)

common_options = _joined(
    click.option("--json", "as_json", is_flag=True, help="Print one result as JSON."),
    click.option(
        "--progress", type=click.Choice(["auto", "bar", "json", "none"]), default="auto",
        metavar="HOW", help="On stderr: bar, json, none; auto: bar on a terminal.",
    ),
    click.option("-q", "--quiet", is_flag=True, help="Print nothing but the result and errors."),
    click.option("-v", "--verbose", is_flag=True, help="Print more: networks, sizes, times."),
    click.option("--offline", is_flag=True, help="Never use the internet."),
)  # fmt: skip


# --------------------------------------------------------------------------------------------------------------------
# Configs


def given(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given on the command line."""
    return {name: value for name, value in options.items() if value not in (None, ())}


def output_config_of(options: dict[str, Any]) -> OutputConfig:
    """Take the options that tell how a picture is written out of `options`, and return their config."""
    names = [field.name for field in dataclasses.fields(OutputConfig)]
    return OutputConfig(**given({name: options.pop(name, None) for name in names}))


def refine_config_of(preset: str, options: Mapping[str, Any], defaults: Set[str]) -> RefineConfig:
    """Return the preset's config with the `refine_options` that were given.

    Args:
        preset: the preset's name.
        options: values by name; None or () for an option that was not given.
        defaults: the names of options that nobody asked for, such as the user's defaults.

    Raises:
        OptionError: a value is out of range, or both `steps` and `time_budget` are asked for.
    """
    return preset_config(preset, steps_or_time(given(options), defaults))


def steps_or_time(options: Mapping[str, Any], defaults: Set[str]) -> dict[str, Any]:
    """Return given options without a time budget that is only a default, where steps were asked for.

    Raises:
        OptionError: both were asked for.
    """
    asked = options.keys() - defaults
    if {"steps", "time_budget"} <= asked:
        raise OptionError("time_budget: replaces steps, expected one of the two, received both")
    return {name: value for name, value in options.items() if name != "time_budget" or "steps" not in asked}

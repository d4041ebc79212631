"""`stylize rerun`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from stylize import files
from stylize._version import __version__
from stylize.cli.command import Command
from stylize.cli.commands.info import provenance_of
from stylize.cli.commands.painting import Painting
from stylize.cli.commands.painting_checks import check_painting
from stylize.cli.commands.results import print_result
from stylize.cli.console import Run
from stylize.cli.options import (
    file_options,
    given,
    output_config_of,
    overwrite_option,
    provenance_option,
    quality_option,
    resume_option,
)
from stylize.cli.run import with_device, with_run
from stylize.cli.sources import fitting_output
from stylize.cli.types import FILE, Source, SourceStyles, StyleFile, Styles, Url
from stylize.config import INITS, FastConfig, RefineConfig, config_from_dict
from stylize.earlier import with_earlier_options
from stylize.errors import ImageError, OptionError, StylizeError
from stylize.images.provenance import places
from stylize.images.recorded import FileRecord, PaintingRecord
from stylize.machine import has_native_bfloat16
from stylize.networks import devices, registry
from stylize.schema import shown
from stylize.styles import StyleName, is_name
from stylize.text import one_line

__all__ = ["rerun"]


@click.command(cls=Command)
@click.argument("image", type=FILE)
@click.option("-o", "--output", type=FILE, metavar="FILE", help="The picture to write.  [default: IMAGE-rerun]")
@click.option("-c", "--content", type=FILE, metavar="FILE", help="Paint this instead of the recorded content.")
@click.option(
    "-s", "--style", "styles", multiple=True, type=StyleFile(),
    help="Take the style of this instead of the recorded ones.",
)  # fmt: skip
@click.option(
    "--mask",
    "masks",
    multiple=True,
    type=FILE,
    metavar="FILE",
    help="Paint where this says instead of the recorded masks.",
)
@quality_option
@file_options
@provenance_option
@resume_option
@overwrite_option
@with_run
@with_device
def rerun(
    run: Run, *, image: Path, output: Path | None, content: Path | None, styles: Styles, masks: Sequence[Path],
    resume_from: bool, overwrite: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint a picture again, by the provenance inside it.

    The inputs are looked for where they were, then beside the picture, and have to be the same files.
    """
    provenance = provenance_of(image)
    command = provenance.get("command")
    if command not in ("fast", "refine"):
        raise StylizeError(f"{image}: expected the provenance of fast or refine, received that of {shown(command)}")
    try:
        recorded = PaintingRecord.of(provenance)
        source: Source = content or _recorded_input(run, "content", recorded.content, image)
        used_styles: SourceStyles = styles or [(_recorded_style(run, s, image), s.weight) for s in recorded.styles]
        used_masks: Sequence[Source] = masks or [_recorded_input(run, "mask", mask, image) for mask in recorded.masks]
        config = _recorded_config(run, recorded, image)
    except ValueError as error:
        raise StylizeError(f"{image}: its provenance is damaged or of another version: {error}") from error
    _check_options(run, recorded.command, resume=resume_from)
    output = output or image.with_name(files.shortened(image.stem, f"-rerun{image.suffix}"))
    asked = given(options)
    written = output_config_of({**vars(recorded.output), **asked})
    written = fitting_output(written, output.suffix, asked.__contains__)
    painting = Painting(
        source, used_styles, config, output, masks=used_masks, overwrite=overwrite, resume=resume_from,
        output_config=written,
    )  # fmt: skip
    check_painting(painting, image)
    if recorded.version != __version__:
        run.say(f"made by stylize {recorded.version}, this is {__version__}: the picture may differ")
    if recorded.precision_used not in (None, getattr(config, "precision", None)):
        run.say(f"made in {recorded.precision_used}, which this machine does not have: the picture may differ")
    if command == "refine":
        _take_recorded_device(run, recorded)
    if recorded.steps_taken not in (None, getattr(config, "steps", None)):
        run.say(
            f"made in {recorded.steps_taken} steps, as it ran out of time or was interrupted: the picture may differ"
        )
    run.sources = recorded.sources
    result = painting.paint(run)
    used = {network.name: network.sha256 for network in recorded.networks}
    for network in result.networks:
        if dict(network.sha256) != used.get(network.name):
            run.say(f"{network.name} is not the network that was recorded: the picture may differ")
    print_result(run, result, output)


def _check_options(run: Run, command: str, *, resume: bool) -> None:
    """Raise OptionError for options of a refinement that a picture of `fast` does not take."""
    asked = {"resume": resume, "backend": run.backend != "auto", "device": run.device != "auto"}
    for name in [name for name, is_asked in asked.items() if is_asked and command == "fast"]:
        raise OptionError(f"{name}: expected a picture of refine, received one of fast; leave it out")


def _recorded_config(run: Run, recorded: PaintingRecord, image: Path) -> FastConfig | RefineConfig:
    """Return the config that was recorded, with the networks and the precision that `auto` chose.

    Raises ValueError for options that no config has.
    """
    options = dict(recorded.options)
    fields = {"stylizer": "network", "features": "features"}
    for network in recorded.networks:
        spec = registry.REGISTRY.get(network.name)
        if spec is not None and fields[spec.role] in options:
            options[fields[spec.role]] = spec.name
    used = recorded.precision_used
    if used == "float32" or (used == "bfloat16" and has_native_bfloat16()):  # without the instructions bfloat16 is slow
        options["precision"] = used
    if recorded.command == "fast":
        return config_from_dict(FastConfig, options)
    # First without the file: `init` is a path only where its hash is recorded, too.
    named = options.pop("init", "preview") if recorded.init is None else "content"
    config = config_from_dict(RefineConfig, {**with_earlier_options(options), "init": named})
    if recorded.init is not None:
        init = _recorded_input(run, "init", recorded.init, image)
        return config.replace(init=init if isinstance(init, Url) else str(init))
    if config.init not in INITS:
        raise ValueError(f"options.init: expected {', '.join(INITS)}, or a file with its hash; received {shown(named)}")
    return config


def _take_recorded_device(run: Run, recorded: PaintingRecord) -> None:
    """Compute where the picture was made, unless an option says otherwise, or say why not."""
    if run.backend == "auto":
        if recorded.backend in devices.installed_backends():
            run.backend = recorded.backend
        else:
            run.say(f"made with {recorded.backend}, which is not installed: the picture may differ")
    if run.device == "auto" and run.backend == recorded.backend:
        if recorded.device == "cpu:0" or devices.gpus(recorded.backend):
            run.device = recorded.device
        else:
            run.say(f"made on {recorded.device}, which {recorded.backend} does not see here: the picture may differ")


def _recorded_style(run: Run, record: FileRecord, image: Path) -> Source | StyleName:
    """Return the recorded style: by its name, if it is one of the project's own."""
    if record.path is None or not is_name(record.path):
        return _recorded_input(run, "style", record, image)
    style = StyleName(record.path)
    if files.sha256(str(style.file)) != record.sha256:
        raise StylizeError(f"style {style}: has changed since; --style FILE takes another")
    return style


def _recorded_input(run: Run, name: str, record: FileRecord, image: Path) -> Source:
    """Return the recorded file, where it was or beside the image, unless it is gone or changed; or the URL."""
    advice = "" if name == "init" else f"; --{name} FILE takes another"
    if record.path is None:
        raise StylizeError(f"{image}: its {name} was no file{advice}")
    if files.is_url(record.path):
        return _recorded_url(run, name, record, Url(record.path), advice)
    found = [Path(path) for path in places(record.path, str(image.parent)) if os.path.isfile(path)]
    for path in found:
        try:
            if files.sha256(str(path)) == record.sha256:
                return path
        except OSError as error:
            raise StylizeError(f"{name} {path}: could not be read: {error.strerror or error}{advice}") from error
    if found:
        raise StylizeError(f"{name} {found[0]}: has changed since{advice}")
    recorded = record.path if len(record.path) <= files.MAX_NAME_BYTES else shown(record.path)
    raise StylizeError(f"{name} {recorded}: no such file, nor beside {image}{advice}")


def _recorded_url(run: Run, name: str, record: FileRecord, url: Url, advice: str) -> Url:
    """Return the URL of a recorded picture, unless the picture is gone or changed, or may not be looked for."""
    from stylize.images.opening import open_picture_file, pillow_errors

    label = one_line(f"{name} {url}")
    if run.offline and not url.is_local:
        raise StylizeError(f"{label}: --offline reads no URL{advice}")
    try:
        with open_picture_file(url, label) as stream, pillow_errors(label):
            if files.stream_sha256(stream) == record.sha256:
                return url
    except ImageError as error:
        raise StylizeError(f"{error}{advice}") from error
    raise StylizeError(f"{label}: has changed since{advice}")

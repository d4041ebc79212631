"""`stylize fast`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylize.cli.commands.checks import default_output, output_key
from stylize.cli.commands.previews import STANDARD_STREAM, Preview, Sheet, Sources, Work, shown_name
from stylize.cli.commands.watch import file_state, watch_files
from stylize.cli.console import Run
from stylize.cli.expanding import Expanding
from stylize.cli.flags import error_text
from stylize.cli.options import (
    contents_option,
    fast_options,
    file_options,
    given,
    mask_sources_option,
    output_config_of,
    output_option,
    overwrite_option,
    preview_options,
    provenance_option,
    quality_option,
    style_sources_option,
)
from stylize.cli.printing import print_line
from stylize.cli.run import with_run
from stylize.cli.sources import fitting_output, is_asked, is_user_default
from stylize.cli.types import Source, SourceStyles, Styles, Url
from stylize.config import FastConfig, check_mask_count
from stylize.errors import OptionError, StylizeError, WeightsError
from stylize.output import OutputConfig
from stylize.styles import StyleName

if TYPE_CHECKING:
    from stylize.images.picture import Picture

__all__ = ["fast"]

# Long side of each picture on a sheet, unless --size is given.
_SHEET_PX = 256


@click.command(
    cls=Expanding,
    examples=(
        "stylize fast -c photo.jpg -s painting.jpg",
        "stylize fast -c *.jpg -s painting.jpg -o FOLDER",
        "stylize fast -c photo.jpg -s a.jpg -s b.jpg --grid",
    ),
)
@contents_option
@style_sources_option
@mask_sources_option
@output_option("fast")
@fast_options
@preview_options
@quality_option
@file_options
@provenance_option
@overwrite_option
@with_run
def fast(
    run: Run, *, contents: Sequence[Source], styles: SourceStyles, masks: Sequence[Source], output: Path | None,
    overwrite: bool, grid: bool, strengths: Sequence[float] | None, show: bool, watch: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint at once, by a feed-forward network.

    Several contents are painted one after the other, each beside its own file, or all into a folder by -o FOLDER.
    `-c -` reads a picture from standard input, `-o -` writes PNG to standard output. `-c *.jpg` takes all files that
    the shell names. An animation (GIF, WebP, APNG, AVIF) is painted frame by frame where the output can hold one, and
    elsewhere its first frame.
    """
    suffix = "png" if output in (None, STANDARD_STREAM) or os.path.isdir(output) else output.suffix
    output_config = fitting_output(output_config_of(options), suffix)
    settings = given(options)
    _check_streams(run, [*contents, *(path for path, _ in styles), *masks], output, watch=watch)
    if STANDARD_STREAM in contents and output is None:
        raise OptionError("-c -: expected the name of the output, -o FILE, or -o - for standard output")
    check_mask_count(len(masks), len(styles))
    sources = Sources()
    works: list[Work]
    if grid or strengths:
        _check_sheet(styles, masks, output_config, grid=grid, strengths=strengths)
        config = FastConfig(**settings)
        if "size" not in settings or is_user_default("size"):
            config = dataclasses.replace(config, size=_SHEET_PX)
        ending = "grid.png" if grid else "strengths.png"
        sheet = output or default_output(shown_name(contents[0]), [] if grid else _shown_styles(styles), ending)
        works = [Sheet(contents, styles, masks, config, sheet, output_config, sources, strengths)]
    else:
        config = FastConfig(**settings)
        outputs = _outputs(contents, styles, output)
        works = [
            Preview([content], styles, masks, config, out, output_config, sources) for content, out in outputs.items()
        ]
    _paint_all(run, works, overwrite=overwrite, show=show, watch=watch)


def _check_streams(run: Run, sources: Sequence[Source | StyleName], output: Path | None, *, watch: bool) -> None:
    """Raise OptionError for pipes and URLs among the pictures to read, and for an output, that do not go together."""
    standard = sources.count(STANDARD_STREAM)
    if standard > 1:
        raise OptionError("-: standard input holds one picture, expected it once among contents, styles and masks")
    if watch and (standard or any(isinstance(source, Url) for source in sources)):
        raise OptionError("--watch: expected files; standard input does not change, and URLs are not watched")
    if standard and sys.stdin is None:
        raise StylizeError("-: expected a picture on standard input, which is closed")
    urls = [source for source in sources if isinstance(source, Url) and not source.is_local]
    if run.offline and urls:
        raise OptionError(f"offline: expected files, received {urls[0]}; download the picture first")
    if output == STANDARD_STREAM:
        if run.as_json and is_asked("as_json"):
            raise OptionError("-o -: the picture is all that is on standard output, leave out --json")
        if watch:
            raise OptionError("-o -: expected one picture, leave out --watch")
        if sys.stdout is None:
            raise StylizeError("-o -: expected a pipe or a file as standard output, which is closed")
        if sys.stdout.isatty():
            raise OptionError("-o -: expected a pipe or a file, received a terminal; --show draws there")


def _check_sheet(
    styles: SourceStyles, masks: Sequence[Source], output_config: OutputConfig, *,
    grid: bool, strengths: Sequence[float] | None,
) -> None:  # fmt: skip
    """Raise OptionError for options that have no meaning for a sheet."""
    if grid and strengths:
        raise OptionError("--grid, --strengths: expected one of the two sheets")
    if grid and any(weight != 1 for _, weight in styles):
        raise OptionError("--grid: shows every style alone, expected styles without weights")
    if grid and len(masks) > 1:
        raise OptionError("--grid: shows every style alone, expected one mask for all")
    if strengths and is_asked("strength"):
        raise OptionError("--strengths: takes the place of --strength, leave that out")
    carried = {"provenance": output_config.provenance, "metadata": output_config.metadata != "none"}
    for name in [name for name, is_carried in carried.items() if is_carried and is_asked(name)]:
        raise OptionError(f"{name}: sheets carry neither provenance nor metadata, leave it out")


def _outputs(contents: Sequence[Source], styles: SourceStyles, output: Path | None) -> dict[Source, Path]:
    """Return where the picture of each content goes; into an existing folder under its default name."""
    named = _shown_styles(styles)
    outputs = {content: default_output(shown_name(content), named, "fast.png") for content in contents}
    if output is not None and output != STANDARD_STREAM and os.path.isdir(output):
        outputs = {content: output / path.name for content, path in outputs.items()}
    elif output is not None and len(contents) == 1:
        outputs = {contents[0]: output}
    elif output is not None:
        raise OptionError(
            f"output {output}: expected an existing folder, as there are {len(contents)} contents, each with a picture "
            "of its own"
        )
    counts = Counter(map(output_key, outputs.values()))
    for path in outputs.values():
        if counts[output_key(path)] > 1:
            raise OptionError(f"output {path}: two contents have this name, paint them one by one with -o")
    return outputs


def _shown_styles(styles: SourceStyles) -> Styles:
    return [(shown_name(path), weight) for path, weight in styles]


def _paint_all(run: Run, works: Sequence[Work], *, overwrite: bool, show: bool, watch: bool) -> None:
    """Make every file; a file that fails does not stop the others."""
    alone = len(works) == 1
    failures: list[StylizeError] = []
    checked: list[Work] = []
    # Of all works: no output may replace what another work has yet to read.
    read = [path for path in dict.fromkeys(path for work in works for path in work.inputs) if os.path.exists(path)]
    for work in works:
        with _errors_collected(failures, alone=alone):
            work.check(read, overwrite=overwrite)
            checked.append(work)

    from stylize.networks.loaded import LoadedNetworks

    networks = LoadedNetworks()
    seen = [[file_state(path) for path in work.inputs] for work in checked]
    as_list = run.as_json and not alone and not watch
    listed: list[dict[str, Any]] = []
    painted = False

    def paint(work: Work, *, overwrite: bool) -> None:
        nonlocal painted
        data, pictures = work.paint(run, networks, overwrite=overwrite)
        painted = True
        if show:
            _show(run, pictures, clear=watch)
        if as_list:
            listed.append(data)
        elif work.output != STANDARD_STREAM:
            run.result(data, str(work.output))

    for work in checked:
        # Once a picture is painted, the options are right: one that fails does not fit this file, such as an animation.
        with _errors_collected(failures, alone=alone, for_all=(WeightsError,) if painted else _FOR_ALL):
            paint(work, overwrite=overwrite)
    if as_list:
        run.result(listed, "")
    for failure in failures:
        print_line(f"stylize: {error_text(failure, fast)}", error=True)
    if watch:
        run.say("watching for changes; Ctrl-C ends")
        with contextlib.suppress(KeyboardInterrupt):
            watch_files([work.inputs for work in checked], seen, lambda index: paint(checked[index], overwrite=True))
    elif failures:
        click.get_current_context().exit(1)


# Errors that the next file would have, too.
_FOR_ALL = (OptionError, WeightsError)


@contextlib.contextmanager
def _errors_collected(
    failures: list[StylizeError], *, alone: bool, for_all: tuple[type[StylizeError], ...] = _FOR_ALL
) -> Iterator[None]:
    """Append a file's error to `failures`, unless the file is alone or the next file would fail in the same way."""
    try:
        yield
    except StylizeError as error:
        if alone or isinstance(error, for_all):
            raise
        failures.append(error)


def _show(run: Run, pictures: Sequence[Picture], *, clear: bool) -> None:
    # On standard error: standard output may be a pipe for the path, JSON or the picture itself.
    from stylize.reports import terminal
    from stylize.reports.sheet import over_paper

    if sys.stderr is None or not terminal.can_draw(sys.stderr):
        run.say("--show: standard error is no terminal, nothing is drawn")
        return
    if clear:
        sys.stderr.write("\x1b[H\x1b[2J")
    terminal.draw([over_paper(picture.pixels, picture.alpha) for picture in pictures], sys.stderr)

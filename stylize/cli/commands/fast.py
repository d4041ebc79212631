"""`stylize fast`."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from stylize.cli.commands.painting import beside, check_files, check_output, facts, save, tell_details, with_run
from stylize.cli.console import Run, to_standard_output
from stylize.cli.options import (
    Styles,
    contents_option,
    fast_options,
    given,
    masks_option,
    output_option,
    overwrite_option,
    preview_options,
    styles_option,
)
from stylize.config import FastConfig, check_mask_count
from stylize.errors import OptionError, StylizeError, WeightsError

if TYPE_CHECKING:
    import numpy as np

    from stylize.images.picture import Picture
    from stylize.networks.loaded import LoadedNetworks

__all__ = ["fast"]

_STANDARD = Path("-")
_SHEET_PX = 256
"""Long side of each picture on a sheet, unless --size says otherwise."""
_POLL_S = 0.1
_PATIENCE_S = 1.0
"""A file that can't be read is given this long to be written to its end."""

_State: TypeAlias = "tuple[int, ...] | None"


@click.command()
@contents_option
@styles_option
@masks_option
@output_option
@fast_options
@preview_options
@overwrite_option
@with_run
def fast(
    run: Run, contents: Sequence[Path], styles: Styles, masks: Sequence[Path], output: Path | None, overwrite: bool,
    grid: bool, strengths: Sequence[float] | None, show: bool, watch: bool, **options: Any,
) -> None:  # fmt: skip
    """Paint at once, by a feed-forward network.

    Several contents are painted one after the other, each beside its own file, or all into a folder by -o FOLDER.
    `-c -` reads a picture from standard input, `-o -` writes PNG to standard output.
    """
    settings = given(options)
    _check_options(run, contents, styles, masks, output, grid, strengths, watch, settings)
    sources = _Sources()
    works: list[_Work]
    if grid or strengths:
        config = FastConfig(**{"size": _SHEET_PX, **settings})
        ending = "grid.png" if grid else "strengths.png"
        first = contents[0]
        sheet = output or (first.with_name(f"{first.stem}-{ending}") if grid else beside(first, styles, ending))
        works = [_Sheet(contents, styles, masks, config, sheet, sources, strengths)]
    else:
        config = FastConfig(**settings)
        outputs = _outputs(contents, styles, output)
        works = [_Preview([content], styles, masks, config, out, sources) for content, out in outputs.items()]
    _paint_all(run, works, overwrite=overwrite, show=show, watch=watch)


# --------------------------------------------------------------------------------------------------------------------
# Misuse


def _check_options(
    run: Run,
    contents: Sequence[Path],
    styles: Styles,
    masks: Sequence[Path],
    output: Path | None,
    grid: bool,
    strengths: Sequence[float] | None,
    watch: bool,
    settings: Mapping[str, Any],
) -> None:
    standard = [*contents, *(path for path, _ in styles), *masks].count(_STANDARD)
    if standard > 1:
        raise OptionError("-: standard input holds one picture, expected it once among contents, styles and masks")
    if standard and watch:
        raise OptionError("--watch: expected files, standard input does not change")
    if _STANDARD in contents and output is None:
        raise OptionError("-c -: expected the name of the output, -o FILE, or -o - for standard output")
    if output == _STANDARD:
        if run.as_json:
            raise OptionError("-o -: the picture is all that is on standard output, leave out --json")
        if watch:
            raise OptionError("-o -: expected one picture, leave out --watch")
        if sys.stdout is not None and sys.stdout.isatty():
            raise OptionError("-o -: expected a pipe or a file, received a terminal; --show draws there")
    check_mask_count(len(masks), len(styles))
    if grid and strengths:
        raise OptionError("--grid, --strengths: expected one of the two sheets")
    if grid and any(weight != 1 for _, weight in styles):
        raise OptionError("--grid: shows every style alone, expected styles without weights")
    if grid and len(masks) > 1:
        raise OptionError("--grid: shows every style alone, expected one mask for all")
    if strengths and "strength" in settings:
        raise OptionError("--strengths: takes the place of --strength, leave that out")


def _outputs(contents: Sequence[Path], styles: Styles, output: Path | None) -> dict[Path, Path]:
    """Return where each content's picture goes; an existing folder takes it under the name that it has by default."""
    named = [(_named(path), weight) for path, weight in styles]
    outputs = {content: beside(_named(content), named, "fast.png") for content in contents}
    if output is not None and output.is_dir():
        outputs = {content: output / path.name for content, path in outputs.items()}
    elif output is not None and len(contents) == 1:
        outputs = {contents[0]: output}
    elif output is not None:
        raise OptionError(
            f"output {output}: expected an existing folder, as there are {len(contents)} contents, each with a picture "
            "of its own"
        )
    for path in outputs.values():
        if list(outputs.values()).count(path) > 1:
            raise OptionError(f"output {path}: two contents have this name, paint them one by one with -o")
    return outputs


def _named(path: Path) -> Path:
    return Path("stdin") if path == _STANDARD else path


# --------------------------------------------------------------------------------------------------------------------
# Works


class _Sources:
    """The pictures of the command line; styles, which many contents share, are kept while their files stay the same."""

    def __init__(self) -> None:
        self._standard: bytes | None = None
        self._styles: dict[tuple[Path, _State], Picture] = {}

    def content(self, path: Path, config: FastConfig) -> Picture:
        """Return a content, decoded as large as `config` needs it."""
        return self._read(path, "content", config.size)

    def styles(self, styles: Styles, config: FastConfig) -> tuple[tuple[Picture, float], ...]:
        """Return styles with their weights, decoded as large as `config` needs them."""
        from stylize.transfer.inputs import STYLE_PX

        pictures = []
        for path, weight in styles:
            key = path, _state(path)
            if key not in self._styles:
                self._styles[key] = self._read(path, "style", max(config.size, STYLE_PX))
            pictures.append((self._styles[key], weight))
        return tuple(pictures)

    def masks(self, masks: Sequence[Path], config: FastConfig) -> list[Picture]:
        """Return masks, decoded as large as `config` needs them."""
        return [self._read(path, "mask", config.size) for path in masks]

    def _read(self, path: Path, name: str, long_side_px: int) -> Picture:
        from stylize.images.reading import read_image

        if path != _STANDARD:
            return read_image(path, name=name, long_side_px=long_side_px)
        if self._standard is None:
            self._standard = sys.stdin.buffer.read()
        return read_image(self._standard, name=f"{name} -", long_side_px=long_side_px)


@dataclasses.dataclass(frozen=True)
class _Work:
    """One file to make."""

    contents: Sequence[Path]
    styles: Styles
    masks: Sequence[Path]
    config: FastConfig
    output: Path
    sources: _Sources

    @property
    def inputs(self) -> list[Path]:
        """The files that are read."""
        paths = (*self.contents, *(path for path, _ in self.styles), *self.masks)
        return [path for path in paths if path != _STANDARD]

    def check(self, *, overwrite: bool) -> None:
        """Raise StylizeError unless all can be read and written."""
        named = [("content", path) for path in self.contents]
        named += [*(("style", path) for path, _ in self.styles), *(("mask", path) for path in self.masks)]
        check_files([(name, path) for name, path in named if path != _STANDARD])
        if self.output != _STANDARD:
            check_output(self.output, self.inputs, overwrite=overwrite)

    def paint(self, run: Run, networks: LoadedNetworks, *, overwrite: bool) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Make the file; return what `--json` prints of it, and the pictures that `--show` draws."""
        raise NotImplementedError


class _Preview(_Work):
    """One picture."""

    def paint(self, run: Run, networks: LoadedNetworks, *, overwrite: bool) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Paint and write it."""
        from stylize.api import fast

        content = self.sources.content(self.contents[0], self.config)
        styles = self.sources.styles(self.styles, self.config)
        masks = self.sources.masks(self.masks, self.config)
        result = fast(content, styles, mask=masks, config=self.config, loaded=networks, **run.surroundings)
        tell_details(run, result)
        if self.output == _STANDARD:
            from stylize.images.writing import encode

            _to_standard_output(encode(result.image, "png", result.alpha, provenance=result.provenance))
        else:
            save(run, result, self.output, overwrite=overwrite)
        return facts(result, self.output), [content.pixels, result.image]


@dataclasses.dataclass(frozen=True)
class _Sheet(_Work):
    """Every content with every style, or in several strengths."""

    strengths: Sequence[float] | None

    def paint(self, run: Run, networks: LoadedNetworks, *, overwrite: bool) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Paint all pictures and write the sheet."""
        from stylize.api import fast
        from stylize.images.resizing import resized
        from stylize.images.writing import encode, write_image
        from stylize.reports.preview_sheet import preview_sheet
        from stylize.reports.sheet import over_paper

        began = time.perf_counter()
        styles, masks = self.sources.styles(self.styles, self.config), self.sources.masks(self.masks, self.config)
        columns: list[tuple[str, np.ndarray | None]]
        variants: list[tuple[Any, FastConfig]]
        if self.strengths:
            columns = [("content", None), *((f"strength {strength:g}", None) for strength in self.strengths)]
            variants = [(styles, dataclasses.replace(self.config, strength=strength)) for strength in self.strengths]
        else:
            heads = [
                (_named(path).stem, style.pixels) for (path, _), (style, _) in zip(self.styles, styles, strict=True)
            ]
            columns = [("", None), *heads]
            variants = [([style], self.config) for style in styles]
        rows = []
        for path in self.contents:
            content = self.sources.content(path, self.config)
            results = [
                fast(content, style, mask=masks, config=config, loaded=networks, **run.surroundings)
                for style, config in variants
            ]
            height, width = results[0].image.shape[:2]
            alpha = results[0].alpha
            pictures = [resized(content.pixels, height, width), *(result.image for result in results)]
            rows.append((_named(path).stem, [over_paper(picture, alpha) for picture in pictures]))
        sheet = preview_sheet(rows, columns)
        if self.output == _STANDARD:
            _to_standard_output(encode(sheet, "png"))
        else:
            write_image(self.output, sheet, overwrite=overwrite)
        data = {
            "command": "fast",
            "output": self.output,
            "width": sheet.shape[1],
            "height": sheet.shape[0],
            "seconds": time.perf_counter() - began,
            "rows": list(self.contents),
            "columns": list(self.strengths) if self.strengths else [path for path, _ in self.styles],
            "networks": [dataclasses.asdict(network) for network in results[0].networks],
        }
        return data, [sheet]


def _to_standard_output(data: bytes) -> None:
    with to_standard_output():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


# --------------------------------------------------------------------------------------------------------------------
# Running them


def _paint_all(run: Run, works: Sequence[_Work], *, overwrite: bool, show: bool, watch: bool) -> None:
    """Make every file; with several, one that fails does not keep the others from being made."""
    told: list[dict[str, Any]] = []
    failures: list[StylizeError] = []
    checked: list[_Work] = []
    as_list = run.as_json and len(works) > 1 and not watch
    for work in works:
        try:
            work.check(overwrite=overwrite)
            checked.append(work)
        except OptionError:
            raise
        except StylizeError as error:
            _raise_alone(error, works)
            failures.append(error)

    from stylize.networks.loaded import LoadedNetworks

    networks = LoadedNetworks()
    seen = [[_state(path) for path in work.inputs] for work in checked]

    def paint(work: _Work, *, overwrite: bool) -> None:
        data, pictures = work.paint(run, networks, overwrite=overwrite)
        if show:
            _show(run, pictures, clear=watch)
        if as_list:
            told.append(data)
        elif work.output != _STANDARD:
            run.result(data, str(work.output))

    for work in checked:
        try:
            paint(work, overwrite=overwrite)
        except (OptionError, WeightsError):
            raise  # the next would meet the same
        except StylizeError as error:
            _raise_alone(error, works)
            failures.append(error)
    if as_list:
        run.result(told, "")
    for failure in failures:
        click.echo(f"stylize: {failure}", err=True)
    if watch:
        run.say("watching for changes; Ctrl-C ends")
        with contextlib.suppress(KeyboardInterrupt):
            _watch(checked, seen, paint)
    elif failures:
        click.get_current_context().exit(1)


def _raise_alone(error: StylizeError, works: Sequence[_Work]) -> None:
    if len(works) == 1:
        raise error


def _show(run: Run, pictures: Sequence[np.ndarray], *, clear: bool) -> None:
    # On standard error, as standard output may be a pipe that takes the path, JSON or the picture itself.
    from stylize.reports import terminal

    if sys.stderr is None or not terminal.can_draw(sys.stderr):
        run.say("--show: standard error is no terminal, nothing is drawn")
        return
    if clear:
        sys.stderr.write("\x1b[H\x1b[2J")
    terminal.draw(pictures, sys.stderr)


# --------------------------------------------------------------------------------------------------------------------
# --watch


def _state(path: Path) -> _State:
    """Return what changes with a file, also if another is renamed to its place; None if there is none."""
    try:
        about = os.stat(path)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def _watch(works: Sequence[_Work], seen: list[list[_State]], paint: Callable[..., None]) -> None:
    """Make a file again whenever its inputs are no longer as `seen`, until Ctrl-C.

    A handful of files is asked for its time, several times a second: unlike the system's notices that works on
    every file system, and whether an editor writes a file or renames another to its place.
    """
    changed: dict[int, float] = {}
    while True:
        time.sleep(_POLL_S)
        for index, work in enumerate(works):
            states = [_state(path) for path in work.inputs]
            if states != seen[index]:
                # Painted when it has come to rest.
                seen[index], changed[index] = states, time.monotonic()
            elif index in changed and None not in states:
                since = changed.pop(index)
                try:
                    paint(work, overwrite=True)
                except StylizeError as error:
                    # Perhaps not written to its end yet.
                    if time.monotonic() - since < _PATIENCE_S:
                        changed[index] = since
                    else:
                        click.echo(f"stylize: {error}", err=True)

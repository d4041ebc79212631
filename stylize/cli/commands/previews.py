"""The files that `stylize fast` makes: previews, and sheets of previews to choose from."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

from stylize.cli.commands.animations import FastJob, FirstFrame, enough_px, read_first_frame
from stylize.cli.commands.checks import check_files, check_output
from stylize.cli.commands.results import print_details, result_data
from stylize.cli.commands.watch import FileState, file_state
from stylize.cli.console import Run, to_standard_output
from stylize.cli.types import Source, SourceStyles, Url, file_of
from stylize.config import FastConfig
from stylize.output import OutputConfig
from stylize.styles import StyleName

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from stylize.images.picture import Picture
    from stylize.networks.loaded import LoadedNetworks
    from stylize.transfer.results import TransferResult

__all__ = ["STANDARD_STREAM", "Preview", "Sheet", "Sources", "Work", "shown_name"]

#: Standard input or output, on the command line.
STANDARD_STREAM = Path("-")


def shown_name(source: Source | StyleName) -> Path:
    """Return the path that outputs are derived from: the file's, a style's name, `stdin`, or a URL's last part."""
    if isinstance(source, StyleName):
        return Path(source.stem)
    if isinstance(source, Url):
        return Path(PurePosixPath(source.split("?")[0]).name)
    return Path("stdin") if source == STANDARD_STREAM else source


class Sources:
    """Reads the pictures of the command line; keeps the styles, which many contents share, until their files change."""

    def __init__(self) -> None:
        self._standard: bytes | None = None
        self._styles: dict[Source | StyleName, tuple[FileState, Picture]] = {}

    def content(self, path: Source, config: FastConfig) -> FirstFrame:
        """Return a content, decoded as large as `config` needs it."""
        return read_first_frame(self._file(path), config)

    def styles(self, styles: SourceStyles, config: FastConfig) -> tuple[tuple[Picture, float], ...]:
        """Return styles with their weights, decoded as large as `config` needs them."""
        from stylize.transfer.inputs import STYLE_PX

        largest_px, pictures = enough_px(config), []
        for path, weight in styles:
            state = file_state(Path(path))
            if path not in self._styles or self._styles[path][0] != state:
                picture = self._read(path, "style", None if largest_px is None else max(largest_px, STYLE_PX))
                self._styles[path] = state, picture
            pictures.append((self._styles[path][1], weight))
        return tuple(pictures)

    def masks(self, masks: Sequence[Source], config: FastConfig) -> list[Picture]:
        """Return masks, decoded as large as `config` needs them."""
        return [self._read(path, "mask", enough_px(config)) for path in masks]

    def _file(self, path: Source | StyleName) -> Source | StyleName | bytes:
        """Return the file, or the bytes of standard input."""
        if path != STANDARD_STREAM:
            return path
        if self._standard is None:
            from stylize.images.opening import read_stream

            self._standard = read_stream(sys.stdin.buffer, str(STANDARD_STREAM), "standard input").getvalue()
        return self._standard

    def _read(self, path: Source | StyleName, name: str, long_side_px: int | None) -> Picture:
        from stylize.images.reading import read_image

        shown = f"{name} -" if path == STANDARD_STREAM else name
        return read_image(self._file(path), name=shown, long_side_px=long_side_px)


@dataclasses.dataclass(frozen=True)
class Work:
    """One file to make."""

    contents: Sequence[Source]
    styles: SourceStyles
    masks: Sequence[Source]
    config: FastConfig
    output: Path
    output_config: OutputConfig
    sources: Sources
    may_be_animated: ClassVar[bool] = False
    """Whether an animated content makes an animated output."""

    @property
    def inputs(self) -> list[Path]:
        """The files that are read."""
        paths = (*self.contents, *(path for path, _ in self.styles), *self.masks)
        files = [file_of(path) for path in paths if not isinstance(path, StyleName)]
        return [path for path in files if path is not None and path != STANDARD_STREAM]

    def check(self, read: Sequence[Path], *, overwrite: bool) -> None:
        """Raise StylizeError unless all can be read and written, and the output is none of the files to `read`."""
        named: list[tuple[str, Source | StyleName]] = [("content", path) for path in self.contents]
        named += [*(("style", path) for path, _ in self.styles), *(("mask", path) for path in self.masks)]
        check_files([(name, path) for name, path in named if isinstance(path, Path) and path != STANDARD_STREAM])
        if self.output == STANDARD_STREAM:
            from stylize.images.writing import check_format

            check_format("png", self.output_config)
        else:
            size = self.config.size if self.may_be_animated and isinstance(self.config.size, int) else None
            check_output(
                self.output, read, self.output_config,
                overwrite=overwrite, animated=self.may_be_animated, long_side_px=size,
            )  # fmt: skip

    def paint(self, run: Run, networks: LoadedNetworks, *, overwrite: bool) -> tuple[dict[str, Any], list[Picture]]:
        """Make the file; return what `--json` prints of it, and the pictures that `--show` draws."""
        raise NotImplementedError


class Preview(Work):
    """One picture, or one animation."""

    may_be_animated = True

    def paint(self, run: Run, networks: LoadedNetworks, *, overwrite: bool) -> tuple[dict[str, Any], list[Picture]]:
        """Paint and write the preview."""
        from stylize.images.picture import Picture

        to_stream = self.output == STANDARD_STREAM
        content = self.sources.content(self.contents[0], self.config)
        styles = self.sources.styles(self.styles, self.config)
        masks = self.sources.masks(self.masks, self.config)
        job = FastJob(content, styles, masks, self.config, self.output_config)
        result, data = job.paint(run, None if to_stream else self.output, networks=networks, overwrite=overwrite)
        print_details(run, result)
        if to_stream:
            _to_standard_output(data)
        return result_data(result, self.output), [content.picture, Picture(result.image, result.alpha)]


@dataclasses.dataclass(frozen=True)
class Sheet(Work):
    """Every content with every style, or in several strengths."""

    strengths: Sequence[float] | None

    def paint(self, run: Run, networks: LoadedNetworks, *, overwrite: bool) -> tuple[dict[str, Any], list[Picture]]:
        """Paint all pictures and write the sheet."""
        from stylize.images.picture import Picture
        from stylize.images.writing import encode, write_image
        from stylize.reports.preview_sheet import preview_sheet

        began = time.perf_counter()
        columns, variants = self._columns()
        masks = self.sources.masks(self.masks, self.config)
        rows = []
        for path in self.contents:
            content = self.sources.content(path, self.config).picture
            results = self._results(run, networks, content, variants, masks)
            rows.append((shown_name(path).stem, _cells(content, results)))
        sheet = preview_sheet(rows, columns)
        if self.output == STANDARD_STREAM:
            _to_standard_output(encode(sheet, "png", output=self.output_config))
        else:
            write_image(self.output, sheet, output=self.output_config, overwrite=overwrite)
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
        return data, [Picture(sheet)]

    def _columns(self) -> tuple[list[tuple[str, NDArray[np.float32] | None]], list[tuple[Any, FastConfig]]]:
        """Return the heads of all columns, and the styles and the config of each column but the first."""
        from stylize.reports.sheet import over_paper

        styles = self.sources.styles(self.styles, self.config)
        heads: list[tuple[str, NDArray[np.float32] | None]]
        if self.strengths:
            heads = [("content", None), *((f"strength {strength:g}", None) for strength in self.strengths)]
            return heads, [(styles, dataclasses.replace(self.config, strength=each)) for each in self.strengths]
        names = [shown_name(path).stem for path, _ in self.styles]
        shown = [over_paper(style.pixels, style.alpha) for style, _ in styles]
        heads = [("", None), *zip(names, shown, strict=True)]
        return heads, [([style], self.config) for style in styles]

    def _results(
        self, run: Run, networks: LoadedNetworks, content: Picture, variants: Sequence[tuple[Any, FastConfig]],
        masks: Sequence[Picture],
    ) -> list[TransferResult]:  # fmt: skip
        from stylize.api import fast

        # The notes on the content once, and not for each variant.
        contents = [content, *[dataclasses.replace(content, notes=())] * (len(variants) - 1)]
        return [
            fast(each, styles, mask=masks, config=config, loaded=networks, **run.api_arguments)
            for each, (styles, config) in zip(contents, variants, strict=True)
        ]


def _cells(content: Picture, results: Sequence[TransferResult]) -> list[NDArray[np.float32]]:
    """Return a row of the sheet: the content at the results' size, and the results."""
    from stylize.images.resizing import resized
    from stylize.reports.sheet import over_paper

    height, width = results[0].image.shape[:2]
    pictures = [resized(content.pixels, height, width), *(result.image for result in results)]
    return [over_paper(picture, results[0].alpha) for picture in pictures]


def _to_standard_output(data: bytes) -> None:
    with to_standard_output():
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

"""Checks of inputs and outputs, before any work is done."""

from __future__ import annotations

import functools
import os
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from stylize import files
from stylize.cli.types import Source, SourceStyles, Styles, Url, file_of
from stylize.config import INITS, check_mask_count
from stylize.errors import OptionError, StylizeError
from stylize.output import DEFAULT_OUTPUT, OutputConfig
from stylize.styles import StyleName, names

__all__ = [
    "check_files",
    "check_folder",
    "check_free",
    "check_inputs",
    "check_name",
    "check_output",
    "default_output",
    "output_key",
]

# Whether disks usually take `A.png` and `a.png` for one file.
_IGNORES_CASE = sys.platform in ("darwin", "win32")


def check_inputs(
    content: Source, styles: SourceStyles, masks: Sequence[Source] = (), init: str = "content",
    pictures: Sequence[Path] = (),
) -> list[Path]:  # fmt: skip
    """Return the files to read. Raises StylizeError for a missing file, OptionError for too many masks."""
    check_mask_count(len(masks), len(styles))
    own = [path.file if isinstance(path, StyleName) else path for path, _ in styles]
    named: list[tuple[str, Source]] = [("content", content), *(("style", path) for path in own)]
    named += [("mask", path) for path in masks]
    named += [("image", path) for path in pictures]
    if init not in INITS:
        named.append(("init", init if isinstance(init, Url) else Path(init)))
    return check_files(named)


def check_files(named: Sequence[tuple[str, Source]]) -> list[Path]:
    """Return the files, those at `file://` included, of pairs of a role and a file or URL.

    Raises:
        StylizeError: a file is missing.
    """
    places = [(name, file_of(source)) for name, source in named]
    found = [(name, path) for name, path in places if path is not None]
    for name, path in found:
        if str(path) == "-":
            raise _no_pipe(name)
        try:
            os.stat(path)
        except PermissionError as error:  # of a folder on the way
            raise StylizeError(f"{name} {path}: no permission to read it; expected a readable file") from error
        except (OSError, ValueError):  # also for a name that is too long, or that holds a null byte
            hint = f"; did you mean @{path}?" if name == "style" and f"@{path}" in names() else ""
            raise StylizeError(f"{name} {path}: no such file{hint}") from None
    return [path for _, path in found]


def check_output(
    output: Path,
    inputs: Sequence[Path],
    output_config: OutputConfig = DEFAULT_OUTPUT,
    *,
    overwrite: bool,
    animated: bool = False,
    long_side_px: int | None = None,
) -> None:
    """Refuse an output that cannot be written, that exists already, or that is an input.

    Args:
        output: the file to write.
        inputs: the files that are read.
        output_config: how to write.
        overwrite: whether an existing file may be replaced.
        animated: whether the output may be an animation.
        long_side_px: the size of the picture to write; None where it is not known.
    """
    from stylize.images import animation, writing

    check_name(output, animated=animated)
    check_free(output, inputs, overwrite=overwrite)
    suffix = output.suffix.lower().removeprefix(".")
    if suffix in writing.SUFFIXES:
        writing.check_output(output, output_config, overwrite=overwrite, long_side_px=long_side_px)
    else:
        animation.check_animation(suffix, output_config)
        files.check_place(output, "output", overwrite=overwrite)


def _no_pipe(name: str, expected: str = "file") -> OptionError:
    return OptionError(f"{name} -: only fast reads and writes pipes; expected a {expected}")


def check_name(output: Path, *, animated: bool = False) -> None:
    """Raise OptionError unless the output's suffix is one of a picture's, or also of an animation's."""
    from stylize.images import animation, writing

    if str(output) == "-":
        raise _no_pipe("output")
    suffix = output.suffix.lower().removeprefix(".")
    suffixes = dict.fromkeys((*writing.SUFFIXES, *(animation.ANIMATED_SUFFIXES if animated else ())))
    if suffix not in suffixes:
        known = ", ".join(suffixes)
        raise OptionError(f"output {output}: expected a suffix out of {known}; received {suffix or 'none'}")


def check_folder(folder: Path, names: Sequence[str], inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Check as `check_output`, for files in a folder that may not exist yet."""
    if str(folder) == "-":
        raise _no_pipe("output", "folder")
    files.check_name(folder.name, f"output {folder}")
    if os.path.exists(folder) and not folder.is_dir():
        raise StylizeError(f"output {folder}: expected a folder, received a file")
    for name in names:
        check_free(folder / name, inputs, overwrite=overwrite)
    parent = next(path for path in (folder, *folder.absolute().parents) if os.path.exists(path))
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StylizeError(f"output {folder}: no permission to write in {parent}")


def check_free(output: Path, inputs: Sequence[Path], *, overwrite: bool) -> None:
    """Raise OptionError for an output that is an input, StylizeError for one that exists and must not be replaced."""
    files.check_name(output.name, f"output {output}")
    if not os.path.exists(output):
        return
    if files.identity(output) in _identities(tuple(inputs)):
        raise OptionError(f"output {output}: expected another file than the input")
    if not overwrite:
        raise StylizeError(f"output {output}: is there already; choose another with -o, or use --overwrite")


# Kept, because one call after the other has the same inputs, and a glob may name thousands.
@functools.lru_cache(maxsize=1)
def _identities(paths: tuple[Path, ...]) -> frozenset[object]:
    """Return the identities of files that are there."""
    return frozenset(map(files.identity, paths)) - {None}


def output_key(output: Path) -> str:
    """Return the same text for all names that a usual disk of this system takes for one file."""
    real = os.path.realpath(output)
    return unicodedata.normalize("NFC", real).lower() if _IGNORES_CASE else real


def default_output(content: Path, styles: Styles, ending: str) -> Path:
    """Return the default output: `photo-painting-fast.png` beside the content; a name that is too long is shortened."""
    names = [content.stem, "+".join(path.stem for path, _ in styles)]
    return content.parent / files.shortened("-".join(filter(None, names)), f"-{ending}")

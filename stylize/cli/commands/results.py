"""What a command writes and says of a painted picture."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stylize import files
from stylize.cli.console import Run
from stylize.errors import StylizeError
from stylize.output import OutputConfig

if TYPE_CHECKING:
    from stylize.transfer.results import TransferResult

__all__ = [
    "exit_early",
    "print_details",
    "print_result",
    "result_data",
    "save",
    "say_left_out",
    "telling_of",
    "write",
]


def save(run: Run, result: TransferResult, output: Path, output_config: OutputConfig, *, overwrite: bool) -> None:
    """Write the picture. Raises StylizeError, as `write`."""
    if result.alpha is not None and output.suffix.lower() in (".jpg", ".jpeg"):
        run.say("JPEG has no transparency: white stands behind the picture")
    say_left_out(run, result, output_config)
    write(result, output, output_config, overwrite=overwrite)


def write(result: TransferResult, output: Path, output_config: OutputConfig, *, overwrite: bool) -> None:
    """Write the picture and say nothing.

    Raises:
        StylizeError: the output cannot be written. A refinement, which took long, is then kept under another name; the
            error tells the name.
    """
    try:
        result.save(output, overwrite=overwrite, **dataclasses.asdict(output_config))
    except StylizeError as error:
        kept = _kept(result, output, output_config) if result.mode == "refine" else None
        if kept is None:
            raise
        raise StylizeError(f"{error}; the picture is kept as {kept}") from error


def _kept(result: TransferResult, output: Path, output_config: OutputConfig) -> Path | None:
    """Write a picture as PNG beside its output, or else into the folder of temporary files; return where."""
    name = files.shortened(output.stem, f"-{secrets.token_hex(4)}.png")
    config = dataclasses.replace(output_config, quality=None)  # PNG has none
    for folder in (output.parent, None):
        # Where both disks are full, the first error is the one to tell; no folder at all is a FileNotFoundError.
        with contextlib.suppress(StylizeError, FileNotFoundError):
            path = (folder or Path(tempfile.gettempdir())) / name
            result.save(path, **dataclasses.asdict(config))
            return path
    return None


@contextlib.contextmanager
def telling_of(picture: Path | None) -> Iterator[None]:
    """Let errors of what is written after a picture, such as a film, tell where the picture is, if there is one."""
    try:
        yield
    except StylizeError as error:
        if picture is None:
            raise
        raise type(error)(f"{error}; the picture is there: {picture}") from error


def say_left_out(run: Run, result: TransferResult, output_config: OutputConfig) -> None:
    """Say which metadata of the content are too long to be kept."""
    if output_config.metadata == "all" and result.metadata.left_out:
        run.say(f"metadata too long to be kept: {', '.join(result.metadata.left_out)}")


def result_data(result: TransferResult, output: Path, **others: Path | None) -> dict[str, Any]:
    """Return what `--json` prints of a picture; `others` are files that were written beside the picture."""
    height, width = result.image.shape[:2]
    return {
        "command": result.mode,
        "output": output,
        "width": width,
        "height": height,
        "seconds": result.seconds,
        "stopped": result.stopped,
        "frames": result.provenance.get("frames", 1),
        "steps": len(result.history),
        "losses": dataclasses.asdict(result.history[-1].losses) if result.history else None,
        "networks": [dataclasses.asdict(network) for network in result.networks],
        **others,
    }


def print_result(run: Run, result: TransferResult, output: Path, **others: Path | None) -> None:
    """Print what was painted; if a signal ended the run, exit with its code.

    Args:
        run: the running command.
        result: the picture.
        output: where it was written.
        others: files that were written beside the picture.
    """
    print_details(run, result)
    if result.stopped is not None:
        # A film and a plot of the rest replace those that were written now.
        flags = "--resume --overwrite" if any(others.values()) else "--resume"
        run.say(f"{early_end(result)}: {output} is the best so far; the same command with {flags} goes on")
    run.result(result_data(result, output, **others), str(output))
    exit_early(run, result)


def early_end(result: TransferResult) -> str:
    """Return how and where a refinement ended before its last step."""
    assert result.checkpoint is not None
    here, whole = result.levels[result.checkpoint.level - 1].long_side_px, max(result.image.shape[:2])
    return f"{result.stopped} after step {len(result.history)}, at {here} of {whole} px"


def exit_early(run: Run, result: TransferResult) -> None:
    """If a signal ended the refinement, exit with its code: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP."""
    if result.stopped is not None and run.ended_by is not None:
        click.get_current_context().exit(128 + run.ended_by)


def print_details(run: Run, result: TransferResult) -> None:
    """With --verbose, say which networks painted and how long the painting took."""
    height, width = result.image.shape[:2]
    for network in result.networks:
        hashes = ", ".join(f"{name} {sha256[:12]}" for name, sha256 in network.sha256.items())
        run.detail(f"used {network.name} ({network.origin}): {hashes}")
    run.detail(f"painted {width} x {height} px in {result.seconds:.1f} s")

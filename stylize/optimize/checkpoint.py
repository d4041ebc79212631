"""A checkpoint: all that an interrupted refinement needs to go on, as one file."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import ImageError
from stylize.files import whole_file
from stylize.optimize.history import HistoryEntry, LossTerms

__all__ = ["Checkpoint", "RunContext", "read_checkpoint", "write_checkpoint"]

#: An array of an optimiser's state (`stylize.optimize.optimizer.State`). This module needs no backend.
StateArray = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class RunContext:
    """What identifies a run. The optimisation stores the context in its checkpoints and does not use it."""

    fingerprint: str
    """A hash of the inputs, options and networks: a run may only go on if its fingerprint is the same."""
    size: tuple[int, int]
    """The output's (height, width) in px."""
    provenance: Mapping[str, Any]
    """How the picture is made, as JSON values."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that a run needs to go on: its progress, its pixels and the state of its optimiser."""

    context: RunContext
    level: int
    """The pyramid level, from 1."""
    elapsed_s: float
    pixels: NDArray[np.float32]
    """The best picture so far, (h, w, 3) in [0, 1], at the size of its level."""
    state: Mapping[str, StateArray]
    """Of the optimiser. A checkpoint from a file reads each array when it is asked for: 12 megapixels have 2 GB."""
    history: tuple[HistoryEntry, ...]


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write `checkpoint` as one .npz file: first beside the target, then renamed.

    Raises:
        ImageError: the file cannot be written.
    """
    scalars = {
        "context": dataclasses.asdict(checkpoint.context),
        "level": checkpoint.level,
        "elapsed_s": checkpoint.elapsed_s,
        "history": [dataclasses.asdict(entry) for entry in checkpoint.history],
    }
    arrays: dict[str, Any] = {_STATE + name: array for name, array in checkpoint.state.items()}
    # We open the file ourselves, because NumPy appends a suffix to a name.
    with whole_file(path, "checkpoint", overwrite=True) as partial, open(partial, "wb") as file:
        np.savez(file, meta=np.array(json.dumps(scalars)), pixels=checkpoint.pixels, **arrays)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a file of `write_checkpoint`.

    Raises:
        ImageError: there is no such file, or the file is damaged.
    """
    try:
        # We open the file ourselves, because NumPy leaves a file open that is not an archive.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            scalars = json.loads(str(file["meta"]))
            checkpoint = Checkpoint(
                context=_context(scalars["context"]),
                level=scalars["level"],
                elapsed_s=scalars["elapsed_s"],
                pixels=file["pixels"],
                state=_StateOnDisk(Path(path), file.files),
                history=tuple(map(_history_entry, scalars["history"])),
            )
            if file.zip.testzip() is not None:
                raise ValueError("damaged")
    except FileNotFoundError as error:
        raise ImageError(
            f"{path}: expected the checkpoint of an unfinished refine, found none: start a new run"
        ) from error
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ImageError(
            f"{path}: expected a checkpoint of refine, received an unreadable file: start a new run"
        ) from error
    return checkpoint


# The state's arrays have this prefix in the file, so that their names cannot collide with ours.
_STATE = "state/"


def _context(stored: Mapping[str, Any]) -> RunContext:
    # Files of earlier versions call the provenance "recipe".
    provenance = stored["recipe"] if "recipe" in stored else stored["provenance"]
    height, width = stored["size"]
    return RunContext(stored["fingerprint"], (height, width), provenance)


def _history_entry(stored: Mapping[str, Any]) -> HistoryEntry:
    return HistoryEntry(**{**stored, "losses": LossTerms(**stored["losses"])})


class _StateOnDisk(Mapping[str, StateArray]):
    """The arrays of an optimiser in a file. Each access reads one array, so that memory holds no second copy of all."""

    def __init__(self, path: Path, files: list[str]) -> None:
        self._path = path
        self._names = [name.removeprefix(_STATE) for name in files if name.startswith(_STATE)]

    def __getitem__(self, name: str) -> StateArray:
        if name not in self._names:
            raise KeyError(name)
        with open(self._path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            array: StateArray = file[_STATE + name]
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

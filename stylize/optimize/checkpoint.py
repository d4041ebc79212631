""""""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stylize.errors import ImageError
from stylize.files import whole_file
from stylize.optimize.progress import Checkpoint, HistoryEntry, LossTerms

__all__ = ["read_checkpoint", "write_checkpoint"]

_STATE = "state/"


def write_checkpoint(path: str | os.PathLike[str], checkpoint: Checkpoint) -> None:
    """Write `checkpoint` as one .npz file, beside the target and then renamed. Raises ImageError if it can't be."""
    scalars = {
        "context": checkpoint.context,
        "level": checkpoint.level,
        "elapsed_s": checkpoint.elapsed_s,
        "history": [dataclasses.asdict(entry) for entry in checkpoint.history],
    }
    arrays: dict[str, Any] = {_STATE + name: array for name, array in checkpoint.state.items()}
    # Opened here, as numpy adds a suffix of its own to a name.
    with whole_file(path, "checkpoint") as partial, open(partial, "wb") as file:
        np.savez(file, meta=np.array(json.dumps(scalars)), pixels=checkpoint.pixels, **arrays)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read what `write_checkpoint` wrote. Raises ImageError if there is none, or it is damaged."""
    try:
        # Opened here, as numpy leaves a file open that turns out to be no archive.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            scalars = json.loads(str(file["meta"]))
            history = tuple(
                HistoryEntry(**{**entry, "losses": LossTerms(**entry["losses"])}) for entry in scalars.pop("history")
            )
            checkpoint = Checkpoint(
                pixels=file["pixels"], state=_State(Path(path), file.files), history=history, **scalars
            )
            if file.zip.testzip() is not None:
                raise ValueError("damaged")
    except FileNotFoundError as error:
        raise ImageError(
            f"{path}: expected the checkpoint of an unfinished refine, found none: run without --resume"
        ) from error
    except (OSError, KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ImageError(
            f"{path}: expected a checkpoint of refine, received an unreadable file: run without --resume"
        ) from error
    return checkpoint


class _State(Mapping[str, np.ndarray]):
    """The arrays of an optimiser in a file, read one at a time: the run that takes them up has room for them once."""

    def __init__(self, path: Path, files: list[str]) -> None:
        self._path = path
        self._names = [name.removeprefix(_STATE) for name in files if name.startswith(_STATE)]

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        with open(self._path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            array: np.ndarray = file[_STATE + name]
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

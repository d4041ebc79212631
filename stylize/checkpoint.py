"""A refinement put down and taken up again: `Checkpoint` to one file and back."""

from __future__ import annotations

import dataclasses
import json
import os
import zipfile
from typing import Any

import numpy as np

from stylize.errors import ImageError
from stylize.images import whole_file
from stylize.optimization import Checkpoint, HistoryEntry, LossTerms

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
            pixels = file["pixels"]
            state = {name.removeprefix(_STATE): file[name] for name in file.files if name.startswith(_STATE)}
    except FileNotFoundError as error:
        raise ImageError(
            f"{path}: expected the checkpoint of an unfinished refine, found none: run without --resume"
        ) from error
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ImageError(
            f"{path}: expected a checkpoint of refine, received an unreadable file: run without --resume"
        ) from error
    history = tuple(
        HistoryEntry(**{**entry, "losses": LossTerms(**entry["losses"])}) for entry in scalars.pop("history")
    )
    return Checkpoint(pixels=pixels, state=state, history=history, **scalars)

"""A checkpoint: all that an interrupted refinement needs to go on, as one file."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.errors import ImageError
from stylize.files import whole_file
from stylize.images.picture import checked_samples
from stylize.optimize.history import HistoryEntry
from stylize.output import LARGEST_PX
from stylize.schema import checked, parsed, shown
from stylize.text import one_line

__all__ = ["LEVEL_START", "Checkpoint", "RunContext", "read_checkpoint", "write_checkpoint"]

#: An array of an optimiser's state (`stylize.optimize.optimizer.State`). This module needs no backend.
StateArray = NDArray[np.floating[Any]]

#: In the state of a loss, the picture that its level compares with; all else there are vectors.
LEVEL_START = "start"


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
    """The best picture so far, (h, w, 3) in [0, 1], at the size of its level, with the margin."""
    state: Mapping[str, StateArray]
    """Of the optimiser. A checkpoint from a file reads each array when it is asked for: 12 megapixels have 2 GB."""
    history: tuple[HistoryEntry, ...]
    loss_state: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """What the loss took from the level's first picture (`stylize.optimize.run.LevelLoss`)."""

    @property
    def optimizer(self) -> str | None:
        """The optimiser that the state is of, lbfgs or adam; None for any other state."""
        return _optimizer_of(self.state)


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
    arrays |= {_LOSS_STATE + name: array for name, array in checkpoint.loss_state.items()}
    # We open the file ourselves, because NumPy appends a suffix to a name.
    with whole_file(path, "checkpoint", overwrite=True) as partial, open(partial, "wb") as file:
        np.savez(file, meta=np.array(json.dumps(scalars)), pixels=checkpoint.pixels, **arrays)


def read_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a file of `write_checkpoint`, and check everything that the optimisation relies on.

    The arrays are read one after the other, so that memory holds a single one. Whether the context is that of a
    refinement is for the caller to check.

    Raises:
        ImageError: there is no such file, or the file is damaged or no checkpoint.
    """
    try:
        with zipfile.ZipFile(path) as file:
            stored = checked(parsed(str(_array(file, "meta"))), _Stored)
            pixels = checked_samples(_picture(file, "pixels"), "pixels")
            state = _StateOnDisk(Path(path), file.namelist())
            _check_state(file, list(state), pixels.shape)
            loss_state = _loss_state(file, pixels.shape)
        _check_history(stored)
    except FileNotFoundError as error:
        raise ImageError(
            f"{path}: expected the checkpoint of an unfinished refine, found none: start a new run"
        ) from error
    # RuntimeError: the archive is encrypted or compressed by another method. EOFError: a file in it ends early.
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, ImageError) as error:
        raise ImageError(
            f"{one_line(path)}: expected a checkpoint of refine, received a damaged or another file "
            f"({one_line(error)}): start a new run"
        ) from error
    context = RunContext(stored.context.fingerprint, stored.context.size, stored.context.provenance_or_recipe)
    return Checkpoint(context, stored.level, stored.elapsed_s, pixels, state, stored.history, loss_state)


# The arrays of the two states have these prefixes in the file, so that their names cannot collide with ours.
_STATE = "state/"
_LOSS_STATE = "loss/"

# The pictures in the state of each optimiser, and its number of scalars. L-BFGS has pairs s0, y0, s1, y1 ... beside.
_STATES = {
    "lbfgs": ({"x", "trial", "gradient", "direction"}, 2),
    "adam": ({"x", "safe", "best", "m", "v"}, 3),
}
_PAIR = re.compile("[sy][0-9]+")


@dataclass(frozen=True)
class _StoredContext:
    fingerprint: str
    size: tuple[int, int]
    provenance: dict[str, Any] | None = None
    recipe: dict[str, Any] | None = None
    """The provenance in files of earlier versions."""

    def __post_init__(self) -> None:
        if not all(1 <= side <= LARGEST_PX for side in self.size):
            raise ValueError(f"size: expected sides of 1 to {LARGEST_PX} px, received {shown(self.size)}")

    @property
    def provenance_or_recipe(self) -> dict[str, Any]:
        return self.provenance or self.recipe or {}


@dataclass(frozen=True)
class _Stored:
    """What the file has as JSON."""

    context: _StoredContext
    level: int
    elapsed_s: float
    history: tuple[HistoryEntry, ...]


def _check_history(stored: _Stored) -> None:
    """Raise ValueError unless the history leads to the level, step by step."""
    history = stored.history
    steps, levels = [entry.step for entry in history], [1, *(entry.level for entry in history), stored.level]
    seconds = [0.0, *(entry.elapsed_s for entry in history)]
    if levels != sorted(levels) or steps != list(range(1, len(steps) + 1)):
        raise ValueError(f"level, history: expected steps from level 1 to {shown(stored.level)}, received others")
    if not all(map(math.isfinite, [*seconds, stored.elapsed_s])) or seconds != sorted(seconds) or stored.elapsed_s < 0:
        raise ValueError("elapsed_s: expected seconds that rise from 0, received others")


def _check_state(file: zipfile.ZipFile, names: Collection[str], shape: tuple[int, ...]) -> None:
    """Raise ValueError unless the arrays are all of an optimiser at pictures of this shape, and finite."""
    optimizer = _optimizer_of(names)
    if optimizer is None:
        raise ValueError(f"state: expected the arrays of L-BFGS or Adam, received {shown(sorted(names))}")
    pictures, count = _STATES[optimizer]
    pairs = set(names) - pictures - {"scalars"}
    if pairs != {f"{kind}{index}" for kind in "sy" for index in range(len(pairs) // 2)}:
        raise ValueError(f"state: expected pairs s0, y0, s1, y1 ..., received {shown(sorted(pairs))}")
    for name in (*pictures, *pairs):
        picture = _picture(file, _STATE + name)
        if picture.shape != shape or not np.isfinite(picture).all():
            raise ValueError(f"state: expected finite numbers of shape {shape} in {name}, received {picture.shape}")
    scalars = _array(file, f"{_STATE}scalars")
    # The first scalar is a loss, which is not finite before the first step.
    fit = scalars.shape == (count,) and scalars.dtype == np.float64
    if not (fit and np.isfinite(scalars[1:]).all() and (scalars[1:] >= 0).all()):
        raise ValueError(f"state: expected {count} finite scalars of 0 or more, received {shown(scalars.tolist())}")


def _loss_state(file: zipfile.ZipFile, shape: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
    """Read the state of the loss, and raise ValueError unless it is made of finite vectors and a start of a shape."""
    names = [name.removesuffix(".npy") for name in file.namelist() if name.startswith(_LOSS_STATE)]
    state = {name.removeprefix(_LOSS_STATE): _array(file, name) for name in names}
    for name, array in state.items():
        wanted = shape if name == LEVEL_START else (array.size,)
        if array.shape != wanted or array.dtype != np.float32 or not np.isfinite(array).all():
            raise ValueError(
                f"loss: expected finite float32 {wanted} in {shown(name)}, received {array.dtype} {array.shape}"
            )
    return state


def _optimizer_of(names: Collection[str]) -> str | None:
    """Return lbfgs or adam, or None if a state with arrays of these names is of neither."""
    rest = {name for name in names if not _PAIR.fullmatch(name)}
    known = (name for name, (pictures, _) in _STATES.items() if rest == {*pictures, "scalars"})
    return next(known, None)


def _picture(file: zipfile.ZipFile, name: str) -> NDArray[np.float32]:
    array = _array(file, name)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0 or array.dtype != np.float32:
        raise ValueError(f"{name}: expected float32 (h, w, 3), received {array.dtype} {array.shape}")
    return array


# The header of an array as NumPy writes it. Other headers are refused unread: NumPy evaluates them.
_HEADER = re.compile(
    rb"\{'descr': '<(?P<kind>f4|f8|U[0-9]{1,9})', 'fortran_order': (?:True|False), "
    rb"'shape': \((?P<shape>|(?:[1-9][0-9]{0,8}, ?)*(?:[1-9][0-9]{0,8})?)\), \} *\n"
)


def _array(file: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """Read an array, whose memory is at most the size of the file.

    Raises:
        KeyError: there is no such array.
        ValueError: the array is damaged, or not as `write_checkpoint` writes arrays.
    """
    info = file.getinfo(f"{name}.npy")
    with file.open(info) as stream:
        start = stream.read(10)
        header = stream.read(int.from_bytes(start[8:], "little"))
    described = _HEADER.fullmatch(header) if start[:8] == b"\x93NUMPY\x01\x00" else None
    if described is None or info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name}: expected an array as NumPy saves it, received another")
    shape = [int(side) for side in described["shape"].replace(b" ", b"").split(b",") if side]
    size_bytes = math.prod(shape) * np.dtype(described["kind"].decode()).itemsize
    if 10 + len(header) + size_bytes != info.file_size or info.file_size != info.compress_size:
        raise ValueError(f"{name}: expected {size_bytes} bytes, received another number")
    with file.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


class _StateOnDisk(Mapping[str, StateArray]):
    """The arrays of an optimiser in a file. Each access reads one array, so that memory holds no second copy of all."""

    def __init__(self, path: Path, files: Iterable[str]) -> None:
        self._path = path
        self._names = [name.removeprefix(_STATE).removesuffix(".npy") for name in files if name.startswith(_STATE)]

    def __getitem__(self, name: str) -> StateArray:
        if name not in self._names:
            raise KeyError(name)
        with zipfile.ZipFile(self._path) as file:
            return _array(file, _STATE + name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

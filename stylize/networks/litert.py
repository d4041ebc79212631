"""LiteRT networks: the interpreter that runs a TFLite file on the CPU, without TensorFlow."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylize.machine import available_cores
from stylize.native_stderr import native_stderr_silenced

__all__ = ["LiteRTNetwork"]

# LiteRT takes a path for text in the code page of Windows, which lacks the letters of many users' folders.
_OPENS_ANY_PATH = os.name != "nt"


class LiteRTNetwork:
    """One TFLite file with float32 inputs and one float32 output.

    Several threads may share a network; their calls wait for each other.

    Args:
        model: A TFLite file, or its bytes. The file is opened by `load`, or by the first `run`.
        max_kept_px: After a picture with more pixels (height x width), the interpreter is replaced by a new one,
            because LiteRT frees its working memory only together with the interpreter. None: never.
    """

    def __init__(self, model: Path | bytes, *, max_kept_px: int | None = None) -> None:
        self._model = model
        self._max_kept_px = max_kept_px
        self._interpreter: Any = None
        self._lock = threading.Lock()

    def load(self) -> None:
        """Open the file now.

        Raises:
            ValueError: The file is not a TFLite file.
            RuntimeError: LiteRT can't run the network.
        """
        with self._lock:
            self._load()

    def run(self, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the network.

        Args:
            inputs: The network's inputs, each with the batch dimension. A picture comes first. An input is matched
                by its number of dimensions and its number of channels (the last dimension); where two inputs are
                alike in both, the style comes last.

        Returns:
            The network's first output, with the batch dimension.

        Raises:
            ValueError: The file is not a TFLite file, or an input has a wrong shape.
            RuntimeError: LiteRT can't run the network.
        """
        with self._lock:
            self._load()
            interpreter = self._interpreter
            indices = _input_indices(interpreter.get_input_details(), inputs)
            for index, value in zip(indices, inputs, strict=True):
                interpreter.resize_tensor_input(index, value.shape)
            with native_stderr_silenced():
                interpreter.allocate_tensors()
            for index, value in zip(indices, inputs, strict=True):
                interpreter.set_tensor(index, np.ascontiguousarray(value, np.float32))
            interpreter.invoke()
            output: NDArray[np.float32] = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
            if self._max_kept_px is not None and inputs[0].shape[1] * inputs[0].shape[2] > self._max_kept_px:
                self._interpreter = None
            return output

    def _load(self) -> None:
        if self._interpreter is not None:
            return
        from ai_edge_litert.interpreter import Interpreter

        model = self._model
        if not isinstance(model, bytes) and not _OPENS_ANY_PATH:
            model = model.read_bytes()
        source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        with native_stderr_silenced():
            interpreter = Interpreter(**source, num_threads=available_cores())
            # With fixed shapes, allocating reveals a damaged network already here.
            if all(min(detail["shape_signature"]) > 0 for detail in interpreter.get_input_details()):
                interpreter.allocate_tensors()
        self._interpreter = interpreter


def _input_indices(details: Sequence[Any], inputs: Sequence[NDArray[np.float32]]) -> list[int]:
    """Return the tensor index of each input; see `LiteRTNetwork.run`."""
    # Converters put prefixes before the names, so names are only searched for the word.
    remaining = sorted(details, key=lambda detail: "style" in detail["name"])
    indices = []
    for value in inputs:
        kind = value.ndim, value.shape[-1]
        matches = [d for d in remaining if (len(d["shape_signature"]), int(d["shape_signature"][-1])) == kind]
        if not matches:
            raise ValueError(f"expected inputs like {[detail['name'] for detail in details]}, received {value.shape}")
        remaining.remove(matches[0])
        indices.append(int(matches[0]["index"]))
    return indices

"""What reruns, resumed runs and batches need of a provenance, checked: inputs, options, networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import msgspec

from stylize.output import DEFAULT_OUTPUT, OutputConfig
from stylize.schema import checked

__all__ = ["FileRecord", "InitRecord", "NetworkRecord", "PaintingRecord", "StyleRecord"]

# No system has longer paths than 32767 characters, Linux has none over 4096 bytes.
_Text = Annotated[str, msgspec.Meta(max_length=4096)]


@dataclass(frozen=True)
class FileRecord:
    """A picture that was read: its path as given, and the hash of its bytes; None for a picture without a file."""

    path: _Text | None
    sha256: _Text | None


@dataclass(frozen=True)
class StyleRecord(FileRecord):
    """A style, and its weight; the weights of all styles sum to 1."""

    weight: Annotated[float, msgspec.Meta(ge=0, le=1)]


@dataclass(frozen=True)
class InitRecord(FileRecord):
    """The picture that a refinement started from."""

    long_side_px: Annotated[int, msgspec.Meta(ge=1)]


@dataclass(frozen=True)
class NetworkRecord:
    """A network: its name, where it came from, and the hashes of its files by name."""

    name: _Text
    origin: _Text
    sha256: dict[_Text, _Text]


@dataclass(frozen=True)
class PaintingRecord:
    """The provenance of a picture that `fast` or `refine` painted."""

    command: Literal["fast", "refine"]
    content: FileRecord
    styles: Annotated[tuple[StyleRecord, ...], msgspec.Meta(min_length=1)]
    options: dict[str, Any]
    networks: tuple[NetworkRecord, ...]
    version: _Text | None = None
    masks: tuple[FileRecord, ...] = ()
    init: InitRecord | None = None
    precision_used: Literal["float32", "bfloat16"] | None = None
    # Earlier versions had TensorFlow on the CPU only.
    backend: Literal["tensorflow", "torch", "jax"] = "tensorflow"
    device: _Text = "cpu:0"
    steps_taken: int | None = None
    output: OutputConfig = DEFAULT_OUTPUT
    sources: dict[_Text, _Text] = field(default_factory=dict)
    """Where options come from that are no defaults."""

    @staticmethod
    def of(provenance: Mapping[str, Any]) -> PaintingRecord:
        """Return the record that a provenance holds. Raises ValueError: an entry is missing, or is of another kind."""
        return checked(dict(provenance), PaintingRecord)

    def is_of_same_picture(self, other: PaintingRecord) -> bool:
        """Return whether both painted the same inputs with the same options and networks, wherever the files lie."""
        return self._essence() == other._essence()

    def _essence(self) -> tuple[Any, ...]:
        options = dict(self.options)
        if self.init is not None:
            options["init"] = self.init.sha256
        return (
            self.command,
            self.content.sha256,
            [(style.sha256, style.weight) for style in self.styles],
            [mask.sha256 for mask in self.masks],
            options,
            [network.sha256 for network in self.networks],
        )

"""What an output is: its size, and how its file is written. No library is imported."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from stylize.errors import OptionError

__all__ = ["DEFAULT_OUTPUT", "LARGEST_PX", "OutputConfig", "check_size", "relative_size"]

#: Largest long side of an output in px, the limit of JPEG.
LARGEST_PX = 65535


@dataclass(frozen=True)
class OutputConfig:
    """How a picture is written.

    Attributes:
        quality: of JPEG, WebP and AVIF, 1 to 100. None: 95, for AVIF 90.
        bit_depth: bits of a sample, 8 or 16. PNG and TIFF hold 16.
        metadata: what is kept of what the content's file says beside its pixels. `safe`: resolution (DPI), author,
            copyright and capture date. `all`: all of EXIF and the texts, but for places (GPS), serial numbers,
            orientation, thumbnails and makers' notes, which are never kept. `none`: nothing.
        provenance: whether the picture carries how it was made.
    """

    quality: int | None = None
    bit_depth: int = 8
    metadata: Literal["safe", "all", "none"] = "safe"
    provenance: bool = True

    def __post_init__(self) -> None:
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise OptionError(f"quality: expected 1 to 100, received {self.quality}")
        if self.bit_depth not in (8, 16):
            raise OptionError(f"bit_depth: expected 8 or 16, received {self.bit_depth}")
        if self.metadata not in ("safe", "all", "none"):
            raise OptionError(f"metadata: expected safe, all or none, received {self.metadata!r}")


#: As pictures are written where nothing else is asked for.
DEFAULT_OUTPUT = OutputConfig()


def check_size(size: int | str) -> None:
    """Raise OptionError unless `size` is that of a config: px, `original`, or percent such as `200%`."""
    if isinstance(size, int) and not isinstance(size, bool):
        fits = 1 <= size <= LARGEST_PX
    else:
        fits = isinstance(size, str) and (size == "original" or 0 < _percent(size) <= 100 * LARGEST_PX)
    if not fits:
        raise OptionError(
            f"size: expected a long side of 1 to {LARGEST_PX} px, original, or percent such as 200%; received {size!r}"
        )


def relative_size(size: int | str) -> float | None:
    """Return the output's long side relative to the content's, such as 2 for 200%; None for a size in px."""
    return None if isinstance(size, int) else 1.0 if size == "original" else _percent(size) / 100


def _percent(size: str) -> float:
    return float(size[:-1]) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?%", size) else 0.0

"""stylize: paint a photograph in the style of a picture.

    >>> import stylize
    >>> preview = stylize.fast("photo.jpg", "painting.jpg", size=512)
    >>> picture = stylize.refine("photo.jpg", "painting.jpg", size=512)
    >>> picture.save("painted.png")

Importing this package is quick: frameworks are imported by the first call that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stylize._version import __version__

if TYPE_CHECKING:
    from stylize.api import compare, fast, refine
    from stylize.config import (
        FastConfig,
        KeepColors,
        OptimizationConfig,
        PerceptualLossConfig,
        PyramidConfig,
        RefineConfig,
    )
    from stylize.errors import ImageError, OptionError, StylizeError, WeightsError
    from stylize.images.masks import MaskSource
    from stylize.images.metadata import Metadata
    from stylize.images.picture import ImageSource, Picture
    from stylize.images.provenance import read_provenance
    from stylize.images.reading import read_image
    from stylize.images.writing import write_image
    from stylize.networks.loaded import LoadedNetworks, OnDownload, OnMessage
    from stylize.optimize.checkpoint import Checkpoint, RunContext, read_checkpoint, write_checkpoint
    from stylize.optimize.history import HistoryEntry, LossTerms
    from stylize.optimize.iterate import Iterate
    from stylize.optimize.pyramid import PyramidLevel
    from stylize.output import OutputConfig
    from stylize.presets import PRESETS, Preset
    from stylize.transfer.inputs import StyleSource
    from stylize.transfer.results import Comparison, NetworkUse, Scored, TransferResult

_HOMES = {
    "stylize.api": ("compare", "fast", "refine"),
    "stylize.config": (
        "FastConfig", "KeepColors", "OptimizationConfig", "PerceptualLossConfig", "PyramidConfig", "RefineConfig",
    ),
    "stylize.errors": ("ImageError", "OptionError", "StylizeError", "WeightsError"),
    "stylize.images.masks": ("MaskSource",),
    "stylize.images.metadata": ("Metadata",),
    "stylize.images.picture": ("ImageSource", "Picture"),
    "stylize.images.provenance": ("read_provenance",),
    "stylize.images.reading": ("read_image",),
    "stylize.images.writing": ("write_image",),
    "stylize.networks.loaded": ("LoadedNetworks", "OnDownload", "OnMessage"),
    "stylize.optimize.checkpoint": ("Checkpoint", "RunContext", "read_checkpoint", "write_checkpoint"),
    "stylize.optimize.history": ("HistoryEntry", "LossTerms"),
    "stylize.optimize.iterate": ("Iterate",),
    "stylize.optimize.pyramid": ("PyramidLevel",),
    "stylize.output": ("OutputConfig",),
    "stylize.presets": ("PRESETS", "Preset"),
    "stylize.transfer.inputs": ("StyleSource",),
    "stylize.transfer.results": ("Comparison", "NetworkUse", "Scored", "TransferResult"),
}  # fmt: skip

__all__ = [
    "PRESETS",
    "Checkpoint",
    "Comparison",
    "FastConfig",
    "HistoryEntry",
    "ImageError",
    "ImageSource",
    "Iterate",
    "KeepColors",
    "LoadedNetworks",
    "LossTerms",
    "MaskSource",
    "Metadata",
    "NetworkUse",
    "OnDownload",
    "OnMessage",
    "OptimizationConfig",
    "OptionError",
    "OutputConfig",
    "PerceptualLossConfig",
    "Picture",
    "Preset",
    "PyramidConfig",
    "PyramidLevel",
    "RefineConfig",
    "RunContext",
    "Scored",
    "StyleSource",
    "StylizeError",
    "TransferResult",
    "WeightsError",
    "__version__",
    "compare",
    "fast",
    "read_checkpoint",
    "read_image",
    "read_provenance",
    "refine",
    "write_checkpoint",
    "write_image",
]


def __getattr__(name: str) -> Any:
    import importlib

    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

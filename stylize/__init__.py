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
    from stylize.config import FastConfig, RefineConfig
    from stylize.errors import ImageError, OptionError, StylizeError, WeightsError
    from stylize.images.picture import Picture
    from stylize.images.reading import read_image
    from stylize.images.writing import write_image
    from stylize.networks.loaded import Networks
    from stylize.optimize.progress import Iterate
    from stylize.presets import PRESETS
    from stylize.transfer.compare import compare
    from stylize.transfer.fast import fast
    from stylize.transfer.refine import refine, refine_config
    from stylize.transfer.results import Comparison, TransferResult

_HOMES = {
    "stylize.config": ("FastConfig", "RefineConfig"),
    "stylize.errors": ("ImageError", "OptionError", "StylizeError", "WeightsError"),
    "stylize.images.picture": ("Picture",),
    "stylize.images.reading": ("read_image",),
    "stylize.images.writing": ("write_image",),
    "stylize.networks.loaded": ("Networks",),
    "stylize.optimize.progress": ("Iterate",),
    "stylize.presets": ("PRESETS",),
    "stylize.transfer.compare": ("compare",),
    "stylize.transfer.fast": ("fast",),
    "stylize.transfer.refine": ("refine", "refine_config"),
    "stylize.transfer.results": ("Comparison", "TransferResult"),
}

__all__ = [
    "PRESETS",
    "Comparison",
    "FastConfig",
    "ImageError",
    "Iterate",
    "Networks",
    "OptionError",
    "Picture",
    "RefineConfig",
    "StylizeError",
    "TransferResult",
    "WeightsError",
    "__version__",
    "compare",
    "fast",
    "read_image",
    "refine",
    "refine_config",
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

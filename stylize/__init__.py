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
    from stylize.config import RECIPES, FastConfig, RefineConfig
    from stylize.errors import ImageError, OptionError, StylizeError, WeightsError
    from stylize.images import Picture, read_image, write_image
    from stylize.loaded import Networks
    from stylize.optimization import Iterate
    from stylize.pipelines import Comparison, TransferResult, compare, fast, refine, refine_config

_HOMES = {
    "stylize.config": ("RECIPES", "FastConfig", "RefineConfig"),
    "stylize.errors": ("ImageError", "OptionError", "StylizeError", "WeightsError"),
    "stylize.images": ("Picture", "read_image", "write_image"),
    "stylize.loaded": ("Networks",),
    "stylize.optimization": ("Iterate",),
    "stylize.pipelines": ("Comparison", "TransferResult", "compare", "fast", "refine", "refine_config"),
}

__all__ = [
    "RECIPES",
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

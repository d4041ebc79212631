"""Which picture formats are read, known by their suffixes, and which optional packages they need."""

from __future__ import annotations

import functools
import importlib.util

from PIL import Image

__all__ = ["FORMATS", "HEIF_SUFFIXES", "RAW_SUFFIXES", "extra_for", "picture_suffixes"]

#: Pillow's names of the formats that are read. The most frequent formats come first: Pillow imports the plugins of
#: later formats only if the earlier formats do not fit. Left out are formats that start other programs (EPS) and
#: formats without a signature (TGA).
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000", "PSD", "QOI")

#: What telephones write. The extra "heif" reads these formats.
HEIF_SUFFIXES = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})

#: Raw files of cameras. The extra "raw" develops these formats.
RAW_SUFFIXES = frozenset(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .rw2 .rwl "  # noqa: SIM905
    ".sr2 .srf .srw .x3f".split()
)

# The package that each extra installs.
_PACKAGES = {"heif": "pillow_heif", "raw": "rawpy"}


@functools.cache
def picture_suffixes() -> frozenset[str]:
    """The suffixes of the pictures that `read_image` reads here, in lower case, with the dot.

    The suffixes are those of Pillow's registry, and those of the extras "heif" and "raw" where these are installed.
    """
    Image.init()
    of_formats = {suffix for suffix, name in Image.registered_extensions().items() if name in (*FORMATS, "MPO")}
    of_extras = {suffix for suffix in HEIF_SUFFIXES | RAW_SUFFIXES if extra_for(suffix) is None}
    return frozenset(of_formats | of_extras)


def extra_for(suffix: str) -> str | None:
    """Name the extra that has to be installed before pictures with this suffix are read.

    Args:
        suffix: With the dot, in upper or lower case.

    Returns:
        "heif" or "raw"; None if the extra is installed, or if the suffix needs none.
    """
    suffix = suffix.lower()
    extra = "heif" if suffix in HEIF_SUFFIXES else "raw" if suffix in RAW_SUFFIXES else None
    return None if extra is None or importlib.util.find_spec(_PACKAGES[extra]) else extra

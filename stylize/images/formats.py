"""Which picture formats are read, known by their suffixes and first bytes, and which extras they need."""

from __future__ import annotations

import functools
import importlib.util

from PIL import Image

__all__ = ["FORMATS", "HEIF_SUFFIXES", "RAW_SUFFIXES", "extra_for", "is_heif", "is_raw", "is_tiff", "picture_suffixes"]

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

# Beginnings of raw files that are no TIFFs: Fujifilm, Olympus, Panasonic, Sigma, Minolta, Canon before 2004 and after
# 2018; and of TIFFs of Canon and Phase One, which do not say that their first picture is a preview.
_BEGINNINGS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
_MIDDLES = ((6, b"HEAPCCDR"), (4, b"ftypcrx "), (8, b"CR\x02"), (8, b"IIIITwaR"), (8, b"MMMMRawT"))

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})

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


def is_tiff(head: bytes) -> bool:
    """Whether a file begins as a TIFF or a BigTIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_raw(head: bytes) -> bool:
    """Whether a file begins as a raw file; a TIFF also may be a raw file, see `stylize.images.raw.holds_raw`."""
    return head.startswith(_BEGINNINGS) or any(head.startswith(text, at) for at, text in _MIDDLES)


def is_heif(head: bytes) -> bool:
    """Whether a file begins as a HEIF. An AVIF begins almost alike."""
    if head[4:8] != b"ftyp":
        return False
    size = int.from_bytes(head[:4], "big")
    brands = {head[at : at + 4] for at in (8, *range(16, min(size, len(head)), 4))}
    return bool(brands & _HEIF_BRANDS) and not brands & _AVIF_BRANDS

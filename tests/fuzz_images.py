"""Damaged picture files: reading ends in pixels or in one line, quickly and within bounded memory.

    python tests/fuzz_images.py 10000 --seed 1

Every file is a mutation of a small picture in one of ten formats and more. The seed decides all. A file that fails is
written to the working folder.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, features

from picture_files import png, scene, wide_gamut_profile
from stylize.errors import StylizeError
from stylize.images.reading import read_image
from tiff_files import FLOAT, GRAY_NEGATIVE, RGB, UNSIGNED, Tiff

SECONDS = 5
MEMORY_BYTES = 1 << 30
# A whole file may claim any size, and then deserves the memory: these files may not.
MAX_PIXELS = 4_000_000


def seeds() -> dict[str, list[bytes]]:
    """Whole files to damage, by format."""
    picture = Image.fromarray(scene(60, 90))
    alpha = picture.copy()
    alpha.putalpha(128)
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "camera", 6
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    profile = wide_gamut_profile()

    def saved(image: Image.Image, suffix: str, **options: object) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, suffix, **options)
        return buffer.getvalue()

    palette = picture.convert("P")
    unit = scene(60, 90) / 255
    rows = b"".join(b"\0" + row.tobytes() for row in scene(8, 12))
    named = png(8, 2, (12, 8), rows, (b"gAMA", b"\0\1\x86\xa0"), (b"cICP", b"\x09\x10\0\1"), (b"tEXt", b"a\0b"))
    files = {
        "JPEG": [
            saved(picture, "JPEG", exif=exif, icc_profile=profile),
            saved(picture, "JPEG", progressive=True)[:-2],
            saved(picture.convert("CMYK"), "JPEG"),
        ],
        "PNG": [saved(picture, "PNG", exif=exif, icc_profile=profile), saved(palette, "PNG", transparency=3), named],
        "GIF": [saved(palette, "GIF", save_all=True, append_images=[palette.rotate(90)])],
        "BMP": [saved(picture, "BMP"), saved(palette, "BMP")],
        "PPM": [saved(picture, "PPM"), saved(picture.convert("L"), "PPM"), saved(picture.convert("1"), "PPM")],
        "WEBP": [saved(picture, "WEBP", exif=exif), saved(alpha, "WEBP", lossless=True)],
        "TIFF": [
            saved(picture, "TIFF", compression="tiff_lzw"),
            saved(picture, "TIFF", compression="jpeg"),
            Tiff(16, UNSIGNED, GRAY_NEGATIVE, big_endian=True).file(unit[..., :1]),
            Tiff(32, FLOAT, RGB, planar=True, deflate=True, predictor=3).file(unit),
            Tiff(12, UNSIGNED, RGB, tile=(16, 16), deflate=True).file(unit),
        ],
        "JPEG 2000": [saved(picture, "JPEG2000"), saved(picture, "JPEG2000", no_jp2=True)],
        "PSD": [psd(scene(60, 90))],
        "QOI": [saved(picture, "QOI")],
        "raw": [(Path(__file__).parent / "data" / "camera.dng").read_bytes()],
    }
    if features.check("avif"):
        files["AVIF"] = [saved(picture, "AVIF", exif=exif), saved(alpha, "AVIF")]
    try:
        import pillow_heif
    except ImportError:
        return files
    pillow_heif.register_heif_opener()
    return files | {"HEIF": [saved(picture, "HEIF")]}


def psd(pixels: np.ndarray) -> bytes:
    """A PSD of 8-bit RGB without layers."""
    height, width = pixels.shape[:2]
    sizes = b"".join(number.to_bytes(4, "big") for number in (height, width))
    head = b"8BPS\0\1" + bytes(6) + b"\0\3" + sizes + b"\0\x08\0\3"
    return head + bytes(12) + b"\0\0" + np.moveaxis(pixels, 2, 0).tobytes()


def _flipped(file: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 2, 8))):
        file[_place(file, rng)] = rng.randrange(256)


def _cut(file: bytearray, rng: random.Random) -> None:
    del file[rng.randrange(len(file)) :]


def _blanked(file: bytearray, rng: random.Random) -> None:
    at = _place(file, rng)
    size = rng.choice((1, 2, 4, 16, 256))
    file[at : at + size] = bytes([rng.choice((0, 0x7F, 0x80, 0xFF))]) * size


def _repeated(file: bytearray, rng: random.Random) -> None:
    at = _place(file, rng)
    file[at:at] = file[at : at + rng.choice((1, 4, 32, 256))] * rng.choice((1, 2, 50))


def _removed(file: bytearray, rng: random.Random) -> None:
    at = _place(file, rng)
    del file[at : at + rng.choice((1, 2, 8, 100))]


def _place(file: bytearray, rng: random.Random) -> int:
    """A place, more often in the head, where the structure is."""
    if len(file) < 2:
        file += bytes(2)
    return rng.randrange(min(len(file), 300) if rng.random() < 0.4 else len(file))


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (_flipped, _cut, _blanked, _repeated, _removed)


def damaged(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Damaged files with the names of their formats."""
    rng = random.Random(seed)
    files = seeds()
    for i in range(count):
        name = list(files)[i % len(files)]
        file = bytearray(rng.choice(files[name]))
        for _ in range(rng.choice((1, 1, 1, 2))):
            rng.choice(MUTATIONS)(file, rng)
        yield name, bytes(file)


def read_all(count: int, seed: int) -> Counter[tuple[str, str]]:
    """Read damaged files.

    Returns:
        How many were read and refused, by format.

    Raises:
        AssertionError: A file took too long or too much memory, or failed with anything but one line.
    """
    results: Counter[tuple[str, str]] = Counter()
    # The first picture of a format waits for imports, which are no part of the time of a damaged file.
    for files in seeds().values():
        with contextlib.suppress(StylizeError):
            read_image(files[0], max_pixels=MAX_PIXELS)
    for i, (name, file) in enumerate(damaged(count, seed)):
        faulthandler.dump_traceback_later(4 * SECONDS, exit=True)
        started = time.monotonic()
        message = ""
        try:
            try:
                pixels = read_image(file, max_pixels=MAX_PIXELS).pixels
            except StylizeError as refusal:
                message = str(refusal)
                results[name, "refused"] += 1
            else:
                assert np.isfinite(pixels).all()
                assert pixels.min() >= 0
                assert pixels.max() <= 1
                results[name, "read"] += 1
            assert "\n" not in message
            seconds = time.monotonic() - started
            assert seconds < SECONDS, f"{seconds:.1f} s"
            assert peak_bytes() < MEMORY_BYTES, f"{peak_bytes() >> 20} MiB"
        except BaseException:
            Path(f"fuzz-{seed}-{i}.bin").write_bytes(file)
            print(f"{name}: file {i} of seed {seed}", file=sys.stderr)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
    return results


def peak_bytes() -> int:
    """Return the most memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():
        # The system's own count, `ru_maxrss`, begins with the size of the process that started this one.
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(peak.split()[1])

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    results = read_all(args.count, args.seed)
    for name in sorted({name for name, _ in results}):
        print(f"{name:10} read {results[name, 'read']:5}   refused {results[name, 'refused']:5}")
    print(f"largest memory: {peak_bytes() >> 20} MiB")


if __name__ == "__main__":
    main()

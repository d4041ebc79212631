"""Paint the example pictures of this folder: photo-like scenes, and pictures in several styles.

    python examples/paint.py [-o FOLDER] [NAME ...]

The programs in `painters/` use numpy and Pillow only. All random numbers have fixed seeds, so each run writes the same
pictures.
"""

import argparse
import io
import time
from pathlib import Path

import numpy as np
from painters.chalk import chalk
from painters.cubism import cubism
from painters.harbour import harbour
from painters.impression import impression
from painters.ink import ink
from painters.lake import lake
from painters.mosaic import mosaic
from painters.points import points
from painters.riso import riso
from painters.stained_glass import stained_glass
from painters.still_life import still_life
from painters.swirls import swirls
from painters.watercolour import watercolour
from painters.woodcut import woodcut
from PIL import Image, ImageFile

PICTURES = {
    "scene_lake": lake,
    "scene_still_life": still_life,
    "scene_harbour": harbour,
    "style_swirls": swirls,
    "style_stained_glass": stained_glass,
    "style_woodcut": woodcut,
    "style_watercolour": watercolour,
    "style_impression": impression,
    "style_points": points,
    "style_cubism": cubism,
    "style_ink": ink,
    "style_chalk": chalk,
    "style_riso": riso,
    "style_mosaic": mosaic,
}
# Of a JPEG file, because the pictures are part of the installed package.
MOST_BYTES = 190_000
FEWER_BYTES = {
    **dict.fromkeys(("style_impression", "style_points", "style_cubism", "style_chalk", "style_mosaic"), 114_000),
    "style_ink": 140_000,
    "style_riso": 134_000,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which pictures (default: all)")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    parser.add_argument("--png", action="store_true", help="write PNG files instead of JPEG files")
    args = parser.parse_args()
    unknown = set(args.names) - set(PICTURES)
    if unknown:
        parser.error(f"unknown picture: {', '.join(sorted(unknown))}; expected some of {', '.join(PICTURES)}")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or PICTURES:
        began = time.perf_counter()
        pixels = PICTURES[name]()
        picture = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
        if args.png:
            picture.save(args.out / f"{name}.png")
            note = "PNG"
        else:
            quality, data = jpeg(picture, FEWER_BYTES.get(name, MOST_BYTES))
            (args.out / f"{name}.jpg").write_bytes(data)
            note = f"quality {quality}, {len(data) / 1000:.0f} kB"
        print(f"{name}: {picture.width} x {picture.height}, {note}, {time.perf_counter() - began:.1f} s")


def jpeg(picture, most_bytes):
    """Return the highest JPEG quality whose file has at most so many bytes, and the file's bytes."""
    ImageFile.MAXBLOCK = 4 * picture.width * picture.height  # the optimiser needs room for the whole file
    for quality in range(94, 40, -2):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, optimize=True, subsampling=0 if quality > 90 else 2)
        if out.tell() <= most_bytes:
            break
    return quality, out.getvalue()


if __name__ == "__main__":
    main()

"""Paint the example pictures of this folder: photo-like scenes and pictures in several styles.

    python examples/paint.py [-o FOLDER] [NAME ...]

Everything is computed with numpy and Pillow from fixed seeds, so that each run writes the same pictures.
"""

import argparse
import time
from pathlib import Path

import scenes
import still_life
import styles
from brush import save_jpeg, to_image

PICTURES = {
    "scene_lake": scenes.lake,
    "scene_still_life": still_life.still_life,
    "scene_harbour": scenes.harbour,
    "style_swirls": styles.swirls,
    "style_stained_glass": styles.stained_glass,
    "style_woodcut": styles.woodcut,
    "style_watercolour": styles.watercolour,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="which pictures (default: all)")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).parent, metavar="FOLDER")
    parser.add_argument("--png", action="store_true", help="write PNG copies in place of the JPEG files")
    args = parser.parse_args()
    unknown = set(args.names) - set(PICTURES)
    if unknown:
        parser.error(f"no such picture: {', '.join(sorted(unknown))} (there are {', '.join(PICTURES)})")
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.names or PICTURES:
        began = time.perf_counter()
        picture = PICTURES[name]()
        if args.png:
            to_image(picture).save(args.out / f"{name}.png")
            note = "PNG"
        else:
            quality, size = save_jpeg(picture, args.out / f"{name}.jpg")
            note = f"quality {quality}, {size / 1000:.0f} kB"
        print(f"{name}: {picture.shape[1]} x {picture.shape[0]}, {note}, {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()

"""Paint docs/gallery.jpg for the README: two scenes in four styles, painted by `refine`.

python scripts/gallery.py --features vgg19 --network magenta-int8
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

import stylize
from stylize.images.resizing import resized

REPOSITORY = Path(__file__).parent.parent
EXAMPLES = REPOSITORY / "examples"
TARGET = REPOSITORY / "docs" / "gallery.jpg"
SCENES = ("still_life", "lake")
STYLES = ("swirls", "woodcut", "stained_glass", "watercolour")
GAP_PX = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--network", default="auto")
    parser.add_argument("--size", type=int, default=360)
    args = parser.parse_args()

    styles = [stylize.read_image(EXAMPLES / f"style_{name}.jpg") for name in STYLES]
    rows = [[None, *(resized(style.pixels, args.size * 3 // 5, args.size * 3 // 5) for style in styles)]]
    for scene in SCENES:
        content = stylize.read_image(EXAMPLES / f"scene_{scene}.jpg")
        row = [content.pixels]
        for style in styles:
            result = stylize.refine(
                content, style, size=args.size, features=args.features, network=args.network, on_message=print
            )
            row.append(result.image)
        row[0] = resized(content.pixels, *row[1].shape[:2])
        rows.append(row)
    sheet = _sheet(rows, args.size)
    Image.fromarray((sheet * 255).round().astype(np.uint8)).save(TARGET, quality=88, optimize=True)


def _sheet(rows: list[list[np.ndarray | None]], width: int) -> np.ndarray:
    """Return one picture with all rows on white, each column `width` px wide."""
    heights = [max(picture.shape[0] for picture in row if picture is not None) for row in rows]
    sheet = np.ones((sum(heights) + GAP_PX * (len(rows) - 1), (width + GAP_PX) * len(rows[0]) - GAP_PX, 3), np.float32)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            if picture is not None:
                left = column * (width + GAP_PX) + (width - picture.shape[1]) // 2
                sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        top += height + GAP_PX
    return sheet


if __name__ == "__main__":
    main()

"""Paint docs/control.jpg for the README: one scene with masks, with kept colours and with three sizes of strokes.

python scripts/control.py --features vgg19 --network magenta-int8
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import stylize
from stylize.images.resizing import resized

REPOSITORY = Path(__file__).parent.parent
EXAMPLES = REPOSITORY / "examples"
TARGET = REPOSITORY / "docs" / "control.jpg"
SCENE = EXAMPLES / "scene_lake.jpg"
SWIRLS, WOODCUT = (EXAMPLES / f"style_{name}.jpg" for name in ("swirls", "woodcut"))
COLUMNS, GAP_PX, LINE_PX = 3, 8, 20

# Outline of the mountains in scene_lake.jpg, 768 x 512 px: x, y.
RIDGE = (
    (0, 120), (20, 118), (48, 122), (64, 138), (96, 152), (120, 168), (150, 172), (178, 184), (190, 168), (215, 160),
    (235, 150), (265, 138), (278, 112), (298, 98), (320, 118), (345, 124), (370, 132), (390, 120), (410, 116),
    (432, 98), (455, 103), (480, 92), (500, 82), (518, 92), (537, 84), (552, 102), (565, 110), (582, 105), (597, 113),
    (608, 105), (625, 120), (645, 100), (663, 90), (685, 105), (700, 120), (720, 110), (768, 118),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="auto")
    parser.add_argument("--network", default="auto")
    parser.add_argument("--size", type=int, default=288)
    args = parser.parse_args()
    networks = stylize.LoadedNetworks()

    def painted(*styles: Path, **options: object) -> np.ndarray:
        return stylize.refine(
            SCENE, list(styles), size=args.size, features=args.features, network=args.network, loaded=networks,
            on_message=print, **options,
        ).image  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        sky, land = _masks(Path(folder))
        pictures = {
            "lake.jpg": stylize.read_image(SCENE).pixels,
            "sky.png": stylize.read_image(sky).pixels,
            "--mask sky.png": painted(SWIRLS, mask=sky),
            "--mask sky.png --mask land.png": painted(SWIRLS, WOODCUT, mask=[sky, land]),
            "--keep-colors": painted(SWIRLS, keep_colors="luminance"),
            "--keep-colors histogram": painted(SWIRLS, keep_colors="histogram"),
            "--style-scale 0.5": painted(SWIRLS, style_scale=0.5),
            "--style-scale 1, the default": painted(SWIRLS),
            "--style-scale 2": painted(SWIRLS, style_scale=2.0),
        }
    height, width = pictures["--style-scale 2"].shape[:2]
    sheet = _sheet({label: resized(picture, height, width) for label, picture in pictures.items()})
    sheet.save(TARGET, quality=86, optimize=True)


def _masks(folder: Path) -> tuple[Path, Path]:
    """Write a mask of the sky, white on black with a soft edge, and a mask of everything else."""
    sky = Image.new("L", Image.open(SCENE).size)
    ImageDraw.Draw(sky).polygon([(0, 0), *RIDGE, (sky.width, 0)], fill=255)
    sky = sky.filter(ImageFilter.GaussianBlur(2))
    sky.save(folder / "sky.png")
    sky.point(lambda value: 255 - value).save(folder / "land.png")
    return folder / "sky.png", folder / "land.png"


def _sheet(pictures: dict[str, np.ndarray]) -> Image.Image:
    """Draw pictures of equal size in columns, each above its label."""
    height, width = next(iter(pictures.values())).shape[:2]
    step_x, step_y = width + GAP_PX, height + LINE_PX + GAP_PX
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * step_x - GAP_PX, rows * step_y - GAP_PX), "white")
    font = ImageFont.load_default(size=13)
    for number, (label, picture) in enumerate(pictures.items()):
        left, top = number % COLUMNS * step_x, number // COLUMNS * step_y
        sheet.paste(Image.fromarray((picture * 255).round().astype(np.uint8)), (left, top))
        ImageDraw.Draw(sheet).text((left, top + height + 2), label, fill="#333333", font=font)
    return sheet


if __name__ == "__main__":
    main()

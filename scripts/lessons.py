"""Paint the pictures of docs/presets.md and docs/how-it-works.md: one scene under every preset, and term by term.

    python scripts/lessons.py
    python scripts/lessons.py --features vgg19 --network magenta-int8 --only default bold

`--only` names the pictures to paint again; other files stay. Presets without a pyramid take long: they are painted at
three quarters of the size, with at most `--steps` steps. Presets that read layers beyond relu5_1 need VGG-19.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from PIL import Image

import stylize
from stylize.output import OutputConfig

REPOSITORY = Path(__file__).parent.parent
DOCS, EXAMPLES = REPOSITORY / "docs", REPOSITORY / "examples"

DEFAULT = stylize.PerceptualLossConfig()
# From the loss of the paper to the default, one change a picture; each line adds to those above. What is missing after
# the last one are places: the preset `default` itself.
TERMS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "gram",
        {
            "statistics": "gram",
            "octaves": 1,
            "enough_positions": 0,
            "content_range_px": (0, 65535),
            "palette_weight": 0.0,
            "light_weight": 0.0,
            "saliency": 0.0,
            "places_weight": 0.0,
        },
    ),
    ("moments", {"statistics": DEFAULT.statistics}),
    ("octaves", {"octaves": DEFAULT.octaves}),
    ("positions", {"enough_positions": DEFAULT.enough_positions}),
    ("levels", {"content_range_px": DEFAULT.content_range_px}),
    ("palette", {"palette_weight": DEFAULT.palette_weight}),
    ("light", {"light_weight": DEFAULT.light_weight}),
    ("saliency", {"saliency": DEFAULT.saliency}),
)


def main() -> None:
    """Paint what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="vgg19")
    parser.add_argument("--network", default="mini")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=500, help="at most, of presets without a pyramid")
    parser.add_argument("--scene", default="lake")
    parser.add_argument("--style", default="swirls")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="names of presets and of terms")
    args = parser.parse_args()

    pictures = _pictures()
    unknown = set(args.only or ()) - {path.stem for path in pictures}
    if unknown:
        parser.error(f"--only: expected {', '.join(path.stem for path in pictures)}; received {', '.join(unknown)}")
    networks = stylize.LoadedNetworks()
    scene, style = EXAMPLES / f"scene_{args.scene}.jpg", EXAMPLES / f"style_{args.style}.jpg"
    for picture in (scene, style):
        _shrink(picture, DOCS / "presets" / picture.name, args.size)
    for path, options in pictures.items():
        if args.only and path.stem not in args.only:
            continue
        config = stylize.PRESETS[options.get("preset", "default")].config
        if config.pyramid.coarsest_px is None:
            options = {**options, "size": args.size * 3 // 4, "steps": min(args.steps, config.steps)}
        if not {"relu5_2", "relu5_4"}.isdisjoint(config.loss.layers):
            options = {**options, "features": "vgg19"}
        result = stylize.refine(
            scene, style, network=args.network, loaded=networks, on_message=print,
            **{"size": args.size, "features": args.features, **options},
        )  # fmt: skip
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(result.encode("jpg", OutputConfig(quality=84, provenance=False)))
        print(f"{path.relative_to(REPOSITORY)}: {result.seconds:.0f} s")


def _pictures() -> dict[Path, dict[str, Any]]:
    """Return the options of every picture by its path."""
    pictures: dict[Path, dict[str, Any]] = {
        DOCS / "presets" / f"{name}.jpg": {"preset": name} for name in stylize.PRESETS
    }
    options: dict[str, Any] = {}
    for name, change in TERMS:
        options = {**options, **change}
        pictures[DOCS / "terms" / f"{name}.jpg"] = options
    return pictures


def _shrink(source: Path, target: Path, size: int) -> None:
    """Write a small copy of a picture."""
    picture = Image.open(source)
    picture.thumbnail((size, size), Image.Resampling.LANCZOS)
    target.parent.mkdir(exist_ok=True)
    picture.save(target, quality=84, optimize=True)


if __name__ == "__main__":
    main()

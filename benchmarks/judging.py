"""Bench pairs, and their scores by a judge that was written apart from this project.

The judge is a folder with `judge.py` and `vgg_objective.py`: losses under VGG-19 in float32. The modules are imported
from that folder.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tables

# Arguments that tell which rows there are, and where they go.
_NOT_OF_A_ROW = ("contents", "styles", "pairs", "output", "write")
STYLE_SCORES = ("style", "half", "quarter")
# Lower is better for these.
LOSSES = (*STYLE_SCORES, "palette", "content")
# Lower is better, too: whether places look like places of the style, and all of the style is used; whether the scene is
# laid out as before.
PLACES_SCORES = ("stroke", "coverage", "structure")
SCORES = (*LOSSES, *PLACES_SCORES, "chroma")


class Judge:
    """Scores pictures at one size.

    Args:
        folder: The folder of the judge's modules.
        size_px: The long side at which pictures are compared.
    """

    def __init__(self, folder: Path, size_px: int) -> None:
        sys.path.insert(0, str(folder))
        import judge
        import vgg_objective

        self._judge, self._objective = judge, vgg_objective
        self._size_px = size_px
        self._network = vgg_objective.build_vgg19()

    def targets(self, content: Path, style: Path) -> Any:
        """Return what the losses of this pair compare a picture with."""
        return self._objective.Targets(self._network, self._read(content), self._read(style))

    def objective(self, pixels: Any, targets: Any) -> float:
        """Return the tutorial's J of pixels (1, H, W, 3) in [0, 1]."""
        return float(self._objective.losses(self._network, pixels, targets)[2])

    def scores(self, picture: Path, content: Path, style: Path) -> dict[str, float]:
        """Return the picture's `SCORES`."""
        photo, painting = self._read(content), self._read(style)
        image = self._objective.fit_to(self._objective.read_image(picture), *photo.shape[1:3])
        targets = self._objective.Targets(self._network, photo, painting)
        style_loss, content_loss, *_ = self._objective.losses(self._network, image, targets)
        values = (
            float(style_loss),
            self._judge.style_loss_at(self._network, image, painting, 2),
            self._judge.style_loss_at(self._network, image, painting, 4),
            self._judge.palette_distance(image, painting),
            float(content_loss),
            *self._judge.nearest_distances(self._network, image, painting),
            self._judge.structure_distance(self._network, image, photo),
            self._judge.chroma_kept(image, photo),
        )
        return dict(zip(SCORES, values, strict=True))

    def _read(self, path: Path) -> Any:
        return self._objective.read_image(path, self._size_px)


def find_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the paths of the content and the style of a pair such as `c01-s01`.

    Raises:
        ValueError: a picture of that name is not in the folder.
    """
    paths = []
    for part in name.split("-"):
        path = next(folder.glob(f"{part}*"), None)
        if path is None:
            raise ValueError(f"pairs: expected a picture {part}* in {folder}")
        paths.append(path)
    content, style = paths
    return content, style


def remembered(record: Path, args: argparse.Namespace, compute: Callable[[], Any]) -> Any:
    """Return the row that a JSON file holds; if there is no such file, compute the row and write the file.

    Ends the program if the file is of another commit or of other arguments: a table must not mix them.
    """
    asked = {name: value for name, value in vars(args).items() if name not in _NOT_OF_A_ROW}
    asked = json.loads(json.dumps({**asked, "commit": tables.commit()}, default=str))
    if not record.exists():
        record.write_text(json.dumps({"asked": asked, "row": compute()}), encoding="utf-8")
    measured = json.loads(record.read_text(encoding="utf-8"))
    was = measured.get("asked", {}) if isinstance(measured, dict) else {}
    if was != asked:
        names = sorted(name for name in {**asked, **was} if asked.get(name) != was.get(name))
        sys.exit(f"{record}: another {', '.join(names)}; give an empty folder, or delete the file")
    return measured["row"]

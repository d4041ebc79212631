"""What results carry: the provenance."""

from __future__ import annotations

import json
import os
from pathlib import Path

import stylize
from samples import painting
from stylize.images.picture import Picture
from stylize.images.provenance import read_provenance


def test_provenance_inside_the_file_is_enough_to_repeat(
    traced_networks: Path, pictures: tuple[Path, Path], tmp_path: Path
) -> None:
    result = stylize.refine(*pictures, size=48, steps=12)
    result.save(tmp_path / "out.png")
    provenance = read_provenance(tmp_path / "out.png")
    in_file = json.loads(json.dumps(result.provenance).replace(f"{tmp_path}{os.sep}", ""))
    assert provenance == in_file
    assert provenance["command"] == "refine"
    assert provenance["version"] == stylize.__version__
    assert provenance["content"]["sha256"] == stylize.read_image(pictures[0]).sha256
    assert {network["name"] for network in provenance["networks"]} == {"mini", "vgg19-slim"}


def test_pictures_pass_through_unread(traced_networks: Path) -> None:
    picture = Picture(painting(32, 32, 0))
    assert stylize.fast(picture, picture, size=32).provenance["content"]["path"] is None

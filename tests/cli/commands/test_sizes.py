"""`refine` and `compare` whole, with the shipped networks, at the size of the content."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from samples import painting
from stylize.cli.main import main


@pytest.fixture
def arguments(shipped_networks: None, tmp_path: Path) -> list[str]:
    """The options of a content of 64 x 40 px, a style, and two steps."""
    for name, size, seed in (("photo.png", (40, 64), 1), ("style.png", (48, 48), 2)):
        Image.fromarray((painting(*size, seed) * 255).round().astype(np.uint8)).save(tmp_path / name)
    named = ["-c", str(tmp_path / "photo.png"), "-s", str(tmp_path / "style.png")]
    return [*named, "--size", "original", "--steps", "2"]


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@pytest.mark.slow
def test_refine_paints_at_the_size_of_the_content(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["refine", *arguments, "-o", str(tmp_path / "out.png"), "--json"])
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert (data["width"], data["height"], data["steps"]) == (64, 40, 2)
    assert size_of(tmp_path / "out.png") == (64, 40)


@pytest.mark.slow
def test_compare_paints_at_the_size_of_the_content(arguments: list[str], tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["compare", *arguments, "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert {size_of(tmp_path / "out" / name) for name in ("fast.png", "refined.png")} == {(64, 40)}
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["size"] == [64, 40]

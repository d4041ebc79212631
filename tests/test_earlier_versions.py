"""Files that an earlier version wrote stay readable: a checkpoint resumes, and a picture can be painted again.

The earlier version had one "recipe" where there are now a preset and a provenance. It painted `earlier_refine.png`
from the examples in 12 steps of 24 to 48 px, stopped the same run after 6 steps for `earlier_checkpoint.npz`, and
painted `earlier_fast.png`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import ExifTags, Image

import stylize
from samples import EXAMPLES, GOLDEN
from stylize.cli.main import main
from stylize.images.provenance import read_provenance
from stylize.optimize.checkpoint import read_checkpoint

INPUTS = EXAMPLES / "scene_lake.jpg", EXAMPLES / "style_swirls.jpg"
# Eight bits and a few steps in float32: machines differ by rounding. Since those pictures, L-BFGS keeps pixels at their
# bounds in its history, which changes single pixels.
TOLERANCE = 3 / 255


@pytest.mark.slow
def test_a_checkpoint_of_an_earlier_version_resumes_to_the_same_picture(shipped_networks: None) -> None:
    checkpoint = read_checkpoint(GOLDEN / "earlier_checkpoint.npz")
    assert (len(checkpoint.history), checkpoint.level) == (6, 2)
    resumed = stylize.refine(
        *INPUTS, size=48, steps=12, coarsest_px=24, features="vgg19-slim", network="mini", precision="float32",
        resume_from=checkpoint,
    )  # fmt: skip
    finished = stylize.read_image(GOLDEN / "earlier_refine.png").pixels
    assert np.abs(resumed.image - finished).mean() < TOLERANCE
    assert [entry.step for entry in resumed.history] == list(range(1, 13))
    assert [level.long_side_px for level in resumed.levels] == [24, 34, 48]


@pytest.mark.parametrize("command", ["fast", pytest.param("refine", marks=pytest.mark.slow)])
def test_a_picture_of_an_earlier_version_is_painted_again(
    shipped_networks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(EXAMPLES.parent)  # where the recorded paths lead
    picture = tmp_path / f"earlier_{command}.png"
    for file in (GOLDEN / picture.name, *INPUTS):  # the inputs are looked for beside the picture
        shutil.copy(file, tmp_path)
    provenance = read_provenance(picture)
    assert provenance is not None
    with Image.open(picture) as image:
        assert image.getexif()[ExifTags.Base.ImageDescription].startswith("stylize recipe: ")
    assert (provenance["command"], provenance["version"]) == (command, "0.1.0")
    assert json.loads(_run("info", picture, "--json").stdout) == provenance
    _run("rerun", picture, "-o", tmp_path / "again.png")
    earlier, again = (stylize.read_image(path).pixels for path in (picture, tmp_path / "again.png"))
    assert np.abs(again - earlier).mean() < TOLERANCE


def _run(*arguments: object) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result

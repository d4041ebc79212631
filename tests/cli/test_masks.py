"""Commands with --mask."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import stylize
from stylize.cli.main import main


def run(*arguments: object, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result


@pytest.mark.parametrize("command", ["fast", pytest.param("refine", marks=pytest.mark.slow)])
def test_rerun_repeats_a_masked_picture(traced_networks, pictures, masks, tmp_path, command):
    photo, style = pictures
    options = ["--size", "48", *(["--steps", "6"] if command == "refine" else [])]
    out, again = tmp_path / "out.png", tmp_path / "again.png"
    inputs = ["-c", photo, "-s", style, "-s", photo, "--mask", masks[0], "--mask", masks[1]]
    run(command, *inputs, *options, "--keep-colors", "histogram", "-o", out)
    provenance = json.loads(run("info", out, "--json").stdout)
    assert [mask["path"] for mask in provenance["masks"]] == [str(mask) for mask in masks]
    run("rerun", out, "-o", again)
    np.testing.assert_array_equal(*(stylize.read_image(path).pixels for path in (out, again)))
    run("rerun", out, "-o", again, "--mask", masks[1], "--mask", masks[0], "--overwrite")
    assert np.abs(np.subtract(*(stylize.read_image(path).pixels for path in (out, again)))).mean() > 0.01
    Image.fromarray(np.full((64, 96), 255, np.uint8)).save(masks[0])
    message = run("rerun", out, "-o", again, "--overwrite", exit_code=1).stderr
    assert message == f"stylize: mask {masks[0]}: has changed since; --mask FILE takes another\n"


@pytest.mark.parametrize("command", ["fast", "refine", "compare"])
def test_commands_refuse_masks_that_do_not_fit(traced_networks, pictures, masks, tmp_path, command):
    inputs = ["-c", pictures[0], "-s", pictures[1], "--size", "32"]
    message = run(command, *inputs, "--mask", masks[0], "--mask", masks[1], exit_code=2).stderr
    assert "mask: expected one mask; received 2" in message
    message = run(command, *inputs, "-s", pictures[0], *["--mask", masks[0]] * 3, exit_code=2).stderr
    assert "mask: expected one mask, or 2, one for each style; received 3" in message
    message = run(command, *inputs, "--mask", tmp_path / "absent.png", exit_code=1).stderr
    assert message == f"stylize: mask {tmp_path / 'absent.png'}: no such file\n"
    Image.new("L", (96, 64)).save(tmp_path / "black.png")
    message = run(command, *inputs, "--mask", tmp_path / "black.png", exit_code=1).stderr
    assert message.splitlines()[-1].startswith(f"stylize: mask {tmp_path / 'black.png'}: expected white where to paint")
    message = run(command, *inputs, "--mask", pictures[1], exit_code=1).stderr
    assert "expected about 96:64" in message


@pytest.mark.slow
def test_the_report_names_the_masks(traced_networks, pictures, masks, tmp_path):
    inputs = ["-c", pictures[0], "-s", pictures[1], "--mask", masks[0], "--size", "32", "--steps", "4"]
    run("compare", *inputs, "-o", tmp_path / "out")
    assert f"--mask {masks[0]}" in (tmp_path / "out" / "report.html").read_text()


def test_an_output_never_takes_the_place_of_a_mask(traced_networks, pictures, masks):
    message = run(
        "fast", "-c", pictures[0], "-s", pictures[1], "--mask", masks[0], "-o", masks[0], "--overwrite", exit_code=2
    ).stderr
    assert "expected another file than the input" in message


def test_sheets_are_painted_within_a_mask(traced_networks, pictures, masks, tmp_path):
    inputs = ["-c", pictures[0], "-s", pictures[1], "-s", pictures[0], "--size", "48"]
    run("fast", *inputs, "--mask", masks[0], "--grid", "-o", tmp_path / "grid.png")
    run(
        "fast",
        *inputs,
        "--mask",
        masks[0],
        "--mask",
        masks[1],
        "--strengths",
        "0.5,1",
        "-o",
        tmp_path / "strengths.png",
    )
    message = run("fast", *inputs, "--mask", masks[0], "--mask", masks[1], "--grid", exit_code=2).stderr
    assert "expected one mask for all" in message

"""A second run: what it leaves alone, and what it paints again."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from batches import counts, picture, pictures, records, records_without_times, run
from stylize.batch.manifest import MANIFEST


def test_what_is_done_is_left_alone(folders):
    run()
    before = {name: Path("out", name).stat().st_mtime_ns for name in records()}, Path("out", MANIFEST).read_bytes()
    assert counts(run()) == (6, 0, 6, 0)
    assert (
        {name: Path("out", name).stat().st_mtime_ns for name in records()},
        Path("out", MANIFEST).read_bytes(),
    ) == before
    assert counts(run("--no-resume")) == (6, 6, 0, 0)


@pytest.mark.parametrize(
    ("change", "painted"),
    [
        (lambda: picture("photos/a.png", 9), 2),
        (lambda: picture("styles/t.png", 9), 3),
        (lambda: os.truncate("out/a-s-fast.png", 100), 1),
        (lambda: os.remove("out/a-s-fast.png"), 1),
        (lambda: shutil.copy("out/b-s-fast.png", "out/a-s-fast.png"), 1),
        (lambda: picture("photos/d.png", 9), 2),
        (lambda: os.utime("photos/a.png", (1, 1)), 0),
        (lambda: os.utime("out/a-s-fast.png", (1, 1)), 0),
        (lambda: Path("out", MANIFEST).unlink(), 6),
    ],
)
def test_what_changed_is_painted_again(folders, change, painted):
    run()
    change()
    assert counts(run())[1] == painted
    assert counts(run())[1] == 0
    fresh = "fresh"
    run(output=fresh)
    assert pictures() == pictures(fresh)
    assert records_without_times() == records_without_times(fresh)


def test_other_options_paint_again(folders):
    run()
    assert counts(run("--strength", 0.5)) == (6, 6, 0, 0)
    assert counts(run("--strength", 0.5)) == (6, 0, 6, 0)


@pytest.mark.slow
def test_options_that_an_earlier_version_did_not_have_change_nothing(folders):
    run("--mode", "refine", "--preset", "gatys", "--steps", 1, "--size", 32)
    manifest = Path("out", MANIFEST)
    lines = manifest.read_text()
    assert lines.count(', "enough_positions": 0') == 6
    manifest.write_text(lines.replace(', "enough_positions": 0', ""))
    assert counts(run("--mode", "refine", "--preset", "gatys", "--steps", 1, "--size", 32)) == (6, 0, 6, 0)
    assert manifest.read_text() == lines


def test_another_network_paints_again(folders, tiny_networks):
    run()
    with open(tiny_networks / "mini_style.tflite", "ab") as file:
        file.write(b"\0")
    assert counts(run()) == (6, 6, 0, 0)


def test_a_line_that_was_cut_off(folders):
    run()
    path = Path("out", MANIFEST)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert counts(run()) == (6, 1, 5, 0)
    path.write_bytes(b"{damaged\n" + whole)
    result = run()
    assert "1 damaged lines are passed over" in result.stderr
    assert Path(path).read_bytes().count(b"\n") == 6


def test_the_last_line_of_an_output_counts(folders):
    run()
    path = Path("out", MANIFEST)
    lines = path.read_text().splitlines(keepends=True)
    failed = json.dumps({**json.loads(lines[0]), "status": "failed"}) + "\n"
    path.write_text(failed + "".join(lines))
    assert counts(run()) == (6, 0, 6, 0)
    path.write_text("".join(lines) + failed)
    assert counts(run()) == (6, 1, 5, 0)

"""`stylize styles`, and `-s @NAME` in the commands that paint."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image

from api_stand_in import ApiStandIn, one_line, report_commands, run
from samples import EXAMPLES
from stylize import files
from stylize.images.provenance import read_provenance
from stylize.styles import DESCRIPTIONS, StyleName, names


def test_lists_names_sizes_and_words() -> None:
    table = run("styles").stdout
    for name, words in DESCRIPTIONS.items():
        assert re.search(rf"@{name} +\d+ x \d+ +{re.escape(words)}", table)


def test_json_names_the_files() -> None:
    data = json.loads(run("styles", "--json").stdout)
    assert (data["command"], data["output"]) == ("styles", None)
    assert [style["name"] for style in data["styles"]] == names()
    for style in data["styles"]:
        with Image.open(style["file"]) as picture:
            assert picture.size == (style["width"], style["height"])


def test_a_default_quality_is_for_formats_that_have_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STYLIZE_QUALITY", "80")
    run("styles", "-o", tmp_path / "styles.png")


def test_the_sheet_shows_every_style(tmp_path: Path) -> None:
    result = run("styles", "-o", tmp_path / "styles.png")
    assert result.stdout == f"{tmp_path / 'styles.png'}\n"
    with Image.open(tmp_path / "styles.png") as sheet:
        rows = -(-len(DESCRIPTIONS) // 4)
        assert 4 * 240 < sheet.width < 5 * 240
        assert rows * 240 < sheet.height < (rows + 1) * 240
    assert "is there already" in one_line(run("styles", "-o", tmp_path / "styles.png", exit_code=1).stderr)
    run("styles", "-o", tmp_path / "styles.png", "--overwrite")


def test_draws_every_style_above_its_name_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylize.cli.console import Run

    class Terminal(io.StringIO):
        encoding = "utf-8"  # type: ignore[assignment]

        def isatty(self) -> bool:
            return True

        def fileno(self) -> int:
            return 0

    monkeypatch.setattr(os, "get_terminal_size", lambda fileno: os.terminal_size((40, 30)))
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    pictures = [(name, StyleName(name).file) for name in names()[:3]]
    from stylize.images.reading import read_image

    drawn = [(name, read_image(file).pixels[:80, :80]) for name, file in pictures]
    quiet = {"progress": "none", "verbose": False, "offline": True}
    Run(as_json=False, quiet=True, **quiet).draw(drawn)
    Run(as_json=True, quiet=False, **quiet).draw(drawn)
    assert terminal.getvalue() == ""
    Run(as_json=False, quiet=False, **quiet).draw(drawn)
    lines = terminal.getvalue().splitlines()
    named = [number for number, line in enumerate(lines) if line.startswith("@")]
    # Two pictures of 19 columns beside each other, then one.
    assert [lines[number].split() for number in named] == [names()[:2], names()[2:3]]
    assert named == [10, 21]
    assert all(line.count("▀") == 40 for number, line in enumerate(lines) if number not in named)


@pytest.mark.parametrize("command", ["fast", pytest.param("refine", marks=pytest.mark.slow)])
def test_outputs_are_called_after_the_name(
    command: str, shipped_networks: None, pictures: tuple[Path, ...], tmp_path: Path
) -> None:
    size = ["--size", 32, "--network", "mini"] + (["--steps", 2] if command == "refine" else [])
    result = run(command, "-c", pictures[0], "-s", "@swirls:2", "-s", "@woodcut", *size)
    output = tmp_path / f"photo-swirls+woodcut-{command}.png"
    assert result.stdout == f"{output}\n"
    provenance = read_provenance(output)
    assert provenance is not None
    assert [style["path"] for style in provenance["styles"]] == ["@swirls", "@woodcut"]
    assert provenance["styles"][0]["weight"] == pytest.approx(2 / 3)
    assert "@swirls" in run("info", output).stdout
    run("rerun", output)
    with Image.open(output) as one, Image.open(tmp_path / f"photo-swirls+woodcut-{command}-rerun.png") as two:
        assert one.tobytes() == two.tobytes()


def test_rerun_refuses_a_style_that_is_another_by_now(
    shipped_networks: None, pictures: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("fast", "-c", pictures[0], "-s", "@swirls", "--size", 32, "--network", "mini", "-o", tmp_path / "out.png")
    monkeypatch.setattr(StyleName, "file", property(lambda self: pictures[1]))
    told = one_line(run("rerun", tmp_path / "out.png", exit_code=1).stderr)
    assert told == "stylize: style @swirls: has changed since; --style FILE takes another"


def test_the_report_of_a_comparison_repeats_the_name(
    inputs: tuple[object, ...], fake: ApiStandIn, tmp_path: Path
) -> None:
    run("compare", *inputs[:2], "-s", "@woodcut:.5", "-o", tmp_path / "folder")
    assert fake.calls[0][2] == ((StyleName("@woodcut"), 0.5),)
    assert report_commands(tmp_path / "folder" / "report.html")[0][4:6] == ["-s", "@woodcut:0.5"]


def test_a_grid_is_headed_by_names(shipped_networks: None, pictures: tuple[Path, ...], tmp_path: Path) -> None:
    options = ["--size", 32, "--network", "mini", "-o", tmp_path / "sheet.png", "--json"]
    result = run("fast", "-c", pictures[0], "-s", "@swirls", "@woodcut", "--grid", *options)
    assert json.loads(result.stdout)["columns"] == ["@swirls", "@woodcut"]


@pytest.mark.parametrize("command", ["fast", "refine", "compare"])
def test_an_unknown_name_is_one_line(command: str, inputs: tuple[object, ...]) -> None:
    told = one_line(run(command, *inputs[:2], "-s", "@swirl", exit_code=1).stderr)
    assert told.startswith("stylize: style @swirl: expected the name of one of our styles such as @swirls")
    assert "./@swirl means a file" in told


def test_a_file_of_such_a_name_is_given_with_its_folder(
    shipped_networks: None, pictures: tuple[Path, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(EXAMPLES / "style_woodcut.jpg", "@swirls.jpg")
    options = ["-c", pictures[0].name, "--size", 32, "--network", "mini"]
    run("fast", *options, "-s", "@swirls.jpg", exit_code=1)
    run("fast", *options, "-s", "./@swirls.jpg:2")
    provenance = read_provenance("photo-@swirls-fast.png")
    assert provenance is not None
    assert provenance["styles"][0]["path"] == "./@swirls.jpg"
    assert provenance["styles"][0]["sha256"] == files.sha256("@swirls.jpg")
    run("rerun", "photo-@swirls-fast.png")

"""Several files after one option."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from api_stand_in import one_line, run
from stylize.cli import expanding
from stylize.cli import main as program
from stylize.cli.commands import fast


@pytest.fixture
def photos(pictures, tmp_path):
    """Three photographs."""
    return [shutil.copy(pictures[0], tmp_path / f"{name}.png") for name in "abc"]


@pytest.mark.parametrize("flag", ["-c", "--content"])
def test_fast_takes_what_a_shell_makes_of_a_glob(flag, photos, pictures, fake):
    run("fast", flag, *photos, "-s", pictures[1])
    assert [call[1] for call in fake.calls] == photos
    run("fast", "-s", pictures[1], f"{flag}{'=' * flag.startswith('--')}{photos[0]}", *photos[1:], "--overwrite")
    assert [call[1] for call in fake.calls[3:]] == photos


def test_files_after_a_style_are_styles(photos, fake):
    run("fast", "-c", photos[0], "-s", *photos[1:], "--keep-colors", "-q")
    assert [call[1:3] for call in fake.calls] == [(photos[0], tuple((path, 1.0) for path in photos[1:]))]


@pytest.mark.parametrize("command", ["refine", "compare"])
def test_a_command_for_one_photograph_says_what_paints_many(command, photos, pictures, fake):
    message = run(command, "-c", *photos, "-s", pictures[1], exit_code=2).stderr
    assert "-c: expected one file, received more; stylize batch --mode refine paints many" in message
    message = run(command, "-c", photos[0], f"--content={photos[1]}", "-s", pictures[1], exit_code=2).stderr
    assert "--content: expected one file, received more; stylize batch --mode refine paints many" in message
    run(command, "-c", photos[0], "-s", *photos[1:])
    assert [path for path, _ in fake.calls[0][2]] == photos[1:]


@pytest.mark.parametrize("arguments", [["--size", "9", "x.png"], ["-q", "x.png"], ["--", "x.png"], ["-c"]])
def test_other_words_are_misuse(arguments, inputs, fake):
    run("fast", *inputs, *arguments, exit_code=2)
    assert fake.calls == []


def test_a_url_is_told_apart_from_a_file(inputs, fake, monkeypatch, pictures):
    message = one_line_of_usage(run("refine", "-c", "https://host/a.png", "-s", pictures[1], exit_code=2).stderr)
    assert "expected a file, received https://host/a.png; only the inputs of fast and batch may be URLs" in message
    assert "only the inputs" in run("fast", *inputs, "-o", "https://host/a.png", exit_code=2).stderr
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    message = one_line(run("fast", "-c", "https://host/a.png", "-s", pictures[1], "-o", "o.png", exit_code=1).stderr)
    assert message.endswith('https://host/a.png: reading URLs needs more packages: pip install "stylize-art[batch]"')


def one_line_of_usage(text: str) -> str:
    return text.splitlines()[-1]


@pytest.fixture
def windows(monkeypatch, tmp_path):
    """A shell that leaves globs to the programs, in the folder of the pictures."""

    class System:
        name = "nt"

        def __getattr__(self, name: str) -> Any:
            return getattr(os, name)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(click.core, "os", System())
    monkeypatch.setattr(expanding, "_LEAVES_GLOBS", True)
    monkeypatch.setattr(program, "_ON_WINDOWS", True)

    def typed(*words: str) -> None:
        monkeypatch.setattr(sys, "argv", ["stylize", *words])
        with pytest.raises(SystemExit) as ended:
            program.main()
        assert ended.value.code == 0

    return typed


def test_globs_are_expanded_where_the_shell_leaves_them(windows, photos, fake):
    windows("fast", "-c", "[abc].png", "-s", "painting.p?g", "-q")
    assert [str(call[1]) for call in fake.calls] == ["a.png", "b.png", "c.png"]
    windows("fast", "--content=a.png", "[bc].png", "-s", "painting.png", "--overwrite")
    assert [str(call[1]) for call in fake.calls[3:]] == ["a.png", "b.png", "c.png"]


def test_nothing_is_expanded_after_two_dashes(windows, photos):
    with click.Context(fast.fast, resilient_parsing=True) as ctx:
        assert fast.fast.parse_args(ctx, ["-c", "a.png", "--", "-c", "[ab].png"]) == ["-c", "[ab].png"]


def test_a_command_for_one_photograph_refuses_a_glob_of_two(windows, photos, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["stylize", "refine", "-c", "[ab].png", "-s", "painting.png"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    assert ended.value.code == 2
    assert "-c: expected one file, received more" in capsys.readouterr().err


def test_a_name_with_brackets_is_no_glob(windows, photos, fake, tmp_path):
    shutil.copy(photos[0], "photo[1].png")
    shutil.copy(photos[0], "photo1.png")
    Path("out1.png").write_bytes(b"mine")
    windows("fast", "-c", "photo[1].png", "-s", "painting.png", "-o", "out[1].png", "--overwrite")
    assert [str(call[1]) for call in fake.calls] == ["photo[1].png"]
    assert Path("out1.png").read_bytes() == b"mine"
    assert Path("out[1].png").exists()


def test_a_batch_gets_its_globs_as_they_are_typed(windows, photos, monkeypatch):
    seen: list[Any] = []
    monkeypatch.setattr("stylize.batch.jobs.subjects_of_places", lambda places, *_, **__: seen.append(places) or [])
    monkeypatch.setattr(sys, "argv", ["stylize", "batch", "-c", "*.png", "-s", "@swirls", "-o", "out"])
    with pytest.raises(SystemExit):
        program.main()
    assert seen == [("*.png",)]


def test_a_name_of_the_home_folder_is_expanded_and_no_other(windows, photos, fake, monkeypatch):
    monkeypatch.setenv("HOME", os.getcwd())
    monkeypatch.setenv("USERPROFILE", os.getcwd())
    shutil.copy(photos[0], "~$a.png")
    windows("fast", "-c", "~/b.png", "~$a.png", "-s", "painting.png")
    assert [str(call[1]) for call in fake.calls] == [os.path.join(os.getcwd(), "b.png"), "~$a.png"]

"""Several files after one option."""

from __future__ import annotations

import shutil

import pytest

from api_stand_in import one_line, run


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

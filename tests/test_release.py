"""What the repository says of the package that is published."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess

import pytest

from samples import REPOSITORY

#: The package index has another project of this name; nobody may be told to install it.
_ANOTHER_PROJECT = re.compile(
    r"(?<![-\w])stylize\\{0,2}\[\w|pip install [^`&\n]*(?<![-\w/.])stylize(?![-\w/.])|(?<![-\w])stylize-[*\d]\S*\.whl"
)
_PICTURES_AND_WEIGHTS = (".jpg", ".png", ".webp", ".tif", ".dng", ".npy", ".npz", ".safetensors", ".tflite")


def _tracked_texts() -> dict[str, str]:
    """Return the text of every tracked file but pictures and weights."""
    git = shutil.which("git")
    if git is None or not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    paths = [path for path in listed.stdout.split("\0") if path and not path.endswith(_PICTURES_AND_WEIGHTS)]
    return {path: (REPOSITORY / path).read_text(encoding="utf-8") for path in paths if (REPOSITORY / path).is_file()}


def test_nobody_is_told_to_install_another_project() -> None:
    texts = _tracked_texts()
    texts.pop("tests/test_release.py", None)
    lines = ((path, line) for path, text in texts.items() for line in text.splitlines())
    told = [f"{path}: {line.strip()}" for path, line in lines if _ANOTHER_PROJECT.search(line)]
    assert {"setup.cfg", "README.md", ".ci/run"} <= texts.keys()
    assert told == []


@pytest.mark.parametrize(
    "wrong",
    [
        'pip install "stylize[app]"',
        r"match=r'\"stylize\[film\]",
        "pip install stylize",
        "pip install -U stylize ",
        "dist/stylize-*.whl",
    ],
)
def test_the_name_of_the_other_project_is_noticed(wrong: str) -> None:
    assert _ANOTHER_PROJECT.search(wrong)


@pytest.mark.parametrize(
    "right", ['pip install "stylize-art[app]"', "pip install . && stylize demo", "dist/stylize_art-*.whl"]
)
def test_the_name_of_this_project_is_not(right: str) -> None:
    assert not _ANOTHER_PROJECT.search(right)


def test_the_package_is_called_stylize_art() -> None:
    settings = configparser.ConfigParser()
    settings.read(REPOSITORY / "setup.cfg", encoding="utf-8")
    assert settings["metadata"]["name"] == "stylize-art"
    assert settings["options.entry_points"]["console_scripts"].split() == ["stylize", "=", "stylize.cli.main:main"]

"""What the repository says of the package that is published."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stylize
from samples import REPOSITORY
from stylize.networks.registry import REGISTRY

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


_LICENCES = {"Apache-2.0": "Apache License 2.0", "CC BY 4.0": "Creative Commons Attribution 4.0"}


@pytest.mark.parametrize("name", [name for name, spec in REGISTRY.items() if not spec.embedded])
def test_the_notice_names_source_and_licence_of_what_is_downloaded(name: str) -> None:
    paragraphs = (REPOSITORY / "NOTICE").read_text(encoding="utf-8").split("\n\n")
    (paragraph,) = (each for each in paragraphs if each.startswith(f"{name}:"))
    assert _LICENCES[REGISTRY[name].licence] in paragraph
    for file in REGISTRY[name].files:
        assert file.url is not None
        assert file.url.split("?")[0].rpartition("/")[0] in paragraph


def test_the_citation_file_is_valid() -> None:
    assert _schema_errors("vendor.citation-file-format", REPOSITORY / "CITATION.cff") == ""


def test_a_mistake_in_a_citation_file_is_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "CITATION.cff"
    right = (REPOSITORY / "CITATION.cff").read_text(encoding="utf-8")
    wrong.write_text(right.replace("authors:", "writers:"), encoding="utf-8")
    assert "'authors' is a required property" in _schema_errors("vendor.citation-file-format", wrong)


WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("schema", ["vendor.github-workflows", "custom.github-workflows-require-timeout"])
def test_the_workflows_are_valid(schema: str) -> None:
    assert len(WORKFLOWS) >= 2
    assert _schema_errors(schema, *WORKFLOWS) == ""


def test_the_settings_of_dependabot_are_valid() -> None:
    assert _schema_errors("vendor.dependabot", REPOSITORY / ".github" / "dependabot.yml") == ""


def test_changelog_and_citation_name_the_version() -> None:
    newest = re.search(r"^## \[([\d.]+)\] - (\S+)$", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest is not None
    citation = (REPOSITORY / "CITATION.cff").read_text("utf-8")
    assert newest[1] == stylize.__version__
    assert f"\nversion: {newest[1]}\ndate-released: {newest[2]}\n" in citation


def test_actions_are_pinned_to_a_major_version() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w./-]+@(release/)?v\d+", action)] == []


def _schema_errors(schema: str, *paths: Path) -> str:
    """Return what check-jsonschema finds wrong; its schemas are part of the package."""
    check = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    if check is None:
        pytest.skip("check-jsonschema is not installed")
    result = subprocess.run(
        [check, "--builtin-schema", schema, *map(str, paths)], capture_output=True, text=True, encoding="utf-8"
    )
    return result.stdout + result.stderr if result.returncode else ""

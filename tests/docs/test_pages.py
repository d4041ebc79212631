"""The pages: their commands are understood, those of the quick start work, and their Python runs."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

import stylize
from api_stand_in import run
from samples import REPOSITORY
from stylize import presets
from stylize.cli.main import main
from stylize.config import RefineConfig

DOCS = REPOSITORY / "docs"
PAGES = {
    str(path.relative_to(REPOSITORY)): path
    for path in (*REPOSITORY.glob("README.md"), *sorted(DOCS.rglob("*.md")))
}  # fmt: skip


def _tokens(path: Path) -> Iterator[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(path.read_text("utf-8")):
        yield token
        yield from token.children or ()


def _blocks(path: Path, *languages: str) -> list[str]:
    return [token.content for token in _tokens(path) if token.type == "fence" and token.info in languages]


def _commands_of(path: Path) -> Iterator[list[str]]:
    """Yield the words of every `stylize` command on a page, without `stylize`, from blocks and from the text."""
    tokens = [token for token in _tokens(path) if token.type in ("fence", "code_block", "code_inline")]
    for line in (line for token in tokens for line in token.content.replace("\\|", "|").splitlines()):
        found = re.search(r"(?:^|[|&] )stylize ([a-z].*)", line)
        if found:
            yield shlex.split(re.split(r" [|&>] ?", found[1])[0], comments=True)


COMMANDS = sorted({(page, *words) for page, path in PAGES.items() for words in _commands_of(path)})


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_commands_on_the_pages_are_understood(words: tuple[str, ...]) -> None:
    """Every command and option that a page names is there. Whether options are missing is not asked."""
    command: click.Command = main
    rest = list(words[1:])
    while isinstance(command, click.Group) and rest:
        name = rest.pop(0).split("|")[0]  # `models list|pull|add` names several commands.
        found = command.get_command(click.Context(command), name)
        assert found is not None, name
        command = found
    command.make_context(command.name, rest, resilient_parsing=True)


def test_every_preset_has_its_lesson_with_its_weights() -> None:
    lessons = re.split(r"^## ", (DOCS / "presets.md").read_text("utf-8"), flags=re.MULTILINE)
    lesson_of = {lesson.partition("\n")[0]: lesson for lesson in lessons}
    assert set(stylize.PRESETS) <= set(lesson_of)
    for name in ("default", "faithful", "bold", "neighbors"):
        loss = stylize.PRESETS[name].config.loss
        for weight in (loss.content_weight, loss.light_weight, loss.places_weight):
            assert weight in (0, 1) or f"{weight:g}" in lesson_of[name]


@pytest.fixture
def pictures_at_hand(
    tmp_path: Path, pictures: tuple[Path, ...], traced_networks: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working folder with the pictures that the pages name, and a default preset of few steps at a small size."""
    photo, style = pictures
    folder = tmp_path / "work"
    folder.mkdir()
    for name, source in {"photo.jpg": photo, "painting.jpg": style, "waves.jpg": style}.items():
        shutil.copy(source, folder / name)
    monkeypatch.chdir(folder)
    quick = stylize.Preset("few steps", RefineConfig(size=48, steps=4))
    monkeypatch.setitem(presets.PRESETS, "default", quick)  # type: ignore[misc]
    return folder


@pytest.mark.slow
def test_the_quick_start_works(pictures_at_hand: Path) -> None:
    for block in _blocks(DOCS / "quickstart.md", "sh"):
        for line in block.splitlines():
            program, *words = shlex.split(line)
            if program == "stylize":
                small = ["--size", "48", "--steps", "4"] if words[0] in ("demo", "refine") else []
                run(*words, *small)
    written = {path.name for path in pictures_at_hand.iterdir()}
    assert {
        "photo-painting-fast.png", "photo-painting-refine.png", "large.png", "faithful.png", "colours.png", "again.png",
    } <= written  # fmt: skip
    demo = {path.name for path in (pictures_at_hand / "stylize-demo").iterdir()}
    assert {"fast.png", "refined.png", "sheet.png", "metrics.json", "report.html"} <= demo
    assert (pictures_at_hand / "again.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "printed"),
    [
        ("README.md", None),
        ("docs/howto/python.md", "strength: expected 0 to 1, received 2"),
        ("docs/presets.md", None),
        ("docs/how-it-works.md", "the mean alone is"),
    ],
)
def test_the_python_on_the_pages_runs(
    page: str, printed: str | None, pictures_at_hand: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The blocks of a page run one after another, as a reader would run them."""
    if page not in PAGES:
        pytest.skip(f"no {page} here: the tests run from a copy")
    names: dict[str, object] = {}
    blocks = _blocks(PAGES[page], "python")
    assert blocks
    for block in blocks:
        small = re.sub(r"size=512|size=96", "size=48", block)
        exec(compile(small, page, "exec"), names)
    assert (printed or "") in capsys.readouterr().out
    for result in names.values():
        if isinstance(result, stylize.TransferResult):
            assert result.image.std() > 0
            # A run that a page stops after two steps need not be better than its start.
            assert np.isfinite([entry.losses.total for entry in result.history]).all()

"""Rules of the code: imports point one way, exported names exist, importing is light."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stylize
from samples import REPOSITORY

WITH_STREAMLIT = {f"stylize.app.{name}" for name in ("curves", "markup", "page", "panels", "refinement", "slider")}


def _modules() -> dict[str, ast.Module]:
    folder = REPOSITORY / "stylize"
    names = {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"): path
        for path in folder.rglob("*.py")
        if path.name != "__main__.py" and path != folder / "__init__.py"
    }
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in names.items()}


def test_imports_point_one_way():
    """The contracts of import-linter in pyproject.toml hold."""
    lint = shutil.which("lint-imports", path=Path(sys.executable).parent)
    if lint is None:
        pytest.skip("import-linter is not installed")
    result = subprocess.run([lint], cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_every_exported_name_exists_and_is_exported_once():
    for name in stylize.__all__:
        assert getattr(stylize, name) is not None
    listed = {"__version__", *(name for names in stylize._HOMES.values() for name in names)}
    assert listed == set(stylize.__all__)
    for info in pkgutil.walk_packages(stylize.__path__, "stylize."):
        if info.name in ("stylize.__main__", "stylize.models", "stylize.examples"):
            continue
        if info.name in WITH_STREAMLIT and importlib.util.find_spec("streamlit") is None:
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{info.name}.{name}"


def test_importing_stylize_imports_no_framework():
    code = (
        "import stylize, sys; print([m for m in ('tensorflow', 'keras', 'numpy', 'PIL', 'click') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _lines(function: ast.FunctionDef) -> int:
    """Count a function's lines without its docstring, from `def` on."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def _sources() -> dict[str, str]:
    """Return the text of every Python file that is installed."""
    folders = [REPOSITORY / name for name in ("stylize", "models", "examples")]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    return {str(path.relative_to(REPOSITORY)): path.read_text(encoding="utf-8") for path in paths}


@pytest.mark.parametrize(("path", "text"), _sources().items(), ids=_sources())
def test_files_and_functions_stay_small(path: str, text: str) -> None:
    assert text.count("\n") <= 400
    for function in _functions(ast.parse(text)):
        assert _lines(function) <= 60, function.name
        assert len(function.args.posonlyargs) + len(function.args.args) <= 6, function.name


def test_no_document_cites_a_note_that_is_not_there() -> None:
    notes = {path.name[:3] for path in (REPOSITORY / "benchmarks" / "notes").glob("[0-9]*.md")}
    cited = {number for text in _sources().values() for number in re.findall(r"benchmarks/notes/(\d{3})", text)}
    assert cited
    assert cited <= notes


def test_no_room_is_called_utils():
    assert not {"utils", "misc", "helpers", "common"} & {part for name in _modules() for part in name.split(".")}

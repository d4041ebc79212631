"""The house's own rules: imports point to lower floors, names are exported, importing is light."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import subprocess
import sys

from conftest import REPOSITORY

import stylize

FLOORS = {
    "_version": 0,
    "errors": 0,
    "config": 1,
    "machine": 1,
    "storage": 1,
    "engines": 1,
    "images": 2,
    "downloads": 1,
    "film": 3,
    "masks": 3,
    "plots": 6,
    "page": 8,
    "weights": 2,
    "networks": 2,
    "networks.runtime": 3,
    "vectors": 3,
    "networks.mini": 4,
    "networks.magenta": 4,
    "networks.vgg": 4,
    "tiling": 4,
    "losses": 5,
    "optimization": 5,
    "checkpoint": 6,
    "loaded": 6,
    "memory": 6,
    "pipelines": 7,
    "report": 8,
    "terminal": 8,
    "augment": 8,
    "options": 8,
    "jobs": 9,
    "batch": 10,
    "console": 11,
    "commands": 12,
    "commands.painting": 12,
    "commands.fast": 13,
    "commands.refine": 13,
    "commands.compare": 13,
    "commands.recipes": 13,
    "commands.models": 13,
    "commands.batch": 13,
    "app": 8,
    "app.jobs": 8,
    "app.live": 8,
    "app.studio": 9,
    "app.server": 10,
    "app.page": 11,
    "commands.app": 13,
    "cli": 14,
}


def _modules() -> dict[str, ast.Module]:
    folder = REPOSITORY / "stylize"
    names = {
        ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__"): path
        for path in folder.rglob("*.py")
        if path.name != "__main__.py" and path != folder / "__init__.py"
    }
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in names.items()}


def _imported(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.removeprefix("stylize.") for name in found if name.startswith("stylize.")}


def test_imports_point_to_lower_floors():
    modules = _modules()
    assert set(modules) == set(FLOORS), "a new module needs a floor here, and a line in CONTRIBUTING.md"
    upward = [
        f"{name} imports {other}"
        for name, tree in modules.items()
        for other in _imported(tree)
        if other in FLOORS and FLOORS[other] >= FLOORS[name]
    ]
    assert not upward


def test_every_exported_name_exists_and_is_exported_once():
    for name in stylize.__all__:
        assert getattr(stylize, name) is not None
    listed = {"__version__", *(name for names in stylize._HOMES.values() for name in names)}
    assert listed == set(stylize.__all__)
    for info in pkgutil.walk_packages(stylize.__path__, "stylize."):
        if info.name in ("stylize.__main__", "stylize.models", "stylize.examples"):
            continue
        if info.name in ("stylize.app.live", "stylize.app.page") and importlib.util.find_spec("streamlit") is None:
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


def test_no_room_is_called_utils():
    assert not {"utils", "misc", "helpers", "common"} & {part for name in _modules() for part in name.split(".")}

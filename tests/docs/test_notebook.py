"""The notebook runs with the networks that come with the project, and its outputs are in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from samples import REPOSITORY

NOTEBOOK = REPOSITORY / "examples" / "quickstart.ipynb"


@pytest.fixture
def notebook() -> Any:
    nbformat = pytest.importorskip("nbformat", reason="the extra `docs` is not installed")
    return nbformat.read(NOTEBOOK, as_version=4)


def _shown(cells: list[Any], kind: str) -> list[str]:
    """Return what code cells show in one kind of data."""
    return [
        output["data"][kind] for cell in cells for output in cell.get("outputs", ()) if kind in output.get("data", {})
    ]


@pytest.mark.slow
def test_the_notebook_runs(notebook: Any, shipped_networks: None, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="the extra `docs` is not installed")
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    # The preview, the picture, the strip, the blend and the masked picture; and the comparison.
    assert len(_shown(notebook.cells, "image/png")) == 5
    assert len(_shown(notebook.cells, "text/html")) == 1
    assert any("step 80 of 80" in text for text in _shown(notebook.cells, "text/plain"))


def test_the_committed_outputs_are_small_and_complete(notebook: Any) -> None:
    assert NOTEBOOK.stat().st_size < 500_000
    assert len(_shown(notebook.cells, "image/jpeg")) == 5
    assert len(_shown(notebook.cells, "text/html")) == 1

"""Run examples/quickstart.ipynb, and keep its outputs in the file, with pictures as small JPEGs.

    python scripts/notebook.py

Needs `pip install -e ".[docs]"`. Nothing is downloaded.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

NOTEBOOK = Path(__file__).parent.parent / "examples" / "quickstart.ipynb"


def main() -> None:
    """Run the notebook and write it."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                data["image/jpeg"] = _as_jpeg(data.pop("image/png"))
            if len(data) > 1:
                del data["text/plain"]  # All numbers of the picture.
    nbformat.write(notebook, NOTEBOOK)


def _as_jpeg(png: str) -> str:
    """Return a picture in base64 as a JPEG in base64."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=88, optimize=True)
    return base64.b64encode(stream.getvalue()).decode()


if __name__ == "__main__":
    main()

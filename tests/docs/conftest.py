"""The built site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from samples import REPOSITORY


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site: the folder that the variable DOCS_SITE names, or a new one."""
    if "DOCS_SITE" in os.environ:
        return Path(os.environ["DOCS_SITE"])
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed")
    folder = tmp_path_factory.mktemp("site")
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    build = [str(REPOSITORY / ".ci" / "docs"), str(folder)]
    result = subprocess.run(build, env={**os.environ, "PATH": paths}, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return folder

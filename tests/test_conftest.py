"""Which tests run: the quick ones, all, or those that are asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from samples import TESTS

_FILE = """
import pytest

def test_quick(): pass

@pytest.mark.slow
def test_slow(): pass

@pytest.mark.real
def test_real(): pass

@pytest.fixture
def browser(): pass

def test_page(browser): pass
"""


@pytest.mark.parametrize(
    ("arguments", "passed", "left_out"),
    [
        (["-n0"], 1, 3),
        (["-n2"], 1, 3),  # another process collects the tests than prints the line
        (["-n0", "--all"], 4, 0),
        (["-n0", "-m", "slow"], 3, 0),
        (["-n0", "test_it.py::test_slow"], 1, 0),
    ],
)
def test_slow_tests_are_left_out_and_counted(arguments: list[str], passed: int, left_out: int, tmp_path: Path) -> None:
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(_FILE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  slow: slow\n  real: real\n")
    path = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments], cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{passed} passed" in done.stdout
    line = f"{left_out} slow tests were left out: `pytest --all` runs them, too"
    assert (line in done.stdout) == bool(left_out)
    assert ("left out" in done.stdout) == bool(left_out)

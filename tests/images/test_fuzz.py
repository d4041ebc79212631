"""A few hundred damaged files; `python tests/fuzz_images.py` reads thousands."""

from __future__ import annotations

import subprocess
import sys

import pytest

from samples import TESTS


def test_damaged_files_end_in_pixels_or_one_line() -> None:
    pytest.importorskip("resource", reason="the system does not tell a process its memory")
    script = str(TESTS / "fuzz_images.py")
    # A process of its own: the peak of its memory counts, and a crash of a decoder is seen.
    done = subprocess.run([sys.executable, script, "400"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("read") >= 11
    assert done.stderr == ""

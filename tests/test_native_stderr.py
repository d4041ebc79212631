"""What native libraries print is discarded; standard error comes back, also after threads."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from stylize.native_stderr import native_stderr_silenced


def test_descriptor_2_is_silent_inside_only(capfd: pytest.CaptureFixture[str]) -> None:
    with native_stderr_silenced():
        os.write(2, b"inside")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_standard_error_comes_back_after_overlapping_threads(capfd: pytest.CaptureFixture[str]) -> None:
    first_is_in, second_is_in, first_is_out = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with native_stderr_silenced():
            first_is_in.set()
            second_is_in.wait(5)
        first_is_out.set()

    thread = threading.Thread(target=first)
    thread.start()
    first_is_in.wait(5)
    with native_stderr_silenced():
        second_is_in.set()
        first_is_out.wait(5)
        os.write(2, b"still inside")
    thread.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_no_standard_error_at_all() -> None:
    code = (
        "import os; os.close(2); from stylize.native_stderr import native_stderr_silenced as s\nwith s(): print('in')"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout == "in\n"

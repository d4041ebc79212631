"""The real program, killed and interrupted, and continued by the same command.

One photograph is a named pipe that nobody writes to. A worker that reads it waits for ever: the program cannot finish
before it is killed, however fast the machine is.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from batches import line_count, picture, pictures, program, records, records_without_times
from stylize.batch.manifest import MANIFEST

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither such pipes nor such signals")

KILLS = 20
# Far more than the program ever takes to end.
PATIENCE_S = 300


def wait_for_lines(manifest: Path, count: int, running: subprocess.Popen[str]) -> None:
    """Wait until the manifest has so many lines."""
    while line_count(manifest) < count:
        assert running.poll() is None, running.communicate()
        time.sleep(0.002)


def painted(manifest: Path) -> bool:
    """Whether the manifest has the whole line of a painted picture."""
    lines = manifest.read_text().splitlines(keepends=True) if manifest.exists() else []
    return any(json.loads(line)["status"] == "done" for line in lines if line.endswith("\n"))


@pytest.mark.slow
def test_killed_again_and_again_and_continued(tmp_path, tiny_networks):
    for number in range(60):
        picture(tmp_path / f"photos/{number % 3}/{number}.png", number, 32, 32)
    for number in range(30):
        picture(tmp_path / f"styles/{number}.png", 100 + number, 32, 32)
    (tmp_path / "photos/bad.png").write_bytes(b"")
    os.mkfifo(tmp_path / "photos/wait.png")
    inputs = ("-c", tmp_path / "photos", "-s", tmp_path / "styles", "--size", 32, "-q")
    manifest, draw = tmp_path / "killed" / MANIFEST, random.Random(0)
    for _ in range(KILLS):
        running = program(*inputs, "-o", tmp_path / "killed")
        wait_for_lines(manifest, min(line_count(manifest) + draw.choice([0, 1, 5, 12]), 61 * 30), running)
        running.kill()
        running.communicate(timeout=PATIENCE_S)
        assert running.returncode == -signal.SIGKILL
    (tmp_path / "photos/wait.png").unlink()
    for output in ("killed", "whole"):
        last = program(*inputs, "-o", tmp_path / output)
        assert last.communicate(timeout=PATIENCE_S)[0].endswith(f"{output}/manifest.jsonl\n")
        assert last.returncode == 1  # the bad picture
    assert pictures(tmp_path / "killed") == pictures(tmp_path / "whole")
    assert records_without_times(tmp_path / "killed") == records_without_times(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob(".*.part"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "exit_code", "told"),
    [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "ended by SIGTERM"), ("SIGHUP", 129, "ended by SIGHUP")],
)
def test_a_signal_ends_a_batch(name, exit_code, told, tmp_path, tiny_networks):
    for number in (0, 1, 3, 4):
        picture(tmp_path / f"photos/{number}.png", number)
    os.mkfifo(tmp_path / "photos/2.png")
    picture(tmp_path / "s.png", 1000)
    running = program("-c", tmp_path / "photos", "-s", tmp_path / "s.png", "--size", 256, "-o", tmp_path / "out")
    # The first line may be of a file that is no picture.
    while not painted(tmp_path / "out" / MANIFEST):
        assert running.poll() is None, running.communicate()
        time.sleep(0.002)
    # A terminal and a cluster send their signals to all processes of the group, the workers too.
    os.killpg(running.pid, getattr(signal, name))
    stdout, stderr = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == exit_code
    assert stdout == ""
    assert stderr == f"the same command goes on from here\nstylize: {told}\n"
    done = records(tmp_path / "out")
    assert 0 < len(done) < 5
    assert all(record["status"] == "done" for record in done.values())
    assert not list((tmp_path / "out").rglob(".*.part"))

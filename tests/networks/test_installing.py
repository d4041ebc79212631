"""Several processes that install the same network, and disks that refuse."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading

import pytest

from made_up_weights import assert_clean, message
from samples import TESTS
from stylize.networks import installing, store

# Prints each progress report, and in the end what was pulled.
PULLER = """
import json, sys
sys.path.insert(0, {tests!r})
import made_up_weights
from stylize.networks import registry, store
registry.REGISTRY = made_up_weights.specs({base!r})
found = store.pull("hub", on_progress=lambda name, done, total: print(name, flush=True))
print(json.dumps([str(found.folder), dict(found.sha256)]))
"""


def puller(base: str) -> subprocess.Popen[str]:
    code = PULLER.format(tests=str(TESTS), base=base)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def first_report(process: subprocess.Popen[str]) -> str:
    """Wait for the first progress report of a process, and return the reported name."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_two_processes_pull_at_once(served):
    served.stalled.add("/hub")
    pullers = [puller(served.base), puller(served.base)]
    # One process downloads, the other waits for it. Neither can finish before the server goes on.
    assert sorted(map(first_report, pullers)) == ["hub", "hub.tar.gz"]
    sees_progress = threading.Event()

    def listen(name: str, done: int, total: int | None) -> None:
        if done > 0:
            sees_progress.set()

    waiter = threading.Thread(target=store.pull, args=("hub",), kwargs={"on_progress": listen})
    waiter.start()
    assert sees_progress.wait(60)
    served.release.set()
    outputs = [process.communicate(timeout=60) for process in pullers]
    waiter.join()
    assert [process.returncode for process in pullers] == [0, 0], outputs
    assert outputs[0][0].splitlines()[-1] == outputs[1][0].splitlines()[-1]
    assert served.requests == ["/hub"]
    assert all(ok for _, ok, _ in store.verify("hub"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_then_pulled_again(served):
    served.stalled.add("/hub")
    process = puller(served.base)
    assert first_report(process) == "hub.tar.gz"  # The server stalls, so the process can't finish.
    part = store.home() / "models" / ".hub.part" / "hub.tar.gz"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert part.exists()
    assert store.find("hub") is None
    served.stalled.clear()
    served.release.set()
    reported: list[str] = []
    assert store.pull("hub", on_progress=lambda name, done, total: reported.append(name)).files
    assert set(reported) == {"hub.tar.gz"}, "the dead process's lock was not waited for"
    assert not part.parent.exists()


def test_lock_held_by_a_process_that_does_nothing(served, monkeypatch):
    from filelock import FileLock

    monkeypatch.setattr(installing, "LOCK_STALL_S", 0.3)
    models = store.home() / "models"
    models.mkdir(parents=True)
    with FileLock(models / ".hub.lock"):
        text = message(store.pull, "hub")
    assert "has done nothing for 0.3 s" in text
    assert store.pull("hub").files


def test_home_that_cannot_be_made(served, tmp_path):
    (tmp_path / "home").write_text("a file where the folder should be")
    text = message(store.pull, "pair")
    assert "can't store pair" in text
    assert "STYLIZE_HOME" in text
    assert store.find("pair") is None
    assert [entry.state for entry in store.status()] == ["absent"] * 5


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_home(served, tmp_path):
    (tmp_path / "home").mkdir(mode=0o500)
    assert "Permission denied" in message(store.pull, "pair")


def test_the_old_network_comes_back_where_the_new_one_cannot_be_moved(served, monkeypatch):
    folder = store.pull("pair").folder
    damaged = next(path for path in folder.iterdir() if path.suffix == ".tflite")
    damaged.write_bytes(b"damaged")
    (folder / "notes.txt").write_text("of the user")
    real = os.replace

    def refuse(source, target):
        if str(source).endswith("content"):
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    monkeypatch.setattr("os.replace", refuse)
    assert "Input/output error" in message(store.pull, "pair")
    assert damaged.read_bytes() == b"damaged"
    assert (folder / "notes.txt").read_text() == "of the user"


def test_full_disk(served, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfileobj", full)
        text = message(store.pull, "hub")
    assert "No space left on device" in text
    assert "make room" in text
    assert_clean("hub")


def test_a_folder_that_goes_while_it_is_measured_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "content" / "variables").mkdir(parents=True)
    (tmp_path / "hub.tar.gz").write_bytes(b"x" * 100_000)
    real = os.scandir

    def scandir(place):
        if os.fspath(place).endswith("content"):
            raise FileNotFoundError(2, "No such file or directory", place)
        return real(place)

    monkeypatch.setattr(os, "scandir", scandir)
    assert installing._folder_bytes(tmp_path) >= 100_000

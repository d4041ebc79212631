"""Workers of this machine that die: every item comes back, or is told of."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import workers
from stylize.batch import local_engine
from stylize.batch.engines import RETRIES, Lost
from stylize.batch.jobs import Config, Job
from stylize.batch.local_engine import LocalEngine, _Process
from stylize.batch.plan import Plan
from stylize.batch.ray_engine import RayEngine
from stylize.cli.commands.batch import _engine_maker
from stylize.cli.console import Run
from stylize.config import FastConfig, RefineConfig
from stylize.errors import StylizeError


def results(engine: LocalEngine, work: Any, batches: list[list[Any]]) -> list[Any]:
    with engine:
        return list(engine.map(work, iter(batches)))


def test_all_come_back():
    assert sorted(results(LocalEngine(2), workers.doubled, [[1, 2], [3], [4, 5, 6]])) == [
        (1, 2), (2, 4), (3, 6), (4, 8), (5, 10), (6, 12),
    ]  # fmt: skip
    assert results(LocalEngine(2), workers.doubled, []) == []


def test_processes_are_kept_and_told_their_threads():
    seen = results(LocalEngine(2, threads=3), workers.process_and_threads, [[number] for number in range(10)])
    assert len({process for _, (process, _) in seen}) == 2
    assert {threads for _, (_, threads) in seen} == {"3"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_worker_that_was_killed_is_replaced(tmp_path):
    items = [(number, str(tmp_path / str(number))) if number % 3 == 0 else number for number in range(9)]
    seen = results(LocalEngine(2), workers.deadly, [items[:4], items[4:5], items[5:]])
    assert sorted(result for _, result in seen) == list(range(9))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_an_item_that_kills_every_worker_is_told_of_and_costs_no_other():
    seen = results(LocalEngine(2), workers.deadly, [[11, 12, 13, 14], [15]])
    lost = [each for each in seen if isinstance(each, Lost)]
    assert lost == [Lost(13, f"its worker died {RETRIES + 1} times (SIGKILL, as when memory runs out)")]
    assert sorted(each[0] for each in seen if each not in lost) == [11, 12, 14, 15]


@pytest.mark.parametrize("moment", ["start", "give", "take"])
def test_an_interrupt_at_any_moment_leaves_no_worker(monkeypatch, moment):
    """The interrupt comes when a worker has just started, has just got its work, or has just sent its results."""
    done = getattr(_Process, moment)

    def interrupted(process: _Process, *arguments: Any) -> None:
        done(process, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(_Process, moment, interrupted)
    with pytest.raises(KeyboardInterrupt):
        results(LocalEngine(2), workers.doubled, [[1], [2]])
    assert multiprocessing.active_children() == []


def test_workers_that_never_start_end_the_run():
    with pytest.raises(StylizeError, match=r"could not start \(exit code 3\)"):
        results(LocalEngine(1), workers.ends, [[1], [2]])


def test_a_worker_that_dies_before_it_opens_its_pipe_ends_the_run(monkeypatch):
    """As on Windows, where this process keeps the worker's end of the pipe until the worker has taken it."""
    kept = []
    real = _Process.start

    def start(process: _Process) -> None:
        kept.append(process._theirs)
        monkeypatch.setattr(process._theirs, "close", lambda: None)
        real(process)

    monkeypatch.setattr(_Process, "start", start)
    monkeypatch.setattr(local_engine, "_serve", workers.dies_at_its_start)
    with pytest.raises(StylizeError, match=r"could not start \(exit code 3\)"):
        results(LocalEngine(1), workers.doubled, [[1] * 1_000_000])
    monkeypatch.undo()
    for pipe in kept:
        pipe.close()


def test_a_worker_that_windows_ends_for_an_error_was_killed():
    process = _Process(threads=1)
    process._process = SimpleNamespace(exitcode=0xC0000005, join=lambda: None)
    assert process.end() == "exit code 0xc0000005"
    assert process.was_killed


SAID = Run(as_json=False, progress="none", quiet=True, verbose=False, offline=True)


def planned(*configs: Config) -> Plan:
    """Return the plan of a job for each config."""
    plan = Plan(lambda cells: configs[int(cells[0][1])], offline=True, on_message=print, on_download=None)
    for number in range(len(configs)):
        plan.consider(Job("a.png", (("s.png", 1.0),), f"{number}.png", (("number", str(number)),)))
    return plan


def test_where_one_row_is_refined_a_gpu_gets_one_worker(tiny_networks, monkeypatch):
    monkeypatch.setattr("stylize.networks.devices.choose", lambda backend, device: SimpleNamespace(is_gpu=True))
    monkeypatch.setattr("stylize.machine.available_cores", lambda: 4)
    monkeypatch.setattr("stylize.machine.available_memory_bytes", lambda: 10**12)
    monkeypatch.setattr("stylize.batch.ray_engine.check_installed", lambda: None)
    fast, refine = FastConfig(network="mini"), RefineConfig(features="vgg19-slim", init="content")
    for plan, workers_, gpus in ((planned(fast, fast), 4, False), (planned(fast, refine), 1, True)):
        local, ray = (_engine_maker(SAID, name, None, None)(plan) for name in ("local", "ray"))
        assert isinstance(local, LocalEngine)
        assert local.workers == workers_
        assert isinstance(ray, RayEngine)
        assert ray._gpus == gpus


def test_windows_waits_for_no_more_workers_than_it_can(tiny_networks, monkeypatch):
    monkeypatch.setattr(local_engine, "MOST_WORKERS", 60)
    engine = _engine_maker(SAID, "local", None, 100)(planned(FastConfig(network="mini")))
    assert isinstance(engine, LocalEngine)
    assert engine.workers == 60


def test_batches_are_taken_as_workers_come_free():
    taken = []

    def batches() -> Iterator[list[int]]:
        for number in range(20):
            taken.append(number)
            yield [number]

    with LocalEngine(2) as engine:
        for count, _ in enumerate(engine.map(workers.doubled, batches()), start=1):
            assert len(taken) <= count + 2


_DRIVER = """
import signal
from stylize.batch.local_engine import LocalEngine, _Process

def work(batch):
    print("at work", flush=True)
    signal.pause()

if __name__ == "__main__":
    with LocalEngine(2) as engine:
        list(engine.map(work, iter([[1], [2]])))
"""


def test_no_worker_outlives_its_driver(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(_DRIVER)
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    for _ in range(2):
        assert driver.stdout.readline() == "at work\n"
    driver.kill()
    driver.communicate(timeout=300)  # returns when the last process that holds the pipe has ended

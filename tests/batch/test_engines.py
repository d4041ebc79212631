"""Workers that die, on this machine and on a Ray cluster of two nodes: every item comes back, or is told of."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from samples import REPOSITORY, painting
from stylize import files
from stylize.batch.engines import RETRIES, LocalEngine, Lost, RayEngine
from stylize.batch.jobs import Job, Settings
from stylize.batch.manifest import MANIFEST
from stylize.batch.run import run_batch
from stylize.errors import StylizeError

# --------------------------------------------------------------------------------------------------------------
# What workers run: module-level, as it is pickled by name


def doubled(batch):
    return [2 * item for item in batch]


def deadly(batch):
    """Kill the worker on 13 always, and once for each (number, file that says that it was done)."""
    for item in batch:
        if item == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        if isinstance(item, tuple) and not Path(item[1]).exists():
            Path(item[1]).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return [item[0] if isinstance(item, tuple) else item for item in batch]


def process_and_threads(batch):
    time.sleep(0.05)
    return [(os.getpid(), os.environ["OMP_NUM_THREADS"]) for _ in batch]


def ends(batch):
    os._exit(3)


def broken(batch):
    raise ModuleNotFoundError("No module named 'stylize'")


def results(engine, work, batches):
    with engine:
        return list(engine.map(work, iter(batches)))


def test_all_come_back():
    assert sorted(results(LocalEngine(2), doubled, [[1, 2], [3], [4, 5, 6]])) == [
        (1, 2), (2, 4), (3, 6), (4, 8), (5, 10), (6, 12),
    ]  # fmt: skip
    assert results(LocalEngine(2), doubled, []) == []


def test_processes_are_kept_and_told_their_threads():
    seen = results(LocalEngine(2, threads=3), process_and_threads, [[number] for number in range(10)])
    assert len({process for _, (process, _) in seen}) == 2
    assert {threads for _, (_, threads) in seen} == {"3"}


def test_a_worker_that_was_killed_is_replaced(tmp_path):
    items = [(number, str(tmp_path / str(number))) if number % 3 == 0 else number for number in range(9)]
    seen = results(LocalEngine(2), deadly, [items[:4], items[4:5], items[5:]])
    assert sorted(result for _, result in seen) == list(range(9))


def test_an_item_that_kills_every_worker_is_told_of_and_costs_no_other():
    seen = results(LocalEngine(2), deadly, [[11, 12, 13, 14], [15]])
    lost = [each for each in seen if isinstance(each, Lost)]
    assert lost == [Lost(13, f"its worker died {RETRIES + 1} times (SIGKILL, as when memory runs out)")]
    assert sorted(each[0] for each in seen if each not in lost) == [11, 12, 14, 15]


def test_workers_that_never_start_end_the_run():
    with pytest.raises(StylizeError, match=r"could not start \(exit code 3\)"):
        results(LocalEngine(1), ends, [[1], [2]])


def test_batches_are_taken_as_workers_come_free():
    taken = []

    def batches():
        for number in range(20):
            taken.append(number)
            yield [number]

    with LocalEngine(2) as engine:
        for count, _ in enumerate(engine.map(doubled, batches()), start=1):
            assert len(taken) <= count + 2


def test_no_worker_outlives_its_driver(tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(
        textwrap.dedent("""
            import os, sys, time
            from stylize.engines import LocalEngine

            def work(batch):
                print(os.getpid(), flush=True)
                time.sleep(60)

            if __name__ == "__main__":
                with LocalEngine(2) as engine:
                    list(engine.map(work, iter([[1], [2]])))
        """)
    )
    driver = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    workers = [int(driver.stdout.readline()) for _ in range(2)]
    driver.kill()
    driver.communicate()
    end = time.monotonic() + 10
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < end, "a worker paints on"
        time.sleep(0.05)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


# --------------------------------------------------------------------------------------------------------------
# Ray


@pytest.fixture(scope="module")
def cluster():
    """Two nodes on this machine, of one core each; none of Ray's reports, no dashboard."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_AUTH_MODE": "disabled",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            # A dead node is noticed in two seconds rather than in thirty.
            "RAY_health_check_initial_delay_ms": "0",
            "RAY_health_check_period_ms": "500",
            "RAY_health_check_failure_threshold": "3",
            "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]),
        }.items():
            environment.setenv(name, value)
        from ray.cluster_utils import Cluster

        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes.add_node(num_cpus=1)
        nodes.wait_for_nodes()
        yield nodes
        nodes.shutdown()


def placed(batch):
    import ray

    time.sleep(0.1)
    return [ray.get_runtime_context().get_node_id() for _ in batch]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_with_one_of_two_nodes_killed(cluster):
    victim = next(iter(cluster.worker_nodes))
    seen, flying = Counter(), 0

    def batches():
        nonlocal flying
        for number in range(40):
            flying += 1
            yield [number]

    with RayEngine(cluster.address) as engine:
        assert engine.nodes == 2
        nodes, most = Counter(), 0
        for item, node in engine.map(placed, batches()):
            flying -= 1
            most = max(most, flying)
            seen[item] += 1
            nodes[node] += 1
            if sum(seen.values()) == 10:
                cluster.remove_node(victim, allow_graceful=False)
    assert seen == Counter(range(40))
    assert len(nodes) == 2
    assert most <= 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_batch_on_ray_with_one_of_two_nodes_killed(cluster, tmp_path, tiny_networks):
    victim = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    styles = [str(REPOSITORY / "examples" / f"style_{name}.jpg") for name in ("swirls", "woodcut")]
    for number in range(12):
        Image.fromarray((painting(24, 32, number) * 255).astype(np.uint8)).save(tmp_path / f"{number}.png")
    found = [
        Job(str(tmp_path / f"{number}.png"), ((style, 1.0),), f"{number}-{files.stem(style)}.png")
        for number in range(12)
        for style in styles
    ]
    said = []

    def on_progress(progress):
        if progress.done == 4:
            cluster.remove_node(victim, allow_graceful=False)

    outcome = run_batch(
        found, str(tmp_path / "out"), Settings("fast", {"network": "mini", "size": 32}),
        lambda memory: RayEngine(cluster.address), on_progress=on_progress, on_message=said.append,
    )  # fmt: skip
    assert (outcome.done, outcome.failed) == (24, 0)
    assert said == [
        "local paths: every machine has to reach these files by the same names (a shared disk), or use URLs"
    ]
    lines = [json.loads(line) for line in (tmp_path / "out" / MANIFEST).read_text().splitlines()]
    assert [line["output"] for line in lines] == [job.output for job in found]
    for line in lines:
        assert line["picture"]["sha256"] == files.sha256(str(tmp_path / "out" / line["output"]))
    assert len(list((tmp_path / "out").glob("*.png"))) == 24


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_gives_an_item_up_that_kills_every_worker(cluster):
    seen = results(RayEngine(cluster.address), deadly, [[11, 13], [15]])
    (lost,) = [each for each in seen if isinstance(each, Lost)]
    assert lost.item == 13
    assert "its worker died 3 times" in lost.reason
    assert sorted(each[0] for each in seen if each is not lost) == [11, 15]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_with_another_environment_on_its_machines(cluster):
    with pytest.raises(StylizeError, match=r"No module named 'stylize'.*every machine needs the same"):
        results(RayEngine(cluster.address), broken, [[1]])


@pytest.mark.slow
def test_a_cluster_of_our_own_is_reached_from_this_machine_alone():
    pytest.importorskip("ray")
    script = (
        "import stylize.engines as engines\n"
        "with engines.RayEngine() as engine:\n"
        "    import ray; print(engine.nodes, *(node['NodeManagerAddress'] for node in ray.nodes()))\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert finished.stdout == "1 127.0.0.1\n", finished.stderr


def test_ray_where_there_is_no_cluster(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(StylizeError, match=r"--engine ray: no cluster at 127\.0\.0\.1:1 "), RayEngine("127.0.0.1:1"):
        pass


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StylizeError, match=r'pip install "stylize\[ray\]"'), RayEngine():
        pass

"""Workers that die on a Ray cluster of two nodes: every item comes back, or is told of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

import workers
from batches import picture
from samples import EXAMPLES, TESTS
from stylize import files
from stylize.batch.engines import Lost
from stylize.batch.jobs import Job
from stylize.batch.manifest import MANIFEST
from stylize.batch.ray_engine import RayEngine
from stylize.batch.run import run_batch
from stylize.config import FastConfig
from stylize.errors import StylizeError


def results(engine: RayEngine, work: Any, batches: list[list[Any]]) -> list[Any]:
    with engine:
        return list(engine.map(work, iter(batches)))


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
            "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
        }.items():
            environment.setenv(name, value)
        from ray.cluster_utils import Cluster

        nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        nodes.add_node(num_cpus=1)
        nodes.wait_for_nodes()
        yield nodes
        nodes.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_with_one_of_two_nodes_killed(cluster, tmp_path):
    victim = next(iter(cluster.worker_nodes))

    def kill_when_at_work() -> None:
        while not (tmp_path / "at-work").exists():
            time.sleep(0.01)
        cluster.remove_node(victim, allow_graceful=False)

    killer = threading.Thread(target=kill_when_at_work, daemon=True)
    killer.start()
    running = 0

    def batches() -> Iterator[list[tuple[int, str, str]]]:
        nonlocal running
        for number in range(40):
            running += 1
            yield [(number, victim.node_id, str(tmp_path))]

    with RayEngine(cluster.address) as engine:
        assert engine.nodes == 2
        seen: Counter[int] = Counter()
        nodes, most = set(), 0
        for (number, _, _), node in engine.map(workers.ray_node_unless_victim, batches()):
            most = max(most, running)
            running -= 1
            seen[number] += 1
            nodes.add(node)
    killer.join()
    assert seen == Counter(range(40))
    assert len(nodes) == 1
    assert victim.node_id not in nodes
    assert most <= 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_batch_on_ray_with_one_of_two_nodes_killed(cluster, tmp_path, tiny_networks):
    victim = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    styles = [str(EXAMPLES / f"style_{name}.jpg") for name in ("swirls", "woodcut")]
    for number in range(12):
        picture(tmp_path / f"{number}.png", number)
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
        found, str(tmp_path / "out"), lambda cells: FastConfig(network="mini", size=32),
        lambda plan: RayEngine(cluster.address), on_progress=on_progress, on_message=said.append,
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
    seen = results(RayEngine(cluster.address), workers.deadly, [[11, 13], [15]])
    (lost,) = [each for each in seen if isinstance(each, Lost)]
    assert lost.item == 13
    assert "its worker died 3 times" in lost.reason
    assert sorted(each[0] for each in seen if each is not lost) == [11, 15]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_ray_with_another_environment_on_its_machines(cluster):
    with pytest.raises(StylizeError, match=r"No module named 'stylize'.*every machine needs the same"):
        results(RayEngine(cluster.address), workers.fails, [[1]])


@pytest.mark.slow
def test_a_cluster_of_our_own_is_reached_from_this_machine_alone():
    pytest.importorskip("ray")
    script = (
        "from stylize.batch.ray_engine import RayEngine\n"
        "with RayEngine() as engine:\n"
        "    import ray; print(engine.nodes, *(node['NodeManagerAddress'] for node in ray.nodes()))\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert finished.stdout == "1 127.0.0.1\n", finished.stderr


def test_ray_where_there_is_no_cluster(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with pytest.raises(StylizeError, match=r"no Ray cluster at 127\.0\.0\.1:1 "), RayEngine("127.0.0.1:1"):
        pass


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(StylizeError, match=r'pip install "stylize-art\[ray\]"'), RayEngine():
        pass

"""The same tasks on a real cluster of two machines, one of which is lost half-way."""

from __future__ import annotations

import json
import multiprocessing
import socket
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from manifests.errors import UserError
from prep.rayengine import run_ray
from shards.plan import plan_shards
from tests.prep.runs import Made, refused, shard, start
from tests.prep.runs import words as words_of
from tests.prep.work import Counting, Failing, Noting
from tests.shards.made import HEADER, made_clips, made_sizes

pytest.importorskip("ray")

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}


def made_tasks(clips: int = 30, per_shard: int = 5):
    table = made_clips(clips)
    plan = plan_shards(table, per_shard, HEADER)
    return [plan.task(shard.name, made_sizes(table)) for shard in plan.shards]


def drive(work, tasks, workers: int, address: str) -> tuple[list, int, int]:
    """Results, and clips and refusals told as progress."""
    told = []
    results = list(run_ray(work, tasks, workers, lambda *counts: told.append(counts), address))
    return results, sum(clips for clips, _ in told), sum(refused for _, refused in told)


def apart(work, tasks, workers: int, address: str) -> tuple[list, int, int]:
    """Drive the tasks from a process of its own: Ray ends its drivers when it is in trouble."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(drive, work, tasks, workers, address).result(180)


@pytest.fixture(scope="module")
def cluster():
    """Two machines of one core each, with small stores of objects, as processes of this one."""
    from ray.cluster_utils import Cluster

    # A machine that is gone is missed after seconds, one that is merely slow is not.
    health = {"health_check_period_ms": 1000, "health_check_timeout_ms": 60_000}
    head = {**NODE, "include_dashboard": False, "_system_config": health}
    found = Cluster(initialize_head=True, head_node_args=head)
    found.second = found.add_node(**NODE)
    found.wait_for_nodes()
    yield found
    found.shutdown()


def second(cluster):
    """The second machine, started again where a test has ended it."""
    if cluster.second is None:
        cluster.second = cluster.add_node(**NODE)
        cluster.wait_for_nodes()
    return cluster.second


def lose(cluster) -> None:
    """End the second machine at once, with whatever runs there."""
    cluster.remove_node(cluster.second, allow_graceful=False)
    cluster.second = None


def wait_until(done, patience_s: float = 90.0) -> None:
    deadline = time.monotonic() + patience_s
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_set_made_on_two_machines_of_which_one_is_lost(calm, toy_root, tmp_path, cluster):
    """Some shards are there when a machine goes: the set is that of an undisturbed run."""
    second(cluster)
    folder = tmp_path / "toy" / "shards"
    half = len(calm.files) // 6

    def watch():
        wait_until(lambda: len(list(folder.glob("[!.]*.json"))) >= half)
        lose(cluster)

    watcher = threading.Thread(target=watch)
    watcher.start()
    words = ("--engine", "ray", "--ray-address", cluster.address)
    run = start(tmp_path.name, [*words_of("toy", toy_root, tmp_path, *words), "--json"])
    said, complained = run.process.communicate(timeout=300)
    watcher.join()
    assert cluster.second is None
    assert run.process.returncode == 0, complained
    made = Made(tmp_path / "toy", 0, json.loads(said), complained)
    # A worker that is lost may leave a temporary file, as one that is killed does.
    assert {name: sha for name, sha in made.files.items() if name[0] != "."} == calm.files
    assert made.report["identity"] == calm.report["identity"]
    assert made.tables == calm.tables
    again = shard("toy", toy_root, tmp_path)
    assert again.report["shards"]["made"] == 0
    assert again.files == calm.files


@pytest.mark.slow
def test_tasks_of_a_lost_machine_are_done_by_another(tmp_path, cluster):
    """Whatever the second machine takes is held there until it is lost."""
    tasks, node = made_tasks(), second(cluster).node_id

    def watch():
        wait_until(lambda: list(tmp_path.glob(f"* {node}")))
        lose(cluster)

    watcher = threading.Thread(target=watch)
    watcher.start()
    made, clips, bad = apart(Noting(tmp_path, held=node), tasks, sys.maxsize, cluster.address)
    watcher.join()
    assert sorted(made) == [task.shard for task in tasks]
    assert (clips, bad) == (30, 15)
    begun = [path.name.split() for path in tmp_path.iterdir()]
    held = {name for name, where in begun if where == node}
    assert held
    assert held <= {name for name, where in begun if where != node}


@pytest.mark.slow
def test_every_task_is_done_once_and_mistakes_are_told(cluster):
    tasks = made_tasks()
    made, clips, bad = apart(Counting(), tasks, 2, cluster.address)
    assert len(made) == len(tasks)
    assert {name: rows for name, rows, _ in made} == {
        task.shard: [clip.row for clip in task.clips] for task in tasks
    }
    assert (clips, bad) == (30, 15)
    with pytest.raises(UserError, match=r"^cannot write it: no space left on device$"):
        apart(Failing(tasks[2].shard), tasks, 2, cluster.address)
    with pytest.raises(RuntimeError, match=rf"(?s){tasks[2].shard}.*ZeroDivisionError"):
        apart(Failing(tasks[2].shard, mistake=True), tasks, 2, cluster.address)
    assert apart(Counting(), [], 2, cluster.address) == ([], 0, 0)


def test_without_ray_the_extra_is_named(toy_root, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    line = refused("toy", toy_root, tmp_path, "--engine", "ray")
    assert "pip install 'actionshards[ray]'" in line


@pytest.mark.parametrize("asked", ["--ray-address", "RAY_ADDRESS"])
def test_a_cluster_that_is_not_there_is_told_at_once(toy_root, tmp_path, monkeypatch, asked):
    """Ray itself would try for a quarter of an hour."""
    with socket.socket() as nobody:  # bound, so that none else takes the port, and deaf
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        words = () if asked == "RAY_ADDRESS" else (asked, address)
        begun = time.monotonic()
        line = refused("toy", toy_root, tmp_path, "--engine", "ray", *words)
    assert time.monotonic() - begun < 60
    assert f"no Ray cluster at {address} (" in line
    assert "Connection refused" in line
    assert "name one with --ray-address" in line


@pytest.mark.parametrize("address", ["nowhere", "localhost:port", "localhost:70000"])
def test_an_address_that_is_none_is_told(toy_root, tmp_path, address):
    line = refused("toy", toy_root, tmp_path, "--engine", "ray", "--ray-address", address)
    assert f"no Ray cluster at {address} (" in line


def test_an_address_goes_with_ray(toy_root, tmp_path: Path):
    line = refused("toy", toy_root, tmp_path, "--ray-address", "auto")
    assert "--ray-address goes with --engine ray" in line

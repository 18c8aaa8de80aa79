"""SIGKILL at random moments: nothing half-written counts, nothing lives on, the end is the same."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from shards.recorded import scan_records
from tests.prep.runs import Made, file_hashes, shard, start, words


def kill(process, group: bool) -> None:
    """SIGKILL to the run's process group, or to the parent alone."""
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def check_finished(folder: Path, calm: Made) -> int:
    """What has a record is whole and final; returns how many shards have one."""
    if not (folder / "shards").exists():
        return 0
    found, final = file_hashes(folder), calm.files
    finished = scan_records(folder)
    assert finished.damaged == ()
    for name in finished.records:
        mine = {file: sha for file, sha in found.items() if file.split(".")[0] == name}
        assert mine == {file: sha for file, sha in final.items() if file.split(".")[0] == name}
    return len(finished.records)


def count_files(folder: Path) -> int:
    """Files in the shards/ of a set, temporary ones included."""
    return sum(1 for _ in (folder / "shards").glob("*"))


def wait_for_files(folder: Path, wanted: int, process) -> bool:
    """Wait until so many files lie in shards/; False when the run ends before."""
    while process.poll() is None:
        if count_files(folder) >= wanted:
            return True
        time.sleep(0.005)
    return False


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "kills"), [(1, 7), (2, 7), (4, 6)])
def test_killed_at_random_moments_and_run_again(calm, toy_root, tmp_path, workers, kills):
    """A moment is drawn as a number of files and some milliseconds, on a machine of any speed.

    A run that is quicker than its killer starts over, so that every kill meets a run.
    """
    line = words("toy", toy_root, tmp_path, "--workers", str(workers))
    folder, chance, seen = tmp_path / "toy", random.Random(workers), []
    while len(seen) < kills:
        there = count_files(folder)
        run = start(f"{tmp_path.name}-{workers}", line)
        met = wait_for_files(folder, chance.randint(there, len(calm.files)), run.process)
        time.sleep(chance.uniform(0, 0.3))
        if not met or run.process.poll() is not None:
            run.process.communicate()
            shutil.rmtree(folder)
            continue
        kill(run.process, group=chance.random() < 0.5)
        assert run.survivors() == []
        seen.append(check_finished(folder, calm))
    assert max(seen) > 0  # some kills met finished shards
    last = shard("toy", toy_root, tmp_path, "--workers", str(workers))
    assert last.code == 0
    assert last.files == calm.files
    assert last.report["identity"] == calm.report["identity"]
    assert last.tables == calm.tables
    assert not list(folder.rglob("*.tmp"))


def wait_for(folder: Path, pattern: str) -> None:
    """Wait until a set holds a file of that form."""
    deadline = time.monotonic() + 60
    while not list(folder.glob(pattern)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def wait_for_work(folder: Path) -> None:
    """Wait until a worker writes."""
    wait_for(folder, "shards/.*.tmp")


@pytest.mark.parametrize("moment", [".run.lock", "shards/.*.tmp", "shards/*.json"])
def test_ctrl_c_is_one_line_and_leaves_nothing_running(calm, toy_root, tmp_path, moment):
    """The signal goes to the whole group, as a terminal sends it: at the start, then at work."""
    run = start(tmp_path.name, words("toy", toy_root, tmp_path, "--workers", "2"))
    wait_for(tmp_path / "toy", moment)
    os.killpg(run.process.pid, signal.SIGINT)
    said, complained = run.process.communicate(timeout=30)
    assert (said, complained) == ("", "prep shard: interrupted; what is finished is kept\n")
    assert run.process.returncode == 130
    assert run.survivors(0.5) == []
    assert not list((tmp_path / "toy").rglob("*.tmp"))
    check_finished(tmp_path / "toy", calm)


def test_a_killed_worker_costs_its_shard_only(calm, toy_root, tmp_path):
    run = start(tmp_path.name, words("toy", toy_root, tmp_path, "--workers", "2"))
    wait_for_work(tmp_path / "toy")
    temp = next((tmp_path / "toy" / "shards").glob(".*.tmp"))
    os.kill(int(temp.name.split(".")[-3]), signal.SIGKILL)
    assert run.process.wait(60) == 0
    assert file_hashes(tmp_path / "toy").items() >= calm.files.items()
    assert shard("toy", toy_root, tmp_path).files == calm.files


def test_two_runs_at_one_time(calm, toy_root, tmp_path):
    """A whole run keeps others out; parts let each other in."""
    whole = start(tmp_path.name, words("toy", toy_root, tmp_path, "--workers", "1"))
    wait_for_work(tmp_path / "toy")
    for more in ([], ["--part", "1/2"]):
        second = shard("toy", toy_root, tmp_path, *more)
        assert second.code == 1
        assert "is at work on" in second.error
    assert whole.process.wait(60) == 0
    assert Made(tmp_path / "toy", 0, {}, "").files == calm.files


def test_parts_at_one_time_one_of_them_twice_complete_the_set(calm, toy_root, tmp_path):
    parts = [
        start(
            tmp_path.name,
            words("toy", toy_root, tmp_path, "--part", f"{i}/3", "--max-reject-ratio", "1"),
        )
        for i in (1, 2, 3, 2)
    ]
    assert [part.process.wait(120) for part in parts] == [0, 0, 0, 0]
    made = Made(tmp_path / "toy", 0, {}, "")
    assert made.files == calm.files
    finished = shard("toy", toy_root, tmp_path, "--finish")
    assert (finished.code, finished.report["identity"]) == (0, calm.report["identity"])
    assert made.files == calm.files
    assert made.tables == calm.tables

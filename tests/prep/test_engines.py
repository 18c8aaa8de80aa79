"""The pool: every task once, whatever dies; one line for a user's mistake; nothing left behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from manifests.errors import UserError
from prep.engines import run_local
from shards.plan import plan_shards
from tests.prep.work import Counting, Dying, Failing, Lingering
from tests.shards.made import HEADER, made_clips, made_sizes


def made_tasks(clips: int = 60, per_shard: int = 6):
    table = made_clips(clips)
    plan = plan_shards(table, per_shard, HEADER)
    return [plan.task(shard.name, made_sizes(table)) for shard in plan.shards]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


class Sum:
    """Adds up what the pool tells of its progress."""

    def __init__(self):
        self.clips = self.refused = 0

    def __call__(self, clips: int, refused: int) -> None:
        self.clips += clips
        self.refused += refused


@pytest.mark.parametrize("workers", [1, 3])
def test_every_task_is_done_once_and_every_clip_counted(workers):
    tasks, total = made_tasks(), Sum()
    results = list(run_local(Counting(), tasks, workers, total))
    assert {shard: rows for shard, rows, _ in results} == {
        task.shard: [clip.row for clip in task.clips] for task in tasks
    }
    assert len(results) == len(tasks)
    assert (total.clips, total.refused) == (60, 30)
    assert 1 <= len({pid for *_, pid in results}) <= workers
    assert not any(alive(pid) for *_, pid in results)


def test_workers_make_way_for_fresh_ones():
    tasks = made_tasks(70, 2)
    pids = [pid for *_, pid in run_local(Counting(), tasks, 1, Sum())]
    assert len(tasks) > 16
    assert len(set(pids)) == -(-len(tasks) // 16)


def test_nothing_to_do():
    assert list(run_local(Counting(), [], 2, Sum())) == []


def test_a_refusal_of_a_worker_is_one_line_here():
    tasks = made_tasks()
    with pytest.raises(UserError, match=r"^cannot write it: no space left on device$"):
        list(run_local(Failing(tasks[2].shard), tasks, 2, Sum()))


def test_a_mistake_of_the_program_is_told_with_its_place():
    tasks = made_tasks()
    with pytest.raises(RuntimeError, match=rf"(?s){tasks[2].shard}.*work\.py.*ZeroDivisionError"):
        list(run_local(Failing(tasks[2].shard, mistake=True), tasks, 2, Sum()))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_task_whose_worker_died_is_done_by_another(tmp_path, workers):
    tasks, total = made_tasks(), Sum()
    work = Dying(tasks[3].shard, 1, tmp_path)
    assert sorted(run_local(work, tasks, workers, total)) == [task.shard for task in tasks]
    assert (total.clips, total.refused) == (60, 30)


@pytest.mark.parametrize(("how", "said"), [(signal.SIGSEGV, "by SIGSEGV"), (0, "exit code 3")])
def test_what_ends_its_workers_is_named(tmp_path, how, said):
    tasks = made_tasks()
    guilty = next(task for task in tasks if len(task.clips) > 2)
    work = Dying(guilty.shard, 2, tmp_path, how)
    with pytest.raises(UserError, match=f"shard {guilty.shard} .* 2 times, last .*{said}") as error:
        list(run_local(work, tasks, 2, Sum()))
    assert str(guilty.clips[2].file) in str(error.value)


def test_ending_early_ends_the_workers_and_lets_them_clear_up(tmp_path):
    results = run_local(Lingering(tmp_path), made_tasks(), 3, Sum())
    assert next(results) == "all-00000"
    deadline = time.monotonic() + 20
    while (
        len(pids := [int(path.name) for path in tmp_path.iterdir()]) < 2
    ):  # the third waits for us
        assert time.monotonic() < deadline
        time.sleep(0.01)
    results.close()
    assert not any(alive(pid) for pid in pids)
    assert list(tmp_path.iterdir()) == []

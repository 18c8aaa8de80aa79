"""Waiting: told, ended, and never a process that does not end."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import loaders.workers
from loaders.watchdog import StallError, WaitLimits, Watchdog
from loaders.workers import Workers
from shards.records import shard_file
from tests.loaders.opening import BOTH, loader
from tests.loaders.scenes import flat, store_of

SOON = WaitLimits(warn_s=0.1, limit_s=0.5)


@pytest.fixture
def stuck_store(tmp_path, monkeypatch):
    """A set one of whose tars is a pipe nobody writes to: opening it never returns."""
    monkeypatch.setattr(loaders.workers, "JOIN_S", 0.2)
    store = store_of(tmp_path / "custom", 30, flat)
    path = shard_file(store.folder, store.shard_of(0), "tar")
    path.unlink()
    os.mkfifo(path)
    yield store
    release(path)


def release(path: Path) -> None:
    """Let whoever hangs there go on."""
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    time.sleep(0.05)
    os.close(fd)


@BOTH
def test_a_read_that_never_returns_ends_the_wait(stuck_store, backend, caplog):
    began = time.monotonic()
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(StallError) as caught,
        loader(stuck_store, backend=backend, limits=SOON) as clips,
    ):
        list(clips.epoch(0))
    assert time.monotonic() - began < 20
    message = str(caught.value)
    for word in (
        "custom: nothing has moved for",
        "waiting for clip 0",
        "--resume",
    ):
        assert word in message
    assert re.search(r"at work: .*reading (and decoding )?clip 0", message)
    assert f"of shard {stuck_store.shard_of(0)} for" in message and "\n" not in message
    assert [record for record in caplog.records if "nothing has moved" in record.message]


def test_a_stuck_thread_does_not_hold_the_process(stuck_store):
    words = f"""
from pathlib import Path
import loaders.workers
from loaders import ClipLoader, TrainViews
from loaders.watchdog import WaitLimits
from shards.store import ShardStore
from shards.subsets import split_subset
loaders.workers.JOIN_S = 0.2
store = ShardStore.open(Path({str(stuck_store.folder)!r}))
loader = ClipLoader(store, split_subset(store, "train1"), TrainViews(size=16), 4,
                    backend="cpu", limits=WaitLimits(0.2, 0.5))
list(loader.epoch(0))
"""
    done = subprocess.run(
        [sys.executable, "-c", words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert done.returncode == 1 and "StallError" in done.stderr


@BOTH
def test_a_program_may_end_with_a_loader_open(flat_store, backend):
    words = f"""
from pathlib import Path
from loaders import ClipLoader, TrainViews
from shards.store import ShardStore
from shards.subsets import split_subset
store = ShardStore.open(Path({str(flat_store.folder)!r}))
loader = ClipLoader(store, split_subset(store, "train1"), TrainViews(), 2, backend={backend!r})
epoch = loader.epoch(0)
next(epoch)
"""
    done = subprocess.run(
        [sys.executable, "-c", words],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        timeout=60,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_slow_is_not_stuck(flat_store):
    """Another task that ends now and then, or bytes that come in, keep the wait alive."""
    pool = Workers(2, "test")
    watchdog = Watchdog(flat_store, [pool], WaitLimits(warn_s=10, limit_s=0.3))
    slow = pool.submit("reading", 0, lambda: time.sleep(1.0) or "done")
    for _ in range(9):
        pool.submit("reading", 1, lambda: time.sleep(0.1))
    assert watchdog.results([slow], [0]) == ["done"]
    slow = pool.submit("reading", 0, lambda: time.sleep(1.0) or "done")
    with pytest.raises(StallError, match=r"at work: reading clip 000000_clip_0 of shard"):
        watchdog.results([slow], [0])
    pool.close()


def test_workers_say_what_they_are_at_and_end():
    before = threading.active_count()
    pool, go = Workers(2, "test"), threading.Event()
    tasks = [pool.submit("reading", clip, go.wait) for clip in range(3)]
    deadline = time.monotonic() + 5
    while len(pool.busy()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [(a.stage, a.clip) for a in pool.busy()] == [("reading", 0), ("reading", 1)]
    assert tasks[2].cancel() and pool.done == 0
    go.set()
    assert tasks[0].result(5) and tasks[1].result(5)
    pool.close()
    assert threading.active_count() == before and pool.busy() == []


def test_work_after_work_gets_its_result_or_its_error():
    pool = Workers(1, "test")
    first = pool.submit("reading", 0, lambda: 20)
    assert pool.submit_after(first, "decoding", 0, lambda done: done.result() + 1).result(5) == 21
    bad = pool.submit("reading", 0, lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        pool.submit_after(bad, "decoding", 0, lambda done: done.result()).result(5)
    pool.close()

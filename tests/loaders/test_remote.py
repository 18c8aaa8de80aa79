"""Batches from an object store: those of the folder to the bit, whatever happens on the way."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import loaders.workers
from loaders import ClipLoader, TrainViews
from loaders import TestViews as FixedViews
from loaders.watchdog import WaitLimits
from shards.fetched import CacheSettings, open_shards
from shards.protocols import rows_of
from shards.remote import Patience
from shards.store import OutOfReachError
from shards.subsets import split_subset
from tests.loaders.opening import BOTH, DALI, loader
from tests.shards.servers import BUCKET, upload
from tests.shards.test_cache import tiny_disk

LIVELY = TrainViews(size=32)
FIXED = FixedViews(size=32, short_side=32, clips=2, crops=3)
QUICK = Patience(request_s=1.0, attempts=3, pause_s=0.02)
DALI_503 = pytest.param("dali", 503, marks=DALI.marks)


@pytest.fixture(scope="module")
def place(texture_store, s3_url):
    """The textured set in a bucket."""
    upload(s3_url, texture_store.folder, "loaders/custom")
    return f"s3://{BUCKET}/loaders"


def equal(one: list, other: list) -> bool:
    return len(one) == len(other) > 0 and all(
        torch.equal(a.clips, b.clips)
        and torch.equal(a.rows, b.rows)
        and torch.equal(a.labels, b.labels)
        for a, b in zip(one, other, strict=True)
    )


@BOTH
@pytest.mark.parametrize("views", [LIVELY, FIXED], ids=["train", "test"])
def test_the_same_batches_to_the_bit(texture_store, place, s3, tmp_path, backend, views):
    failed = set()

    def sometimes(request):
        """Each third request fails, in one way after the other."""
        if request.span is None or request.span in failed or len(s3.log) % 3:
            return None
        failed.add(request.span)
        return [500, "close", "cut", 503][len(failed) % 4]

    with loader(texture_store, views, 2, backend=backend) as clips:
        expected = list(clips.epoch(1))
        identity = clips.identity
    store = open_shards(place, "custom", CacheSettings(tmp_path / "cache"), QUICK)
    s3.fault = sometimes
    with loader(store, views, 2, backend=backend) as clips:
        assert clips.identity == identity
        assert equal(list(clips.epoch(1)), expected)
        assert failed
        asked = len(s3.log)
        assert equal(list(clips.epoch(1)), expected)
        assert len(s3.log) == asked, "the second epoch comes from the cache"
        for path in (tmp_path / "cache").glob("*/custom/*/*"):
            if path.suffix in (".tar", ".mjpg"):
                path.unlink()
        assert equal(list(clips.epoch(1)), expected), "deleted under a running job: fetched again"


def test_a_small_subset_is_fetched_by_the_clip_and_a_whole_one_by_the_tar(
    texture_store, place, s3, tmp_path
):
    store = open_shards(place, "custom", CacheSettings(tmp_path / "few"), QUICK)
    few = split_subset(store, "train1")
    few = rows_of(few, few.rows[:1], "one")
    with ClipLoader(store, few, FIXED, 1) as clips:
        list(clips.epoch(0))
    assert len(s3.reads(".tar")) == 1 and not list((tmp_path / "few").glob("*/*/shards/*.tar"))
    store = open_shards(place, "custom", CacheSettings(tmp_path / "all"), QUICK)
    with loader(store, FIXED, 1) as clips:
        list(clips.epoch(0))
    tars = {path.name for path in (tmp_path / "all").glob("*/*/shards/*.tar")}
    positions = store.index_of(split_subset(store, "train1").rows)
    wanted = store.layout.wanted_bytes(positions)
    sizes = np.array([shard.bytes for shard in store.info.shards])
    assert (
        tars
        == {f"{store.info.shards[n].name}.tar" for n in np.flatnonzero(4 * wanted > sizes)}
        != set()
    )


@pytest.mark.parametrize(("backend", "fault"), [("cpu", 503), ("cpu", "stall"), DALI_503])
def test_a_server_that_is_gone_is_one_line_in_time(
    place, s3, tmp_path, backend, fault, monkeypatch
):
    monkeypatch.setattr(loaders.workers, "JOIN_S", 0.2)
    store = open_shards(place, "custom", CacheSettings(tmp_path / "cache"), QUICK)
    s3.fault = lambda request: fault
    began = time.monotonic()
    with (
        loader(store, LIVELY, 2, backend=backend, on_error="substitute") as clips,
        pytest.raises(OutOfReachError) as caught,
    ):
        list(clips.epoch(0))
    message = str(caught.value)
    assert time.monotonic() - began < 30
    for word in ("custom: frame ", " of clip ", " in shard ", "s3://", "3 attempts", "--resume"):
        assert word in message
    assert "\n" not in message


@BOTH
def test_the_watchdog_ends_a_wait_that_the_time_limits_do_not(
    place, s3, tmp_path, backend, monkeypatch
):
    monkeypatch.setattr(loaders.workers, "JOIN_S", 0.2)
    slow = Patience(request_s=5.0, attempts=3)
    store = open_shards(place, "custom", CacheSettings(tmp_path / "cache"), slow)
    s3.fault = lambda request: "stall"
    limits = WaitLimits(warn_s=0.2, limit_s=0.5)
    with (
        loader(store, LIVELY, 2, backend=backend, limits=limits) as clips,
        pytest.raises(OutOfReachError, match=r"nothing has moved .* at work: reading clip"),
    ):
        s3.released.clear()
        try:
            list(clips.epoch(0))
        finally:
            s3.released.set()


@BOTH
def test_a_full_cache_disk_names_clip_and_mending(texture_store, place, s3, tmp_path, backend):
    with tiny_disk(tmp_path / "disk", 8 * 1024**2) as disk:
        store = open_shards(place, "custom", CacheSettings(disk / "cache"), QUICK)
        (disk / "others").write_bytes(bytes(shutil.disk_usage(disk).free - 8192))
        with (
            loader(store, LIVELY, 2, backend=backend) as clips,
            pytest.raises(OutOfReachError) as caught,
        ):
            list(clips.epoch(0))
        message = str(caught.value)
        for word in ("custom: frame ", " of clip ", " in shard ", "no space left", "--cache"):
            assert word in message
        assert "\n" not in message
        (disk / "others").unlink()
        with loader(store, LIVELY, 2, backend=backend) as clips:
            assert len(list(clips.epoch(0))) == clips.steps_per_epoch


def test_ranks_of_a_machine_share_one_cache(texture_store, place, s3, tmp_path):
    """Two processes at once: together they ask for each byte once."""
    words = f"""
import sys
from pathlib import Path
from loaders import ClipLoader, TestViews
from shards.fetched import CacheSettings, open_shards
from shards.subsets import split_subset
store = open_shards({place!r}, "custom", CacheSettings(Path({str(tmp_path / "cache")!r})))
views = TestViews(size=16, short_side=16, frames=1)
with ClipLoader(store, split_subset(store, "train1"), views, 1) as loader:
    print([row for batch in loader.epoch(0) for row in batch.rows.tolist()])
"""
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", words],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [rank.communicate(timeout=120)[0] for rank in ranks]
    assert said[0] == said[1] == f"{split_subset(texture_store, 'train1').rows.tolist()}\n"
    for name in (".tar", "frames.arrow", "samples.parquet"):
        asked = [(request.path, request.span) for request in s3.reads(name)]
        assert len(asked) == len(set(asked)) > 0

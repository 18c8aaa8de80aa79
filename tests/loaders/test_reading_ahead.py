"""Local frames: the kernel is told of all of them, and reads the same ones with and without."""

from __future__ import annotations

import os
import time

import pytest

from loaders import TestViews as FixedViews
from shards import tars
from shards.store import ShardStore
from shards.tars import LocalTars
from tests.loaders.opening import loader

pytestmark = pytest.mark.skipif(
    not hasattr(os, "posix_fadvise"), reason="the kernel takes no advice here"
)


@pytest.fixture
def store(flat_store) -> ShardStore:
    return ShardStore.open(flat_store.folder)


def test_every_span_that_is_read_was_announced(store, monkeypatch):
    read, announced = [], []
    real_read, real_advice = LocalTars.read, os.posix_fadvise

    def reading(self, span):
        read.append((span.offset, span.size))
        return real_read(self, span)

    def advice(fd, offset, size, kind):
        assert kind == os.POSIX_FADV_WILLNEED
        announced.append((offset, size))
        real_advice(fd, offset, size, kind)

    monkeypatch.setattr(LocalTars, "read", reading)
    monkeypatch.setattr(os, "posix_fadvise", advice)
    with loader(store, FixedViews(size=16), split="test1", backend="cpu") as clips:
        assert len(list(clips.epoch(0))) > 2
        deadline = time.monotonic() + 20
        while len(announced) < len(read) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert read and sorted(read) == sorted(announced)


def test_announcing_to_nobody_changes_no_batch(store, monkeypatch):
    with loader(store, backend="cpu") as clips:
        told = [batch.clips.clone() for batch in clips.epoch(0)]
    monkeypatch.setattr(tars, "_ADVISED", False)
    monkeypatch.setattr(os, "posix_fadvise", None)
    with loader(store, backend="cpu") as clips:
        untold = [batch.clips for batch in clips.epoch(0)]
    assert all((a == b).all() for a, b in zip(told, untold, strict=True))


def test_a_tar_that_is_not_there_is_told_by_the_read_alone(store, tmp_path):
    store.tars = LocalTars(tmp_path)
    store.read_ahead(0, store.frame_counts[:1] * 0)
    with pytest.raises(OSError):
        store.tars.ahead(tars.Span(0, store.shard_of(0), 0, 1))

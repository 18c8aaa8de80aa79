"""Local frames: where reading is slow, the kernel is told of all of them before their turn."""

from __future__ import annotations

import os
import time

import pytest

from loaders import TestViews as FixedViews
from shards import tars
from shards.store import ShardStore
from shards.tars import LocalTars
from tests.loaders.opening import loader

_READ, _ADVISE = LocalTars.read, getattr(os, "posix_fadvise", None)
pytestmark = pytest.mark.skipif(
    not hasattr(os, "posix_fadvise"), reason="the kernel takes no advice here"
)


@pytest.fixture
def store(flat_store) -> ShardStore:
    return ShardStore.open(flat_store.folder)


def batches_of(store, monkeypatch, read_s: float):
    """All of an epoch, the spans that were read, by reads of so long, and those announced."""
    read, announced = [], []

    def reading(self, span):
        time.sleep(read_s)
        read.append((span.offset, span.size))
        return _READ(self, span)

    def advice(fd, offset, size, kind):
        assert kind == os.POSIX_FADV_WILLNEED
        announced.append((offset, size))
        _ADVISE(fd, offset, size, kind)

    monkeypatch.setattr(LocalTars, "read", reading)
    monkeypatch.setattr(os, "posix_fadvise", advice)
    with loader(store, FixedViews(size=16), 1, "test1", backend="cpu") as clips:
        pixels = [batch.clips.clone() for batch in clips.epoch(0)]
        first = len(read)
        pixels += [batch.clips.clone() for batch in clips.epoch(0)]
        deadline = time.monotonic() + 20
        while read_s and tars._ADVISED and len(announced) < first and time.monotonic() < deadline:
            time.sleep(0.01)
    return pixels, read, announced


def test_slow_storage_is_told_of_every_span_of_an_epoch(store, monkeypatch):
    slow, read, announced = batches_of(store, monkeypatch, 0.01)
    assert len(slow) > 8 and set(read) == set(announced)
    quick, _, none = batches_of(store, monkeypatch, 0.0)
    assert none == []
    assert all((a == b).all() for a, b in zip(slow, quick, strict=True))


def test_where_nobody_takes_advice_none_is_given(store, monkeypatch):
    monkeypatch.setattr(tars, "_ADVISED", False)
    _, read, announced = batches_of(store, monkeypatch, 0.01)
    assert read and announced == []


def test_a_tar_that_is_not_there_is_told_by_the_read_alone(store, tmp_path):
    store.tars = LocalTars(tmp_path)
    store.read_ahead(0, store.frame_counts[:1] * 0)
    with pytest.raises(OSError):
        store.tars.ahead(tars.Span(0, store.shard_of(0), 0, 1))

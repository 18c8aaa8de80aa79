"""Epoch after epoch: one goes over into the next without a pause, and is the same as on its own."""

from __future__ import annotations

import time

import pytest

from loaders import TestViews as FixedViews
from shards.store import FrameError, ShardStore
from tests.loaders.opening import BOTH, loader


def pixels(clips, epoch, start_step=0):
    return [batch.clips.clone() for batch in clips.epoch(epoch, start_step)]


def same(found, expected) -> bool:
    return all((a == b).all() for a, b in zip(found, expected, strict=True))


@BOTH
def test_the_next_epoch_is_read_while_the_last_batch_is_used(flat_store, backend, monkeypatch):
    store = ShardStore.open(flat_store.folder)
    with loader(store, backend=backend) as clips:
        first = {row for batch in clips.epoch(1) for row in batch.rows.tolist()}
        expected = pixels(clips, 1)
    assert len(first) == 16
    store, read = ShardStore.open(flat_store.folder), []
    real = store.read_frames
    monkeypatch.setattr(
        store, "read_frames", lambda i, positions: (read.append(i), real(i, positions))[1]
    )
    with loader(store, backend=backend) as clips:
        for _ in clips.epoch(0):
            pass
        deadline = time.monotonic() + 20
        while len(read) < 16 + 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(read) >= 16 + 4
        assert same(pixels(clips, 1), expected)


@BOTH
@pytest.mark.parametrize(
    "asked",
    [[(0, 0), (1, 0), (2, 0)], [(0, 0), (2, 0), (1, 2), (2, 1)], [(3, 4), (4, 0), (4, 0), (1, 0)]],
    ids=["in turn", "others", "from the end"],
)
def test_any_sequence_gives_what_each_gives_alone(flat_store, backend, asked):
    alone = {}
    for epoch, start in asked:
        with loader(flat_store, backend=backend) as clips:
            alone[epoch, start] = pixels(clips, epoch, start)
    with loader(flat_store, backend=backend) as clips:
        for epoch, start in asked:
            found = pixels(clips, epoch, start)
            assert len(found) == 4 - start and same(found, alone[epoch, start])


@BOTH
def test_one_left_early_leaves_nothing_to_the_next(flat_store, backend):
    with loader(flat_store, backend=backend) as clips:
        expected = pixels(clips, 1)
        for _ in clips.epoch(0):
            break
        assert same(pixels(clips, 1), expected)
        whole = clips.epoch(0)
        for _ in range(4):
            next(whole)  # its end was never asked for
        assert same(pixels(clips, 1), expected)


@BOTH
def test_evaluations_end(flat_store, backend):
    views = FixedViews(size=16)
    with loader(flat_store, views, split="test1", backend=backend) as clips:
        first = pixels(clips, 0)
        assert len(first) == clips.steps_per_epoch > 0
        assert same(pixels(clips, 0), first) and same(pixels(clips, 1), first)


def test_a_fault_of_the_next_epoch_is_raised_there(flat_store, monkeypatch):
    with loader(flat_store, backend="cpu") as clips:
        bad = int(flat_store.index_of(next(iter(clips.epoch(1))).rows.numpy())[0])
    store, times = ShardStore.open(flat_store.folder), []
    real = store.read_frames

    def read(i, positions):
        times.append(i)
        if times.count(bad) == 2:  # once an epoch: in the second
            raise store.fault(i, 0, "made bad")
        return real(i, positions)

    monkeypatch.setattr(store, "read_frames", read)
    with loader(store, backend="cpu") as clips:
        assert len(pixels(clips, 0)) == 4
        with pytest.raises(FrameError, match="made bad"):
            pixels(clips, 1)
        assert len(pixels(clips, 1)) == 4

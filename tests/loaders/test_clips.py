"""The loader as its users see it: right frames, exactly once, from anywhere, without a hang."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import loaders.clips
from loaders import ClipLoader
from loaders import TestViews as FixedViews
from loaders.clips import choose
from manifests.errors import UserError
from shards.records import shard_file
from shards.store import FrameError, ShardStore
from shards.subsets import split_subset
from tests.loaders.opening import BOTH, PLAIN, loader
from tests.loaders.scenes import flat, read_flat, source_count, store_of, stored_numbers


@BOTH
@pytest.mark.parametrize("statistics", ["imagenet", "clip"])
def test_training_frames_are_those_planned(flat_store, backend, statistics):
    """What comes out as frame t is a frame of segment t, or the stored one nearest to it."""
    views = replace(PLAIN, statistics=statistics)
    with loader(flat_store, views, backend=backend) as clips:
        assert clips.steps_per_epoch == 4
        for batch in clips.epoch(2):
            assert batch.clips.shape == (4, 8, 3, 16, 16) and batch.clips.dtype == torch.float32
            assert batch.labels.tolist() == [row % 4 for row in batch.rows.tolist()]
            assert batch.views == 1
            for row, clip in zip(batch.rows.tolist(), batch.clips.numpy(), strict=True):
                seen = [read_flat(frame, statistics) for frame in clip]
                assert {r for r, _ in seen} == {row % 32}
                stored, n = stored_numbers(row), source_count(row)
                for t, (_, number) in enumerate(seen):
                    segment = range(t * (n // 8), (t + 1) * (n // 8))
                    wanted = segment if segment else [round(t * n / 8) % n]
                    nearest = {min(stored, key=lambda s: (abs(s - w), s)) for w in wanted}
                    assert number in nearest


@BOTH
def test_test_views_are_crop_major_with_clips_inside(flat_store, backend):
    views = FixedViews(size=16, clips=2, crops=3, frames=4)
    with loader(flat_store, views, 3, "test1", backend=backend) as clips:
        for batch in clips.epoch(0):
            assert batch.views == 6 and batch.clips.shape == (18, 4, 3, 16, 16)
            for row, videos in zip(
                batch.rows, batch.clips.view(3, 3, 2, 4, 3, 16, 16), strict=True
            ):
                if row < 0:
                    assert not videos.any()
                    continue
                n, stored = source_count(int(row)), stored_numbers(int(row))
                for crop in videos.numpy():
                    for k, clip in enumerate(crop):
                        wanted = [int((i + (k + 0.5) / 2) * n / 4) for i in range(4)]
                        expected = [min(stored, key=lambda s: (abs(s - w), s)) for w in wanted]
                        assert [read_flat(frame) for frame in clip] == [
                            (int(row) % 32, number) for number in expected
                        ]


def test_crops_are_first_last_and_middle(texture_store):
    """Of a wide frame the first crop holds its left end, the second its right, then the middle."""
    views = FixedViews(size=64, crops=3, frames=1)
    with loader(texture_store, views, 1, "train1") as clips:
        batch = next(b for b in clips.epoch(0) if int(b.rows) % 4 == 3)
    left, right, middle = batch.clips[:, 0, 0]
    whole = 227 * 64 // 128 + 1  # 114 wide: windows at 0, 50 and 25
    assert whole == 114
    assert torch.equal(left[:, 25:], middle[:, :39]) and torch.equal(left[:, 50:], right[:, :14])


@pytest.mark.parametrize(("batch", "world"), [(1, 1), (3, 1), (16, 1), (2, 3), (5, 8), (40, 2)])
def test_evaluation_is_exactly_once(flat_store, batch, world):
    views = FixedViews(size=8, short_side=8, frames=1)
    rows: list[int] = []
    lengths = set()
    for rank in range(world):
        with loader(flat_store, views, batch, "test1", rank=rank, world=world) as clips:
            found = list(clips.epoch(0))
            assert len(found) == clips.steps_per_epoch
            lengths.add(len(found))
            rows += [row for b in found for row in b.rows.tolist()]
            for b in found:
                assert len(b.rows) == batch
                assert not b.labels[b.rows < 0].any() and not b.clips[b.rows < 0].any()
    assert len(lengths) == 1
    real = [row for row in rows if row >= 0]
    assert sorted(real) == split_subset(flat_store, "test1").rows.tolist()


@BOTH
def test_a_rank_of_nothing_but_padding(flat_store, backend):
    views = FixedViews(size=8, short_side=8, frames=1)
    options = {"rank": 3, "world": 4, "backend": backend}
    with loader(flat_store, views, 10, "test1", **options) as clips:
        for _ in range(2):
            [batch] = clips.epoch(0)
            assert (batch.rows == -1).all() and not batch.clips.any()
            assert batch.clips.shape == (10, 1, 3, 8, 8)


@BOTH
def test_epochs_may_be_left_early_and_begun_again(flat_store, backend):
    with loader(flat_store, batch=2, backend=backend) as clips:
        expected = [b.rows.tolist() for b in clips.epoch(1)]
        threads = threading.active_count()
        for taken in (0, 1, 3, 7, 8):
            epoch = clips.epoch(0)
            for _ in range(taken):
                next(epoch)
            assert [b.rows.tolist() for b in clips.epoch(1)] == expected
            assert list(epoch) == []  # the one before has ended
        assert threading.active_count() == threads
        left = clips.epoch(4)
        next(left)
    assert list(left) == []


@BOTH
def test_a_loader_dropped_in_the_middle_leaves_no_thread(flat_store, backend):
    before = threading.active_count()
    clips = loader(flat_store, batch=2, backend=backend)
    next(clips.epoch(0))
    del clips
    gc.collect()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == before


@BOTH
def test_a_damaged_frame_is_raised_as_it_is_when_its_batch_is_due(tmp_path, backend):
    store = store_of(tmp_path / "custom", 30, flat)
    with loader(store, batch=4, backend=backend) as clips:
        good = [b.rows.tolist() for b in clips.epoch(0)]
        bad = good[2][1]
        damage(store, bad)
        for _ in range(2):  # and again: the loader stays usable
            seen = []
            with pytest.raises(FrameError, match=f"clip {bad:06d}_clip_{bad} in shard"):
                for batch in clips.epoch(0):
                    seen.append(batch.rows.tolist())
            assert seen == good[:2]
        assert [b.rows.tolist() for b in clips.epoch(0, 3)] == good[3:]


def damage(store: ShardStore, row: int) -> None:
    """Change a byte in every stored frame of a clip."""
    i = int(store.index_of(np.array([row]))[0])
    path: Path = shard_file(store.folder, store.shard_of(i), "tar")
    tar = bytearray(path.read_bytes())
    for frame in store.read_frames(i, range(int(store.frame_counts[i]))):
        tar[tar.index(frame) + len(frame) // 2] ^= 255
    with path.open("r+b") as file:  # in place: the open descriptor sees it
        file.write(tar)


def test_only_the_wanted_frames_are_read(flat_store, monkeypatch):
    wanted = []
    read = ShardStore.read_frames

    def watched(store, i, positions):
        wanted.append((i, list(positions)))
        return read(store, i, positions)

    monkeypatch.setattr(ShardStore, "read_frames", watched)
    with loader(flat_store, FixedViews(size=16, frames=2, short_side=16), 4) as clips:
        list(clips.epoch(0))
    assert len(wanted) == 16
    assert all(len(set(positions)) == len(positions) <= 2 for _, positions in wanted)


def test_reading_ahead_is_bounded(flat_store, monkeypatch):
    read: list[int] = []
    frames = ShardStore.read_frames
    monkeypatch.setattr(
        ShardStore, "read_frames", lambda s, i, p: read.append(i) or frames(s, i, p)
    )
    with loader(flat_store, batch=1) as clips:
        epoch = clips.epoch(0)
        for step in range(1, 6):
            next(epoch)
            time.sleep(0.05)
            assert len(read) <= step + 2


def test_a_step_beyond_the_epoch_is_a_bug_of_the_caller(flat_store):
    with loader(flat_store) as clips:
        assert list(clips.epoch(0, 4)) == []
        with pytest.raises(ValueError, match="step 5 of an epoch of 4"):
            clips.epoch(0, 5)


def test_the_choice_of_a_backend_is_told(monkeypatch):
    monkeypatch.setattr(loaders.clips, "dali_installed", lambda: True)
    assert choose("auto", torch.device("cpu"))[0] == "cpu"
    assert choose("auto", torch.device("cuda")) == (
        "dali",
        "batches go to a GPU and DALI is installed",
    )
    assert choose("dali", torch.device("cpu")) == ("dali", "asked for")
    monkeypatch.setattr(loaders.clips, "dali_installed", lambda: False)
    name, why = choose("auto", torch.device("cuda"))
    assert name == "cpu" and "cuda12" in why
    with pytest.raises(UserError, match=r"actionshards\[cuda12\]"):
        choose("dali", torch.device("cuda"))


def test_a_subset_of_another_set_is_refused(flat_store, texture_store):
    subset = split_subset(flat_store, "train1")
    with pytest.raises(UserError, match="not in"):
        ClipLoader(texture_store, subset, PLAIN, 4)
    with pytest.raises(UserError, match="ucf101"):
        ClipLoader(flat_store, replace(subset, benchmark="ucf101"), PLAIN, 4)


def test_no_thread_is_refused(flat_store):
    with pytest.raises(UserError, match="0 loader threads"):
        loader(flat_store, threads=0)


def test_dali_is_imported_only_when_it_is_used():
    words = (
        "import loaders, sys; sys.exit(any(name.startswith('nvidia.dali') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", words], check=True, cwd=Path(__file__).parents[2])

"""Clips that cannot be used: an error that names them, or another clip, the same every time."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from loaders import TestViews as FixedViews
from loaders import TrainViews
from loaders.faults import CANDIDATES, stand_ins
from manifests.errors import UserError
from shards.records import shard_file
from shards.schema import Clip, EncodedClip
from shards.store import FrameError, OutOfReachError, ShardStore
from tests.loaders.opening import BOTH, loader
from tests.loaders.scenes import flat, store_of, texture

LIVELY = TrainViews(size=32)
FIXED = FixedViews(size=16, frames=4, clips=2)
BAD = 3  # a row of train1, and in the same place of test1 below


def damage(store: ShardStore, row: int) -> None:
    """Change a byte in every stored frame of a clip, in place: open descriptors see it."""
    i = int(store.index_of(np.array([row]))[0])
    offset, size = store.layout.span(i)
    path: Path = shard_file(store.folder, store.shard_of(i), "tar")
    with path.open("r+b") as file:
        file.seek(offset)
        clip = file.read(size)
        file.seek(offset)
        file.write(bytes(byte ^ 255 for byte in clip))


def broken(clip: Clip) -> EncodedClip:
    """As ``flat``, but the frames of row BAD are no pictures, under a right CRC."""
    made = flat(clip)
    if clip.row != BAD:
        return made
    frames = tuple(frame[:2] + bytes(len(frame) - 4) + frame[-2:] for frame in made.frames)
    return EncodedClip(**{**vars(made), "frames": frames})


@pytest.fixture(params=["crc", "picture"])
def bad_store(request, tmp_path):
    """Thirty clips, of which row BAD is damaged on disk, or was written as no picture."""
    store = store_of(tmp_path / "custom", 30, flat if request.param == "crc" else broken)
    if request.param == "crc":
        damage(store, BAD)
    return store


@given(st.integers(0, 2**40), st.integers(0, 99), st.sets(st.integers(0, 300), min_size=1))
def test_stand_ins_are_others_of_the_subset(seed, epoch, members):
    rows = np.array(sorted(members))
    row = int(rows[seed % len(rows)])
    found = stand_ins(seed, epoch, row, rows)
    assert found == stand_ins(seed, epoch, row, rows)
    assert row not in found and set(found) <= members
    assert len(set(found)) == len(found) <= CANDIDATES


def test_stand_ins_differ_by_clip_epoch_and_seed():
    rows = np.arange(1000)
    draws = [stand_ins(s, e, r, rows)[0] for s in (1, 2) for e in (0, 1) for r in (5, 6)]
    assert len(set(draws)) == 8


@BOTH
def test_the_error_names_everything_and_the_mending(bad_store, backend):
    with loader(bad_store, backend=backend) as clips:
        for _ in range(2):  # and again: the loader stays usable
            with pytest.raises(FrameError) as caught:
                list(clips.epoch(0))
            message = str(caught.value)
            shard = bad_store.shard_of(BAD)
            for word in (
                "custom: frame ",
                f"of clip 000003_clip_3 in shard {shard} cannot be used",
            ):
                assert word in message
            assert "prep verify --dataset custom --repair" in message and "\n" not in message


@BOTH
def test_another_clip_of_the_subset_stands_in(bad_store, backend, caplog):
    """Everything else is as without the fault, and what stands in is as where it belongs."""
    with loader(bad_store, LIVELY, backend=backend, split="train1") as clips:
        plans = [clips._planner.step(2, step) for step in range(clips.steps_per_epoch)]
    runs = []
    with caplog.at_level(logging.WARNING):
        for threads in (1, 3):
            options = {"backend": backend, "threads": threads, "on_error": "substitute"}
            with loader(bad_store, LIVELY, **options) as clips:
                runs.append(list(clips.epoch(2)))
                assert [b.rows.tolist() for b in clips.epoch(2, 1)] == [
                    b.rows.tolist() for b in runs[-1][1:]
                ]
    subset = clips._planner.subset
    expected = stand_ins(1, 2, BAD, subset.rows)[0]
    views: dict[int, torch.Tensor] = {}
    for plan, one, other in zip(plans, *runs, strict=True):
        assert torch.equal(one.clips, other.clips) and torch.equal(one.rows, other.rows)
        wanted = [expected if row == BAD else row for row in plan.rows.tolist()]
        assert one.rows.tolist() == wanted
        assert one.labels.tolist() == [row % 4 for row in wanted]
        assert one.replaced == (BAD in plan.rows)
        for row, clip in zip(wanted, one.clips, strict=True):
            assert torch.equal(clip, views.setdefault(row, clip))
    assert sum(b.replaced for b in runs[0]) == 1
    told = [r.message for r in caplog.records if "000003_clip_3" in r.message]
    assert told and f"row {expected} in epoch 2" in told[0]


@BOTH
def test_a_tested_clip_is_left_out_and_counted(bad_store, backend):
    with (
        loader(bad_store, FIXED, 5, split="train1", backend=backend) as clips,
        pytest.raises(FrameError),
    ):
        list(clips.epoch(0))
    options = {"backend": backend, "on_error": "substitute"}
    with loader(bad_store, FIXED, 5, split="train1", **options) as clips:
        found = list(clips.epoch(0))
        rows = clips._planner.subset.rows.tolist()
    seen = [row for batch in found for row in batch.rows.tolist() if row >= 0]
    assert seen == [row for row in rows if row != BAD]
    assert sum(batch.replaced for batch in found) == 1
    for batch in found:
        padding = batch.rows < 0
        assert padding.tolist() == sorted(padding.tolist())
        pixels = batch.clips.view(5, -1)
        assert not pixels[padding].any() and not batch.labels[padding].any()
        assert pixels[~padding].any(dim=1).all()


@BOTH
def test_ranks_agree_on_what_stands_in(bad_store, backend):
    options = {"backend": backend, "on_error": "substitute"}
    with loader(bad_store, **options) as clips:
        whole = [batch.rows.tolist() for batch in clips.epoch(5)]
    halves = []
    for rank in range(2):
        with loader(bad_store, rank=rank, world=2, **options) as clips:
            halves.append([batch.rows.tolist() for batch in clips.epoch(5)])
    assert [one + other for one, other in zip(*halves, strict=True)] == whole


@BOTH
def test_when_nothing_can_stand_in_it_is_the_error(tmp_path, backend):
    store = store_of(tmp_path / "custom", 30, flat)
    for row in range(30):
        damage(store, row)
    with loader(store, backend=backend, on_error="substitute") as clips:
        first = int(clips._planner.step(0, 0).rows[0])
        with pytest.raises(FrameError, match=f"clip {first:06d}_clip_{first} "):
            list(clips.epoch(0))


@BOTH
def test_a_tar_cut_under_a_running_job_is_an_error_and_never_a_signal(tmp_path, backend):
    store = store_of(tmp_path / "custom", 30, texture)
    with loader(store, batch=2, backend=backend) as clips:
        epoch = clips.epoch(0)
        next(epoch)
        for shard in store.info.shards:
            with shard_file(store.folder, shard.name, "tar").open("r+b") as file:
                file.truncate(512)
        with pytest.raises(
            FrameError, match=r"the tar ends too early; run `prep verify .*--repair"
        ):
            list(epoch)


@BOTH
def test_what_is_no_fault_of_the_clip_is_never_replaced(flat_store, backend, monkeypatch):
    def refuse(span):
        raise UserError("the network is down")

    with loader(flat_store, backend=backend, on_error="substitute") as clips:
        monkeypatch.setattr(flat_store.tars, "read", refuse)
        with pytest.raises(OutOfReachError, match=r"frame \d+ of clip .* the network is down"):
            list(clips.epoch(0))


def test_another_word_is_refused(flat_store):
    with pytest.raises(UserError, match="on_error 'skip': one of raise, substitute"):
        loader(flat_store, on_error="skip")

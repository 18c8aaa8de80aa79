"""The same bits for any number of threads and processes, after any interruption."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from loaders import Batch, TrainViews
from shards.store import ShardStore
from tests.loaders.opening import BOTH, KINDS, loader

ROOT = Path(__file__).parents[2]
LIVELY = TrainViews(size=32)
EVERYTHING = TrainViews(size=32, crop="multi-scale", per_frame=True, flip_labels="swap")


def same(one: Batch, other: Batch) -> bool:
    """Equal to the last bit."""
    return bool(
        torch.equal(one.clips, other.clips)
        and torch.equal(one.rows, other.rows)
        and torch.equal(one.labels, other.labels)
    )


@BOTH
def test_threads_and_restarts_change_no_bit(texture_store, backend):
    with loader(texture_store, LIVELY, 2, threads=1, backend=backend) as clips:
        whole = list(clips.epoch(3))
    assert len(whole) == 4
    with loader(texture_store, LIVELY, 2, threads=3, backend=backend) as clips:
        for start in (3, 0, 2, 4, 1):
            rest = list(clips.epoch(3, start))
            assert len(rest) == 4 - start
            assert all(same(a, b) for a, b in zip(rest, whole[start:], strict=True))


@pytest.mark.gpu
def test_restarts_on_a_gpu_change_no_bit(texture_store):
    """One JPEG decoder, so the pixels of a picture do not depend on what else is decoded."""
    options = {"backend": "dali", "device": "cuda"}
    with loader(texture_store, LIVELY, 2, threads=1, **options) as clips:
        whole = list(clips.epoch(3))
    with loader(texture_store, LIVELY, 2, threads=3, **options) as clips:
        for start in (3, 0, 2):
            rest = list(clips.epoch(3, start))
            assert all(same(a, b) for a, b in zip(rest, whole[start:], strict=True))


@BOTH
def test_ranks_make_the_batch_of_one(texture_store, backend):
    with loader(texture_store, LIVELY, 4, backend=backend) as clips:
        whole = list(clips.epoch(1))
    parts = []
    for rank in range(2):
        options = {"rank": rank, "world": 2, "backend": backend}
        with loader(texture_store, LIVELY, 4, **options) as clips:
            parts.append(list(clips.epoch(1)))
    for one, *halves in zip(whole, *parts, strict=True):
        assert torch.equal(one.clips, torch.cat([half.clips for half in halves]))
        assert torch.equal(one.rows, torch.cat([half.rows for half in halves]))


@BOTH
@settings(max_examples=8)
@given(data=st.data())
def test_interruption_at_any_step_changes_no_bit(texture_store, backend, data):
    """A run that is stopped and goes on, over and over, sees what one never stopped sees."""
    threads = data.draw(st.integers(1, 3))
    with loader(texture_store, EVERYTHING, 1, threads=2, backend=backend) as clips:
        whole = list(clips.epoch(2))
    step, seen = 0, []
    while step < len(whole):
        taken = data.draw(st.integers(1, len(whole) - step))
        with loader(texture_store, EVERYTHING, 1, threads=threads, backend=backend) as clips:
            seen += list(itertools.islice(clips.epoch(2, step), taken))
        step += taken
    assert all(same(a, b) for a, b in zip(seen, whole, strict=True))


OTHER_PROCESS = textwrap.dedent("""
    import hashlib, sys
    from pathlib import Path
    from loaders import ClipLoader, TrainViews
    from shards.store import ShardStore
    from shards.subsets import split_subset

    store, rank = ShardStore.open(Path(sys.argv[1])), int(sys.argv[2])
    subset, views = split_subset(store, "train1"), TrainViews(size=32)
    for kind in sys.argv[3:]:
        options = {"rank": rank, "world": 2, "backend": kind, "threads": 1 + 2 * rank}
        with ClipLoader(store, subset, views, 4, **options) as clips:
            for batch in clips.epoch(1):
                print(hashlib.sha256(batch.clips.numpy().tobytes()).hexdigest())
""")


def test_other_processes_make_the_same_bits(texture_store):
    """Each rank in a process of its own, one with one thread and one with three."""
    place = str(texture_store.folder)
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS, place, str(rank), *KINDS],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    expected: list[list[str]] = [[], []]
    for kind in KINDS:
        with loader(texture_store, LIVELY, 4, backend=kind) as clips:
            for batch in clips.epoch(1):
                for rank, half in enumerate(batch.clips.numpy().reshape(2, -1)):
                    expected[rank].append(hashlib.sha256(half.tobytes()).hexdigest())
    assert [process.communicate(timeout=120)[0].split() for process in ranks] == expected


def test_a_start_at_any_step_reads_nothing_before_it(flat_store, monkeypatch):
    """Its first batch costs what that of step 0 does: its own clips and those read ahead."""
    read: list[int] = []
    frames = ShardStore.read_frames
    monkeypatch.setattr(
        ShardStore, "read_frames", lambda s, i, p: read.append(int(s.rows[i])) or frames(s, i, p)
    )
    with loader(flat_store, batch=2) as clips:
        rows = [batch.rows.tolist() for epoch in (0, 1) for batch in clips.epoch(epoch)]
    for step in range(clips.steps_per_epoch):
        read.clear()
        with loader(flat_store, batch=2) as clips:
            next(clips.epoch(0, step))
        ahead = list(itertools.chain(*rows[step : step + 3]))
        assert set(rows[step]) <= set(read) <= set(ahead)

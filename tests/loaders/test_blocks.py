"""Order by windows of tars: a permutation that reads few tars at a time, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders import ClipLoader
from loaders import TestViews as FixedViews
from loaders.blocks import blocked_order, neighbour_distance, same_tar_share
from loaders.order import epoch_order
from loaders.plan import Planner
from manifests.errors import UserError
from shards.subsets import split_subset
from tests.loaders.opening import PLAIN, loader

tars = st.lists(st.integers(0, 12), min_size=1, max_size=200).map(np.array)
seeds = st.integers(0, 2**40)


@given(seeds, st.integers(0, 300), tars, st.integers(1, 15))
def test_a_permutation_that_finishes_a_window_before_the_next(seed, epoch, shards, window):
    order = blocked_order(seed, epoch, shards, window)
    assert sorted(order.tolist()) == list(range(len(shards)))
    seen = shards[order].tolist()
    for number in set(seen):
        first, last = seen.index(number), len(seen) - seen[::-1].index(number)
        assert len(set(seen[first:last])) <= window
    met = list(dict.fromkeys(seen))
    for start in range(0, len(met), window):
        inside = set(met[start : start + window])
        assert not inside & set(met[start + window :])
        count = sum(int((shards == number).sum()) for number in inside)
        begin = seen.index(met[start])
        assert set(seen[begin : begin + count]) == inside


@given(seeds, st.integers(0, 300), tars)
def test_a_window_of_everything_is_the_global_order(seed, epoch, shards):
    order = blocked_order(seed, epoch, shards, 13)
    assert order.tolist() == epoch_order(seed, epoch, len(shards)).tolist()


def test_epochs_and_seeds_differ_and_repeat():
    shards = np.arange(300) % 20
    orders = [blocked_order(s, e, shards, 4).tolist() for s in (1, 2) for e in (0, 1)]
    assert len({tuple(order) for order in orders}) == 4
    assert orders[3] == blocked_order(2, 1, shards, 4).tolist()
    windows = [frozenset(shards[order[:60]].tolist()) for order in orders]
    assert len(set(windows)) == 4, "which tars share a window changes from epoch to epoch"


def test_the_order_never_changes():
    """Written down: another order under the same seed would break every saved run."""
    shards = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    assert blocked_order(1, 0, shards, 2).tolist() == [3, 5, 4, 0, 2, 1, 11, 10, 8, 9, 7, 6]


def test_the_measures_on_orders_that_are_known():
    storage, shards = np.arange(12), np.arange(12) // 4
    assert neighbour_distance(storage, storage) == pytest.approx(1 / 12)
    assert same_tar_share(storage, shards, 4) == 1
    spread = np.array([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11])
    assert same_tar_share(spread, shards, 4) == 0


def measured(clips: int, tars: int, window: int, batch: int) -> tuple[float, float, float]:
    """Neighbour distance, share of pairs of one tar, tars open for a batch; means of 5 epochs."""
    shards = np.sort(np.random.default_rng(0).integers(0, tars, clips))
    found = []
    for epoch in range(5):
        order = blocked_order(1, epoch, shards, window) if window else epoch_order(1, epoch, clips)
        steps = clips // batch
        open_tars = [
            len(set(part.tolist())) for part in shards[order[: steps * batch]].reshape(steps, -1)
        ]
        found.append(
            (
                neighbour_distance(order, np.arange(clips)),
                same_tar_share(order, shards, batch),
                float(np.mean(open_tars)),
            )
        )
    return tuple(np.mean(found, axis=0))


def test_quality_beside_the_global_order():
    """The table of README.md: 240,000 clips in 1,000 tars, batches of 256 (``pytest -s``)."""
    print("\n| order | neighbours apart | pairs of one tar | tars a batch |\n|---|---|---|---|")
    rows = {w: measured(240_000, 1000, w, 256) for w in (0, 64, 16, 4, 1)}
    for window, (apart, same, open_tars) in rows.items():
        name = f"`shuffle_tars={window}`" if window else "global"
        print(f"| {name} | {apart:.4f} | {same:.4f} | {open_tars:.0f} |")
    assert rows[0][0] == pytest.approx(1 / 3, abs=0.01)
    assert rows[0][1] == pytest.approx(1 / 1000, rel=0.2)
    for window in (64, 16, 4, 1):
        # Neighbours share a window, and are a third of it apart; but where a tar ends (1 in 240)
        # a third of the epoch. Of successive clips of a window, one in so many shares a tar.
        expected = window / 1000 / 3 * (239 / 240) + 1 / 3 / 240
        assert rows[window][0] == pytest.approx(expected, rel=0.05)
        assert rows[window][1] == pytest.approx(1 / window, rel=0.1)
        assert rows[window][2] <= 2 * window + 1  # a batch may touch three windows of one


@pytest.mark.parametrize("world", [1, 2, 4])
def test_ranks_share_the_global_batch(flat_store, world):
    whole = [[] for _ in range(4)]
    for rank in range(world):
        with loader(flat_store, shuffle_tars=2, rank=rank, world=world) as clips:
            for step, batch in enumerate(clips.epoch(3)):
                whole[step] += batch.rows.tolist()
    subset = split_subset(flat_store, "train1")
    positions = flat_store.index_of(subset.rows)
    order = blocked_order(1, 3, flat_store.layout.shard_of[positions], 2)
    assert [row for step in whole for row in step] == subset.rows[order[:16]].tolist()


def test_another_order_is_another_identity(flat_store):
    names = set()
    for window in (0, 1, 2):
        with loader(flat_store, shuffle_tars=window) as clips:
            names.add(clips.identity)
    assert len(names) == 3


def test_windows_are_refused_where_they_mean_nothing(flat_store):
    with pytest.raises(UserError, match="order of training"):
        ClipLoader(flat_store, split_subset(flat_store, "test1"), FixedViews(), 4, shuffle_tars=2)
    with pytest.raises(UserError, match="shuffle_tars -1"):
        loader(flat_store, PLAIN, shuffle_tars=-1)


@pytest.mark.parametrize("window", [1, 2, 3])
def test_the_next_window_is_known_before_it_is_read(flat_store, window):
    """Told as soon as a step is planned: all that is read a window later, into the next epoch."""
    subset = split_subset(flat_store, "train1")
    planner = Planner(flat_store, subset, PLAIN, 4, seed=1, rank=0, world=1, shuffle_tars=window)
    tars = len(set(flat_store.layout.shard_of[planner.wanted].tolist()))
    ahead = -(-len(subset) * window // tars)
    order = [flat_store.index_of(subset.rows)[planner._order(epoch)].tolist() for epoch in range(3)]
    flat = [clip for epoch in order for clip in epoch]
    for step in range(planner.steps):
        start = step * 4 + ahead
        expected = flat[start : start + 4]
        found = planner.upcoming(0, step).tolist()
        assert found == expected[: len(found)] and found
    plain = Planner(flat_store, subset, PLAIN, 4, seed=1, rank=0, world=1)
    assert plain.upcoming(0, 0).tolist() == []

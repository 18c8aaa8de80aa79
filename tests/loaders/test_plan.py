"""Plans: keyed by clip, shared by ranks, cheap, and named by an identity."""

from __future__ import annotations

import copy
import time
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.plan import Planner, StepPlan
from loaders.views import TestViews as FixedViews
from loaders.views import TrainViews
from manifests.classes import class_list
from manifests.errors import UserError
from shards.store import ShardStore
from shards.subsets import Subset, split_subset
from tests.shards.test_store import big_store

TRAIN = TrainViews(size=32)
TEST = FixedViews(size=32, short_side=36, clips=2, crops=3)


def planner(
    store, views=TRAIN, batch=4, *, seed=1, rank=0, world=1, subset=None, published_drop=False
) -> Planner:
    subset = split_subset(store, "train1") if subset is None else subset
    return Planner(
        store,
        subset,
        views,
        batch,
        seed=seed,
        rank=rank,
        world=world,
        published_drop=published_drop,
    )


def by_row(plan: StepPlan) -> dict[int, tuple[object, ...]]:
    """All that a plan says of each of its clips, by row."""
    g, c = plan.geometry, plan.colours
    columns = (plan.clips, plan.labels, plan.frames, g.boxes, g.resized, g.windows, g.flips)
    columns += (c.matrix, c.about_mean, c.cut)
    return {
        int(row): tuple(np.asarray(column[i]).tobytes() for column in columns)
        for i, row in enumerate(plan.rows)
        if row >= 0
    }


@given(st.sampled_from([1, 2, 3, 4, 6]), st.integers(0, 5), st.integers(1, 3))
def test_ranks_share_the_global_batch(flat_store, world, epoch, seed):
    alone = planner(flat_store, batch=12, seed=seed)
    ranks = [planner(flat_store, batch=12, seed=seed, rank=r, world=world) for r in range(world)]
    for step in range(alone.steps):
        parts = [rank.step(epoch, step) for rank in ranks]
        whole = alone.step(epoch, step)
        assert np.concatenate([part.rows for part in parts]).tolist() == whole.rows.tolist()
        union: dict[int, tuple[object, ...]] = {}
        for part in parts:
            union |= by_row(part)
        assert union == by_row(whole)


@given(st.integers(0, 5), st.integers(1, 16), st.integers(1, 16))
def test_a_clip_looks_the_same_in_any_batch_of_its_epoch(flat_store, epoch, one, other):
    looks: list[dict[int, tuple[object, ...]]] = []
    for batch in (one, other):
        plans = planner(flat_store, batch=batch)
        steps = [by_row(plans.step(epoch, step)) for step in range(plans.steps)]
        looks.append({row: look for step in steps for row, look in step.items()})
    for row in looks[0].keys() & looks[1].keys():
        assert looks[0][row] == looks[1][row]


def test_epochs_look_differently(flat_store):
    plans = planner(flat_store, batch=16)
    one, two = by_row(plans.step(0, 0)), by_row(plans.step(1, 0))
    assert one.keys() == two.keys()
    assert not any(one[row] == two[row] for row in one)


@given(st.integers(1, 9), st.integers(1, 5))
def test_test_plans_cover_the_subset_once_and_never_change(flat_store, batch, world):
    seen = []
    for rank in range(world):
        plans = planner(flat_store, TEST, batch, rank=rank, world=world)
        for step in range(plans.steps):
            plan = plans.step(0, step)
            assert plan.real == (plan.rows >= 0).sum() == (plan.clips >= 0).sum()
            assert (plan.rows[plan.real :] == -1).all() and not plan.labels[plan.real :].any()
            assert by_row(plan) == by_row(plans.step(7, step))
            seen += plan.rows[: plan.real].tolist()
    assert sorted(seen) == split_subset(flat_store, "train1").rows.tolist()


def test_frames_are_the_nearest_stored_ones(flat_store):
    plans = planner(flat_store, TEST, 16)
    plan = plans.step(0, 0)
    largest = 0
    for clip, frames in zip(plan.clips.tolist(), plan.frames, strict=True):
        stored = flat_store.source_frames(clip).astype(int)
        n = int(flat_store.source_frame_counts[clip])
        for k in range(2):
            wanted = [int((i + (k + 0.5) / 2) * n / 8) for i in range(8)]
            distance = np.abs(stored[frames[k]] - wanted)
            assert distance.tolist() == [np.abs(stored - w).min() for w in wanted]
            largest = max(largest, distance.max())
    assert plans.displacement() == largest > 0


def test_displacement_is_nothing_where_all_frames_are_stored(flat_store):
    rows = np.array([0, 3, 6, 9])
    subset = split_subset(flat_store, "train1")
    whole = np.isin(subset.rows, rows)
    keys = tuple(key for key, kept in zip(subset.keys, whole, strict=True) if kept)
    part = replace(subset, rows=subset.rows[whole], keys=keys)
    assert len(part) and planner(flat_store, TEST, 2, subset=part).displacement() == 0


def test_identity_names_all_that_decides_the_batches(flat_store):
    def few(n: int) -> Subset:
        subset = split_subset(flat_store, "train1")
        return replace(subset, rows=subset.rows[:n], keys=subset.keys[:n])

    same = planner(flat_store).identity
    assert planner(flat_store, rank=1, world=2).identity == same
    others = [
        planner(flat_store, seed=2),
        planner(flat_store, batch=8),
        planner(flat_store, TEST),
        planner(flat_store, replace(TRAIN, flip=0.4)),
        planner(flat_store, replace(TRAIN, statistics="clip")),
        planner(flat_store, subset=split_subset(flat_store, "test1")),
        planner(flat_store, TEST, subset=few(15)),
        planner(flat_store, TEST, subset=few(15), published_drop=True),
    ]
    assert len({same, *(other.identity for other in others)}) == 9


@given(st.integers(0, 3), st.sampled_from([0.0, 0.5, 1.0]))
def test_flips_swap_labels_of_left_and_right(flat_store, epoch, flip):
    """Same clips, frames and flips under either rule, unless a class may not be flipped."""
    subset = split_subset(flat_store, "train1")
    names = ("pull left", "pull right", "wave", "turn left")
    store = replace_classes(flat_store, (*names, "turn right"))
    subset = replace(subset, classes=names)
    views = replace(TRAIN, flip=flip)
    keeping = planner(store, views, 16, subset=subset)
    swapping = planner(store, replace(views, flip_labels="swap"), 16, subset=subset)
    one, other = keeping.step(epoch, 0), swapping.step(epoch, 0)
    assert (one.rows == other.rows).all() and (one.frames == other.frames).all()
    assert (one.labels == one.rows % 4).all()
    fixed = one.labels == 3  # "turn right" is a class, but none of these
    assert not other.geometry.flips[fixed].any()
    assert (one.geometry.flips == other.geometry.flips)[~fixed].all()
    flipped = other.geometry.flips
    swapped = np.array([1, 0, 2, 3])[one.labels]
    assert (other.labels == np.where(flipped, swapped, one.labels)).all()
    assert flip != 1.0 or ((other.labels == swapped).all() and flipped[~fixed].all())


def replace_classes(store: ShardStore, names: tuple[str, ...]) -> ShardStore:
    """The same set with other class names, more of them than it has clips of."""
    found = copy.copy(store)
    found.classes = class_list("custom", names)
    return found


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 9))
def test_random_test_clips_repeat_under_one_seed(flat_store, clips, batch, seed):
    """The followed code's rule for several clips: as training, the same in every evaluation."""
    views = replace(TEST, clips=clips, random_clips=True)
    plans = planner(flat_store, views, batch, seed=seed)
    for step in range(plans.steps):
        plan = plans.step(0, step)
        assert by_row(plan) == by_row(plans.step(3, step))
        fixed = planner(flat_store, replace(views, random_clips=False), batch).step(0, step)
        assert clips > 1 or by_row(plan) == by_row(fixed)
        for clip, frames in zip(plan.clips[: plan.real].tolist(), plan.frames, strict=False):
            stored = flat_store.source_frames(clip).astype(int)[frames]
            length = int(flat_store.source_frame_counts[clip]) // 8
            if length and clips > 1:  # stored every third frame: one beside its segment at most
                assert (np.abs(stored - (np.arange(8) + 0.5) * length) <= length / 2 + 1).all()
    others = planner(flat_store, views, 16, seed=seed + 1).step(0, 0)
    mine = planner(flat_store, views, 16, seed=seed).step(0, 0)
    assert (clips == 1) == (by_row(others) == by_row(mine))


@given(st.integers(1, 20), st.integers(1, 5))
def test_published_drop_leaves_out_what_they_do(flat_store, batch, world):
    """Whatever this run's own ranks and batches are."""
    subset = split_subset(flat_store, "train1")
    # Fifteen clips: seven of the 8 ranks have two, one has a single one and drops it.
    subset = replace(subset, rows=subset.rows[1:], keys=subset.keys[1:])
    seen = []
    for rank in range(world):
        plans = planner(
            flat_store, TEST, batch, rank=rank, world=world, subset=subset, published_drop=True
        )
        assert plans.shown == 14
        for step in range(plans.steps):
            plan = plans.step(0, step)
            seen += plan.rows[: plan.real].tolist()
    assert sorted(seen) == np.delete(subset.rows, 7).tolist()


def test_published_drop_is_for_evaluation(flat_store):
    with pytest.raises(UserError, match="leave it out in training"):
        planner(flat_store, TRAIN, published_drop=True)
    subset = split_subset(flat_store, "train1")
    few = replace(subset, rows=subset.rows[:8], keys=subset.keys[:8])
    with pytest.raises(UserError, match="evaluate none"):
        planner(flat_store, TEST, subset=few, published_drop=True)


OTHER_VALUES = {
    "frames": 4,
    "size": 24,
    "crop": "multi-scale",
    "crop_area": (0.1, 0.9),
    "crop_aspect": (0.8, 1.1),
    "flip": 0.1,
    "flip_labels": "swap",
    "per_frame": True,
    "random_clips": True,
    "jitter_p": 0.1,
    "jitter": (0.1, 0.1, 0.1, 0.1),
    "grey_p": 0.1,
    "statistics": "clip",
    "clips": 3,
    "crops": 1,
    "short_side": 48,
}


@pytest.mark.parametrize("views", [TRAIN, TEST])
def test_every_field_of_the_views_is_in_the_identity(flat_store, views):
    known = planner(flat_store, views).identity
    for field in fields(views):
        other = replace(views, **{field.name: OTHER_VALUES[field.name]})
        assert planner(flat_store, other).identity != known, field.name


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"batch": 6, "world": 4}, "shared by 4 ranks: use a multiple of 4"),
        ({"batch": 17}, "16 clips, less than one batch of 17"),
        ({"batch": 0}, "at least 1"),
        ({"rank": 2, "world": 2}, "rank 2 is not among 2"),
    ],
)
def test_what_cannot_be_is_refused(flat_store, options, words):
    with pytest.raises(UserError, match=words):
        planner(flat_store, **options)


@pytest.mark.parametrize("views", [TRAIN, TEST])
def test_an_empty_subset_is_refused(flat_store, views):
    empty = replace(split_subset(flat_store, "train1"), rows=np.array([], dtype=np.int64), keys=())
    with pytest.raises(UserError, match="holds no clip"):
        planner(flat_store, views, 1, subset=empty)


@pytest.mark.parametrize(
    "wrong",
    [
        {"frames": 0},
        {"size": 1},
        {"statistics": "film"},
        {"flip": 1.5},
        {"crop_area": (0.5, 0.1)},
        {"crop": "square"},
        {"flip_labels": "mirror"},
    ],
)
def test_views_that_cannot_be_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        TrainViews(**wrong)


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"crops": 2}, {"short_side": 200}])
def test_test_views_that_cannot_be_are_refused(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        FixedViews(**wrong)


def test_a_plan_of_a_large_thinned_set_is_cheap(tmp_path):
    """240,000 clips of 40 stored frames out of 400: a step of 256 clips in about a millisecond."""
    big_store(tmp_path / "custom", clips=240_000, frames=40, shards=1000)
    store = ShardStore.open(tmp_path / "custom")
    keys = tuple(store.keys.to_pylist())
    subset = Subset("all", "custom", "split", None, {}, store.classes.names, store.rows, keys)
    plans = planner(store, TrainViews(), 256, subset=subset)
    plans.step(0, 0)
    times = []
    for step in range(1, 40):
        start = time.perf_counter()
        plans.step(0, step)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.002
    start = time.perf_counter()
    assert plans.displacement() == 5  # 25, 75, ... are wanted, tens are stored
    assert time.perf_counter() - start < 5
    print(f"plan {1000 * np.median(times):.2f} ms")

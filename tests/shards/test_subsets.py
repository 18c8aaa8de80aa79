"""Subsets: drawn, saved, read again, and refused where they do not belong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.classes import ClassList
from manifests.errors import UserError
from shards.draws import raw_draws
from shards.store import ShardStore
from shards.subsets import few_shot, list_subsets, load_subset, read_subset, split_subset
from shards.tables import rebuild_tables
from shards.writer import write_shard
from tests.shards.made import HEADER, encode, made_store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Eighty clips, twenty a class, half of them train1; some missing."""
    return made_store(tmp_path_factory.mktemp("set") / "custom", 80, per_shard=20, absent=[3, 8])


@pytest.fixture
def folder(tmp_path):
    made_store(tmp_path / "custom", 24)
    return tmp_path / "custom"


@given(st.integers(0, 2**40), st.integers(1, 9))
def test_few_shot_has_k_of_each_class_of_the_split(store, seed, shots):
    subset = few_shot(store, shots, "train1", seed)
    positions = store.index_of(subset.rows)
    assert set(Counter(store.labels[positions].tolist()).values()) == {shots}
    assert len(subset) == 4 * shots
    assert store.split("train1")[positions].all()
    assert (np.diff(subset.rows) > 0).all()
    assert subset.labels(store).tolist() == store.labels[positions].tolist()
    assert list(subset.keys) == store.keys.take(positions).to_pylist()
    subset.check(store)


@given(st.integers(0, 99), st.integers(1, 8), st.integers(1, 8))
def test_fewer_shots_lie_in_more(store, seed, a, b):
    few, many = (few_shot(store, k, "train1", seed).rows for k in sorted((a, b)))
    assert set(few.tolist()) <= set(many.tolist())


def test_seeds_draw_different_clips_and_every_clip_is_drawn_by_some(store):
    drawn = [frozenset(few_shot(store, 2, "train1", seed).rows.tolist()) for seed in range(60)]
    assert len(set(drawn)) == 60
    assert set().union(*drawn) == set(store.rows[store.split("train1")].tolist())


def test_the_draw_is_the_lowest_words_of_the_seed(store):
    """By hand: rank the rows of a class by word number `row` of the stream."""
    words = raw_draws(7, "few-shot", 80)
    rows = [r for r in store.rows.tolist() if r // 4 % 2 == 0 and r % 4 == 2]
    expected = sorted(sorted(rows, key=lambda row: words[row])[:3])
    drawn = few_shot(store, 3, "train1", 7)
    assert drawn.rows[drawn.labels(store) == 2].tolist() == expected


def test_too_few_clips_are_refused_unless_allowed(store):
    with pytest.raises(UserError, match=r"4 classes .* fewer than 11 .*'archery'"):
        few_shot(store, 11, "train1", 1)
    fewer = few_shot(store, 11, "train1", 1, allow_fewer=True)
    assert fewer.rows.tolist() == store.rows[store.split("train1")].tolist()
    with pytest.raises(UserError, match="at least 1"):
        few_shot(store, 0, "train1", 1)
    with pytest.raises(UserError, match="no split 'train'"):
        few_shot(store, 1, "train", 1)


def test_some_classes_are_a_subset_with_labels_of_its_own(store):
    half = ClassList("custom", (store.classes.classes[3], store.classes.classes[1]))
    subset = few_shot(store, 2, "train1", 1, classes=half)
    assert subset.classes == ("sword", "Bowling (night)")
    official = store.labels[store.index_of(subset.rows)]
    assert subset.labels(store).tolist() == [{3: 0, 1: 1}[label] for label in official.tolist()]
    whole = few_shot(store, 2, "train1", 1)
    assert set(subset.rows.tolist()) <= set(whole.rows.tolist())


def test_a_split_is_a_subset(store):
    subset = split_subset(store, "test1")
    assert subset.rows.tolist() == store.rows[store.split("test1")].tolist()
    assert subset.classes == HEADER.classes
    assert (subset.name, subset.kind) == ("test1", "split")
    subset.check(store)


def test_a_split_without_labels_is_refused(store, monkeypatch):
    monkeypatch.setattr(store, "labels", np.full(len(store), -1, np.int32))
    with pytest.raises(UserError, match="clips of split test1 of custom have no published label"):
        split_subset(store, "test1")


def test_a_file_comes_back_as_it_went(folder):
    store = ShardStore.open(folder)
    subset = few_shot(store, 2, "train1", 1)
    path = subset.save(folder)
    loaded = load_subset(store, subset.name)
    assert path.name == "few-shot-train1-2-seed1.json"
    assert loaded.hash == subset.hash == json.loads(path.read_bytes())["hash"]
    assert loaded.rows.tolist() == subset.rows.tolist()
    assert vars(loaded).keys() >= {"seed", "parameters"}
    assert loaded.parameters == {"split": "train1", "shots": 2}
    assert list_subsets(folder) == (subset.name,)
    again = few_shot(store, 2, "train1", 1).save(folder)
    assert again.read_bytes() == path.read_bytes()


def test_hashes_tell_all_parameters_apart(store):
    base = few_shot(store, 2, "train1", 1)
    others = [
        few_shot(store, 3, "train1", 1),
        few_shot(store, 2, "train1", 2),
        few_shot(store, 2, "test1", 1),
        replace(base, classes=base.classes[::-1]),
        replace(base, benchmark="toy"),
        replace(base, keys=base.keys[::-1]),
        replace(base, kind="imported"),
    ]
    assert len({base.hash, *(other.hash for other in others)}) == 8
    assert replace(base, name="mine").hash == base.hash


def test_a_hand_edited_or_damaged_file_is_refused(folder):
    store = ShardStore.open(folder)
    path = few_shot(store, 2, "train1", 1).save(folder)
    good = path.read_text()
    for bad, message in (
        (good.replace('"seed":1', '"seed":2'), "changed by hand"),
        (good[:-20], "damaged"),
        ("[]", "damaged"),
        (good.replace('"rows"', '"lines"'), "damaged"),
        (good.replace('"format":1', '"format":9'), "format version 9"),
    ):
        path.write_text(bad)
        with pytest.raises(UserError, match=message):
            read_subset(folder, path.stem)


def test_a_subset_of_another_dataset_is_refused(folder):
    store = ShardStore.open(folder)
    replace(few_shot(store, 2, "train1", 1), benchmark="ucf101", name="x").save(folder)
    with pytest.raises(UserError, match="subset x is of ucf101, the shards are of custom"):
        load_subset(store, "x")


def test_clips_that_are_gone_or_renumbered_are_noticed(tmp_path):
    whole = made_store(tmp_path / "whole" / "custom", 24)
    subset = few_shot(whole, 2, "train1", 1)
    gone = int(subset.rows[3])
    part = made_store(tmp_path / "part" / "custom", 24, absent=[gone])
    with pytest.raises(UserError, match=rf"first: row {gone}\)"):
        subset.check(part)
    keys = ("000000_other", *subset.keys[1:])
    with pytest.raises(UserError, match=r"calls row 0 000000_other, the shards call it"):
        replace(subset, keys=keys, rows=np.array([0, *subset.rows[1:]])).check(whole)
    with pytest.raises(UserError, match="classes that it does not name"):
        replace(subset, classes=subset.classes[:2]).check(whole)


def test_unknown_names_are_one_line(folder):
    store = ShardStore.open(folder)
    few_shot(store, 2, "train1", 1).save(folder)
    with pytest.raises(UserError, match=r"no subset 'mine' .* there: few-shot-train1-2-seed1"):
        load_subset(store, "mine")
    with pytest.raises(UserError, match="is no name for a subset"):
        load_subset(store, "../dataset")


def test_new_clips_do_not_change_what_is_saved(tmp_path):
    """A later download adds rows; the file of an earlier draw still fits."""
    from shards.plan import plan_shards
    from tests.shards.made import FINGERPRINT, made_clips, made_sizes

    folder = tmp_path / "custom"
    store = made_store(folder, 24, absent=[0])
    subset = few_shot(store, 2, "train1", 1)
    subset.save(folder)
    clips = made_clips(24)
    plan = plan_shards(clips, 7, HEADER)
    holder = next(shard.name for shard in plan.shards if 0 in shard.positions)
    task = plan.task(holder, made_sizes(clips))
    write_shard(folder, task, HEADER, FINGERPRINT, map(encode, task.clips))
    rebuild_tables(folder)
    assert load_subset(ShardStore.open(folder), subset.name).hash == subset.hash

"""Which clips are trained on and tested on, and among which classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.classes import BENCHMARKS, load_classes
from manifests.errors import UserError
from manifests.protocols import zero_shot_classes
from prep import subsets as prep_subsets
from prep.commands.subset import FewShot as PrepFewShot
from shards.store import ShardStore
from shards.subsets import few_shot, list_subsets, split_subset
from tests.train.named_set import named_shards
from tests.train.toy_recipes import recipe, store_of
from train import data as choosing
from train.data import read_data, restricted, train_split, training_subset
from train.recipes import records
from train.recipes.published import RECIPES, Choice
from train.recipes.records import ZeroShot

TOY = load_classes("toy")


def rows_of(store: ShardStore, split: str, names: tuple[str, ...] = TOY.names) -> set[int]:
    """Official rows of a split's clips of some classes, one by one."""
    member = store.split(split)
    wanted = {TOY.id_of(name) for name in names}
    both = zip(store.rows.tolist(), store.labels.tolist(), member.tolist(), strict=True)
    return {row for row, label, there in both if there and label in wanted}


# splits


def test_every_benchmark_has_a_split_to_train_and_one_to_test_on():
    found = {
        name: (train_split(name), choosing.test_split(name)) for name in (*BENCHMARKS, "custom")
    }
    first, plain = ("train1", "test1"), ("train", "val")
    assert found == {
        "ucf101": first,
        "hmdb51": first,
        "kinetics400": plain,
        "kinetics600": plain,
        "ssv2": plain,
        "activitynet": plain,
        "toy": ("train", "test"),
        "custom": ("train", "test"),
    }


def test_prep_draws_from_the_split_that_is_trained_on():
    for name in (*BENCHMARKS, "custom"):
        assert prep_subsets.train_split(name) == train_split(name)


# few-shot


@pytest.mark.parametrize("seed", [1, 2])
def test_a_drawn_subset_is_the_one_prep_draws(toy, seed):
    drawn = training_subset(recipe("few-shot", seed=seed), store_of(toy), save=False)
    assert list_subsets(toy / "toy") == ()
    PrepFewShot("toy", (2,), seed=seed, shards=toy).run()
    assert list_subsets(toy / "toy") == (drawn.name,)
    stored = training_subset(recipe("few-shot", seed=seed), store_of(toy), save=False)
    assert stored.hash == drawn.hash


def test_a_drawn_subset_is_saved_when_asked(toy):
    data = read_data(recipe("few-shot"), toy, save=True)
    assert list_subsets(toy / "toy") == ("few-shot-train-2-seed1",)
    report = PrepFewShot("toy", (2,), shards=toy).run()
    assert [(item.new, item.subset.hash) for item in report.kept] == [(False, data.train.hash)]


def test_k_clips_of_every_class_nested_and_by_seed(toy):
    store = store_of(toy)
    drawn = {
        (shots, seed): training_subset(recipe("few-shot", shots=shots, seed=seed), store, save=True)
        for shots in (1, 2, 3)
        for seed in (1, 2)
    }
    for (shots, _), subset in drawn.items():
        labels = subset.labels(store)
        assert np.bincount(labels, minlength=24).tolist() == [shots] * 24
        assert set(subset.rows.tolist()) <= rows_of(store, "train")
        assert subset.classes == TOY.names
    assert set(drawn[1, 1].rows) < set(drawn[2, 1].rows) < set(drawn[3, 1].rows)
    assert set(drawn[2, 1].rows) != set(drawn[2, 2].rows)


def test_a_stored_subset_is_used_rather_than_drawn(toy):
    store = store_of(toy)
    other = replace(few_shot(store, 2, "train", 99), name="few-shot-train-2-seed1")
    other.save(store.folder)
    assert training_subset(recipe("few-shot"), store, save=True).hash == other.hash


def test_the_whole_test_split_is_the_test(toy):
    data = read_data(recipe("few-shot"), toy, save=False)
    (target,) = data.targets
    assert target.name == "test"
    assert set(target.subset.rows.tolist()) == rows_of(data.store, "test")
    assert target.subset.classes == data.train.classes == TOY.names


# base and novel


def test_base_is_trained_on_and_each_half_is_tested_among_its_own(toy):
    data = read_data(recipe("base-novel"), toy, save=True)
    base, novel = TOY.half("base").names, TOY.half("novel").names
    assert data.train.classes == base
    assert set(data.train.rows.tolist()) <= rows_of(data.store, "train", base)
    assert list_subsets(toy / "toy") == ("base-few-shot-train-2-seed1",)
    assert [target.name for target in data.targets] == ["base", "novel"]
    for target, names in zip(data.targets, (base, novel), strict=True):
        subset = target.subset
        assert subset.classes == names
        assert set(subset.rows.tolist()) == rows_of(data.store, "test", names)
        official = data.store.labels[data.store.index_of(subset.rows)]
        told = [names[label] for label in subset.labels(data.store)]
        assert told == [TOY.names[label] for label in official]
    halves = [set(target.subset.rows.tolist()) for target in data.targets]
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == rows_of(data.store, "test")


def test_the_base_draw_is_that_of_all_classes_less_the_novel_ones(toy):
    store = store_of(toy)
    base = training_subset(recipe("base-novel"), store, save=False)
    whole = training_subset(recipe("few-shot"), store, save=False)
    names = TOY.half("base").names
    assert set(base.rows.tolist()) == set(whole.rows.tolist()) & rows_of(store, "train", names)


@pytest.mark.parametrize("classes", [None, TOY.half("base")])
def test_an_imported_subset_is_cut_to_the_base_half(toy, classes):
    store = store_of(toy)
    kept = replace(few_shot(store, 1, "train", 7, classes=classes), name="mine")
    kept.save(store.folder)
    made = recipe("base-novel")
    named = replace(made, protocol=replace(made.protocol, subset="mine"))
    found = training_subset(named, store, save=False)
    assert found.classes == TOY.half("base").names
    assert set(found.rows.tolist()) == set(kept.rows.tolist()) & rows_of(
        store, "train", found.classes
    )
    found.check(store)


def test_an_imported_subset_without_base_classes_is_refused(toy):
    store = store_of(toy)
    kept = few_shot(store, 1, "train", 7, classes=TOY.half("novel"))
    replace(kept, name="mine").save(store.folder)
    made = recipe("base-novel")
    named = replace(made, protocol=replace(made.protocol, subset="mine"))
    with pytest.raises(UserError, match="is of the 12 base classes"):
        training_subset(named, store, save=False)


@given(names=st.sets(st.sampled_from(TOY.names), min_size=1).map(tuple), split=st.just("test"))
def test_restricted_clips_are_those_of_the_classes_with_local_labels(world, names, split):
    store = store_of(world.shards)
    whole = split_subset(store, split)
    part = restricted(whole, store, names, "some")
    assert set(part.rows.tolist()) == rows_of(store, split, names)
    assert part.rows.tolist() == sorted(part.rows.tolist())
    labels = part.labels(store)
    official = store.labels[store.index_of(part.rows)]
    assert [part.classes[i] for i in labels] == [TOY.names[i] for i in official]
    assert part.hash != whole.hash
    part.check(store)


# validation


@pytest.mark.parametrize("task", ["few-shot", "base-novel"])
@pytest.mark.parametrize(("shots", "held", "found"), [(1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 9, 1)])
def test_validation_clips_are_no_training_and_no_test_clips(toy, task, shots, held, found):
    data = read_data(recipe(task, shots=shots, validation=held), toy, save=False)
    subset = data.targets[-1].subset
    assert data.targets[-1].name == "validation" and data.targets[0].name != "validation"
    assert subset.classes == data.train.classes
    rows = set(subset.rows.tolist())
    assert rows <= rows_of(data.store, "train", subset.classes)
    assert not rows & set(data.train.rows.tolist())
    assert not any(rows & set(target.subset.rows.tolist()) for target in data.targets[:-1])
    counts = np.bincount(subset.labels(data.store), minlength=len(subset.classes))
    assert counts.tolist() == [found] * len(subset.classes)


@pytest.mark.parametrize("seed", [1, 5])
def test_validation_clips_are_the_next_ones_of_the_draw(toy, seed):
    data = read_data(recipe("few-shot", shots=1, seed=seed, validation=1), toy, save=False)
    larger = few_shot(data.store, 2, "train", seed)
    both = {*data.train.rows.tolist(), *data.targets[-1].subset.rows.tolist()}
    assert both == set(larger.rows.tolist())


def test_validation_without_a_clip_left_is_refused(toy):
    with pytest.raises(UserError, match="lower --shots"):
        read_data(recipe("few-shot", shots=3, validation=1), toy, save=False)


def test_validation_is_refused_where_everything_is_trained_on(toy):
    made = replace(RECIPES["full-supervised"](Choice("toy")), testing=records.Testing(validation=1))
    with pytest.raises(UserError, match="leave out --validation"):
        read_data(made, toy, save=False)


# whole splits


def test_full_supervised_is_the_whole_of_both_splits(toy):
    data = read_data(RECIPES["full-supervised"](Choice("toy")), toy, save=True)
    assert set(data.train.rows.tolist()) == rows_of(data.store, "train")
    assert [set(t.subset.rows.tolist()) for t in data.targets] == [rows_of(data.store, "test")]
    assert list_subsets(toy / "toy") == ()


def test_pre_training_is_on_captions_and_has_no_test(world):
    data = read_data(RECIPES["pretrain"](Choice("custom")), world.captions, save=True)
    assert (len(data.train), data.targets) == (96, ())


def test_a_benchmark_that_is_its_own_zero_shot_test_keeps_its_novel_half_unseen(toy):
    data = read_data(RECIPES["zero-shot"](Choice("toy")), toy, save=False)
    base, novel = TOY.half("base").names, TOY.half("novel").names
    assert data.train.classes == base
    assert set(data.train.rows.tolist()) == rows_of(data.store, "train", base)
    (target,) = data.targets
    assert (target.name, target.subset.classes) == ("novel", novel)
    assert set(target.subset.rows.tolist()) == rows_of(data.store, "test", novel)


@pytest.fixture(scope="module")
def benchmarks(tmp_path_factory) -> Path:
    """Small sets under the real names: Kinetics, HMDB-51 and UCF-101."""
    shards = tmp_path_factory.mktemp("benchmarks")
    named_shards(shards, "kinetics400", ("train", "val"), [["train"], ["val"]])
    three = ("train1", "test1", "train2", "test2", "train3", "test3")
    members = [("train1", "train2", "test3"), ("train1", "test2", "train3"), ("test1", "train2")]
    for name in ("ucf101", "hmdb51"):
        named_shards(shards, name, three, members)
    named_shards(shards, "kinetics600", ("train", "val", "test"), [["train"], ["val"], ["test"]])
    return shards


def test_zero_shot_is_tested_on_three_splits_of_each_benchmark(benchmarks):
    data = read_data(RECIPES["zero-shot"](Choice("kinetics400")), benchmarks, save=False)
    assert len(data.train) == 400 and len(data.train.classes) == 400
    wanted = [
        f"{name} split {i}" for name in ("hmdb51", "ucf101", "kinetics600") for i in (1, 2, 3)
    ]
    assert [target.name for target in data.targets] == wanted
    for target in data.targets:
        benchmark, _, number = target.name.partition(" split ")
        subset, store = target.subset, target.store
        assert store.info.benchmark == benchmark
        assert subset.classes == zero_shot_classes(benchmark, int(number))
        split = "test" if benchmark == "kinetics600" else f"test{number}"
        member = store.rows[store.split(split)]
        assert set(subset.rows.tolist()) <= set(member.tolist())
        assert len(subset) == len(subset.classes)
        official = [store.classes.names[i] for i in store.labels[store.index_of(subset.rows)]]
        assert [subset.classes[i] for i in subset.labels(store)] == official


def test_kinetics_600_is_tested_on_160_classes_of_each_split(benchmarks):
    made = RECIPES["zero-shot"](Choice("kinetics400"))
    data = read_data(replace(made, protocol=ZeroShot(("k600",))), benchmarks, save=False)
    sets = [set(target.subset.classes) for target in data.targets]
    assert [len(names) for names in sets] == [160, 160, 160]
    assert sets[0] != sets[1] != sets[2] != sets[0]


@pytest.mark.parametrize("name", ["kinetics400", "k400", "K400"])
def test_an_alias_of_the_training_benchmark_is_still_itself(benchmarks, name):
    made = RECIPES["zero-shot"](Choice("kinetics400"))
    data = read_data(replace(made, protocol=ZeroShot((name, "hmdb51"))), benchmarks, save=False)
    novel = data.targets[0]
    assert (novel.name, len(novel.subset.classes)) == ("novel", 200)
    assert len(data.train.classes) == 200
    assert not set(data.train.classes) & set(novel.subset.classes)


# refusals


def test_absent_shards_are_told_with_the_command_that_makes_them(toy):
    with pytest.raises(UserError, match="prep shard --dataset ucf101"):
        read_data(RECIPES["few-shot"](Choice("ucf101")), toy, save=False)


def test_more_shots_than_clips_are_told(toy):
    with pytest.raises(UserError, match="fewer than 4 clips in train"):
        read_data(recipe("few-shot", shots=4), toy, save=True)
    assert list_subsets(toy / "toy") == ()


@pytest.mark.parametrize("task", ["few-shot", "base-novel"])
def test_a_subset_of_another_dataset_is_refused(toy, benchmarks, task):
    other = few_shot(ShardStore.open(benchmarks / "hmdb51"), 1, "train1", 1)
    replace(other, name="mine").save(toy / "toy")
    made = recipe(task)
    named = replace(made, protocol=replace(made.protocol, subset="mine"))
    with pytest.raises(UserError, match="mine is of hmdb51, the shards are of toy") as told:
        read_data(named, toy, save=False)
    assert "\n" not in str(told.value)


def test_an_absent_subset_is_told_with_those_there_are(toy):
    training_subset(recipe("few-shot"), store_of(toy), save=True)
    made = recipe("few-shot")
    named = replace(made, protocol=replace(made.protocol, subset="mine"))
    with pytest.raises(UserError, match=r"prep subset.*few-shot-train-2"):
        read_data(named, toy, save=False)


def test_a_split_that_was_not_sharded_is_told(benchmarks, tmp_path):
    named_shards(tmp_path, "ssv2", ("train",), [["train"]])
    made = RECIPES["few-shot"](Choice("ssv2"))
    with pytest.raises(UserError, match="no split 'val'"):
        read_data(replace(made, protocol=replace(made.protocol, shots=1)), tmp_path, save=False)


def test_halves_that_nobody_published_are_told(world):
    made = replace(RECIPES["base-novel"](Choice("custom")))
    with pytest.raises(UserError, match="no list of halves is published"):
        read_data(made, world.captions, save=False)

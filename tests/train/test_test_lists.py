"""Tests on lists of one's own, and never on clips that are trained on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from manifests.errors import UserError
from shards.store import ShardStore
from shards.subsets import split_subset
from tests.train.toy_recipes import AnyRecipe, recipe, store_of
from train import data as choosing
from train.data import read_data
from train.recipes.published import RECIPES, Choice


def with_lists(made: AnyRecipe, *names: str) -> AnyRecipe:
    return replace(made, testing=replace(made.testing, test_lists=names))


def keep(store: ShardStore, subset: Any, name: str) -> Any:
    kept = replace(subset, name=name)
    kept.save(store.folder)
    return kept


def test_a_stored_list_is_tested_on_instead_of_the_split(toy):
    store = store_of(toy)
    half = choosing.half_of(split_subset(store, "test"), store, "novel")
    keep(store, half, "published")
    for word in ("published", "toy/published"):
        data = read_data(with_lists(recipe("few-shot"), word), toy, save=False)
        (target,) = data.targets
        assert (target.name, target.subset.hash) == ("published", half.hash)


def test_lists_of_halves_are_known_by_their_classes(toy):
    store = store_of(toy)
    whole = split_subset(store, "test")
    for half in ("base", "novel"):
        keep(store, choosing.half_of(whole, store, half), f"my-{half}")
    keep(store, whole, "whole")
    made = recipe("base-novel")
    data = read_data(with_lists(made, "my-novel", "my-base"), toy, save=False)
    assert [target.name for target in data.targets] == ["novel", "base"]
    with pytest.raises(UserError, match="neither the base nor the novel"):
        read_data(with_lists(made, "whole"), toy, save=False)


def test_lists_of_other_shards_are_zero_shot_targets(toy):
    store = store_of(toy)
    keep(store, split_subset(store, "test"), "one")
    made = replace(RECIPES["zero-shot"](Choice("toy")), seed=1)
    data = read_data(with_lists(made, "toy/one"), toy, save=False)
    assert [target.name for target in data.targets] == ["toy one"]
    with pytest.raises(UserError, match="no subset 'two'"):
        read_data(with_lists(made, "two"), toy, save=False)


def test_clips_that_are_trained_on_are_not_tested_on(toy):
    store = store_of(toy)
    keep(store, split_subset(store, "train"), "leak")
    with pytest.raises(UserError, match=r"48 clips of leak are in few-shot-train-2-seed1"):
        read_data(with_lists(recipe("few-shot"), "leak"), toy, save=False)
    keep(store, split_subset(store, "test"), "wrong")
    made = recipe("few-shot")
    made = replace(made, protocol=replace(made.protocol, subset="wrong"))
    with pytest.raises(UserError, match="clips of test are in wrong, which is trained on"):
        read_data(made, toy, save=False)

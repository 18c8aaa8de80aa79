"""Which clips a recipe trains and tests on, and among which classes.

========================  ==============================  =====================================
task                      trained on                      tested on
========================  ==============================  =====================================
few-shot                  K per class of train1 / train   test1 / val / test, all classes
base-novel                K per base class                base and novel halves of that split
zero-shot                 the whole training split        other benchmarks, three splits each
full-supervised           the whole training split        the validation split
pretrain                  the whole training split        nothing: see the zero-shot test of a run
========================  ==============================  =====================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manifests.classes import canonical
from manifests.errors import UserError
from manifests.protocols import test_split, train_split
from shards.fetched import CacheSettings, open_shards
from shards.protocols import (
    Half,
    base_novel_tests,
    drawn,
    drawn_name,
    half_classes,
    half_of,
    restricted,
    rows_of,
    zero_shot_tests,
)
from shards.store import ShardStore
from shards.subsets import Subset, list_subsets, load_subset, split_subset
from train.recipes.records import BaseNovel, FewShot, Pretrain, Recipe, ZeroShot
from train.recipes.words import Where

__all__ = ["Data", "Target", "read_data", "restricted", "test_split", "train_split"]


@dataclass(frozen=True)
class Target:
    """One test: its name in results, the shards it lies in and its clips."""

    name: str
    store: ShardStore
    subset: Subset


@dataclass(frozen=True)
class Data:
    """Everything a run reads. `targets[0]` is what best-on-test selection looks at."""

    store: ShardStore
    train: Subset
    targets: tuple[Target, ...]


def read_data(
    recipe: Recipe[Any, Any], shards: str | Path, cache: CacheSettings | None = None, *, save: bool
) -> Data:
    """Open what a recipe trains and tests on; a subset drawn anew is saved if `save`.

    Raises UserError when shards, splits or clips are absent.
    """

    def opened(benchmark: str) -> ShardStore:
        return open_shards(shards, canonical(benchmark), cache)

    store = opened(recipe.dataset)
    train = training_subset(recipe, store, save=save)
    targets = test_targets(recipe, store, opened)
    if recipe.testing.validation:
        targets = (*targets, validation_target(recipe, store, train))
    for target in targets:
        _check_apart(train, target, store)
    return Data(store, train, targets)


def cache_of(where: Where) -> CacheSettings:
    """The cache that the words ask for; UserError when it could hold nothing."""
    if where.cache_gb <= 0:
        raise UserError(f"--cache-gb {where.cache_gb:g}: more than 0")
    return CacheSettings(where.cache, int(where.cache_gb * 1e9))


def training_subset(recipe: Recipe[Any, Any], store: ShardStore, *, save: bool) -> Subset:
    """The clips a recipe trains on.

    A few-shot subset is taken from beside the shards, or drawn, and then saved there if `save`:
    every rank draws the same, one of them saves.
    """
    split, protocol = train_split(store.info.benchmark), recipe.protocol
    if isinstance(protocol, FewShot | BaseNovel):
        half = _half(protocol)
        if protocol.subset:
            return _only_half(load_subset(store, protocol.subset), store, half)
        return _drawn(store, protocol.shots, recipe.seed, half, save)
    if isinstance(protocol, ZeroShot) and store.info.benchmark in map(canonical, protocol.targets):
        return half_of(split_subset(store, split), store, "base")
    return split_subset(store, split)


def test_targets(
    recipe: Recipe[Any, Any], store: ShardStore, opened: Callable[[str], ShardStore]
) -> tuple[Target, ...]:
    """What a recipe is tested on, first the one that weights may be selected by.

    opened: the store of another benchmark.
    """
    protocol = recipe.protocol
    if recipe.testing.test_lists:
        return tuple(_listed(recipe, word, store, opened) for word in recipe.testing.test_lists)
    if isinstance(protocol, ZeroShot):
        found = [_zero_shot_targets(name, store, opened) for name in protocol.targets]
        return tuple(target for targets in found for target in targets)
    if isinstance(protocol, Pretrain):
        return ()
    if isinstance(protocol, BaseNovel):
        base, novel = base_novel_tests(store)
        return Target("base", store, base), Target("novel", store, novel)
    return (Target("test", store, split_subset(store, test_split(store.info.benchmark))),)


def _listed(
    recipe: Recipe[Any, Any], word: str, trained: ShardStore, opened: Callable[[str], ShardStore]
) -> Target:
    """The test on a stored subset, under the name that the protocol's summary looks for."""
    benchmark, _, name = word.rpartition("/")
    elsewhere = bool(benchmark) and canonical(benchmark) != trained.info.benchmark
    store = opened(benchmark) if elsewhere else trained
    subset = load_subset(store, name)
    if isinstance(recipe.protocol, ZeroShot):
        return Target(f"{store.info.benchmark} {name}", store, subset)
    if not isinstance(recipe.protocol, BaseNovel):
        return Target(name, store, subset)
    halves: tuple[Half, ...] = ("base", "novel")
    for half in halves:
        if set(subset.classes) == set(half_classes(store, half).names):
            return Target(half, store, subset)
    raise UserError(
        f"test list {word} has neither the base nor the novel classes of {store.info.benchmark}: "
        "import one that has (`prep subset list` shows their classes), or leave out --test-lists"
    )


def _check_apart(trained: Subset, target: Target, store: ShardStore) -> None:
    """Refuse a test on clips that are trained on."""
    if target.store is not store:
        return
    both = np.intersect1d(trained.rows, target.subset.rows)
    if len(both):
        raise UserError(
            f"{len(both)} clips of {target.subset.name} are in {trained.name}, which is trained on "
            f"(first: row {both[0]}): choose another --subset or another test list"
        )


def validation_target(recipe: Recipe[Any, Any], store: ShardStore, trained: Subset) -> Target:
    """Clips per class that the few-shot draw would have taken next: same seed, none trained on.

    Drawn subsets of one seed are nested, so they are the larger set less the trained one.
    """
    protocol = recipe.protocol
    if not isinstance(protocol, FewShot | BaseNovel):
        raise UserError(f"{recipe.task} trains on its whole split: leave out --validation")
    shots = protocol.shots + recipe.testing.validation
    larger = drawn(store, shots, recipe.seed, _half(protocol), allow_fewer=True)
    rest = np.setdiff1d(larger.rows, trained.rows)
    if not len(rest):
        raise UserError("no clip of the training split is left for --validation: lower --shots")
    return Target("validation", store, rows_of(larger, rest, "validation"))


def _drawn(store: ShardStore, shots: int, seed: int, half: Half, save: bool) -> Subset:
    name = drawn_name(store, shots, seed, half)
    if name in list_subsets(store.folder):
        return load_subset(store, name)
    subset = drawn(store, shots, seed, half)
    if save:
        subset.save(store.folder)
    return subset


def _half(protocol: FewShot | BaseNovel) -> Half:
    return "base" if isinstance(protocol, BaseNovel) else ""


def _only_half(subset: Subset, store: ShardStore, half: Half) -> Subset:
    if not half or set(subset.classes) == set(half_classes(store, half).names):
        return subset
    return half_of(subset, store, half)


def _zero_shot_targets(
    name: str, trained: ShardStore, opened: Callable[[str], ShardStore]
) -> list[Target]:
    benchmark = canonical(name)
    if benchmark == trained.info.benchmark:
        whole = split_subset(trained, test_split(benchmark))
        return [Target("novel", trained, half_of(whole, trained, "novel"))]
    store = opened(benchmark)
    return [
        Target(f"{benchmark} split {number}", store, subset)
        for number, subset in zero_shot_tests(store).items()
    ]

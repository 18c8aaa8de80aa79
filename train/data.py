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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from manifests.classes import canonical
from manifests.errors import UserError
from manifests.protocols import ZERO_SHOT_SPLITS, zero_shot_classes
from shards.store import ShardStore
from shards.subsets import (
    Subset,
    few_shot,
    few_shot_name,
    list_subsets,
    load_subset,
    split_subset,
)
from train.recipes.records import BaseNovel, FewShot, Pretrain, Recipe, ZeroShot

TRAIN_SPLITS = {"ucf101": "train1", "hmdb51": "train1"}
TEST_SPLITS = {"ucf101": "test1", "hmdb51": "test1", "toy": "test", "custom": "test"}


def train_split(benchmark: str) -> str:
    """Official split that a benchmark is trained on."""
    return TRAIN_SPLITS.get(benchmark, "train")


def test_split(benchmark: str) -> str:
    """Official split that a benchmark is tested on."""
    return TEST_SPLITS.get(benchmark, "val")


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


def read_data(recipe: Recipe[Any, Any], shards: Path, *, save: bool) -> Data:
    """Open what a recipe trains and tests on; a subset drawn anew is saved if `save`.

    Raises UserError when shards, splits or clips are absent.
    """
    store = open_store(shards, recipe.dataset)
    train = training_subset(recipe, store, save=save)
    targets = test_targets(recipe, store, shards)
    if recipe.testing.validation:
        targets = (*targets, validation_target(recipe, store, train))
    return Data(store, train, targets)


def open_store(shards: Path, benchmark: str) -> ShardStore:
    """Open `<shards>/<benchmark>`; UserError when it is not there."""
    return ShardStore.open(shards / canonical(benchmark))


def training_subset(recipe: Recipe[Any, Any], store: ShardStore, *, save: bool) -> Subset:
    """The clips a recipe trains on.

    A few-shot subset is taken from beside the shards, or drawn, and then saved there if `save`:
    every rank draws the same, one of them saves.
    """
    split, protocol = train_split(store.info.benchmark), recipe.protocol
    if isinstance(protocol, FewShot | BaseNovel):
        half = "base" if isinstance(protocol, BaseNovel) else ""
        if protocol.subset:
            return _only_half(load_subset(store, protocol.subset), store, half)
        return _drawn(store, protocol.shots, recipe.seed, half, save)
    if isinstance(protocol, ZeroShot) and store.info.benchmark in map(canonical, protocol.targets):
        return restricted(split_subset(store, split), store, _half(store, "base"), "base")
    return split_subset(store, split)


def test_targets(recipe: Recipe[Any, Any], store: ShardStore, shards: Path) -> tuple[Target, ...]:
    """What a recipe is tested on, first the one that weights may be selected by."""
    protocol = recipe.protocol
    if isinstance(protocol, ZeroShot):
        found = [_zero_shot_targets(name, store, shards) for name in protocol.targets]
        return tuple(target for targets in found for target in targets)
    if isinstance(protocol, Pretrain):
        return ()
    whole = split_subset(store, test_split(store.info.benchmark))
    if isinstance(protocol, BaseNovel):
        return tuple(
            Target(half, store, restricted(whole, store, _half(store, half), half))
            for half in ("base", "novel")
        )
    return (Target("test", store, whole),)


def validation_target(recipe: Recipe[Any, Any], store: ShardStore, trained: Subset) -> Target:
    """Clips per class that the few-shot draw would have taken next: same seed, none trained on.

    Drawn subsets of one seed are nested, so they are the larger set less the trained one.
    """
    protocol = recipe.protocol
    if not isinstance(protocol, FewShot | BaseNovel):
        raise UserError(f"{recipe.task} trains on its whole split: leave out --validation")
    half = "base" if isinstance(protocol, BaseNovel) else ""
    classes = _half_list(store, half)
    larger = few_shot(
        store,
        protocol.shots + recipe.testing.validation,
        train_split(store.info.benchmark),
        recipe.seed,
        classes=classes,
        allow_fewer=True,
    )
    rest = np.setdiff1d(larger.rows, trained.rows)
    if not len(rest):
        raise UserError("no clip of the training split is left for --validation: lower --shots")
    return Target("validation", store, _rows_of(larger, rest, "validation"))


def restricted(subset: Subset, store: ShardStore, names: Sequence[str], label: str) -> Subset:
    """The clips of some classes, those classes alone being candidates.

    Raises UserError when no clip is left.
    """
    keep = {name: place for place, name in enumerate(names)}
    official = np.array([subset.classes[label] in keep for label in range(len(subset.classes))])
    rows = subset.rows[official[subset.labels(store)]]
    if not len(rows):
        raise UserError(
            f"no stored clip of {store.info.benchmark} {subset.name} is of the {len(names)} "
            f"{label} classes: complete the raw folder and run `prep shard` again"
        )
    part = _rows_of(subset, rows, f"{subset.name}-{label}")
    return replace(part, classes=tuple(names))


def _rows_of(subset: Subset, rows: np.ndarray, name: str) -> Subset:
    """Some rows of a subset, under another name."""
    keep = np.isin(subset.rows, rows)
    keys = tuple(key for key, kept in zip(subset.keys, keep.tolist(), strict=True) if kept)
    parameters = {**subset.parameters, "part": name}
    return replace(subset, name=name, rows=subset.rows[keep], keys=keys, parameters=parameters)


def _drawn(store: ShardStore, shots: int, seed: int, half: str, save: bool) -> Subset:
    split = train_split(store.info.benchmark)
    name = f"{half}-" * bool(half) + few_shot_name(split, shots, seed)
    if name in list_subsets(store.folder):
        return load_subset(store, name)
    subset = few_shot(store, shots, split, seed, classes=_half_list(store, half))
    subset = replace(subset, name=name)
    if save:
        subset.save(store.folder)
    return subset


def _only_half(subset: Subset, store: ShardStore, half: str) -> Subset:
    if not half or set(subset.classes) == set(_half(store, half)):
        return subset
    return restricted(subset, store, _half(store, half), half)


def _half_list(store: ShardStore, half: str) -> Any:
    return store.classes.half(half) if half else store.classes  # type: ignore[arg-type]


def _half(store: ShardStore, half: str) -> tuple[str, ...]:
    names: tuple[str, ...] = _half_list(store, half).names
    return names


def _zero_shot_targets(name: str, trained: ShardStore, shards: Path) -> list[Target]:
    benchmark = canonical(name)
    if benchmark == trained.info.benchmark:
        whole = split_subset(trained, test_split(benchmark))
        return [
            Target("novel", trained, restricted(whole, trained, _half(trained, "novel"), "novel"))
        ]
    store = open_store(shards, benchmark)
    targets = []
    for number in ZERO_SHOT_SPLITS:
        split = _zero_shot_split(store, number)
        subset = split_subset(store, split)
        names = zero_shot_classes(benchmark, number)
        part = restricted(subset, store, names, f"zero-shot-{number}")
        targets.append(Target(f"{benchmark} split {number}", store, part))
    return targets


def _zero_shot_split(store: ShardStore, number: int) -> str:
    """The official test split of that number; Kinetics-600 has one test split for all three."""
    benchmark = store.info.benchmark
    if benchmark in TRAIN_SPLITS:
        return f"test{number}"
    return "test" if "test" in store.info.splits else test_split(benchmark)

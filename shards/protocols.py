"""The subsets of each protocol: one function each, from a store to named subsets.

::

    few-shot     few-shot-train1-16-seed1                        K clips of each class
    base-novel   base-few-shot-train1-16-seed1                   K clips of each base class
                 test1-base, test1-novel                         each half among its own classes
    zero-shot    test1-zero-shot-1, test2-zero-shot-2, ...       among the classes of that split
                 train                                           Kinetics-400, the training side
    full         train1, test1                                   whole official splits

What is drawn is drawn by ``few_shot``; the rest are whole splits, or those clips of a split whose
classes are candidates. `prep subset` writes these subsets, and training makes the very same.
``redraw`` makes any of them again from what its file says, ``drawn_as`` from its name alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from manifests.classes import ClassList
from manifests.errors import UserError
from manifests.protocols import (
    test_split,
    train_split,
    zero_shot_classes,
    zero_shot_splits,
    zero_shot_test_split,
)
from shards.store import ShardStore
from shards.subsets import Subset, few_shot, few_shot_name, split_subset

Half = Literal["base", "novel", ""]
_HALVES: dict[str, Half] = {half: half for half in get_args(Half)}


_DRAWS = re.compile(
    r"(?:(?:base|novel)-)?few-shot-.+-\d+-seed\d+|(?:train|val|test)\d?(-base|-novel|-zero-shot-\d)?"
)


def drawn(
    store: ShardStore,
    shots: int,
    seed: int,
    half: Half = "",
    *,
    split: str | None = None,
    allow_fewer: bool = False,
) -> Subset:
    """Draw ``shots`` clips of each class, or of each class of a half, under its usual name.

    ``split`` is the benchmark's training split unless another is named. Raises UserError as
    ``few_shot`` does, and where no halves are published.
    """
    split = split or train_split(store.info.benchmark)
    subset = few_shot(
        store, shots, split, seed, classes=half_classes(store, half), allow_fewer=allow_fewer
    )
    return replace(subset, name=drawn_name(store, shots, seed, half, split=split))


def drawn_name(
    store: ShardStore, shots: int, seed: int, half: Half = "", *, split: str | None = None
) -> str:
    """Name of the file of such a draw."""
    name = few_shot_name(split or train_split(store.info.benchmark), shots, seed)
    return f"{half}-{name}" if half else name


def base_novel_tests(store: ShardStore) -> tuple[Subset, Subset]:
    """Test clips of base and of novel classes, each among the classes of its own half."""
    whole = split_subset(store, test_split(store.info.benchmark))
    base, novel = (half_of(whole, store, half) for half in ("base", "novel"))
    return base, novel


def zero_shot_tests(store: ShardStore) -> dict[int, Subset]:
    """Test clips of each zero-shot split by its number, among the classes of that split.

    Raises UserError for a benchmark that is no zero-shot test, and where no clip is stored.
    """
    benchmark = store.info.benchmark
    tests = {}
    for number in zero_shot_splits(benchmark) or (1,):
        names = zero_shot_classes(benchmark, number)
        split = zero_shot_test_split(benchmark, number)
        if split not in store.info.splits:
            split = test_split(benchmark)
        tests[number] = restricted(split_subset(store, split), store, names, f"zero-shot-{number}")
    return tests


def full_supervised(store: ShardStore) -> tuple[Subset, Subset]:
    """The whole training split and the whole test split."""
    benchmark = store.info.benchmark
    return split_subset(store, train_split(benchmark)), split_subset(store, test_split(benchmark))


def half_classes(store: ShardStore, half: Half) -> ClassList:
    """Classes of a half, or all of them; UserError where no halves are published."""
    return store.classes.half(half) if half else store.classes


def half_of(subset: Subset, store: ShardStore, half: Half) -> Subset:
    """The clips of a half, its classes alone being candidates; ``restricted`` tells the errors."""
    return restricted(subset, store, half_classes(store, half).names, half)


def restricted(subset: Subset, store: ShardStore, names: Sequence[str], label: str) -> Subset:
    """The clips of some classes, those classes alone being candidates.

    Raises UserError when no clip is left.
    """
    wanted = set(names)
    keep = np.array([name in wanted for name in subset.classes], dtype=np.bool_)
    rows = subset.rows[keep[subset.labels(store)]]
    if not len(rows):
        raise UserError(
            f"no stored clip of {store.info.benchmark} {subset.name} is of the {len(names)} "
            f"{label} classes: complete the raw folder and run `prep shard` again"
        )
    part = rows_of(subset, rows, f"{subset.name}-{label}")
    return replace(part, classes=tuple(names))


def rows_of(subset: Subset, rows: npt.NDArray[np.int64], name: str) -> Subset:
    """Some rows of a subset, under another name."""
    keep = np.isin(subset.rows, rows)
    keys = tuple(key for key, kept in zip(subset.keys, keep.tolist(), strict=True) if kept)
    parameters = {**subset.parameters, "part": name}
    return replace(subset, name=name, rows=subset.rows[keep], keys=keys, parameters=parameters)


def _again_few_shot(store: ShardStore, subset: Subset) -> Subset:
    words = subset.parameters
    chosen = tuple(store.classes.classes[store.classes.id_of(name)] for name in subset.classes)
    classes = replace(store.classes, classes=chosen)
    return few_shot(
        store, words["shots"], words["split"], subset.seed or 0, classes=classes, allow_fewer=True
    )


def _again_split(store: ShardStore, subset: Subset) -> Subset:
    whole = split_subset(store, subset.parameters["split"])
    if "part" not in subset.parameters:
        return whole
    label = str(subset.parameters["part"]).removeprefix(f"{whole.name}-")
    return restricted(whole, store, subset.classes, label)


# kind -> how its clips are chosen again from what its file says; a published list has no such way
_AGAIN: dict[str, Callable[[ShardStore, Subset], Subset]] = {
    "few-shot": _again_few_shot,
    "split": _again_split,
}


def redraw(store: ShardStore, subset: Subset) -> Subset | None:
    """Make a subset again from what its file says; None for a list that somebody published.

    Raises UserError when it cannot be made from this store.
    """
    again = _AGAIN.get(subset.kind)
    return again(store, subset) if again else None


def misnamed(subset: Subset) -> str | None:
    """The usual name of the draw that a subset is, where its own is the name of another draw.

    None where it has its name, or one that no draw has: people may call their copies as they like.
    """
    words = subset.parameters
    if subset.kind == "few-shot":
        usual = few_shot_name(str(words.get("split")), words.get("shots", 0), subset.seed or 0)
        right = re.fullmatch(rf"((base|novel)-)?{re.escape(usual)}", subset.name)
    elif subset.kind == "split":
        usual = str(words.get("part", words.get("split")))
        right = re.fullmatch(re.escape(usual), subset.name)
    else:
        return None
    return None if right or not _DRAWS.fullmatch(subset.name) else usual


def drawn_as(store: ShardStore, name: str) -> Subset | None:
    """Make the subset that goes by a name; None when no protocol gives that name.

    Raises UserError when it cannot be made from this store.
    """
    if draw := re.fullmatch(r"(?:(base|novel)-)?few-shot-(.+)-(\d+)-seed(-?\d+)", name):
        half, split, shots, seed = draw.groups()
        return drawn(
            store, int(shots), int(seed), _HALVES[half or ""], split=split, allow_fewer=True
        )
    if name in store.info.splits:
        return split_subset(store, name)
    split, _, half = name.rpartition("-")
    if split in store.info.splits and half in _HALVES:
        return half_of(split_subset(store, split), store, _HALVES[half])
    if re.fullmatch(r".+-zero-shot-\d", name):
        tests = zero_shot_tests(store).values()
        return next((subset for subset in tests if subset.name == name), None)
    return None

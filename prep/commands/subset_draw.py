"""`prep subset few-shot | base-novel | zero-shot | full`: the subsets of the four protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from tyro.conf import arg

from manifests.classes import canonical
from manifests.errors import UserError
from manifests.protocols import train_split, zero_shot_splits
from prep.folders import SHARDS, Place, set_folder
from prep.subsets import Kept, keep
from prep.text import aligned
from prep.words import Dataset, Shards
from shards.protocols import (
    base_novel_tests,
    drawn,
    full_supervised,
    half_of,
    zero_shot_tests,
)
from shards.store import ShardStore
from shards.subsets import Subset, split_subset

HASH_SHOWN = 16

Split = Annotated[
    str | None,
    arg(
        metavar="SPLIT",
        help="the official split to draw from",
        help_behavior_hint="(default: train1 for ucf101 and hmdb51, else train)",
    ),
]
AllowFewer = Annotated[
    bool, arg(help="take all clips of a class that has fewer than K, instead of refusing")
]
Anew = Annotated[bool, arg(help="replace a file of the same name that holds another draw")]


@dataclass(frozen=True)
class FewShot:
    """Draw K clips of each class out of an official split.

    The clips of a class are ranked by seed and official row alone and the first K taken: the
    2-shot set of a seed lies inside its 4-shot set, and every machine draws the same.
    """

    dataset: Dataset
    shots: Annotated[tuple[int, ...], arg(metavar="K [K ...]", help="clips of each class")]
    seed: Annotated[int, arg(metavar="N", help="another seed, another draw")] = 1
    split: Split = None
    shards: Shards = SHARDS
    allow_fewer: AllowFewer = False
    anew: Anew = False

    def run(self) -> DrawReport:
        """Draw all of them, then write them."""
        store = _open(self.dataset, self.shards)
        subsets = [
            drawn(store, shots, self.seed, split=self.split, allow_fewer=self.allow_fewer)
            for shots in sorted(set(self.shots))
        ]
        if not subsets:
            raise UserError("no number of shots: say --shots 2 4 8 16")
        _check_any(subsets[0], store, self.split)
        return _kept(store, subsets, self.anew)


@dataclass(frozen=True)
class BaseNovel:
    """Draw K clips of each base class once a seed; write base and novel test sets.

    Halves are the published ones. Each test set has the classes of its own half as candidates,
    and no others; labels are places among them.
    """

    dataset: Dataset
    shots: Annotated[int, arg(metavar="K", help="clips of each base class")] = 16
    seeds: Annotated[tuple[int, ...], arg(metavar="N [N ...]", help="a draw for each")] = (1, 2, 3)
    split: Split = None
    shards: Shards = SHARDS
    allow_fewer: AllowFewer = False
    anew: Anew = False

    def run(self) -> DrawReport:
        """Draw and choose all of them, then write them."""
        store = _open(self.dataset, self.shards)
        subsets = [
            drawn(store, self.shots, seed, "base", split=self.split, allow_fewer=self.allow_fewer)
            for seed in sorted(set(self.seeds))
        ]
        if not subsets:
            raise UserError("no seed: say --seeds 1 2 3")
        _check_any(subsets[0], store, self.split)
        return _kept(store, [*subsets, *base_novel_tests(store)], self.anew)


@dataclass(frozen=True)
class ZeroShot:
    """Write what a zero-shot protocol tests or trains on.

    ucf101 and hmdb51: the three official test splits; kinetics600: test clips of each of the three
    published lists of 160 classes; activitynet: its validation split; kinetics400: the whole
    training split, on which all of these are trained; toy: base classes to train, novel to test.
    """

    dataset: Dataset
    shards: Shards = SHARDS
    anew: Anew = False

    def run(self) -> DrawReport:
        """Choose all of them, then write them."""
        store = _open(self.dataset, self.shards)
        return _kept(store, _zero_shot(store), self.anew)


@dataclass(frozen=True)
class Full:
    """Write the whole training split and the whole test split as subsets."""

    dataset: Dataset
    shards: Shards = SHARDS
    anew: Anew = False

    def run(self) -> DrawReport:
        """Write both."""
        store = _open(self.dataset, self.shards)
        return _kept(store, full_supervised(store), self.anew)


def _zero_shot(store: ShardStore) -> list[Subset]:
    benchmark = store.info.benchmark
    if zero_shot_splits(benchmark):
        return list(zero_shot_tests(store).values())
    if benchmark == "kinetics400":
        return [split_subset(store, train_split(benchmark))]
    if benchmark == "toy":
        train, test = full_supervised(store)
        return [half_of(train, store, "base"), half_of(test, store, "novel")]
    raise UserError(
        f"{benchmark} has no part in the zero-shot protocol: ucf101, hmdb51, kinetics600 and "
        "activitynet are tested on, kinetics400 is trained on"
    )


def _open(dataset: str, shards: Place) -> ShardStore:
    return ShardStore.open(set_folder(canonical(dataset), shards))


def _check_any(subset: Subset, store: ShardStore, split: str | None) -> None:
    if not len(subset):
        split = split or train_split(store.info.benchmark)
        raise UserError(f"no clip of split {split} is stored in {store.folder}: shard its videos")


def _kept(store: ShardStore, subsets: Sequence[Subset], anew: bool) -> DrawReport:
    for subset in subsets:
        if not len(subset):
            raise UserError(
                f"no clip of {subset.name} is stored in {store.folder}: shard its videos"
            )
    return DrawReport(store.info.benchmark, tuple(keep(store.folder, list(subsets), anew=anew)))


@dataclass(frozen=True)
class DrawReport:
    """What was drawn, and where it lies."""

    benchmark: str
    kept: tuple[Kept, ...]

    exit_code = 0

    def text(self) -> str:
        """A line a subset: name, clips, hash, and its file."""
        rows: list[tuple[str | int, ...]] = [("subset", "clips", "classes", "hash", "file")]
        for item in self.kept:
            drawn, state = item.subset, "written" if item.new else "already there, hash equal"
            rows.append(
                (
                    drawn.name,
                    len(drawn),
                    len(drawn.classes),
                    drawn.hash[:HASH_SHOWN],
                    f"{item.file} ({state})",
                )
            )
        return "\n".join(aligned(rows))

    def as_dict(self) -> dict[str, Any]:
        """Everything but the rows, which are in the files."""
        return {
            "benchmark": self.benchmark,
            "subsets": [
                {**said(item.subset), "file": str(item.file), "new": item.new} for item in self.kept
            ],
        }


def said(subset: Subset) -> dict[str, Any]:
    """What a subset says of itself, its rows apart."""
    return {
        "name": subset.name,
        "kind": subset.kind,
        "seed": subset.seed,
        "parameters": dict(subset.parameters),
        "clips": len(subset),
        "classes": len(subset.classes),
        "hash": subset.hash,
    }

"""Which protocols a benchmark has, on which official splits, and among which classes.

========================  ============================  =========================================
protocol                  trained on                    tested on
========================  ============================  =========================================
few-shot                  K clips of each class         the whole test split, all classes
base-novel                K clips of each base class    base and novel halves of the test split
zero-shot                 the train split of K400       three splits; K600: 160 classes each
full                      the training split            the test split
========================  ============================  =========================================

``protocol_rows`` is the table benchmark x protocol, the one place that says what exists.

``manifests/kinetics600/zero_shot_<split>.csv`` (id,name) holds the three lists of 160 classes of
Kinetics-600 that are new against Kinetics-400. They are published lists: comparing names would
give 232 "new" classes, because many were merely renamed. How public lists number the classes is
told in ``manifests/numberings.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from manifests.classes import BENCHMARKS, canonical, load_classes, read_rows
from manifests.errors import UserError

Protocol = Literal["few-shot", "base-novel", "zero-shot", "full"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
PublishedList = Literal["all", "base", "novel"]

ZERO_SHOT_SPLITS = (1, 2, 3)
# HMDB-51 and UCF-101 keep all classes in each split: only their test videos change.
_ZERO_SHOT = ("ucf101", "hmdb51", "kinetics600")

_TRAIN_SPLITS = {"ucf101": "train1", "hmdb51": "train1"}
_TEST_SPLITS = {"ucf101": "test1", "hmdb51": "test1", "toy": "test", "custom": "test"}


def train_split(benchmark: str) -> str:
    """The official split that a benchmark is trained on and drawn from."""
    return _TRAIN_SPLITS.get(benchmark, "train")


def test_split(benchmark: str) -> str:
    """The official split that a benchmark is tested on."""
    return _TEST_SPLITS.get(benchmark, "val")


def zero_shot_test_split(benchmark: str, split: int) -> str:
    """The official split whose clips a zero-shot split tests on.

    Each split of UCF-101 and HMDB-51 has test videos of its own; Kinetics-600 has the same test
    videos for all three class lists; ActivityNet, which publishes no labels of its test videos,
    is tested on its validation split.
    """
    if benchmark in _TRAIN_SPLITS:
        return f"test{split}"
    return "test" if benchmark == "kinetics600" else test_split(benchmark)


def zero_shot_splits(benchmark: str) -> tuple[int, ...]:
    """Numbers of the zero-shot splits of a benchmark that is tested on; none for others."""
    if benchmark in _ZERO_SHOT:
        return ZERO_SHOT_SPLITS
    return (1,) if benchmark == "activitynet" else ()


@cache
def zero_shot_classes(benchmark: str, split: int) -> tuple[str, ...]:
    """Official names of the candidate classes of a zero-shot split.

    160 names for kinetics600, all names for ucf101, hmdb51 and activitynet (split 1); in the
    order of the official ids.
    """
    name = canonical(benchmark)
    splits = zero_shot_splits(name)
    if not splits:
        raise UserError(
            f"no zero-shot splits are published for {name}: use one of {', '.join(_ZERO_SHOT)}, "
            "or activitynet"
        )
    if split not in splits:
        allowed = "1, 2 or 3" if len(splits) > 1 else "1"
        raise UserError(f"{name} has no zero-shot split {split}: use {allowed}")
    if name != "kinetics600":
        return load_classes(name).names
    return tuple(row["name"] for row in read_rows(name, f"zero_shot_{split}.csv"))


@cache
def published_order(benchmark: str, part: PublishedList = "all") -> tuple[str, ...]:
    """Official names in the order that public label files number them, from 0.

    Raises UserError for "base" and "novel" where no halves are published.
    """
    classes = load_classes(benchmark)
    ordered = published_lists(classes.benchmark).get(part, ())
    if ordered or part == "all":
        return ordered or classes.names
    return classes.half(part).names


@cache
def published_lists(benchmark: str) -> dict[str, tuple[str, ...]]:
    """Numberings of published.csv by the name of their list; empty where all agree with ours."""
    try:
        rows = read_rows(benchmark, "published.csv")
    except FileNotFoundError:  # the public numbering is ours
        return {}
    lists: dict[str, list[str]] = {}
    for row in rows:
        lists.setdefault(row["list"], []).append(row["name"])
    return {part: tuple(names) for part, names in lists.items()}


@dataclass(frozen=True)
class ProtocolRow:
    """One cell of the table: what a benchmark is trained and tested on under a protocol.

    ``train`` and ``tests`` are official splits; ``train`` is "" where nothing of the benchmark is
    trained on, ``tests`` is empty where it only trains. ``classes`` counts the candidates of each
    test, of the training side where there is none.
    """

    benchmark: str
    protocol: Protocol
    train: str
    tests: tuple[str, ...]
    classes: tuple[int, ...]
    in_paper: bool


# Table rows of the paper: few-shot and base-to-novel sets, zero-shot tests, fully supervised.
_IN_PAPER: dict[Protocol, tuple[str, ...]] = {
    "few-shot": ("hmdb51", "ucf101", "ssv2"),
    "base-novel": ("kinetics400", "hmdb51", "ucf101", "ssv2"),
    "zero-shot": ("kinetics400", "ucf101", "hmdb51", "kinetics600"),
    "full": ("kinetics400",),
}


def protocol_row(benchmark: str, protocol: Protocol) -> ProtocolRow | None:
    """What a benchmark has under a protocol; None when it does not exist for it."""
    classes = load_classes(benchmark)
    train = train_split(benchmark)
    tests: tuple[str, ...] = (test_split(benchmark),)
    counts: tuple[int, ...] = (len(classes),)
    if protocol == "base-novel":
        if not any(item.half for item in classes.classes):
            return None
        counts = len(classes.half("base")), len(classes.half("novel"))
        tests = tests * 2
    if protocol == "zero-shot":
        splits = zero_shot_splits(benchmark)
        if benchmark == "kinetics400":
            tests = ()
        elif splits:
            train = ""
            tests = tuple(zero_shot_test_split(benchmark, number) for number in splits)
            counts = tuple(len(zero_shot_classes(benchmark, number)) for number in splits)
        else:
            return None
    in_paper = benchmark in _IN_PAPER[protocol]
    return ProtocolRow(benchmark, protocol, train, tests, counts, in_paper)


def protocol_rows() -> tuple[ProtocolRow, ...]:
    """The whole table, benchmark by benchmark, without the toy one."""
    found = [protocol_row(name, p) for name in BENCHMARKS if name != "toy" for p in PROTOCOLS]
    return tuple(row for row in found if row)

"""How many clips each protocol trains and tests on, counted from an official list alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manifests.protocols import (
    PROTOCOLS,
    Protocol,
    ProtocolRow,
    protocol_row,
    zero_shot_classes,
    zero_shot_splits,
)
from prep.benchmarks.layout import OfficialList

SHOTS = 16


@dataclass(frozen=True)
class Size:
    """Clips of one side of a protocol; ``clips`` is None where no label of the split is at hand."""

    what: str
    split: str
    classes: int
    clips: int | None


def protocol_sizes(official: OfficialList) -> dict[Protocol, tuple[Size, ...]]:
    """Sizes by protocol, of those that the benchmark has; none for the toy and custom ones.

    Few-shot sizes are those of 16 shots.
    """
    rows = {protocol: protocol_row(official.benchmark, protocol) for protocol in PROTOCOLS}
    return {name: tuple(_sizes(row, official)) for name, row in rows.items() if row}


def _sizes(row: ProtocolRow, official: OfficialList) -> list[Size]:
    every = official.classes.names
    shots = row.protocol in ("few-shot", "base-novel")
    found = []
    if row.train:
        names = official.classes.half("base").names if row.protocol == "base-novel" else every
        found.append(_size("train", row.train, names, official, SHOTS if shots else None))
    for label, split, names in _tests(row, official):
        found.append(_size(label, split, names, official))
    return found


def _tests(row: ProtocolRow, official: OfficialList) -> list[tuple[str, str, tuple[str, ...]]]:
    """Label, split and candidate classes of each test."""
    classes = official.classes
    if row.protocol == "base-novel":
        halves = classes.half("base").names, classes.half("novel").names
        return list(zip(("base", "novel"), row.tests, halves, strict=True))
    if row.protocol == "zero-shot" and row.tests:
        numbers = zero_shot_splits(row.benchmark)
        return [
            (f"split {number}", split, zero_shot_classes(row.benchmark, number))
            for number, split in zip(numbers, row.tests, strict=True)
        ]
    return [("test", split, classes.names) for split in row.tests]


def _size(
    what: str,
    split: str,
    names: tuple[str, ...],
    official: OfficialList,
    shots: int | None = None,
) -> Size:
    member = official.columns.splits.get(split)
    if member is None:
        return Size(what, split, len(names), None)
    labels = official.columns.class_ids[member]
    if len(labels) and not (labels >= 0).any():  # the crawler's test lists
        return Size(what, split, len(names), None)
    counts = np.bincount(labels[labels >= 0], minlength=len(official.classes))
    mine = counts[[official.classes.id_of(name) for name in names]]
    return Size(what, split, len(names), int((np.minimum(mine, shots) if shots else mine).sum()))

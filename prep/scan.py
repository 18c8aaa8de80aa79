"""What of a benchmark is there, and what is missing: counted in columns, per split and class.

A clip of the official list is *there* when a file was found for it and *missing* when not; a file
that no clip accounts for is *unexpected*. Nothing is opened or decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from prep.benchmarks.layout import Bools, RawSource
from shards.atomic import atomic_write
from shards.schema import SPLIT_PREFIX

UNLABELLED = "(no label published)"


@dataclass(frozen=True)
class Tally:
    """Clips of an official list, and those of them whose files are there."""

    expected: int
    have: int

    @property
    def missing(self) -> int:
        """Clips without a file."""
        return self.expected - self.have


@dataclass(frozen=True)
class ClassTally:
    """One class: all of its clips, and those of each split it has clips in."""

    name: str
    clips: Tally
    splits: dict[str, Tally]


@dataclass(frozen=True)
class Inventory:
    """A raw folder held against its official list; classes in the order of their ids."""

    clips: Tally
    splits: dict[str, Tally]
    classes: tuple[ClassTally, ...]


def take_inventory(source: RawSource) -> Inventory:
    """Count the clips of a source that are there, per split and class; classes without any stay."""
    there = np.asarray(pc.is_valid(source.clips["file"]))
    # Place 0 of every count is for clips without a label (id -1).
    places = np.asarray(source.clips["class_id"]) + 1
    everywhere = np.ones(len(there), dtype=np.bool_)
    overall = _per_class(places, there, everywhere, len(source.classes))
    per_split = {
        split: _per_class(places, there, _members(source, split), len(source.classes))
        for split in source.splits
    }
    names = [UNLABELLED, *source.classes.names]
    order = [*range(1, len(names)), 0]
    return Inventory(
        _sum(overall),
        {split: _sum(tallies) for split, tallies in per_split.items()},
        tuple(
            ClassTally(
                names[place],
                overall[place],
                {s: tallies[place] for s, tallies in per_split.items() if tallies[place].expected},
            )
            for place in order
            if place or overall[place].expected
        ),
    )


def missing_clips(source: RawSource) -> pa.Table:
    """Clips without a file: row, name, video, class, splits (joined by blanks), start, end."""
    gone = source.clips.filter(pc.is_null(source.clips["file"]))
    empty = pa.scalar("", pa.string())
    words = [
        pc.if_else(gone[SPLIT_PREFIX + split], pa.scalar(split + " ", pa.string()), empty)
        for split in source.splits
    ]
    joined = pc.binary_join_element_wise(*words, "") if words else pa.nulls(len(gone), pa.string())
    columns = {"row": gone["row"], "name": gone["name"], "video": gone["video"]}
    columns |= {"class": gone["class_name"], "splits": pc.utf8_trim_whitespace(joined)}
    return pa.table(columns | {"start": gone["start"], "end": gone["end"]})


def write_missing(source: RawSource, path: Path) -> int:
    """Write the clips without a file as csv, whole or not at all; returns how many they are.

    Raises UserError when the disk refuses.
    """
    table = missing_clips(source)
    text = io.BytesIO()
    pacsv.write_csv(table, text)
    atomic_write(path, text.getvalue())
    return len(table)


def _members(source: RawSource, split: str) -> Bools:
    return np.asarray(source.clips[SPLIT_PREFIX + split], dtype=np.bool_)


def _per_class(places: np.ndarray, there: Bools, chosen: Bools, classes: int) -> list[Tally]:
    """Tally of the chosen clips at each place: 0 without a label, then the class ids from 1."""
    expected = np.bincount(places[chosen], minlength=classes + 1)
    have = np.bincount(places[chosen & there], minlength=classes + 1)
    return [Tally(*pair) for pair in zip(expected.tolist(), have.tolist(), strict=True)]


def _sum(tallies: list[Tally]) -> Tally:
    return Tally(sum(t.expected for t in tallies), sum(t.have for t in tallies))


def short_classes(inventory: Inventory) -> Iterator[ClassTally]:
    """Classes that miss clips, those that miss most first."""
    short = [item for item in inventory.classes if item.clips.missing]
    yield from sorted(short, key=lambda item: -item.clips.missing)

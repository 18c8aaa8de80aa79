"""What of a benchmark is there, and what is missing: counted in columns, per split and class.

A clip of the official list is *there* when a file was found for it and *missing* when not; a file
that no clip accounts for is *unexpected*, and counted where ``prep.strays`` places it. Each clip
and each file is in one class, or in what stands for none, so classes add up to the whole; splits
may share clips. Nothing is opened or decoded.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manifests.errors import UserError
from prep.benchmarks.layout import Bools, Ints, RawSource
from prep.strays import Strays, place_strays
from shards.atomic import atomic_write, disk_errors
from shards.records import FileHash
from shards.schema import SPLIT_PREFIX

UNLABELLED = "(no label published)"
CLASSLESS = "(in no class folder)"
SPLITLESS = "(in no split)"

_COLUMNS = ("row", "name", "video", "class", "splits", "start", "end")
_HEAD = ",".join(f'"{name}"' for name in _COLUMNS).encode() + b"\n"


@dataclass(frozen=True)
class Tally:
    """Clips of an official list, those of them whose files are there, and files of no clip."""

    expected: int
    have: int
    unexpected: int

    @property
    def missing(self) -> int:
        """Clips without a file."""
        return self.expected - self.have

    @property
    def nonzero(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.expected or self.unexpected)


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
    """Count clips and unexpected files per split and class; classes without any stay.

    What is of no class, and files of no split, come last, where there are any.
    """
    names = [UNLABELLED, *source.classes.names, CLASSLESS]
    strays = place_strays(source)
    count = _Count(
        np.asarray(source.clips["class_id"]) + 1,
        np.asarray(pc.is_valid(source.clips["file"])),
        np.where(strays.classless, len(names) - 1, strays.class_ids + 1),
        len(names),
    )
    per_split = {
        split: count.per_place(clips, files)
        for split, (clips, files) in _memberships(source, strays).items()
    }
    overall = count.per_place(
        np.ones(len(count.clips), np.bool_), np.ones(len(count.files), np.bool_)
    )
    totals = {split: _sum(tallies) for split, tallies in per_split.items()}
    return Inventory(
        _sum(overall),
        {split: total for split, total in totals.items() if split != SPLITLESS or total.nonzero},
        tuple(
            ClassTally(
                names[place],
                overall[place],
                {s: tallies[place] for s, tallies in per_split.items() if tallies[place].nonzero},
            )
            for place in (*range(1, len(names) - 1), 0, len(names) - 1)
            if 0 < place < len(names) - 1 or overall[place].nonzero
        ),
    )


@dataclass(frozen=True)
class _Count:
    """Where clips and unexpected files are counted.

    Place 0 is for clips without a label (id -1), then come the classes, then what is of none.
    """

    clips: Ints
    there: Bools
    files: Ints
    places: int

    def per_place(self, clips: Bools, files: Bools) -> list[Tally]:
        """A tally of each place, of some clips and files."""
        chosen = (self.clips[clips], self.clips[clips & self.there], self.files[files])
        columns = (np.bincount(places, minlength=self.places).tolist() for places in chosen)
        return [Tally(*three) for three in zip(*columns, strict=True)]


def _memberships(source: RawSource, strays: Strays) -> dict[str, tuple[Bools, Bools]]:
    """The clips and the unexpected files of each split, and the files of none.

    Official clips of no split (HMDB-51 has some) are in no split's count, as nobody expects them.
    """
    found = {split: (_members(source, split), strays.splits[split]) for split in source.splits}
    files = np.ones(len(source.unexpected), np.bool_)
    for _, of_file in found.values():
        files &= ~of_file
    return found | {SPLITLESS: (np.zeros(len(source.clips), np.bool_), files)}


def missing_clips(source: RawSource) -> pa.Table:
    """Clips without a file: row, name, video, class, splits (joined by blanks), start, end."""
    gone = source.clips.filter(pc.is_null(source.clips["file"]))
    empty = pa.scalar("", pa.string())
    words = [
        pc.if_else(gone[SPLIT_PREFIX + split], pa.scalar(split + " ", pa.string()), empty)
        for split in source.splits
    ]
    joined = pc.binary_join_element_wise(*words, "") if words else pa.nulls(len(gone), pa.string())
    told = {"class": gone["class_name"], "splits": pc.utf8_trim_whitespace(joined)}
    return pa.table({name: told[name] if name in told else gone[name] for name in _COLUMNS})


def missing_list(source: RawSource) -> bytes:
    """The clips without a file as csv."""
    text = io.BytesIO()
    pacsv.write_csv(missing_clips(source), text)
    return text.getvalue()


def check_place(path: Path) -> None:
    """Raise UserError where a list of missing clips would take the place of something else."""
    if path.is_dir():
        raise UserError(f"{path} is a folder: name a file for the list of missing clips with --out")
    with disk_errors(path):
        begins = path.open("rb").readline() if path.exists() else _HEAD
    if begins not in (_HEAD, b""):
        raise UserError(f"{path} is there and no list of missing clips: name another with --out")


def write_missing(source: RawSource, path: Path) -> FileHash:
    """Write the list of missing clips, whole or not at all; returns what was written.

    Raises UserError when the disk refuses.
    """
    data = missing_list(source)
    atomic_write(path, data)
    return FileHash(len(data), hashlib.sha256(data).hexdigest())


def _members(source: RawSource, split: str) -> Bools:
    return np.asarray(source.clips[SPLIT_PREFIX + split], dtype=np.bool_)


def _sum(tallies: list[Tally]) -> Tally:
    return Tally(
        sum(tally.expected for tally in tallies),
        sum(tally.have for tally in tallies),
        sum(tally.unexpected for tally in tallies),
    )


def most_first(
    inventory: Inventory, what: Literal["missing", "unexpected"]
) -> tuple[ClassTally, ...]:
    """Classes with missing clips, or with unexpected files, those with most of them first."""
    number = attrgetter(f"clips.{what}")
    return tuple(sorted(filter(number, inventory.classes), key=number, reverse=True))

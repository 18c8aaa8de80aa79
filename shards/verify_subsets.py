"""Are the subsets beside a set whole, and lists of clips that it holds?

::

    file      bytes as they were written, hash, format
    clips     each row is stored under the key that stands beside it
    classes   each clip's class is among the candidates

A subset that a protocol drew can be drawn again by its name; it is written anew only where what is
left of the damaged file (its hash, or all before it) shows that the draw is the one it held.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.errors import UserError
from shards.protocols import drawn_as
from shards.records import ShardRecord
from shards.store import ShardStore
from shards.subsets import SUBSETS, Subset, list_subsets, read_subset, subset_file
from shards.verify import Fault

_FIELDS = pa.schema({"row": pa.int64(), "key": pa.string(), "class_name": pa.string()})


def stored_clips(records: Iterable[ShardRecord]) -> pa.Table:
    """Row, key and class name of every clip that the records hold, ascending by row."""
    tables = [record.clips.select(_FIELDS.names) for record in records]
    return pa.concat_tables([_FIELDS.empty_table(), *tables]).sort_by("row")


def subset_faults(folder: Path, benchmark: str, clips: pa.Table | None) -> Iterator[Fault]:
    """Hold every subset of a set against its hash and against the clips that are stored.

    ``clips`` is None while not all records can be read: nothing tells then what is stored.
    """
    for name in list_subsets(folder):
        place = f"{SUBSETS}/{name}.json"
        try:
            subset = read_subset(folder, name)
            changed = subset_file(folder, name).read_bytes() != subset.to_bytes()
        except UserError as error:
            yield Fault(place, str(error), "subset")
            continue
        if changed:
            yield Fault(place, "has other bytes than were written", "subset")
        elif subset.benchmark != benchmark:
            yield Fault(place, f"is of {subset.benchmark}, the set is of {benchmark}", "subset")
        elif clips is not None and (what := _misfit(subset, clips)):
            yield Fault(place, what, "subset")


def mend_subset(store: ShardStore, name: str) -> None:
    """Write a damaged subset as it was; UserError when that cannot be known."""
    again = drawn_as(store, name)
    if again is None:
        raise UserError(f"subset {name} is no draw by that name: make or import it again")
    body = again.to_bytes().rpartition(b',"hash":')[0]
    left = subset_file(store.folder, name).read_bytes()
    shared = min(len(left), len(body))
    if again.hash.encode() not in left and (not shared or left[:shared] != body[:shared]):
        raise UserError(
            f"subset {name} is left as it is: a draw by that name gives another list now "
            f"({len(again)} clips, hash {again.hash[:12]}); take it with `prep subset` and --anew"
        )
    again.save(store.folder)


def _misfit(subset: Subset, clips: pa.Table) -> str | None:
    rows = np.asarray(clips["row"])
    positions = np.searchsorted(rows, subset.rows)
    held = positions < len(rows)
    held[held] = rows[positions[held]] == subset.rows[held]
    if not held.all():
        gone = np.flatnonzero(~held)
        return f"{len(gone)} of its clips are not stored, first {subset.keys[gone[0]]}"
    mine = clips.take(pa.array(positions))
    other = np.flatnonzero(
        np.asarray(pc.not_equal(mine["key"], pa.array(subset.keys, pa.string())))
    )
    if len(other):
        key, stored = subset.keys[other[0]], mine["key"][int(other[0])]
        return f"calls a clip {key} that the shards call {stored}: of another official list"
    known = pc.is_in(mine["class_name"], value_set=pa.array(subset.classes, pa.string()))
    if not pc.all(known).as_py() and len(mine):
        return "holds clips of classes that it does not name"
    return None

"""Are the subsets beside a set whole, and lists of clips that it holds?

::

    file      bytes as they were written, hash, format
    name      that of the draw it holds, or none that a draw has
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
from shards.faults import Fault, unreadable
from shards.protocols import drawn_as, misnamed
from shards.records import ShardRecord
from shards.store import ShardStore
from shards.subsets import SUBSETS, Subset, list_subsets, read_subset, subset_file

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
            lost = not subset_file(folder, name).exists()  # a link that leads nowhere
            yield Fault(place, "is not there" if lost else str(error), "subset")
            continue
        except OSError as error:
            yield Fault(place, unreadable(error), "by hand")
            continue
        if changed:
            yield Fault(place, "has other bytes than were written", "subset")
        elif other := misnamed(subset):
            yield Fault(place, f"holds {other}, another draw than its name says", "subset")
        elif subset.benchmark != benchmark:
            yield Fault(place, f"is of {subset.benchmark}, the set is of {benchmark}", "subset")
        elif clips is not None and (what := _misfit(subset, clips)):
            yield Fault(place, what, "subset")


def mend_subset(store: ShardStore, name: str, found: Iterable[bytes] | None = None) -> None:
    """Write a damaged subset as it was; UserError when that cannot be known.

    ``found`` is what the files of all subsets held at first, that of this one by default: of two
    that were swapped, each tells what the other was.
    """
    again = drawn_as(store, name)
    if again is None:
        raise UserError(f"subset {name} is no draw by that name: make or import it again")
    left = subset_bytes(store.folder, name)
    body = again.to_bytes().rpartition(b',"hash":')[0]
    shared = min(len(left), len(body))
    told = any(again.hash.encode() in data for data in found or ()) or again.hash.encode() in left
    if not told and (not shared or left[:shared] != body[:shared]):
        raise UserError(
            f"subset {name} is left as it is: a draw by that name gives {len(again)} clips (hash "
            f"{again.hash[:12]}), and nothing shows that these were in it; if they were, take them "
            "with `prep subset` and --anew"
        )
    again.save(store.folder)


def subset_bytes(folder: Path, name: str) -> bytes:
    """What lies where a subset should; nothing where that cannot be read."""
    try:
        return subset_file(folder, name).read_bytes()
    except OSError:
        return b""


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

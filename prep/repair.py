"""Mending a damaged set: what needs no video first, then the shards that do, then the tables.

::

    name     given back to whole files that lie under another, see misplaced.py
    index    written anew from a tar that is whole
    shard    made again from the raw videos as `prep shard` makes it, see remake.py
    tables   rebuilt from the records; missing.csv, and the counts of the official list that stand
             in dataset.json alone, as `prep shard --finish` writes them
    subset   drawn again, where what is left of it tells that this is what it was

What was touched is read again afterwards; a fault that stays is told, never glossed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import UserError
from prep.locks import hold_set, hold_tables
from prep.misplaced import give_names_back
from prep.verify import Findings, check_set
from shards.info import DATASET_JSON, MISSING, load_info
from shards.store import ShardStore
from shards.subsets import list_subsets
from shards.tables import rebuild_tables
from shards.verify import Decode, mend_index
from shards.verify_subsets import mend_subset, subset_bytes


@dataclass(frozen=True)
class FromRaw:
    """What needs the raw folder; both raise UserError when it is not at hand or not the same.

    ``remake`` makes the damaged shards again as far as it can, and gives back what it could not
    do, a line each; ``finish`` writes the tables and missing.csv.
    """

    remake: Callable[[Findings], list[str]]
    finish: Callable[[Findings], None]


@dataclass(frozen=True, eq=False)
class Repair:
    """A set before and after it was mended, and what could not be done, a line each."""

    before: Findings
    after: Findings
    refusals: tuple[str, ...]


def repair_set(found: Findings, decode: Decode, workers: int, raw: FromRaw) -> Repair:
    """Mend what can be mended, then read again what was touched.

    Raises UserError when the disk refuses or another run has the set. What cannot be mended (no
    raw folder, a video that is gone) stays a fault.
    """
    with hold_set(found.folder, shared=False):
        return _repair(found, decode, workers, raw)


def _repair(before: Findings, decode: Decode, workers: int, raw: FromRaw) -> Repair:
    def again(found: Findings) -> Findings:
        whole = {name: check for name, check in found.shards.items() if not check.faults}
        return check_set(found.folder, decode, workers, whole)

    found = again(before)  # another run may have mended it before the set was ours
    if give_names_back(found):
        found = again(found)
    refusals = list(_mend_indexes(found))
    if found.damaged_shards:
        try:
            refusals += raw.remake(found)
        except UserError as error:
            refusals.append(f"no shard could be made again: {error}")
    after = again(found)
    if any(fault.mend in ("tables", "missing") for fault in after.faults):
        refusals += _mend_tables(after, raw)
        after = again(after)
    if any(fault.mend == "subset" for fault in after.faults):
        refusals += _mend_subsets(after)
        after = again(after)
    return Repair(before, after, tuple(refusals))


def _mend_indexes(found: Findings) -> Iterator[str]:
    """Write indexes of whole tars anew."""
    damaged = set(found.damaged_shards)
    for name, check in found.shards.items():
        if name in damaged or check.record is None:
            continue
        if any(fault.mend == "index" for fault in check.faults):
            try:
                mend_index(found.folder, check.record)
            except UserError as error:
                yield str(error)


def _mend_tables(found: Findings, raw: FromRaw) -> Iterator[str]:
    """Write the tables anew, unless a shard they should speak of has no record now."""
    lost = [n for n in found.damaged_shards if n not in found.shards or not found.shards[n].record]
    if lost:
        yield f"the tables wait for shard {lost[0]}: without it they would forget its clips"
        return
    places = {fault.place for fault in found.faults if fault.mend in ("tables", "missing")}
    if places & {DATASET_JSON, MISSING}:
        try:
            raw.finish(found)
            return
        except UserError as error:
            yield from _without_list(found, places, error)
    if places != {MISSING}:
        try:
            with hold_tables(found.folder):
                rebuild_tables(found.folder, allow_mixed=_is_mixture(found))
        except UserError as error:
            yield f"the tables could not be rebuilt: {error}"


def _without_list(found: Findings, places: set[str], error: UserError) -> Iterator[str]:
    """What stays undone without the official list."""
    if MISSING in places:
        yield f"{MISSING} could not be written anew: {error}"
    try:
        load_info(found.folder)
    except UserError:
        yield f"{DATASET_JSON} is rebuilt without the counts of the official list: {error}"


def _mend_subsets(found: Findings) -> Iterator[str]:
    """Write damaged subsets as they were; needs whole tables."""
    try:
        store = ShardStore.open(found.folder)
    except UserError as error:
        yield f"the subsets wait for the tables: {error}"
        return
    names = {Path(fault.place).stem for fault in found.faults if fault.mend == "subset"}
    left = [subset_bytes(found.folder, name) for name in list_subsets(found.folder)]
    for name in sorted(names):
        try:
            mend_subset(store, name, left)
        except UserError as error:
            yield str(error)


def _is_mixture(found: Findings) -> bool:
    """Whether somebody asked for a set of several fingerprints, as far as dataset.json tells."""
    try:
        return len(load_info(found.folder).fingerprints) > 1
    except UserError:
        return False

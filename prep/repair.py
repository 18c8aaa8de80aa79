"""Mending a damaged set: what needs no video first, then the shards that do, then the tables.

::

    name     given back to a whole tar or index that lies under that of no shard
    index    written anew from a tar that is whole
    shard    made again from the raw videos as `prep shard` makes it, see remake.py
    tables   rebuilt from the records
    subset   drawn again, where what is left of it tells that this is what it was

What was touched is read again afterwards; a fault that stays is told, never glossed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from manifests.errors import UserError
from prep.locks import hold_tables
from prep.verify import Findings, check_set
from shards.atomic import disk_errors
from shards.info import load_info
from shards.records import FileHash, shard_file
from shards.store import ShardStore
from shards.tables import rebuild_tables
from shards.verify import Decode, file_hash, mend_index
from shards.verify_subsets import mend_subset

# Makes the damaged shards again as far as it can; gives back what it could not do, a line each.
Remake = Callable[[Findings], list[str]]


@dataclass(frozen=True, eq=False)
class Repair:
    """A set before and after it was mended, and what could not be done, a line each."""

    before: Findings
    after: Findings
    refusals: tuple[str, ...]


def repair_set(found: Findings, decode: Decode, workers: int, remake: Remake) -> Repair:
    """Mend what can be mended, then read again what was touched.

    Raises UserError when the disk refuses or another run has the set. What cannot be mended (no
    raw folder, a video that is gone) stays a fault.
    """
    before = found
    if _give_names_back(found):
        whole = {name: check for name, check in found.shards.items() if not check.faults}
        found = check_set(found.folder, decode, workers, whole)
    refusals = list(_mend_indexes(found))
    if found.damaged_shards:
        try:
            refusals += remake(found)
        except UserError as error:
            refusals.append(f"no shard could be made again: {error}")
    touched = {name for name, check in found.shards.items() if check.faults}
    known = {name: check for name, check in found.shards.items() if name not in touched}
    after = check_set(found.folder, decode, workers, known)
    if any(fault.mend == "tables" for fault in after.faults):
        refusals += _mend_tables(after)
        after = check_set(found.folder, decode, workers, after.shards)
    if any(fault.mend == "subset" for fault in after.faults):
        refusals += _mend_subsets(after)
        after = check_set(found.folder, decode, workers, after.shards)
    return Repair(before, after, tuple(refusals))


def _give_names_back(found: Findings) -> bool:
    """Rename tars and indexes that are whole but lie where no record is; whether there were any.

    The videos they were made from may be gone: rather this than to make them again.
    """
    wanted: dict[FileHash, Path] = {}
    strays: list[Path] = []
    for name, check in found.shards.items():
        for extension in ("tar", "idx"):
            path = shard_file(found.folder, name, extension)
            if check.record is None:
                strays += [path] if path.is_file() else []
            elif (expected := getattr(check.record, extension)) and not path.exists():
                wanted[expected] = path
    moves = {
        path: wanted[made] for path in strays if wanted and (made := file_hash(path)) in wanted
    }
    for path, place in moves.items():
        with disk_errors(place):
            path.rename(place)
    return bool(moves)


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


def _mend_tables(found: Findings) -> Iterator[str]:
    """Rebuild the tables, unless a shard they should speak of has no record now."""
    lost = [n for n in found.damaged_shards if n not in found.shards or not found.shards[n].record]
    if lost:
        yield f"the tables wait for shard {lost[0]}: without it they would forget its clips"
        return
    try:
        with hold_tables(found.folder):
            rebuild_tables(found.folder, allow_mixed=_is_mixture(found))
    except UserError as error:
        yield f"the tables could not be rebuilt: {error}"


def _mend_subsets(found: Findings) -> Iterator[str]:
    """Write damaged subsets as they were; needs whole tables."""
    names = {Path(fault.place).stem for fault in found.faults if fault.mend == "subset"}
    for name in sorted(names):
        try:
            mend_subset(ShardStore.open(found.folder), name)
        except UserError as error:
            yield str(error)


def _is_mixture(found: Findings) -> bool:
    """Whether somebody asked for a set of several fingerprints, as far as dataset.json tells."""
    try:
        return len(load_info(found.folder).fingerprints) > 1
    except UserError:
        return False

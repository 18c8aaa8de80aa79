"""All records of a set, and the files of its shards as they lie there.

The hash of the records is the identity of the set: whatever machines made its shards, in whatever
order, equal records are equal bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shards.atomic import remove_file
from shards.records import (
    SHARDS,
    DamagedRecord,
    ShardRecord,
    load_record,
    shard_file,
)
from shards.schema import SHARD_FILES, shard_of_file


@dataclass(frozen=True, eq=False)
class RecordScan:
    """The records of a set by shard name, in order of name, and the names of damaged ones."""

    records: Mapping[str, ShardRecord]
    damaged: tuple[str, ...]

    @property
    def identity(self) -> str:
        """Sha256 over the hashes of all records: two sets with it equal hold the same bytes."""
        lines = (f"{name} {record.sha256}\n" for name, record in self.records.items())
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def scan_records(folder: Path, columns: Collection[str] | None = None) -> RecordScan:
    """Read every record below the folder of a set; an absent folder holds none.

    ``columns`` are those of ``ShardRecord.clips`` that are kept, by default all: of a million clips
    that is half a gigabyte. Files that have not the name of one are left alone: people put things
    beside tars. Raises UserError when a record was written by another version of the format.
    """
    found = dict(read_records(folder, columns))
    records = {name: record for name, record in found.items() if record is not None}
    return RecordScan(records, tuple(name for name in found if name not in records))


def read_records(
    folder: Path, columns: Collection[str] | None = None
) -> Iterator[tuple[str, ShardRecord | None]]:
    """Read the records one by one as ``scan_records`` does: in order of name, None if damaged."""
    for path in sorted((folder / SHARDS).glob("[!.]*.json")):
        if shard_of_file(path.name) is None:
            continue
        try:
            yield path.stem, load_record(path, columns)
        except DamagedRecord:
            yield path.stem, None


def sizes_on_disk(folder: Path) -> dict[str, int]:
    """Bytes of every tar and index of a set by file name, such as {"train-00000.tar": 10240}."""
    place = folder / SHARDS
    if not place.is_dir():
        return {}
    files = (path for path in place.iterdir() if path.suffix in (".tar", ".idx"))
    mine = (path for path in files if shard_of_file(path.name) and path.is_file())
    return {path.name: path.stat().st_size for path in mine}


def remove_shard(folder: Path, shard: str) -> None:
    """Remove a shard from a set: the record first, so that no half of it counts as finished."""
    for extension in SHARD_FILES:
        remove_file(shard_file(folder, shard, extension))

"""Files of a set that are whole and lie under a wrong name, such as two shards that were swapped.

A record says whose it is; a tar or an index is known by its length and hash. Each gets its name
back where that is free, or held by a file that is to move as well. Nothing is overwritten, and
nothing lost when the mender is killed half-way: what is set aside is found again by the same marks.

::

    train-00000.tar -> train-00000.tar.aside -> train-00001.tar
    train-00001.tar -> train-00001.tar.aside -> train-00000.tar
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from prep.verify import Findings
from shards.atomic import commit_file
from shards.faults import file_hash
from shards.records import (
    SHARDS,
    DamagedRecord,
    FileHash,
    OtherFormat,
    ShardRecord,
    read_record,
    shard_file,
)

_ASIDE = ".aside"


def give_names_back(found: Findings) -> bool:
    """Rename what is whole and misplaced; whether there was any. UserError when the disk refuses.

    The videos may be gone: rather this than to make shards again.
    """
    moves = _moves(found)
    aside = {
        path: path.with_name(path.name + _ASIDE) for path in moves if path in set(moves.values())
    }
    for path, other in aside.items():
        commit_file(path, other)
    for path, place in moves.items():
        commit_file(aside.get(path, path), place)
    return bool(moves)


def _moves(found: Findings) -> dict[Path, Path]:
    """From where to where, each place once."""
    whole = _whole_files(found)
    files = [path for path in _files(found.folder) if path not in whole]
    records = {name: check.record for name, check in found.shards.items() if check.record}
    places: dict[Path, Path] = {}  # place -> the file that belongs there
    for path in files:
        record = _record(path)
        if record is None:
            continue
        records.setdefault(record.shard, record)
        place = shard_file(found.folder, record.shard, "json")
        if place not in whole and path != place:
            places.setdefault(place, path)
    wanted = dict(_wanted(found.folder, records.values(), whole))
    sizes = {made.bytes for made in wanted}
    for path in files:
        home = wanted.get(_hash(path)) if path.stat().st_size in sizes else None
        if home not in (None, path):
            places.setdefault(home, path)
    return _possible({path: place for place, path in places.items()})


def _whole_files(found: Findings) -> set[Path]:
    """Files that are where they belong."""
    faulty = {fault.place for fault in found.faults}
    names = (
        (shard_file(found.folder, name, extension), f"{SHARDS}/{name}.{extension}")
        for name, check in found.shards.items()
        if check.record
        for extension in ("json", "tar", "idx")
    )
    return {path for path, place in names if place not in faulty}


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted((folder / SHARDS).glob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            yield path


def _record(path: Path) -> ShardRecord | None:
    """The record that a file is, whatever its name."""
    with path.open("rb") as file:
        if not file.read(2).startswith(b'{"'):  # a tar need not be read whole for this
            return None
    try:
        return read_record(path)
    except (DamagedRecord, OtherFormat):
        return None


def _hash(path: Path) -> FileHash:
    made = file_hash(path)
    assert made is not None
    return made


def _wanted(
    folder: Path, records: Iterable[ShardRecord], whole: set[Path]
) -> Iterator[tuple[FileHash, Path]]:
    """Tars and indexes that are not where their records look for them."""
    for record in records:
        for extension, made in (("tar", record.tar), ("idx", record.idx)):
            place = shard_file(folder, record.shard, extension)
            if made is not None and place not in whole:
                yield made, place


def _possible(moves: dict[Path, Path]) -> dict[Path, Path]:
    """The moves whose places are free, or set free by another of them."""
    while True:
        kept = {path: place for path, place in moves.items() if place in moves or not _taken(place)}
        if len(kept) == len(moves):
            return kept
        moves = kept


def _taken(place: Path) -> bool:
    return place.exists() or place.is_symlink()

"""A file of a set held against the length and hash it was written with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shards.records import FileHash

Mend = Literal["shard", "index", "tables", "missing", "subset", "by hand"]

_CHUNK = 4 << 20


@dataclass(frozen=True)
class Fault:
    """Something wrong: where (a path below the set's folder), what, and what mends it."""

    place: str
    what: str
    mend: Mend


def file_hash(path: Path) -> FileHash | None:
    """Length and sha256 of a file, None when it is not there."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        return None
    return FileHash(size, digest.hexdigest())


def file_faults(folder: Path, path: Path, expected: FileHash | None, mend: Mend) -> list[Fault]:
    """At most one fault: a file is not what was written."""
    try:
        found = file_hash(path)
    except OSError as error:
        return [Fault(place_of(folder, path), unreadable(error), "by hand")]
    if found == expected:
        return []
    return [Fault(place_of(folder, path), _difference(found, expected), mend)]


def unreadable(error: OSError) -> str:
    """Why a file cannot be read, and what to do about it."""
    reason = (error.strerror or str(error)).lower()
    return f"cannot be read: {reason}; mend that (rights, disk, what lies there) and verify again"


def _difference(found: FileHash | None, expected: FileHash | None) -> str:
    if found is None:
        return "is not there"
    if expected is None:
        return "should not be there: all clips of the shard were refused"
    if found.bytes != expected.bytes:
        return f"has {found.bytes} bytes, not {expected.bytes}"
    return "has other bytes than were written (sha256 differs)"


def place_of(folder: Path, path: Path) -> str:
    """Where a file lies, below the folder of its set."""
    return path.relative_to(folder).as_posix()

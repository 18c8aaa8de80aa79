"""Is a set whole? Every byte of every shard and table is read again and held against the records.

::

    record   its own hash                        -> damaged: the shard is made again
    tar      length, sha256; on a mismatch every frame's CRC32, to name the clips that are hit
    idx      length, sha256                      -> written anew from a whole tar
    tables   hashes in dataset.json, identity    -> rebuilt from the records
    frames   a sample of them, or all, decoded
subsets  see verify_subsets.py

Nothing is changed here: ``faults`` says what is wrong, ``mend_index`` and ``tables.rebuild_tables``
mend what needs no video, and ``prep shard`` makes the shards again whose records are taken away.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from manifests.errors import UserError
from shards.atomic import atomic_write
from shards.info import DATASET_JSON, load_info
from shards.records import (
    SHARDS,
    DamagedRecord,
    FileHash,
    OtherFormat,
    ShardRecord,
    load_record,
    shard_file,
)
from shards.writer import index_text

Mend = Literal["shard", "index", "tables", "subset", "by hand"]
Decode = Literal["none", "sample", "all"]
FrameCheck = Callable[[bytes, int, int], str | None]

_CHUNK = 4 << 20


@dataclass(frozen=True)
class Fault:
    """Something wrong: where (a path below the set's folder), what, and what mends it."""

    place: str
    what: str
    mend: Mend


@dataclass(frozen=True, eq=False)
class ShardCheck:
    """What one shard was found to be; ``record`` is None where it cannot be read."""

    shard: str
    record: ShardRecord | None
    faults: tuple[Fault, ...]
    frames_decoded: int = 0
    bytes_read: int = 0


def check_shard(
    folder: Path, shard: str, decode: Decode = "sample", frame_check: FrameCheck | None = None
) -> ShardCheck:
    """Read one shard again, byte by byte.

    ``frame_check`` says what is wrong with the bytes of one JPEG that should be so many pixels
    wide and high, or None; it is asked for the middle frame of each clip ("sample") or for every
    frame ("all") of a tar that is whole.
    """
    path = shard_file(folder, shard, "json")
    try:
        record = load_record(path)
    except DamagedRecord as error:
        return ShardCheck(shard, None, (Fault(_place(folder, path), str(error), "shard"),))
    except FileNotFoundError:
        what = "is not there, its tar or index is: the shard was never finished"
        return ShardCheck(shard, None, (Fault(_place(folder, path), what, "shard"),))
    faults = list(_tar_faults(folder, record))
    tar_is_whole = not faults
    faults += _index_faults(folder, record)
    decoded = 0
    if tar_is_whole and record.tar and decode != "none" and frame_check is not None:
        decoded, bad = _decode_faults(folder, record, decode, frame_check)
        faults += bad
    size = sum(file.bytes for file in (record.tar, record.idx) if file)
    return ShardCheck(shard, record, tuple(faults), decoded, size)


def shard_names(folder: Path) -> tuple[str, ...]:
    """Every shard of which a record, a tar or an index lies in the set, in order of name."""
    place = folder / SHARDS
    if not place.is_dir():
        raise UserError(
            f"no shards in {folder}: make them with `prep shard --dataset {folder.name}`, or name "
            "the folder above it with --shards"
        )
    endings = (".json", ".tar", ".idx")
    names = {p.stem for p in place.iterdir() if p.suffix in endings and not p.name.startswith(".")}
    return tuple(sorted(names))


def table_faults(folder: Path, identity: str) -> tuple[Fault, ...]:
    """Hold dataset.json and the tables against each other and against the records' ``identity``.

    Raises OtherFormat when another version of the format wrote dataset.json.
    """
    try:
        info = load_info(folder)
    except OtherFormat:
        raise
    except UserError as error:
        return (Fault(DATASET_JSON, str(error), "tables"),)
    faults = []
    if (folder / DATASET_JSON).read_bytes() != info.to_bytes():
        faults.append(Fault(DATASET_JSON, "has other bytes than were written", "tables"))
    if info.identity != identity:
        faults.append(Fault(DATASET_JSON, "is of another state of the records", "tables"))
    for name, expected in info.tables.items():
        found = file_hash(folder / name)
        if found != expected:
            faults.append(Fault(name, _difference(found, expected), "tables"))
    return tuple(faults)


def mend_index(folder: Path, record: ShardRecord) -> None:
    """Write the index of a whole tar anew; UserError when it is not what the record says."""
    text = index_text(_members(folder, record))
    if record.idx is None or FileHash(len(text), hashlib.sha256(text).hexdigest()) != record.idx:
        raise UserError(f"{record.shard}.tar of {folder} does not give the index it was made with")
    atomic_write(shard_file(folder, record.shard, "idx"), text)


def same_content(records: Mapping[str, ShardRecord]) -> Iterator[tuple[str, str]]:
    """Pairs of clips, by key, of which one trains and one tests in a split, with equal frames.

    Frames are compared by size and CRC32 of all of them. Splits pair by name: ``train1`` with
    ``test1``, ``train`` with ``val`` and ``test``. A clip is paired with one earlier one at most.
    """
    # Of clips that are equal and in the same splits, the first stands for all.
    seen: dict[bytes, dict[frozenset[str], str]] = {}
    for record in records.values():
        for key, splits, digest in _contents(record):
            equal = seen.setdefault(digest, {})
            pairs = (other for mine, other in equal.items() if _trains_and_tests(mine, splits))
            first = next(pairs, None)
            if first is not None:
                yield first, key
            equal.setdefault(splits, key)


def _contents(record: ShardRecord) -> Iterator[tuple[str, frozenset[str], bytes]]:
    clips = record.clips
    flags = {split: clips[f"split_{split}"].to_pylist() for split in record.header.splits}
    for position, key in enumerate(clips["key"].to_pylist()):
        numbers = _frame_numbers(clips, position)
        digest = hashlib.blake2b(numbers["frame_sizes"].tobytes(), digest_size=16)
        digest.update(numbers["frame_crc32"].tobytes())
        yield key, frozenset(s for s, flag in flags.items() if flag[position]), digest.digest()


def _trains_and_tests(one: frozenset[str], other: frozenset[str]) -> bool:
    for a, b in ((one, other), (other, one)):
        for split in a:
            number = split.removeprefix("train")
            if split.startswith("train") and b & {f"test{number}", f"val{number}"}:
                return True
    return False


def _tar_faults(folder: Path, record: ShardRecord) -> Iterator[Fault]:
    path = shard_file(folder, record.shard, "tar")
    found = file_hash(path)
    if found == record.tar:
        return
    yield Fault(_place(folder, path), _difference(found, record.tar), "shard")
    if found is None or record.tar is None:
        return
    with path.open("rb") as tar:
        for position, key in enumerate(record.clips["key"].to_pylist()):
            bad = _bad_frames(tar.fileno(), record.clips, position)
            if bad:
                more = f", as do {len(bad) - 1} more" if len(bad) > 1 else ""
                what = f"clip {key}: frame {bad[0]} fails its CRC32{more}"
                yield Fault(_place(folder, path), what, "shard")


def _bad_frames(fd: int, clips: pa.Table, position: int) -> list[int]:
    numbers = _frame_numbers(clips, position)
    data = os.pread(fd, clips["bytes"][position].as_py(), clips["offset"][position].as_py())
    ends = np.cumsum(numbers["frame_sizes"], dtype=np.int64).tolist()
    starts = [0, *ends[:-1]]
    wanted = numbers["frame_crc32"].tolist()
    frames = enumerate(zip(starts, ends, wanted, strict=True))
    return [n for n, (start, end, crc) in frames if zlib.crc32(data[start:end]) != crc]


def _index_faults(folder: Path, record: ShardRecord) -> Iterator[Fault]:
    path = shard_file(folder, record.shard, "idx")
    found = file_hash(path)
    if found != record.idx:
        yield Fault(_place(folder, path), _difference(found, record.idx), "index")


def _decode_faults(
    folder: Path, record: ShardRecord, decode: Decode, frame_check: FrameCheck
) -> tuple[int, list[Fault]]:
    path = shard_file(folder, record.shard, "tar")
    faults, decoded = [], 0
    fields = ("key", "width", "height", "offset")
    with path.open("rb") as tar:
        for position, clip in enumerate(record.clips.select(fields).to_pylist()):
            key = clip["key"]
            sizes = _frame_numbers(record.clips, position)["frame_sizes"].astype(np.int64)
            starts = clip["offset"] + np.cumsum(sizes) - sizes
            chosen = [len(sizes) // 2] if decode == "sample" else range(len(sizes))
            for number in chosen:
                jpeg = os.pread(tar.fileno(), int(sizes[number]), int(starts[number]))
                what = frame_check(jpeg, clip["width"], clip["height"])
                decoded += 1
                if what is not None:
                    place = _place(folder, path)
                    faults.append(Fault(place, f"clip {key}: frame {number}: {what}", "shard"))
    return decoded, faults


def _members(folder: Path, record: ShardRecord) -> list[list[tuple[str, int, int, str]]]:
    """Extension, offset, bytes and name of the three members of each sample, read from the tar."""
    samples: list[list[tuple[str, int, int, str]]] = []
    with tarfile.open(shard_file(folder, record.shard, "tar"), "r:") as tar:
        for member in tar:
            extension = member.name.rpartition(".")[2]
            if extension == "cls":
                samples.append([])
            samples[-1].append((extension, member.offset_data, member.size, member.name))
    return samples


def _frame_numbers(clips: pa.Table, position: int) -> dict[str, npt.NDArray[np.uint32]]:
    return {
        name: np.asarray(clips[name][position].values, dtype=np.uint32)
        for name in ("frame_sizes", "frame_crc32")
    }


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


def _difference(found: FileHash | None, expected: FileHash | None) -> str:
    if found is None:
        return "is not there"
    if expected is None:
        return "should not be there: all clips of the shard were refused"
    if found.bytes != expected.bytes:
        return f"has {found.bytes} bytes, not {expected.bytes}"
    return "has other bytes than were written (sha256 differs)"


def _place(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()

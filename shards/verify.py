"""Is a set whole? Every byte of every shard and table is read again and held against the records.

::

    record   its own hash                        -> damaged: the shard is made again
    tar      length, sha256; on a mismatch every frame's CRC32, to name the clips that are hit
    idx      length, sha256                      -> written anew from a whole tar
    tables   hashes in dataset.json, identity    -> rebuilt from the records
    missing  missing.csv, as the tables          -> written anew from the official list
    frames   a sample of them, or all, decoded

Subsets and descriptions: verify_subsets.py, verify_descriptions.py.

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
from shards.faults import Fault, Mend, file_faults, place_of, unreadable
from shards.info import DATASET_JSON, MISSING, load_info
from shards.records import (
    SHARDS,
    DamagedRecord,
    FileHash,
    OtherFormat,
    ShardRecord,
    load_record,
    shard_file,
)
from shards.schema import shard_of_file
from shards.tables import FRAMES, REJECTS, SAMPLES
from shards.writer import index_text

Decode = Literal["none", "sample", "all"]
FrameCheck = Callable[[bytes, int, int], str | None]

_MENDS: dict[str, Mend] = {MISSING: "missing"}


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
        return ShardCheck(shard, None, (Fault(place_of(folder, path), str(error), "shard"),))
    except FileNotFoundError:
        what = "is not there, its tar or index is: the shard was never finished"
        return ShardCheck(shard, None, (Fault(place_of(folder, path), what, "shard"),))
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
        if (folder / DATASET_JSON).exists():  # that still tells which shards there were
            return ()
        raise UserError(
            f"no shards in {folder}: make them with `prep shard --dataset {folder.name}`, or name "
            "the folder above it with --shards"
        )
    return tuple(sorted({name for path in place.iterdir() if (name := shard_of_file(path.name))}))


def table_faults(folder: Path, identity: str) -> tuple[Fault, ...]:
    """Hold dataset.json and the tables against each other and against the records' ``identity``.

    Raises OtherFormat when another version of the format wrote dataset.json.
    """
    try:
        info = load_info(folder)
    except OtherFormat:
        raise
    except UserError as error:
        there = (folder / DATASET_JSON).exists()
        face = Fault(DATASET_JSON, str(error) if there else "is not there", "tables")
        return (face, *_lost_tables(folder))
    except OSError as error:
        return (Fault(DATASET_JSON, unreadable(error), "by hand"), *_lost_tables(folder))
    faults = []
    if (folder / DATASET_JSON).read_bytes() != info.to_bytes():
        faults.append(Fault(DATASET_JSON, "has other bytes than were written", "tables"))
    if info.identity != identity:
        faults.append(Fault(DATASET_JSON, "is of another state of the records", "tables"))
    for name, expected in info.tables.items():
        faults += file_faults(folder, folder / name, expected, _MENDS.get(name, "tables"))
    return tuple(faults)


def _lost_tables(folder: Path) -> Iterator[Fault]:
    """Tables that are plainly not what was written, where nothing tells their hashes."""
    for name in (SAMPLES, REJECTS, FRAMES):
        path = folder / name
        if not path.is_file():
            yield Fault(name, "is not there", "tables")
        elif not path.stat().st_size:
            yield Fault(name, "is empty", "tables")


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
    faults = file_faults(folder, path, record.tar, "shard")
    yield from faults
    if not (faults and path.is_file() and record.tar):
        return
    with path.open("rb") as tar:
        for position, key in enumerate(record.clips["key"].to_pylist()):
            bad = _bad_frames(tar.fileno(), record.clips, position)
            if bad:
                more = f", as do {len(bad) - 1} more" if len(bad) > 1 else ""
                what = f"clip {key}: frame {bad[0]} fails its CRC32{more}"
                yield Fault(place_of(folder, path), what, "shard")


def _bad_frames(fd: int, clips: pa.Table, position: int) -> list[int]:
    numbers = _frame_numbers(clips, position)
    data = os.pread(fd, clips["bytes"][position].as_py(), clips["offset"][position].as_py())
    ends = np.cumsum(numbers["frame_sizes"], dtype=np.int64).tolist()
    starts = [0, *ends[:-1]]
    wanted = numbers["frame_crc32"].tolist()
    frames = enumerate(zip(starts, ends, wanted, strict=True))
    return [n for n, (start, end, crc) in frames if zlib.crc32(data[start:end]) != crc]


def _index_faults(folder: Path, record: ShardRecord) -> Iterator[Fault]:
    yield from file_faults(folder, shard_file(folder, record.shard, "idx"), record.idx, "index")


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
                    place = place_of(folder, path)
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

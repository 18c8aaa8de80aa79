"""Which clip goes to which shard, and which shards are still to be made: pure functions.

Placement depends on the official list and the settings alone, never on which files are there::

    shard = hash(video) mod ceil(clips of the partition / clips_per_shard)

so clips of one video share a shard and are decoded once, an absent file leaves a gap, and a later
download makes only its own shards again. Every machine computes the same plan: a pool of processes,
Ray and the jobs of an array (``take_part``) complete one set in any mixture.

Resume, parts, verification and repair all ask ``shards_to_make``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from manifests.errors import UserError
from shards.records import DatasetHeader, ShardRecord
from shards.schema import (
    CLIP_FIELDS,
    FORMAT_VERSION,
    PARTITIONS,
    Clip,
    check_clips,
    clip_rows,
    split_names,
)

MakeReason = Literal["new", "plan", "fingerprint", "inputs", "tar", "idx", "rejects"]


@dataclass(frozen=True, eq=False)
class PlannedShard:
    """A shard of the plan.

    ``positions`` int64 (n,) are rows of the plan's table, by ascending official row; ``hash``
    covers their content (not where their files lie) and the header: another hash, another shard.
    """

    name: str
    positions: npt.NDArray[np.int64]
    hash: str


@dataclass(frozen=True)
class ShardTask:
    """The work of one worker: the clips of one shard whose files are there, in order of row.

    ``planned`` counts all clips of the shard, ``inputs`` gives the bytes of each present file.
    """

    shard: str
    plan_hash: str
    planned: int
    clips: tuple[Clip, ...]
    inputs: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class ShardPlan:
    """All shards of a set, in order of name; ``clips`` is the whole table of clips."""

    header: DatasetHeader
    clips: pa.Table
    shards: tuple[PlannedShard, ...]

    @cached_property
    def by_name(self) -> Mapping[str, PlannedShard]:
        """The shards by name."""
        return {shard.name: shard for shard in self.shards}

    def inputs(self, shard: PlannedShard, sizes: Mapping[str, int]) -> dict[str, int]:
        """Present files of a shard and their bytes, as a record of it would say."""
        files = {self._files[position] for position in shard.positions.tolist()}
        return {file: sizes[file] for file in sorted(f for f in files if f is not None)}

    def task(self, name: str, sizes: Mapping[str, int]) -> ShardTask:
        """The task that makes shard ``name``; ``sizes`` maps every present file to its bytes."""
        shard = self.by_name[name]
        clips = clip_rows(self.clips.take(pa.array(shard.positions)))
        present = tuple(clip for clip in clips if clip.file is not None)
        return ShardTask(name, shard.hash, len(shard.positions), present, self.inputs(shard, sizes))

    @cached_property
    def _files(self) -> list[str | None]:
        files = self.clips["file"].to_pylist()
        return [None if file is None else sys.intern(file) for file in files]


@dataclass(frozen=True)
class ToMake:
    """A shard that is to be made, and why.

    ``vanished`` names files that its present record was made from and that are gone: making it
    again would lose their clips.
    """

    shard: str
    reason: MakeReason
    vanished: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pending:
    """What is to be made, in order of name; and records that no shard of the plan answers to."""

    make: tuple[ToMake, ...]
    surplus: tuple[str, ...]


def plan_shards(clips: pa.Table, clips_per_shard: int, header: DatasetHeader) -> ShardPlan:
    """Place every clip of the official list; shards that no clip falls into are left out.

    Raises UserError when the table of clips has not the form of ``schema.py`` or its classes and
    splits are not those of the header.
    """
    check_clips(clips)
    _check_header(clips, header)
    if clips_per_shard < 1:
        raise UserError(f"a shard cannot hold {clips_per_shard} clips: at least 1")
    partitions = clips["partition"].combine_chunks()
    videos = _video_hashes(clips["video"])
    names = np.empty(len(clips), dtype=np.int64)
    titles: list[str] = []
    for partition in PARTITIONS:
        mine = np.asarray(pa.compute.equal(partitions, partition))
        count = -(-int(mine.sum()) // clips_per_shard)
        if count:
            names[mine] = len(titles) + (videos[mine] % np.uint64(count)).astype(np.int64)
            titles.extend(f"{partition}-{number:05d}" for number in range(count))
    order = np.lexsort((np.asarray(clips["row"]), names)).astype(np.int64)
    ends = np.searchsorted(names[order], np.arange(len(titles) + 1))
    hashes = _hash_slices(clips.take(pa.array(order)), ends, header)
    shards = [
        PlannedShard(title, order[start:stop], digest)
        for title, start, stop, digest in zip(titles, ends[:-1], ends[1:], hashes, strict=True)
        if stop > start
    ]
    return ShardPlan(header, clips, tuple(sorted(shards, key=lambda shard: shard.name)))


def shards_to_make(
    plan: ShardPlan,
    records: Mapping[str, ShardRecord],
    sizes: Mapping[str, int],
    on_disk: Mapping[str, int],
    fingerprint: str,
    *,
    retry_rejects: bool = False,
    keep_other_fingerprints: bool = False,
) -> Pending:
    """Compare records with the plan; a shard whose record fits is never made again.

    A record fits when plan hash, fingerprint and inputs (``sizes``: present file -> bytes) agree
    with it and its tar and index are there in their lengths (``on_disk``, see
    ``records.sizes_on_disk``). A file that vanished since is no reason by itself: raw videos may be
    deleted once they are sharded. A shard without any present file is left alone.
    """
    make = []
    for shard in plan.shards:
        record = records.get(shard.name)
        inputs = plan.inputs(shard, sizes)
        if record is None:
            if inputs:
                make.append(ToMake(shard.name, "new"))
            continue
        other = record.fingerprint != fingerprint and not keep_other_fingerprints
        retry = retry_rejects and bool(record.rejects)
        reason = _misfit(record, shard.hash, inputs, on_disk, other=other, retry=retry)
        if reason is not None:
            vanished = tuple(sorted(set(record.inputs) - set(inputs)))
            make.append(ToMake(shard.name, reason, vanished))
    return Pending(tuple(make), tuple(sorted(set(records) - set(plan.by_name))))


def take_part(plan: ShardPlan, part: int, parts: int) -> tuple[str, ...]:
    """Names of the shards of part ``part`` (from 1) of ``parts``: each ``parts``-th of the plan."""
    if not 1 <= part <= parts:
        raise UserError(f"there is no part {part}/{parts}: parts count from 1/{parts}")
    return tuple(shard.name for shard in plan.shards[part - 1 :: parts])


def _check_header(clips: pa.Table, header: DatasetHeader) -> None:
    if split_names(clips) != header.splits:
        raise UserError(f"the clips have splits {split_names(clips)}, the header {header.splits}")
    pairs = clips.group_by(["class_id", "class_name"]).aggregate([]).to_pylist()
    names = (*header.classes, "")  # -1, "no label published", has the empty name
    for pair in pairs:
        number, name = pair["class_id"], pair["class_name"]
        if not -1 <= number < len(header.classes) or names[number] != name:
            raise UserError(f"the class list of {header.benchmark} has no class {number} {name!r}")


def _misfit(
    record: ShardRecord,
    plan_hash: str,
    inputs: Mapping[str, int],
    on_disk: Mapping[str, int],
    *,
    other: bool,
    retry: bool,
) -> MakeReason | None:
    if record.plan_hash != plan_hash:
        return "plan"
    if other:
        return "fingerprint"
    if any(record.inputs.get(file) != size for file, size in inputs.items()):
        return "inputs"
    if record.tar and on_disk.get(f"{record.shard}.tar") != record.tar.bytes:
        return "tar"
    if record.idx and on_disk.get(f"{record.shard}.idx") != record.idx.bytes:
        return "idx"
    return "rejects" if retry else None


def _video_hashes(videos: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    coded = videos.combine_chunks().dictionary_encode()
    digests = b"".join(
        hashlib.blake2b(video.encode(), digest_size=8).digest()
        for video in coded.dictionary.to_pylist()
    )
    hashes = np.frombuffer(digests, dtype="<u8").astype(np.uint64)
    return hashes[np.asarray(coded.indices)] if len(hashes) else hashes


def _hash_slices(clips: pa.Table, ends: npt.NDArray[np.int64], header: DatasetHeader) -> list[str]:
    """Sha256 of header and rows of each slice ends[i]:ends[i+1], column by column."""
    head = json.dumps({**header.as_json(), "format": FORMAT_VERSION}, sort_keys=True)
    digests = [hashlib.sha256(head.encode()) for _ in ends[1:]]
    names = [name for name in CLIP_FIELDS if name != "file"]
    names += [f"split_{split}" for split in header.splits]
    for name in names:
        column = clips[name].combine_chunks()
        if column.type == pa.string():
            _update_text(digests, column, ends)
        else:
            numbers = np.asarray(column.cast(pa.float64()).fill_null(float("nan")), dtype="<f8")
            for digest, start, stop in zip(digests, ends[:-1], ends[1:], strict=True):
                digest.update(numbers[start:stop].tobytes())
    return [digest.hexdigest() for digest in digests]


def _update_text(
    digests: list[hashlib._Hash], column: pa.StringArray, ends: npt.NDArray[np.int64]
) -> None:
    """Feed lengths, then letters, of the strings of each slice."""
    _, offsets, data = column.buffers()
    begins = np.frombuffer(offsets, dtype=np.int32)[column.offset :][: len(column) + 1]
    letters = memoryview(data) if data is not None else memoryview(b"")
    lengths = np.diff(begins).astype("<u4")
    for digest, start, stop in zip(digests, ends[:-1], ends[1:], strict=True):
        digest.update(lengths[start:stop].tobytes())
        digest.update(letters[begins[start] : begins[stop]])

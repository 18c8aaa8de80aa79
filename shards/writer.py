"""One shard onto the disk: a streamed USTAR tar, its DALI index, and last its record.

A sample is three members, the same three for every sample, in this order::

    000017_v_archery_g01_c02.cls    "2": official class id in ASCII, -1 where no label is published
    000017_v_archery_g01_c02.json   names, splits, fps, sizes and numbers of the frames
    000017_v_archery_g01_c02.mjpg   the JPEGs end to end

Equal clips give equal bytes: no times, no owners, members in the order of their keys, headers made
by Python's ``tarfile`` in USTAR form (DALI refuses PAX). ``webdataset.TarWriter`` would write the
same blocks, but importing it imports torch, and workers that decode should not pay for that.

The old record goes before the new tar gets its name, and the new record comes after everything is
synced: whenever the process dies, a record on disk speaks of the tar beside it.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from shards.atomic import StagedFile, atomic_write, remove_file, staged
from shards.plan import ShardTask
from shards.records import DatasetHeader, FileHash, ShardRecord, record_schema, shard_file
from shards.schema import Clip, EncodedClip, Reject

_BLOCK = tarfile.BLOCKSIZE


def write_shard(
    folder: Path,
    task: ShardTask,
    header: DatasetHeader,
    fingerprint: str,
    outcomes: Iterable[EncodedClip | Reject],
) -> ShardRecord:
    """Write one shard below the folder of a set, replacing any earlier one, and return its record.

    ``outcomes`` gives one outcome for each clip of the task, in the task's order; one clip is in
    memory at a time. An exception raised by it leaves the disk as it was. Raises UserError, in one
    line, when the disk is full or fails. A shard whose clips are all refused has no tar.
    """
    tar_path = shard_file(folder, task.shard, "tar")
    idx_path = shard_file(folder, task.shard, "idx")
    with staged(tar_path) as file:
        tar = _TarStream(file, header)
        rejects = _write_outcomes(tar, task, outcomes)
        tar.close()
        if not tar.samples:
            file.discard()
        remove_file(shard_file(folder, task.shard, "json"))
    idx = index_text(tar.members)
    if tar.samples:
        atomic_write(idx_path, idx)
    else:
        remove_file(tar_path)
        remove_file(idx_path)
    record = ShardRecord(
        header=header,
        shard=task.shard,
        fingerprint=fingerprint,
        plan_hash=task.plan_hash,
        planned=task.planned,
        tar=tar.hash() if tar.samples else None,
        idx=FileHash(len(idx), hashlib.sha256(idx).hexdigest()) if tar.samples else None,
        clips=pa.Table.from_pylist(tar.samples, schema=record_schema(header.splits)),
        rejects=tuple(rejects),
        inputs=dict(task.inputs),
    )
    record.save(folder)
    return record


def _write_outcomes(
    tar: _TarStream, task: ShardTask, outcomes: Iterable[EncodedClip | Reject]
) -> list[Reject]:
    rejects = []
    for clip, outcome in zip(task.clips, outcomes, strict=True):
        if isinstance(outcome, Reject):
            if outcome.key != clip.key:
                raise ValueError(f"{task.shard}: outcome of {outcome.key} in place of {clip.key}")
            rejects.append(outcome)
        elif outcome.clip != clip:
            raise ValueError(f"{task.shard}: outcome of {outcome.clip.key} instead of {clip.key}")
        else:
            tar.add(outcome)
    return rejects


class _TarStream:
    """A tar that grows by one sample at a time, and what the index and the record say of it."""

    def __init__(self, file: StagedFile, header: DatasetHeader) -> None:
        self._file = file
        self._header = header
        self.samples: list[dict[str, Any]] = []
        self.members: list[list[tuple[str, int, int, str]]] = []

    def add(self, encoded: EncodedClip) -> None:
        """Append the three members of one clip, in one write."""
        clip = encoded.clip
        for number, frame in enumerate(encoded.frames):
            if not (frame.startswith(b"\xff\xd8") and frame.endswith(b"\xff\xd9")):
                raise ValueError(f"{clip.key}: frame {number} is not a whole JPEG")
        contents = {
            "cls": str(clip.class_id).encode(),
            "json": _sample_json(encoded, self._header),
            "mjpg": b"".join(encoded.frames),
        }
        start = self._file.tell()
        blocks, places = bytearray(), []
        for extension, data in contents.items():
            name = f"{clip.key}.{extension}"
            blocks += _member_header(name, len(data))
            places.append((extension, start + len(blocks), len(data), name))
            blocks += data
            blocks += bytes(-len(data) % _BLOCK)
        self._file.write(blocks)
        self.members.append(places)
        self.samples.append(_sample_row(encoded, self._header, places[-1][1], places[-1][2]))

    def close(self) -> None:
        """End the archive as tar does: two empty blocks, filled up to a record of 20 blocks."""
        end = self._file.tell() + 2 * _BLOCK
        self._file.write(bytes(2 * _BLOCK + -end % tarfile.RECORDSIZE))

    def hash(self) -> FileHash:
        """Length and sha256 of what was written."""
        return FileHash(self._file.tell(), self._file.sha256())


def _member_header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o444
    return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")


def _sample_json(encoded: EncodedClip, header: DatasetHeader) -> bytes:
    """The .json member: every key in every sample, never null, as schema inference wants it.

    ``start`` is 0 and ``end`` -1 (the end of the file) for a clip that is a whole file.
    """
    clip = encoded.clip
    content = {
        "key": clip.key,
        "row": clip.row,
        "name": clip.name,
        "benchmark": header.benchmark,
        "class_id": clip.class_id,
        "class_name": clip.class_name,
        "partition": clip.partition,
        "splits": {split: split in clip.splits for split in header.splits},
        "start": 0.0 if clip.start is None else float(clip.start),
        "end": -1.0 if clip.end is None else float(clip.end),
        "fps": float(encoded.fps),
        "width": encoded.width,
        "height": encoded.height,
        "source_frame_count": encoded.source_frame_count,
        "decode_errors": encoded.decode_errors,
        "frame_sizes": [len(frame) for frame in encoded.frames],
        "source_frames": list(encoded.source_frames),
    }
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode("ascii")


def _sample_row(
    encoded: EncodedClip, header: DatasetHeader, offset: int, size: int
) -> dict[str, Any]:
    clip: Clip = encoded.clip
    row = {name: value for name, value in vars(clip).items() if name != "splits"}
    row |= {f"split_{split}": split in clip.splits for split in header.splits}
    return row | {
        "frames": len(encoded.frames),
        "source_frame_count": encoded.source_frame_count,
        "fps": float(encoded.fps),
        "width": encoded.width,
        "height": encoded.height,
        "decode_errors": encoded.decode_errors,
        "offset": offset,
        "bytes": size,
        "frame_sizes": [len(frame) for frame in encoded.frames],
        "frame_crc32": [zlib.crc32(frame) for frame in encoded.frames],
        "source_frames": list(encoded.source_frames),
    }


def index_text(members: list[list[tuple[str, int, int, str]]]) -> bytes:
    """DALI's index, v1.2: a count, then one line a sample of "extension offset bytes name"s.

    ``members`` gives, for each sample, its three members in that form.
    """
    lines = [f"v1.2 {len(members)}"]
    for places in members:
        lines.append(
            " ".join(f"{ext} {offset} {size} {name}" for ext, offset, size, name in places)
        )
    return ("\n".join(lines) + "\n").encode("ascii")

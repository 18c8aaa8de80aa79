"""The record of a shard: what its tar holds, written last, and the truth of the whole set.

``shards/train-00000.json`` is one line of JSON::

    {"sha256": "<hash of the rest>", "benchmark": ..., "classes": [...], "splits": [...],
     "settings": {...}, "format": 1, "shard": "train-00000", "fingerprint": ..., "plan": ...,
     "planned": 240, "tar": {"bytes": ..., "sha256": ...}, "idx": {...},
     "clips": {"row": [...], ..., "frame_sizes": "<base64>", ...}, "rejects": [...],
     "inputs": {"ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi": 362004}}

``sha256`` comes first and covers every byte after it, in this and in any later format: a record
that was cut or changed is told from one that a newer version wrote. ``tar`` and ``idx`` are null
when all clips were refused. The three numbers of each frame are little-endian uint32 in base64.

A shard counts as finished when its record is there; every table of the set is rebuilt from the
records alone, and the hash of the records is the identity of the set.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.errors import UserError
from shards.atomic import atomic_write
from shards.schema import (
    CLIP_FIELDS,
    FORMAT_VERSION,
    SPLIT_PREFIX,
    Reject,
)

SHARDS = "shards"

STORED_FIELDS: dict[str, pa.DataType] = {
    "frames": pa.int32(),
    "source_frame_count": pa.int32(),
    "fps": pa.float64(),
    "width": pa.int32(),
    "height": pa.int32(),
    "decode_errors": pa.int32(),
    "offset": pa.int64(),
    "bytes": pa.int64(),
}
FRAME_FIELDS = ("frame_sizes", "frame_crc32", "source_frames")

_HASH_START = b'{"sha256":"'
_BODY_START = len(_HASH_START) + 64 + len('",')


@dataclass(frozen=True)
class DatasetHeader:
    """What all shards of a set share: class names by official id, official splits, settings.

    ``settings`` are the encode settings as JSON values, such as {"short_side": 256}.
    """

    benchmark: str
    classes: tuple[str, ...]
    splits: tuple[str, ...]
    settings: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The header as it stands in a record and in dataset.json."""
        return {
            "benchmark": self.benchmark,
            "classes": list(self.classes),
            "splits": list(self.splits),
            "settings": dict(self.settings),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> DatasetHeader:
        """The header inside a record or dataset.json."""
        return cls(
            data["benchmark"],
            tuple(map(sys.intern, data["classes"])),  # four thousand records name the same ones
            tuple(data["splits"]),
            data["settings"],
        )


@dataclass(frozen=True)
class FileHash:
    """Length in bytes and sha256 (hex) of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, eq=False)
class ShardRecord:
    """One finished shard.

    ``clips`` has a row a stored clip, ascending by official row: the columns of the table of
    clips, those of ``STORED_FIELDS``, and the lists of ``FRAME_FIELDS`` (list<uint32>, one number
    a stored frame: bytes, CRC32, number of the source frame). ``offset`` is where in the tar the
    clip's JPEGs begin, ``bytes`` how long they are together. ``plan_hash`` and ``inputs`` (file
    below the raw folder -> bytes) tell whether the shard still fits a plan. One that was read for
    a few columns alone has no others, and cannot be saved.
    """

    header: DatasetHeader
    shard: str
    fingerprint: str
    plan_hash: str
    planned: int
    tar: FileHash | None
    idx: FileHash | None
    clips: pa.Table
    rejects: tuple[Reject, ...]
    inputs: Mapping[str, int]

    def to_bytes(self) -> bytes:
        """The record as it stands on disk; equal records give equal bytes."""
        body = _canonical(
            {
                **self.header.as_json(),
                "format": FORMAT_VERSION,
                "shard": self.shard,
                "fingerprint": self.fingerprint,
                "plan": self.plan_hash,
                "planned": self.planned,
                "tar": asdict(self.tar) if self.tar else None,
                "idx": asdict(self.idx) if self.idx else None,
                "clips": _columns(self.clips),
                "rejects": [asdict(reject) for reject in self.rejects],
                "inputs": dict(self.inputs),
            }
        )[1:]
        return _HASH_START + hashlib.sha256(body).hexdigest().encode() + b'",' + body

    @cached_property
    def sha256(self) -> str:
        """Hash of everything the record says; of a record that was read, the one it bears."""
        return self.to_bytes()[len(_HASH_START) :][:64].decode()

    def bare(self) -> ShardRecord:
        """The record with the rows of its clips alone, and no inputs, under the hash it bears."""
        found = replace(self, clips=self.clips.select(["row"]), inputs={})
        vars(found)["sha256"] = self.sha256
        return found

    def save(self, folder: Path) -> None:
        """Write the record below the folder of a set: from now on the shard counts as finished."""
        atomic_write(shard_file(folder, self.shard, "json"), self.to_bytes())


class DamagedRecord(UserError):  # noqa: N818
    """A record that was cut or changed after it was written: as good as no record."""


class OtherFormat(UserError):  # noqa: N818
    """A whole file that another version of the format wrote: nothing here may touch it."""


def shard_file(folder: Path, shard: str, extension: str) -> Path:
    """Place of a shard's "tar", "idx" or "json" below the folder of a set."""
    return folder / SHARDS / f"{shard}.{extension}"


def load_record(path: Path, columns: Collection[str] | None = None) -> ShardRecord:
    """Read the record of the shard that the file is named after; see ``read_record``.

    Raises DamagedRecord when its bytes are not those that were written or it is that of another
    shard, OtherFormat when another version of the format wrote it.
    """
    record = read_record(path, columns)
    if record.shard != path.stem:
        raise DamagedRecord(
            f"record {path} is that of {record.shard}: `prep verify --repair` gives swapped and "
            "renamed files their names back; a copy is to be taken away"
        )
    return record


def read_record(path: Path, columns: Collection[str] | None = None) -> ShardRecord:
    """Read a record whatever its file is called, of its clips the named columns; None for all.

    Raises as ``load_record``.
    """
    data = path.read_bytes()
    body = data[_BODY_START:]
    found = hashlib.sha256(body).hexdigest()
    if data[:_BODY_START] != _HASH_START + found.encode() + b'",':
        raise DamagedRecord(f"record {path} is damaged: `prep shard` makes this shard again")
    content = json.loads(b"{" + body)
    check_format(content, path)
    record = _from_json(content, columns)
    vars(record)["sha256"] = found  # to hash a million clips again takes seconds
    return record


def check_format(content: Mapping[str, Any], path: Path | str) -> None:
    """Refuse, by name, what another version of the format wrote: raises OtherFormat."""
    if content.get("format") != FORMAT_VERSION:
        raise OtherFormat(
            f"{path} has format version {content.get('format')!r}, this program reads version "
            f"{FORMAT_VERSION}: use the program that wrote it, or make the set again elsewhere"
        )


@cache
def record_schema(splits: tuple[str, ...]) -> pa.Schema:
    """Columns of ``ShardRecord.clips`` for a set with these official splits."""
    lists = pa.list_(pa.uint32())
    return pa.schema(
        [
            *CLIP_FIELDS.items(),
            *((SPLIT_PREFIX + split, pa.bool_()) for split in splits),
            *STORED_FIELDS.items(),
            *((name, lists) for name in FRAME_FIELDS),
        ]
    )


def _columns(clips: pa.Table) -> dict[str, Any]:
    return {
        name: _pack(clips[name]) if name in FRAME_FIELDS else clips[name].to_pylist()
        for name in clips.column_names
    }


def _pack(column: pa.ChunkedArray) -> str:
    numbers = np.asarray(pa.compute.list_flatten(column), dtype="<u4")
    return base64.b64encode(numbers.tobytes()).decode("ascii")


def _from_json(content: dict[str, Any], columns: Collection[str] | None) -> ShardRecord:
    header = DatasetHeader.from_json(content)
    kept = [f for f in record_schema(header.splits) if columns is None or f.name in columns]
    arrays = [_unpacked(content["clips"], field) for field in kept]
    return ShardRecord(
        header=header,
        shard=content["shard"],
        fingerprint=content["fingerprint"],
        plan_hash=content["plan"],
        planned=content["planned"],
        tar=FileHash(**content["tar"]) if content["tar"] else None,
        idx=FileHash(**content["idx"]) if content["idx"] else None,
        clips=pa.Table.from_arrays(arrays, schema=pa.schema(kept)),
        rejects=tuple(Reject(**reject) for reject in content["rejects"]),
        inputs={sys.intern(file): size for file, size in content["inputs"].items()},
    )


def _unpacked(columns: dict[str, Any], field: pa.Field) -> pa.Array:
    if field.name not in FRAME_FIELDS:
        return pa.array(columns[field.name], field.type)
    ends = np.cumsum([0, *columns["frames"]], dtype=np.int32)
    numbers = np.frombuffer(base64.b64decode(columns[field.name]), dtype="<u4")
    return pa.ListArray.from_arrays(ends, numbers.astype(np.uint32))


def _canonical(content: Mapping[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"

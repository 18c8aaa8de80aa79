"""What a clip is on its way from an official list to a shard: one row, one key, one outcome.

The table of clips has one row for every clip that the official annotation names, whether its file
is there or not::

    row         int64     official row number, from 0, unique
    key         string    make_key(row, stem): the name of the sample in its tar
    name        string    official name, with all of its !()&;+@[]~
    video       string    identity of the source video: clips of one video share it, and a shard
    file        string    path below the raw folder as found; null when the file is absent
    class_id    int32     official class id, -1 where no label is published
    class_name  string    official class name, "" where no label is published
    start, end  float64   seconds into the file; null for the whole file
    partition   string    "all", "train", "val" or "test": the first word of the shard's name
    split_*     bool      one column an official split: split_train1, split_val, ...

Everything below is columnar; ``Clip`` is one row of it, for the worker that decodes one shard.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

import pyarrow as pa

from manifests.errors import UserError

FORMAT_VERSION = 1

SPLIT_PREFIX = "split_"
PARTITIONS = ("all", "train", "val", "test")
SHARD_FILES = ("json", "tar", "idx")
KEY_LENGTH = 80

CLIP_FIELDS: dict[str, pa.DataType] = {
    "row": pa.int64(),
    "key": pa.string(),
    "name": pa.string(),
    "video": pa.string(),
    "file": pa.string(),
    "class_id": pa.int32(),
    "class_name": pa.string(),
    "start": pa.float64(),
    "end": pa.float64(),
    "partition": pa.string(),
}
_SHARD_NAME = re.compile(rf"({'|'.join(PARTITIONS)})-\d{{5,}}")
_MAY_BE_NULL = ("file", "start", "end")

RejectReason = Literal[
    "unreadable",
    "no-video-stream",
    "encrypted",
    "no-frame",
    "truncated",
    "listed-twice",
    "time-limit",
]
REJECT_REASONS: tuple[str, ...] = get_args(RejectReason)


@dataclass(frozen=True)
class Clip:
    """One row of the table of clips; ``splits`` names the official splits it belongs to."""

    row: int
    key: str
    name: str
    video: str
    file: str | None
    class_id: int
    class_name: str
    start: float | None
    end: float | None
    partition: str
    splits: tuple[str, ...]


@dataclass(frozen=True)
class EncodedClip:
    """A clip decoded to its end: its JPEGs and where in the source each of them came from.

    ``frames`` are baseline JPEGs of ``width`` x ``height`` pixels; ``source_frames`` gives, for
    each of them, the number of the source frame from 0, ascending; ``source_frame_count`` counts
    all frames of the clip; ``decode_errors`` those the decoder complained of.
    """

    clip: Clip
    frames: tuple[bytes, ...]
    source_frames: tuple[int, ...]
    source_frame_count: int
    fps: float
    width: int
    height: int
    decode_errors: int = 0

    def __post_init__(self) -> None:
        numbers = self.source_frames
        if not self.frames or len(self.frames) != len(numbers):
            raise ValueError(f"{self.clip.key}: {len(self.frames)} frames, {len(numbers)} numbers")
        if any(a >= b for a, b in itertools.pairwise(numbers)):
            raise ValueError(f"{self.clip.key}: source frame numbers do not ascend")
        if numbers[0] < 0 or numbers[-1] >= self.source_frame_count:
            raise ValueError(f"{self.clip.key}: source frames outside 0..{self.source_frame_count}")


@dataclass(frozen=True)
class Reject:
    """A clip whose file is there and was refused: why, in one word, and in the decoder's words.

    ``detail`` ends up in the hash of the set: no absolute paths, times or process numbers in it.
    """

    row: int
    key: str
    name: str
    file: str
    reason: RejectReason
    detail: str


def key_width(clips: int) -> int:
    """Digits of the row number in the keys of a list of ``clips`` rows: at least six."""
    return max(6, len(str(clips - 1)))


def make_key(row: int, stem: str, width: int) -> str:
    """Name of a sample: the zero-padded row, an underscore, the stem in plain lower case.

    ASCII, at most 80 characters, starts with a digit, holds no dot or slash: Hugging Face drops
    members that begin with ``__``, WebDataset cuts at the first dot. YouTube ids that differ only
    by case stay apart by their row.
    """
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    return f"{row:0{width}d}_{re.sub(r'[^a-z0-9_-]', '_', plain)}"[:KEY_LENGTH]


def shard_of_file(name: str) -> str | None:
    """The shard that a file below ``shards/`` is of, by its name; None for a foreign file."""
    shard, _, extension = name.rpartition(".")
    mine = extension in SHARD_FILES and _SHARD_NAME.fullmatch(shard)
    return shard if mine else None


def split_names(clips: pa.Table) -> tuple[str, ...]:
    """Official splits of a table of clips in the order of its columns: ("train1", "test1")."""
    return tuple(
        name.removeprefix(SPLIT_PREFIX)
        for name in clips.column_names
        if name.startswith(SPLIT_PREFIX)
    )


def check_clips(clips: pa.Table) -> None:
    """Hold a table of clips to the form above; UserError names the first thing that is wrong."""
    for name, kind in CLIP_FIELDS.items():
        if name not in clips.column_names:
            raise UserError(f"the table of clips has no column {name!r}")
        column = clips[name]
        if column.type != kind:
            raise UserError(f"column {name!r} of the clips holds {column.type}, not {kind}")
        if column.null_count and name not in _MAY_BE_NULL:
            raise UserError(f"column {name!r} of the clips has {column.null_count} empty cells")
    for split in split_names(clips):
        column = clips[SPLIT_PREFIX + split]
        if column.type != pa.bool_() or column.null_count:
            raise UserError(f"column split_{split} of the clips must be true or false throughout")
    _check_unique(clips, "row")
    _check_unique(clips, "key")
    unknown = set(clips["partition"].unique().to_pylist()) - set(PARTITIONS)
    if unknown:
        raise UserError(f"unknown partitions {sorted(unknown)}: use {', '.join(PARTITIONS)}")


def clip_rows(clips: pa.Table) -> list[Clip]:
    """The rows of a table of clips, or of a slice of it, as records."""
    splits = split_names(clips)
    flags = [clips[SPLIT_PREFIX + split].to_pylist() for split in splits]
    return [
        Clip(
            **fields,
            splits=tuple(s for s, flag in zip(splits, flags, strict=True) if flag[position]),
        )
        for position, fields in enumerate(clips.select(list(CLIP_FIELDS)).to_pylist())
    ]


def _check_unique(clips: pa.Table, name: str) -> None:
    counts = clips[name].value_counts()
    if len(counts) == len(clips):
        return
    twice = next(item["values"] for item in counts.to_pylist() if item["counts"] > 1)
    raise UserError(f"column {name!r} of the clips holds {twice!r} more than once")

"""A set to be made, before anything is written: source, place, plan, settings, consent."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from manifests.errors import UserError
from prep.benchmarks import RawSource
from prep.folders import overlap
from prep.text import count
from prep.video.framefolder import folder_bytes
from prep.video.settings import EncodeSettings, Limits, fingerprint
from shards.plan import ShardPlan, plan_shards, take_part
from shards.records import DatasetHeader

_MOST_CLIPS = 256
_LEAST_CLIPS = 8
_WANTED_SHARDS = 64
_STAT_THREADS = 16
_STAT_CHUNK = 500


@dataclass(frozen=True)
class Consent:
    """What a run may do to shards that are finished: nothing, unless it is told to.

    ``retry_rejects`` makes shards with refused clips again, ``remake`` those of other settings or
    another program, ``allow_mixed`` leaves the latter beside new ones, ``forget_vanished`` lets
    clips go whose files are gone.
    """

    retry_rejects: bool = False
    remake: bool = False
    allow_mixed: bool = False
    forget_vanished: bool = False


@dataclass(frozen=True, eq=False)
class ShardJob:
    """A set to be made: from where, to where, how, and which part of it (``(i, n)``, from 1)."""

    source: RawSource
    folder: Path
    plan: ShardPlan
    sizes: Mapping[str, int]
    settings: EncodeSettings
    limits: Limits
    fingerprint: str
    consent: Consent = Consent()
    part: tuple[int, int] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the planned shards that this run answers for."""
        if self.part is None:
            return tuple(self.plan.by_name)
        return take_part(self.plan, *self.part)


def plan_job(
    source: RawSource,
    folder: Path,
    settings: EncodeSettings,
    limits: Limits,
    *,
    clips_per_shard: int | None = None,
    consent: Consent = Consent(),
    part: tuple[int, int] | None = None,
) -> ShardJob:
    """Plan the shards of a source; None for ``clips_per_shard`` lets its length decide.

    Raises UserError when raw folder and set lie inside each other, a file cannot be looked at, or
    frames whose rate nobody knows are to be cut by seconds.
    """
    check_apart(source.root, folder)
    check_rate(source, settings)
    header = DatasetHeader(
        source.benchmark, source.classes.names, source.splits, settings.as_json(source.benchmark)
    )
    per_shard = default_clips_per_shard(len(source.clips))
    plan = plan_shards(
        source.clips, per_shard if clips_per_shard is None else clips_per_shard, header
    )
    sizes = file_sizes(source)
    # Arrow keeps what reading and placing needed for a moment: of a million clips, 300 MB.
    pa.default_memory_pool().release_unused()
    return ShardJob(
        source, folder, plan, sizes, settings, limits, fingerprint(settings), consent, part
    )


def default_clips_per_shard(clips: int) -> int:
    """Clips a shard holds of a list of that length: by the list alone, so every machine agrees."""
    return min(_MOST_CLIPS, max(_LEAST_CLIPS, clips // _WANTED_SHARDS))


def file_sizes(source: RawSource) -> dict[str, int]:
    """Bytes of every file that some clip was found in, those of its images for a folder of frames.

    Raises UserError when one cannot be looked at.
    """
    # Plan, sizes and records name the same files: a million names are kept once.
    files = [sys.intern(file) for file in source.clips["file"].drop_null().unique().to_pylist()]
    root = f"{source.root}/"

    def sizes(chunk: list[str]) -> dict[str, int]:
        return {file: _size(root + file, source.from_frames) for file in chunk}

    chunks = [files[start : start + _STAT_CHUNK] for start in range(0, len(files), _STAT_CHUNK)]
    with ThreadPoolExecutor(_STAT_THREADS) as pool:  # a network file system takes its time
        return {file: size for found in pool.map(sizes, chunks) for file, size in found.items()}


def _size(path: str, from_frames: bool) -> int:
    try:
        if from_frames:
            return folder_bytes(Path(path))
        return os.stat(path).st_size  # noqa: PTH116 - a million Paths take longer than the disk
    except OSError as error:
        raise UserError(f"cannot look at {path}: {error.strerror}; mend that first") from error


def check_apart(root: Path, folder: Path) -> None:
    """Raise UserError when raw folder and set lie inside each other."""
    if overlap(root, folder):
        raise UserError(
            f"raw folder {root} and shards {folder} lie inside each other: name another folder "
            "with --out"
        )


def check_rate(source: RawSource, settings: EncodeSettings) -> None:
    """Raise UserError when folders of frames are to be cut by seconds, and no rate is said."""
    if not source.from_frames or settings.fps is not None:
        return
    parts = len(source.clips) - min(source.clips[side].null_count for side in ("start", "end"))
    if parts:
        raise UserError(
            f"seconds of a video are told for {count(parts, 'clip')} of {source.benchmark}: say "
            "with --fps how many frames of a second the folders hold"
        )

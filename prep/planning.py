"""What a set will cost, before anything is written: bytes, files, shards, hours.

::

    files of the shards to make --drawn by seed--> some of them --decoded and encoded, in memory-->
    bytes and seconds of each --mean times number of files--> what all of them will take

Which shards are to be made is known exactly; bytes and hours are told with the range in which the
total lies nine times out of ten, by Student's t over the files drawn. A file counts with all of the
clips in it, as it is decoded once for them.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from manifests.errors import UserError
from prep.consent import check_pending
from prep.ingest import compare, present_clips
from prep.jobs import ShardJob
from prep.scan import missing_list
from shards.draws import raw_draws
from shards.recorded import scan_records
from shards.schema import Clip, EncodedClip, Reject

Outcomes = Callable[[Sequence[Clip]], Iterator[EncodedClip | Reject]]

#: Files of a shard (tar, index, record), and those of a set (three tables, dataset.json), to which
#: the list of missing clips comes where there are any.
FILES_OF_A_SHARD = 3
FILES_OF_A_SET = 4

_BLOCK = 512
# What stands beside the JPEGs: headers of three members, their last blocks, the numbers of each
# frame in the .json member, in the record (base64) and in frames.arrow; names and splits.
_BYTES_PER_CLIP = 4 * _BLOCK + 400 + 700
_BYTES_PER_FRAME = 11 + 16 + 12
# The end of a tar, filled up to 20 blocks; the head of a record; the heads of the tables of a set.
_BYTES_PER_SHARD = 11 * _BLOCK + 1000
_BYTES_PER_SET = 20_000

#: 95 % quantile of Student's t by degrees of freedom; beyond, a formula good to 1 %.
_T95 = (math.nan, 6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833)


@dataclass(frozen=True)
class Probed:
    """One file that was decoded and encoded: clips stored and refused, frames, bytes, seconds."""

    file: str
    stored: int
    refused: int
    frames: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class Estimate:
    """A total, and the range it lies in nine times out of ten; None where one file tells none."""

    total: float
    low: float | None
    high: float | None

    def times(self, factor: float, plus: float = 0.0) -> Estimate:
        """The estimate in another unit, and something known added to it."""
        ends = (None if end is None else end * factor + plus for end in (self.low, self.high))
        return Estimate(self.total * factor + plus, *ends)


@dataclass(frozen=True)
class Forecast:
    """What a run of ``prep shard`` with the same words would have to do.

    ``files`` are raw files, ``raw_bytes`` their bytes; ``bytes`` and ``core_seconds`` are estimated
    from ``sample``; ``free`` is the space at the place of the set, in bytes.
    """

    shards: int
    clips: int
    files: int
    raw_bytes: int
    sample: tuple[Probed, ...]
    bytes: Estimate
    core_seconds: Estimate
    free: int


def forecast(
    job: ShardJob, outcomes: Outcomes, at_most: int, seconds: float, seed: int
) -> Forecast:
    """Estimate what is to be made; nothing is written.

    ``at_most`` files are tried, and none is begun after ``seconds``. Raises UserError when
    `prep shard` would refuse the same words, or the disk fails.
    """
    free = free_bytes(job.folder)
    scan = scan_records(job.folder, ())
    pending = compare(job, scan)
    check_pending(job, scan, pending)
    names = [item.shard for item in pending.make]
    shard_of = {
        file: name for name in names for file in job.plan.inputs(job.plan.by_name[name], job.sizes)
    }
    drawn = draw(sorted(shard_of), seed)[:at_most]
    clips = ((file, _clips_of(job, shard_of[file], file)) for file in drawn)
    sample = tuple(probe_files(clips, outcomes, seconds))
    return Forecast(
        shards=len(names),
        clips=sum(present_clips(job, names)),
        files=len(shard_of),
        raw_bytes=sum(job.sizes[file] for file in shard_of),
        sample=sample,
        bytes=estimate([probed.bytes for probed in sample], len(shard_of)).times(
            1, _fixed(job, names)
        ),
        core_seconds=estimate([probed.seconds for probed in sample], len(shard_of)),
        free=free,
    )


def draw(files: Sequence[str], seed: int) -> list[str]:
    """The files in an order of chance, the same on every machine."""
    order = np.argsort(raw_draws(seed, "plan", len(files)), kind="stable")
    return [files[i] for i in order.tolist()]


def probe_files(
    clips: Iterator[tuple[str, Sequence[Clip]]], outcomes: Outcomes, seconds: float
) -> Iterator[Probed]:
    """Decode and encode the clips of one file after the other; none is begun after ``seconds``."""
    begun = time.monotonic()
    for file, together in clips:
        start = time.monotonic()
        if start - begun > seconds:
            return
        stored = refused = frames = length = 0
        for outcome in outcomes(together):
            if isinstance(outcome, Reject):
                refused += 1
            else:
                stored += 1
                frames += len(outcome.frames)
                length += stored_bytes(outcome)
        yield Probed(file, stored, refused, frames, length, time.monotonic() - start)


def stored_bytes(encoded: EncodedClip) -> int:
    """Bytes that a clip takes in tar, record and tables, within a block or two."""
    frames = len(encoded.frames)
    return sum(map(len, encoded.frames)) + _BYTES_PER_CLIP + _BYTES_PER_FRAME * frames


def estimate(values: Sequence[float], population: int) -> Estimate:
    """The sum over a population of which ``values`` were drawn without replacement."""
    if not values:
        return Estimate(0.0, None, None)
    size, total = len(values), statistics.fmean(values) * population
    if size == population:
        return Estimate(total, total, total)
    if size == 1:
        return Estimate(total, None, None)
    rest = math.sqrt(1 - size / population)
    margin = student(size - 1) * statistics.stdev(values) / math.sqrt(size) * rest * population
    return Estimate(total, max(float(sum(values)), total - margin), total + margin)


def student(freedom: int) -> float:
    """95 % quantile of Student's t."""
    return _T95[freedom] if freedom < len(_T95) else 1.645 + 1.6 / freedom


def free_bytes(folder: Path) -> int:
    """Bytes that a user may still write where ``folder`` is, or will be; UserError for a file."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir():
        raise UserError(f"{place} is no folder, so there is no place for {folder}: name another")
    return shutil.disk_usage(place).free


def _fixed(job: ShardJob, names: Sequence[str]) -> int:
    """Bytes that shards take whatever is in them: each record repeats the header of the set."""
    header = len(json.dumps(job.plan.header.as_json()))
    if not names:
        return 0
    missing = len(missing_list(job.source)) if job.source.clips["file"].null_count else 0
    return len(names) * (_BYTES_PER_SHARD + header) + _BYTES_PER_SET + missing


def _clips_of(job: ShardJob, shard: str, file: str) -> tuple[Clip, ...]:
    return tuple(clip for clip in job.plan.task(shard, job.sizes).clips if clip.file == file)

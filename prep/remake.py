"""Making damaged shards again, and only those, from the raw videos.

The settings are those of the records, the list and the files those of the raw folder. Whether a
shard can come back as it was is decided before it is touched: it stays, damaged as it is, when the
file of one of its clips is gone, or when list or program are not those of the rest of the set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.errors import UserError
from prep.benchmarks import RawSource
from prep.ingest import finish, make_shards
from prep.jobs import Consent, ShardJob, plan_job
from prep.locks import hold_set
from prep.text import count
from prep.verify import Findings
from prep.video.settings import EncodeSettings, Limits
from shards.info import load_info
from shards.records import DatasetHeader, ShardRecord
from shards.tables import SAMPLES

ReadRaw = Callable[[bool], RawSource]


@dataclass(frozen=True)
class _Made:
    """How a set was made, as far as its whole records and dataset.json tell."""

    header: DatasetHeader
    fingerprints: frozenset[str]
    records: dict[str, ShardRecord]


def remake_shards(found: Findings, read: ReadRaw, workers: int) -> list[str]:
    """Make the damaged shards of a set again, then its tables; returns what could not be, by line.

    ``read`` reads the raw folder; it is told whether folders of frames stand in for videos there.
    Raises UserError when nothing tells how the set was made, another run has it, or the disk fails.
    """
    made = _how_made(found)
    encode = EncodeSettings.from_json(made.header.settings)
    job = _job(found, read(encode.decoder == "frames"), encode, made)
    refusals = {name: _why_not(job, name, made) for name in found.damaged_shards}
    names = [name for name, why in refusals.items() if why is None]
    lines = [f"shard {name} is left as it is: {why}" for name, why in refusals.items() if why]
    if names:
        # Each old shard stays until its new one is whole: a run that is ended here loses nothing.
        with hold_set(job.folder, shared=False):
            make_shards(job, names, workers)
            try:
                finish(job)
            except UserError as error:  # another shard's record may still be damaged
                lines.append(str(error))
    return lines


def _how_made(found: Findings) -> _Made:
    records = {name: check.record for name, check in found.shards.items() if check.record}
    if records:
        header = next(iter(records.values())).header
        return _Made(header, frozenset(r.fingerprint for r in records.values()), records)
    info = load_info(found.folder)
    return _Made(info.header, frozenset(info.fingerprints), {})


def _job(found: Findings, source: RawSource, encode: EncodeSettings, made: _Made) -> ShardJob:
    """The plan that the records are of: that of the shards there are, else the usual one."""
    consent = Consent(allow_mixed=len(made.fingerprints) > 1)
    names = {*found.shards, *found.damaged_shards}
    jobs = (
        plan_job(source, found.folder, encode, Limits(), clips_per_shard=size, consent=consent)
        for size in (clips_per_shard(source, names), None)
    )
    for job in jobs:
        if not made.records or any(_fits(job, record) for record in made.records.values()):
            return job
    raise UserError(
        f"{found.folder} was made from another list of clips than that of {source.root}, or by "
        "another version of the program: make it again with `prep shard --remake`"
    )


def clips_per_shard(source: RawSource, shards: Iterable[str]) -> int | None:
    """Clips per shard of the plan whose shards are these, as the highest number of each tells.

    The plan depends on the number of shards of a partition alone, so any value that gives the same
    number is as good as the one that was asked for. None when no partition is known.
    """
    sizes = Counter(source.clips["partition"].to_pylist())
    numbers: Counter[str] = Counter()
    for shard in shards:
        partition, _, number = shard.rpartition("-")
        if partition in sizes and number.isdigit():
            numbers[partition] = max(numbers[partition], int(number) + 1)
    return max((-(-sizes[name] // number) for name, number in numbers.items()), default=None)


def _fits(job: ShardJob, record: ShardRecord) -> bool:
    planned = job.plan.by_name.get(record.shard)
    return planned is not None and planned.hash == record.plan_hash


def _why_not(job: ShardJob, shard: str, made: _Made) -> str | None:
    """Why a shard cannot come back as it was; None when it can."""
    record = made.records.get(shard)
    if shard not in job.plan.by_name or (record and not _fits(job, record)):
        return "the official list of the raw folder gives no such shard"
    if job.fingerprint not in ({record.fingerprint} if record else made.fingerprints):
        return (
            f"the set was made by {', '.join(sorted(made.fingerprints))}, here is "
            f"{job.fingerprint}; `prep shard --remake` makes all of it again"
        )
    lost = _lost_clips(job, shard, record)
    if lost:
        return (
            f"the files of {count(len(lost), 'clip')} of it are gone from {job.source.root}, "
            f"first {lost[0]}"
        )
    return None


def _lost_clips(job: ShardJob, shard: str, record: ShardRecord | None) -> list[str]:
    """Keys of clips the shard held, by its record or else by the table, whose files are gone."""
    held = record.clips["key"] if record else _tabled(job.folder, shard)
    there = job.source.clips.filter(pc.is_valid(job.source.clips["file"]))["key"]
    gone = held.filter(pc.invert(pc.is_in(held, value_set=there.combine_chunks())))
    keys: list[str] = gone.to_pylist()
    return keys


def _tabled(folder: Path, shard: str) -> pa.ChunkedArray:
    try:
        table = pq.read_table(folder / SAMPLES, columns=["key", "shard"])
    except (OSError, pa.ArrowInvalid):  # damaged too: nothing tells, and nothing more can be lost
        return pa.chunked_array([], pa.string())
    return table.filter(pc.equal(table["shard"], shard))["key"]

"""Making damaged shards again, and only those, from the raw videos.

The settings are those of the records, the list and the files those of the raw folder. A shard stays
as it is, damaged, when it would not come back as it was: when a file of it is gone or has another
size, or when list or program are not those of the rest of the set. What none of that tells, a file
of other content, is seen by the new shard itself: it is made aside, and takes the place of the old
one only if it is the same::

    <set>/.repair/shards/train-00000.tar .idx .json  ->  <set>/shards/
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.errors import UserError
from prep.benchmarks import RawSource
from prep.ingest import finish, make_shards
from prep.jobs import Consent, ShardJob, plan_job
from prep.locks import ASIDE
from prep.text import count
from prep.verify import Findings
from prep.video.settings import EncodeSettings, Limits
from shards.atomic import commit_file, disk_errors, remove_file
from shards.faults import file_hash
from shards.info import load_info
from shards.recorded import RecordScan
from shards.records import DatasetHeader, ShardRecord, load_record, shard_file
from shards.tables import SAMPLES

ReadRaw = Callable[[bool], RawSource]

_OTHER_SET = (
    "dataset.json shows that it was another one, of other content of its files, or cut by another "
    "--clips-per-shard; `prep shard` with the words of then makes it again"
)
_AT_ONCE = 64  # shards that lie aside before they take their places


@dataclass(frozen=True)
class _Made:
    """How a set was made, as far as its whole records and dataset.json tell."""

    header: DatasetHeader
    fingerprints: frozenset[str]
    records: dict[str, ShardRecord]


def remake_shards(found: Findings, read: ReadRaw, workers: int) -> list[str]:
    """Make the damaged shards of a set again; returns what could not be, a line each.

    ``read`` reads the raw folder; it is told whether folders of frames stand in for videos there.
    Raises UserError when nothing tells how the set was made, or the disk fails.
    """
    made = _how_made(found)
    job = _job(found, read, made)
    refusals = {name: _why_not(job, name, made) for name in found.damaged_shards}
    names = [name for name, why in refusals.items() if why is None]
    lines = [f"shard {name} is left as it is: {why}" for name, why in refusals.items() if why]
    aside = replace(job, folder=job.folder / ASIDE)
    try:
        for first in range(0, len(names), _AT_ONCE):
            batch = names[first : first + _AT_ONCE]
            _clear(aside.folder)  # what a killed run left, and the batch before
            make_shards(aside, batch, workers)
            if _of_another_set(job, aside.folder, batch, made, found):
                return [*lines, *(f"shard {name} is left as it is: {_OTHER_SET}" for name in batch)]
            others = ((name, _place(job, aside.folder, name, made)) for name in batch)
            lines += [f"shard {name} is left as it is: {why}" for name, why in others if why]
    finally:
        _clear(aside.folder)
    return lines


def finish_set(found: Findings, read: ReadRaw) -> None:
    """Write tables and missing.csv as `prep shard --finish` does; UserError when it cannot be."""
    finish(_job(found, read, _how_made(found)))


def _of_another_set(
    job: ShardJob, aside: Path, batch: list[str], made: _Made, found: Findings
) -> bool:
    """Whether lost records would not give the identity that dataset.json has.

    It can only be told where all of them are made, and the other shards are what they were.
    """
    lost = [name for name in found.damaged_shards if name not in made.records]
    if not lost or set(lost) - set(batch):
        return False
    if any(_was_whole(job.folder, made.records[name]) for name in batch if name in made.records):
        return False  # frames that cannot be decoded: another record is the very aim
    try:
        wanted = load_info(job.folder).identity
    except UserError:
        return False
    new = {name: load_record(shard_file(aside, name, "json")) for name in lost}
    return RecordScan(dict(sorted({**made.records, **new}.items())), ()).identity != wanted


def _was_whole(folder: Path, record: ShardRecord) -> bool:
    """Whether a damaged shard is what its record says: it was damaged before it was written."""
    return file_hash(shard_file(folder, record.shard, "tar")) == record.tar


def _place(job: ShardJob, aside: Path, shard: str, made: _Made) -> str | None:
    """Put a new shard where the old one is, or say why not: it is not what that was."""
    new, old = load_record(shard_file(aside, shard, "json")), made.records.get(shard)
    other = _other_clip(old, new) if old and not _was_whole(job.folder, old) else None
    if other is None and (lost := _without(_held(job.folder, shard, old), new.clips["key"])):
        other = lost[0]
    if other is not None:
        return f"clip {other} comes out in another way now, so its file has other content"
    for extension in ("tar", "idx", "json"):
        path, place = (shard_file(folder, shard, extension) for folder in (aside, job.folder))
        if path.exists():
            with disk_errors(place):
                place.parent.mkdir(exist_ok=True)
            commit_file(path, place)
        else:  # all clips of it were refused
            remove_file(place)
    return None


def _other_clip(old: ShardRecord, new: ShardRecord) -> str | None:
    """The first clip that two records of a shard tell otherwise; None when they are the same."""
    if old.sha256 == new.sha256:
        return None
    before, now = (dict(_told(record)) for record in (old, new))
    other = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    return other[0] if other else min(before, default="")


def _told(record: ShardRecord) -> Iterator[tuple[str, object]]:
    clips = record.clips.select(["key", "frame_crc32"])
    yield from zip(*(column.to_pylist() for column in clips.columns), strict=True)
    yield from ((reject.key, reject) for reject in record.rejects)


def _clear(aside: Path) -> None:
    with disk_errors(aside):
        if aside.exists():
            shutil.rmtree(aside)


def _how_made(found: Findings) -> _Made:
    records = {name: check.record for name, check in found.shards.items() if check.record}
    if records:
        header = next(iter(records.values())).header
        return _Made(header, frozenset(r.fingerprint for r in records.values()), records)
    info = load_info(found.folder)
    return _Made(info.header, frozenset(info.fingerprints), {})


def _job(found: Findings, read: ReadRaw, made: _Made) -> ShardJob:
    """The plan that the records are of: that of the shards there are, else the usual one."""
    encode = EncodeSettings.from_json(made.header.settings)
    source = read(encode.decoder == "frames")
    consent = Consent(allow_mixed=len(made.fingerprints) > 1)
    # A copy of a shard may bear a number that the plan has not: then those with a record tell.
    # Without any record the usual plan comes first: the last shards of it may be empty.
    names = ({*found.shards, *found.damaged_shards}, made.records)
    told = [clips_per_shard(source, each) for each in names]
    sizes = dict.fromkeys([*told, None] if made.records else [None, *told])
    jobs = (
        plan_job(source, found.folder, encode, Limits(), clips_per_shard=size, consent=consent)
        for size in sizes
    )
    for job in jobs:
        if _is_of(job, made, names[0]):
            return job
    raise UserError(
        f"{found.folder} was made from another list of clips than that of {source.root}, or by "
        "another version of the program: make it again with `prep shard --remake`"
    )


def _is_of(job: ShardJob, made: _Made, names: Iterable[str]) -> bool:
    """Whether a plan is that of the set: a record is of it, or without any what the table tells."""
    if made.records:
        return any(_fits(job, record) for record in made.records.values())
    planned = job.plan.by_name
    if not planned.keys() >= set(names):
        return False
    keys = job.plan.clips["key"].combine_chunks()
    return not any(
        _without(_tabled(job.folder, name), pa.chunked_array([keys.take(planned[name].positions)]))
        for name in names
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
        return (
            "the official list of the raw folder gives no such shard; if it is a copy of another, "
            "take its files away"
        )
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
    return _other_input(job, record) if record else None


def _other_input(job: ShardJob, record: ShardRecord) -> str | None:
    """A raw file that is not what the shard was made from: it would come back as another one."""
    now = job.plan.inputs(job.plan.by_name[record.shard], job.sizes)
    for file in sorted({*now, *record.inputs}):
        if now.get(file) != record.inputs.get(file):
            if file not in now:
                return f"{file} is gone from {job.source.root}"
            was = count(record.inputs[file], "byte") if file in record.inputs else "absent"
            return (
                f"{file} was {was} when it was made, and has {count(now[file], 'byte')} now; "
                "`prep shard` makes it again of what is there"
            )
    return None


def _lost_clips(job: ShardJob, shard: str, record: ShardRecord | None) -> list[str]:
    """Keys of clips the shard held, by its record or else by the table, whose files are gone."""
    there = job.source.clips.filter(pc.is_valid(job.source.clips["file"]))["key"]
    return _without(_held(job.folder, shard, record), there)


def _held(folder: Path, shard: str, record: ShardRecord | None) -> pa.ChunkedArray:
    """Keys of the clips a shard held, as far as record or table tell."""
    return record.clips["key"] if record else _tabled(folder, shard)


def _without(held: pa.ChunkedArray, there: pa.ChunkedArray) -> list[str]:
    """Those of the keys that are not there."""
    gone = held.filter(pc.invert(pc.is_in(held, value_set=there.combine_chunks())))
    keys: list[str] = gone.to_pylist()
    return keys


def _tabled(folder: Path, shard: str) -> pa.ChunkedArray:
    try:
        table = pq.read_table(folder / SAMPLES, columns=["key", "shard"])
    except (OSError, pa.ArrowInvalid):  # damaged too: nothing tells, and nothing more can be lost
        return pa.chunked_array([], pa.string())
    return table.filter(pc.equal(table["shard"], shard))["key"]

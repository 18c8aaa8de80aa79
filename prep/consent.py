"""What a run may not do without being told: replace finished shards, or lose their clips."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.errors import UserError
from prep.jobs import ShardJob
from prep.text import count
from shards.info import refuse_other_format
from shards.plan import Pending
from shards.recorded import RecordScan
from shards.records import ShardRecord, load_record, shard_file
from shards.tables import SAMPLES


def check_pending(job: ShardJob, scan: RecordScan, pending: Pending) -> None:
    """Raise UserError when making what is pending would replace or lose what is finished."""
    refuse_other_format(job.folder)  # its records may lie where this version has none
    records = scan.records
    other = [item.shard for item in pending.make if item.reason in ("plan", "fingerprint")]
    replaced = sorted({*other, *pending.surplus})
    if replaced and not job.consent.remake:
        programs = all(item.reason != "plan" for item in pending.make) and not pending.surplus
        mixed = ", --allow-mixed keeps them beside new ones" if programs else ""
        raise UserError(
            f"{len(replaced)} of {count(len(records), 'finished shard')} in {job.folder} were made "
            f"{_difference(job, records[replaced[0]])}: --remake makes them again{mixed}, another "
            "--out leaves them alone"
        )
    if pending.surplus and job.part is not None:
        raise UserError(
            f"{count(len(pending.surplus), 'shard')} in {job.folder} are of another plan: take "
            "that folder away, or run once without --part"
        )
    lost = lost_clips(job, scan, pending)
    if lost and not job.consent.forget_vanished:
        raise UserError(
            f"{count(len(lost), 'clip')} in {job.folder}, first {lost[0]}, come from files that "
            f"are gone from {job.source.root}, and their shards are to be made again: bring the "
            "files back, or let the clips go with --forget-vanished"
        )


def lost_clips(job: ShardJob, scan: RecordScan, pending: Pending) -> tuple[str, ...]:
    """Names of stored clips whose files are gone and whose shards are to be made again or go."""
    known = {*scan.records, *scan.damaged}
    replaced = {item.shard for item in pending.make if item.shard in known}
    there = job.source.clips.filter(pc.is_valid(job.source.clips["file"]))["key"]
    lost: list[str] = []
    for name in sorted({*replaced, *pending.surplus}):
        clips = _stored_clips(job.folder, name, whole=name in scan.records)
        gone = [file not in job.sizes for file in clips["file"].to_pylist()]
        clips = clips.filter(pa.array(gone, pa.bool_()))
        again = pc.is_in(clips["key"], value_set=there.combine_chunks())
        lost += clips.filter(pc.invert(again))["name"].to_pylist()
    return tuple(lost)


def _stored_clips(folder: Path, shard: str, *, whole: bool) -> pa.Table:
    """Clips of a shard by its record, or, where that is not whole, by the table of the set."""
    if whole:
        return load_record(shard_file(folder, shard, "json"), ("key", "name", "file")).clips
    try:
        table = pq.read_table(folder / SAMPLES, columns=["key", "name", "file", "shard"])
    except (OSError, pa.ArrowInvalid):  # no table either: nothing tells what was there
        return pa.table({name: pa.array([], pa.string()) for name in ("key", "name", "file")})
    return table.filter(pc.equal(table["shard"], shard))


def _difference(job: ShardJob, record: ShardRecord) -> str:
    """In what way a finished shard was made otherwise, for an error."""
    if record.header.benchmark != job.plan.header.benchmark:
        return f"from {record.header.benchmark}"
    old, new = record.header.settings, job.plan.header.settings
    keys = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if keys:
        changes = ", ".join(f"{key} {old.get(key)} (now {new.get(key)})" for key in keys)
        return f"with other settings, {changes}"
    planned = job.plan.by_name.get(record.shard)
    if planned is not None and planned.hash == record.plan_hash:
        return "by another ffmpeg or on another kind of processor"
    return "from another list of clips or with another --clips-per-shard"

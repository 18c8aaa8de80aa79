"""Raw videos to a set of shards: compare records with the plan, make what is missing.

::

    RawSource -> plan -> what is to be made -> workers -> records -> tables, missing.csv
                           ^ records on disk

The first run, a resumed one, one with files added, parts of an array of machines and a retry of
refused clips are this one function: a shard whose record fits is never made again, so any mixture
of them, ended at any moment, completes the same set.

Nothing that is there is lost without a word: ``check_pending`` refuses to replace finished shards
that were made in another way, or from files that are gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from prep.benchmarks import RawSource
from prep.consent import check_pending
from prep.engines import Progress, Work, run_local
from prep.jobs import ShardJob
from prep.locks import hold_set, hold_tables
from prep.scan import write_missing
from prep.shardwork import ShardWork
from shards.atomic import remove_file, remove_stale_temps
from shards.info import DATASET_JSON, MISSING, DatasetInfo, Official
from shards.plan import Pending, ShardTask, shards_to_make
from shards.recorded import RecordScan, remove_shard, scan_records, sizes_on_disk
from shards.records import SHARDS, ShardRecord
from shards.schema import Reject
from shards.subsets import SUBSETS
from shards.tables import rebuild_tables
from shards.verify_descriptions import DESCRIPTIONS

#: What runs the tasks of a set: ``run_local`` or ``rayengine.run_ray``.
Engine = Callable[[Work[str], Iterable[ShardTask], int, Progress], Iterator[str]]


@dataclass(frozen=True)
class Finished:
    """A finished shard: clips stored, bytes of its tar, clips refused."""

    clips: int
    bytes: int
    rejects: tuple[Reject, ...]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run did: shards it made, clips it decoded for them, seconds that took.

    ``finished`` are the shards it answers for by name; ``info`` is None while parts are wanting.
    ``wanting`` names shards that a run that only finishes the set found not made.
    """

    made: tuple[str, ...]
    clips: int
    seconds: float
    finished: Mapping[str, Finished]
    missing: pa.Table
    info: DatasetInfo | None
    wanting: tuple[str, ...] = ()


def ingest(job: ShardJob, workers: int, engine: Engine = run_local) -> Outcome:
    """Make what is missing of a set with ``workers`` processes of an engine.

    Raises UserError when another run has the set, finished shards would be replaced without
    consent, or the disk fails; what is finished by then is kept.
    """
    names = set(job.names)
    with hold_set(job.folder, shared=job.part is not None):
        for place in (".", SHARDS, SUBSETS, DESCRIPTIONS):
            remove_stale_temps(job.folder / place)
        pending = _prepare(job)
        begun = time.monotonic()
        clips = make_shards(job, [item.shard for item in pending.make], workers, engine)
        seconds = time.monotonic() - begun
        info, finished, missing = finish(job)
    made = tuple(item.shard for item in pending.make)
    mine = {name: shard for name, shard in finished.items() if name in names}
    return Outcome(made, clips, seconds, mine, missing, info)


def _prepare(job: ShardJob) -> Pending:
    """Find out what is to be made, and clear its place."""
    scan = scan_records(job.folder, ())
    pending = compare(job, scan)
    check_pending(job, scan, pending)
    clear_away(job, scan, pending)
    return pending


def finish_only(job: ShardJob) -> Outcome:
    """Write the tables of what is made, and nothing else; ``wanting`` names what is not made yet.

    Raises UserError when another run has the set, its shards are of another plan than this one,
    none is made, or a record is damaged.
    """
    with hold_set(job.folder, shared=False):
        wanting = _wanting(job)
        info, finished, missing = finish(job)
    return Outcome((), 0, 0.0, finished, missing, info, wanting)


def _wanting(job: ShardJob) -> tuple[str, ...]:
    """Shards that are not made yet; UserError when those that are cannot be of this set."""
    scan = scan_records(job.folder, ())
    pending = compare(job, scan)
    other = tuple(item for item in pending.make if item.reason in ("plan", "fingerprint"))
    check_pending(job, scan, Pending(other, pending.surplus))
    return tuple(item.shard for item in pending.make)


def compare(job: ShardJob, scan: RecordScan) -> Pending:
    """What this run is to make, and (a part never) which records are of no planned shard."""
    consent = job.consent
    pending = _unmade(job, scan, retry_rejects=consent.retry_rejects, mixed=consent.allow_mixed)
    names = set(job.names)
    return Pending(tuple(item for item in pending.make if item.shard in names), pending.surplus)


def _unmade(job: ShardJob, scan: RecordScan, *, retry_rejects: bool, mixed: bool) -> Pending:
    """What the plan wants and the disk does not hold; mixed: whatever program encoded the rest."""
    return shards_to_make(
        job.plan,
        scan.records,
        job.sizes,
        sizes_on_disk(job.folder),
        job.fingerprint,
        retry_rejects=retry_rejects,
        keep_other_fingerprints=mixed,
    )


def clear_away(job: ShardJob, scan: RecordScan, pending: Pending) -> None:
    """Remove shards of another plan, tars that were never finished, and tables about to be wrong.

    Parts leave what is not theirs to the run that is alone.
    """
    make = {item.shard for item in pending.make}
    if make & set(scan.records) or pending.surplus:
        remove_file(job.folder / DATASET_JSON)
    for name in pending.surplus:
        remove_shard(job.folder, name)
    if job.part is None:
        found = {file.rpartition(".")[0] for file in sizes_on_disk(job.folder)}
        for name in sorted(found - set(scan.records) - make - set(scan.damaged)):
            remove_shard(job.folder, name)


def make_shards(
    job: ShardJob, names: Iterable[str], workers: int, engine: Engine = run_local
) -> int:
    """Make the named shards; returns the number of clips decoded for them."""
    names = list(names)
    tasks: Iterator[ShardTask] = (job.plan.task(name, job.sizes) for name in names)
    total = sum(present_clips(job, names))
    work = ShardWork(
        job.source.root.absolute(),
        job.folder.absolute(),
        job.plan.header,
        job.fingerprint,
        job.settings,
        job.limits,
    )
    refused = 0
    title = job.source.benchmark
    with tqdm(total=total, desc=title, unit="clip", disable=None, dynamic_ncols=True) as bar:

        def show(clips: int, refusals: int) -> None:
            nonlocal refused
            refused += refusals
            if refusals:
                bar.set_postfix(refused=refused, refresh=False)
            bar.update(clips)

        for _ in engine(work, tasks, max(1, min(workers, len(names))), show):
            pass
    return total


def finish(job: ShardJob) -> tuple[DatasetInfo | None, Mapping[str, Finished], pa.Table]:
    """Write missing.csv and the tables when every shard is made; returns what they speak of.

    The records are read here for what is wanted of them, and again for the tables: of a million
    clips they take as much memory as everything else, so nobody keeps them whole.
    """
    with hold_tables(job.folder):
        source, finished, whole = _take_stock(job)
        missing = source.clips.filter(pc.is_null(source.clips["file"]))
        if not whole:
            return None, finished, missing
        listed = write_missing(source, job.folder / MISSING) if len(missing) else None
        if listed is None:
            remove_file(job.folder / MISSING)
        official = Official(len(job.source.clips), len(missing))
        info = rebuild_tables(job.folder, official, listed, allow_mixed=job.consent.allow_mixed)
        return info, finished, missing


def _take_stock(job: ShardJob) -> tuple[RawSource, Mapping[str, Finished], bool]:
    """Clips still missing, finished shards, and whether the tables are to be written."""
    scan = scan_records(job.folder, ("row",))
    finished = {
        name: Finished(len(record.clips), record.tar.bytes if record.tar else 0, record.rejects)
        for name, record in scan.records.items()
    }
    whole = job.part is None or complete(job, scan)
    return still_missing(job.source, scan.records), finished, whole


def complete(job: ShardJob, scan: RecordScan) -> bool:
    """Whether all parts are made, by whatever machine."""
    pending = _unmade(job, scan, retry_rejects=False, mixed=True)
    return not (pending.make or pending.surplus or scan.damaged)


def still_missing(source: RawSource, records: Mapping[str, ShardRecord]) -> RawSource:
    """The source without the clips that are stored or were refused: raw files may go after that."""
    known = [np.asarray(record.clips["row"], np.int64) for record in records.values()] + [
        np.array([reject.row for record in records.values() for reject in record.rejects], np.int64)
    ]
    done = pc.is_in(source.clips["row"], value_set=pa.array(np.concatenate(known)))
    return replace(source, clips=source.clips.filter(pc.invert(done)))


def present_clips(job: ShardJob, names: Iterable[str]) -> Iterator[int]:
    """Clips with a file in each of the named shards."""
    there = np.asarray(pc.is_valid(job.plan.clips["file"]))
    return (int(there[job.plan.by_name[name].positions].sum()) for name in names)

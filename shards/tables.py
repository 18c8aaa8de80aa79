"""The tables of a set, rebuilt from its records alone, columnar, in order of official row.

::

    samples.parquet   one row a stored clip, scalars only: what people and Hugging Face read
    rejects.parquet   one row a refused clip: file, reason, detail
    frames.arrow      what the reader maps into memory: per clip row, key, class, shard, offset and
                      size; per stored frame bytes, CRC32 and source frame (uncompressed Arrow IPC)
    dataset.json      written last, see info.py

Each table bears the identity of the records it was made from, so tables of two states of a set are
never read together. The content is deterministic; the bytes of parquet are not promised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.errors import UserError
from shards.atomic import staged
from shards.info import (
    MISSING,
    Counts,
    DatasetInfo,
    Official,
    StoredShard,
    header_classes,
    load_info,
)
from shards.recorded import RecordScan, read_records
from shards.records import FRAME_FIELDS, DatasetHeader, FileHash, ShardRecord
from shards.schema import SPLIT_PREFIX, Reject

SAMPLES = "samples.parquet"
REJECTS = "rejects.parquet"
FRAMES = "frames.arrow"
IDENTITY = b"identity"

#: Records whose clips are put together as they are read. The columns of one record are small pieces
#: of memory between those of others, and would be given back only when all of them are let go.
_TOGETHER = 512

_READER_FIELDS = ("row", "key", "class_id", "offset", "width", "height", "source_frame_count")


def rebuild_tables(
    folder: Path,
    official: Official | None = None,
    missing: FileHash | None = None,
    *,
    allow_mixed: bool = False,
) -> DatasetInfo:
    """Write all tables of the set in ``folder`` from its records; returns dataset.json's content.

    ``official`` counts the official list, ``missing`` is what missing.csv was written as, if it
    was; without ``official`` both are what an earlier dataset.json says. Raises
    UserError when there is no record, when a record is damaged, when two shards hold one row, when
    records disagree on classes, splits or benchmark, or when their encode fingerprints or settings
    differ and ``allow_mixed`` is not set.
    """
    scan, columns = _read(folder, allow_mixed=allow_mixed)
    records = list(scan.records.values())
    header = records[0].header
    rejects = _reject_table(records)
    identity = scan.identity
    fingerprints = tuple(sorted({record.fingerprint for record in records}))
    shards = tuple(StoredShard(r.shard, r.tar.bytes, len(r.clips)) for r in records if r.tar)
    samples = _by_row(columns)
    _check_rows(folder, samples, rejects)
    tables = {
        SAMPLES: _write_parquet(folder / SAMPLES, samples.drop_columns(FRAME_FIELDS), identity),
        REJECTS: _write_parquet(folder / REJECTS, rejects, identity),
        FRAMES: _write_arrow(folder / FRAMES, _reader_table(samples, shards), identity),
    }
    if official is None:
        official, missing = _known_list(folder)
    if missing is not None:
        tables[MISSING] = missing
    info = DatasetInfo(
        header=header,
        identity=identity,
        fingerprints=fingerprints,
        official=official,
        counts=_counts(samples, rejects, shards, header),
        shards=shards,
        tables=tables,
        classes_hash=header_classes(header).hash,
    )
    info.save(folder)
    return info


def _read(folder: Path, *, allow_mixed: bool) -> tuple[RecordScan, dict[str, pa.ChunkedArray]]:
    """The records without their clips; and the clips of all, with their shards, by column."""
    records: dict[str, ShardRecord] = {}
    parts: list[pa.Table] = []
    some: list[pa.Table] = []
    for name, record in read_records(folder):
        if record is None:
            raise UserError(
                f"record {name} of {folder} is damaged: run `prep shard --dataset {folder.name}` "
                "again, which makes that shard anew, or take its files away if it is a copy"
            )
        _check_same_set(folder, record, next(iter(records.values()), record), allow_mixed)
        records[name] = record.bare()
        shard = pa.array([name] * len(record.clips), pa.string())
        some.append(record.clips.append_column("shard", shard))
        if len(some) == _TOGETHER:
            parts.append(pa.concat_tables(some).combine_chunks())
            some.clear()
    if not records:
        raise UserError(f"no finished shard in {folder}: run `prep shard --dataset {folder.name}`")
    table = pa.concat_tables([*parts, *some])
    return RecordScan(records, ()), dict(zip(table.column_names, table.columns, strict=True))


def _check_same_set(
    folder: Path, record: ShardRecord, first: ShardRecord, allow_mixed: bool
) -> None:
    mine, other = record.header, first.header
    if (mine.benchmark, mine.classes, mine.splits) != (
        other.benchmark,
        other.classes,
        other.splits,
    ):
        raise UserError(f"{record.shard} and {first.shard} of {folder} are of two class lists")
    differs = record.fingerprint != first.fingerprint or mine.settings != other.settings
    if differs and not allow_mixed:
        raise UserError(
            f"{record.shard} and {first.shard} of {folder} were encoded by different programs "
            "or settings: make them in separate folders, or ask for the mixture"
        )


def _by_row(columns: dict[str, pa.ChunkedArray]) -> pa.Table:
    """The columns in order of official row; they are taken out of the dict one by one."""
    order = pa.array(np.argsort(np.asarray(columns["row"]), kind="stable"))
    ordered = {}
    for name in list(columns):
        ordered[name] = columns.pop(name).take(order)
        # Arrow keeps what it was given back for a moment: of a million clips, a column or two.
        pa.default_memory_pool().release_unused()
    return pa.table(ordered).combine_chunks()


def _reject_table(records: list[ShardRecord]) -> pa.Table:
    fields = {name: pa.string() for name in Reject.__dataclass_fields__} | {"row": pa.int64()}
    rows = [asdict(reject) | {"shard": r.shard} for r in records for reject in r.rejects]
    schema = pa.schema([*fields.items(), ("shard", pa.string())])
    return pa.Table.from_pylist(rows, schema=schema).sort_by("row").combine_chunks()


def _check_rows(folder: Path, samples: pa.Table, rejects: pa.Table) -> None:
    rows = np.concatenate([np.asarray(samples["row"]), np.asarray(rejects["row"])])
    values, counts = np.unique(rows, return_counts=True)
    if len(values) < len(rows):
        twice = int(values[counts > 1][0])
        found = pa.compute.equal(samples["row"], twice)
        shards = samples.filter(found)["shard"].to_pylist()
        raise UserError(
            f"row {twice} stands in more than one shard of {folder} ({', '.join(shards)}): these "
            "are shards of two plans; use an empty --out"
        )


def _reader_table(samples: pa.Table, shards: tuple[StoredShard, ...]) -> pa.Table:
    names = pa.array([shard.name for shard in shards], pa.string())
    numbers = pa.compute.index_in(samples["shard"], value_set=names)
    table = samples.select([*_READER_FIELDS, *FRAME_FIELDS])
    return table.append_column("shard", numbers)


def _counts(
    samples: pa.Table,
    rejects: pa.Table,
    shards: tuple[StoredShard, ...],
    header: DatasetHeader,
) -> Counts:
    per_split = {
        split: int(pa.compute.sum(samples[SPLIT_PREFIX + split]).as_py() or 0)
        for split in header.splits
    }
    return Counts(
        stored=len(samples),
        rejected=len(rejects),
        frames=int(pa.compute.sum(samples["frames"]).as_py() or 0),
        bytes=sum(shard.bytes for shard in shards),
        splits=per_split,
    )


def reject_counts(folder: Path) -> Mapping[str, int]:
    """How many clips of a set were refused for which reason, the most frequent first."""
    reasons = pq.read_table(folder / REJECTS, columns=["reason"])["reason"].to_pylist()
    return dict(Counter(reasons).most_common())


def _known_list(folder: Path) -> tuple[Official | None, FileHash | None]:
    try:
        info = load_info(folder)
    except UserError:
        return None, None
    return info.official, info.tables.get(MISSING)


def _write_parquet(path: Path, table: pa.Table, identity: str) -> FileHash:
    with staged(path) as file, pa.PythonFile(file, mode="w") as sink:
        pq.write_table(table.replace_schema_metadata({IDENTITY: identity}), sink)
    return FileHash(file.tell(), file.sha256())


def _write_arrow(path: Path, table: pa.Table, identity: str) -> FileHash:
    schema = table.schema.with_metadata({IDENTITY: identity})
    with (
        staged(path) as file,
        pa.PythonFile(file, mode="w") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        # One batch, so that the reader sees each column as one array.
        for batch in table.cast(schema).to_batches(max_chunksize=max(1, len(table))):
            writer.write_batch(batch)
    return FileHash(file.tell(), file.sha256())

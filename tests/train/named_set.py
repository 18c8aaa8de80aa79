"""Small shard sets of any benchmark: its real class list and splits, pictures without content."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import simplejpeg

from manifests.classes import load_classes
from prep.benchmarks.layout import ClipColumns, clips_table, repeat
from shards.info import Official
from shards.plan import plan_shards
from shards.records import DatasetHeader
from shards.schema import EncodedClip
from shards.store import ShardStore
from shards.tables import rebuild_tables
from shards.writer import write_shard

SIDE = 16


def named_shards(
    shards: Path, benchmark: str, splits: Sequence[str], members: Sequence[Sequence[str]]
) -> ShardStore:
    """`<shards>/<benchmark>`: of every class a clip for each entry of `members`, in its splits."""
    classes = load_classes(benchmark)
    count = len(classes) * len(members)
    rows = np.arange(count)
    of = rows % len(members)
    names = pa.array([f"clip {row}" for row in rows], pa.string())
    columns = ClipColumns(
        rows=rows,
        names=names,
        videos=names,
        class_ids=rows // len(members),
        partitions=repeat("all", count),
        splits={name: np.array([name in members[i] for i in of]) for name in splits},
    )
    files = pa.array([f"{row}.avi" for row in rows], pa.string())
    return column_shards(shards, benchmark, columns, files)


def column_shards(
    shards: Path, benchmark: str, columns: ClipColumns, files: pa.Array
) -> ShardStore:
    """`<shards>/<benchmark>`: the clips of an official list that have a file, one frame each."""
    classes = load_classes(benchmark)
    header = DatasetHeader(benchmark, classes.names, tuple(columns.splits), {"frames": "all"})
    plan = plan_shards(clips_table(columns, files, classes), 500, header)
    frame = simplejpeg.encode_jpeg(
        np.zeros((SIDE, SIDE, 3), np.uint8), quality=90, colorsubsampling="420"
    )
    folder = shards / benchmark
    for shard in plan.shards:
        task = plan.task(shard.name, dict.fromkeys(files.drop_null().to_pylist(), 1000))
        made = [EncodedClip(clip, (frame,), (0,), 1, 25.0, SIDE, SIDE) for clip in task.clips]
        write_shard(folder, task, header, "test", made)
    rebuild_tables(folder, Official(len(files), files.null_count))
    return ShardStore.open(folder)

"""Made-up sets to export: shared videos, partitions of their own, clips without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from manifests.classes import load_classes
from shards.info import Official
from shards.plan import plan_shards
from shards.records import DatasetHeader
from shards.store import ShardStore
from shards.tables import rebuild_tables
from tests.shards.made import (
    CLASSES,
    SETTINGS,
    SPLITS,
    made_clips,
    made_sizes,
    made_store,
    make_pending,
)


def shared(folder: Path, n: int = 30, **options: object) -> ShardStore:
    """A set whose official splits share their videos; one clip refused, one absent."""
    return made_store(folder, n, per_shard=4, refused=[3], absent=[7], **options)


def parted(folder: Path, n: int = 36) -> ShardStore:
    """A set of train, val and test, without official splits; the test clips bear no label."""
    clips = made_clips(n, partitions=("train", "val", "test")).drop_columns(
        ["split_train1", "split_test1"]
    )
    test = np.asarray(pa.compute.equal(clips["partition"], "test"))
    for name, blank in (("class_id", -1), ("class_name", "")):
        kind = clips[name].type
        values = pa.compute.if_else(pa.array(test), pa.scalar(blank, kind), clips[name])
        clips = clips.set_column(clips.column_names.index(name), name, values)
    header = DatasetHeader("custom", CLASSES, (), SETTINGS)
    make_pending(folder, plan_shards(clips, 4, header), made_sizes(clips))
    rebuild_tables(folder, Official(n, 0))
    return ShardStore.open(folder)


def tar_rows(store: ShardStore, partition: str) -> list[int]:
    """Official rows of a partition in the order of its tars, and in each by row."""
    table = store.samples(["row", "shard"]).to_pylist()
    mine = [(clip["shard"], clip["row"]) for clip in table if clip["shard"].startswith(partition)]
    return [row for _, row in sorted(mine)]


def named(folder: Path, benchmark: str, n: int = 30) -> ShardStore:
    """A set under a benchmark's own name and class list, of which the first classes have clips."""
    names = load_classes(benchmark).names
    clips = made_clips(n, classes=names)
    plan = plan_shards(clips, 8, DatasetHeader(benchmark, names, SPLITS, SETTINGS))
    make_pending(folder, plan, made_sizes(clips))
    rebuild_tables(folder, Official(n, 0))
    return ShardStore.open(folder)

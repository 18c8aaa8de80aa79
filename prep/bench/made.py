"""Made-up Kinetics of any length, to measure what is done with lists and tables: no pixel in it.

::

    <place>/raw/kinetics400/{train,val,test}.csv             the documented form, ids as YouTube's
    <place>/raw/kinetics400/<partition>/<class>/<clip>.mp4   names of one empty file, for scan, plan
    <place>/shards/<benchmark>/                              records and tables, but no tar

One clip in a hundred has no file, and one file in a thousand is of no clip. Names are links to one
empty file, so a million of them take no million inodes.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from manifests.classes import ClassList, load_classes
from prep.benchmarks.kinetics import list_kinetics400, list_kinetics600
from prep.benchmarks.layout import OfficialList, annotations_alone, clips_table
from prep.jobs import default_clips_per_shard
from prep.video.settings import EncodeSettings
from shards.draws import raw_draws
from shards.info import Official
from shards.plan import PlannedShard, ShardPlan, plan_shards
from shards.records import FRAME_FIELDS, DatasetHeader, FileHash, ShardRecord, record_schema
from shards.tables import rebuild_tables

FRAMES = 8
FRAME_BYTES = 13_000
SHARES = {"train": 0.90, "val": 0.05, "test": 0.05}

_LISTS = {"kinetics400": list_kinetics400, "kinetics600": list_kinetics600}
_ONE_WITHOUT_FILE_IN = 100
_ONE_STRANGER_IN = 1000
# Links to one inode: ext4 allows 65,000.
_LINKS = 50_000


def raw_place(place: Path, benchmark: str) -> Path:
    """Raw folder of a made-up benchmark."""
    return place / "raw" / benchmark


def shards_place(place: Path) -> Path:
    """The folder that holds the made-up sets."""
    return place / "shards"


def write_lists(place: Path, benchmark: str, rows: int) -> None:
    """Write the official lists of a benchmark, ``rows`` clips together."""
    folder = raw_place(place, benchmark)
    folder.mkdir(parents=True)
    classes = load_classes(benchmark)
    labels = pa.array(classes.names).take(
        pa.array((raw_draws(0, "labels", rows) % np.uint64(len(classes))).astype(np.int64))
    )
    begins = (raw_draws(0, "seconds", rows) % np.uint64(600)).astype(np.int64)
    table = pa.table(
        {
            "label": labels,
            "youtube_id": _youtube_ids(rows),
            "time_start": begins,
            "time_end": begins + 10,
        }
    )
    start = 0
    for partition, size in _sizes(rows).items():
        part = table.slice(start, size)
        split = pa.repeat(pa.scalar(partition), size)
        pacsv.write_csv(part.append_column("split", split), folder / f"{partition}.csv")
        start += size


def link_videos(place: Path, benchmark: str) -> None:
    """Give the clips of the lists files of no length, in class folders below each partition."""
    root = raw_place(place, benchmark)
    clips = _clips(place, benchmark)
    paths = clips["file"].drop_null().to_pylist()
    paths += [f"train/stranger_{i:06d}.mp4" for i in range(len(paths) // _ONE_STRANGER_IN)]
    for folder in {path.rpartition("/")[0] for path in paths}:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for first in range(0, len(paths), _LINKS):
        empty = root / paths[first]
        empty.touch()
        for path in paths[first + 1 : first + _LINKS]:
            os.link(empty, root / path)


def write_set(place: Path, benchmark: str) -> None:
    """Write records and tables of a set that holds every clip of the lists that has a file."""
    clips = _clips(place, benchmark)
    classes = load_classes(benchmark)
    settings = EncodeSettings(frames=FRAMES).as_json(benchmark)
    header = DatasetHeader(benchmark, classes.names, tuple(SHARES), settings)
    plan = plan_shards(clips, default_clips_per_shard(len(clips)), header)
    folder = shards_place(place) / benchmark
    (folder / "shards").mkdir(parents=True)
    for shard in plan.shards:
        _record(plan, shard).save(folder)
    rebuild_tables(folder, Official(len(clips), clips["file"].null_count))


def _sizes(rows: int) -> dict[str, int]:
    sizes = {partition: int(rows * share) for partition, share in SHARES.items()}
    return {**sizes, "train": rows - sizes["val"] - sizes["test"]}


def _youtube_ids(rows: int) -> pa.Array:
    """Eleven letters of upper and lower case, digits, dashes and underscores."""
    data = raw_draws(0, "ids", rows).astype("<u8").tobytes()
    words = (data[i : i + 8] for i in range(0, len(data), 8))
    return pa.array([base64.urlsafe_b64encode(word).decode()[:11] for word in words])


def _clips(place: Path, benchmark: str) -> pa.Table:
    """The table of clips as it would be read with the files that ``link_videos`` makes."""
    root = raw_place(place, benchmark)
    official: OfficialList = _LISTS[benchmark](annotations_alone(root), root)
    columns = official.columns
    names = _class_names(official.classes, columns.class_ids)
    files = pc.binary_join_element_wise(columns.partitions, names, columns.names, "/")
    files = pc.binary_join_element_wise(files, ".mp4", "")
    absent = np.arange(len(files)) % _ONE_WITHOUT_FILE_IN == 0
    files = pc.if_else(pa.array(absent), pa.scalar(None, pa.string()), files)
    return clips_table(columns, files, official.classes)


def _class_names(classes: ClassList, ids: np.ndarray) -> pa.Array:
    return pa.array([name.replace("/", "_") for name in classes.names]).take(pa.array(ids))


def _record(plan: ShardPlan, shard: PlannedShard) -> ShardRecord:
    clips = plan.clips.take(pa.array(shard.positions))
    clips = clips.filter(pc.is_valid(clips["file"]))
    count = len(clips)
    sizes = np.full(count * FRAMES, FRAME_BYTES, np.uint32)
    sources = np.tile(np.arange(FRAMES, dtype=np.uint32) * 37, count)
    crcs = (np.arange(count * FRAMES, dtype=np.uint64) * 2654435761 % 2**32).astype(np.uint32)
    ends = np.arange(count + 1, dtype=np.int32) * FRAMES
    stored = {
        "frames": np.full(count, FRAMES),
        "source_frame_count": np.full(count, 300),
        "fps": np.full(count, 30.0),
        "width": np.full(count, 340),
        "height": np.full(count, 256),
        "decode_errors": np.zeros(count, np.int64),
        "offset": np.arange(count) * (FRAMES * FRAME_BYTES + 4096) + 4096,
        "bytes": np.full(count, FRAMES * FRAME_BYTES),
    }
    lists = dict(zip(FRAME_FIELDS, (sizes, crcs, sources), strict=True))
    table = pa.table(
        {
            **{name: clips[name] for name in clips.column_names},
            **stored,
            **{name: pa.ListArray.from_arrays(ends, values) for name, values in lists.items()},
        }
    ).cast(record_schema(plan.header.splits))
    digest = shard.hash
    return ShardRecord(
        header=plan.header,
        shard=shard.name,
        fingerprint="made-up",
        plan_hash=shard.hash,
        planned=len(shard.positions),
        tar=FileHash(count * (FRAMES * FRAME_BYTES + 4096) + 10240, digest),
        idx=FileHash(count * 200, digest),
        clips=table,
        rejects=(),
        inputs=dict.fromkeys(sorted(clips["file"].to_pylist()), 0),
    )

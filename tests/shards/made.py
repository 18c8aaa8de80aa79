"""Made-up sets of shards: small JPEGs with their row and frame number painted as blocks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import simplejpeg

from shards.info import Official
from shards.plan import ShardPlan, ShardTask, plan_shards
from shards.recorded import scan_records, sizes_on_disk
from shards.records import DatasetHeader
from shards.schema import CLIP_FIELDS, Clip, EncodedClip, Reject, make_key
from shards.store import ShardStore
from shards.tables import rebuild_tables
from shards.writer import write_shard

CLASSES = ("archery", "Bowling (night)", "kick_ball", "sword")
SPLITS = ("train1", "test1")
SETTINGS = {"frames": "auto", "short_side": 64}
HEADER = DatasetHeader("custom", CLASSES, SPLITS, SETTINGS)
FINGERPRINT = "ffmpeg-test"
BLOCK = 8
BITS = 16


def paint(row: int, frame: int) -> bytes:
    """A 128x16 JPEG: sixteen blocks of the row's bits over sixteen of the frame's."""
    bits = [[(number >> bit) & 1 for bit in range(BITS)] for number in (row, frame)]
    grey = np.kron(np.array(bits, dtype=np.uint8) * 255, np.ones((BLOCK, BLOCK), dtype=np.uint8))
    image = np.ascontiguousarray(np.repeat(grey[:, :, None], 3, axis=2))
    return simplejpeg.encode_jpeg(image, quality=85, colorsubsampling="420", fastdct=False)


def painted(jpeg: bytes) -> tuple[int, int]:
    """Row and frame painted into a JPEG."""
    grey = simplejpeg.decode_jpeg(jpeg, colorspace="GRAY")[:, :, 0]
    bits = grey[BLOCK // 2 :: BLOCK, BLOCK // 2 :: BLOCK] > 127
    row, frame = (int(sum(1 << i for i in np.flatnonzero(line))) for line in bits)
    return row, frame


def made_clips(
    n: int,
    *,
    partitions: tuple[str, ...] = ("all",),
    per_video: int = 1,
    classes: tuple[str, ...] = CLASSES,
    absent: Iterable[int] = (),
) -> pa.Table:
    """An official list of ``n`` clips: class i mod 4, even rows train1, odd blocks test1."""
    rows = np.arange(n)
    labels = rows % len(classes)
    missing = set(absent)
    files = [None if i in missing else f"{classes[i % len(classes)]}/Clip {i}.avi" for i in rows]
    train = (rows // len(classes)) % 2 == 0
    columns = {
        "row": rows,
        "key": [make_key(i, f"Clip {i}", 6) for i in rows],
        "name": [f"Clip {i}!(é).avi" for i in rows],
        "video": [f"video{i // per_video}" for i in rows],
        "file": files,
        "class_id": labels,
        "class_name": [classes[label] for label in labels],
        "start": [None if i % 3 else i / 2 for i in rows],
        "end": [None if i % 3 else i / 2 + 1 for i in rows],
        "partition": [partitions[i // per_video % len(partitions)] for i in rows],
    }
    arrays = {name: pa.array(columns[name], kind) for name, kind in CLIP_FIELDS.items()}
    return pa.table(arrays | {"split_train1": pa.array(train), "split_test1": pa.array(~train)})


def made_sizes(clips: pa.Table) -> dict[str, int]:
    """Bytes of every present file, invented."""
    return {file: 1000 + len(file) for file in clips["file"].to_pylist() if file is not None}


def encode(clip: Clip, frames: int | None = None) -> EncodedClip:
    """A clip of a few frames, each the third of its source frames."""
    count = 2 + clip.row % 5 if frames is None else frames
    return EncodedClip(
        clip=clip,
        frames=tuple(paint(clip.row, 3 * i) for i in range(count)),
        source_frames=tuple(3 * i for i in range(count)),
        source_frame_count=3 * count,
        fps=25.0 + clip.row % 2 / 3,
        width=2 * BITS * BLOCK // 2,
        height=2 * BLOCK,
        decode_errors=clip.row % 3,
    )


def refuse(clip: Clip) -> Reject:
    """A refusal of a clip."""
    return Reject(clip.row, clip.key, clip.name, clip.file or "", "unreadable", "moov not found")


def outcomes(task: ShardTask, refused: Iterable[int] = ()) -> Iterator[EncodedClip | Reject]:
    """What a worker hands to the writer; rows in ``refused`` are rejects."""
    bad = set(refused)
    for clip in task.clips:
        yield refuse(clip) if clip.row in bad else encode(clip)


def make_pending(folder: Path, plan: ShardPlan, sizes: dict[str, int], **options: object) -> int:
    """Make the shards that are to be made, as `prep shard` does; returns how many."""
    from shards.plan import shards_to_make

    scan = scan_records(folder)
    pending = shards_to_make(plan, scan.records, sizes, sizes_on_disk(folder), FINGERPRINT)
    for item in pending.make:
        task = plan.task(item.shard, sizes)
        write_shard(folder, task, plan.header, FINGERPRINT, outcomes(task, **options))
    return len(pending.make)


def made_store(
    folder: Path, n: int = 24, *, per_shard: int = 7, refused: Iterable[int] = (), **options: object
) -> ShardStore:
    """Plan, write and open a whole set of made-up clips."""
    clips = made_clips(n, **options)
    plan = plan_shards(clips, per_shard, HEADER)
    make_pending(folder, plan, made_sizes(clips), refused=refused)
    rebuild_tables(folder, Official(n, clips["file"].null_count))
    return ShardStore.open(folder)


def of_version(data: bytes, version: int) -> bytes:
    """dataset.json, or a record, as a program of another format version would have written it."""
    if data.startswith(b'{"sha256"'):
        body = data[11 + 64 + 2 :].replace(b'"format":1', f'"format":{version}'.encode())
        return b'{"sha256":"' + hashlib.sha256(body).hexdigest().encode() + b'",' + body
    content = {**json.loads(data), "format": version}
    content.pop("sha256")
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return json.dumps({**content, "sha256": digest}).encode()

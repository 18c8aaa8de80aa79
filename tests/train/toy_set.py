"""Small shard sets of the toy world, rendered straight into JPEGs: no video file, no decoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import simplejpeg
import torch

from manifests.classes import ClassList, class_list, load_classes
from prep.benchmarks.layout import ClipColumns, clips_table, repeat
from prep.toy.appearance import to_pixels
from prep.toy.cast import Part, benchmark_cast, captioned_cast
from prep.toy.dice import Dice
from prep.toy.film import FPS
from prep.toy.render import SIDE, render
from prep.toy.world import draw_scene
from shards.info import Official
from shards.plan import plan_shards
from shards.records import DatasetHeader
from shards.schema import Clip, EncodedClip
from shards.store import ShardStore
from shards.tables import rebuild_tables
from shards.writer import write_shard
from train.models.config import SIZES
from train.models.viclip import ViCLIP
from train.models.weights import save_backbone

SEED = 5
SPLITS = ("train", "val", "test")


def toy_shards(shards: Path, per_class: dict[str, int]) -> ShardStore:
    """`<shards>/toy`: the benchmark, so many clips of each class in each split."""
    parts = benchmark_cast(SEED, per_class)
    return _write(shards / "toy", parts, load_classes("toy"))


def captioned_shards(shards: Path, count: int) -> ShardStore:
    """`<shards>/custom`: captioned clips, every caption a class."""
    parts = captioned_cast(SEED, count)
    return _write(
        shards / "custom", parts, class_list("custom", sorted({part.text for part in parts}))
    )


def nano_weights(models: Path) -> Path:
    """`<models>/nano`: a nano backbone that has learnt nothing."""
    save_backbone(ViCLIP(SIZES["nano"], SEED), models / "nano")
    return models / "nano"


def _write(folder: Path, parts: list[Part], classes: ClassList) -> ShardStore:
    import pyarrow as pa

    names = pa.array([part.stream for part in parts], pa.string())
    splits = {name: np.array([part.split == name for part in parts]) for name in SPLITS}
    columns = ClipColumns(
        rows=np.arange(len(parts)),
        names=names,
        videos=names,
        class_ids=np.array([classes.id_of(part.text) for part in parts], np.int64),
        partitions=repeat("all", len(parts)),
        splits=splits,
    )
    clips = clips_table(columns, pa.array([part.file for part in parts], pa.string()), classes)
    header = DatasetHeader(classes.benchmark, classes.names, SPLITS, {"frames": "all"})
    plan = plan_shards(clips, 64, header)
    sizes = {part.file: 1000 for part in parts}
    for shard in plan.shards:
        task = plan.task(shard.name, sizes)
        write_shard(folder, task, header, "test", [_encode(c, parts[c.row]) for c in task.clips])
    rebuild_tables(folder, Official(len(parts), 0))
    return ShardStore.open(folder)


def _encode(clip: Clip, part: Part) -> EncodedClip:
    scene = draw_scene(part.motion, part.shape, part.colour, Dice(SEED, part.stream))
    pixels = to_pixels(render(scene))
    frames = tuple(
        simplejpeg.encode_jpeg(np.ascontiguousarray(frame), quality=90, colorsubsampling="420")
        for frame in pixels
    )
    return EncodedClip(clip, frames, tuple(range(len(frames))), len(frames), FPS, SIDE, SIDE)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Whether two sets of tensors are equal to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)

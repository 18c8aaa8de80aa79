"""Something to measure where no set is at hand: a few toy videos, rendered and sharded."""

from __future__ import annotations

from pathlib import Path

from prep.commands.shard import Shard
from prep.toy.appearance import Appearance
from prep.toy.cast import benchmark_cast
from prep.toy.studio import shoot_all, write_benchmark_list

SEED = 1


def toy_set(folder: Path, workers: int, per_class: int = 4) -> tuple[Path, Path]:
    """Render and shard toy clips into a folder; returns the folder of sets and the raw one."""
    raw, shards = folder / "raw", folder / "shards"
    parts = benchmark_cast(SEED, {"train": per_class, "val": 1, "test": 1})
    shoot_all(parts, SEED, raw, Appearance(), workers)
    write_benchmark_list(parts, raw)
    Shard(dataset="toy", root=raw, out=shards, workers=workers).run()
    return shards, raw

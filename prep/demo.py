"""The whole road on the rendered toy world, stage by stage: ``prep demo``.

::

    render -> shard (benchmark, captioned set) -> few-shot subset -> pretrain a nano backbone
           -> test it zero-shot -> tune MSTA -> a table

Every stage leaves its own files and goes on where an earlier run was stopped. Training runs as a
process of its own: prep never imports it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manifests.errors import UserError
from prep.toy.appearance import Appearance
from prep.toy.cast import Part, benchmark_cast, captioned_cast
from prep.toy.studio import shoot_all, write_benchmark_list, write_caption_list
from shards.atomic import atomic_write
from shards.store import ShardStore
from shards.subsets import few_shot

CAPTIONS = "toy-captions"


@dataclass(frozen=True)
class Scale:
    """How much is rendered and trained.

    per_class: benchmark clips of each class by split; epochs: of pre-training and of tuning, 0
    leaving it to the recipe.
    """

    captioned: int
    per_class: dict[str, int]
    shots: int
    pretrain_epochs: int = 0
    tune_epochs: int = 0
    broken: int = 6


SCALES = {
    "full": Scale(captioned=2000, per_class={"train": 18, "val": 2, "test": 25}, shots=16),
    "tiny": Scale(
        captioned=96,
        per_class={"train": 3, "val": 1, "test": 2},
        shots=2,
        pretrain_epochs=1,
        tune_epochs=1,
        broken=3,
    ),
}


@dataclass(frozen=True)
class Places:
    """Where the demo's files lie: the default places of all commands, below one folder."""

    base: Path

    @property
    def raw(self) -> Path:
        """Raw videos of the toy benchmark."""
        return self.base / "data/raw/toy"

    @property
    def raw_captions(self) -> Path:
        """Raw videos of the captioned set."""
        return self.base / "data/raw" / CAPTIONS

    @property
    def shards(self) -> Path:
        """Folder that holds the shards of the toy benchmark."""
        return self.base / "data/shards"

    @property
    def caption_shards(self) -> Path:
        """Folder that holds the shards of the captioned set, a set of one's own videos."""
        return self.base / "data/shards" / CAPTIONS

    @property
    def models(self) -> Path:
        """Folder that holds the nano backbone."""
        return self.base / "data/models"

    def run(self, name: str) -> Path:
        """Folder of a training run."""
        return self.base / "runs" / f"demo-{name}"


@dataclass
class Stages:
    """Seconds of every stage, told as they end."""

    seconds: dict[str, float] = field(default_factory=dict)

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        """Do a stage, count its seconds and tell so on stderr."""
        sys.stderr.write(f"[{len(self.seconds) + 1}/7] {name} ...\n")
        sys.stderr.flush()
        began = time.perf_counter()
        result = work()
        self.seconds[name] = round(time.perf_counter() - began, 1)
        sys.stderr.write(f"      {name}: {self.seconds[name]:.0f} s\n")
        sys.stderr.flush()
        return result


def check_world(raw: Path, seed: int, size: str) -> None:
    """Refuse to render a world into a folder that holds another one."""
    wanted = {"seed": seed, "size": size}
    stamp = raw / "world.json"
    if stamp.is_file():
        found = json.loads(stamp.read_bytes())
        if found != wanted:
            raise UserError(
                f"{raw} holds the toy world of seed {found.get('seed')}, size "
                f"{found.get('size')}: start anew with --overwrite, or name another folder by --out"
            )
    atomic_write(stamp, (json.dumps(wanted) + "\n").encode())


def render_world(places: Places, scale: Scale, seed: int, workers: int) -> None:
    """Render both sets, one process a worker; files that are there stay."""
    sets: tuple[tuple[Path, list[Part], Callable[[list[Part], Path], None]], ...] = (
        (places.raw, benchmark_cast(seed, scale.per_class, scale.broken), write_benchmark_list),
        (
            places.raw_captions,
            captioned_cast(seed, scale.captioned, scale.broken),
            write_caption_list,
        ),
    )
    for root, parts, write_list in sets:
        shoot_all(parts, seed, root, Appearance(), workers)
        write_list(parts, root)


def draw_subset(places: Places, scale: Scale, seed: int) -> str:
    """Draw the few-shot subset that tuning trains on; returns its name."""
    store = ShardStore.open(places.shards / "toy")
    subset = few_shot(store, scale.shots, "train", seed)
    subset.save(store.folder)
    return subset.name

"""What one measured process is told, and what it answers; both travel as JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from loaders.views import TrainViews
from prep.spread import spread
from shards.store import ShardStore
from shards.subsets import Subset

Unit = tuple[int, int]
"""Clips and JPEG or file bytes of one piece of work."""


@dataclass(frozen=True)
class Work:
    """Which clips, how they are looked at, and how long to look."""

    folder: str
    """The set of shards."""
    root: str | None
    """Its raw files, for the published path."""
    clips: int
    """Clips at most, spread evenly over the set."""
    frames: int
    size: int
    batch: int
    threads: int
    """Threads, or processes of the published path."""
    seconds: float
    """Time that is measured, after a start that is not."""
    device: str = "cpu"

    @property
    def views(self) -> TrainViews:
        """Views of training with the defaults of the loaders."""
        return TrainViews(frames=self.frames, size=self.size)

    def open(self) -> tuple[ShardStore, Subset]:
        """The store and the clips that are read over and over."""
        store = ShardStore.open(Path(self.folder))
        return store, spread(store, self.clips)


@dataclass(frozen=True)
class Figure:
    """What was measured. MB are 10^6 bytes of JPEGs, or of videos on the published path."""

    clips_per_second: float
    mb_per_second: float
    cpu_seconds_per_clip: float
    clips: int
    seconds: float


def timed(
    units: Iterator[Unit], seconds: float, cpu: Callable[[], float] = time.process_time
) -> Figure:
    """Work units off for ``seconds``, after a start of a fifth of that and at least one unit.

    cpu: processor seconds spent so far, by all threads and processes that work.
    """
    start = time.perf_counter()
    next(units)
    while time.perf_counter() - start < seconds / 5:
        next(units)
    clips = size = 0
    before, begun = cpu(), time.perf_counter()
    while (spent := time.perf_counter() - begun) < seconds or not clips:
        unit = next(units)
        clips, size = clips + unit[0], size + unit[1]
    return Figure(
        clips_per_second=clips / spent,
        mb_per_second=size / spent / 1e6,
        cpu_seconds_per_clip=(cpu() - before) / clips,
        clips=clips,
        seconds=spent,
    )

"""The work of one worker: the clips of one shard through the decoder onto the disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prep.engines import Tick
from prep.video.outcomes import clip_outcomes
from prep.video.settings import EncodeSettings, Limits
from shards.plan import ShardTask
from shards.records import DatasetHeader
from shards.schema import EncodedClip, Reject
from shards.writer import write_shard


@dataclass(frozen=True)
class ShardWork:
    """Makes shards of one set: raw videos below ``root``, the set in ``folder``."""

    root: Path
    folder: Path
    header: DatasetHeader
    fingerprint: str
    settings: EncodeSettings
    limits: Limits

    def __call__(self, task: ShardTask, tick: Tick) -> str:
        """Make one shard; returns its name."""
        outcomes = clip_outcomes(
            task.clips, self.root, self.settings, self.limits, self.header.benchmark
        )
        write_shard(self.folder, task, self.header, self.fingerprint, ticking(outcomes, tick))
        return task.shard


def ticking(outcomes: Iterable[EncodedClip | Reject], tick: Tick) -> Iterator[EncodedClip | Reject]:
    """The outcomes, one tick after each."""
    for outcome in outcomes:
        yield outcome
        tick(isinstance(outcome, Reject))

"""Words of `prep shard` that `prep plan` takes too: what is made of which videos."""

from __future__ import annotations

from dataclasses import dataclass

from manifests.classes import canonical
from prep.benchmarks import SOURCES
from prep.folders import SHARDS, raw_folder, set_folder
from prep.jobs import Consent, ShardJob, plan_job
from prep.video.settings import EncodeSettings, Limits, chosen_decoder
from prep.words import (
    Annotations,
    ClipsPerShard,
    CpuLimit,
    Dataset,
    DecoderName,
    Fps,
    Frames,
    FromFrames,
    Out,
    Root,
    ShortSide,
    Workers,
)


@dataclass(frozen=True)
class SetWords:
    """Which videos, how their frames are stored, and where; a job out of them."""

    dataset: Dataset
    root: Root = None
    annotations: Annotations = None
    out: Out = SHARDS
    frames: Frames = "auto"
    short_side: ShortSide = 256
    decoder: DecoderName = "ffmpeg"
    from_frames: FromFrames = False
    fps: Fps = None
    workers: Workers = None
    clips_per_shard: ClipsPerShard = None
    cpu_limit: CpuLimit = 600.0

    def job(self, consent: Consent, part: tuple[int, int] | None = None) -> ShardJob:
        """Read the raw folder and plan the set; UserError when one of the words does not go."""
        name = canonical(self.dataset)
        folder = set_folder(name, self.out)  # before a long walk through the raw folder
        settings = EncodeSettings(
            frames=self.frames,
            short_side=self.short_side,
            decoder=chosen_decoder(self.decoder, self.from_frames),
            fps=self.fps,
        )
        return plan_job(
            SOURCES[name](raw_folder(name, self.root), self.annotations, self.from_frames),
            folder,
            settings,
            Limits(cpu_seconds=self.cpu_limit),
            clips_per_shard=self.clips_per_shard,
            consent=consent,
            part=part,
        )

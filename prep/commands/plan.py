"""`prep plan`: bytes, files, shards and hours of a set, before anything is written."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from tyro.conf import arg

from manifests.errors import UserError
from prep.commands.set_words import SetWords
from prep.engines import usable_cores
from prep.jobs import Consent, ShardJob
from prep.planning import FILES_OF_A_SET, FILES_OF_A_SHARD, Estimate, Forecast, forecast
from prep.text import count, size
from prep.video.outcomes import clip_outcomes


@dataclass(frozen=True)
class Plan(SetWords):
    """Words of `prep plan`: those of `prep shard`, and how much to try."""

    sample: Annotated[int, arg(metavar="N", help="files to try at most")] = 32
    seconds: Annotated[float, arg(metavar="S", help="time after which no further one is tried")] = (
        20.0
    )
    seed: Annotated[int, arg(metavar="N", help="which files are drawn")] = 0

    def run(self) -> PlanReport:
        """Try a few files; nothing is written."""
        workers = usable_cores() if self.workers is None else self.workers
        for word, value in (("workers", workers), ("sample", self.sample)):
            if value < 1:
                raise UserError(f"--{word} {value}: at least 1")
        if not self.seconds > 0:  # nan too
            raise UserError(f"--seconds {self.seconds:g}: more than 0")
        job = self.job(Consent())
        outcomes = functools.partial(
            clip_outcomes,
            root=job.source.root,
            settings=job.settings,
            limits=job.limits,
            benchmark=job.source.benchmark,
        )
        found = forecast(job, outcomes, self.sample, self.seconds, self.seed)
        return PlanReport(job, found, workers, self.seed)


@dataclass(frozen=True, eq=False)
class PlanReport:
    """What a run of `prep shard` with the same words will take."""

    job: ShardJob
    forecast: Forecast
    workers: int
    seed: int

    @property
    def exit_code(self) -> int:
        """1 when the disk has not the space."""
        return int(self.forecast.bytes.total > self.forecast.free)

    @property
    def at_once(self) -> int:
        """Workers that find a shard to make."""
        return max(1, min(self.workers, self.forecast.shards))

    @property
    def tables(self) -> int:
        """Files of the set that are of no shard."""
        return FILES_OF_A_SET + int(self.job.source.clips["file"].null_count > 0)

    @property
    def files(self) -> int:
        """Files to be written."""
        shards = self.forecast.shards
        return shards * FILES_OF_A_SHARD + self.tables if shards else 0

    @property
    def hours(self) -> Estimate:
        """Hours until the end, with all workers."""
        return self.forecast.core_seconds.times(1 / 3600 / self.at_once)

    def text(self) -> str:
        """One line a fact."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        source, found = self.job.source, self.forecast
        there = len(source.clips) - source.clips["file"].null_count
        yield (
            f"{source.benchmark} in {source.root}: {there:,} of {count(len(source.clips), 'clip')} "
            f"there; set in {self.job.folder}"
        )
        planned = count(len(self.job.plan.shards), "shard")
        if not found.shards:
            yield f"nothing is to be made: all of {planned} whose files are there are finished"
            return
        yield (
            f"to make: {found.shards:,} of {planned}, {count(found.clips, 'clip')} in "
            f"{count(found.files, 'raw file')} of {size(found.raw_bytes)}"
        )
        yield self._sample_line()
        a_clip = found.bytes.total / found.clips
        yield f"bytes: {_told(found.bytes, _size)}; {size(round(a_clip))} a clip"
        yield f"files: {self.files:,} (tar, index, record of each shard; {self.tables} of the set)"
        yield (
            f"time: {_told(self.hours, _time)} with {count(self.at_once, 'worker')}; "
            f"{_time(found.core_seconds.total / 3600)} of one core"
        )
        yield self._disk_line()

    def _sample_line(self) -> str:
        sample = self.forecast.sample
        stored = sum(probed.stored for probed in sample)
        refused = sum(probed.refused for probed in sample)
        frames = sum(probed.frames for probed in sample)
        return (
            f"tried: {len(sample):,} of them (seed {self.seed}), {count(stored, 'clip')} stored, "
            f"{refused:,} refused, {count(frames, 'frame')}, in "
            f"{sum(probed.seconds for probed in sample):.1f} s"
        )

    def _disk_line(self) -> str:
        need, free = self.forecast.bytes, self.forecast.free
        line = f"disk: {size(free)} free at {self.job.folder.parent}"
        if need.total > free:
            return f"{line}: too little by {size(round(need.total - free))}; name another --out"
        return f"{line}: " + ("may not be enough" if (need.high or 0) > free else "enough")

    def as_dict(self) -> dict[str, Any]:
        """All figures: bytes, seconds, hours, each with its range, and every file tried."""
        found = self.forecast
        return {
            "dataset": self.job.source.benchmark,
            "folder": str(self.job.folder),
            "settings": dict(self.job.plan.header.settings),
            "clips": {"official": len(self.job.source.clips), "to_make": found.clips},
            "shards": {"planned": len(self.job.plan.shards), "to_make": found.shards},
            "raw": {"files": found.files, "bytes": found.raw_bytes},
            "files": self.files,
            "bytes": asdict(found.bytes),
            "hours": asdict(self.hours),
            "core_hours": asdict(found.core_seconds.times(1 / 3600)),
            "workers": self.workers,
            "free_bytes": found.free,
            "enough": not self.exit_code,
            "seed": self.seed,
            "sample": [asdict(probed) for probed in found.sample],
        }


def _told(value: Estimate, say: Callable[[float], str]) -> str:
    if value.low is None or value.high is None:
        return f"{say(value.total)} (one file tells no range)"
    if value.low == value.high:
        return f"{say(value.total)} (every file was tried)"
    return f"{say(value.total)} (90 %: {say(value.low)} to {say(value.high)})"


def _size(number: float) -> str:
    return size(round(number))


def _time(hours: float) -> str:
    """Hours in the unit that people would take."""
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.0f} min" if hours * 60 >= 2 else f"{hours * 3600:.0f} s"

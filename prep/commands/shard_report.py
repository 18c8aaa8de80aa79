"""What `prep shard` says at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from prep.ingest import Outcome
from prep.jobs import ShardJob
from prep.text import count, size
from shards.info import MISSING
from shards.schema import SPLIT_PREFIX
from shards.tables import REJECTS

_NAMED = 4


@dataclass(frozen=True, eq=False)
class ShardReport:
    """What a run made, and what the set, or the part of it that the run answers for, now holds."""

    job: ShardJob
    outcome: Outcome
    max_reject_ratio: float

    @property
    def stored(self) -> int:
        """Clips stored."""
        return sum(shard.clips for shard in self.outcome.finished.values())

    @property
    def rejects(self) -> Mapping[str, int]:
        """Clips refused, by reason, the most frequent first."""
        shards = self.outcome.finished.values()
        reasons = Counter(reject.reason for shard in shards for reject in shard.rejects)
        return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))

    @property
    def refused(self) -> int:
        """Clips refused."""
        return sum(self.rejects.values())

    @property
    def missing(self) -> Mapping[str, int]:
        """Clips of the official list without a file, by split."""
        table = self.outcome.missing
        splits = self.job.source.splits
        return {split: pc.sum(table[SPLIT_PREFIX + split]).as_py() or 0 for split in splits}

    @property
    def bytes(self) -> int:
        """Bytes of the tars."""
        return sum(shard.bytes for shard in self.outcome.finished.values())

    @property
    def reject_ratio(self) -> float:
        """Share of refused clips among those whose files are there."""
        return self.refused / max(1, self.stored + self.refused)

    @property
    def exit_code(self) -> int:
        """1 when too many clips were refused, or a set that was to be finished is not whole."""
        return int(self._too_many_refused or bool(self.outcome.wanting))

    @property
    def _too_many_refused(self) -> bool:
        return self.reject_ratio > self.max_reject_ratio

    @property
    def clips_per_second(self) -> float | None:
        """Clips decoded a second; None when nothing was to be done."""
        return self.outcome.clips / self.outcome.seconds if self.outcome.clips else None

    def text(self) -> str:
        """The summary, one line a fact; the last ones say what is wrong or not yet done."""
        part = "" if self.job.part is None else " part {}/{}".format(*self.job.part)
        lines = [
            f"{self.job.source.benchmark}{part}: {count(self.stored, 'clip')} stored, "
            f"{self.refused:,} refused, {len(self.outcome.missing):,} missing",
            f"shards: {len(self.outcome.made):,} made, {self._reused:,} reused; {self._speed()}",
            f"size: {size(self.bytes)}, {self._mb_per_clip():.3f} MB a clip, in {self.job.folder}",
        ]
        if self.refused:
            reasons = ", ".join(f"{number:,} {reason}" for reason, number in self.rejects.items())
            lines.append(f"refused: {reasons}{self._listed(REJECTS)}")
        if len(self.outcome.missing):
            splits = ", ".join(f"{split} {number:,}" for split, number in self.missing.items())
            lines.append(f"missing: {splits}{self._listed(MISSING)}")
        return "\n".join([*lines, *self._remarks()])

    def _remarks(self) -> Iterator[str]:
        if unexpected := len(self.job.source.unexpected):
            files = count(unexpected, "file")
            yield f"note: {files} not used, second copies or of no listed clip: see `prep scan`"
        yield from (f"note: {note}" for note in self.job.source.notes)
        if self.outcome.info is None:
            yield (
                f"the set is not complete: {len(self.outcome.finished):,} of "
                f"{count(len(self.job.plan.shards), 'shard')} are of this part; the part that ends "
                "last writes the tables, as does a run without --part"
            )
        if wanting := self.outcome.wanting:
            yield (
                f"the set is not complete: {len(wanting):,} of "
                f"{count(len(self.job.plan.shards), 'shard')} are not made yet, "
                f"{', '.join(wanting[:_NAMED])}{', ...' if len(wanting) > _NAMED else ''}: the "
                "same words without --finish make them"
            )
        if self._too_many_refused:
            yield (
                f"failed: {self.reject_ratio:.1%} of the clips were refused, more than "
                f"--max-reject-ratio {self.max_reject_ratio:g} allows; what is good is kept"
            )

    def as_dict(self) -> dict[str, Any]:
        """Counts, sizes (bytes), seconds, and what the set is known by."""
        info, outcome = self.outcome.info, self.outcome
        return {
            "dataset": self.job.source.benchmark,
            "folder": str(self.job.folder),
            "part": None if self.job.part is None else "{}/{}".format(*self.job.part),
            "complete": info is not None and info.complete,
            "identity": None if info is None else info.identity,
            "fingerprint": self.job.fingerprint,
            "settings": dict(self.job.plan.header.settings),
            "clips": {
                "official": len(self.job.source.clips),
                "stored": self.stored,
                "refused": self.refused,
                "missing": len(outcome.missing),
            },
            "rejects": dict(self.rejects),
            "reject_ratio": self.reject_ratio,
            "max_reject_ratio": self.max_reject_ratio,
            "missing": dict(self.missing),
            "unexpected": len(self.job.source.unexpected),
            "shards": {
                "planned": len(self.job.names),
                "made": len(outcome.made),
                "reused": self._reused,
                "wanting": list(outcome.wanting),
            },
            "bytes": self.bytes,
            "bytes_per_clip": self._mb_per_clip() * 1e6,
            "seconds": outcome.seconds,
            "clips_decoded": outcome.clips,
            "clips_per_second": self.clips_per_second,
            "notes": list(self.job.source.notes),
        }

    @property
    def _reused(self) -> int:
        return len(set(self.outcome.finished) - set(self.outcome.made))

    def _mb_per_clip(self) -> float:
        return self.bytes / 1e6 / max(1, self.stored)

    def _speed(self) -> str:
        if self.clips_per_second is None:
            return "nothing was to be done"
        clips = count(self.outcome.clips, "clip")
        return f"{clips} in {self.outcome.seconds:,.1f} s, {self.clips_per_second:.1f} clips/s"

    def _listed(self, file: str) -> str:
        return f" ({self.job.folder / file})" if self.outcome.info is not None else ""

"""`prep shard`: raw videos in, shards out; the same words again complete what was begun."""

from __future__ import annotations

import functools
import os
import re
import sys
from dataclasses import dataclass
from typing import Annotated, Literal

from tyro.conf import arg

from manifests.errors import UserError
from prep.commands.set_words import SetWords
from prep.commands.shard_report import ShardReport
from prep.engines import run_local, usable_cores
from prep.ingest import Engine, finish_only, ingest
from prep.jobs import Consent
from prep.rayengine import run_ray


@dataclass(frozen=True)
class Shard(SetWords):
    """Words of `prep shard`."""

    engine: Annotated[
        Literal["local", "ray"], arg(help="what runs the workers: this machine, or a Ray cluster")
    ] = "local"
    ray_address: Annotated[
        str | None,
        arg(
            metavar="HOST:PORT",
            help="the Ray cluster, or auto for the one this machine is in",
            help_behavior_hint="(default: RAY_ADDRESS, else Ray is started here)",
        ),
    ] = None
    part: Annotated[
        str | None,
        arg(
            metavar="I/N",
            help="make the I-th of N parts only, one on each machine; in any order they complete "
            "the set",
            help_behavior_hint="(default: all)",
        ),
    ] = None
    finish: Annotated[
        bool, arg(help="make no shard: write the tables of what is there, and tell what is wanting")
    ] = False
    max_reject_ratio: Annotated[
        float,
        arg(metavar="X", help="end with exit code 1 when a larger share of the clips is refused"),
    ] = 0.05
    retry_rejects: Annotated[bool, arg(help="make shards with refused clips again")] = False
    remake: Annotated[
        bool, arg(help="make shards again that are of other settings, program or list")
    ] = False
    allow_mixed: Annotated[
        bool, arg(help="keep shards that another program encoded beside new ones")
    ] = False
    forget_vanished: Annotated[
        bool, arg(help="let stored clips go whose files are gone, where their shard is made again")
    ] = False

    def run(self) -> ShardReport:
        """Make what is missing of the set."""
        part = parse_part(self.part)
        if part and self.finish:
            raise UserError("--finish is for the whole set: leave --part out")
        workers, engine = self._engine()
        if not 0 <= self.max_reject_ratio <= 1:
            raise UserError(f"--max-reject-ratio {self.max_reject_ratio}: a share from 0 to 1")
        consent = Consent(
            retry_rejects=self.retry_rejects,
            remake=self.remake,
            allow_mixed=self.allow_mixed,
            forget_vanished=self.forget_vanished,
        )
        job = self.job(consent, part)
        outcome = finish_only(job) if self.finish else ingest(job, workers, engine)
        return ShardReport(job, outcome, self.max_reject_ratio)

    def _engine(self) -> tuple[int, Engine]:
        """Workers at most, and what runs them."""
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers {self.workers}: at least 1")
        if self.engine == "local":
            if self.ray_address is not None:
                raise UserError("--ray-address goes with --engine ray")
            return self.workers or usable_cores(), run_local
        cluster = self.ray_address or os.environ.get("RAY_ADDRESS")
        every_core = sys.maxsize if cluster else usable_cores()
        return self.workers or every_core, functools.partial(run_ray, address=cluster)


def parse_part(text: str | None) -> tuple[int, int] | None:
    """``"2/8"`` as (2, 8); UserError for anything that is no part."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]+)/([0-9]+)", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise UserError(f"--part {text} is none: write I/N, from 1/N to N/N")
    return int(found[1]), int(found[2])

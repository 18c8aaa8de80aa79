"""Make a set of sixty clips from its start; for the test that kills it while it writes."""

from __future__ import annotations

import sys
from pathlib import Path

from shards.plan import plan_shards
from shards.writer import write_shard
from tests.shards.made import FINGERPRINT, HEADER, made_clips, made_sizes, outcomes


def main(folder: Path, rounds: int) -> None:
    """Write every shard of the plan ``rounds`` times over."""
    clips = made_clips(60)
    plan = plan_shards(clips, 6, HEADER)
    print("writing", flush=True)
    for _ in range(rounds):
        for shard in plan.shards:
            task = plan.task(shard.name, made_sizes(clips))
            write_shard(folder, task, HEADER, FINGERPRINT, outcomes(task))


if __name__ == "__main__":
    main(Path(sys.argv[1]), 1000 if "--slow" in sys.argv else 1)

"""Any number of parts, in any order, some of them twice, then one finish: always the same set."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.classes import class_list
from prep.benchmarks import RawSource
from prep.engines import Progress, Work
from prep.ingest import finish_only, ingest
from prep.jobs import ShardJob
from prep.video.settings import EncodeSettings, Limits
from shards.plan import ShardTask, plan_shards
from shards.writer import write_shard
from tests.shards.made import CLASSES, FINGERPRINT, HEADER, SPLITS, made_clips, made_sizes, outcomes

CLIPS = made_clips(26, per_video=2, absent=[4, 11], partitions=("train", "val"))
PLAN = plan_shards(CLIPS, 4, HEADER)


def job(folder: Path, part: tuple[int, int] | None = None) -> ShardJob:
    """A set of made-up clips in twelve files, two clips of the list without one."""
    source = RawSource(
        "custom", folder / "raw", class_list("custom", CLASSES), SPLITS, CLIPS, (), ()
    )
    return ShardJob(
        source,
        folder / "set",
        PLAN,
        made_sizes(CLIPS),
        EncodeSettings(),
        Limits(),
        FINGERPRINT,
        part=part,
    )


def make(folder: Path, *parts: tuple[int, int]) -> dict[str, bytes]:
    """Run the parts one after the other, then finish; the files of the set, locks apart."""

    def engine(
        work: Work[str], tasks: Iterable[ShardTask], workers: int, progress: Progress
    ) -> Iterator[str]:
        for task in tasks:
            write_shard(folder / "set", task, HEADER, FINGERPRINT, outcomes(task, refused=[7]))
            progress(len(task.clips), 0)
            yield task.shard

    for part in parts:
        ingest(job(folder, part), 1, engine)
    found = finish_only(job(folder))
    assert found.wanting == ()
    assert found.info is not None and found.info.complete
    made = folder / "set"
    return {
        p.relative_to(made).as_posix(): p.read_bytes() for p in made.rglob("[!.]*") if p.is_file()
    }


@cache
def whole() -> dict[str, bytes]:
    """The set that one run makes."""
    with tempfile.TemporaryDirectory() as folder:
        return make(Path(folder), (1, 1))


@settings(max_examples=8, deadline=None)
@given(count=st.integers(1, 6), data=st.data())
def test_parts_in_any_order_some_twice_then_one_finish(count: int, data: st.DataObject) -> None:
    every = list(range(1, count + 1))
    again = data.draw(st.lists(st.sampled_from(every), max_size=3))
    order = data.draw(st.permutations(every + again))
    with tempfile.TemporaryDirectory() as folder:
        assert make(Path(folder), *((part, count) for part in order)) == whole()
    assert {"dataset.json", "samples.parquet", "frames.arrow", "rejects.parquet"} <= {
        name.rpartition("/")[2] for name in whole()
    }
    assert sum(name.endswith(".tar") for name in whole()) == len(PLAN.shards)


@settings(max_examples=4, deadline=None)
@given(counts=st.lists(st.integers(1, 5), min_size=2, max_size=3))
def test_parts_of_different_numbers_mix(counts: list[int]) -> None:
    """An array that is started anew with more jobs goes on with what is there."""
    first = [(1, count) for count in counts[:-1]]
    last = [(part, counts[-1]) for part in range(1, counts[-1] + 1)]
    with tempfile.TemporaryDirectory() as folder:
        assert make(Path(folder), *first, *last) == whole()

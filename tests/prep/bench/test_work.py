"""What a measured process is told and how it counts."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict

import pytest

from manifests.errors import UserError
from prep.bench.work import Work, timed
from prep.spread import spread
from shards.store import ShardStore
from tests.shards.made import made_store


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> ShardStore:
    return made_store(tmp_path_factory.mktemp("bench") / "set", 24)


def test_work_survives_the_way_to_its_process() -> None:
    work = Work("a", None, 3, 8, 224, 32, 2, 1.5)
    assert Work(**json.loads(json.dumps(asdict(work)))) == work


@pytest.mark.parametrize("limit", [1, 2, 5, 24, 1000])
def test_clips_are_spread_over_the_store_and_labelled(store: ShardStore, limit: int) -> None:
    subset = spread(store, limit)
    labelled = int((store.labels >= 0).sum())
    assert len(subset) == min(limit, labelled)
    subset.check(store)
    if limit > 1:
        assert subset.rows[0] == store.rows[store.labels >= 0][0]
        assert subset.rows[-1] == store.rows[store.labels >= 0][-1]


def test_a_store_without_labels_is_refused(store: ShardStore, monkeypatch) -> None:
    monkeypatch.setattr(store, "labels", store.labels * 0 - 1)
    with pytest.raises(UserError, match="no labelled clip"):
        spread(store, 5)


def test_counts_clips_and_bytes_after_the_start() -> None:
    """Each unit takes one second of a clock that only units move."""
    now = [0.0]

    def units():
        for number in itertools.count():
            now[0] += 1.0
            yield (10, 1_000_000) if number >= 2 else (1000, 0)

    import prep.bench.work as module

    clock = module.time.perf_counter
    module.time.perf_counter = lambda: now[0]
    try:
        figure = timed(units(), 10.0, cpu=lambda: 3 * now[0])
    finally:
        module.time.perf_counter = clock
    assert figure.clips_per_second == pytest.approx(10)
    assert figure.mb_per_second == pytest.approx(1)
    assert figure.cpu_seconds_per_clip == pytest.approx(0.3)
    assert (figure.clips, figure.seconds) == (100, 10.0)

"""Every work of the table of scale is really done, each in a process of its own."""

from __future__ import annotations

import os

import pytest

from manifests.errors import UserError
from prep.bench.apart import measure
from prep.bench.tables import CASES, Figure, make
from shards.store import ShardStore
from shards.subsets import list_subsets, load_subset

ROWS = 2000


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = tmp_path_factory.mktemp("tables")
    make(made, ROWS)
    return made


def test_each_work_does_what_it_says(place):
    for prepare in CASES.values():
        prepare(place)()
    kinetics400 = ShardStore.open(place / "shards" / "kinetics400")
    drawn = {name: load_subset(kinetics400, name) for name in list_subsets(kinetics400.folder)}
    assert set(drawn) >= {"few-shot-train-16-seed1", "val-base", "val-novel", "train", "val"}
    assert len(drawn["train"]) == kinetics400.info.counts.splits["train"]
    assert len(drawn["val-base"]) + len(drawn["val-novel"]) == len(drawn["val"])
    kinetics600 = ShardStore.open(place / "shards" / "kinetics600")
    tests = [load_subset(kinetics600, name) for name in list_subsets(kinetics600.folder)]
    assert [len(subset.classes) for subset in tests] == [160, 160, 160]
    assert (place / "missing.csv").read_text().count("\n") == ROWS // 100 + 1
    assert not (place / "none").exists()


def test_seconds_and_peak_are_those_of_another_process(place):
    ballast = bytearray(os.urandom(1)) * (400 << 20)
    found = measure("tables", "open", place)
    assert 0 < found.seconds < 60
    assert 20e6 < found.peak_bytes < 400e6
    assert len(ballast) == 400 << 20


def test_what_fails_is_told_in_one_line(place):
    with pytest.raises(UserError, match=r"open cannot be measured: no shards in"):
        measure("tables", "open", place / "elsewhere")


def test_figures_tell_the_median_and_the_cost_of_a_row():
    figure = Figure("scan", 1000, (3.0, 0.5, 1.0), 10)
    assert (figure.seconds, figure.us_per_row) == (1.0, 1000.0)

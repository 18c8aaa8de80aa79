"""Estimates from a few files: totals, ranges, and which files are drawn."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prep.planning import draw, estimate, free_bytes, probe_files, student
from shards.schema import clip_rows
from tests.shards.made import encode, made_clips, refuse

values = st.lists(st.floats(0, 1e9), min_size=2, max_size=30)


@given(values, st.integers(0, 1000))
def test_the_total_is_the_mean_times_the_population(numbers, more):
    found = estimate(numbers, len(numbers) + more)
    assert found.total == pytest.approx(statistics.fmean(numbers) * (len(numbers) + more))
    assert found.low is not None and found.high is not None
    assert found.low <= found.total * (1 + 1e-12) + 1e-9
    assert found.high >= found.total * (1 - 1e-12)
    assert found.low >= min(found.total, math.fsum(numbers)) * (1 - 1e-9)


def test_what_was_tried_as_a_whole_is_known():
    found = estimate([1.0, 5.0], 2)
    assert found.total == found.low == found.high == 6.0


def test_one_file_tells_no_range_and_none_tells_nothing():
    assert (estimate([3.0], 10).total, estimate([3.0], 10).low) == (30.0, None)
    assert (estimate([], 0).total, estimate([], 0).high) == (0.0, None)


def test_the_range_holds_the_truth_nine_times_of_ten():
    """Samples of sixteen out of a thousand values that are spread as lengths of videos are."""
    chance = np.random.default_rng(5)
    population = chance.gamma(4.0, 1e6, 1000)
    hits = 0
    for _ in range(1000):
        found = estimate(chance.choice(population, 16, replace=False).tolist(), 1000)
        hits += found.low <= population.sum() <= found.high
    assert 860 <= hits <= 940


@pytest.mark.parametrize(("freedom", "value"), [(1, 6.314), (9, 1.833), (15, 1.753), (31, 1.696)])
def test_student(freedom, value):
    assert student(freedom) == pytest.approx(value, rel=0.005)


@given(st.lists(st.text(max_size=5), unique=True, max_size=40), st.integers(0, 2**32))
def test_a_draw_is_a_permutation_that_the_seed_decides(files, seed):
    drawn = draw(files, seed)
    assert sorted(drawn) == sorted(files)
    assert drawn == draw(files, seed)


def test_seeds_draw_other_files():
    files = [str(i) for i in range(100)]
    assert draw(files, 1)[:8] != draw(files, 2)[:8]


def test_no_file_is_begun_after_the_time_and_refusals_count():
    clips = clip_rows(made_clips(6))
    given_out = []

    def outcomes(together):
        given_out.append(together)
        return iter([refuse(together[0]), *map(encode, together[1:])])

    pairs = [(str(i), clips[i : i + 2]) for i in (0, 2, 4)]
    found = list(probe_files(iter(pairs), outcomes, 60))
    assert [(p.file, p.stored, p.refused) for p in found] == [(f, 1, 1) for f in ("0", "2", "4")]
    assert [p.frames for p in found] == [len(encode(clips[i]).frames) for i in (1, 3, 5)]
    given_out.clear()
    assert list(probe_files(iter(pairs), outcomes, -1)) == []
    assert given_out == []


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path):
    import shutil

    free = free_bytes(tmp_path / "a" / "b")
    assert free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.2)

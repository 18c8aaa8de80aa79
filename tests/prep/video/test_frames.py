"""Which frames are stored: properties that hold for any length, budget and protocol."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders import sampling
from prep.video.frames import SEGMENTS, auto_budget, centres, choose_frames, grid, views

COUNTS = st.integers(1, 20_000)
CLIPS = st.integers(1, 12)


@given(COUNTS, st.none() | st.integers(1, 400), CLIPS)
def test_frames_are_distinct_ascending_and_as_many_as_the_budget_allows(count, budget, clips):
    chosen = choose_frames(count, budget, clips)
    assert all(a < b for a, b in itertools.pairwise(chosen))
    assert chosen[0] >= 0 and chosen[-1] < count
    assert len(chosen) == (count if budget is None else min(count, budget))


@given(COUNTS, CLIPS, st.integers(0, 200))
def test_what_tests_look_at_is_stored_when_it_fits(count, clips, more):
    looked_at = set(centres(count)) | set(grid(count, clips))
    assert looked_at <= set(choose_frames(count, len(looked_at) + more, clips))


@given(COUNTS, CLIPS, st.integers(0, 200))
def test_segment_centres_come_before_the_grid(count, clips, more):
    middle = set(centres(count))
    assert middle <= set(choose_frames(count, len(middle) + more, clips))


@given(st.integers(500, 20_000), CLIPS, st.integers(8, 400))
def test_no_stretch_of_a_clip_is_left_out(count, clips, budget):
    """A gap is at most what is left of the grid when every so many of its steps is kept."""
    chosen = choose_frames(count, budget, clips)
    gaps = [b - a for a, b in itertools.pairwise([-1, *chosen, count])]
    steps, kept = SEGMENTS * clips, budget - SEGMENTS
    skipped = math.ceil(steps / kept) if kept else steps
    assert max(gaps) <= min(count / SEGMENTS, skipped * count / steps) + 1


@given(COUNTS, CLIPS)
def test_the_grid_is_what_the_loader_looks_at(count, clips):
    looked_at = sampling.test_frames(np.array([count]), SEGMENTS, clips)
    assert grid(count, clips) == looked_at.ravel().tolist()


@given(COUNTS, CLIPS)
def test_the_grid_is_that_of_the_protocol(count, clips):
    exact = [
        math.floor((i * 2 * clips + 2 * k + 1) * count / (2 * clips * SEGMENTS))
        for k in range(clips)
        for i in range(SEGMENTS)
    ]
    assert grid(count, clips) == exact
    assert grid(count, 1) == centres(count)


def test_centres_are_those_of_the_published_sampler(oracles):
    cases = json.loads((oracles / "frame_sampling.json").read_text())["segment_center"]
    assert cases
    for case in cases:
        assert centres(case["total"], case["T"]) == case["indices"], case


@pytest.mark.parametrize(
    ("benchmark", "budget", "clips"),
    [
        ("ucf101", 200, 5),
        ("hmdb51", 200, 10),
        ("ssv2", 200, 2),
        ("kinetics400", 40, 4),
        ("kinetics600", 40, 4),
        ("activitynet", 40, 4),
        ("toy", 200, 4),
        ("custom", 200, 4),
    ],
)
def test_budgets_of_the_benchmarks(benchmark, budget, clips):
    assert (auto_budget(benchmark), views(benchmark)) == (budget, clips)
    assert len(set(centres(1000)) | set(grid(1000, clips))) <= budget


def test_the_grid_of_kinetics_fills_its_budget():
    assert set(choose_frames(300, 40, 4)) == set(centres(300)) | set(grid(300, 4))

"""Accuracies, confusion, spread, and the gathering of ranks' batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from train.metrics import (
    collect,
    confusion,
    harmonic_mean,
    per_class,
    rank_classes,
    spread,
    top_k,
)


def _scores(seed: int, videos: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.normal(size=(videos, classes)), draw.integers(0, classes, videos)


@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 12))
def test_top_k_counts_videos_with_fewer_than_k_better_classes(seed, videos, classes):
    scores, labels = _scores(seed, videos, classes)
    ranked = rank_classes(scores, 5)
    better = (scores > scores[np.arange(videos), labels][:, None]).sum(axis=1)
    for k in (1, 5):
        assert top_k(ranked, labels, k) == pytest.approx(100 * np.mean(better < k))


def test_equal_scores_go_to_the_lower_class_id():
    assert rank_classes(np.array([[1.0, 2.0, 2.0, 1.0]]), 5).tolist() == [[1, 2, 0, 3]]


@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(2, 9))
def test_confusion_and_per_class_add_up_to_top_1(seed, videos, classes):
    scores, labels = _scores(seed, videos, classes)
    ranked = rank_classes(scores, 5)
    matrix = confusion(ranked, labels, classes)
    table = per_class(matrix, [f"c{i}" for i in range(classes)])
    assert matrix.sum() == videos
    assert 100 * matrix.trace() / videos == pytest.approx(top_k(ranked, labels, 1))
    assert [row.videos for row in table] == np.bincount(labels, minlength=classes).tolist()
    assert sum(row.correct for row in table) == matrix.trace()
    for row in table:
        assert (row.top1 is None) == (row.videos == 0)
        assert (row.confused_with == "") == (row.correct == row.videos)


def test_harmonic_mean_matches_the_published_pair():
    # Table 6, last line of (a): the HM of the means, not the mean of the HMs.
    assert round(harmonic_mean(68.55, 53.45), 2) == 60.07
    assert harmonic_mean(0.0, 0.0) == 0.0


def test_spread_is_the_population_deviation():
    found = spread([1.0, 2.0, 3.0])
    assert (found.mean, found.count) == (2.0, 3)
    assert found.std == pytest.approx((2 / 3) ** 0.5)


@given(st.integers(0, 10_000), st.integers(1, 30), st.integers(1, 5), st.integers(1, 4))
def test_collect_restores_storage_order_whatever_the_ranks(seed, videos, batch, ranks):
    scores, labels = _scores(seed, videos, 7)
    rows = np.sort(np.random.default_rng(seed).choice(1000, videos, replace=False))
    ranked = rank_classes(scores, 5)
    steps = -(-videos // (batch * ranks))
    padded = np.full(steps * batch * ranks, -1)
    padded[:videos] = np.arange(videos)
    by_rank = padded.reshape(steps, ranks, batch).transpose(1, 0, 2).ravel()
    found = collect(
        np.where(by_rank < 0, -1, rows[by_rank]),
        labels[by_rank],
        ranked[by_rank],
        scores[by_rank][:, :5],
    )
    assert np.array_equal(found.rows, rows)
    assert np.array_equal(found.labels, labels)
    assert np.array_equal(found.ranked, ranked)


def test_a_row_evaluated_twice_is_refused():
    with pytest.raises(UserError, match="row 4 was evaluated twice"):
        collect(np.array([4, -1, 4]), np.zeros(3), np.zeros((3, 1)), np.zeros((3, 1)))

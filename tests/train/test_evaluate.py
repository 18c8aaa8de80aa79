"""Scores of several views, and figures that are those of the whole subset or none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from manifests.errors import UserError
from train.evaluate import check_complete, predict, videos_per_step, view_scores
from train.metrics import Predictions

TAU = 0.05


@dataclass(frozen=True)
class Batch:
    """What a loader yields; `clips` are features already."""

    clips: torch.Tensor
    labels: torch.Tensor
    rows: torch.Tensor
    views: int


def alike(clips: torch.Tensor) -> torch.Tensor:
    return clips


def world_of(seed: int, videos: int, views: int, classes: int) -> tuple[torch.Tensor, ...]:
    """Features (videos, views, E), class texts (classes, E), labels and rows."""
    draws = torch.Generator().manual_seed(seed)
    features = torch.randn(videos, views, 6, generator=draws)
    texts = torch.randn(classes, 6, generator=draws)
    labels = torch.randint(classes, (videos,), generator=draws)
    rows = torch.randperm(10 * videos, generator=draws)[:videos].sort().values
    return features, texts, labels, rows


def batches(
    features: torch.Tensor, labels: torch.Tensor, rows: torch.Tensor, size: int, *, steps: int = 0
) -> Iterator[Batch]:
    """Batches of `size` videos, the last padded as the loader pads; `steps` at least."""
    videos, views, _ = features.shape
    steps = max(steps, -(-videos // size))
    padding = steps * size - videos
    # Whatever stands in the padding must not count.
    features = torch.cat([features, torch.ones(padding, views, features.shape[2])])
    labels = torch.cat([labels, torch.zeros(padding, dtype=torch.int64)])
    rows = torch.cat([rows, torch.full((padding,), -1)])
    for start in range(0, steps * size, size):
        part = slice(start, start + size)
        yield Batch(features[part].flatten(0, 1), labels[part], rows[part], views)


def slow_scores(features: torch.Tensor, texts: torch.Tensor) -> list[list[float]]:
    """Sum over views of each view's probabilities, number by number."""
    found = []
    for video in features.double():
        total = [0.0] * len(texts)
        for view in video:
            logits = [
                float(view @ text / (view.norm() * text.norm())) / TAU for text in texts.double()
            ]
            top = max(logits)
            weights = [math.exp(logit - top) for logit in logits]
            total = [old + w / sum(weights) for old, w in zip(total, weights, strict=True)]
        found.append(total)
    return found


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_a_score_is_the_sum_of_the_views_probabilities(seed, videos, views, classes):
    features, texts, _, _ = world_of(seed, videos, views, classes)
    found = view_scores(features.flatten(0, 1), texts, TAU, views)
    assert found.shape == (videos, classes)
    np.testing.assert_allclose(found.numpy(), slow_scores(features, texts), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(found.sum(dim=1), views, rtol=1e-5)


def test_scores_are_computed_in_float32_whatever_the_towers_used():
    features, texts, _, _ = world_of(3, 4, 2, 5)
    half, texts = features.flatten(0, 1).bfloat16(), texts.bfloat16()
    plain = view_scores(half, texts, TAU, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = view_scores(half, texts, TAU, 2)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, plain)


@pytest.mark.parametrize(
    ("asked", "views", "found"), [(0, 1, 32), (0, 12, 2), (0, 30, 1), (0, 99, 1), (7, 12, 7)]
)
def test_about_thirty_two_views_pass_at_once(asked, views, found):
    assert videos_per_step(asked, views) == found


@given(
    st.integers(0, 10_000),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 8),
    st.integers(1, 14),
)
def test_padding_and_batches_change_nothing(seed, videos, views, classes, size):
    features, texts, labels, rows = world_of(seed, videos, views, classes)
    found = predict(alike, texts, TAU, batches(features, labels, rows, size), alike)
    wanted = view_scores(features.flatten(0, 1), texts, TAU, views).numpy()
    assert found.rows.tolist() == rows.tolist()
    assert found.labels.tolist() == labels.tolist()
    assert found.ranked.shape == (videos, min(5, classes))
    best = -np.sort(-wanted, axis=1)[:, :5]
    np.testing.assert_allclose(found.scores, best, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        np.take_along_axis(wanted, found.ranked, axis=1), best, rtol=1e-4, atol=1e-6
    )
    check_complete(found, rows.numpy(), "test")


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 5))
def test_ranks_together_are_one(seed, videos, size):
    features, texts, labels, rows = world_of(seed, videos, 2, 6)
    whole = predict(alike, texts, TAU, batches(features, labels, rows, size), alike)
    steps = -(-videos // (2 * size))
    shares = [
        list(batches(features[rank::2], labels[rank::2], rows[rank::2], size, steps=steps))
        for rank in (0, 1)
    ]
    second: list[torch.Tensor] = []

    def noted(values: torch.Tensor) -> torch.Tensor:
        second.append(values)
        return values

    predict(alike, texts, TAU, shares[1], noted)
    theirs = iter(second)
    both = predict(alike, texts, TAU, shares[0], lambda mine: torch.cat([mine, next(theirs)]))
    assert both.rows.tolist() == whole.rows.tolist()
    assert both.labels.tolist() == whole.labels.tolist()
    np.testing.assert_allclose(both.scores, whole.scores, rtol=1e-4, atol=1e-6)


def test_a_video_seen_by_two_ranks_is_refused():
    features, texts, labels, rows = world_of(1, 4, 1, 6)
    with pytest.raises(UserError, match="evaluated twice"):
        predict(
            alike,
            texts,
            TAU,
            batches(features, labels, rows, 2),
            lambda values: torch.cat([values, values]),
        )


def of_rows(*rows: int) -> Predictions:
    return Predictions(np.array(rows), np.zeros(len(rows)), np.zeros((len(rows), 1)), np.zeros(0))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ((1, 4), r"evaluated 2 of 3 videos \(first missing row \[9\]\)"),
        ((), r"evaluated 0 of 3 videos \(first missing row \[1\]\)"),
        ((1, 4, 5), r"first missing row \[9\]"),
        ((1, 4, 5, 9), "evaluated 4 of 3 videos"),
    ],
)
def test_figures_of_other_rows_are_refused(rows, told):
    check_complete(of_rows(1, 4, 9), np.array([1, 4, 9]), "novel")
    with pytest.raises(UserError, match=told) as said:
        check_complete(of_rows(*rows), np.array([1, 4, 9]), "novel")
    assert str(said.value).startswith("novel: evaluated")


def test_nothing_of_an_evaluation_keeps_a_graph():
    features, texts, labels, rows = world_of(1, 3, 1, 6)
    layer = torch.nn.Linear(6, 6)
    seen = []

    def encode(clips: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = layer(clips)
        seen.append(found.requires_grad)
        return found

    predict(encode, texts, TAU, batches(features, labels, rows, 2), alike)
    assert seen == [False, False]

"""Figures of an evaluation: accuracies, per-class table, confusion matrix, harmonic mean, spread.

All functions are pure and take NumPy arrays. `ranked` is `(n, k)` int64: the k best classes of
each video, best first. Accuracies are micro averages in percent (correct videos / videos), as the
followed code reports them; there is no per-class mean in any table of the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from manifests.errors import UserError


def rank_classes(scores: np.ndarray, k: int) -> np.ndarray:
    """Best `k` classes of each row of `scores` `(n, C)`, best first; equal scores by class id.

    Fewer classes than `k` give `C` columns.
    """
    return np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int64)


def top_k(ranked: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Percentage of videos whose label `(n,)` is among the first `k` of `ranked` `(n, >=1)`."""
    if len(labels) == 0:
        raise ValueError("no video to take an accuracy of")
    return 100.0 * float((ranked[:, :k] == labels[:, None]).any(axis=1).mean())


def confusion(ranked: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Counts `(C, C)` int64: entry (i, j) is videos of class i taken for class j."""
    flat = labels.astype(np.int64) * classes + ranked[:, 0]
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class ClassScore:
    """One row of the per-class table."""

    name: str
    videos: int
    correct: int
    top1: float | None  # percent; None for a class without a video
    confused_with: str  # the class most often taken for it, "" when never mistaken


def per_class(matrix: np.ndarray, names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Per-class table of a confusion matrix `(C, C)` in the order of `names`."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    scores = []
    for index, name in enumerate(names):
        videos, correct = int(matrix[index].sum()), int(matrix[index, index])
        other = names[int(wrong[index].argmax())] if wrong[index].any() else ""
        share = 100.0 * correct / videos if videos else None
        scores.append(ClassScore(name, videos, correct, share, other))
    return tuple(scores)


def harmonic_mean(base: float, novel: float) -> float:
    """2bn / (b + n); 0 when both are 0 (base-to-novel protocol)."""
    return 2.0 * base * novel / (base + novel) if base + novel else 0.0


@dataclass(frozen=True)
class Spread:
    """Mean and population standard deviation (ddof 0) over splits or seeds."""

    mean: float
    std: float
    count: int


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation (ddof 0, as the code that computes it in this field does)."""
    if not values:
        raise ValueError("no value to take a mean of")
    array = np.asarray(values, dtype=np.float64)
    return Spread(float(array.mean()), float(array.std()), len(array))


@dataclass(frozen=True)
class Predictions:
    """What an evaluation found: one entry a video, in ascending order of official row.

    rows: `(n,)` int64, unique. labels: `(n,)` int64, positions in the candidate class list.
    ranked: `(n, min(5, C))` int64. scores: same shape, float32, the summed probabilities.
    """

    rows: np.ndarray
    labels: np.ndarray
    ranked: np.ndarray
    scores: np.ndarray

    def top(self, k: int) -> float:
        """Top-`k` accuracy in percent."""
        return top_k(self.ranked, self.labels, k)


def collect(
    rows: np.ndarray, labels: np.ndarray, ranked: np.ndarray, scores: np.ndarray
) -> Predictions:
    """Predictions of all ranks' batches: padding (row -1) dropped, sorted by row.

    Raises UserError when a row came twice: then the numbers would not be those of the split.
    """
    real = rows >= 0
    order = np.argsort(rows[real], kind="stable")
    kept = rows[real][order]
    twice = kept[1:][kept[1:] == kept[:-1]]
    if len(twice):
        raise UserError(
            f"row {int(twice[0])} was evaluated twice ({len(twice)} such rows): the batches of the "
            "ranks overlap; start all ranks of a run with the same shards and words"
        )
    return Predictions(kept, labels[real][order], ranked[real][order], scores[real][order])

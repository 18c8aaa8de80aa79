"""Evaluation: every video once, every view scored, results gathered by row number.

::

    batch (B·V, T, 3, H, W) -> features -> cosine / tau -> softmax per view -> sum over V -> (B, C)

A video's score is the sum of its views' probabilities (protocols.md 3 of the followed code). Ranks
see disjoint rows, the last batches padded with row -1; the padding is masked, and the number of
videos that counted is checked against the number of the subset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import numpy as np
import torch

from manifests.errors import UserError
from train.losses import cosines
from train.metrics import Predictions, collect, rank_classes

Gather = Callable[[torch.Tensor], torch.Tensor]
TOP = 5
VIEWS_AT_ONCE = 32


class EvaluationBatch(Protocol):
    """What the loader yields: `views` clips a video, video-major; padding has row -1."""

    @property
    def clips(self) -> torch.Tensor:
        """`(B·V, T, 3, H, W)`."""

    @property
    def labels(self) -> torch.Tensor:
        """`(B,)`, places among the candidates."""

    @property
    def rows(self) -> torch.Tensor:
        """`(B,)`, official rows, -1 for padding."""

    @property
    def views(self) -> int:
        """V."""

    @property
    def replaced(self) -> int:
        """Videos that could not be read and became padding."""


class LeftOut:
    """Batches as they come, and how many videos could not be read in those that have come."""

    def __init__(self, batches: Iterable[EvaluationBatch]) -> None:
        self._batches = batches
        self.videos = 0

    def __iter__(self) -> Iterator[EvaluationBatch]:
        for batch in self._batches:
            self.videos += batch.replaced
            yield batch


def videos_per_step(asked: int, views: int) -> int:
    """Videos per rank and step: what was asked for, else so that about 32 views pass at once."""
    return asked or max(1, VIEWS_AT_ONCE // views)


def view_scores(video: torch.Tensor, texts: torch.Tensor, tau: float, views: int) -> torch.Tensor:
    """Summed probabilities `(B, C)` from features `(B·V, E)` and class texts `(C, E)`."""
    probabilities = (cosines(video, texts) / tau).softmax(dim=-1)
    return probabilities.view(-1, views, len(texts)).sum(dim=1)


@torch.inference_mode()
def predict(
    features: Callable[[torch.Tensor], torch.Tensor],
    texts: torch.Tensor,
    tau: float,
    batches: Iterable[EvaluationBatch],
    gather: Gather,
) -> Predictions:
    """Predictions of all ranks for one subset, the same on every rank.

    features: clips `(B·V, T, 3, H, W)` -> `(B·V, E)`. texts: `(C, E)` of the candidate classes,
    encoded once by the caller. gather: concatenates a tensor over the ranks.
    """
    rows, labels, ranked, scores = [], [], [], []
    for batch in batches:
        found = view_scores(features(batch.clips), texts, tau, batch.views).cpu().numpy()
        best = rank_classes(found, TOP)
        rows.append(np.asarray(batch.rows.cpu()))
        labels.append(np.asarray(batch.labels.cpu()))
        ranked.append(best)
        scores.append(np.take_along_axis(found, best, axis=1))
    device = texts.device
    parts = [
        gather(torch.from_numpy(np.concatenate(part)).to(device)).cpu().numpy()
        for part in (rows, labels, ranked, scores)
    ]
    return collect(*parts)


def check_complete(
    predictions: Predictions, rows: np.ndarray, target: str, left_out: int = 0
) -> None:
    """Refuse figures that do not cover exactly the rows `(n,)` that were to be shown.

    left_out: videos that could not be read, and that --on-error substitute leaves out.
    """
    missing = np.setdiff1d(rows, predictions.rows)
    if left_out and left_out == len(rows):
        raise UserError(f"{target}: no video could be read: see the lines above, and mend the set")
    if len(missing) != left_out or len(predictions.rows) + left_out != len(rows):
        raise UserError(
            f"{target}: evaluated {len(predictions.rows)} of {len(rows)} videos (first missing row "
            f"{missing[:1].tolist()}): start all ranks of a run with the same shards and words"
        )

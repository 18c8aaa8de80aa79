"""What is minimised: cross entropy with class texts, consistency with class descriptions.

Features come un-normalised. Everything here is computed in float32, whatever the towers used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F

Tau = float | torch.Tensor


def cosines(video: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
    """Cosine of each of `(B, E)` with each of `(C, E)`: `(B, C)`."""
    with torch.autocast(video.device.type, enabled=False):
        return F.normalize(video.float(), dim=-1) @ F.normalize(text.float(), dim=-1).T


def cross_entropy(
    video: torch.Tensor, text: torch.Tensor, labels: torch.Tensor, tau: Tau
) -> torch.Tensor:
    """Mean over clips `(B, E)` of the cross entropy over class texts `(C, E)` (eq. 15)."""
    return F.cross_entropy(cosines(video, text) / tau, labels)


def consistency(
    text: torch.Tensor,
    spatial: torch.Tensor | None,
    temporal: torch.Tensor | None,
    reduction: Literal["mean", "sum"] = "mean",
) -> torch.Tensor:
    """Distance of class texts from the means of their descriptions, all `(C, E)` (eq. 14).

    Per class 1 - cosine for each kind of description that is given; a scalar by `reduction`.
    """
    given = [means for means in (spatial, temporal) if means is not None]
    per_class = torch.zeros(len(text), device=text.device)
    for means in given:
        per_class = per_class + 1 - F.cosine_similarity(text.float(), means.float(), dim=-1)
    return per_class.mean() if reduction == "mean" else per_class.sum()


def description_mean(
    features: Sequence[torch.Tensor] | torch.Tensor,
    mode: Literal["normalised", "raw"] = "normalised",
) -> torch.Tensor:
    """Mean feature of each class `(C, E)` from those of its descriptions, `(N_c, E)` a class.

    Classes may have different numbers of descriptions. normalised: each description counts the
    same, whatever its feature's length.
    """
    means = []
    for found in features:
        plain = found.float()
        means.append((F.normalize(plain, dim=-1) if mode == "normalised" else plain).mean(dim=0))
    return torch.stack(means)


def contrastive(
    video: torch.Tensor, text: torch.Tensor, captions: torch.Tensor, tau: Tau
) -> torch.Tensor:
    """Symmetric loss of clips `(B, E)` and their captions `(B, E)`.

    captions: `(B,)`, equal where captions are; all of them are then right answers of each other.
    """
    same = (captions[:, None] == captions).float()
    targets = same / same.sum(dim=1, keepdim=True)
    logits = cosines(video, text) / tau
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2

"""Losses against their formulas, written out."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from train.losses import consistency, contrastive, cross_entropy, description_mean


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cosine(one: torch.Tensor, two: torch.Tensor) -> float:
    return float(one @ two / (one.norm() * two.norm()))


@given(seed=st.integers(0, 10**6), tau=st.floats(0.01, 1.0))
def test_cross_entropy_is_eq_15(seed: int, tau: float) -> None:
    video, text = drawn(seed, 3, 8), drawn(seed + 1, 5, 8)
    labels = torch.tensor([4, 0, 2])
    terms = []
    for clip, label in zip(video, labels.tolist(), strict=True):
        logits = [cosine(clip, name) / tau for name in text]
        top = max(logits)
        total = top + math.log(sum(math.exp(logit - top) for logit in logits))
        terms.append(total - logits[label])
    found = cross_entropy(video, text, labels, tau).item()
    assert found == pytest.approx(sum(terms) / 3, rel=1e-3, abs=1e-3)


@given(seed=st.integers(0, 10**6))
def test_consistency_is_eq_14(seed: int) -> None:
    text, spatial, temporal = (drawn(seed + i, 6, 8) for i in range(3))
    per_class = [
        2 - cosine(w, s) - cosine(w, t) for w, s, t in zip(text, spatial, temporal, strict=True)
    ]
    for c, wanted in enumerate(per_class):
        one = (part[c : c + 1] for part in (text, spatial, temporal))
        assert consistency(*one).item() == pytest.approx(wanted, abs=1e-5)
        assert 0 <= wanted <= 4
    found = consistency(text, spatial, temporal)
    assert found.item() == pytest.approx(sum(per_class) / 6, abs=1e-5)
    assert consistency(text, spatial, temporal, "sum").item() == pytest.approx(
        sum(per_class), abs=1e-4
    )
    alone = consistency(text, spatial, None) + consistency(text, None, temporal)
    torch.testing.assert_close(alone, found)
    torch.testing.assert_close(consistency(7 * text, 2 * spatial, temporal), found)


def test_consistency_without_descriptions_is_nothing() -> None:
    assert consistency(drawn(0, 3, 4), None, None).item() == 0


def test_means_of_ragged_descriptions() -> None:
    features = [drawn(1, 2, 4) * 9, drawn(2, 1, 4), drawn(3, 5, 4)]
    raw = description_mean(features, "raw")
    normalised = description_mean(features)
    for index, found in enumerate(features):
        torch.testing.assert_close(raw[index], found.mean(dim=0))
        unit = found / found.norm(dim=1, keepdim=True)
        torch.testing.assert_close(normalised[index], unit.mean(dim=0))
    stacked = torch.stack([drawn(1, 2, 4), drawn(2, 2, 4)])
    torch.testing.assert_close(description_mean(stacked, "raw"), stacked.mean(dim=1))


@given(seed=st.integers(0, 10**6))
def test_contrastive_without_repeats_is_two_cross_entropies(seed: int) -> None:
    video, text = drawn(seed, 4, 8), drawn(seed + 1, 4, 8)
    places = torch.arange(4)
    wanted = cross_entropy(video, text, places, 0.1) + cross_entropy(text, video, places, 0.1)
    torch.testing.assert_close(contrastive(video, text, places + 100, 0.1), wanted / 2)


def test_equal_captions_are_right_answers_of_each_other() -> None:
    video, text = drawn(1, 4, 8), drawn(2, 4, 8)
    text[3] = text[1]
    captions = torch.tensor([5, 8, 2, 8])
    logits = torch.stack([torch.tensor([cosine(v, t) / 0.1 for t in text]) for v in video])
    terms = []
    for table in (logits, logits.T):
        logs = table.log_softmax(dim=1)
        for row in range(4):
            right = (captions == captions[row]).nonzero().flatten()
            terms.append(-logs[row, right].mean().item())
    found = contrastive(video, text, captions, 0.1).item()
    assert found == pytest.approx(sum(terms) / 8, rel=1e-4)
    order = torch.tensor([2, 3, 0, 1])
    moved = contrastive(video[order], text[order], captions[order], 0.1).item()
    assert moved == pytest.approx(found, rel=1e-5)


def test_losses_are_computed_in_float32() -> None:
    video, text = drawn(1, 4, 8).bfloat16(), drawn(2, 4, 8).bfloat16()
    labels = torch.arange(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = [
            cross_entropy(video, text, labels, 0.01),
            consistency(text, text, video),
            contrastive(video, text, labels, 0.01),
        ]
    assert {value.dtype for value in found} == {torch.float32}
    exact = cross_entropy(video.float(), text.float(), labels, 0.01)
    assert torch.equal(found[0], exact)

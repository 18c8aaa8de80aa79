"""The pre-training objective: which captions match, which words are named, what is learnt."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from train.captions import CaptionObjective, _word_table
from train.models.config import SIZES
from train.models.tokenizer import Tokenizer
from train.models.viclip import ViCLIP

TOKENIZER = Tokenizer(SIZES["nano"].text.vocabulary, SIZES["nano"].text.context)
CAPTIONS = ("red circle growing", "red ring growing", "blue ring", "a red ring that moves left")
WORDS = st.lists(
    st.sampled_from(["red", "ring", "circle", "grows", "left", "!"]), min_size=1, max_size=5
)


def objective(seed: int = 1, word_weight: float = 0.5) -> CaptionObjective:
    backbone = ViCLIP(SIZES["nano"], 7)
    bare = TOKENIZER.encode(CAPTIONS)
    templated = TOKENIZER.encode([f"a video of {text}." for text in CAPTIONS])
    return CaptionObjective(backbone, bare, templated, word_weight, seed)


def clips_of(count: int) -> torch.Tensor:
    return torch.randn(count, 8, 3, 48, 48, generator=torch.Generator().manual_seed(5))


LABELS = torch.tensor([1, 3, 1, 0])
ROWS = torch.tensor([4, 5, 6, 7])


@given(st.lists(WORDS.map(" ".join), min_size=2, max_size=6))
def test_the_word_table_is_of_the_tokens_that_vary(captions):
    ids = TOKENIZER.encode(captions)
    held = [set(TOKENIZER.encode([text])[0].tolist()) for text in captions]
    varying = sorted(set.union(*held) - set.intersection(*held))
    wanted = [[float(token in tokens) for token in varying] for tokens in held]
    found = _word_table(ids)
    assert found.shape == (len(captions), len(varying))
    assert found.tolist() == wanted


def test_rare_words_weigh_more():
    made = objective()
    share = made.words.mean(dim=0)
    torch.testing.assert_close(made.weights, (1 - share) / share)
    rarest, commonest = share.argmin(), share.argmax()
    assert made.weights[rarest] > made.weights[commonest]


@pytest.mark.parametrize("update", [0, 1, 2, 3])
def test_equal_captions_are_matches_of_each_other(update):
    made = objective()
    clips = clips_of(4)
    found = made(clips, LABELS, ROWS, update)
    text = made.templated if update % 2 else made.bare
    with torch.no_grad():
        video = F.normalize(made.backbone.encode_video(clips), dim=1)
        sentences = F.normalize(made.backbone.encode_text(text[LABELS]), dim=1)
        logits = video @ sentences.T / made.backbone.tau
    terms = []
    for table in (logits, logits.T):
        logs = table.log_softmax(dim=1)
        for clip in range(4):
            right = [i for i in range(4) if LABELS[i] == LABELS[clip]]
            terms.append(-sum(float(logs[clip, i]) for i in right) / len(right))
    assert found["contrastive"].item() == pytest.approx(sum(terms) / 8, rel=1e-4)


def test_the_word_head_is_a_weighted_yes_or_no_for_each_word():
    made = objective()
    clips = clips_of(4)
    found = made(clips, LABELS, ROWS, 0)
    with torch.no_grad():
        video = F.normalize(made.backbone.encode_video(clips), dim=1)
        logits = made.head(video * math.sqrt(video.shape[1]))
    total = 0.0
    for clip in range(4):
        for word, weight in enumerate(made.weights.tolist()):
            chance = 1 / (1 + math.exp(-float(logits[clip, word])))
            held = bool(made.words[LABELS[clip], word])
            total -= weight * math.log(chance) if held else math.log(1 - chance)
    assert found["words"].item() == pytest.approx(total / logits.numel(), rel=1e-4)


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_the_loss_is_the_weighted_sum(weight):
    found = objective(word_weight=weight)(clips_of(4), LABELS, ROWS, 0)
    wanted = found["contrastive"] + weight * found["words"]
    torch.testing.assert_close(found["loss"], wanted)


def test_rows_decide_nothing_and_the_seed_only_the_head():
    clips = clips_of(4)
    one, two, other = objective(1), objective(1), objective(2)
    found = one(clips, LABELS, ROWS, 0)
    torch.randn(3)  # whatever else was drawn
    again = two(clips, LABELS, ROWS + 100, 0)
    assert all(torch.equal(again[name], value) for name, value in found.items())
    seeded = other(clips, LABELS, ROWS, 0)
    assert torch.equal(seeded["contrastive"], found["contrastive"])
    assert not torch.equal(seeded["words"], found["words"])


def test_both_towers_the_temperature_and_the_head_learn():
    made = objective()
    with torch.no_grad():
        made.backbone.temp.fill_(0.07)
    made(clips_of(4), LABELS, ROWS, 0)["loss"].backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
    towers = ("backbone.vision_encoder.proj", "backbone.text_encoder.text_projection")
    for name in (*towers, "backbone.temp", "head.weight"):
        grad = made.get_parameter(name).grad
        assert grad is not None and grad.abs().sum() > 0, name


def test_the_head_is_no_part_of_the_backbone():
    made = objective()
    assert made.backbone.state_dict().keys() == ViCLIP(SIZES["nano"]).state_dict().keys()
    assert {name.split(".")[0] for name in made.state_dict()} == {"backbone", "head"}

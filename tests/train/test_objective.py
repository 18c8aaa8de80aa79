"""What an update minimises: cross entropy plus alpha times the consistency, in one forward."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from train.methods import build_method, default_options
from train.models.config import SIZES
from train.models.tokenizer import Tokenizer
from train.models.viclip import ViCLIP
from train.objective import Objective
from train.recipes.records import Loss
from train.texts import Means

TOKENIZER = Tokenizer(SIZES["nano"].text.vocabulary, SIZES["nano"].text.context)
PROMPTS = TOKENIZER.encode([f"a video of {name}." for name in ("one", "two circles", "three")])
LABELS, ROWS = torch.tensor([2, 0, 0, 1]), torch.tensor([40, 41, 2, 7])


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


CLIPS = drawn(1, 4, 8, 3, 48, 48)
SPATIAL, TEMPORAL = drawn(2, 3, 64), drawn(3, 3, 64)


def objective(
    means: Means, loss: Loss, *, method: str = "msta", dropout: float = 0.5, seed: int = 1
) -> Objective:
    """On a nano backbone whose adapters weigh as much as its blocks."""
    changes = {"mid": 32, "blocks": (2, 3), "scale": 1.0, "dropout": dropout}
    options = default_options(method, **changes if method == "msta" else {})
    built = build_method(method, ViCLIP(SIZES["nano"], 7), options, 1)
    return Objective(built, PROMPTS, means, loss, seed)


BOTH = Means(SPATIAL, TEMPORAL)


@pytest.mark.parametrize("alpha", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_the_loss_is_eq_16(alpha, reduction):
    made = objective(BOTH, Loss(alpha=alpha, reduction=reduction), dropout=0.0)
    found = made(CLIPS, LABELS, ROWS, 3)
    method = made.method
    with torch.no_grad():
        video = F.normalize(method.encode_video(CLIPS), dim=1)
        text = F.normalize(method.encode_text(PROMPTS), dim=1)
        entropy = F.cross_entropy(video @ text.T / 0.01, LABELS)
        held = 2 - sum(
            (text * F.normalize(means, dim=1)).sum(dim=1) for means in (SPATIAL, TEMPORAL)
        )
        held = held.mean() if reduction == "mean" else held.sum()
    assert list(found) == ["loss", "ce", "cc"]
    torch.testing.assert_close(found["ce"].detach(), entropy, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(found["cc"].detach(), held, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["loss"], found["ce"] + alpha * found["cc"])


def test_one_kind_of_description_alone():
    found = [
        objective(means, Loss(), dropout=0.0)(CLIPS, LABELS, ROWS, 0)["cc"]
        for means in (Means(SPATIAL, None), Means(None, TEMPORAL), BOTH)
    ]
    torch.testing.assert_close(found[0] + found[1], found[2])


def test_without_descriptions_the_loss_is_the_cross_entropy():
    found = objective(Means(), Loss("none"))(CLIPS, LABELS, ROWS, 0)
    assert list(found) == ["loss", "ce"]
    assert found["loss"] is found["ce"]


def test_dropout_belongs_to_seed_update_row_and_class():
    made = objective(BOTH, Loss())
    found = made(CLIPS, LABELS, ROWS, 3)["loss"]
    torch.rand(5)
    assert torch.equal(made(CLIPS, LABELS, ROWS, 3)["loss"], found)
    assert torch.equal(objective(BOTH, Loss())(CLIPS, LABELS, ROWS, 3)["loss"], found)
    assert not torch.equal(made(CLIPS, LABELS, ROWS, 4)["loss"], found)
    assert not torch.equal(made(CLIPS, LABELS, ROWS + 1, 3)["loss"], found)
    assert not torch.equal(objective(BOTH, Loss(), seed=2)(CLIPS, LABELS, ROWS, 3)["loss"], found)


def test_a_batch_in_another_order_or_in_parts_is_the_same_batch():
    made = objective(BOTH, Loss())
    whole = made(CLIPS, LABELS, ROWS, 3)
    order = torch.tensor([2, 0, 3, 1])
    moved = made(CLIPS[order], LABELS[order], ROWS[order], 3)
    parts = [made(CLIPS[p], LABELS[p], ROWS[p], 3) for p in (slice(0, 1), slice(1, 4))]
    for name, value in whole.items():
        torch.testing.assert_close(moved[name], value, rtol=1e-4, atol=1e-4)
        together = (parts[0][name] + 3 * parts[1][name]) / 4
        torch.testing.assert_close(together, value, rtol=1e-4, atol=1e-4)


def test_adapters_alone_have_gradients_the_shared_layer_from_both_towers():
    made = objective(BOTH, Loss())
    made(CLIPS, LABELS, ROWS, 0)["loss"].backward()
    for name, parameter in made.named_parameters():
        adapter = "_adapter." in name
        assert (parameter.grad is not None) == adapter, name
    shared = made.get_parameter("method.shared_adapter.2.0.weight").grad
    made.zero_grad()
    made(CLIPS, LABELS, ROWS, 0)["cc"].backward()  # through the text tower alone
    alone = made.get_parameter("method.shared_adapter.2.0.weight").grad
    assert shared is not None and alone is not None
    assert alone.abs().sum() > 0
    assert not torch.allclose(shared, alone)


def test_full_tuning_reads_its_prompts_anew():
    made = objective(Means(), Loss("none"), method="full")
    before = made(CLIPS, LABELS, ROWS, 0)["loss"]
    before.backward()
    block = made.get_parameter("method.backbone.text_encoder.positional_embedding")
    assert block.grad is not None and block.grad.abs().sum() > 0
    with torch.no_grad():
        block.add_(torch.randn_like(block))
    assert not torch.equal(made(CLIPS, LABELS, ROWS, 0)["loss"], before)


def test_descriptions_and_prompts_are_no_weights():
    made = objective(BOTH, Loss())
    assert {name.split(".")[0] for name in made.state_dict()} == {"method"}

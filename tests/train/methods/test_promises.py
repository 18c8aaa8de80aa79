"""What AdaptFormer and LoRA promise alike: start, gradients, economies, masks.

That ranks wait for no gradient that never comes is shown by real ranks, in `test_run_grid.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from train.losses import consistency, cross_entropy
from train.methods import AdaptFormerOptions, LoRAOptions, build_method
from train.methods.dropout import keyed
from train.methods.method import Method
from train.models.backbone import Backbone
from train.models.build import build_backbone
from train.models.config import BackboneConfig, TextConfig, VisionConfig

TINY = BackboneConfig(VisionConfig(48, 3, 2, 16, 32, 4), TextConfig(24, 3, 2, 12, 600), 20)
TINY_CLIP = replace(TINY, vision=replace(TINY.vision, joint=False))
ALL = ("q", "k", "v", "out", "mlp")
CASES: dict[str, Any] = {
    "parallel": AdaptFormerOptions(8, dropout=0.4),
    "sequential": AdaptFormerOptions(8, dropout=0.4, insertion="sequential"),
    "qv": LoRAOptions(4, dropout=0.4, towers="both"),
    "all": LoRAOptions(4, 8.0, dropout=0.4, target_modules=ALL, towers="both"),
    "upper": LoRAOptions(4, dropout=0.4, towers="both", blocks=(2, 3)),
    "vision": AdaptFormerOptions(8, dropout=0.4, towers="vision", blocks=(2, 3)),
}
# The same on CLIP, which sees one frame after another.
ON_CLIP = {f"{case} on clip": CASES[case] for case in ("parallel", "all")}
CASES |= ON_CLIP


def backbone(case: str) -> Backbone:
    return build_backbone(TINY_CLIP if case in ON_CLIP else TINY, seed=1)


def build(case: str, seed: int = 3, *, moved: bool = False) -> Method:
    """moved: what starts at zero has moved on, as after some updates."""
    options = CASES[case]
    name = "lora" if isinstance(options, LoRAOptions) else "adaptformer"
    method = build_method(name, backbone(case), options, seed)
    if moved:
        generator = torch.Generator().manual_seed(8)
        with torch.no_grad():
            for parameter in added(method).values():
                parameter.normal_(0, 0.1, generator=generator)
    return method


def added(method: Method) -> dict[str, torch.nn.Parameter]:
    return {k: p for k, p in method.named_parameters() if not k.startswith("backbone.")}


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    video = torch.randn(4, 4, 3, 32, 32, generator=generator)
    ids = torch.randint(1, 500, (5, 9), generator=generator)
    ids[torch.arange(5), 3 + torch.arange(5)] = TINY.text.vocabulary - 1
    return video, ids


def features(method: Method, rows: Any = (7, 1, 4, 90)) -> tuple[torch.Tensor, torch.Tensor]:
    video, ids = inputs()
    with keyed(1, 0, torch.tensor(rows)):
        return method.encode_video(video), method.encode_text(method.text_prefix(ids))


@pytest.mark.parametrize("case", CASES)
def test_training_starts_from_the_frozen_model(case: str) -> None:
    frozen = backbone(case)
    video, text = features(build(case))
    assert torch.equal(video, frozen.encode_video(inputs()[0]))
    assert torch.equal(text, frozen.encode_text(inputs()[1]))


@pytest.mark.parametrize("case", CASES)
def test_first_values_come_from_the_seed(case: str) -> None:
    one, same, other = (added(build(case, seed)) for seed in (3, 3, 4))
    for name, value in one.items():
        assert torch.equal(value, same[name])
        starts_at_zero = name.endswith(("bias", "up_proj.weight", "lora_B.weight"))
        assert starts_at_zero == (not value.any())
        assert starts_at_zero == torch.equal(value, other[name])
        if not starts_at_zero:
            bound = value.shape[1] ** -0.5
            assert 0.8 * bound < value.abs().max() <= bound


@pytest.mark.parametrize("case", CASES)
def test_exactly_what_was_added_trains(case: str) -> None:
    method = build(case)
    before = {key: value.clone() for key, value in method.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in method.parameters() if p.requires_grad], lr=1e-2)
    means = torch.randn(5, TINY.embed, generator=torch.Generator().manual_seed(5))
    for _ in range(2):  # in the first, what lies before the zeros has none but zero gradients
        optimizer.zero_grad()
        video, text = features(method)
        loss = cross_entropy(video, text, torch.tensor([0, 2, 3, 1]), method.tau)
        (loss + consistency(text, means, means.flip(0))).backward()
        optimizer.step()
    for name, parameter in method.named_parameters():
        is_added = not name.startswith("backbone.")
        assert parameter.requires_grad == is_added
        if is_added:
            assert parameter.grad is not None and parameter.grad.any(), name
        else:
            assert parameter.grad is None
        assert torch.equal(parameter, before[name]) == (not is_added), name


@pytest.mark.parametrize("case", CASES)
def test_the_same_with_and_without_the_last_blocks_economy(case: str) -> None:
    found = []
    for pooled in (True, False):
        method = build(case, moved=True)
        method.backbone.pool_last(pooled)
        video, text = features(method)
        (video.square().sum() + text.square().sum()).backward()
        gradients = {name: p.grad for name, p in added(method).items()}
        found.append({"video": video.detach(), "text": text.detach(), **gradients})
    for name, value in found[0].items():
        assert value is not None
        torch.testing.assert_close(value, found[1][name], atol=1e-4, rtol=1e-4, msg=name)


@pytest.mark.parametrize("case", CASES)
def test_cached_text_changes_nothing(case: str) -> None:
    method, ids = build(case, moved=True).eval(), inputs()[1]
    assert torch.equal(method.encode_text(method.text_prefix(ids)), method.encode_text(ids))


@pytest.mark.parametrize("case", ["parallel", "all", *ON_CLIP])
def test_ranks_see_the_masks_of_one(case: str) -> None:
    method, (video, _) = build(case, moved=True), inputs()
    rows = torch.tensor([40, 12, 7, 99])
    parts = []
    for part in (slice(None), slice(0, 2), slice(2, 4)):
        with keyed(1, 3, rows[part]):
            parts.append(method.encode_video(video[part]).detach())
    torch.testing.assert_close(torch.cat(parts[1:]), parts[0], atol=1e-5, rtol=1e-5)
    with keyed(1, 4, rows):
        assert not torch.allclose(method.encode_video(video), parts[0], atol=1e-4)

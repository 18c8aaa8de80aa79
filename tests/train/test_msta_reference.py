"""MSTA against numbers derived from its specification.

There is no published code of the method: the reference was computed by another program from the
same equations, on the official towers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.reference import TOWERS, Reference, read_reference
from train.losses import consistency, cross_entropy, description_mean
from train.methods import MSTAOptions, build_method
from train.methods.method import Method
from train.models.transformer import Block
from train.models.viclip import ViCLIP

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "no_norm": {"input_norm": "none"},
    "cls_single_frame": {"class_temporal": "single_frame"},
}


@pytest.fixture(scope="module")
def derived(oracles: Path) -> Reference:
    return read_reference(oracles / "msta_derived_tiny.safetensors")


def tuned(reference: Reference, scale: float, variant: str = "default", **changes: Any) -> Method:
    """The method with the reference's weights, dropout off."""
    c = reference.config
    options = MSTAOptions(mid=c["mid"], blocks=(c["k"], c["last"]), scale=scale)
    options = replace(options, **VARIANTS[variant], **changes)
    method = build_method("msta", ViCLIP(reference.sizes()), options, seed=0)
    weights = reference.below("weights.")
    named = {f"backbone.{k}" if k.startswith(TOWERS) else k: v for k, v in weights.items()}
    method.load_state_dict(named)  # strict: the parameters' names are part of the format
    return method.eval()


def scales(reference: Reference) -> list[float]:
    scales: list[float] = reference.config["lams"]
    return scales


@pytest.mark.parametrize("pooled", [True, False])
@torch.no_grad()
def test_features_and_logits(derived: Reference, pooled: bool) -> None:
    found = 0
    for name in derived.tensors:
        if not (match := re.fullmatch(r"(lambda_(.+)\.(.+))\.video_feature", name)):
            continue
        method = tuned(derived, float(match[2]), match[3])
        method.backbone.pool_last(pooled)
        video = method.encode_video(derived["input.video_btchw"])
        text = method.encode_text(derived["input.class_token_ids"])
        derived.assert_near(video, f"{match[1]}.video_feature")
        derived.assert_near(text, f"{match[1]}.text_feature")
        normalize = torch.nn.functional.normalize
        logits = normalize(video) @ normalize(text).T / method.tau
        torch.testing.assert_close(
            logits,
            derived[f"{match[1]}.logits"],
            atol=derived.atol / float(method.tau),
            rtol=derived.rtol,
        )
        found += 1
    assert found >= len(VARIANTS)


@torch.no_grad()
def test_block_outputs(derived: Reference) -> None:
    for scale in scales(derived):
        method = tuned(derived, scale)
        method.backbone.pool_last(False)
        for tower in ("vision", "text"):
            outputs: list[torch.Tensor] = []
            step = method.vision_step if tower == "vision" else method.text_step

            def recorded(
                number: int,
                block: Block,
                x: torch.Tensor,
                rows: torch.Tensor | None,
                step: Callable[..., torch.Tensor] = step,
                outputs: list[torch.Tensor] = outputs,
            ) -> torch.Tensor:
                outputs.append(step(number, block, x, rows))
                return outputs[-1]

            if tower == "vision":
                method.backbone.encode_video(derived["input.video_btchw"], recorded)
            else:
                method.backbone.encode_text(derived["input.class_token_ids"], recorded)
            for number, output in enumerate(outputs):
                name = f"lambda_{scale}.default.{tower}.block{number}_output"
                derived.assert_near(output, name)


def losses(derived: Reference, method: Method) -> dict[str, torch.Tensor]:
    video = method.encode_video(derived["input.video_btchw"])
    text = method.encode_text(method.text_prefix(derived["input.class_token_ids"]))
    frozen = [derived[f"frozen.{kind}_feature"] for kind in ("spatio", "temporal")]
    spatial, temporal = (description_mean(features) for features in frozen)
    raw = [description_mean(features, "raw") for features in frozen]
    entropy = cross_entropy(video, text, derived["input.labels"], method.tau)
    held = consistency(text, spatial, temporal)
    return {
        "loss_ce": entropy,
        "loss_cc": held,
        "loss_cc_per_class": torch.stack(
            [
                consistency(text[c : c + 1], spatial[c : c + 1], temporal[c : c + 1])
                for c in range(len(text))
            ]
        ),
        "loss_cc_raw_mean": consistency(text, raw[0], raw[1]),
        "loss_total": entropy + derived.config["alpha"] * held,
    }


def test_losses(derived: Reference) -> None:
    for scale in scales(derived):
        for name, value in losses(derived, tuned(derived, scale)).items():
            derived.assert_near(value, f"lambda_{scale}.default.{name}")


def test_descriptions_go_through_the_frozen_tower(derived: Reference) -> None:
    model = derived.backbone()
    for kind in ("spatio", "temporal"):
        ids = derived[f"input.{kind}_token_ids"]
        found = model.encode_text(ids.flatten(0, 1)).view(*ids.shape[:2], -1)
        derived.assert_near(found, f"frozen.{kind}_feature")


@pytest.mark.parametrize("pooled", [True, False])
@pytest.mark.parametrize("gradient_scaling", [True, False])
def test_gradients(derived: Reference, gradient_scaling: bool, pooled: bool) -> None:
    """Those of plain differentiation, divided by lambda where gradient scaling is on."""
    for scale in scales(derived):
        method = tuned(derived, scale, gradient_scaling=gradient_scaling)
        method.backbone.pool_last(pooled)
        losses(derived, method)["loss_total"].backward()
        wanted = derived.below(f"lambda_{scale}.default.grad.")
        trained = {k: p for k, p in method.named_parameters() if p.requires_grad}
        assert trained.keys() == wanted.keys()
        for name, parameter in trained.items():
            assert parameter.grad is not None
            plain = parameter.grad * scale if gradient_scaling else parameter.grad
            derived.assert_near(plain, f"lambda_{scale}.default.grad.{name}")

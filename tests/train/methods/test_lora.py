"""LoRA against a reference implementation, and against merged weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from manifests.errors import UserError
from tests.train.methods.reference_block import block_of
from tests.train.reference import Reference, read_reference
from train.methods import LoRAOptions, build_method
from train.methods.dropout import keyed
from train.methods.lora import BlockUpdates
from train.methods.options import LORA_PRESETS
from train.models.config import SIZES
from train.models.transformer import Block
from train.models.viclip import ViCLIP

TARGETS = {
    "q_proj": "q",
    "k_proj": "k",
    "v_proj": "v",
    "proj": "out",
    "fc1": "c_fc",
    "fc2": "c_proj",
}


@pytest.fixture(scope="module")
def official(oracles: Path) -> Reference:
    return read_reference(oracles / "lora_tiny.safetensors")


def updates_of(official: Reference) -> tuple[BlockUpdates, dict[str, str]]:
    """The reference's updates, and the reference's name of each of their parameters."""
    c = official.config
    places = {TARGETS[name.split(".")[-1]]: name for name in c["targets"]}
    kinds = tuple(dict.fromkeys("mlp" if p.startswith("c_") else p for p in places))
    options = LoRAOptions(c["r"], c["alpha"], c["dropout"], target_modules=kinds)  # type: ignore[arg-type]
    updates = BlockUpdates("vision", 1, c["dim"], options)
    theirs = {
        f"{place}.{factor}.weight": key.removeprefix("lora.")
        for place, name in places.items()
        for factor in ("lora_A", "lora_B")
        for key in official.tensors
        if key.startswith("lora.") and key.endswith(f"{name}.{factor}.weight")
    }
    updates.load_state_dict({ours: official[f"lora.{key}"] for ours, key in theirs.items()})
    return updates, theirs


def test_outputs_and_gradients_of_the_reference(official: Reference) -> None:
    block, x = block_of(official), official["input.x"]
    official.assert_near(block(x, block.ln_1(x)), "base.output")
    updates, names = updates_of(official)
    found = updates.step(block, x, None)
    official.assert_near(found, "lora.output")
    official.assert_near(found, "merged.output")
    (found * official["grad.cotangent"]).sum().backward()
    parameters = dict(updates.named_parameters())
    assert parameters.keys() == names.keys()
    for ours, theirs in names.items():
        gradient = parameters[ours].grad
        assert gradient is not None
        official.assert_near(gradient, f"grad.{theirs}")


def test_one_token_alone_is_that_token_of_all(official: Reference) -> None:
    block, x = block_of(official), official["input.x"]
    updates, _ = updates_of(official)
    rows = torch.arange(len(x)) % x.shape[1]
    whole = official["lora.output"][torch.arange(len(x)), rows][:, None]
    alone = updates.step(block, x, rows).detach()
    torch.testing.assert_close(alone, whole, atol=official.atol, rtol=official.rtol)


@pytest.fixture(scope="module")
def packed(oracles: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Updates of a fused projection and of an MLP, and how near one must come."""
    path = oracles / "methods" / "lora_attention.safetensors"
    about = json.loads(path.with_suffix(".json").read_text())
    return load_file(path), about


def clip_block(tensors: Mapping[str, torch.Tensor], heads: int, causal: bool) -> Block:
    block = Block(tensors["in.x"].shape[-1], heads, causal=causal)
    for name, tensor in tensors.items():
        if name.startswith("w."):
            owner = block.mlp if ".c_" in name else block.attn
            owner.load_state_dict({name.removeprefix("w."): tensor}, strict=False)
    return block.requires_grad_(False)


@pytest.mark.parametrize(
    ("result", "targets", "causal"),
    [
        ("attn_base", (), False),
        ("attn_qv", ("q", "v"), False),
        ("attn_qkvo", ("q", "k", "v", "out"), False),
        ("attn_qv_causal", ("q", "v"), True),
        ("mlp_lora", ("mlp",), False),
    ],
)
def test_fused_projections_and_the_mlp(
    packed: Any, result: str, targets: tuple[Any, ...], causal: bool
) -> None:
    tensors, about = packed
    config, near = about["config"], about["tolerance"]
    block = clip_block(tensors, config["heads"], causal)
    options = LoRAOptions(config["rank"], config["alpha"], target_modules=targets)
    updates = BlockUpdates("vision", 1, config["d"], options)
    updates.load_state_dict(
        {
            f"{place}.lora_{factor}.weight": tensors[f"lora_{factor}.{place}"]
            for place in updates
            for factor in "AB"
        }
    )
    assert bool(targets) == bool(len(updates))
    x = tensors["in.x"].transpose(0, 1)  # written tokens first
    if "mlp" in targets:
        found = block.mlp(x, updates.extra(None))
    else:
        found = block.attn(x, extra=updates.extra(None))
    wanted = tensors[f"out.{result}"].transpose(0, 1)
    torch.testing.assert_close(found, wanted, atol=near["atol"], rtol=near["rtol"])


@torch.no_grad()
def test_the_same_as_weights_with_the_updates_added() -> None:
    """Every target at once, both towers, through whole towers."""
    options = LoRAOptions(4, 8.0, target_modules=("q", "k", "v", "out", "mlp"), towers="both")
    method = build_method("lora", ViCLIP(SIZES["nano"], seed=1), options, seed=2)
    for name, parameter in method.named_parameters():
        if "lora_B" in name:
            parameter.normal_(0, 0.05, generator=torch.Generator().manual_seed(len(name)))
    merged = ViCLIP(SIZES["nano"], seed=1)
    for tower, lora in (
        (merged.vision_encoder, method.visual_lora),
        (merged.text_encoder, method.text_lora),
    ):
        for number, updates in lora.items():  # type: ignore[union-attr, operator]
            block = tower.transformer.resblocks[int(number) - 1]
            for place, update in updates.items():
                _add(block, place, update)
    video = torch.randn(2, 8, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    ids = torch.randint(1, 500, (3, 9), generator=torch.Generator().manual_seed(1))
    ids[:, 6] = SIZES["nano"].text.vocabulary - 1
    near = {"atol": 2e-5, "rtol": 1e-4}
    torch.testing.assert_close(method.encode_video(video), merged.encode_video(video), **near)
    torch.testing.assert_close(method.encode_text(ids), merged.encode_text(ids), **near)
    assert not torch.allclose(merged.encode_text(ids), method.backbone.encode_text(ids), atol=1e-2)


def _add(block: Any, place: str, update: Any) -> None:
    """Add (alpha / rank) B A to the weight that `place` names."""
    change = update.scaling * update.lora_B.weight @ update.lora_A.weight
    if place in ("q", "k", "v"):
        width = change.shape[0]
        start = "qkv".index(place) * width
        block.attn.in_proj_weight[start : start + width] += change
    elif place == "out":
        block.attn.out_proj.weight += change
    else:
        getattr(block.mlp, place).weight += change


def test_the_same_as_peft_where_it_is_installed() -> None:
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    block = Block(32, 2, causal=False)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.2)
    x = torch.randn(2, 7, 32)
    config = peft.LoraConfig(
        r=4, lora_alpha=6, target_modules=["c_fc", "c_proj"], init_lora_weights=False
    )
    theirs = peft.get_peft_model(block.mlp, config).eval()
    wanted = theirs(x)
    updates = BlockUpdates("vision", 1, 32, LoRAOptions(4, 6.0, target_modules=("mlp",)))
    saved = peft.get_peft_model_state_dict(theirs)
    updates.load_state_dict({k.removeprefix("base_model.model."): v for k, v in saved.items()})
    plain = theirs.unload()
    hidden = plain.gelu(plain.c_fc(x) + updates["c_fc"](x))
    found = plain.c_proj(hidden) + updates["c_proj"](hidden)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def trained(options: LoRAOptions) -> int:
    with torch.device("meta"):
        method = build_method("lora", ViCLIP(SIZES["b16"]), options, seed=0)
    return sum(p.numel() for p in method.parameters() if p.requires_grad)


def square(count: int, rank: int) -> int:
    """Parameters of updates of square projections in 12 blocks of both towers of ViCLIP-B/16."""
    return 12 * 2 * rank * count * (768 + 512)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (LoRAOptions(), 9_437_184),  # Table 5: 9.4 M
        (LORA_PRESETS["vision-qv-256"], 9_437_184),
        (LORA_PRESETS["vision-qkvo-128"], 9_437_184),
        (LORA_PRESETS["both-qkvo-16"], square(4, 16)),
        (LoRAOptions(rank=8, target_modules=("q", "v"), towers="both"), square(2, 8)),
        (LoRAOptions(rank=3, target_modules=("mlp",), towers="text"), 12 * 3 * 2 * 5 * 512),
        (LoRAOptions(rank=3, blocks=(11, 12)), 2 * 3 * 2 * 2 * 768),
    ],
)
def test_counts(options: LoRAOptions, count: int) -> None:
    assert trained(options) == count


def test_a_target_said_twice_is_there_once() -> None:
    assert trained(LoRAOptions(rank=2, target_modules=("q", "q", "v"))) == trained(
        LoRAOptions(rank=2)
    )


def test_dropout_has_masks_of_its_own_at_each_projection() -> None:
    options = LoRAOptions(4, dropout=0.5, target_modules=("q", "v", "out"))
    updates = BlockUpdates("vision", 1, 64, options)
    with keyed(1, 0, torch.tensor([3])):
        masks = [updates[place].dropout(torch.ones(1, 20, 64)) for place in updates]
    for index, mask in enumerate(masks):
        assert 0.4 < (mask == 0).float().mean() < 0.6
        assert not any(torch.equal(mask, other) for other in masks[:index])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rank": 0}, "at least 1"),
        ({"dropout": 1.0}, "below 1"),
        ({"target_modules": ()}, "0 target modules"),
        ({"blocks": (3, 2)}, "blocks 3 to 2"),
    ],
)
def test_options_that_do_not_fit(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        build_method("lora", ViCLIP(SIZES["nano"]), replace(LoRAOptions(rank=4), **changes), 0)

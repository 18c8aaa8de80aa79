"""AdaptFormer against its official block, and what it promises as a method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from manifests.errors import UserError
from tests.train.methods.reference_block import block_of
from tests.train.reference import Reference, read_reference
from train.methods import AdaptFormerOptions, build_method, default_options
from train.methods.adaptformer import Bottleneck
from train.models.config import SIZES
from train.models.viclip import ViCLIP


@pytest.fixture(scope="module")
def official(oracles: Path) -> Reference:
    return read_reference(oracles / "adaptformer_tiny.safetensors")


def bottleneck(official: Reference, insertion: Any) -> Bottleneck:
    """The reference's adapter, dropout off."""
    c = official.config
    options = AdaptFormerOptions(c["bottleneck"], scale=c["scalar"], insertion=insertion)
    adapter = Bottleneck("vision", 1, c["dim"], options)
    adapter.load_state_dict(official.below("weights.adaptmlp."))
    return adapter.eval()


@pytest.mark.parametrize("insertion", ["parallel", "sequential"])
def test_outputs_and_gradients_of_the_official_block(official: Reference, insertion: str) -> None:
    block, adapter = block_of(official), bottleneck(official, insertion)
    found = adapter.step(block, official["input.x"], None)
    official.assert_near(found, f"{insertion}.output")
    (found * official["grad.cotangent"]).sum().backward()
    for name, parameter in adapter.named_parameters():
        assert parameter.grad is not None
        official.assert_near(parameter.grad, f"{insertion}.grad.adaptmlp.{name}")


def test_the_block_without_its_adapter_is_the_official_one(official: Reference) -> None:
    block, x = block_of(official), official["input.x"]
    official.assert_near(block(x, block.ln_1(x)), "no_adapter.output")


@pytest.mark.parametrize("insertion", ["parallel", "sequential"])
def test_one_token_alone_is_that_token_of_all(official: Reference, insertion: str) -> None:
    block, adapter = block_of(official), bottleneck(official, insertion)
    x = official["input.x"]
    rows = torch.arange(len(x)) % x.shape[1]
    alone = adapter.step(block, x, rows)
    whole = official[f"{insertion}.output"][torch.arange(len(x)), rows][:, None]
    torch.testing.assert_close(alone.detach(), whole, atol=official.atol, rtol=official.rtol)


def trained(options: AdaptFormerOptions, size: str = "b16") -> int:
    with torch.device("meta"):
        method = build_method("adaptformer", ViCLIP(SIZES[size]), options, seed=0)
    return sum(p.numel() for p in method.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 7_885_824),  # Table 5: 7.9 M
        ({"insertion": "sequential"}, 7_885_824),
        ({"blocks": (1, 12)}, 7_885_824),
        ({"towers": "vision"}, 12 * (2 * 768 * 256 + 256 + 768)),
        ({"towers": "text", "bottleneck": 64}, 12 * (2 * 512 * 64 + 64 + 512)),
        ({"blocks": (8, 12)}, 7_885_824 * 5 // 12),
    ],
)
def test_counts(changes: dict[str, Any], count: int) -> None:
    assert trained(default_options("adaptformer", **changes)) == count


def test_towers_of_different_depth_meet_at_the_top() -> None:
    options = AdaptFormerOptions(bottleneck=8, blocks=(12, 24))
    with torch.device("meta"):
        method = build_method("adaptformer", ViCLIP(SIZES["l14"]), options, seed=0)
    names = [name for name, p in method.named_parameters() if p.requires_grad]
    numbers = {
        tower: sorted({int(name.split(".")[1]) for name in names if name.startswith(tower)})
        for tower in ("visual", "text")
    }
    assert numbers == {"visual": list(range(12, 25)), "text": list(range(1, 13))}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bottleneck": 0}, "at least 1"),
        ({"dropout": 1.0}, "below 1"),
        ({"blocks": (2, 9)}, "between 1 and 3"),
        ({"blocks": (0, 2)}, "blocks 0 to 2"),
    ],
)
def test_options_that_do_not_fit(changes: dict[str, Any], words: str) -> None:
    options = replace(AdaptFormerOptions(bottleneck=8), **changes)
    with pytest.raises(UserError, match=words):
        build_method("adaptformer", ViCLIP(SIZES["nano"]), options, seed=0)

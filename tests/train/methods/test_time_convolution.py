"""The convolution over time and the block around it, against the official block of ST-Adapter.

That adapter is no method here. Its depth-wise convolution over the frames of each patch is the one
of MSTA's vision adapters, between layers of its own, and it keeps the class token out the same way.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tests.train.reference import Reference, read_reference
from train.methods.adapter import TAPS, TemporalUp
from train.models.transformer import Block


@pytest.fixture(scope="module")
def official(oracles: Path) -> Reference:
    return read_reference(oracles / "st_adapter_tiny.safetensors")


def adapted(official: Reference, name: str, x: torch.Tensor) -> torch.Tensor:
    """`(B·T, 1 + P, W)` with what the adapter `name` adds to the patches."""
    w, c = official.below(f"weights.{name}."), official.config
    assert c["kernel"] == [TAPS, 1, 1]
    conv = TemporalUp(c["adapter"], c["adapter"], groups=c["adapter"])
    conv.load_state_dict({"weight": w["conv.weight"], "bias": w["conv.bias"]})
    h = F.linear(x[:, 1:], w["fc1.weight"], w["fc1.bias"])
    over_time = h.view(c["B"], c["T"], *h.shape[1:]).transpose(1, 2)  # (B, P, T, m)
    h = conv(over_time).transpose(1, 2).flatten(0, 1)
    more = F.linear(h, w["fc2.weight"], w["fc2.bias"])
    return torch.cat([x[:, :1], x[:, 1:] + more], dim=1)


@torch.no_grad()
def test_the_adapter(official: Reference) -> None:
    found = adapted(official, "adapter_pre_attn", official["input.x"])
    official.assert_near(found, "adapter_pre_attn.output")


@torch.no_grad()
def test_the_block_with_an_adapter_before_attention_and_before_the_mlp(official: Reference) -> None:
    block = Block(official.config["dim"], official.config["heads"], causal=False)
    weights = official.below("weights.")
    block.load_state_dict({k: v for k, v in weights.items() if not k.startswith("adapter")})
    x = adapted(official, "adapter_pre_attn", official["input.x"])
    x = adapted(official, "adapter_pre_mlp", block.attended(x, block.ln_1(x)))
    official.assert_near(x + block.mlp(block.ln_2(x)), "block.output")

"""A block of ours with the weights of the reference block of AdaptFormer and LoRA.

That block has separate q, k, v projections and exact GELU: the three are stacked as ours are, and
our approximation of GELU is exchanged. All else is the same arithmetic.
"""

from __future__ import annotations

import torch
from torch import nn

from tests.train.reference import Reference
from train.models.transformer import Block


def block_of(reference: Reference) -> Block:
    """The reference's block, frozen."""
    w = reference.below("weights.")
    block = Block(reference.config["dim"], reference.config["heads"], causal=False)
    block.mlp.gelu = nn.GELU()  # type: ignore[assignment]
    stacked = {
        f"attn.in_proj_{kind}": torch.cat([w[f"attn.{part}_proj.{kind}"] for part in "qkv"])
        for kind in ("weight", "bias")
    }
    names = {
        "attn.out_proj": "attn.proj",
        "ln_1": "norm1",
        "ln_2": "norm2",
        "mlp.c_fc": "fc1",
        "mlp.c_proj": "fc2",
    }
    rest = {
        f"{ours}.{kind}": w[f"{theirs}.{kind}"]
        for ours, theirs in names.items()
        for kind in ("weight", "bias")
    }
    block.load_state_dict(stacked | rest)
    return block.requires_grad_(False)

"""First values of what AdaptFormer and LoRA add."""

from __future__ import annotations

import math

import torch

from train.methods.method import Method


@torch.no_grad()
def kaiming_uniform(method: Method, seed: int, zeros: tuple[str, ...]) -> None:
    """Kaiming uniform with a = sqrt(5), that is within 1 / sqrt(fan-in), as both designs start.

    zeros: endings of the names of parameters that start at zero. Drawn from the seed alone, so
    that every rank has the same values.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in method.named_parameters():
        if name.startswith("backbone.") or parameter.is_meta:
            continue
        if name.endswith(zeros):
            parameter.zero_()
        else:
            bound = 1 / math.sqrt(parameter.shape[1])
            parameter.uniform_(-bound, bound, generator=generator)

"""First values of a backbone trained from scratch.

Deviations of the weights are CLIP's. Places and times start as sinusoids of full size instead of
small noise: without them a small model does not learn to tell a motion from its reverse.
"""

from __future__ import annotations

import math

import torch
from torch import nn


@torch.no_grad()
def initialise(vision: nn.Module, text: nn.Module, seed: int) -> None:
    """Fill every weight of both towers from `seed`, independent of the global generator.

    The towers are known by their parameters' official names alone: they import this module.
    """
    generator = torch.Generator().manual_seed(seed)
    _vision(vision, generator)
    _text(text, generator)


def _vision(tower: nn.Module, generator: torch.Generator) -> None:
    place = tower.get_parameter("positional_embedding")
    conv = tower.get_parameter("conv1.weight")
    places, width = place.shape
    _normal(conv, conv[0].numel() ** -0.5, generator)
    _normal(tower.get_parameter("class_embedding"), width**-0.5, generator)
    _normal(tower.get_parameter("proj"), width**-0.5, generator)
    place[0].zero_()
    place[1:] = _grid(math.isqrt(places - 1), width)
    for name, time in tower.named_parameters(recurse=False):
        if name == "temporal_positional_embedding":  # towers that see pictures have none
            # Mirrored, so that the time of a token does not look like its row.
            time[0] = _waves(time.shape[1], width).flip(-1)
    _blocks(tower, width, generator)


def _text(tower: nn.Module, generator: torch.Generator) -> None:
    place = tower.get_parameter("positional_embedding")
    context, width = place.shape
    _normal(tower.get_parameter("token_embedding.weight"), 1.0, generator)
    _normal(tower.get_parameter("text_projection"), width**-0.5, generator)
    place.copy_(_waves(context, width))
    _blocks(tower, width, generator)


def _blocks(tower: nn.Module, width: int, generator: torch.Generator) -> None:
    blocks = list(tower.get_submodule("transformer.resblocks").children())
    deviations = {
        "attn.in_proj_weight": width**-0.5,
        "attn.out_proj.weight": (2 * len(blocks) * width) ** -0.5,
        "mlp.c_fc.weight": (2 * width) ** -0.5,
        "mlp.c_proj.weight": (2 * len(blocks) * width) ** -0.5,
    }
    for block in blocks:
        for name, parameter in block.named_parameters():
            if name in deviations:
                _normal(parameter, deviations[name], generator)
            elif name.endswith("bias"):
                parameter.zero_()


def _normal(tensor: torch.Tensor, deviation: float, generator: torch.Generator) -> None:
    tensor.normal_(0.0, deviation, generator=generator)


def _waves(places: int, width: int) -> torch.Tensor:
    """Sines and cosines of 1-D places, `(places, width)`, periods from 2 pi up."""
    half = -(-width // 2)
    periods = 100.0 ** (torch.arange(half) / half)
    angles = torch.arange(places)[:, None] / periods
    return torch.cat([angles.sin(), angles.cos()], dim=1)[:, :width]


def _grid(side: int, width: int) -> torch.Tensor:
    """Waves of the row beside waves of the column, `(side², width)`, row-major."""
    half = width // 2
    rows = _waves(side, half)[:, None].expand(-1, side, -1)
    columns = _waves(side, width - half)[None].expand(side, -1, -1)
    return torch.cat([rows, columns], dim=2).flatten(0, 1)

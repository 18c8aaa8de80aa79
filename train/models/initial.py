"""First values of a ViCLIP trained from scratch.

Deviations of the weights are CLIP's. Places and times start as sinusoids of full size instead of
small noise: without them a small model does not learn to tell a motion from its reverse.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from train.models.transformer import Transformer
    from train.models.viclip import TextTower, ViCLIP, VisionTower


@torch.no_grad()
def initialise(model: ViCLIP, seed: int) -> None:
    """Fill every weight from `seed`, independent of the global generator."""
    generator = torch.Generator().manual_seed(seed)
    _vision(model.vision_encoder, generator)
    _text(model.text_encoder, generator)


def _vision(tower: VisionTower, generator: torch.Generator) -> None:
    places, width = tower.positional_embedding.shape
    _normal(tower.conv1.weight, tower.conv1.weight[0].numel() ** -0.5, generator)
    _normal(tower.class_embedding, width**-0.5, generator)
    _normal(tower.proj, width**-0.5, generator)
    tower.positional_embedding[0].zero_()
    tower.positional_embedding[1:] = _grid(math.isqrt(places - 1), width)
    frames = tower.temporal_positional_embedding.shape[1]
    # Mirrored, so that the time of a token does not look like its row.
    tower.temporal_positional_embedding[0] = _waves(frames, width).flip(-1)
    _blocks(tower.transformer, width, generator)


def _text(tower: TextTower, generator: torch.Generator) -> None:
    context, width = tower.positional_embedding.shape
    _normal(tower.token_embedding.weight, 1.0, generator)
    _normal(tower.text_projection, width**-0.5, generator)
    tower.positional_embedding.copy_(_waves(context, width))
    _blocks(tower.transformer, width, generator)


def _blocks(transformer: Transformer, width: int, generator: torch.Generator) -> None:
    depth = len(transformer.resblocks)
    deviations = {
        "attn.in_proj_weight": width**-0.5,
        "attn.out_proj.weight": (2 * depth * width) ** -0.5,
        "mlp.c_fc.weight": (2 * width) ** -0.5,
        "mlp.c_proj.weight": (2 * depth * width) ** -0.5,
    }
    for block in transformer.resblocks:
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

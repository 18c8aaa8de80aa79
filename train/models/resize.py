"""Embeddings and patch weights of one shape turned into another, as the official code does.

Pure functions of tensors; which of them a file of weights needs is decided in `weights.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F


def temporal_embedding(
    embedding: torch.Tensor, frames: int, rule: Literal["official", "linear"] = "official"
) -> torch.Tensor:
    """Time embedding `(1, T, W)` for another number of frames.

    official: the first rows for fewer frames, linear interpolation for more. linear:
    interpolation for both.
    """
    trained = embedding.shape[1]
    if frames == trained:
        return embedding
    if frames < trained and rule == "official":
        return embedding[:, :frames]
    stretched = F.interpolate(embedding.transpose(1, 2), size=frames, mode="linear")
    return stretched.transpose(1, 2)


def spatial_positions(positions: torch.Tensor, grid: int) -> torch.Tensor:
    """Places `(1 + g², W)` for another grid, bicubic; the class token's row is kept."""
    old = round((len(positions) - 1) ** 0.5)
    if old == grid:
        return positions
    square = positions[1:].T.reshape(1, -1, old, old)
    resized = F.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], resized[0].flatten(1).T])


def text_positions(positions: torch.Tensor, context: int) -> torch.Tensor:
    """Places `(L, W)` of a text: the first rows, or zeros behind them."""
    missing = context - len(positions)
    return positions[:context] if missing <= 0 else F.pad(positions, (0, 0, 0, missing))


def patch_weight(
    weight: torch.Tensor, frames: int, rule: Literal["centre", "average"] = "centre"
) -> torch.Tensor:
    """2-D patch weight `(W, 3, p, p)` as a 3-D one `(W, 3, frames, p, p)`.

    centre: all of it at frame `frames // 2`; average: a share at each.
    """
    if rule == "average":
        return weight[:, :, None].repeat(1, 1, frames, 1, 1) / frames
    inflated = weight.new_zeros(*weight.shape[:2], frames, *weight.shape[2:])
    inflated[:, :, frames // 2] = weight
    return inflated


def clip_as_viclip(tensors: Mapping[str, torch.Tensor], frames: int) -> dict[str, torch.Tensor]:
    """A CLIP as the ViCLIP that its pre-training starts from: every frame looks alike to it.

    Time embeddings are zero, the patch weight is that of one frame, and the temperature is kept.
    """
    found = dict(tensors)
    conv = found["vision_encoder.conv1.weight"]
    found["vision_encoder.conv1.weight"] = patch_weight(conv, frames=1)
    found["vision_encoder.temporal_positional_embedding"] = conv.new_zeros(1, frames, len(conv))
    if "logit_scale" in found:
        found["temp"] = torch.exp(-found.pop("logit_scale"))
    return found
